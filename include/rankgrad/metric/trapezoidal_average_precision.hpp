// rankgrad/metric/trapezoidal_average_precision.hpp: the area under precision and recall, by trapezoids.
// SPDX-License-Identifier: MIT
//
// Read first: metric/ranked.hpp, metric/average_precision.hpp.
#pragma once

#include <rankgrad/metric/ranked.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// Average precision of landmark retrieval: every relevant item adds the mean of the precisions before and after it.
///
///   AP = (1/R) sum_{j < R} ( j / r_j + (j + 1) / (r_j + 1) ) / 2       r_j: how many items stand above the j-th relevant one,
///        both counted from 0;  0 / 0 = 1
///
/// Never above AveragePrecision, and equal to it for the perfect order. Junk is taken out beforehand: Ignoring<> or the mask.
///
/// Relevant    label > relevant_above; weights of items are not used: see ReciprocalRank.
/// R           all relevant items, in the list or in `judged`.
/// No signal   the list is empty and nothing is judged. R = 0: by `no_relevant`; skip (default) leaves such a query out.
/// Cost        one sort, O(n) scratch.
/// Parameters  ties, seed: see Ties; `expected` has no closed form here. judged: see Judged.
/// Errors      a NaN score is returned as the value.
/// Source      Philbin et al., Object retrieval with large vocabularies and fast spatial matching, CVPR 2007, and the evaluation
///             code of SuperGlobal, arXiv 2308.06954.
struct TrapezoidalAveragePrecision {
  static constexpr std::string_view name = "trapezoidal_average_precision";

  double relevant_above = 0;
  Ties ties = Ties::stable;
  NoRelevant no_relevant = NoRelevant::skip;
  std::uint64_t seed = 0;
  Judged judged{};

  Status check() const {
    if (ties != Ties::expected) return {};
    return Status::error("rankgrad: TrapezoidalAveragePrecision.ties is expected, which has no closed form here");
  }
  template <class View>
  Status check_input(const View& view) const { return judged.check_input(view); }

  template <Real T>
  Contribution<T> value(ListView<T> list, Workspace& workspace) const {
    const std::size_t n = checked_size(list);
    if (n == 0 && !judged.given()) return {};
    if (const T* nan = metric::first_nan(list)) return {*nan, true};
    const std::size_t relevant = metric::count_relevant(list, judged, relevant_above);
    if (relevant == 0) return metric::without_relevant<T>(no_relevant);
    double total = 0, found = 0;
    metric::for_each_binary_group(list, relevant_above, n, ties, seed, workspace, [&](const metric::BinaryGroup& item) {
      if (item.relevant == 0) return true;
      const double above = static_cast<double>(item.first);
      total += ((item.first == 0 ? 1 : found / above) + (found + 1) / (above + 1)) / 2;
      ++found;
      return true;
    });
    return {T(total / static_cast<double>(relevant)), true};
  }
};

}  // namespace rankgrad
