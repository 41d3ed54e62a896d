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

/// Which items are sorted, as what they come out, and where their values are: 0 .. n - 1, or those of a list, or those of
/// a list whose entries carry a flag in their highest bit.
struct AllItems {
  static std::uint32_t item(std::size_t i) { return static_cast<std::uint32_t>(i); }
  static std::size_t number(std::uint32_t item) { return item; }
  template <class T>
  static T value(const T* values, std::size_t i) { return values[i]; }
};
struct ListedItems {
  const std::uint32_t* order;
  std::uint32_t item(std::size_t i) const { return order[i]; }
  static std::size_t number(std::uint32_t item) { return item; }
  template <class T>
  T value(const T* values, std::size_t i) const { return values[number(order[i])]; }
};
template <class V>
struct FlaggedItems {
  static constexpr std::uint32_t flag = std::uint32_t{1} << 31;
  const std::uint32_t* order;
  const V* placed;   ///< the values once more, in the order of the list
  std::uint32_t item(std::size_t i) const { return order[i]; }
  static std::size_t number(std::uint32_t item) { return item & ~flag; }
  template <class T>
  T value(const T*, std::size_t i) const { return placed[i]; }
};

namespace detail {

template <class Key>
struct SortEntry {
  Key key;
  std::uint32_t index;
};

template <class T>
using KeyOf = std::make_unsigned_t<Bits<T>>;

/// An unsigned key that falls as the value rises: the bits of a negative number already do, those of others turned
/// round. In arithmetic of integers throughout: signs are random, and no branch could be foretold, and -ffast-math knows
/// no sign of zero.
template <Real T>
constexpr KeyOf<T> descending_key(T value) {
  using Key = KeyOf<T>;
  constexpr unsigned top = 8 * sizeof(T) - 1;
  constexpr Key sign = Key{1} << top;
  Key bits = std::bit_cast<Key>(value);
  bits &= Key{0} - static_cast<Key>(bits != sign);   // -0 is +0
  return bits ^ (((bits >> top) - 1) & (sign - 1));
}
/// The value of a key.
template <Real T>
constexpr T value_of_key(KeyOf<T> key) {
  using Key = KeyOf<T>;
  constexpr unsigned top = 8 * sizeof(T) - 1;
  return std::bit_cast<T>(static_cast<Key>(key ^ (((key >> top) - 1) & ((Key{1} << top) - 1))));
}

/// Up to which length counting is faster than the passes: measured, per width of the registers and of the keys.
template <class T>
inline constexpr std::size_t longest_counted = sizeof(T) == 4 ? (lanes<T> >= 16 ? 192 : lanes<T> >= 8 ? 144 : 64)
                                                              : (lanes<T> >= 8 ? 144 : lanes<T> >= 4 ? 112 : 32);

/// count + 1 in the lanes of the mask.
template <class Key>
RANKGRAD_INLINE inline Pack<Key> count_in(Pack<Key> count, Mask<Key> mask) {
#if defined(__AVX512F__)
  if constexpr (sizeof(Key) == 4) return Pack<Key>(_mm512_mask_add_epi32(count, mask.data, count, _mm512_set1_epi32(1)));
  else return Pack<Key>(_mm512_mask_add_epi64(count, mask.data, count, _mm512_set1_epi64(1)));
#elif defined(__SSE2__)
  return count - Pack<Key>(mask.data);   // true is -1
#else
  return count + select(mask, Pack<Key>(Key(1)), Pack<Key>(Key(0)));
#endif
}

/// ranks[i] = how many keys are less than keys[i], or equal and further to the front. Keys are below the largest Key.
/// May write a pack past the end.
template <class Key>
void count_ranks(const Key* keys, std::size_t n, Key* ranks) {
  for (std::size_t block = 0; block < n; block += lanes<Key>) {
    const Pack<Key> key = load(keys + block);
    const std::size_t inside = n - block < lanes<Key> ? n : block + lanes<Key>;
    const Pack<Key> next = key + Pack<Key>(Key(1));
    Pack<Key> before[2] = {Pack<Key>(Key(0)), Pack<Key>(Key(0))}, beaten[2] = {before[0], before[0]};
    for (std::size_t j = 0; j < block; j += 2) {   // in front of the block: all but the larger ones
      beaten[0] = count_in<Key>(beaten[0], Pack<Key>(keys[j]) > key);
      beaten[1] = count_in<Key>(beaten[1], Pack<Key>(keys[j + 1]) > key);
    }
    for (std::size_t j = block; j < inside; ++j)   // lanes behind j compare with key + 1: there, equal ones count, too
      before[0] = count_in<Key>(before[0], Pack<Key>(keys[j]) < next - load(ones<Key>.first(j - block + 1)));
    std::size_t j = inside;
    for (; j + 2 <= n; j += 2) {
      before[0] = count_in<Key>(before[0], Pack<Key>(keys[j]) < key);
      before[1] = count_in<Key>(before[1], Pack<Key>(keys[j + 1]) < key);
    }
    if (j < n) before[0] = count_in<Key>(before[0], Pack<Key>(keys[j]) < key);
    store(ranks + block, Pack<Key>(static_cast<Key>(block)) + (before[0] + before[1]) - (beaten[0] + beaten[1]));
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

/// Sorts by key, in passes of `bits` bits between the two arrays. Returns in which of them the result stands; or the
/// last pass writes the item numbers to `out`, if that is there.
template <unsigned bits>
std::uint64_t* radix_sort(std::uint64_t* words, std::uint64_t* other, std::size_t n, std::uint32_t* out) {
  constexpr std::size_t digits = (32 + bits - 1) / bits;
  constexpr std::uint32_t mask = (1u << bits) - 1;
  const auto digit = [](std::uint64_t word, std::size_t d) { return (key_of(word) >> (bits * d)) & mask; };
  std::uint32_t places[digits][mask + 1] = {};
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t d = 0; d < digits; ++d) ++places[d][digit(words[i], d)];
  std::size_t used[digits], passes = 0;
  for (std::size_t d = 0; d < digits; ++d) {
    if (places[d][digit(words[0], d)] == n) continue;
    std::uint32_t next = 0;
    for (std::uint32_t& place : places[d]) next += std::exchange(place, next);
    used[passes++] = d;
  }
  for (std::size_t pass = 0; pass < passes; ++pass, std::swap(words, other)) {
    const std::size_t d = used[pass];
    std::uint32_t* place = places[d];
    if (out && pass + 1 == passes) {
      for (std::size_t i = 0; i < n; ++i) out[place[digit(words[i], d)]++] = item_of(words[i]);
      return nullptr;
    }
    std::size_t i = 0;
    for (; i + 4 <= n; i += 4) {   // four at a time: loads do not wait for stores that might be to the same place
      const std::uint64_t word[4] = {words[i], words[i + 1], words[i + 2], words[i + 3]};
      for (const std::uint64_t w : word) other[place[digit(w, d)]++] = w;
    }
    for (; i < n; ++i) other[place[digit(words[i], d)]++] = words[i];
  }
  if (out)
    for (std::size_t i = 0; i < n; ++i) out[i] = item_of(words[i]);
  return words;
}

/// Three passes of 11 bits are less work than four of 8. But short lists do not repay 2048 counters, and in long ones, whose
/// words are far from the processor, 2048 places to write to are more than it keeps addresses for: measured.
inline constexpr std::size_t longest_inserted = 24, longest_by_bytes = 2500, longest_by_elevens = 450'000;

inline std::uint64_t* sort_words(std::uint64_t* words, std::uint64_t* other, std::size_t n, std::uint32_t* out = nullptr) {
  const bool bytes = n <= longest_by_bytes || n > longest_by_elevens;
  return bytes ? radix_sort<8>(words, other, n, out) : radix_sort<11>(words, other, n, out);
}

/// Sorts what has the same key by the `bits` <= 32 lowest bits of the value's full key.
template <Real T, class Items>
void sort_runs(const T* values, Items items, std::uint64_t* words, std::uint64_t* other, std::size_t n, unsigned bits) {
  const std::uint32_t mask = bits == 32 ? ~std::uint32_t{0} : (std::uint32_t{1} << bits) - 1;
  const auto low = [&](std::uint64_t word) {
    return static_cast<std::uint32_t>(descending_key(values[items.number(item_of(word))])) & mask;
  };
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

/// out[r] = the item on place r, sorted[r] its value where that is wanted. `items` may list what stands in `out` where digits
/// sort, not where counting does.
template <Real T, class Items>
void sort_by_counting(const T* values, Items items, std::size_t n, std::uint32_t* out, T* sorted, Workspace& workspace) {
  Bits<T>*keys = workspace.take<Bits<T>>(n), *ranks = workspace.take<Bits<T>>(n);
  constexpr KeyOf<T> sign = KeyOf<T>{1} << (8 * sizeof(T) - 1), last = static_cast<KeyOf<T>>(~KeyOf<T>{0});
  for (std::size_t i = 0; i < n; ++i) {
    const KeyOf<T> key = descending_key(items.value(values, i));
    keys[i] = static_cast<Bits<T>>((key - (key == last)) ^ sign);   // packs compare signed; the last key is a NaN's
  }
  count_ranks(keys, n, ranks);
  for (std::size_t i = 0; i < n; ++i) out[ranks[i]] = items.item(i);
  if (sorted)
    for (std::size_t i = 0; i < n; ++i) sorted[i] = values[items.number(out[i])];
}

template <Real T, class Items>
void sort_by_digits(const T* values, Items items, std::size_t n, std::uint32_t* out, T* sorted, Workspace& workspace) {
  std::uint64_t *words = workspace.take<std::uint64_t>(n), *other = workspace.take<std::uint64_t>(n);
  if constexpr (sizeof(T) == 4) {
    for (std::size_t i = 0; i < n; ++i) words[i] = sort_word(descending_key(items.value(values, i)), items.item(i));
    if (!sorted) return static_cast<void>(sort_words(words, other, n, out));
    const std::uint64_t* result = sort_words(words, other, n);
    for (std::size_t i = 0; i < n; ++i) {   // the key says the value: no visit to where the item was
      out[i] = item_of(result[i]);
      sorted[i] = value_of_key<T>(key_of(result[i]));
    }
  } else {
    const std::uint64_t first = descending_key(items.value(values, 0));
    std::uint64_t differ = 0;
    for (std::size_t i = 0; i < n; ++i) differ |= descending_key(items.value(values, i)) ^ first;
    const unsigned width = static_cast<unsigned>(std::bit_width(differ)), below = width > 32 ? width - 32 : 0;
    for (std::size_t i = 0; i < n; ++i)
      words[i] = sort_word(static_cast<std::uint32_t>(descending_key(items.value(values, i)) >> below), items.item(i));
    std::uint64_t* result = sort_words(words, other, n);
    if (below > 0) sort_runs(values, items, result, result == words ? other : words, n, below);
    for (std::size_t i = 0; i < n; ++i) out[i] = item_of(result[i]);
    if (sorted)
      for (std::size_t i = 0; i < n; ++i) sorted[i] = values[items.number(item_of(result[i]))];
  }
}

}  // namespace detail

/// out[r] = the item on place r, by value descending; equal values stay in the order of `items`, which lists them in
/// other memory than `out`. sorted[r] = its value, where that is wanted (0 may have lost its sign).
template <Real T, class Items>
void sort_items(const T* values, Items items, std::uint32_t* out, std::size_t n, Workspace& workspace, T* sorted = nullptr) {
  const auto frame = workspace.frame();
  if (n <= detail::longest_counted<T>) detail::sort_by_counting(values, items, n, out, sorted, workspace);
  else detail::sort_by_digits(values, items, n, out, sorted, workspace);
}

/// The same for items 0 .. n - 1.
template <Real T>
void rank_descending(const T* values, std::uint32_t* order, std::size_t n, Workspace& workspace, T* sorted = nullptr) {
  sort_items(values, AllItems{}, order, n, workspace, sorted);
}

/// Sorts `order`, a list of item numbers, by values[item] descending; items with equal values keep their places
/// relative to each other.
template <Real T>
void sort_descending(const T* values, std::uint32_t* order, std::size_t n, Workspace& workspace, T* sorted = nullptr) {
  const auto frame = workspace.frame();
  if (n > detail::longest_counted<T>) return detail::sort_by_digits(values, ListedItems{order}, n, order, sorted, workspace);
  std::uint32_t* items = workspace.take<std::uint32_t>(n);
  std::copy_n(order, n, items);
  detail::sort_by_counting(values, ListedItems{items}, n, order, sorted, workspace);
}

}  // namespace rankgrad::simd
