// Literal definitions of the pairwise softmax losses and of curriculum weighting.
#pragma once

#include "properties/oracles/pairwise.hpp"
#include "properties/oracles/pointwise.hpp"

#include <rankgrad/curriculum/curriculum.hpp>
#include <rankgrad/pairwise/pairwise_softmax.hpp>

namespace test {

/// sum_i w_i c_i phi(p_i) over the items i with a strictly worse item of positive weight.
template <class Phi, class Factor>
long double anchor_sum(const Definition& list, rg::Normalize normalize, Phi phi, Factor factor) {
  long double total = 0, weight = 0;
  for (std::size_t i = 0; i < list.size(); ++i) {
    long double top = list.scores[i], others = 0;
    bool anchor = false;
    for (std::size_t j = 0; j < list.size(); ++j)
      if (list.labels[j] < list.labels[i] && list.weights[j] > 0) anchor = true, top = std::max(top, list.scores[j]);
    if (!anchor) continue;
    for (std::size_t j = 0; j < list.size(); ++j)
      if (list.labels[j] < list.labels[i]) others += list.weights[j] * expl(list.scores[j] - top);
    weight += list.weights[i];
    total += list.weights[i] * factor(i) * phi(list.scores[i] - top, others);
  }
  if (!(weight > 0)) return 0;
  return normalize == rg::Normalize::mean ? total / weight : total;
}
/// 1 - p and -log p of e^own against `others`.
inline long double wrong_mass(long double own, long double others) { return others / (expl(own) + others); }
inline long double log_loss(long double own, long double others) { return logl(expl(own) + others) - own; }

template <>
struct Oracle<rg::PairwiseSoftmax> {
  static std::vector<rg::PairwiseSoftmax> instances() {
    return {{}, {.negatives = rg::Negatives::joint}, {.negatives = rg::Negatives::joint, .normalize = rg::Normalize::sum}};
  }
  static constexpr Traits traits{.shift_invariant = true, .weights_duplicate = true};
  static long double value(const rg::PairwiseSoftmax& loss, const Definition& list) {
    if (loss.negatives == rg::Negatives::joint) return anchor_sum(list, loss.normalize, wrong_mass, [](std::size_t) { return 1.0L; });
    return pair_sum(list, loss.normalize, [](long double d) { return 1 / (1 + expl(d)); }, no_omega);
  }
};

template <>
struct Oracle<rg::PairwiseCrossEntropy> {
  static std::vector<rg::PairwiseCrossEntropy> instances() {
    return {{}, {.negatives = rg::Negatives::joint}, {.negatives = rg::Negatives::joint, .normalize = rg::Normalize::sum}};
  }
  static constexpr Traits traits{.shift_invariant = true, .weights_duplicate = true, .exact_curvature = true};
  static long double value(const rg::PairwiseCrossEntropy& loss, const Definition& list) {
    if (loss.negatives == rg::Negatives::joint) return anchor_sum(list, loss.normalize, log_loss, [](std::size_t) { return 1.0L; });
    return pair_sum(list, loss.normalize, [](long double d) { return softplus(-d); }, no_omega);
  }
};

}  // namespace test
