// Literal definitions of the softmax losses.
#pragma once

#include "properties/every_loss.hpp"

#include <rankgrad/listwise/adr_mse.hpp>
#include <rankgrad/listwise/approx_mrr.hpp>
#include <rankgrad/listwise/approx_ndcg.hpp>
#include <rankgrad/listwise/entropy.hpp>
#include <rankgrad/listwise/jensen_shannon.hpp>
#include <rankgrad/listwise/attention_rank.hpp>
#include <rankgrad/listwise/reciprocal_rank_listnet.hpp>
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
  static std::vector<rg::Softmax> instances() { return {{}, {.temperature = 1.5, .normalize = rg::Normalize::mean}}; }
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

template <>
struct Oracle<rg::NegativeEntropy> {
  static std::vector<rg::NegativeEntropy> instances() { return {{}, {.temperature = 0.4}}; }
  static constexpr Traits traits{
      .shift_invariant = true, .weights_duplicate = true, .constant_without_order = false, .tolerance = 512};
  static long double value(const rg::NegativeEntropy& loss, const Definition& list) {
    long double top = -std::numeric_limits<long double>::max(), tops = 0, others = 0, total = 0;
    for (std::size_t i = 0; i < list.size(); ++i)
      if (list.weights[i] > 0) top = std::max(top, list.scores[i]);
    for (std::size_t i = 0; i < list.size(); ++i)
      if (list.weights[i] > 0)
        (list.scores[i] == top ? tops : others) += list.weights[i] * expl((list.scores[i] - top) / loss.temperature);
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (!(list.weights[i] > 0)) continue;
      const long double log_share = (list.scores[i] - top) / loss.temperature - logl(tops) - log1pl(others / tops);
      total += list.weights[i] * expl(log_share) * log_share;   // w_i copies of one share
    }
    return total;
  }
};

template <>
struct Oracle<rg::ApproxNdcg> {
  static std::vector<rg::ApproxNdcg> instances() {
    return {{}, {.temperature = 1}, {.temperature = 2.5, .gain = rg::Gain::linear, .discount = rg::Discount::reciprocal}};
  }
  static constexpr Traits traits{.shift_invariant = true};
  static long double value(const rg::ApproxNdcg& loss, const Definition& list) {
    const auto discount = [&](long double rank) { return loss.discount == rg::Discount::log2 ? 1 / log2l(1 + rank) : 1 / rank; };
    std::vector<long double> gains;
    long double dcg = 0, ideal = 0;
    for (std::size_t i = 0; i < list.size(); ++i) {
      long double rank = 1;
      for (std::size_t j = 0; j < list.size(); ++j)
        if (j != i) rank += sigmoid((list.scores[j] - list.scores[i]) / static_cast<long double>(loss.temperature));
      const long double y = std::max(list.labels[i], 0.0L);
      gains.push_back(list.weights[i] * (loss.gain == rg::Gain::exponential ? exp2l(y) - 1 : y));
      dcg += gains.back() * discount(rank);
    }
    std::sort(gains.rbegin(), gains.rend());
    for (std::size_t r = 0; r < gains.size(); ++r) ideal += gains[r] * discount(static_cast<long double>(r + 1));
    return ideal > 0 ? -dcg / ideal : 0;
  }
};

template <>
struct Oracle<rg::JensenShannon> {
  static std::vector<rg::JensenShannon> instances() {
    return {{}, {.temperature = 0.4, .base = rg::LogBase::two}, {.temperature = 3, .shares = rg::Shares::softmax, .label_temperature = 0.7}};
  }
  static constexpr Traits traits{.shift_invariant = true, .constant_without_order = false};
  static long double value(const rg::JensenShannon& loss, const Definition& list) {
    const std::vector<long double> p = softmax_of(list.scores, loss.temperature);
    std::vector<long double> q = loss.shares == rg::Shares::softmax ? softmax_of(list.labels, loss.label_temperature) : list.labels;
    long double total = 0, sum = 0;
    for (std::size_t i = 0; i < q.size(); ++i) total += q[i] = list.weights[i] * std::max(q[i], 0.0L);
    if (!(total > 0)) return 0;
    const auto relative = [](long double a, long double m) { return a > 0 ? a * logl(a / m) : 0; };
    for (std::size_t i = 0; i < q.size(); ++i) {
      q[i] /= total;
      const long double m = (p[i] + q[i]) / 2;
      sum += (relative(p[i], m) + relative(q[i], m)) / 2;
    }
    return loss.base == rg::LogBase::two ? sum / logl(2.0L) : sum;
  }
};

template <>
struct Oracle<rg::AttentionRank> {
  static std::vector<rg::AttentionRank> instances() {
    return {{}, {.temperature = 0.7, .normalize = rg::Normalize::mean}, {.temperature = 2, .unnormalized = true}};
  }
  static constexpr Traits traits{.shift_invariant = true, .exact_curvature = true};
  static long double value(const rg::AttentionRank& loss, const Definition& list) {
    std::vector<long double> t;
    long double sum = 0;
    for (const long double y : list.labels) t.push_back(y > 0 ? expl(y) : 0), sum += t.back();
    if (!(sum > 0)) return 0;
    if (!loss.unnormalized)
      for (long double& v : t) v /= sum;
    return cross_entropy(list, t, loss.temperature, loss.normalize);
  }
};

/// softmax((1 / r) / tau), r = 1 + the number of items with a larger label.
inline std::vector<long double> reciprocal_rank_targets(const Definition& list, long double temperature) {
  std::vector<long double> inverse;
  for (const long double own : list.labels) {
    long double rank = 1;
    for (const long double y : list.labels) rank += y > own ? 1 : 0;
    inverse.push_back(1 / rank);
  }
  return softmax_of(inverse, temperature);
}

template <>
struct Oracle<rg::ReciprocalRankListNet> {
  static std::vector<rg::ReciprocalRankListNet> instances() { return {{}, {.temperature = 1.5, .normalize = rg::Normalize::mean}}; }
  static constexpr Traits traits{.shift_invariant = true, .exact_curvature = true, .constant_without_order = false};
  static long double value(const rg::ReciprocalRankListNet& loss, const Definition& list) {
    return cross_entropy(list, reciprocal_rank_targets(list, loss.temperature), loss.temperature, loss.normalize);
  }
};

/// The released form is not convex, so it has traits of its own.
struct DoubleSoftmax : rg::ReciprocalRankListNet {};

template <>
struct Oracle<DoubleSoftmax> {
  static std::vector<DoubleSoftmax> instances() {
    return {{{.double_softmax = true}}, {{.temperature = 1.5, .double_softmax = true, .normalize = rg::Normalize::mean}}};
  }
  static constexpr Traits traits{.shift_invariant = true, .constant_without_order = false};
  static long double value(const rg::ReciprocalRankListNet& loss, const Definition& list) {
    Definition inner = list;
    inner.scores = softmax_of(list.scores, loss.temperature);
    return cross_entropy(inner, reciprocal_rank_targets(list, loss.temperature), 1, loss.normalize);
  }
};

/// r_i = 1 + sum_{j != i} sigma((s_j - s_i) / T)
inline std::vector<long double> smooth_ranks_of(const Definition& list, long double temperature) {
  std::vector<long double> ranks(list.size(), 1);
  for (std::size_t i = 0; i < list.size(); ++i)
    for (std::size_t j = 0; j < list.size(); ++j)
      if (j != i) ranks[i] += sigmoid((list.scores[j] - list.scores[i]) / temperature);
  return ranks;
}

template <>
struct Oracle<rg::ApproxMrr> {
  static std::vector<rg::ApproxMrr> instances() { return {{}, {.temperature = 1, .normalize = rg::Normalize::mean}, {.temperature = 2.5}}; }
  static constexpr Traits traits{.shift_invariant = true};
  static long double value(const rg::ApproxMrr& loss, const Definition& list) {
    const auto ranks = smooth_ranks_of(list, loss.temperature);
    long double total = 0, weight = 0;
    for (std::size_t i = 0; i < list.size(); ++i) {
      const long double y = list.weights[i] * std::max(list.labels[i], 0.0L);
      total += y / ranks[i];
      weight += y;
    }
    return weight > 0 ? -total / (loss.normalize == rg::Normalize::mean ? weight : 1) : 0;
  }
};

template <>
struct Oracle<rg::AdrMse> {
  static std::vector<rg::AdrMse> instances() { return {{}, {.temperature = 0.3, .normalize = rg::Normalize::sum}, {.temperature = 4}}; }
  // A smooth rank that is nearly right cancels against the teacher's.
  static constexpr Traits traits{.shift_invariant = true, .constant_without_order = false, .tolerance = 256};
  static long double value(const rg::AdrMse& loss, const Definition& list) {
    if (list.size() < 2) return 0;
    const auto ranks = smooth_ranks_of(list, loss.temperature);
    long double total = 0, weight = 0;
    for (std::size_t i = 0; i < list.size(); ++i) {
      long double teacher = 0.5L;   // half of the ties, itself among them, and all that are better
      for (const long double y : list.labels) teacher += y > list.labels[i] ? 1 : y == list.labels[i] ? 0.5L : 0;
      total += list.weights[i] * (ranks[i] - teacher) * (ranks[i] - teacher) / log2l(1 + teacher);
      weight += list.weights[i];
    }
    return weight > 0 ? total / (loss.normalize == rg::Normalize::mean ? weight : 1) : 0;
  }
};

/// The released form: other traits.
struct CumulativeAdrMse : rg::AdrMse {};

template <>
struct Oracle<CumulativeAdrMse> {
  static std::vector<CumulativeAdrMse> instances() { return {{{.compat = true}}, {{.compat = true, .normalize = rg::Normalize::sum}}}; }
  static constexpr Traits traits{.shift_invariant = true, .smooth = false, .permutation = false, .constant_without_order = false};
  /// With the ranks of `at`.
  static long double value(const rg::AdrMse& loss, const Definition& list, const Definition& at) {
    if (list.size() < 2) return 0;
    const auto p = softmax_of(list.scores, 1);
    long double total = 0, weight = 0, reached = 0;
    for (std::size_t k = 0; k < list.size(); ++k) {
      long double rank = 1;
      for (std::size_t j = 0; j < list.size(); ++j) rank += at.scores[j] > at.scores[k] || (at.scores[j] == at.scores[k] && j < k) ? 1 : 0;
      reached += p[k];
      total += list.weights[k] * (rank - reached) * (rank - reached) / log2l(1 + rank);
      weight += list.weights[k];
    }
    return weight > 0 ? total / (loss.normalize == rg::Normalize::mean ? weight : 1) : 0;
  }
  static long double value(const rg::AdrMse& loss, const Definition& list) { return value(loss, list, list); }
};

}  // namespace test
