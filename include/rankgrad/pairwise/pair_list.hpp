// rankgrad/pairwise/pair_list.hpp: a list sorted by label, and the order in which its pairs are visited.
// SPDX-License-Identifier: MIT
//
// Sorted by label, descending, the less relevant items of row i are one contiguous run to the right of it: dense SIMD
// rows, row sums in registers, column sums in contiguous scratch, one scatter at the end.
#pragma once

#include <rankgrad/core/validate.hpp>
#include <rankgrad/simd/compress.hpp>
#include <rankgrad/simd/horizontal.hpp>
#include <rankgrad/simd/grade_order.hpp>
#include <rankgrad/simd/ranking.hpp>
#include <rankgrad/simd/rows.hpp>

namespace rankgrad::inline RANKGRAD_ABI::pairwise {

using simd::Pack;

/// A list in label order, most relevant first; arrays in the workspace, padded so that whole packs may be read past
/// the end: there the weight is 0 and the score that of the last item.
template <Real T>
struct PairList {
  std::size_t n = 0;
  T* scores = nullptr;
  T* labels = nullptr;
  T* weights = nullptr;
  std::uint32_t* order = nullptr;   ///< the item's place in the caller's arrays
  bool weighted = true;             ///< false: all weights are known to be 1

  /// The first place after i with a smaller label. (After i also where nobody checked and the label is NaN.)
  std::size_t worse_than(std::size_t i) const {
    const std::size_t next = i + 1;
    if (i >= n || labels[i] == labels[n - 1]) return n;
    const Pack<T> label(labels[i]);
    for (;; i += simd::lanes<T>) {
      const auto equal = static_cast<std::size_t>(std::countr_one(simd::lane_bits<T>(simd::load(labels + i) == label)));
      if (equal < simd::lanes<T>) return std::max(i + equal, next);
    }
  }
  /// All weights are 1.
  bool weightless() const { return !weighted || (n > 0 && weights[0] == T(1) && equally_weighted()); }
  bool equally_weighted() const {
    for (std::size_t i = 1; i < n; ++i)
      if (weights[i] != weights[0]) return false;
    return true;
  }
  /// W: the total weight of the comparable pairs.
  double pair_weight() const {
    double total = 0, above = 0;
    for (std::size_t i = 0; i < n;) {
      const std::size_t end = worse_than(i);
      double group = weighted ? 0 : static_cast<double>(end - i);
      for (; weighted && i < end; ++i) group += static_cast<double>(weights[i]);
      i = end;
      total += above * group;
      above += group;
    }
    return total;
  }
};

template <Real T>
T* gather(const T* values, const std::uint32_t* order, std::size_t n, T padding, Workspace& workspace) {
  T* sorted = workspace.take<T>(n, padding);
  for (std::size_t i = 0; i < n; ++i) sorted[i] = values[order[i]];
  return sorted;
}

/// Sorts by label, descending and stable, where all labels are whole numbers from 0 to 7: one pass per grade that takes its
/// items out, in packs, scores with them. Nothing is done and false returned where the labels are others. All arrays are
/// padded and may be written whole packs past the end.
template <Real T>
bool take_out_grades(const T* labels, const T* scores, std::size_t n, PairList<T>& pairs) {
  using namespace simd;
  constexpr unsigned grades = 8;
  const auto equal_to = [&](std::size_t i, T grade) {
    const Pack<T> y = load_up_to(labels + i, n - i, T(0));
    return lane_bits<T>(y == Pack<T>(grade)) & first_bits<T>(n - i);
  };
  std::size_t count = 0;
  for (unsigned g = grades; g-- > 0;) {
    const std::size_t before = count;
    for (std::size_t i = 0; i < n; i += lanes<T>) {
      const unsigned bits = equal_to(i, T(g));
      if (bits == 0) continue;
      store_selected_numbers<lanes<T>>(pairs.order + count, bits, static_cast<std::uint32_t>(i));
      compress_store(pairs.scores + count, load_up_to(scores + i, n - i, T(0)), bits);
      count += static_cast<std::size_t>(std::popcount(bits));
    }
    std::fill_n(pairs.labels + before, count - before, T(g));
    if (count == n) break;
  }
  return count == n;
}

/// The list sorted by label. `labels` may be others than the list's own (Mann-Whitney: y > 0).
template <Real T>
PairList<T> sort_by_label(const ListView<T>& list, const T* labels, Workspace& workspace) {
  constexpr std::size_t padding = 64 / sizeof(T), long_list = 1024;
  PairList<T> pairs;
  const std::size_t n = pairs.n = list.size();
  pairs.weighted = !list.weights.empty();
  pairs.order = workspace.take<std::uint32_t>(n);
  pairs.scores = workspace.take<T>(n);
  pairs.labels = workspace.take<T>(n);
  if (n > long_list || !take_out_grades(labels, list.scores.data(), n, pairs)) {
    if (n < 16 || !simd::order_by_grade(labels, n, pairs.order)) simd::rank_descending(labels, pairs.order, n, workspace);
    for (std::size_t i = 0; i < n; ++i) pairs.scores[i] = list.scores[pairs.order[i]], pairs.labels[i] = labels[pairs.order[i]];
  }
  std::fill_n(pairs.scores + n, padding, n ? pairs.scores[n - 1] : T(0));
  std::fill_n(pairs.labels + n, padding, T(0));
  pairs.weights = workspace.take<T>(n);
  if (pairs.weighted)
    for (std::size_t i = 0; i < n; ++i) pairs.weights[i] = list.weights[pairs.order[i]];
  else std::fill_n(pairs.weights, n, T(1));
  std::fill_n(pairs.weights + n, padding, T(0));
  return pairs;
}

/// Double running sums of a kernel, one of each per item, and column sums in T that are moved there in time. The
/// curvature arrays are null where it is not asked for.
template <Real T>
struct PairSums {
  T *column_slope = nullptr, *column_curvature = nullptr;
  double *slope = nullptr, *curvature = nullptr;

  PairSums(std::size_t n, bool with_curvature, Workspace& workspace)
      : column_slope(workspace.take<T>(n, T(0))), slope(workspace.take<double>(n, 0.0)) {
    if (!with_curvature) return;
    column_curvature = workspace.take<T>(n, T(0));
    curvature = workspace.take<double>(n, 0.0);
  }
  void move_columns(std::size_t begin, std::size_t end) const {
    simd::move_sums(column_slope + begin, end - begin, slope + begin);
    if (curvature) simd::move_sums(column_curvature + begin, end - begin, curvature + begin);
  }
};

template <std::size_t rows>
using Rows = std::integral_constant<std::size_t, rows>;

/// Calls visit(Rows<k>, i, first_worse) until every row has met its worse items: rows i .. i + k - 1, k a power of two up to
/// `together`, which all have the items from first_worse on as their worse ones. What belongs to a column is then read
/// and written once for k rows. Column sums move to double every 256 rows.
template <std::size_t together, Real T, class Visit>
RANKGRAD_INLINE inline void for_each_row(const PairList<T>& pairs, const PairSums<T>& sums, Visit&& visit) {
  constexpr std::size_t rows_per_flush = 256;
  const std::size_t n = pairs.n;
  for (std::size_t i = 0, first_worse = pairs.worse_than(0); first_worse < n;) {
    const std::size_t block_begin = first_worse;
    for (const std::size_t block_end = i + rows_per_flush; i < block_end && first_worse < n;) {
      const std::size_t end = std::min(block_end, first_worse);
      for (; i + together <= end; i += together) visit(Rows<together>{}, i, first_worse);
      if constexpr (together > 2)
        for (; i + 2 <= end; i += 2) visit(Rows<2>{}, i, first_worse);
      for (; i < end; ++i) visit(Rows<1>{}, i, first_worse);
      if (i == first_worse) first_worse = pairs.worse_than(i);
    }
    sums.move_columns(block_begin, n);
  }
}

}  // namespace rankgrad::pairwise
