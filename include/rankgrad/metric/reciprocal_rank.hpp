// rankgrad/metric/reciprocal_rank.hpp: how far down is the first relevant item?
// SPDX-License-Identifier: MIT
//
// Read first: metric/ranked.hpp.
#pragma once

#include <rankgrad/metric/ranked.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// Reciprocal rank; its mean over lists is MRR@k.
///
///   RR@k = 1 / (rank of the first relevant item) where that rank is <= k, else 0
///   ties `expected`: for m tied items after b others, R of them relevant, the first relevant one stands at x with
///   probability R / (m - x + 1) prod_{j < x - 1} (m - R - j) / (m - j), and 1 / (b + x) is averaged over x.
///
/// Relevant    label > relevant_above. Integer grades: above 0 is the same as at least 1.
/// Weights     of items are not used: a rank is a count. Weigh whole lists by list_weights.
/// No signal   the list is empty. Nothing relevant in it: by `no_relevant`. (A relevant item below k: 0.)
/// Cost        one sort, O(n) scratch.
/// Parameters  k: cut-off, 0 = none. ties, seed: see Ties.
/// Errors      a NaN score is returned as the value.
/// Source      Voorhees, The TREC-8 question answering track report, 1999; ties: McSherry, Najork 2008.
struct ReciprocalRank {
  static constexpr std::string_view name = "reciprocal_rank";

  std::size_t k = 0;
  double relevant_above = 0;
  Ties ties = Ties::stable;
  NoRelevant no_relevant = NoRelevant::zero;
  std::uint64_t seed = 0;

  template <Real T>
  Contribution<T> value(ListView<T> list, Workspace& workspace) const {
    const std::size_t n = checked_size(list), top = metric::cut_off(k, n);
    if (n == 0) return {};
    if (const T* nan = metric::first_nan(list)) return {*nan, true};
    if (metric::count_relevant(list, {}, relevant_above) == 0) return metric::without_relevant<T>(no_relevant);
    double expected = 0;
    metric::for_each_binary_group(list, relevant_above, top, ties, seed, workspace, [&](const metric::BinaryGroup& group) {
      if (group.relevant == 0) return true;
      double none_yet = 1, left = group.size();   // probability that all places so far are irrelevant; places left
      for (std::size_t rank = group.first + 1; rank <= std::min(group.last, top) && left >= group.count(); ++rank, --left) {
        const double here = group.count() / left;
        expected += none_yet * here / static_cast<double>(rank);
        none_yet *= 1 - here;
      }
      return false;
    });
    return {T(expected), true};
  }
};

using Mrr = ReciprocalRank;   ///< its mean over lists is the MRR

}  // namespace rankgrad
