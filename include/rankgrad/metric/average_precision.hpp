// rankgrad/metric/average_precision.hpp: precision at every relevant item, averaged.
// SPDX-License-Identifier: MIT
//
// Read first: metric/ranked.hpp.
#pragma once

#include <rankgrad/metric/ranked.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// What the precisions of AP@k are divided by: the number of relevant items (trec_eval, rax, TF-Ranking, XGBoost), or of
/// those that an ideal order has among its first k (ptranking).
enum class RelevantCount { all, within_k };

/// Average precision; its mean over lists is MAP@k.
///
///   AP@k = (1/R) sum_{r <= k} [item on rank r is relevant] (relevant items on ranks 1 .. r) / r
///   ties `expected`: for m tied items after b others, R_g of them and B of those relevant, place x holds a relevant
///   item with probability R_g / m, and then B + 1 + (x - 1) (R_g - 1) / (m - 1) stand there or above on average.
///
/// Relevant    label > relevant_above; weights of items are not used: see ReciprocalRank.
/// R           by `divide_by`: all relevant items (default) or at most k of them. Counted in the list, or in `judged`.
/// No signal   the list is empty and nothing is judged. R = 0: by `no_relevant`.
/// Cost        one sort, O(n) scratch.
/// Parameters  k: cut-off, 0 = none. ties, seed: see Ties. judged: see Judged.
/// Errors      a NaN score is returned as the value.
/// Source      Manning, Raghavan, Schutze, Introduction to information retrieval, 2008, sec. 8.4; ties: McSherry,
///             Najork 2008.
struct AveragePrecision {
  static constexpr std::string_view name = "average_precision";

  std::size_t k = 0;
  double relevant_above = 0;
  RelevantCount divide_by = RelevantCount::all;
  Ties ties = Ties::stable;
  NoRelevant no_relevant = NoRelevant::zero;
  std::uint64_t seed = 0;
  Judged judged{};

  template <class View>
  Status check_input(const View& view) const { return judged.check_input(view); }

  template <Real T>
  Contribution<T> value(ListView<T> list, Workspace& workspace) const {
    const std::size_t n = checked_size(list), top = metric::cut_off(k, n);
    if (n == 0 && !judged.given()) return {};
    if (const T* nan = metric::first_nan(list)) return {*nan, true};
    std::size_t relevant = metric::count_relevant(list, judged, relevant_above);
    if (relevant == 0) return metric::without_relevant<T>(no_relevant);
    if (divide_by == RelevantCount::within_k) relevant = metric::cut_off(k, relevant);

    double total = 0, above = 0;   // above: relevant items before the group
    metric::for_each_binary_group(list, relevant_above, top, ties, seed, workspace, [&](const metric::BinaryGroup& group) {
      if (group.relevant == 0) return true;
      const double here = group.count() / group.size();
      const double others = group.last - group.first > 1 ? (group.count() - 1) / (group.size() - 1) : 0;
      for (std::size_t r = group.first; r < std::min(group.last, top); ++r)
        total += here * (above + 1 + static_cast<double>(r - group.first) * others) / static_cast<double>(r + 1);
      above += group.count();
      return true;
    });
    return {T(total / static_cast<double>(relevant)), true};
  }
};

}  // namespace rankgrad
