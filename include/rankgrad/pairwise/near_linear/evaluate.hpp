// rankgrad/pairwise/near_linear/evaluate.hpp: each item reads its own slope (and curvature) from the series of its cell.
// SPDX-License-Identifier: MIT
//
// sum_k c_k T_k(u) by Clenshaw's recurrence, b_k = c_k + 2 u b_k+1 - b_k+2, sum = c_0 + u b_1 - b_2; with the curvature,
// both sums share the T_k instead. By registers, c_k of the lane's own cell is one permute of a table in registers, and
// the list is read and written once, in its own order. After sorting, c_k is one number for a whole run, and the items
// fetch their results from where they were sorted to.
#pragma once

#include <rankgrad/pairwise/near_linear/moments.hpp>
#include <rankgrad/simd/lookup.hpp>

namespace rankgrad::inline RANKGRAD_ABI::pairwise::near_linear {

/// Packs worked on at once, so that their recurrences do not wait for each other.
inline constexpr std::size_t together = 4;

template <class T>
struct Together {
  Pack<T> of[together];
};

/// The series with coefficient(k, p) for pack p.
template <class T, class Coefficient>
RANKGRAD_INLINE inline Together<T> series(const Together<T>& u, Coefficient coefficient) {
  constexpr std::size_t m = Order<T>::m;
  Together<T> next, now, sum;
  RANKGRAD_UNROLL
  for (std::size_t p = 0; p < together; ++p) {
    next.of[p] = coefficient(m - 1, p);
    now.of[p] = fma(u.of[p] + u.of[p], next.of[p], coefficient(m - 2, p));
  }
  RANKGRAD_UNROLL
  for (std::size_t step = 3; step < m; ++step) {
    RANKGRAD_UNROLL
    for (std::size_t p = 0; p < together; ++p) {
      const Pack<T> b = fma(u.of[p] + u.of[p], now.of[p], coefficient(m - step, p) - next.of[p]);
      next.of[p] = now.of[p];
      now.of[p] = b;
    }
  }
  RANKGRAD_UNROLL
  for (std::size_t p = 0; p < together; ++p) sum.of[p] = fma(u.of[p], now.of[p], coefficient(0, p) - next.of[p]);
  return sum;
}

/// Two series in the same u.
template <class T, class First, class Second>
RANKGRAD_INLINE inline void two_series(const Together<T>& u, Together<T>& a, Together<T>& b, First first, Second second) {
  constexpr std::size_t m = Order<T>::m;
  Together<T> before, now;
  RANKGRAD_UNROLL
  for (std::size_t p = 0; p < together; ++p) {
    before.of[p] = Pack<T>(T(1));
    now.of[p] = u.of[p];
    a.of[p] = fma(u.of[p], first(1, p), first(0, p));
    b.of[p] = fma(u.of[p], second(1, p), second(0, p));
  }
  RANKGRAD_UNROLL
  for (std::size_t k = 2; k < m; ++k) {
    RANKGRAD_UNROLL
    for (std::size_t p = 0; p < together; ++p) {
      const Pack<T> t = (u.of[p] + u.of[p]) * now.of[p] - before.of[p];
      a.of[p] = fma(t, first(k, p), a.of[p]);
      b.of[p] = fma(t, second(k, p), b.of[p]);
      before.of[p] = now.of[p];
      now.of[p] = t;
    }
  }
}

/// Coefficients by registers: [k][cell] in T, the gradient's factors already in them.
template <Real T>
struct RegisterTables {
  const T *slope, *curvature;   ///< [m][Cells]; curvature null where it is not wanted
};

/// A stretch of the list on its way through evaluation, in the first-level cache.
template <Real T>
struct EvaluationBlock {
  static constexpr std::size_t size = 512, padded = size + together * simd::lanes<T>;
  alignas(64) T u[padded], bend[padded];   ///< the offset in the bin; then the slope, and the curvature
  alignas(64) simd::Bits<T> cell[padded];
};

template <Terms terms, Real T>
RANKGRAD_NOINLINE void find_cells(const Items<T>& items, const Grid<T>& grid, std::size_t begin, std::size_t n, EvaluationBlock<T>& block) {
  using namespace simd;
  const Pack<T> first(grid.first), stride(static_cast<T>(grid.bins.count));
  for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
    const Binned<T> x = bin_of<terms>(at.load(items.scores + begin + i, items.scores[begin]), grid.scaling);
    const Pack<T> c = items.class_of(at.load(items.labels + begin + i, items.labels[begin]));
    store(block.u + i, x.u);
    table_index<T>(fma(c, stride, x.bin - first)).store_unaligned(block.cell + i);
  });
}

template <std::size_t Cells, bool with_curvature, Real T>
RANKGRAD_NOINLINE void evaluate_block(const RegisterTables<T>& tables, std::size_t n, EvaluationBlock<T>& block) {
  using namespace simd;
  for (std::size_t i = 0; i < n; i += together * lanes<T>) {
    Together<T> u, slope, bend;
    Pack<Bits<T>> cell[together];
    RANKGRAD_UNROLL
    for (std::size_t p = 0; p < together; ++p) {
      u.of[p] = load(block.u + i + p * lanes<T>);
      cell[p] = Pack<Bits<T>>::load_unaligned(block.cell + i + p * lanes<T>);
    }
    const auto slopes = [&](std::size_t k, std::size_t p) RANKGRAD_INLINE { return lookup<Cells>(tables.slope + k * Cells, cell[p]); };
    if constexpr (with_curvature) {
      two_series<T>(u, slope, bend, slopes,
                    [&](std::size_t k, std::size_t p) RANKGRAD_INLINE { return lookup<Cells>(tables.curvature + k * Cells, cell[p]); });
    } else {
      slope = series<T>(u, slopes);
    }
    RANKGRAD_UNROLL
    for (std::size_t p = 0; p < together; ++p) {
      store(block.u + i + p * lanes<T>, slope.of[p]);
      if constexpr (with_curvature) store(block.bend + i + p * lanes<T>, bend.of[p]);
    }
  }
}

/// out += weights * values
template <Real T>
void add_weighted(const T* values, const T* weights, std::size_t n, T* out) {
  simd::for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
    const Pack<T> v = at.load(values + i, T(0));
    at.accumulate(out + i, weights ? v * at.load(weights + i, T(0)) : v);
  });
}

/// One piece by registers.
template <std::size_t Cells, Terms terms, Real T>
void evaluate_piece(const Items<T>& items, const Grid<T>& grid, const RegisterTables<T>& tables, std::size_t begin, std::size_t end,
                    T* grad, T* hess, EvaluationBlock<T>& block) {
  for (std::size_t i = begin; i < end; i += EvaluationBlock<T>::size) {
    const std::size_t n = std::min(EvaluationBlock<T>::size, end - i);
    find_cells<terms>(items, grid, i, n, block);
    const T* weights = items.weights ? items.weights + i : nullptr;
    if (hess) evaluate_block<Cells, true>(tables, n, block);
    else evaluate_block<Cells, false>(tables, n, block);
    add_weighted(block.u, weights, n, grad + i);
    if (hess) add_weighted(block.bend, weights, n, hess + i);
  }
}

/// Replaces u by the slopes in a sorted piece, and writes the curvatures to `bend`; coefficients [cell][row].
template <bool with_curvature, Real T>
void evaluate_sorted(const SortedPiece<T>& piece, std::size_t cells, const double* slopes, const double* curvatures, double slope_factor,
                     double curvature_factor, T* bend) {
  using namespace simd;
  constexpr std::size_t m = Order<T>::m;
  for (std::size_t c = 0; c < cells; ++c) {
    const std::size_t begin = piece.begin[c], end = piece.begin[c + 1];
    if (begin == end) continue;
    T first[m], second[m];
    for (std::size_t k = 0; k < m; ++k) {
      first[k] = static_cast<T>(slope_factor * slopes[c * row<T> + k]);
      if constexpr (with_curvature) second[k] = static_cast<T>(curvature_factor * curvatures[c * row<T> + k]);
    }
    for (std::size_t i = begin; i < end; i += together * lanes<T>) {
      const std::size_t left = end - i;
      Together<T> u, slope, curvature;
      for (std::size_t p = 0; p < together; ++p) u.of[p] = load(piece.u + i + p * lanes<T>);
      const auto a = [&](std::size_t k, std::size_t) RANKGRAD_INLINE { return Pack<T>(first[k]); };
      if constexpr (with_curvature)
        two_series<T>(u, slope, curvature, a, [&](std::size_t k, std::size_t) RANKGRAD_INLINE { return Pack<T>(second[k]); });
      else slope = series<T>(u, a);
      const auto put = [&](T* to, const Together<T>& v) RANKGRAD_INLINE {   // what follows belongs to the next cell
        for (std::size_t p = 0; p < together; ++p) {
          if (left >= (p + 1) * lanes<T>) store(to + i + p * lanes<T>, v.of[p]);
          else if (left > p * lanes<T>) store_n(to + i + p * lanes<T>, left - p * lanes<T>, v.of[p]);
        }
      };
      put(piece.u, slope);
      if constexpr (with_curvature) put(bend, curvature);
    }
  }
}

/// Adds what the items of a sorted piece find at their places to the caller's array.
template <Real T>
void collect(const std::uint32_t* place, const T* sorted, const T* weights, std::size_t n, T* out) {
  if (weights)
    for (std::size_t i = 0; i < n; ++i) out[i] += weights[i] * sorted[place[i]];
  else
    for (std::size_t i = 0; i < n; ++i) out[i] += sorted[place[i]];
}

}  // namespace rankgrad::pairwise::near_linear
