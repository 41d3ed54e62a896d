// rankgrad/scoring/group_scoring.hpp: scores of a long list from a model that sees a group of it at a time.
// SPDX-License-Identifier: MIT
//
//   for (std::uint64_t shuffle = 0; shuffle < 2; ++shuffle) {
//     scoring::shuffle_groups(seed, shuffle, order);
//     for (std::size_t first = 0; first < n; first += size) {
//       const auto group = scoring::group_of(order, first, size);     // items group[0], group[1], ...
//       mean.add(group, what the model says of them);                 // or mean.add_failure(group)
//     }
//   }
//   mean.fill(scores);
#pragma once

#include <rankgrad/core/contract.hpp>
#include <rankgrad/core/random.hpp>
#include <rankgrad/core/validate.hpp>

#include <algorithm>
#include <cmath>

namespace rankgrad::inline RANKGRAD_ABI::scoring {

/// A random order of the items 0 .. order.size() - 1, a function of the seed and the number of the shuffle. Cut into pieces it
/// is one way to see every item once.
inline void shuffle_groups(std::uint64_t seed, std::uint64_t shuffle, std::span<std::uint32_t> order) {
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::uint32_t>(i);
  Random(seed, shuffle).shuffle(order.data(), order.size());
}

/// The items of the group that starts at place `first`: `size` of them, or what is left.
inline std::span<const std::uint32_t> group_of(std::span<const std::uint32_t> order, std::size_t first, std::size_t size) {
  RANKGRAD_EXPECTS(first <= order.size(), "a group starts behind the end of its order");
  return order.subspan(first, std::min(size, order.size() - first));
}

/// The mean score of every item over the groups that it was in.
///
/// A reply that could not be read scores 0 for its whole group, and counts. An item that was in no group has score 0.
///
///   sums, counts   [items], the caller's, 0 at the start
///
/// Source   GroupRank (arXiv 2511.11653): scores 0 .. 10 divided by `largest`, groups of 10 to 20, two shuffles.
class GroupScoreMean {
 public:
  GroupScoreMean(std::span<double> sums, std::span<std::uint32_t> counts, double largest = 10)
      : sums_(sums), counts_(counts), largest_(largest) {
    require(rankgrad::detail::check_length("counts", counts.size(), sums.size()));
    require(check_parameter("largest", largest, 0));
  }

  template <Real T>
  void add(std::span<const std::uint32_t> items, std::span<const T> scores) {
    constexpr T limit = std::numeric_limits<T>::max();
    require(rankgrad::detail::check_length("scores", scores.size(), items.size()));
    require(rankgrad::detail::check_values<T>("scores", scores, {}, -limit, limit));
    add_failure(items);
    for (std::size_t k = 0; k < items.size(); ++k) sums_[items[k]] += static_cast<double>(scores[k]) / largest_;
  }
  void add_failure(std::span<const std::uint32_t> items) {
    for (const std::uint32_t item : items)
      if (item >= sums_.size()) require(Status::error("rankgrad: a group has item %u; there are %zu", item, sums_.size()));
    for (const std::uint32_t item : items) ++counts_[item];
  }

  template <Real T>
  void fill(std::span<T> scores) const {
    require(rankgrad::detail::check_length("scores", scores.size(), sums_.size()));
    for (std::size_t i = 0; i < scores.size(); ++i)
      scores[i] = static_cast<T>(counts_[i] == 0 ? 0 : sums_[i] / static_cast<double>(counts_[i]));
  }

 private:
  std::span<double> sums_;
  std::span<std::uint32_t> counts_;
  double largest_;
};

}  // namespace rankgrad::scoring
