// rankgrad/pairwise/engine.hpp: all pairs of one list in which one item is more relevant than the other.
// SPDX-License-Identifier: MIT
//
//   L = (1 / W) sum_{y_i > y_j} w_i w_j omega_ij phi(s_i - s_j)
//
// with item weights w, a pair weight omega held constant in the gradient, and W = sum_{y_i > y_j} w_i w_j for
// Normalize::mean, 1 for sum. A weight of 2 is therefore the same as listing the item twice.
//
// Items are sorted by label first, so that the less relevant items of row i are one contiguous run to the right: dense
// SIMD rows, row sums in registers, column sums in contiguous scratch, one scatter at the end. O(n^2) time, O(n) memory.
// Column sums move to double every 256 rows and row sums every 64 packs, so float errors do not grow with the list.
//
// Read first: pairwise/phi.hpp. Reader's map: PairList (the sorted list), Uniform (the simplest pair weight),
// all_pairs (the kernel), comparable_pairs (what a loss calls).
#pragma once

#include <rankgrad/core/concepts.hpp>
#include <rankgrad/core/validate.hpp>
#include <rankgrad/pairwise/phi.hpp>
#include <rankgrad/simd/ranking.hpp>
#include <rankgrad/simd/rows.hpp>

#include <array>
#include <utility>

namespace rankgrad::inline RANKGRAD_ABI::pairwise {

/// A list in label order, most relevant first; arrays in the workspace, padded so that whole packs may be read past
/// the end: there the weight is 0 and the score that of the last item.
template <Real T>
struct PairList {
  std::size_t n = 0;
  T* scores = nullptr;
  T* labels = nullptr;
  T* weights = nullptr;
  std::uint32_t* order = nullptr;   ///< the item's place in the caller's arrays

  /// The first place after i with a smaller label.
  std::size_t worse_than(std::size_t i) const {
    if (i >= n || labels[i] == labels[n - 1]) return n;
    const T label = labels[i];
    while (labels[i] == label) ++i;
    return i;
  }
  /// W: the total weight of the comparable pairs.
  double pair_weight() const {
    double total = 0, above = 0;
    for (std::size_t i = 0; i < n;) {
      double group = 0;
      const std::size_t end = worse_than(i);
      for (; i < end; ++i) group += static_cast<double>(weights[i]);
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

/// Sorts by label, descending and stable, where all labels are whole numbers below 32, as grades are: one counting pass.
/// False: they are not, and nothing is done.
template <Real T>
bool order_by_grade(const T* labels, std::size_t n, std::uint32_t* order) {
  constexpr std::size_t grades = 32;
  std::uint32_t next[grades] = {};   // after the sums: where the next item of grade g goes
  for (std::size_t i = 0; i < n; ++i) {
    if (!(labels[i] >= T(0) && labels[i] < T(grades))) return false;
    const auto grade = static_cast<std::uint32_t>(labels[i]);
    if (static_cast<T>(grade) != labels[i]) return false;
    ++next[grade];
  }
  std::uint32_t above = 0;
  for (std::size_t g = grades; g-- > 0;) above += std::exchange(next[g], above);
  for (std::size_t i = 0; i < n; ++i) order[next[static_cast<std::uint32_t>(labels[i])]++] = static_cast<std::uint32_t>(i);
  return true;
}

/// The list sorted by label. `labels` may be others than the list's own (Mann-Whitney: y > 0).
template <Real T>
PairList<T> sort_by_label(const ListView<T>& list, const T* labels, Workspace& workspace) {
  PairList<T> pairs;
  const std::size_t n = pairs.n = list.size();
  pairs.order = workspace.take<std::uint32_t>(n);
  if (n < 16 || !order_by_grade(labels, n, pairs.order)) {
    for (std::size_t i = 0; i < n; ++i) pairs.order[i] = static_cast<std::uint32_t>(i);
    simd::sort_descending(labels, pairs.order, n, workspace);
  }
  pairs.scores = gather(list.scores.data(), pairs.order, n, n ? list.scores[pairs.order[n - 1]] : T(0), workspace);
  pairs.labels = gather(labels, pairs.order, n, T(0), workspace);
  if (list.weights.empty()) {
    pairs.weights = workspace.take<T>(n, T(0));
    std::fill_n(pairs.weights, n, T(1));
  } else {
    pairs.weights = gather(list.weights.data(), pairs.order, n, T(0), workspace);
  }
  return pairs;
}

/// omega_ij = 1. A weighting has row<T>(i), a function of j that gives omega_ij .. omega_i,j+lanes-1.
struct Uniform {
  template <class T>
  static auto row(std::size_t) {
    return [](std::size_t) { return Pack<T>(T(1)); };
  }
};

/// Double running sums of the kernel, and float ones that are moved there in time.
template <Real T>
struct PairSums {
  T *column_slope, *column_curvature;
  double *slope, *curvature;
};

/// Rows i .. i + rows - 1, which have the same worse items, together: what belongs to a column is read and written once
/// for all of them.
template <std::size_t rows, bool WithCurvature, Real T, class Phi, class Weighting>
double pair_rows(const Phi& phi, const Weighting& weighting, const PairList<T>& pairs, const PairSums<T>& sums, std::size_t i,
                 std::size_t first_worse) {
  using namespace simd;
  const auto omega = [&]<std::size_t... r>(std::index_sequence<r...>) {
    return std::array{weighting.template row<T>(i + r)...};
  }(std::make_index_sequence<rows>());
  double total = 0;
  for (std::size_t j = first_worse; j < pairs.n;) {
    const std::size_t chunk_end = std::min(pairs.n, j + packs_per_flush * lanes<T>);
    Pack<T> value[rows], slope[rows], curvature[rows];
    for (std::size_t r = 0; r < rows; ++r) value[r] = slope[r] = curvature[r] = Pack<T>(T(0));
    for (; j < chunk_end; j += lanes<T>) {
      const Pack<T> other = load(pairs.scores + j), other_weight = load(pairs.weights + j);
      Pack<T> column_slope = load(sums.column_slope + j), column_curvature(T(0));
      for (std::size_t r = 0; r < rows; ++r) {
        const Term<T> term = phi.template operator()<T>(Pack<T>(pairs.scores[i + r]) - other);
        const Pack<T> w = Pack<T>(pairs.weights[i + r]) * other_weight * omega[r](j), pull = w * term.slope;
        value[r] = fma(w, term.value, value[r]);
        slope[r] += pull;
        column_slope -= pull;
        if constexpr (WithCurvature) {
          const Pack<T> bend = w * term.curvature;
          curvature[r] += bend;
          column_curvature += bend;
        }
      }
      store(sums.column_slope + j, column_slope);
      if constexpr (WithCurvature) accumulate(sums.column_curvature + j, column_curvature);
    }
    for (std::size_t r = 0; r < rows; ++r) {
      total += wide_sum(value[r]);
      sums.slope[i + r] += wide_sum(slope[r]);
      if constexpr (WithCurvature) sums.curvature[i + r] += wide_sum(curvature[r]);
    }
  }
  return total;
}

template <bool WithCurvature, Real T, class Phi, class Weighting>
double all_pairs(const Phi& phi, const Weighting& weighting, const PairList<T>& pairs, const PairSums<T>& sums) {
  constexpr std::size_t rows_per_flush = 256, together = 4;
  const std::size_t n = pairs.n;
  double value = 0;
  for (std::size_t i = 0, first_worse = pairs.worse_than(0); first_worse < n;) {
    const std::size_t block_begin = first_worse;
    for (const std::size_t block_end = i + rows_per_flush; i < block_end && first_worse < n;) {
      for (const std::size_t end = std::min(block_end, first_worse); i < end;) {
        if (i + together <= end) {
          value += pair_rows<together, WithCurvature>(phi, weighting, pairs, sums, i, first_worse);
          i += together;
        } else {
          value += pair_rows<1, WithCurvature>(phi, weighting, pairs, sums, i++, first_worse);
        }
      }
      if (i == first_worse) first_worse = pairs.worse_than(i);
    }
    for (std::size_t j = block_begin; j < n; ++j) {
      sums.slope[j] += static_cast<double>(std::exchange(sums.column_slope[j], T(0)));
      if constexpr (WithCurvature) sums.curvature[j] += static_cast<double>(std::exchange(sums.column_curvature[j], T(0)));
    }
  }
  return value;
}

/// The loss over the comparable pairs of a sorted list, its gradient scattered to where the items came from.
template <Real T, class Phi, class Weighting>
Contribution<T> comparable_pairs(const Phi& phi, const Weighting& weighting, Normalize normalize, const PairList<T>& pairs,
                                 const GradientSink<T>& out, Workspace& workspace) {
  const std::size_t n = pairs.n;
  const double total_weight = pairs.pair_weight();
  if (!(total_weight > 0)) return {};
  const auto frame = workspace.frame();
  const PairSums<T> sums{workspace.take<T>(n, T(0)), out.hess ? workspace.take<T>(n, T(0)) : nullptr,
                         workspace.take<double>(n, 0.0), out.hess ? workspace.take<double>(n, 0.0) : nullptr};
  const double value = out.hess ? all_pairs<true>(phi, weighting, pairs, sums) : all_pairs<false>(phi, weighting, pairs, sums);
  const double factor = normalize == Normalize::mean ? 1 / total_weight : 1;
  for (std::size_t i = 0; i < n; ++i)
    out.add(pairs.order[i], T(factor * sums.slope[i]), out.hess ? T(factor * sums.curvature[i]) : T(0));
  return {T(factor * value), true};
}

/// What an unweighted pairwise loss calls.
template <Real T, class Phi>
Contribution<T> comparable_pairs(const Phi& phi, Normalize normalize, const ListView<T>& list, const GradientSink<T>& out,
                                 Workspace& workspace) {
  checked_size(list);
  const auto frame = workspace.frame();
  return comparable_pairs(phi, Uniform{}, normalize, sort_by_label(list, list.labels.data(), workspace), out, workspace);
}

}  // namespace rankgrad::pairwise
