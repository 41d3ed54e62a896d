// rankgrad/simd/sorting.hpp: items by value, highest first: stable, deterministic, no allocation.
// SPDX-License-Identifier: MIT
//
// A stable order is unique, so that each size of list may take its own way to it:
//
//   short    counting: the rank of an item is how many come before it. All items are compared with all, lanes = items,
//            without one branch that depends on the data.
//   long     least significant digit first, on words of 64 bits: 32 bits of key above the item's number. A pass per
//            digit; digits that are the same in all keys are skipped; short lists take smaller digits, as the counters
//            must be cleared and added up whatever n is.
//   double   the same on the 32 highest bits of those in which the keys differ at all. Runs that agree there, which are
//            few and short in most lists, are sorted by the bits below.
//
// Keys fall as values rise. -0 and +0 have the same key; each NaN has a place of its own at one of the ends.
#pragma once

#include <rankgrad/core/workspace.hpp>
#include <rankgrad/simd/pack.hpp>

#include <bit>

namespace rankgrad::inline RANKGRAD_ABI::simd {

namespace detail {

template <class Key>
struct SortEntry {
  Key key;
  std::uint32_t index;
};

template <class T>
using KeyOf = std::make_unsigned_t<Bits<T>>;

/// An unsigned key that falls as the value rises: the bits of a negative number already do, those of others turned
/// round. On integers throughout, as -ffast-math knows no sign of zero.
template <Real T>
constexpr KeyOf<T> descending_key(T value) {
  constexpr KeyOf<T> sign = KeyOf<T>{1} << (8 * sizeof(T) - 1);
  KeyOf<T> bits = std::bit_cast<KeyOf<T>>(value);
  bits = bits == sign ? 0 : bits;
  return bits & sign ? bits : static_cast<KeyOf<T>>(bits ^ (sign - 1));
}

/// Up to which length counting is faster than the passes: measured, per width of the registers and of the keys.
template <class T>
inline constexpr std::size_t longest_counted = sizeof(T) == 4 ? (lanes<T> >= 16 ? 112 : lanes<T> >= 8 ? 80 : 48)
                                                              : (lanes<T> >= 8 ? 80 : lanes<T> >= 4 ? 48 : 24);

/// ranks[i] = how many keys are less than keys[i], or equal and further to the front. May write a pack past the end.
template <class Key>
void count_ranks(const Key* keys, std::size_t n, Key* ranks) {
  const Pack<Key> one(Key(1)), zero(Key(0)), lane = iota<Key>(0);
  for (std::size_t block = 0; block < n; block += lanes<Key>) {
    const Pack<Key> key = load(keys + block);
    const std::size_t inside = n - block < lanes<Key> ? n : block + lanes<Key>;
    Pack<Key> rank[2] = {Pack<Key>(static_cast<Key>(block)), zero};
    for (std::size_t j = 0; j < block; j += 2)   // those in front of the block: all but the larger ones
      for (std::size_t s = 0; s < 2; ++s) rank[s] -= select(Pack<Key>(keys[j + s]) > key, one, zero);
    for (std::size_t j = block; j < inside; ++j) {
      const Pack<Key> other(keys[j]);
      const auto in_front = lane > Pack<Key>(static_cast<Key>(j - block));
      rank[0] += select((other < key) | ((other == key) & in_front), one, zero);
    }
    std::size_t j = inside;
    for (; j + 2 <= n; j += 2)
      for (std::size_t s = 0; s < 2; ++s) rank[s] += select(Pack<Key>(keys[j + s]) < key, one, zero);
    if (j < n) rank[0] += select(Pack<Key>(keys[j]) < key, one, zero);
    store(ranks + block, rank[0] + rank[1]);
  }
}

inline std::uint64_t sort_word(std::uint32_t key, std::uint32_t item) { return std::uint64_t{key} << 32 | item; }
inline std::uint32_t key_of(std::uint64_t word) { return static_cast<std::uint32_t>(word >> 32); }
inline std::uint32_t item_of(std::uint64_t word) { return static_cast<std::uint32_t>(word); }

inline void insertion_sort(std::uint64_t* words, std::size_t n) {
  for (std::size_t i = 1; i < n; ++i) {
    const std::uint64_t word = words[i];
    std::size_t j = i;
    for (; j > 0 && key_of(words[j - 1]) > key_of(word); --j) words[j] = words[j - 1];
    words[j] = word;
  }
}

/// Sorts by key, in passes of `bits` bits between the two arrays. Returns in which of them the result stands.
template <unsigned bits>
std::uint64_t* radix_sort(std::uint64_t* words, std::uint64_t* other, std::size_t n) {
  constexpr std::size_t digits = (32 + bits - 1) / bits;
  constexpr std::uint32_t mask = (1u << bits) - 1;
  const auto digit = [](std::uint64_t word, std::size_t d) { return (key_of(word) >> (bits * d)) & mask; };
  std::uint32_t counts[digits][mask + 1] = {};
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t d = 0; d < digits; ++d) ++counts[d][digit(words[i], d)];
  for (std::size_t d = 0; d < digits; ++d) {
    if (counts[d][digit(words[0], d)] == n) continue;
    std::uint32_t next = 0;
    for (std::uint32_t& count : counts[d]) next += std::exchange(count, next);
    for (std::size_t i = 0; i < n; ++i) other[counts[d][digit(words[i], d)]++] = words[i];
    std::swap(words, other);
  }
  return words;
}

inline constexpr std::size_t longest_inserted = 24, longest_by_bytes = 1200;

inline std::uint64_t* sort_words(std::uint64_t* words, std::uint64_t* other, std::size_t n) {
  if (n <= longest_by_bytes) return radix_sort<8>(words, other, n);
  return radix_sort<11>(words, other, n);
}

/// Sorts what has the same key by the `bits` <= 32 lowest bits of the value's full key.
template <Real T>
void sort_runs(const T* values, std::uint64_t* words, std::uint64_t* other, std::size_t n, unsigned bits) {
  const std::uint32_t mask = bits == 32 ? ~std::uint32_t{0} : (std::uint32_t{1} << bits) - 1;
  const auto low = [&](std::uint64_t word) { return static_cast<std::uint32_t>(descending_key(values[item_of(word)])) & mask; };
  for (std::size_t first = 0, last = 1; first < n; first = last++) {
    while (last < n && key_of(words[last]) == key_of(words[first])) ++last;
    const std::size_t length = last - first;
    if (length == 1) continue;
    std::uint64_t* run = words + first;
    std::uint32_t differ = 0;
    for (std::size_t i = 0; i < length; ++i) {
      run[i] = sort_word(low(run[i]), item_of(run[i]));
      differ |= key_of(run[i]) ^ key_of(run[0]);
    }
    if (differ == 0) continue;
    if (length <= longest_inserted) insertion_sort(run, length);
    else if (const std::uint64_t* sorted = sort_words(run, other, length); sorted != run) std::copy_n(sorted, length, run);
  }
}

/// out[r] = the item on place r of the items item(0) .. item(n - 1).
template <Real T, class Item>
void sort_by_counting(const T* values, const Item& item, std::size_t n, std::uint32_t* out, Workspace& workspace) {
  Bits<T>*keys = workspace.take<Bits<T>>(n), *ranks = workspace.take<Bits<T>>(n);
  constexpr KeyOf<T> sign = KeyOf<T>{1} << (8 * sizeof(T) - 1);   // packs compare signed
  for (std::size_t i = 0; i < n; ++i) keys[i] = static_cast<Bits<T>>(descending_key(values[item(i)]) ^ sign);
  count_ranks(keys, n, ranks);
  for (std::size_t i = 0; i < n; ++i) out[ranks[i]] = item(i);
}

template <Real T, class Item>
void sort_by_digits(const T* values, const Item& item, std::size_t n, std::uint32_t* out, Workspace& workspace) {
  std::uint64_t *words = workspace.take<std::uint64_t>(n), *other = workspace.take<std::uint64_t>(n);
  if constexpr (sizeof(T) == 4) {
    for (std::size_t i = 0; i < n; ++i) words[i] = sort_word(descending_key(values[item(i)]), item(i));
    words = sort_words(words, other, n);
  } else {
    const std::uint64_t first = descending_key(values[item(0)]);
    std::uint64_t differ = 0;
    for (std::size_t i = 0; i < n; ++i) differ |= descending_key(values[item(i)]) ^ first;
    const unsigned width = static_cast<unsigned>(std::bit_width(differ)), below = width > 32 ? width - 32 : 0;
    for (std::size_t i = 0; i < n; ++i)
      words[i] = sort_word(static_cast<std::uint32_t>(descending_key(values[item(i)]) >> below), item(i));
    std::uint64_t* sorted = sort_words(words, other, n);
    if (below > 0) sort_runs(values, sorted, sorted == words ? other : words, n, below);
    words = sorted;
  }
  for (std::size_t i = 0; i < n; ++i) out[i] = item_of(words[i]);
}

}  // namespace detail

/// order[r] = the item on place r when items 0 .. n - 1 are sorted by values[item], descending; equal values stay in the
/// order of their numbers.
template <Real T>
void rank_descending(const T* values, std::uint32_t* order, std::size_t n, Workspace& workspace) {
  const auto frame = workspace.frame();
  const auto itself = [](std::size_t i) { return static_cast<std::uint32_t>(i); };
  if (n <= detail::longest_counted<T>) detail::sort_by_counting(values, itself, n, order, workspace);
  else detail::sort_by_digits(values, itself, n, order, workspace);
}

/// Sorts `order`, a list of item numbers, by values[item] descending; items with equal values keep their places
/// relative to each other.
template <Real T>
void sort_descending(const T* values, std::uint32_t* order, std::size_t n, Workspace& workspace) {
  const auto frame = workspace.frame();
  if (n <= detail::longest_counted<T>) {
    std::uint32_t* items = workspace.take<std::uint32_t>(n);
    std::copy_n(order, n, items);
    detail::sort_by_counting(values, [items](std::size_t i) { return items[i]; }, n, order, workspace);
  } else {   // which has read all of the order before it writes
    detail::sort_by_digits(values, [order](std::size_t i) { return order[i]; }, n, order, workspace);
  }
}

}  // namespace rankgrad::simd
