// rankgrad/simd/ranking.hpp: sorting by score: stable, deterministic, no allocation.
// SPDX-License-Identifier: MIT
//
// The total order of the whole library: value descending, then the order the items came in. One tie policy, chosen by
// name, serves the losses that need ranks and the metrics alike.
#pragma once

#include <rankgrad/core/list_view.hpp>
#include <rankgrad/core/random.hpp>
#include <rankgrad/core/workspace.hpp>

#include <bit>
#include <type_traits>

namespace rankgrad::inline RANKGRAD_ABI {

/// What happens to items with equal scores.
enum class Ties {
  stable,       ///< they keep their order in the list
  optimistic,   ///< the more relevant first: the best value any order could give
  pessimistic,  ///< the less relevant first: the worst
  shuffled,     ///< a seeded random order, the same for the same (seed, list index)
  expected      ///< the mean over all orders, in closed form; metrics only
};

namespace simd {

namespace detail {
template <class Key>
struct SortEntry {
  Key key;
  std::uint32_t index;
};

/// An unsigned key that falls as the value rises. -0 and +0 get the same key.
template <Real T>
auto descending_key(T value) {
  using Key = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  constexpr Key sign = Key{1} << (8 * sizeof(T) - 1);
  const Key bits = std::bit_cast<Key>(value == T(0) ? T(0) : value);
  return static_cast<Key>(~((bits & sign) ? ~bits : bits | sign));
}

template <class Entry>
void insertion_sort(Entry* entries, std::size_t n) {
  for (std::size_t i = 1; i < n; ++i) {
    const Entry entry = entries[i];
    std::size_t j = i;
    for (; j > 0 && entries[j - 1].key > entry.key; --j) entries[j] = entries[j - 1];
    entries[j] = entry;
  }
}

/// Least significant byte first; bytes that are the same in all keys are skipped. Returns where the result stands.
template <class Entry>
Entry* radix_sort(Entry* entries, Entry* other, std::size_t n) {
  constexpr std::size_t digits = sizeof(entries->key);
  std::uint32_t counts[digits][256] = {};
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t d = 0; d < digits; ++d) ++counts[d][(entries[i].key >> (8 * d)) & 255];
  for (std::size_t d = 0; d < digits; ++d) {
    if (counts[d][(entries[0].key >> (8 * d)) & 255] == n) continue;
    std::uint32_t next = 0;
    for (std::uint32_t& count : counts[d]) next += std::exchange(count, next);
    for (std::size_t i = 0; i < n; ++i) other[counts[d][(entries[i].key >> (8 * d)) & 255]++] = entries[i];
    std::swap(entries, other);
  }
  return entries;
}
}  // namespace detail

/// Sorts `order`, a list of item numbers, by values[item] descending; items with equal values keep their places
/// relative to each other.
template <Real T>
void sort_descending(const T* values, std::uint32_t* order, std::size_t n, Workspace& workspace) {
  using Entry = detail::SortEntry<decltype(detail::descending_key(T(0)))>;
  constexpr std::size_t short_list = 48;   // where insertion (n^2 / 4 moves) meets the fixed cost of counting
  if (n < 2) return;
  const auto frame = workspace.frame();
  Entry* entries = workspace.take<Entry>(n);
  for (std::size_t i = 0; i < n; ++i) entries[i] = {detail::descending_key(values[order[i]]), order[i]};
  if (n <= short_list) detail::insertion_sort(entries, n);
  else entries = detail::radix_sort(entries, workspace.take<Entry>(n), n);
  for (std::size_t i = 0; i < n; ++i) order[i] = entries[i].index;
}

}  // namespace simd

/// order[r] = the item on rank r + 1 when sorted by score under a tie policy (`expected` sorts as `stable`). What counts
/// as more relevant among equal scores is `relevance`, by default the label.
template <Real T, Real R>
void rank_order(const ListView<T>& list, const R* relevance, Ties ties, std::uint64_t seed, std::uint32_t* order, Workspace& workspace) {
  const std::size_t n = list.size();
  for (std::size_t i = 0; i < n; ++i) order[i] = static_cast<std::uint32_t>(i);
  if (ties == Ties::shuffled) Random(seed, list.index).shuffle(order, n);
  if (ties == Ties::optimistic || ties == Ties::pessimistic) {
    simd::sort_descending(relevance, order, n, workspace);
    if (ties == Ties::pessimistic)
      for (std::size_t i = 0; i < n / 2; ++i) std::swap(order[i], order[n - 1 - i]);
  }
  simd::sort_descending(list.scores.data(), order, n, workspace);
}
template <Real T>
void rank_order(const ListView<T>& list, Ties ties, std::uint64_t seed, std::uint32_t* order, Workspace& workspace) {
  rank_order(list, list.labels.data(), ties, seed, order, workspace);
}

/// rank[i] - 1 = position[i] = where item i stands in `order`.
inline void invert_order(const std::uint32_t* order, std::size_t n, std::uint32_t* position) {
  for (std::size_t r = 0; r < n; ++r) position[order[r]] = static_cast<std::uint32_t>(r);
}

}  // namespace rankgrad
