// rankgrad/simd/ranking.hpp: the order of a list by score, and what happens to ties.
// SPDX-License-Identifier: MIT
//
// The total order of the whole library: value descending, then the order the items came in. One tie policy, chosen by
// name, serves the losses that need ranks and the metrics alike.
#pragma once

#include <rankgrad/core/list_view.hpp>
#include <rankgrad/core/random.hpp>
#include <rankgrad/simd/sorting.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// What happens to items with equal scores.
enum class Ties {
  stable,       ///< they keep their order in the list
  optimistic,   ///< the more relevant first: the best value any order could give
  pessimistic,  ///< the less relevant first: the worst
  shuffled,     ///< a seeded random order, the same for the same (seed, list index)
  expected      ///< the mean over all orders, in closed form; metrics only
};

/// order[r] = the item on rank r + 1 when sorted by score under a tie policy (`expected` sorts as `stable`). What counts
/// as more relevant among equal scores is `relevance`, by default the label. by_rank[r] = its score, where that is wanted.
template <Real T, Real R>
void rank_order(const ListView<T>& list, const R* relevance, Ties ties, std::uint64_t seed, std::uint32_t* order,
                Workspace& workspace, T* by_rank = nullptr) {
  const std::size_t n = list.size();
  if (ties == Ties::stable || ties == Ties::expected)
    return simd::rank_descending(list.scores.data(), order, n, workspace, by_rank);
  if (ties == Ties::shuffled) {
    for (std::size_t i = 0; i < n; ++i) order[i] = static_cast<std::uint32_t>(i);
    Random(seed, list.index).shuffle(order, n);
  } else {
    simd::rank_descending(relevance, order, n, workspace);
    if (ties == Ties::pessimistic)
      for (std::size_t i = 0; i < n / 2; ++i) std::swap(order[i], order[n - 1 - i]);
  }
  simd::sort_descending(list.scores.data(), order, n, workspace, by_rank);
}
template <Real T>
void rank_order(const ListView<T>& list, Ties ties, std::uint64_t seed, std::uint32_t* order, Workspace& workspace,
                T* by_rank = nullptr) {
  rank_order(list, list.labels.data(), ties, seed, order, workspace, by_rank);
}

/// For tie_ranks(): the best rank of a group, as in 1, 2, 2, 4.
struct BestRank {
  constexpr std::size_t operator()(std::size_t first, std::size_t) const noexcept { return first; }
};
/// For tie_ranks(): the values are in order already.
struct InOrder {
  constexpr std::size_t operator[](std::size_t r) const noexcept { return r; }
};
/// ranks[order[r]], r < n, from an order in which equal values stand together. Items of equal value share what
/// share(first, last) makes of the ranks first .. last that they hold, counted from 1.
template <class T, class Order, class R, class Share = BestRank>
void tie_ranks(const T* values, const Order& order, std::size_t n, R* ranks, const Share& share = {}) {
  for (std::size_t first = 0, end; first < n; first = end) {
    for (end = first + 1; end < n && values[order[end]] == values[order[first]];) ++end;
    const R rank = static_cast<R>(share(first + 1, end));
    for (std::size_t r = first; r < end; ++r) ranks[order[r]] = rank;
  }
}

/// rank[i] - 1 = position[i] = where item i stands in `order`.
inline void invert_order(const std::uint32_t* order, std::size_t n, std::uint32_t* position) {
  for (std::size_t r = 0; r < n; ++r) position[order[r]] = static_cast<std::uint32_t>(r);
}

}  // namespace rankgrad
