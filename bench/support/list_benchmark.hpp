// A list loss beside its scalar twin, on every shape, in float and double.
#pragma once

#include "support/harness.hpp"

#include <rankgrad/core/batch_evaluator.hpp>

#include <optional>

namespace bench {

/// The mean over lists, as BatchEvaluator takes it.
template <class T, class Twin>
double run_twin(Twin& twin, const Lists<T>& lists, std::span<T> gradient) {
  if (lists.size() == 1) return twin(lists.list(0), gradient.data()).value_or(0.0);
  double total = 0;
  std::size_t valid = 0;
  for (std::size_t q = 0; q < lists.size(); ++q)
    if (const auto value = twin(lists.list(q), gradient.data() + lists.offsets[q])) {
      total += *value;
      ++valid;
    }
  if (valid == 0) return 0;
  const T factor = T(1) / static_cast<T>(valid);
  for (T& g : gradient) g *= factor;
  return total / static_cast<double>(valid);
}

/// Through the doors that a user calls, with the default checks: one list by value_and_gradient(), many by a BatchEvaluator.
template <class T, class L>
auto library(const L& loss) {
  struct Kept {
    rg::Workspace workspace;
    rg::BatchEvaluator<T> evaluator;
  };
  return [loss, kept = std::make_shared<Kept>()](const Lists<T>& lists, std::span<T> gradient) -> double {
    if (lists.size() == 1) return static_cast<double>(rg::value_and_gradient(loss, lists.list(0), gradient, kept->workspace));
    return static_cast<double>(kept->evaluator(loss, lists.batch(), gradient));
  };
}

template <class T, class Twin>
auto scalar(Twin twin) {
  return [twin](const Lists<T>& lists, std::span<T> gradient) mutable { return run_twin<T>(twin, lists, gradient); };
}

/// `family/loss/T/shape/{scalar, others..., rankgrad}`
template <class T, class L, class... Twins>
void add_list_loss(const std::string& prefix, const L& loss, Needs needs, Count count, Backend<Twins>... twins) {
  for (const Shape& shape : every_shape())
    add<T, Lists<T>>(prefix + "/" + type_name<T>() + "/" + shape.name, shape.sets,
                     [shape, needs](std::size_t set) { return shape.make<T>(set, needs); }, count,
                     Backend{twins.name, scalar<T>(twins.run)}..., Backend{"rankgrad", library<T>(loss)});
}
template <class L, class... Twins>
void add_list_loss(const std::string& prefix, const L& loss, Needs needs, Count count, Backend<Twins>... twins) {
  add_list_loss<float>(prefix, loss, needs, count, twins...);
  add_list_loss<double>(prefix, loss, needs, count, twins...);
}

}  // namespace bench
