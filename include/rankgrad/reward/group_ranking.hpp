// rankgrad/reward/group_ranking.hpp: one reward for the scores of a whole group of candidates.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/evaluate.hpp>
#include <rankgrad/metric/jensen_shannon.hpp>
#include <rankgrad/metric/ndcg.hpp>
#include <rankgrad/metric/precision.hpp>

namespace rankgrad::inline RANKGRAD_ABI::reward {

/// How much of a reply could be read: all of it; its tags, but not the scores between them; nothing.
enum class ReplyFormat { valid, tags_only, none };

/// Group reward: metrics of the order, and how close the scores are to the gold scores as distributions.
///
///   R   = NDCG@k + recall_weight Recall@k + distribution_weight (1 - JS(P, Q))     where the reply is valid
///         tags_only, none                                                          where it is not
///   NDCG with linear gains of the gold scores and 1 / log2(1 + rank); P, Q the shares of predicted and gold scores
///
/// 0 for an empty group. Nothing relevant: NDCG or recall 0. One candidate: NDCG 1 (gold above 0), JS 0.
///
/// Parameters  k: 10. recall_weight: 0.2. distribution_weight: 0.1. tags_only: -0.1. none: -0.5. shares: of_sum, base: two; the
///             paper names neither, and says that 1 - JS spans [0, 1], which is so in base two. ties: integer scores often
///             tie; the default keeps the order of the candidates, `expected` is the mean over the orders of the tied.
/// Inputs      predicted, gold [n], finite; relevant_above: a gold score above it is relevant in Recall (the paper gives no
///             threshold, so there is no default).
/// Errors      sizes and values at the door.
/// Source      GroupRank (arXiv 2511.11653, version 3), eqs. (1) to (9).
struct GroupRanking {
  std::size_t k = 10;
  double recall_weight = 0.2;
  double distribution_weight = 0.1;
  double tags_only = -0.1;
  double none = -0.5;
  Shares shares = Shares::of_sum;
  LogBase base = LogBase::two;
  Ties ties = Ties::stable;

  template <Real T>
  double operator()(std::span<const T> predicted, std::span<const T> gold, double relevant_above, ReplyFormat format,
                    Workspace& workspace) const {
    if (format != ReplyFormat::valid) return format == ReplyFormat::tags_only ? tags_only : none;
    const std::size_t n = predicted.size();
    constexpr T limit = std::numeric_limits<T>::max();
    require(rankgrad::detail::check_length("gold", gold.size(), n));
    require(rankgrad::detail::check_values<T>("predicted", predicted, {}, -limit, limit));
    require(rankgrad::detail::check_values<T>("gold", gold, {}, -limit, limit));
    if (n == 0) return 0;
    const ListView<T> list{.scores = predicted, .labels = gold};
    const Ndcg ndcg{.k = k, .gain = Gain::linear, .ties = ties};
    const Recall recall{.k = k, .relevant_above = relevant_above, .ties = ties};
    return static_cast<double>(ndcg.value(list, workspace).value) +
           recall_weight * static_cast<double>(recall.value(list, workspace).value) +
           distribution_weight * (1 - divergence(predicted, gold, workspace));
  }

  /// JS(P, Q) alone.
  template <Real T>
  double divergence(std::span<const T> predicted, std::span<const T> gold, Workspace& workspace) const {
    const std::size_t n = predicted.size();
    const auto frame = workspace.frame();
    double *p = workspace.take<double>(n), *q = workspace.take<double>(n);
    metric::fill_shares(shares, predicted.data(), n, p);
    metric::fill_shares(shares, gold.data(), n, q);
    return metric::per_nat(base) * metric::jensen_shannon(p, q, n);
  }
};

}  // namespace rankgrad::reward
