// rankgrad/pairwise/near_linear/evaluate.hpp: each item reads its own slope (and curvature) from the series of its cell.
// SPDX-License-Identifier: MIT
//
// sum_k c_k u^k by Horner's rule: the potentials come in powers of u (chebyshev_tables.hpp). By registers, c_k of the lane's
// own cell is one permute of a table in registers, and the list is read and written once, in its own order. After
// sorting, c_k is one number for a whole run, and the items fetch their results from where they were sorted to.
#pragma once

#include <rankgrad/pairwise/near_linear/moments.hpp>
#include <rankgrad/simd/lookup.hpp>

namespace rankgrad::inline RANKGRAD_ABI::pairwise::near_linear {

template <class T, std::size_t packs = together>
struct Together {
  Pack<T> of[packs];
};

/// `count` polynomials in the same u, the j-th with coefficient(j, k, p) for u^k and pack p.
template <std::size_t count, class T, std::size_t packs, class Coefficient>
RANKGRAD_INLINE inline void polynomials(const Together<T, packs>& u, Together<T, packs>* sums, Coefficient coefficient) {
  constexpr std::size_t m = Order<T>::m;
  RANKGRAD_UNROLL
  for (std::size_t j = 0; j < count; ++j) {
    RANKGRAD_UNROLL
    for (std::size_t p = 0; p < packs; ++p) sums[j].of[p] = coefficient(j, m - 1, p);
  }
  for (std::size_t k = m - 1; k-- > 0;) {
    RANKGRAD_UNROLL
    for (std::size_t j = 0; j < count; ++j) {
      RANKGRAD_UNROLL
      for (std::size_t p = 0; p < packs; ++p) sums[j].of[p] = fma(sums[j].of[p], u.of[p], coefficient(j, k, p));
    }
  }
}

/// Coefficients by registers: [k][cell] in T, the gradient's factors already in them.
template <Real T>
struct RegisterTables {
  const T *slope, *curvature;   ///< [m][Cells]; curvature null where it is not wanted
};

/// table[k][cell] from rows [cell], 0 for the cells beyond.
template <std::size_t Cells, Real T>
void fill_table(const double* rows, std::size_t cells, double factor, T* table) {
  for (std::size_t k = 0; k < Order<T>::m; ++k)
    for (std::size_t c = 0; c < Cells; ++c)
      table[k * Cells + c] = c < cells ? static_cast<T>(factor * rows[c * row<T> + k]) : T(0);
}

/// A stretch of the list on its way through evaluation, in the first-level cache.
template <Real T>
struct EvaluationBlock {
  static constexpr std::size_t size = 512, padded = size + together * simd::lanes<T>;
  alignas(64) T u[padded], bend[padded], cell[padded];   ///< u: the offset in the bin; then the slope
};

template <Real T>
void find_cells(const Items<T>& items, const Grid<T>& grid, std::size_t begin, std::size_t n, EvaluationBlock<T>& block) {
  using namespace simd;
  const Pack<T> stride(static_cast<T>(grid.bins.count));
  bin_scores(items.scores + begin, n, grid.scaling, grid.terms, grid.first, block.u, block.cell);
  for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
    const Pack<T> c = items.class_of(at.load(items.labels + begin + i, items.labels[begin]));
    store(block.cell + i, fma(c, stride, load(block.cell + i)));
  });
}

/// The polynomials of the lanes' own cells, whole numbers in T from `first` on: tables[j] at [k][stride].
template <std::size_t Cells, std::size_t count, Real T>
RANKGRAD_INLINE inline void polynomials_by_cell(const T* u, const T* cells, const T* const* tables, Together<T>* sums,
                                                std::size_t stride = Cells, T first = T(0)) {
  using namespace simd;
  Together<T> x;
  Pack<Bits<T>> cell[together];
  RANKGRAD_UNROLL
  for (std::size_t p = 0; p < together; ++p) {
    x.of[p] = load(u + p * lanes<T>);
    cell[p] = table_index<T>(load(cells + p * lanes<T>) - Pack<T>(first));
  }
  polynomials<count>(x, sums, [&](std::size_t j, std::size_t k, std::size_t p) RANKGRAD_INLINE {
    return lookup<Cells>(tables[j] + k * stride, cell[p]);
  });
}

/// One potential for any number of bins: [k][stride] in T, factors already in it.
template <Real T>
class PotentialTable {
 public:
  static constexpr std::size_t window = 32;   ///< as many bins are in registers at once

  PotentialTable(std::size_t bins, Workspace& workspace)
      : bins_(bins), stride_(bins + window), entries_(workspace.take<T>(Order<T>::m * stride_, T(0))) {}

  /// From rows [bin].
  void fill(const double* rows, double factor) {
    for (std::size_t b = 0; b < bins_; ++b)
      for (std::size_t k = 0; k < Order<T>::m; ++k) entries_[k * stride_ + b] = static_cast<T>(factor * rows[b * row<T> + k]);
  }

  /// The potential at n places u of bins within `range`. `together` packs past the end are read, and written to `out`. Bins
  /// that are further apart than registers hold are looked for window by window.
  void evaluate(const T* u, const T* bin, const BinRange<T>& range, std::size_t n, T* out) const {
    if (range.high - range.low < T(window / 2)) return look<window / 2, true>(u, bin, range.low, n, out);
    look<window, true>(u, bin, range.low, n, out);
    for (T first = range.low + T(window); first <= range.high; first += T(window)) look<window, false>(u, bin, first, n, out);
  }

 private:
  /// Right for the bins of the window; what is above it is overwritten later, what is below stays.
  template <std::size_t Cells, bool lowest>
  RANKGRAD_NOINLINE void look(const T* u, const T* bin, T first, std::size_t n, T* out) const {
    using namespace simd;
    const T* const table = entries_ + static_cast<std::size_t>(first);
    for (std::size_t i = 0; i < n; i += together * lanes<T>) {
      Together<T> sums;
      polynomials_by_cell<Cells, 1>(u + i, bin + i, &table, &sums, stride_, first);
      RANKGRAD_UNROLL
      for (std::size_t p = 0; p < together; ++p) {
        const std::size_t at = i + p * lanes<T>;
        store(out + at, lowest ? sums.of[p] : select(load(bin + at) < Pack<T>(first), load(out + at), sums.of[p]));
      }
    }
  }

  std::size_t bins_, stride_;
  T* entries_;
};

template <std::size_t Cells, bool with_curvature, Real T>
RANKGRAD_NOINLINE void evaluate_block(const RegisterTables<T>& coefficients, std::size_t n, EvaluationBlock<T>& block) {
  using namespace simd;
  const T* tables[2] = {coefficients.slope, coefficients.curvature};
  for (std::size_t i = 0; i < n; i += together * lanes<T>) {
    Together<T> sums[1 + with_curvature];
    polynomials_by_cell<Cells, 1 + with_curvature>(block.u + i, block.cell + i, tables, sums);
    RANKGRAD_UNROLL
    for (std::size_t p = 0; p < together; ++p) {
      store(block.u + i + p * lanes<T>, sums[0].of[p]);
      if constexpr (with_curvature) store(block.bend + i + p * lanes<T>, sums[1].of[p]);
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
template <std::size_t Cells, Real T>
void evaluate_piece(const Items<T>& items, const Grid<T>& grid, const RegisterTables<T>& tables, std::size_t begin,
                    std::size_t end, T* grad, T* hess, EvaluationBlock<T>& block) {
  for (std::size_t i = begin; i < end; i += EvaluationBlock<T>::size) {
    const std::size_t n = std::min(EvaluationBlock<T>::size, end - i);
    find_cells(items, grid, i, n, block);
    const T* weights = items.weights ? items.weights + i : nullptr;
    if (hess) evaluate_block<Cells, true>(tables, n, block);
    else evaluate_block<Cells, false>(tables, n, block);
    add_weighted(block.u, weights, n, grad + i);
    if (hess) add_weighted(block.bend, weights, n, hess + i);
  }
}

/// The polynomials coefficients[count][m] of the items [begin, end) of one cell: use(i, left, sums) for each pack, `left`
/// of whose lanes, and of those that follow, are there. Packs are read past the end.
template <Real T, std::size_t count, class Use>
RANKGRAD_INLINE inline void for_each_run(const T* u, std::size_t begin, std::size_t end, const T (*coefficients)[Order<T>::m],
                                         Use use) {
  using namespace simd;
  const auto some = [&]<std::size_t packs>(std::integral_constant<std::size_t, packs>, std::size_t i) RANKGRAD_INLINE {
    Together<T, packs> x, sums[count];
    RANKGRAD_UNROLL
    for (std::size_t p = 0; p < packs; ++p) x.of[p] = load(u + i + p * lanes<T>);
    polynomials<count>(x, sums,
                       [&](std::size_t j, std::size_t k, std::size_t) RANKGRAD_INLINE { return Pack<T>(coefficients[j][k]); });
    RANKGRAD_UNROLL
    for (std::size_t p = 0; p < packs; ++p) {
      Pack<T> at[count];
      RANKGRAD_UNROLL
      for (std::size_t j = 0; j < count; ++j) at[j] = sums[j].of[p];
      use(i + p * lanes<T>, end - i - p * lanes<T>, static_cast<const Pack<T>*>(at));
    }
  };
  std::size_t i = begin;
  for (; i + together * lanes<T> <= end; i += together * lanes<T>) some(std::integral_constant<std::size_t, together>{}, i);
  for (; i < end; i += lanes<T>) some(std::integral_constant<std::size_t, 1>{}, i);
}

/// Replaces u by the slopes in a sorted piece, and writes the curvatures to `bend`; coefficients [cell][row].
template <bool with_curvature, Real T>
RANKGRAD_NOINLINE void evaluate_sorted(const SortedPiece<T>& piece, std::size_t cells, const double* slopes,
                                       const double* curvatures, double slope_factor, double curvature_factor, T* bend) {
  using namespace simd;
  constexpr std::size_t m = Order<T>::m;
  for (std::size_t c = 0; c < cells; ++c) {
    const std::size_t begin = piece.begin[c], end = piece.begin[c + 1];
    if (begin == end) continue;
    T coefficients[1 + with_curvature][m];
    for (std::size_t k = 0; k < m; ++k) {
      coefficients[0][k] = static_cast<T>(slope_factor * slopes[c * row<T> + k]);
      if constexpr (with_curvature) coefficients[1][k] = static_cast<T>(curvature_factor * curvatures[c * row<T> + k]);
    }
    for_each_run<T, 1 + with_curvature>(piece.u, begin, end, coefficients,
                                        [&](std::size_t i, std::size_t left, const Pack<T>* sums) RANKGRAD_INLINE {
      store_up_to(piece.u + i, left, sums[0]);   // what follows belongs to the next cell
      if constexpr (with_curvature) store_up_to(bend + i, left, sums[1]);
    });
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
