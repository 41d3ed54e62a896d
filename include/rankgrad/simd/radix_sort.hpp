// rankgrad/simd/radix_sort.hpp: words of 64 bits by their upper half, least significant digit first, by one or by a team.
// SPDX-License-Identifier: MIT
//
// A team takes every pass together: a piece of the words counts its digits, and as offsets run by digit, then by piece,
// it moves its own words to places that no other piece writes. The words have moved by the next pass, so that digits are
// counted pass by pass, where one worker alone counts them all in one go. The order is the same: a stable one is unique.
#pragma once

#include <rankgrad/core/executor.hpp>
#include <rankgrad/core/workspace.hpp>

#include <algorithm>
#include <cstdint>
#include <utility>

namespace rankgrad::inline RANKGRAD_ABI::simd::detail {

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

template <unsigned bits>
struct Digits {
  static constexpr std::size_t count = (32 + bits - 1) / bits, values = std::size_t{1} << bits;
  static std::uint32_t digit(std::uint64_t word, std::size_t d) { return (key_of(word) >> (bits * d)) & (values - 1); }

  /// Every word to the next place of its digit; or its item number to `out`, if that is there.
  static void move(const std::uint64_t* words, std::size_t n, std::size_t d, std::uint32_t* place, std::uint64_t* to,
                   std::uint32_t* out) {
    std::size_t i = 0;
    if (out) {
      for (; i < n; ++i) out[place[digit(words[i], d)]++] = item_of(words[i]);
      return;
    }
    const auto put = [=](std::uint64_t word) { to[place[digit(word, d)]++] = word; };
    for (; i + 4 <= n; i += 4) {   // four at a time: loads do not wait for stores that might be to the same place
      const std::uint64_t first = words[i], second = words[i + 1], third = words[i + 2], fourth = words[i + 3];
      put(first), put(second), put(third), put(fourth);
    }
    for (; i < n; ++i) put(words[i]);
  }
};

/// Sorts by key, in passes of `bits` bits between the two arrays. Returns in which of them the result stands; or the
/// last pass writes the item numbers to `out`, if that is there.
template <unsigned bits>
std::uint64_t* radix_sort(std::uint64_t* words, std::uint64_t* other, std::size_t n, std::uint32_t* out) {
  using D = Digits<bits>;
  std::uint32_t places[D::count][D::values] = {};
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t d = 0; d < D::count; ++d) ++places[d][D::digit(words[i], d)];
  std::size_t used[D::count], passes = 0;
  for (std::size_t d = 0; d < D::count; ++d) {
    if (places[d][D::digit(words[0], d)] == n) continue;
    std::uint32_t next = 0;
    for (std::uint32_t& place : places[d]) next += std::exchange(place, next);
    used[passes++] = d;
  }
  for (std::size_t pass = 0; pass < passes; ++pass, std::swap(words, other)) {
    const bool last = out && pass + 1 == passes;
    D::move(words, n, used[pass], places[used[pass]], other, last ? out : nullptr);
    if (last) return nullptr;
  }
  if (out)
    for (std::size_t i = 0; i < n; ++i) out[i] = item_of(words[i]);
  return words;
}

/// Three passes of 11 bits are less work than four of 8. But short lists do not repay 2048 counters, and in long ones, whose
/// words are far from the processor, 2048 places to write to are more than it keeps addresses for: measured.
inline constexpr std::size_t longest_inserted = 24, longest_by_bytes = 2500, longest_by_elevens = 450'000;

inline bool sorts_by_bytes(std::size_t n) { return n <= longest_by_bytes || n > longest_by_elevens; }

inline std::uint64_t* sort_words(std::uint64_t* words, std::uint64_t* other, std::size_t n, std::uint32_t* out = nullptr) {
  return sorts_by_bytes(n) ? radix_sort<8>(words, other, n, out) : radix_sort<11>(words, other, n, out);
}

/// Sorts the words word_of(i), i < n, by the team of the workspace.
template <unsigned bits, class WordOf>
std::uint64_t* radix_sort(const WordOf& word_of, std::uint64_t* words, std::uint64_t* other, std::size_t n, std::uint32_t* out,
                          Workspace& workspace) {
  using D = Digits<bits>;
  const auto frame = workspace.frame();
  const std::size_t pieces = 4 * std::clamp<std::size_t>(n / 65536, 1, 4);   // every one has counters to be added up
  auto* const counters = workspace.take<std::uint32_t>(pieces * D::values);
  auto* const differ = workspace.take<std::uint32_t>(pieces);   // the bits in which a key of the piece is not the first
  const auto begin = [=](std::size_t piece) { return n * piece / pieces; };
  for_each_piece(pieces, workspace, [&](std::size_t piece, Workspace&) {
    std::uint32_t *const count = counters + piece * D::values, differing = 0;
    std::fill_n(count, D::values, 0);
    const std::uint64_t first = word_of(0);
    for (std::size_t i = begin(piece), end = begin(piece + 1); i < end; ++i) {
      const std::uint64_t word = words[i] = word_of(i);
      ++count[D::digit(word, 0)];
      differing |= key_of(word ^ first);
    }
    differ[piece] = differing;
  });
  std::uint64_t differing = 0;
  for (std::size_t piece = 0; piece < pieces; ++piece) differing |= differ[piece];
  for (std::size_t d = 0; d < D::count; ++d) {
    if ((differing >> (bits * d)) % D::values == 0) continue;
    if (d > 0)
      for_each_piece(pieces, workspace, [=](std::size_t piece, Workspace&) {
        std::uint32_t* const count = counters + piece * D::values;
        std::fill_n(count, D::values, 0);
        for (std::size_t i = begin(piece), end = begin(piece + 1); i < end; ++i) ++count[D::digit(words[i], d)];
      });
    // How many with the same digit stand in the pieces before; then, how many have a lower one.
    std::uint32_t places[D::values] = {}, next = 0;
    for (std::size_t piece = 0; piece < pieces; ++piece)
      for (std::size_t v = 0; v < D::values; ++v) {
        const std::uint32_t count = std::exchange(counters[piece * D::values + v], places[v]);
        places[v] += count;
      }
    for (std::uint32_t& place : places) next += std::exchange(place, next);
    const bool last = out && differing >> (bits * (d + 1)) == 0;
    for_each_piece(pieces, workspace, [=, &places](std::size_t piece, Workspace&) {
      std::uint32_t* const place = counters + piece * D::values;
      for (std::size_t v = 0; v < D::values; ++v) place[v] += places[v];
      D::move(words + begin(piece), begin(piece + 1) - begin(piece), d, place, other, last ? out : nullptr);
    });
    if (last) return nullptr;
    std::swap(words, other);
  }
  if (out)
    for (std::size_t i = 0; i < n; ++i) out[i] = item_of(words[i]);   // all keys are the same
  return words;
}

/// Sorts the words word_of(i), i < n, by whoever is there. Short lists are not worth the calls.
template <class WordOf>
std::uint64_t* sort_words(const WordOf& word_of, std::uint64_t* words, std::uint64_t* other, std::size_t n, std::uint32_t* out,
                          Workspace& workspace) {
  if (workspace.team() && n >= 16384)
    return sorts_by_bytes(n) ? radix_sort<8>(word_of, words, other, n, out, workspace)
                             : radix_sort<11>(word_of, words, other, n, out, workspace);
  for (std::size_t i = 0; i < n; ++i) words[i] = word_of(i);
  return sort_words(words, other, n, out);
}

}  // namespace rankgrad::simd::detail
