// rankgrad/listwise/approx_ndcg.hpp: NDCG with smooth ranks, as a loss.
// SPDX-License-Identifier: MIT
//
// Read first: listwise/approximate_ranks.hpp, listwise/near_linear_ranks.hpp, metric/gain_discount.hpp.
#pragma once

#include <rankgrad/listwise/discount_sums.hpp>
#include <rankgrad/listwise/graded_gains.hpp>
#include <rankgrad/listwise/near_linear_ranks.hpp>
#include <rankgrad/metric/ndcg.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

namespace listwise {

/// phi(r) = -G D(r) for a gain G: what an item loses by standing on rank r.
struct DiscountedGain {
  Discount discount;

  template <class S>
  RankTerm<S> operator()(simd::Pack<S> rank, simd::Pack<S> gain) const {
    using Pack = simd::Pack<S>;
    if (discount == Discount::reciprocal) {
      const Pack d = Pack(S(1)) / rank, value = gain * d, slope = value * d;
      return {-value, slope, Pack(S(2)) * slope * d};
    }
    const Pack y = rank + Pack(S(1)), log = simd::log_positive<S>(y), inverse = Pack(S(1)) / (y * log);   // 1 / (y ln y)
    const Pack d = Pack(S(0.69314718055994530942)) * y * inverse, slope = gain * d * inverse;   // D = ln 2 / ln y
    return {-(gain * d), slope, slope * inverse * (log + Pack(S(2)))};
  }
};

}  // namespace listwise

/// ApproxNDCG: minus the NDCG in which every rank is a sum of sigmoids.
///
///   L(s, y)   = -(1 / IDCG) sum_i w_i G(y_i) D(r_i),   r_i = 1 + sum_{j != i} sigma((s_j - s_i) / T)
///   dL/ds_k   = (1/T) [ sum_{i != k} c_i sigma'(z_ki) - c_k sum_{j != k} sigma'(z_jk) ],   z_ki = (s_k - s_i) / T
///   c_i       = -w_i G(y_i) D'(r_i) / IDCG                    for D = 1/log2(1 + r): w G ln 2 / (IDCG (1 + r) ln(1 + r)^2)
///   h_k       = (1/T^2) [ (3/2) sum_{i != k} c_i sigma'(z_ki) + c_k B_k - w_k G D''(r_k) B_k^2 / IDCG ]
///   B_k       = sum_{j != k} sigma'(z_jk)
///
/// Curvature   a bound of |d2L/ds_k2|: the loss is not convex in the scores.
/// Shapes      scores, labels [n]; weights [n] or empty, multiply the gains as in Ndcg. An item of weight 0 still takes
///             a rank.
/// Units       of NDCG: the value lies in [-1, 0).
/// No signal   the list is empty or its ideal DCG is not positive. Labels below 0 gain nothing.
/// Cost        O(n + bins) for bins of width 2 T that hold items, by the grid of docs/numerics.md, its pieces side by side on
///             a team; below some hundred items, m n pairs with one division each for the m items that gain. O(n) scratch.
///             Labels that are grades below 32 and weights of 1 are counted; others need a sort of the gains.
/// Numerics    finite for any finite scores. A NaN score shows in the value.
/// Parameters  temperature T > 0: as T goes to 0 the loss goes to -NDCG, and its gradient to 0 almost everywhere. gain,
///             discount: see metric/gain_discount.hpp. path: which of the two ways, by default the faster.
/// Source      Qin, Liu, Li, A general approximation framework for direct optimization of information retrieval measures,
///             Information Retrieval 2010; Bruch, Zoghi, Bendersky, Najork, Revisiting approximate metric optimization in
///             the age of deep neural networks, SIGIR 2019, eq. (5), whose temperature is the 0.1 of TF-Ranking.
struct ApproxNdcg {
  static constexpr std::string_view name = "approx_ndcg";
  static constexpr Curvature curvature = Curvature::bound;

  double temperature = 0.1;
  Gain gain = Gain::exponential;
  Discount discount = Discount::log2;
  listwise::RankPath path = listwise::RankPath::automatic;

  Status check() const { return check_parameter("ApproxNdcg.temperature", temperature, 0); }

  template <Real T>
  Contribution<T> value_and_gradient(ListView<T> list, GradientSink<T> out, Workspace& workspace) const {
    const std::size_t n = checked_size(list);
    const auto frame = workspace.frame();
    T* gains = workspace.take<T>(n);
    const std::size_t gaining = shares(list, gains, workspace);
    if (gaining == 0) return {};
    const listwise::DiscountedGain phi{discount};
    if (const auto value = listwise::near_linear_ranks(list.scores, temperature, gains, gaining, phi, out, workspace, path))
      return {static_cast<T>(*value), true};
    const listwise::Counted counted = listwise::count(static_cast<const T*>(gains), n, gaining, workspace);
    return {static_cast<T>(listwise::smooth_ranks(list.scores, temperature, counted, phi, out, workspace)), true};
  }

  /// What each item gains of the ideal DCG: its gain over the DCG of the best order. Returns how many gain something; 0:
  /// there is no signal.
  template <Real T>
  std::size_t shares(const ListView<T>& list, T* gains, Workspace& workspace) const {
    listwise::Grades grades;
    if (listwise::count_grades(list, grades)) {
      double gain_at[listwise::Grades::most], ideal = 0;
      listwise::DiscountSums sums(discount);
      std::size_t items = 0;
      for (std::size_t g = 0; g < listwise::Grades::most; ++g) gain_at[g] = gain_of(gain, static_cast<double>(g));
      // The g-th grade and all above it gain at least gain_at[g], on the first ranks.
      for (std::size_t g = grades.highest; g > 0; --g)
        ideal += (gain_at[g] - gain_at[g - 1]) * sums.up_to(items += grades.items[g]);
      if (items > 0) listwise::gains_of_grades(list.labels.data(), list.size(), gain_at, ideal, gains);
      return items;
    }
    const auto frame = workspace.frame();
    const double* all = metric::weighted_gains(gain, gain_shift(gain, metric::highest_label(list, {})), list, workspace);
    double* positive = workspace.take<double>(list.size());
    std::size_t items = 0;
    for (std::size_t i = 0; i < list.size(); ++i)
      if (all[i] > 0) positive[items++] = all[i];
    double* discounts = workspace.take<double>(items);
    fill_discounts(discount, 0, discounts, items);
    const double ideal = metric::ideal_discounted_gain(positive, items, discounts, items, workspace);
    if (!(ideal > 0)) return 0;
    for (std::size_t i = 0; i < list.size(); ++i) gains[i] = all[i] > 0 ? static_cast<T>(all[i] / ideal) : T(0);
    return items;
  }
};

}  // namespace rankgrad
