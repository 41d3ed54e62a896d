// rankgrad/metric/precision.hpp: precision, recall and hit rate of the first k ranks.
// SPDX-License-Identifier: MIT
//
// Read first: metric/ranked.hpp.
#pragma once

#include <rankgrad/metric/ranked.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

namespace metric {

/// How many relevant items stand on the first `top` ranks; of a tied group that reaches beyond, its part.
template <Real T>
double relevant_within(const ListView<T>& list, double relevant_above, std::size_t top, Ties ties, std::uint64_t seed,
                       Workspace& workspace) {
  double found = 0;
  for_each_binary_group(list, relevant_above, top, ties, seed, workspace, [&](const BinaryGroup& group) {
    const double inside = static_cast<double>(std::min(group.last, top) - group.first);
    found += group.count() * (inside / group.size());
    return true;
  });
  return found;
}

}  // namespace metric

/// What P@k is divided by where the list is shorter than k: k (trec_eval), or the length of the list (rax, TF-Ranking).
enum class ShortList { k, length };

/// P@k: the part of the first k ranks that is relevant.
///
///   P@k = (relevant items on ranks 1 .. k) / k;   for lists shorter than k by `short_list`; k = 0: of the whole list
///
/// Relevant    label > relevant_above; weights of items are not used: see ReciprocalRank.
/// No signal   the list is empty. Nothing relevant in it: by `no_relevant`.
/// Cost        one sort, O(n) scratch.
/// Parameters  k: cut-off, 0 = none. ties, seed: see Ties; `expected` counts the part of a tied group that is inside.
/// Errors      a NaN score is returned as the value.
struct Precision {
  static constexpr std::string_view name = "precision";

  std::size_t k = 0;
  double relevant_above = 0;
  ShortList short_list = ShortList::k;
  Ties ties = Ties::stable;
  NoRelevant no_relevant = NoRelevant::zero;
  std::uint64_t seed = 0;

  template <Real T>
  Contribution<T> value(ListView<T> list, Workspace& workspace) const {
    const std::size_t n = checked_size(list), top = metric::cut_off(k, n);
    if (n == 0) return {};
    if (const T* nan = metric::first_nan(list)) return {*nan, true};
    if (metric::count_relevant(list, {}, relevant_above) == 0) return metric::without_relevant<T>(no_relevant);
    const double found = metric::relevant_within(list, relevant_above, top, ties, seed, workspace);
    return {T(found / static_cast<double>(k > n && short_list == ShortList::k ? k : top)), true};
  }
};

/// R@k: the part of the relevant items that the first k ranks hold.
///
///   R@k = (relevant items on ranks 1 .. k) / (relevant items in the list, or in `judged`)
///
/// No signal   the list is empty and nothing is judged. Nothing relevant: by `no_relevant`.
/// Parameters  judged: see Judged. Everything else as Precision.
struct Recall {
  static constexpr std::string_view name = "recall";

  std::size_t k = 0;
  double relevant_above = 0;
  Ties ties = Ties::stable;
  NoRelevant no_relevant = NoRelevant::zero;
  std::uint64_t seed = 0;
  Judged judged{};

  template <class View>
  Status check_input(const View& view) const { return judged.check_input(view); }

  template <Real T>
  Contribution<T> value(ListView<T> list, Workspace& workspace) const {
    const std::size_t n = checked_size(list);
    if (n == 0 && !judged.given()) return {};
    if (const T* nan = metric::first_nan(list)) return {*nan, true};
    const std::size_t relevant = metric::count_relevant(list, judged, relevant_above);
    if (relevant == 0) return metric::without_relevant<T>(no_relevant);
    const double found = metric::relevant_within(list, relevant_above, metric::cut_off(k, n), ties, seed, workspace);
    return {T(found / static_cast<double>(relevant)), true};
  }
};

/// Hit@k, also success@k: 1 where the first k ranks hold a relevant item, else 0; its mean over lists is the hit rate.
/// Ties `expected`: the probability of a hit; t of m tied places are inside, R of the m items relevant, and all t miss
/// with probability prod_{j < t} (m - R - j) / (m - j).
/// Everything else as Precision.
struct Hit {
  static constexpr std::string_view name = "hit";

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
    double miss = 1;
    metric::for_each_binary_group(list, relevant_above, top, ties, seed, workspace, [&](const metric::BinaryGroup& group) {
      if (group.relevant == 0) return true;
      double irrelevant = group.size() - group.count(), left = group.size();
      for (std::size_t rank = group.first + 1; rank <= std::min(group.last, top) && irrelevant >= 0; ++rank, --left)
        miss *= irrelevant-- / left;
      return false;
    });
    return {T(1 - miss), true};
  }
};

}  // namespace rankgrad
