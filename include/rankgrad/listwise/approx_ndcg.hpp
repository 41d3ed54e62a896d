// rankgrad/listwise/approx_ndcg.hpp: NDCG with smooth ranks, as a loss.
// SPDX-License-Identifier: MIT
//
// Read first: listwise/approximate_ranks.hpp, metric/gain_discount.hpp.
#pragma once

#include <rankgrad/listwise/approximate_ranks.hpp>
#include <rankgrad/metric/ndcg.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// ApproxNDCG: minus the NDCG in which every rank is a sum of sigmoids.
///
///   L(s, y)   = -(1 / IDCG) sum_i w_i G(y_i) D(r_i),   r_i = 1 + sum_{j != i} sigma((s_j - s_i) / T)
///   dL/ds_k   = (1/T) [ sum_{i != k} c_i sigma'(z_ki) - c_k sum_{j != k} sigma'(z_jk) ],   z_ki = (s_k - s_i) / T
///   c_i       = -w_i G(y_i) D'(r_i) / IDCG                    for D = 1/log2(1 + r): w G ln 2 / (IDCG (1 + r) ln(1 + r)^2)
///   h_k       = (1/T^2) [ (3/2) sum_{i != k} c_i sigma'(z_ki) + c_k B_k - w_k G D''(r_k) B_k^2 / IDCG ],  B_k = sum_{j != k} sigma'
///
/// Curvature   a bound of |d2L/ds_k2|: the loss is not convex in the scores.
/// Shapes      scores, labels [n]; weights [n] or empty, multiply the gains as in Ndcg. An item of weight 0 still takes
///             a rank.
/// Units       of NDCG: the value lies in [-1, 0).
/// No signal   the list is empty or its ideal DCG is not positive. Labels below 0 gain nothing.
/// Cost        m n pairs with one division each for m items that gain, O(n) scratch.
/// Numerics    finite for any finite scores. A NaN score shows in the value.
/// Parameters  temperature T > 0: as T goes to 0 the loss goes to -NDCG, and its gradient to 0 almost everywhere. gain,
///             discount: see metric/gain_discount.hpp.
/// Source      Qin, Liu, Li, A general approximation framework for direct optimization of information retrieval measures,
///             Information Retrieval 2010; Bruch, Zoghi, Bendersky, Najork, Revisiting approximate metric optimization in
///             the age of deep neural networks, SIGIR 2019, eq. (5), whose temperature is the 0.1 of TF-Ranking.
struct ApproxNdcg {
  static constexpr std::string_view name = "approx_ndcg";
  static constexpr Curvature curvature = Curvature::bound;

  double temperature = 0.1;
  Gain gain = Gain::exponential;
  Discount discount = Discount::log2;

  Status check() const { return check_parameter("ApproxNdcg.temperature", temperature, 0); }

  template <Real T>
  Contribution<T> value_and_gradient(ListView<T> list, GradientSink<T> out, Workspace& workspace) const {
    const std::size_t n = checked_size(list);
    const auto frame = workspace.frame();
    std::uint32_t* counted = workspace.take<std::uint32_t>(n);
    double *gains = workspace.take<double>(n), *discounts = workspace.take<double>(n);
    const double shift = gain_shift(gain, metric::highest_label(list, {}));
    std::size_t m = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const double g = static_cast<double>(list.weight(i)) * metric::graded_gain(gain, static_cast<double>(list.labels[i]), shift);
      if (!(g > 0)) continue;
      counted[m] = static_cast<std::uint32_t>(i);
      gains[m++] = g;
    }
    fill_discounts(discount, 0, discounts, m);
    const double ideal = metric::ideal_discounted_gain(gains, m, discounts, m, workspace);
    if (!(ideal > 0)) return {};
    const auto phi = [this, gains, ideal](std::size_t c, double rank) { return discounted(-gains[c] / ideal, rank); };
    return {T(listwise::smooth_ranks(list.scores, temperature, counted, m, phi, out, workspace)), true};
  }

  /// factor D(r), its slope by r, and minus its second derivative, for a factor < 0.
  listwise::RankSlope discounted(double factor, double rank) const {
    if (discount == Discount::reciprocal) {
      const double d = 1 / rank;
      return {factor * d, -factor * d * d, -2 * factor * d * d * d};
    }
    const double y = 1 + rank, log = std::log(y), d = 0.69314718055994530942 / log, slope = -factor * d / (y * log);
    return {factor * d, slope, slope * (1 + 2 / log) / y};
  }
};

}  // namespace rankgrad
