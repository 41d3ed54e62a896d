// rankgrad/pairwise/near_linear/moments.hpp: the Chebyshev moments sum w T_k(u) of every cell.
// SPDX-License-Identifier: MIT
//
// T_0 = 1, T_1 = u, T_k+1 = 2 u T_k - T_k-1 with lanes for items: two operations for each k and pack. Runs of a few
// hundred items are summed in T, then moved to double: the error of a float sum does not grow with the list.
//
// The items of a cell must stand next to each other for that: few bins, closing_up.hpp; many bins, a counting sort of each
// piece.
#pragma once

#include <rankgrad/core/executor.hpp>
#include <rankgrad/pairwise/near_linear/items.hpp>
#include <rankgrad/simd/horizontal.hpp>

namespace rankgrad::inline RANKGRAD_ABI::pairwise::near_linear {

/// How many items a cell collects before their moments are taken, and how many items of a class go to their bins at once.
inline constexpr std::size_t run = 256, batch = 256;

/// The moments of one run, in registers.
template <Real T>
class MomentSums {
  static constexpr std::size_t m = Order<T>::m, padded_m = (m + 3) / 4 * 4;

 public:
  RANKGRAD_INLINE MomentSums() {
    RANKGRAD_UNROLL
    for (std::size_t k = 0; k < padded_m; ++k) sum_[k] = Pack<T>(T(0));
  }
  RANKGRAD_INLINE void add(Pack<T> w, Pack<T> u) {
    const Pack<T> twice = u + u;
    Pack<T> before = w, now = w * u;
    sum_[0] += before;
    sum_[1] += now;
    RANKGRAD_UNROLL
    for (std::size_t k = 2; k < m; ++k) {
      const Pack<T> next = twice * now - before;
      sum_[k] += next;
      before = now;
      now = next;
    }
  }
  /// to[k] += the k-th moment; `to` is a row.
  RANKGRAD_INLINE void move_to(double* to) const {
    RANKGRAD_UNROLL
    for (std::size_t k = 0; k < padded_m; k += 4) simd::add_four_sums(to + k, sum_ + k);
  }

 private:
  Pack<T> sum_[padded_m];
};

/// Adds the moments of n items of one cell, one run, to `sums`.
template <bool weighted, Real T>
RANKGRAD_NOINLINE void add_moments(const T* u, const T* weights, std::size_t n, double* sums) {
  using namespace simd;
  MomentSums<T> moments;
  std::size_t i = 0;
  for (; i + lanes<T> <= n; i += lanes<T>) moments.add(weighted ? load(weights + i) : Pack<T>(T(1)), load(u + i));
  if (i < n) {
    const Part<T> rest{n - i};   // lanes past the end: 0, and 0 they stay
    moments.add(weighted ? rest.load(weights + i, T(0)) : rest.load_ones(), rest.load(u + i, T(0)));
  }
  moments.move_to(sums);
}

/// sum(piece, its sums, workspace) for every piece, then the sums of all added in order to moments[cells][row]: one piece
/// may run beside another.
template <Real T, class Sum>
void moments_of_pieces(std::size_t pieces, std::size_t cells, double* moments, Workspace& workspace, const Sum& sum) {
  const auto frame = workspace.frame();
  const std::size_t size = cells * row<T>;
  if (pieces == 1) return sum(0, moments, workspace);
  double* parts = workspace.take<double>(pieces * size, 0.0);
  for_each_piece(pieces, workspace, [&](std::size_t p, Workspace& own) {
    const auto inner = own.frame();
    sum(p, parts + p * size, own);
  });
  for (std::size_t p = 0; p < pieces; ++p)
    for (std::size_t i = 0; i < size; ++i) moments[i] += parts[p * size + i];
}

/// A piece in the order of its cells.
template <Real T>
struct SortedPiece {
  static constexpr std::size_t after = together * simd::lanes<T>;
  T* u;                   ///< [n + after] sorted by cell; 0 past the end, where evaluation reads packs
  std::uint32_t* place;   ///< [n] where in u each item of the piece stands
  std::uint32_t* begin;   ///< [cells + 2] where each cell begins in u; [cells] the end
};

/// Counting sort by cell. `other` is scratch of n, `weights` (with weights) receives the sorted weights.
template <Real T>
void sort_piece(const Items<T>& items, const Grid<T>& grid, std::size_t begin, std::size_t n, const SortedPiece<T>& piece,
                T* other, T* weights) {
  using namespace simd;
  const std::size_t cells = items.classes * grid.bins.count;
  const auto bins = static_cast<std::uint32_t>(grid.bins.count);
  const Pack<T> stride(static_cast<T>(bins));
  std::fill_n(piece.begin, cells + 2, 0u);
  std::uint32_t* count = piece.begin + 2;
  std::size_t i = 0;
  for (; i < n; i += batch) {
    const std::size_t stop = std::min(batch, n - i);
    alignas(64) T cell[batch + lanes<T>];
    bin_scores(items.scores + begin + i, stop, grid.scaling, grid.terms, grid.first, other + i, cell);
    for_each_pack<T>(stop, [&](std::size_t k, auto at) RANKGRAD_INLINE {
      const Pack<T> c = items.class_of(at.load(items.labels + begin + i + k, items.labels[begin]));
      store(cell + k, grid.compact ? c : fma(c, stride, load(cell + k)));
    });
    for (std::size_t k = 0; k < stop; ++k) {
      std::uint32_t z = static_cast<std::uint32_t>(static_cast<Bits<T>>(cell[k]));
      if (grid.compact) z = z * bins + grid.compact[begin + i + k];
      piece.place[i + k] = z;
      ++count[z];
    }
  }
  // Each count stands two places up: summed, it is where the cell begins, one place up; the scatter moves that to its end.
  for (std::size_t c = 1; c < cells; ++c) count[c] += count[c - 1];
  std::uint32_t* next = piece.begin + 1;
  for (i = 0; i < n; ++i) {
    const std::uint32_t to = next[piece.place[i]]++;
    piece.u[to] = other[i];
    if (weights) weights[to] = items.weights[begin + i];
    piece.place[i] = to;
  }
  std::fill_n(piece.u + n, SortedPiece<T>::after, T(0));
}

/// Adds the moments of a sorted piece, each cell's summed on its own first.
template <bool weighted, Real T>
void add_sorted(const SortedPiece<T>& piece, const T* weights, std::size_t cells, double* sums) {
  for (std::size_t c = 0; c < cells; ++c) {
    if (piece.begin[c] == piece.begin[c + 1]) continue;
    double part[row<T>] = {};
    for (std::size_t i = piece.begin[c]; i < piece.begin[c + 1]; i += run)
      add_moments<weighted>(piece.u + i, weighted ? weights + i : nullptr, std::min<std::size_t>(run, piece.begin[c + 1] - i),
                            part);
    for (std::size_t k = 0; k < row<T>; ++k) sums[c * row<T> + k] += part[k];
  }
}

}  // namespace rankgrad::pairwise::near_linear
