// Literal definitions of the pairwise losses.
#pragma once

#include "properties/every_loss.hpp"

#include <rankgrad/pairwise/exponential.hpp>
#include <rankgrad/pairwise/hinge.hpp>
#include <rankgrad/pairwise/lambda_loss.hpp>
#include <rankgrad/pairwise/lambdarank.hpp>
#include <rankgrad/pairwise/rank_margin.hpp>
#include <rankgrad/pairwise/rank_weighted_ranknet.hpp>
#include <rankgrad/pairwise/ranknet.hpp>
#include <rankgrad/pairwise/soft_zero_one.hpp>

namespace test {

/// sum over y_i > y_j of w_i w_j omega(i, j) phi(s_i - s_j), over the weight of the pairs for a mean.
template <class Phi, class Omega>
long double pair_sum(const Definition& list, rg::Normalize normalize, Phi phi, Omega omega) {
  long double total = 0, weight = 0;
  for (std::size_t i = 0; i < list.size(); ++i)
    for (std::size_t j = 0; j < list.size(); ++j)
      if (list.labels[i] > list.labels[j]) {
        const long double w = list.weights[i] * list.weights[j];
        weight += w;
        total += w * omega(i, j) * phi(list.scores[i] - list.scores[j]);
      }
  if (!(weight > 0)) return 0;
  return normalize == rg::Normalize::mean ? total / weight : total;
}
inline constexpr auto no_omega = [](std::size_t, std::size_t) { return 1.0L; };

template <>
struct Oracle<rg::RankNet> {
  static std::vector<rg::RankNet> instances() { return {{}, {.sigma = 2.5, .normalize = rg::Normalize::sum}}; }
  static constexpr Traits traits{.shift_invariant = true, .weights_duplicate = true, .exact_curvature = true};
  static long double value(const rg::RankNet& loss, const Definition& list) {
    return pair_sum(list, loss.normalize, [&](long double d) { return softplus(-loss.sigma * d); }, no_omega);
  }
};

template <>
struct Oracle<rg::Hinge> {
  static std::vector<rg::Hinge> instances() { return {{}, {.margin = 0.3, .normalize = rg::Normalize::sum}}; }
  static constexpr Traits traits{.shift_invariant = true, .smooth = false, .weights_duplicate = true};
  static long double value(const rg::Hinge& loss, const Definition& list) {
    return pair_sum(list, loss.normalize, [&](long double d) { return std::max(0.0L, loss.margin - d); }, no_omega);
  }
};

template <>
struct Oracle<rg::SquaredHinge> {
  static std::vector<rg::SquaredHinge> instances() { return {{}, {.margin = 0.3, .normalize = rg::Normalize::sum}}; }
  static constexpr Traits traits{.shift_invariant = true, .smooth = false, .weights_duplicate = true};
  static long double value(const rg::SquaredHinge& loss, const Definition& list) {
    return pair_sum(list, loss.normalize, [&](long double d) { const long double v = std::max(0.0L, loss.margin - d); return v * v; }, no_omega);
  }
};

template <>
struct Oracle<rg::LambdaRank> {
  static std::vector<rg::LambdaRank> instances() {
    return {{}, {.sigma = 0.5, .k = 5}, {.k = 10, .gain = rg::Gain::linear, .normalize = rg::Normalize::mean}};
  }
  static constexpr Traits traits{.shift_invariant = true, .smooth = false, .permutation = true};
  static long double value(const rg::LambdaRank& loss, const Definition& list) {
    const std::size_t n = list.size(), top = loss.k ? std::min(loss.k, n) : n;
    const auto gain = [&](std::size_t i) { return loss.gain == rg::Gain::linear ? list.labels[i] : exp2l(list.labels[i]) - 1; };
    const auto discount = [&](std::size_t rank) { return rank <= top ? 1 / log2l(1 + static_cast<long double>(rank)) : 0.0L; };
    std::vector<std::size_t> by_label(n);
    std::iota(by_label.begin(), by_label.end(), std::size_t{0});
    std::stable_sort(by_label.begin(), by_label.end(), [&](auto a, auto b) { return list.labels[a] > list.labels[b]; });
    long double ideal = 0;
    for (std::size_t r = 0; r < n; ++r) ideal += gain(by_label[r]) * discount(r + 1);
    if (!(ideal > 0)) return 0;
    const auto rank = [&](std::size_t i) {
      std::size_t r = 1;
      for (std::size_t j = 0; j < n; ++j) r += list.scores[j] > list.scores[i] || (list.scores[j] == list.scores[i] && j < i);
      return r;
    };
    return pair_sum(list, loss.normalize, [&](long double d) { return softplus(-loss.sigma * d); },
                    [&](std::size_t i, std::size_t j) { return fabsl(gain(i) - gain(j)) * fabsl(discount(rank(i)) - discount(rank(j))) / ideal; });
  }
};

template <>
struct Oracle<rg::RankWeightedRankNet> {
  static std::vector<rg::RankWeightedRankNet> instances() {
    using W = rg::TargetPairWeight;
    using N = rg::PairNormalize;
    return {{},
            {.sigma = 2.5, .normalize = N::weighted_mean},
            {.weight = W::reciprocal_ranks, .normalize = N::sum},
            {.weight = W::label_difference},
            {.weight = W::squared_label_difference, .sigma = 0.5, .normalize = N::weighted_mean}};
  }
  static constexpr Traits traits{.shift_invariant = true, .exact_curvature = true};
  static long double value(const rg::RankWeightedRankNet& loss, const Definition& list) {
    std::vector<long double> rank(list.size(), 1);
    for (std::size_t i = 0; i < list.size(); ++i)
      for (const long double y : list.labels) rank[i] += y > list.labels[i] ? 1 : 0;
    const auto omega = [&](std::size_t i, std::size_t j) -> long double {
      const long double a = list.labels[i], b = list.labels[j];
      switch (loss.weight) {
        case rg::TargetPairWeight::reciprocal_rank_sum: return 1 / (rank[i] + rank[j]);
        case rg::TargetPairWeight::reciprocal_ranks: return 1 / rank[i] + 1 / rank[j];
        case rg::TargetPairWeight::label_difference: return fabsl(a - b);
        case rg::TargetPairWeight::squared_label_difference: return fabsl(a * a - b * b);
      }
      return 0;
    };
    const auto weighted = [&](rg::Normalize normalize) {
      return pair_sum(list, normalize, [&](long double d) { return softplus(-loss.sigma * d); }, omega);
    };
    if (loss.normalize == rg::PairNormalize::sum) return weighted(rg::Normalize::sum);
    if (loss.normalize == rg::PairNormalize::mean) return weighted(rg::Normalize::mean);
    const long double weight = pair_sum(list, rg::Normalize::sum, [](long double) { return 1.0L; }, omega);
    return weight > 0 ? weighted(rg::Normalize::sum) / weight : 0;
  }
};

template <>
struct Oracle<rg::LambdaLoss> {
  static std::vector<rg::LambdaLoss> instances() {
    using S = rg::LambdaScheme;
    const auto nats = rg::LogUnit::nats;
    const auto mean = rg::Normalize::mean;
    return {{},
            {.scheme = S::ndcg_loss1},
            {.scheme = S::ndcg_loss1, .sigma = 2, .k = 7, .unit = nats, .normalize = mean},
            {.scheme = S::ndcg_loss2, .sigma = 0.5, .k = 5, .unit = nats},
            {.scheme = S::ndcg_loss2, .gain = rg::Gain::linear, .discount = rg::Discount::reciprocal, .normalize = mean},
            {.scheme = S::ndcg_loss2pp},
            {.scheme = S::ndcg_loss2pp, .mu = 0.5, .k = 9, .unit = nats, .normalize = mean},
            {.scheme = S::lambdarank, .k = 4},
            {.scheme = S::ranknet, .normalize = mean},
            {.scheme = S::ranknet, .k = 6}};
  }
  static constexpr Traits traits{.shift_invariant = true, .smooth = false};

  static long double discount(const rg::LambdaLoss& loss, std::size_t r) {
    const long double rank = static_cast<long double>(r);
    return loss.discount == rg::Discount::log2 ? 1 / log2l(1 + rank) : 1 / rank;
  }
  static std::size_t rank(const Definition& list, std::size_t i) {
    std::size_t r = 1;
    for (std::size_t j = 0; j < list.size(); ++j) r += list.scores[j] > list.scores[i] || (list.scores[j] == list.scores[i] && j < i);
    return r;
  }
  /// With the ranks of `at`, which the scores of `list` may have moved away from: weights are held constant.
  static long double value(const rg::LambdaLoss& loss, const Definition& list, const Definition& at) {
    using S = rg::LambdaScheme;
    const std::size_t n = list.size(), top = loss.k ? std::min(loss.k, n) : n;
    std::vector<long double> gains;
    for (const long double y : list.labels) gains.push_back(loss.gain == rg::Gain::linear ? y : exp2l(y) - 1);
    std::vector<long double> best = gains;
    std::sort(best.rbegin(), best.rend());
    long double ideal = 0, total = 0, weight = 0;
    for (std::size_t r = 1; r <= top; ++r) ideal += best[r - 1] * discount(loss, r);
    if (loss.scheme != S::ranknet && !(ideal > 0)) return 0;
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j) {
        if (i == j || (loss.scheme != S::ndcg_loss1 && !(list.labels[i] > list.labels[j]))) continue;
        const std::size_t a = rank(at, i), b = rank(at, j), gap = a > b ? a - b : b - a;
        if ((a > top || b > top) && loss.scheme != S::lambdarank) continue;
        const auto cut = [&](std::size_t r) { return r <= top ? discount(loss, r) : 0.0L; };
        const long double gain = fabsl(gains[i] - gains[j]) / ideal, delta = fabsl(discount(loss, gap) - discount(loss, gap + 1)),
                          share = fabsl(cut(a) - cut(b));
        const long double omega = loss.scheme == S::ndcg_loss1     ? gains[i] / ideal * discount(loss, a)
                                  : loss.scheme == S::ndcg_loss2   ? gain * delta
                                  : loss.scheme == S::ndcg_loss2pp ? gain * (loss.mu * delta + share)
                                  : loss.scheme == S::lambdarank   ? gain * share
                                                                   : 1;
        const long double w = list.weights[i] * list.weights[j];
        weight += w;
        total += w * omega * softplus(-loss.sigma * (list.scores[i] - list.scores[j]));
      }
    if (!(weight > 0)) return 0;
    return (loss.unit == rg::LogUnit::bits ? 1 / logl(2) : 1) * (loss.normalize == rg::Normalize::mean ? total / weight : total);
  }
  static long double value(const rg::LambdaLoss& loss, const Definition& list) { return value(loss, list, list); }
};

template <>
struct Oracle<rg::RankMargin> {
  static std::vector<rg::RankMargin> instances() {
    using R = rg::GapReduction;
    return {{},
            {.margin = 0.1, .reduction = R::sum},
            {.margin = 0.02, .reduction = R::mean, .skip_ties = true},
            {.margin = 0.05, .skip_ties = true},
            {.margin = 0.01, .gold = true, .gold_margin = 0.3, .gold_weight = 2}};
  }
  static constexpr Traits traits{.shift_invariant = true, .smooth = false, .permutation = false, .constant_without_order = false};

  /// Visits every term: add(i, j, c, v): c max(0, v) with v = s_j - s_i + margin, i and j places in the list.
  template <class Add>
  static void for_each_term(const rg::RankMargin& loss, const Definition& list, Add add) {
    std::vector<std::size_t> order(list.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return list.labels[a] > list.labels[b]; });
    if (loss.gold && order.size() > 1) {
      const std::size_t best = order[0];
      order.erase(order.begin());
      long double weight = 0;
      for (const std::size_t i : order) weight += list.weights[i];
      for (const std::size_t i : order)
        if (weight > 0 && list.weights[best] > 0)
          add(best, i, loss.gold_weight * list.weights[i] / weight, list.scores[i] - list.scores[best] + loss.gold_margin);
    }
    const std::size_t n = order.size();
    const auto each = [&](std::size_t gap, auto visit) {
      for (std::size_t i = 0; i + gap < n; ++i)
        if (!loss.skip_ties || list.labels[order[i]] != list.labels[order[i + gap]]) visit(order[i], order[i + gap], list.weights[order[i]] * list.weights[order[i + gap]]);
    };
    long double all = 0;
    for (std::size_t gap = 1; gap < n; ++gap) each(gap, [&](auto, auto, long double w) { all += w; });
    for (std::size_t gap = 1; gap < n; ++gap) {
      long double of_gap = 0;
      each(gap, [&](auto, auto, long double w) { of_gap += w; });
      const long double divisor = loss.reduction == rg::GapReduction::sum ? 1 : loss.reduction == rg::GapReduction::mean ? all : of_gap;
      each(gap, [&](std::size_t i, std::size_t j, long double w) {
        if (divisor > 0) add(i, j, w / divisor, list.scores[j] - list.scores[i] + static_cast<long double>(gap) * loss.margin);
      });
    }
  }
  static long double value(const rg::RankMargin& loss, const Definition& list) {
    long double total = 0;
    for_each_term(loss, list, [&](auto, auto, long double c, long double v) { total += c * std::max(0.0L, v); });
    return total;
  }
};

template <>
struct Oracle<rg::PairwiseExponential> {
  static std::vector<rg::PairwiseExponential> instances() { return {{}, {.sigma = 0.4, .normalize = rg::Normalize::sum}, {.sigma = 2}}; }
  static constexpr Traits traits{.shift_invariant = true, .weights_duplicate = true, .exact_curvature = true, .survives_extremes = false};
  static long double value(const rg::PairwiseExponential& loss, const Definition& list) {
    return pair_sum(list, loss.normalize, [&](long double d) { return expl(-loss.sigma * d); }, no_omega);
  }
};

template <>
struct Oracle<rg::PairwiseSoftZeroOne> {
  static std::vector<rg::PairwiseSoftZeroOne> instances() { return {{}, {.sigma = 2.5, .normalize = rg::Normalize::sum}}; }
  static constexpr Traits traits{.shift_invariant = true, .weights_duplicate = true};
  static long double value(const rg::PairwiseSoftZeroOne& loss, const Definition& list) {
    return pair_sum(list, loss.normalize, [&](long double d) { return sigmoid(-loss.sigma * d); }, no_omega);
  }
};

}  // namespace test
