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

/// The sums of a curriculum over its samples: w L, w C and w C L.
struct CurriculumSums {
  long double losses = 0, weights = 0, products = 0, total = 0;

  template <class C>
  void add(const C& loss, long double w, long double easiness, long double term, long double omega = 1) {
    const long double p = std::min(1.0, loss.progress), faded = p < 1 ? (easiness + 1e-8L) * (1 - p) + p : 1;
    total += w;
    losses += w * omega * term;
    weights += w * faded;
    products += w * omega * term * faded;
  }
  template <class C>
  long double value(const C& loss, rg::Normalize normalize) const {
    if (!(total > 0)) return 0;
    const long double sum = loss.weighting == rg::CurriculumWeighting::per_sample ? products : losses * (weights / total);
    return normalize == rg::Normalize::mean ? sum / total : sum;
  }
};
template <class C>
long double seen_easiness(const C& loss, const Definition& list, std::size_t i) {
  return loss.anti ? 1 - list.easiness[i] : list.easiness[i];
}

template <class C, class Phi>
long double curriculum_items(const C& loss, rg::Normalize normalize, const Definition& list, Phi phi) {
  CurriculumSums sums;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const long double easy = seen_easiness(loss, list, i);
    sums.add(loss, list.weights[i], list.labels[i] > 0 ? easy : 1 - easy, phi(list.scores[i], list.labels[i]));
  }
  return sums.value(loss, normalize);
}

template <class C, class Phi, class Omega>
long double curriculum_pairs(const C& loss, rg::Normalize normalize, const Definition& list, Phi phi, Omega omega) {
  CurriculumSums sums;
  for (std::size_t i = 0; i < list.size(); ++i)
    for (std::size_t j = 0; j < list.size(); ++j)
      if (list.labels[i] > list.labels[j])
        sums.add(loss, list.weights[i] * list.weights[j], (seen_easiness(loss, list, i) - seen_easiness(loss, list, j) + 1) / 2,
                 phi(list.scores[i] - list.scores[j]), omega(i, j));
  return sums.value(loss, normalize);
}

template <class C, class Phi>
long double curriculum_anchors(const C& loss, rg::Normalize normalize, const Definition& list, Phi phi) {
  CurriculumSums sums;
  for (std::size_t i = 0; i < list.size(); ++i) {
    long double top = list.scores[i], others = 0, easiness = 2;
    for (std::size_t j = 0; j < list.size(); ++j)
      if (list.labels[j] < list.labels[i] && list.weights[j] > 0) {
        top = std::max(top, list.scores[j]);
        easiness = std::min(easiness, (seen_easiness(loss, list, i) - seen_easiness(loss, list, j) + 1) / 2);
      }
    if (easiness == 2) continue;
    for (std::size_t j = 0; j < list.size(); ++j)
      if (list.labels[j] < list.labels[i]) others += list.weights[j] * expl(list.scores[j] - top);
    sums.add(loss, list.weights[i], easiness, phi(list.scores[i] - top, others));
  }
  return sums.value(loss, normalize);
}

/// The parameter settings of every curriculum: both weightings, both directions, at the start and on the way.
template <class L>
std::vector<rg::Curriculum<L>> curricula(const L& first, const L& second) {
  return {{.loss = first},
          {.loss = second, .progress = 0.25, .anti = true},
          {.loss = first, .progress = 0.5, .weighting = rg::CurriculumWeighting::batch_mean},
          {.loss = second, .weighting = rg::CurriculumWeighting::batch_mean, .anti = true}};
}

template <>
struct Oracle<rg::Curriculum<rg::SigmoidCrossEntropy>> {
  using Loss = rg::Curriculum<rg::SigmoidCrossEntropy>;
  static std::vector<Loss> instances() { return curricula<rg::SigmoidCrossEntropy>({}, {.normalize = rg::Normalize::sum}); }
  static constexpr Traits traits{.weights_duplicate = true, .exact_curvature = true, .constant_without_order = false};
  static long double value(const Loss& loss, const Definition& list) {
    return curriculum_items(loss, loss.loss.normalize, list, [](long double s, long double y) {
      y = std::clamp(y, 0.0L, 1.0L);
      return y * softplus(-s) + (1 - y) * softplus(s);
    });
  }
};

template <>
struct Oracle<rg::Curriculum<rg::RankNet>> {
  using Loss = rg::Curriculum<rg::RankNet>;
  static std::vector<Loss> instances() { return curricula<rg::RankNet>({}, {.sigma = 2, .normalize = rg::Normalize::sum}); }
  static constexpr Traits traits{.shift_invariant = true, .weights_duplicate = true, .exact_curvature = true};
  static long double value(const Loss& loss, const Definition& list) {
    return curriculum_pairs(loss, loss.loss.normalize, list, [&](long double d) { return softplus(-loss.loss.sigma * d); }, no_omega);
  }
};

template <>
struct Oracle<rg::Curriculum<rg::LambdaRank>> {
  using Loss = rg::Curriculum<rg::LambdaRank>;
  static std::vector<Loss> instances() { return curricula<rg::LambdaRank>({}, {.sigma = 2, .normalize = rg::Normalize::mean}); }
  static constexpr Traits traits{.shift_invariant = true, .smooth = false};
  static long double value(const Loss& loss, const Definition& list) {
    const std::size_t n = list.size();
    std::vector<long double> sorted = list.labels;
    std::sort(sorted.rbegin(), sorted.rend());
    long double ideal = 0;
    for (std::size_t r = 0; r < n; ++r) ideal += (exp2l(sorted[r]) - 1) / log2l(2 + static_cast<long double>(r));
    if (!(ideal > 0)) return 0;
    const auto discount = [&](std::size_t i) {
      long double rank = 1;
      for (std::size_t j = 0; j < n; ++j) rank += list.scores[j] > list.scores[i] || (list.scores[j] == list.scores[i] && j < i);
      return 1 / log2l(1 + rank);
    };
    return curriculum_pairs(loss, loss.loss.normalize, list, [&](long double d) { return softplus(-loss.loss.sigma * d); },
                            [&](std::size_t i, std::size_t j) {
                              return fabsl(exp2l(list.labels[i]) - exp2l(list.labels[j])) * fabsl(discount(i) - discount(j)) / ideal;
                            });
  }
};

template <>
struct Oracle<rg::Curriculum<rg::PairwiseSoftmax>> {
  using Loss = rg::Curriculum<rg::PairwiseSoftmax>;
  static std::vector<Loss> instances() {
    return curricula<rg::PairwiseSoftmax>({.negatives = rg::Negatives::joint}, {.negatives = rg::Negatives::joint, .normalize = rg::Normalize::sum});
  }
  static constexpr Traits traits{.shift_invariant = true, .weights_duplicate = true};
  static long double value(const Loss& loss, const Definition& list) {
    return curriculum_anchors(loss, loss.loss.normalize, list, wrong_mass);
  }
};

template <>
struct Oracle<rg::Curriculum<rg::PairwiseCrossEntropy>> {
  using Loss = rg::Curriculum<rg::PairwiseCrossEntropy>;
  static std::vector<Loss> instances() {
    return {{.loss = {.negatives = rg::Negatives::joint}, .progress = 0.1}, {.progress = 0.4, .anti = true}};
  }
  static constexpr Traits traits{.shift_invariant = true, .weights_duplicate = true, .exact_curvature = true};
  static long double value(const Loss& loss, const Definition& list) {
    if (loss.loss.negatives == rg::Negatives::joint) return curriculum_anchors(loss, loss.loss.normalize, list, log_loss);
    return curriculum_pairs(loss, loss.loss.normalize, list, [](long double d) { return softplus(-d); }, no_omega);
  }
};

}  // namespace test
