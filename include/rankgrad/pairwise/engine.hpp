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

/// The list sorted by label. `labels` may be others than the list's own (Mann-Whitney: y > 0).
template <Real T>
PairList<T> sort_by_label(const ListView<T>& list, const T* labels, Workspace& workspace) {
  PairList<T> pairs;
  const std::size_t n = pairs.n = list.size();
  pairs.order = workspace.take<std::uint32_t>(n);
  for (std::size_t i = 0; i < n; ++i) pairs.order[i] = static_cast<std::uint32_t>(i);
  simd::sort_descending(labels, pairs.order, n, workspace);
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

template <bool WithCurvature, Real T, class Phi, class Weighting>
double all_pairs(const Phi& phi, const Weighting& weighting, const PairList<T>& pairs, const PairSums<T>& sums) {
  using namespace simd;
  constexpr std::size_t rows_per_flush = 256;
  const std::size_t n = pairs.n;
  double value = 0;
  for (std::size_t i = 0, first_worse = pairs.worse_than(0); first_worse < n;) {
    const std::size_t block_begin = first_worse;
    for (const std::size_t block_end = i + rows_per_flush; i < block_end && first_worse < n; ++i) {
      if (i == first_worse && (first_worse = pairs.worse_than(i)) == n) break;
      const Pack<T> score(pairs.scores[i]), weight(pairs.weights[i]);
      const auto omega = weighting.template row<T>(i);
      for (std::size_t j = first_worse; j < n;) {
        const std::size_t chunk_end = std::min(n, j + packs_per_flush * lanes<T>);
        Pack<T> row_value(T(0)), row_slope(T(0)), row_curvature(T(0));
        for (; j < chunk_end; j += lanes<T>) {
          const Term<T> term = phi.template operator()<T>(score - load(pairs.scores + j));
          const Pack<T> w = weight * load(pairs.weights + j) * omega(j), slope = w * term.slope;
          row_value = fma(w, term.value, row_value);
          row_slope += slope;
          store(sums.column_slope + j, load(sums.column_slope + j) - slope);
          if constexpr (WithCurvature) {
            const Pack<T> curvature = w * term.curvature;
            row_curvature += curvature;
            accumulate(sums.column_curvature + j, curvature);
          }
        }
        value += wide_sum(row_value);
        sums.slope[i] += wide_sum(row_slope);
        if constexpr (WithCurvature) sums.curvature[i] += wide_sum(row_curvature);
      }
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
