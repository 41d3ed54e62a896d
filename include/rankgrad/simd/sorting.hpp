// rankgrad/simd/sorting.hpp: items by value, highest first: stable, deterministic, no allocation.
// SPDX-License-Identifier: MIT
//
// A stable order is unique, so that each size of list may take its own way to it:
//
//   short    counting: the rank of an item is how many come before it. All items are compared with all, lanes = items,
//            without one branch that depends on the data.
//   long     least significant digit first, on words of 64 bits: 32 bits of key above the item's number. A pass per
//            digit; digits that are the same in all keys are skipped; short lists take smaller digits, as the counters
//            must be cleared and added up whatever n is. A team shares the passes (simd/radix_sort.hpp).
//   double   the same on the 32 highest bits of those in which the keys differ at all. Runs that agree there, which are
//            few and short in most lists, are sorted by the bits below.
//
// Keys fall as values rise. -0 and +0 have the same key; each NaN has a place of its own at one of the ends.
#pragma once

#include <rankgrad/simd/pack.hpp>
#include <rankgrad/simd/radix_sort.hpp>

#include <atomic>
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

/// The same by whoever is there: a team takes pieces that end where a run does.
template <Real T, class Items>
void sort_runs(const T* values, Items items, std::uint64_t* words, std::uint64_t* other, std::size_t n, unsigned bits,
               Workspace& workspace) {
  if (!workspace.team()) return sort_runs(values, items, words, other, n, bits);
  const auto frame = workspace.frame();
  const std::size_t pieces = n / 8192 + 1;
  std::size_t* const cuts = workspace.take<std::size_t>(pieces + 1);
  cuts[0] = 0;
  for (std::size_t p = 1; p <= pieces; ++p) {
    const std::uint64_t* const cut = words + n * p / pieces;
    const auto ends = std::partition_point(cut, static_cast<const std::uint64_t*>(words) + n,
                                           [=](std::uint64_t word) { return key_of(word) == key_of(cut[-1]); });
    cuts[p] = static_cast<std::size_t>(ends - words);
  }
  for_each_piece(pieces, workspace, [=](std::size_t p, Workspace&) {
    sort_runs(values, items, words + cuts[p], other + cuts[p], cuts[p + 1] - cuts[p], bits);
  });
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
  std::uint64_t *const words = workspace.take<std::uint64_t>(n), *const other = workspace.take<std::uint64_t>(n);
  if constexpr (sizeof(T) == 4) {
    const auto word_of = [=](std::size_t i) { return sort_word(descending_key(items.value(values, i)), items.item(i)); };
    const std::uint64_t* const result = sort_words(word_of, words, other, n, sorted ? nullptr : out, workspace);
    if (!sorted) return;
    for_each_stretch(n, workspace, [=](std::size_t b, std::size_t e) {
      for (std::size_t i = b; i < e; ++i) {   // the key says the value: no visit to where the item was
        out[i] = item_of(result[i]);
        sorted[i] = value_of_key<T>(key_of(result[i]));
      }
    });
  } else {
    const std::uint64_t first = descending_key(items.value(values, 0));
    std::atomic<std::uint64_t> differ{0};
    for_each_stretch(n, workspace, [&, first](std::size_t b, std::size_t e) {
      std::uint64_t here = 0;
      for (std::size_t i = b; i < e; ++i) here |= descending_key(items.value(values, i)) ^ first;
      differ.fetch_or(here, std::memory_order_relaxed);
    });
    const unsigned width = static_cast<unsigned>(std::bit_width(differ.load())), below = width > 32 ? width - 32 : 0;
    const auto word_of = [=](std::size_t i) {
      return sort_word(static_cast<std::uint32_t>(descending_key(items.value(values, i)) >> below), items.item(i));
    };
    std::uint64_t* const result = sort_words(word_of, words, other, n, nullptr, workspace);
    if (below > 0) sort_runs(values, items, result, result == words ? other : words, n, below, workspace);
    for_each_stretch(n, workspace, [=](std::size_t b, std::size_t e) {
      for (std::size_t i = b; i < e; ++i) out[i] = item_of(result[i]);
      if (sorted)
        for (std::size_t i = b; i < e; ++i) sorted[i] = values[items.number(item_of(result[i]))];
    });
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
