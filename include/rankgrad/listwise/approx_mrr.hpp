// rankgrad/listwise/approx_mrr.hpp: reciprocal ranks with smooth ranks, as a loss.
// SPDX-License-Identifier: MIT
//
// Read first: listwise/approximate_ranks.hpp, listwise/approx_ndcg.hpp.
#pragma once

#include <rankgrad/listwise/approx_ndcg.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// ApproxMRR: minus the reciprocal ranks of the relevant items, in which every rank is a sum of sigmoids.
///
///   L(s, y)   = -(1 / Y) sum_i w_i y_i / r_i,   r_i = 1 + sum_{j != i} sigma((s_j - s_i) / T)
///   dL/ds_k   = (1/T) [ sum_{i != k} c_i sigma'(z_ki) - c_k sum_{j != k} sigma'(z_jk) ],   z_ki = (s_k - s_i) / T
///   c_i       = w_i y_i / (Y r_i^2)
///   h_k       = (1/T^2) [ (3/2) sum_{i != k} c_i sigma'(z_ki) + c_k B_k + 2 c_k B_k^2 / r_k ],   B_k = sum_{j != k} sigma'(z_jk)
///   Y         = 1 for Normalize::sum, sum_i w_i y_i for mean
///
/// Curvature   a bound of |d2L/ds_k2|: the loss is not convex in the scores.
/// Shapes      scores, labels [n]; weights [n] or empty, multiply the labels. An item of weight 0 still takes a rank.
/// Units       of a reciprocal rank. With one relevant item of label 1 the value lies in [-1, 0) and tends to minus MRR as T
///             goes to 0; with several it adds up all of their reciprocal ranks, not only the first.
/// No signal   no label of positive weight is above 0. Labels below 0 count as 0.
/// Cost        as ApproxNdcg, without its sort.
/// Numerics    finite for any finite scores. A NaN score shows in the value.
/// Parameters  temperature T > 0. normalize: sum (default, TF-Ranking), or mean over the relevant items by label. path: as
///             ApproxNdcg.
/// Source      Qin, Liu, Li, A general approximation framework for direct optimization of information retrieval measures,
///             Information Retrieval 2010; ApproxMRR and its temperature of 0.1: TF-Ranking.
struct ApproxMrr {
  static constexpr std::string_view name = "approx_mrr";
  static constexpr Curvature curvature = Curvature::bound;

  double temperature = 0.1;
  Normalize normalize = Normalize::sum;
  listwise::RankPath path = listwise::RankPath::automatic;

  Status check() const { return check_parameter("ApproxMrr.temperature", temperature, 0); }

  template <Real T>
  Contribution<T> value_and_gradient(ListView<T> list, GradientSink<T> out, Workspace& workspace) const {
    const std::size_t n = checked_size(list);
    const auto frame = workspace.frame();
    T* gains = workspace.take<T>(n);
    std::size_t gaining = 0;
    double total = 0;
    for (std::size_t i = 0; i < n; ++i) {
      gains[i] = list.labels[i] > T(0) ? list.labels[i] * list.weight(i) : T(0);
      gaining += gains[i] > T(0);
      total += static_cast<double>(gains[i]);
    }
    if (gaining == 0) return {};
    if (normalize == Normalize::mean)
      for (std::size_t i = 0; i < n; ++i) gains[i] = static_cast<T>(static_cast<double>(gains[i]) / total);
    constexpr listwise::DiscountedGain phi{Discount::reciprocal};
    if (const auto value = listwise::near_linear_ranks(list.scores, temperature, gains, gaining, phi, out, workspace, path))
      return {static_cast<T>(*value), true};
    const listwise::Counted counted = listwise::count(static_cast<const T*>(gains), n, gaining, workspace);
    return {static_cast<T>(listwise::smooth_ranks(list.scores, temperature, counted, phi, out, workspace)), true};
  }
};

}  // namespace rankgrad
