// rankgrad/metric/ndcg.hpp: discounted cumulative gain, and the part of the ideal that it reaches.
// SPDX-License-Identifier: MIT
//
// Read first: metric/ranked.hpp, metric/gain_discount.hpp.
#pragma once

#include <rankgrad/metric/gain_discount.hpp>
#include <rankgrad/metric/ranked.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

namespace metric {

/// A label below 0 (judged, and found worse than nothing) gains nothing, as in trec_eval.
inline double graded_gain(Gain gain, double label, double shift) { return gain_of(gain, label > 0 ? label : 0, shift); }

/// The largest label of the list, and of the judged where they are given.
template <Real T>
double highest_label(const ListView<T>& list, std::span<const double> judged) {
  double highest = 0;
  for (const T label : list.labels) highest = std::max(highest, static_cast<double>(label));
  for (const double label : judged) highest = std::max(highest, label);
  return highest;
}

/// w_i gain(y_i) of every item, in the workspace.
template <Real T>
double* weighted_gains(Gain gain, double shift, const ListView<T>& list, Workspace& workspace) {
  double* gains = workspace.take<double>(list.size());
  for (std::size_t i = 0; i < list.size(); ++i)
    gains[i] = static_cast<double>(list.weight(i)) * graded_gain(gain, static_cast<double>(list.labels[i]), shift);
  return gains;
}

/// sum over ranks r <= top of discount(r) times the gain there, or the mean gain of the tied group there.
template <Real T>
double discounted_gain(const ListView<T>& list, const double* gains, const double* discounts, std::size_t top, Ties ties,
                       std::uint64_t seed, Workspace& workspace) {
  double total = 0;
  for_each_group(list, gains, ties, seed, workspace, [&](std::size_t first, std::size_t last, const std::uint32_t* order) {
    double gain = 0, discount = 0;
    for (std::size_t r = first; r < last; ++r) gain += gains[order[r]];
    for (std::size_t r = first; r < std::min(last, top); ++r) discount += discounts[r];
    total += gain / static_cast<double>(last - first) * discount;
    return last < top;
  });
  return total;
}

/// The same for the order of falling gain.
inline double ideal_discounted_gain(const double* gains, std::size_t n, const double* discounts, std::size_t top,
                                    Workspace& workspace) {
  const auto frame = workspace.frame();
  std::uint32_t* order = workspace.take<std::uint32_t>(n);
  simd::rank_descending(gains, order, n, workspace);
  double total = 0;
  for (std::size_t r = 0; r < top; ++r) total += gains[order[r]] * discounts[r];
  return total;
}

}  // namespace metric

/// DCG@k: the sum over the first k ranks of gain times discount.
///
///   DCG@k = sum_{r <= k} w gain(y) discount(r),   of the item on rank r
///
/// Weights     multiply the gains (rax, TF-Ranking).
/// Labels      below 0 gain nothing.
/// No signal   the list is empty. A list without relevant items has DCG 0.
/// Ties        see Ties; `expected` gives every tied item the mean gain of its group.
/// Cost        one sort, O(n) scratch.
/// Numerics    exponential gains of labels above 1023 overflow, as the formula does (in float: above 127).
/// Parameters  k: cut-off, 0 = none. gain, discount: see metric/gain_discount.hpp. seed: of Ties::shuffled.
/// Errors      a NaN score is returned as the value.
/// Source      Jarvelin, Kekalainen, Cumulated gain-based evaluation of IR techniques, ACM TOIS 2002; exponential gain:
///             Burges et al., Learning to rank using gradient descent, ICML 2005.
struct Dcg {
  static constexpr std::string_view name = "dcg";

  std::size_t k = 0;
  Gain gain = Gain::exponential;
  Discount discount = Discount::log2;
  Ties ties = Ties::stable;
  std::uint64_t seed = 0;

  template <Real T>
  Contribution<T> value(ListView<T> list, Workspace& workspace) const {
    const std::size_t n = checked_size(list), top = metric::cut_off(k, n);
    if (n == 0) return {};
    if (const T* nan = metric::first_nan(list)) return {*nan, true};
    const auto frame = workspace.frame();
    double* discounts = workspace.take<double>(n);
    fill_discounts(discount, top, discounts, n);
    const double* gains = metric::weighted_gains(gain, 0, list, workspace);
    return {T(metric::discounted_gain(list, gains, discounts, top, ties, seed, workspace)), true};
  }
};

/// NDCG@k: DCG@k over that of the ideal order.
///
///   NDCG@k = DCG@k / IDCG@k,   IDCG@k the largest DCG@k that any order reaches
///
/// Ideal       over the list, by weighted gain; or over `judged`, without weights, where the list is only what a first
///             stage retrieved (trec_eval).
/// No signal   the list is empty and nothing is judged. IDCG@k = 0: by `no_relevant`.
/// Numerics    finite for any labels: beyond 500 all gains are scaled down alike.
/// Parameters  as Dcg; judged: see Judged. no_relevant: value where IDCG is 0, default zero.
/// Cost        two sorts, O(n) scratch. Everything else as Dcg.
struct Ndcg {
  static constexpr std::string_view name = "ndcg";

  std::size_t k = 0;
  Gain gain = Gain::exponential;
  Discount discount = Discount::log2;
  Ties ties = Ties::stable;
  NoRelevant no_relevant = NoRelevant::zero;
  std::uint64_t seed = 0;
  Judged judged{};

  template <class View>
  Status check_input(const View& view) const { return judged.check_input(view); }

  template <Real T>
  Contribution<T> value(ListView<T> list, Workspace& workspace) const {
    const std::size_t n = checked_size(list);
    const std::span<const double> others = judged.of(list.index);
    const std::size_t ideal_size = judged.given() ? others.size() : n, longest = std::max(n, ideal_size);
    if (longest == 0) return {};
    if (const T* nan = metric::first_nan(list)) return {*nan, true};
    const auto frame = workspace.frame();
    double* discounts = workspace.take<double>(longest);
    fill_discounts(discount, k, discounts, longest);
    const double shift = gain_shift(gain, metric::highest_label(list, others));
    const double* gains = metric::weighted_gains(gain, shift, list, workspace);
    const double* ideal_gains = gains;
    if (judged.given()) {
      double* judged_gains = workspace.take<double>(ideal_size);
      for (std::size_t i = 0; i < ideal_size; ++i) judged_gains[i] = metric::graded_gain(gain, others[i], shift);
      ideal_gains = judged_gains;
    }
    const double ideal =
        metric::ideal_discounted_gain(ideal_gains, ideal_size, discounts, metric::cut_off(k, ideal_size), workspace);
    if (!(ideal > 0)) return metric::without_relevant<T>(no_relevant);
    return {T(metric::discounted_gain(list, gains, discounts, metric::cut_off(k, n), ties, seed, workspace) / ideal), true};
  }
};

}  // namespace rankgrad
