// Literal definitions of the softmax losses.
#pragma once

#include "properties/every_loss.hpp"

#include <rankgrad/listwise/softmax.hpp>

namespace test {

inline std::vector<long double> softmax_of(const std::vector<long double>& x, long double temperature) {
  const long double top = x.empty() ? 0 : *std::max_element(x.begin(), x.end());
  std::vector<long double> p;
  long double sum = 0;
  for (const long double v : x) p.push_back(expl((v - top) / temperature)), sum += p.back();
  for (long double& v : p) v /= sum;
  return p;
}

/// sum_i t_i (log sum_j e^{s_j / tau} - s_i / tau)
inline long double cross_entropy(const Definition& list, const std::vector<long double>& targets, long double temperature, rg::Normalize normalize) {
  if (list.size() == 0) return 0;
  const long double top = *std::max_element(list.scores.begin(), list.scores.end());
  long double sum = 0, total = 0, weight = 0;
  for (const long double s : list.scores) sum += expl((s - top) / temperature);
  for (std::size_t i = 0; i < list.size(); ++i) {
    const long double t = list.weights[i] * targets[i];
    weight += t;
    total += t * (logl(sum) + (top - list.scores[i]) / temperature);
  }
  if (!(weight > 0)) return 0;
  return normalize == rg::Normalize::mean ? total / weight : total;
}

template <>
struct Oracle<rg::Softmax> {
  static std::vector<rg::Softmax> instances() { return {{}, {.temperature = 0.3, .normalize = rg::Normalize::mean}}; }
  static constexpr Traits traits{.shift_invariant = true, .exact_curvature = true, .unit = 1};
  static long double value(const rg::Softmax& loss, const Definition& list) {
    return cross_entropy(list, list.labels, loss.temperature, loss.normalize);
  }
};

template <>
struct Oracle<rg::ListNet> {
  static std::vector<rg::ListNet> instances() { return {{}, {.temperature = 2, .label_temperature = 0.5}}; }
  static constexpr Traits traits{.shift_invariant = true, .exact_curvature = true, .constant_without_order = false};
  static long double value(const rg::ListNet& loss, const Definition& list) {
    return cross_entropy(list, softmax_of(list.labels, loss.label_temperature), loss.temperature, loss.normalize);
  }
};

}  // namespace test
