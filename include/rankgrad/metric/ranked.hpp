// rankgrad/metric/ranked.hpp: what all rank metrics share: who is relevant, who stands where, and what ties mean.
// SPDX-License-Identifier: MIT
//
// The mean over all orders of tied scores is had in closed form: within a group of tied items every rank is held by
// every item equally often (McSherry and Najork, Computing information retrieval performance measures efficiently in
// the presence of tied scores, ECIR 2008). A list under any other tie policy is the same with groups of one item, so
// each metric has one formula.
#pragma once

#include <rankgrad/core/check_lists.hpp>
#include <rankgrad/core/concepts.hpp>
#include <rankgrad/core/validate.hpp>
#include <rankgrad/metric/gain_discount.hpp>
#include <rankgrad/simd/ranking.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// The value of a list in which nothing is relevant: 0 (trec_eval, rax, TF-Ranking), 1 (LightGBM, XGBoost, allRank), or
/// left out of the mean.
enum class NoRelevant { zero, one, skip };

/// Labels of all judged items of a query, ranked or not, where recall and ideal orders are to be taken over more than
/// the list (trec_eval). List q has labels[offsets[q]] .. labels[offsets[q + 1] - 1], q = ListView::index; without
/// offsets every list has all. Both empty: the labels of the list itself.
struct Judged {
  std::span<const double> labels{};
  std::span<const std::uint32_t> offsets{};

  bool given() const noexcept { return !labels.empty() || !offsets.empty(); }
  std::span<const double> of(std::uint64_t index) const {
    if (offsets.empty()) return labels;
    RANKGRAD_EXPECTS(index + 1 < offsets.size() && offsets[index] <= offsets[index + 1] && offsets[index + 1] <= labels.size(),
                     "the judged labels have no such list");
    return labels.subspan(offsets[index], offsets[index + 1] - offsets[index]);
  }

  /// For check_input() of the metrics: has every list its judged labels?
  template <class View>
  Status check_input(const View& view) const {
    if (offsets.empty()) return {};
    return check_each_list(view, [&](const auto& list) {
      const std::size_t q = static_cast<std::size_t>(list.index);
      if (q + 1 < offsets.size() && offsets[q] <= offsets[q + 1] && offsets[q + 1] <= labels.size()) return Status{};
      return Status::error("rankgrad: the judged labels have no list %llu: %zu offsets, %zu labels", number_of(list),
                           offsets.size(), labels.size());
    });
  }
};

namespace metric {

/// The first score that is NaN, or null. A rank metric of such a list has no meaning: it returns that NaN. Infinite
/// scores have their place in the order.
template <Real T>
const T* first_nan(const ListView<T>& list) {
  for (const T& score : list.scores)
    if (!is_finite(score) && score != std::numeric_limits<T>::infinity() && score != -std::numeric_limits<T>::infinity())
      return &score;
  return nullptr;
}

template <Real T>
Contribution<T> without_relevant(NoRelevant policy) {
  if (policy == NoRelevant::skip) return {};
  return {policy == NoRelevant::one ? T(1) : T(0), true};
}

/// How many labels are above `relevant_above`, in the list or among the judged.
template <Real T>
std::size_t count_relevant(const ListView<T>& list, const Judged& judged, double relevant_above) {
  std::size_t count = 0;
  const auto add = [&](auto labels) {
    for (const auto label : labels) count += static_cast<double>(label) > relevant_above;
  };
  judged.given() ? add(judged.of(list.index)) : add(list.labels);
  return count;
}

/// Calls body(first, last, order): the items order[first] .. order[last - 1] are tied and hold the ranks first + 1 ..
/// last. Groups of one unless ties are `expected`. Ends early where body returns false.
template <Real T, Real R, class Body>
void for_each_group(const ListView<T>& list, const R* relevance, Ties ties, std::uint64_t seed, Workspace& workspace,
                    Body&& body) {
  const std::size_t n = list.size();
  const auto frame = workspace.frame();
  std::uint32_t* order = workspace.take<std::uint32_t>(n);
  rank_order(list, relevance, ties, seed, order, workspace);
  for (std::size_t first = 0, last = 0; first < n; first = last) {
    ++last;
    if (ties == Ties::expected)
      while (last < n && list.scores[order[last]] == list.scores[order[first]]) ++last;
    if (!body(first, last, order)) return;
  }
}

/// A group of tied items for metrics that know only relevant and not: ranks first + 1 .. last, of them `relevant`.
struct BinaryGroup {
  std::size_t first, last, relevant;
  double size() const { return static_cast<double>(last - first); }
  double count() const { return static_cast<double>(relevant); }
};

/// The groups down to rank `top`, the last of them whole even where it reaches beyond.
template <Real T, class Body>
void for_each_binary_group(const ListView<T>& list, double relevant_above, std::size_t top, Ties ties, std::uint64_t seed,
                           Workspace& workspace, Body&& body) {
  for_each_group(list, list.labels.data(), ties, seed, workspace,
                 [&](std::size_t first, std::size_t last, const std::uint32_t* order) {
    if (first >= top) return false;
    BinaryGroup group{first, last, 0};
    for (std::size_t r = first; r < last; ++r) group.relevant += static_cast<double>(list.labels[order[r]]) > relevant_above;
    return body(group);
  });
}

}  // namespace metric
}  // namespace rankgrad
