// rankgrad/pairwise/near_linear/moments.hpp: the Chebyshev moments sum w T_k(u) of every cell.
// SPDX-License-Identifier: MIT
//
// T_0 = 1, T_1 = u, T_k+1 = 2 u T_k - T_k-1 with lanes for items: two operations for each k and pack. Runs of a few
// hundred items are summed in T, then moved to double: the error of a float sum does not grow with the list.
//
// The items of a cell must stand next to each other for that. Few bins (by_registers): each pack is compressed once for
// each class, and each pack of one class once for each bin, into short buffers that stay in the first-level cache; the
// list is read once, in its own order. Many bins (by_sorting): a counting sort of each piece.
#pragma once

#include <rankgrad/pairwise/near_linear/items.hpp>
#include <rankgrad/simd/compress.hpp>
#include <rankgrad/simd/unroll.hpp>

namespace rankgrad::inline RANKGRAD_ABI::pairwise::near_linear {

/// How many items a cell collects before their moments are taken.
inline constexpr std::size_t run = 256;

/// Adds the moments of n items, one run, to `sums`.
template <bool weighted, Real T>
RANKGRAD_NOINLINE void add_moments(const T* u, const T* weights, std::size_t n, double* sums) {
  using namespace simd;
  constexpr std::size_t m = Order<T>::m;
  Pack<T> sum[m];
  RANKGRAD_UNROLL
  for (std::size_t k = 0; k < m; ++k) sum[k] = Pack<T>(T(0));
  const auto add = [&](std::size_t i, auto at) RANKGRAD_INLINE {
    const Pack<T> x = at.load(u + i, T(0)), twice = x + x;
    Pack<T> before = weighted ? at.load(weights + i, T(0)) : at.load_ones();   // lanes past the end: 0, and 0 they stay
    Pack<T> now = weighted ? before * x : x;
    sum[0] += before;
    sum[1] += now;
    RANKGRAD_UNROLL
    for (std::size_t k = 2; k < m; ++k) {
      const Pack<T> next = twice * now - before;
      sum[k] += next;
      before = now;
      now = next;
    }
  };
  std::size_t i = 0;
  for (; i + lanes<T> <= n; i += lanes<T>) add(i, Whole<T>{});
  if (i < n) add(i, Part<T>{n - i});
  RANKGRAD_UNROLL
  for (std::size_t k = 0; k < m; ++k) sums[k] += wide_sum(sum[k]);
}

/// Buffers of by_registers, for one piece at a time. The items of a class wait until `batch` of them are there: loops
/// of a constant length, for which the processor never guesses the end wrong.
template <Real T>
struct CompressBuffers {
  static constexpr std::size_t lanes = simd::lanes<T>, batch = 256;
  static constexpr std::size_t class_size = 2 * batch + lanes;        ///< less than a batch waits, a batch comes
  static constexpr std::size_t cell_size = run + batch + 2 * lanes;   ///< less than a run waits, a batch comes

  T *scores, *weights;             ///< [class][class_size]
  T *u, *bin;                      ///< [batch], of one class
  T *cell_u, *cell_weights;        ///< [cell][cell_size]

  CompressBuffers(std::size_t classes, std::size_t bins, bool weighted, Workspace& workspace)
      : scores(workspace.take<T>(classes * class_size, T(0))),
        weights(weighted ? workspace.take<T>(classes * class_size, T(0)) : nullptr), u(workspace.take<T>(batch)),
        bin(workspace.take<T>(batch)), cell_u(workspace.take<T>(classes * bins * cell_size)),
        cell_weights(weighted ? workspace.take<T>(classes * bins * cell_size) : nullptr) {}
};

/// One piece by registers: adds to sums[cell][row].
template <Terms terms, bool weighted, Real T>
class CompressedPiece {
  using Buffers = CompressBuffers<T>;
  static constexpr std::size_t lanes = simd::lanes<T>;

 public:
  static constexpr std::size_t max_cells = 64, max_classes = 8;

  CompressedPiece(const Items<T>& items, const Grid<T>& grid, const Buffers& buffers, double* sums)
      : items_(items), grid_(grid), buffers_(buffers), sums_(sums), bins_(grid.bins.count) {}

  void add(std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; i += Buffers::batch) {
      const std::size_t stop = std::min(i + Buffers::batch, end);
      split(i, stop);
      for (std::size_t c = 0; c < items_.classes; ++c)
        if (in_class_[c] >= Buffers::batch) distribute<true>(c, Buffers::batch);
    }
    for (std::size_t c = 0; c < items_.classes; ++c) distribute<false>(c, in_class_[c]);
    for (std::size_t cell = 0; cell < items_.classes * bins_; ++cell) take_out(cell, in_cell_[cell]);
  }

 private:
  /// Closes up the items of each class.
  void split(std::size_t begin, std::size_t end) {
    if (items_.target == Target::two_classes) {
      std::size_t negatives = in_class_[0], positives = in_class_[1];
      each_pack(begin, end, [&](Pack<T> s, Pack<T> label, Pack<T> w, std::uint32_t present) RANKGRAD_INLINE {
        const std::uint32_t positive = simd::lane_bits<T>(label > Pack<T>(T(0))) & present;
        append(0, s, w, positive ^ present, negatives);
        append(1, s, w, positive, positives);
      });
      in_class_[0] = negatives;
      in_class_[1] = positives;
    } else {
      each_pack(begin, end, [&](Pack<T> s, Pack<T> label, Pack<T> w, std::uint32_t present) RANKGRAD_INLINE {
        const Pack<T> grade = items_.class_of(label);
        Pack<T> number(T(0));
        for (std::size_t c = 0; c < items_.classes; ++c, number += Pack<T>(T(1)))
          append(c, s, w, simd::lane_bits<T>(grade == number) & present, in_class_[c]);
      });
    }
  }
  template <class Body>
  RANKGRAD_INLINE void each_pack(std::size_t begin, std::size_t end, Body body) const {
    using namespace simd;
    std::size_t i = begin;
    for (; i + lanes <= end; i += lanes)
      body(load(items_.scores + i), load(items_.labels + i), weighted ? load(items_.weights + i) : Pack<T>(T(0)), first_bits<T>(lanes));
    if (const std::size_t n = end - i; n > 0)
      body(load_n(items_.scores + i, n, T(0)), load_n(items_.labels + i, n, T(0)),
           weighted ? load_n(items_.weights + i, n, T(0)) : Pack<T>(T(0)), first_bits<T>(n));
  }
  RANKGRAD_INLINE void append(std::size_t c, Pack<T> s, Pack<T> w, std::uint32_t bits, std::size_t& count) const {
    simd::compress_store(buffers_.scores + c * Buffers::class_size + count, s, bits);
    if constexpr (weighted) simd::compress_store(buffers_.weights + c * Buffers::class_size + count, w, bits);
    count += static_cast<std::size_t>(std::popcount(bits));
  }

  /// Moves the first n items of class c to the buffers of their bins; `full`: n is the batch.
  template <bool full>
  RANKGRAD_NOINLINE void distribute(std::size_t c, std::size_t n) {
    using namespace simd;
    if constexpr (full) n = Buffers::batch;
    T* scores = buffers_.scores + c * Buffers::class_size;
    T* weights = weighted ? buffers_.weights + c * Buffers::class_size : nullptr;
    for (std::size_t i = 0; i < n; i += lanes) {
      const Binned<T> x = bin_of<terms>(load(scores + i), grid_.scaling);
      store(buffers_.u + i, x.u);
      store(buffers_.bin + i, x.bin - Pack<T>(grid_.first));
    }
    Pack<T> number(T(0));
    for (std::size_t b = 0; b < bins_; ++b, number += Pack<T>(T(1))) to_cell<full>(c * bins_ + b, number, weights, n);
    const std::size_t left = in_class_[c] -= n;
    for (std::size_t i = 0; i < left; i += lanes) {
      store(scores + i, load(scores + n + i));
      if constexpr (weighted) store(weights + i, load(weights + n + i));
    }
  }
  template <bool full>
  RANKGRAD_INLINE void to_cell(std::size_t cell, Pack<T> number, const T* weights, std::size_t n) {
    using namespace simd;
    T* to = buffers_.cell_u + cell * Buffers::cell_size;
    T* to_weights = weighted ? buffers_.cell_weights + cell * Buffers::cell_size : nullptr;
    const T *u = buffers_.u, *bin = buffers_.bin;
    std::size_t count = in_cell_[cell];
    const auto body = [&](std::size_t i, std::uint32_t present) RANKGRAD_INLINE {
      const std::uint32_t bits = lane_bits<T>(load(bin + i) == number) & present;
      compress_store(to + count, load(u + i), bits);
      if constexpr (weighted) compress_store(to_weights + count, load(weights + i), bits);
      count += static_cast<std::size_t>(std::popcount(bits));
    };
    if constexpr (full) {
      for (std::size_t i = 0; i < Buffers::batch; i += lanes) body(i, first_bits<T>(lanes));
    } else {
      std::size_t i = 0;
      for (; i + lanes <= n; i += lanes) body(i, first_bits<T>(lanes));
      if (i < n) body(i, first_bits<T>(n - i));
    }
    in_cell_[cell] = count;
    if (count >= run) take_out(cell, count / lanes * lanes);
  }

  /// Adds the first n items of a cell's buffer to its moments; less than a pack is left.
  void take_out(std::size_t cell, std::size_t n) {
    T* u = buffers_.cell_u + cell * Buffers::cell_size;
    T* w = weighted ? buffers_.cell_weights + cell * Buffers::cell_size : nullptr;
    if (n > 0) add_moments<weighted>(u, w, n, sums_ + cell * row<T>);
    in_cell_[cell] -= n;
    if (in_cell_[cell] == 0) return;
    simd::store(u, simd::load(u + n));
    if constexpr (weighted) simd::store(w, simd::load(w + n));
  }

  const Items<T>& items_;
  const Grid<T>& grid_;
  const Buffers& buffers_;
  double* sums_;
  const std::size_t bins_;
  std::size_t in_class_[max_classes] = {}, in_cell_[max_cells] = {};
};

/// A piece in the order of its cells.
template <Real T>
struct SortedPiece {
  T* u;                   ///< [n] sorted by cell
  std::uint32_t* place;   ///< [n] where in u each item of the piece stands
  std::uint32_t* begin;   ///< [cells + 2] where each cell begins in u; [cells] the end
};

/// Counting sort by cell. `other` is scratch of n, `weights` (with weights) receives the sorted weights.
template <Terms terms, Real T>
void sort_piece(const Items<T>& items, const Grid<T>& grid, std::size_t begin, std::size_t n, const SortedPiece<T>& piece, T* other,
                T* weights) {
  using namespace simd;
  const std::size_t cells = items.classes * grid.bins.count;
  const auto bins = static_cast<std::uint32_t>(grid.bins.count);
  const Pack<T> first(grid.first), stride(static_cast<T>(bins));
  std::fill_n(piece.begin, cells + 2, 0u);
  std::uint32_t* count = piece.begin + 2;
  const auto body = [&](std::size_t i, auto at, std::size_t present) RANKGRAD_INLINE {
    const Binned<T> x = bin_of<terms>(at.load(items.scores + begin + i, items.scores[begin]), grid.scaling);
    const Pack<T> c = items.class_of(at.load(items.labels + begin + i, items.labels[begin]));
    store(other + i, x.u);
    alignas(64) T cell[lanes<T>];
    store(cell, grid.compact ? c : fma(c, stride, x.bin - first));
    for (std::size_t l = 0; l < present; ++l) {
      std::uint32_t z = static_cast<std::uint32_t>(static_cast<Bits<T>>(cell[l]));
      if (grid.compact) z = z * bins + grid.compact[begin + i + l];
      piece.place[i + l] = z;
      ++count[z];
    }
  };
  std::size_t i = 0;
  for (; i + lanes<T> <= n; i += lanes<T>) body(i, Whole<T>{}, lanes<T>);
  if (i < n) body(i, Part<T>{n - i}, n - i);
  // Each count stands two places up: summed, it is where the cell begins, one place up; the scatter moves that to its end.
  for (std::size_t c = 1; c < cells; ++c) count[c] += count[c - 1];
  std::uint32_t* next = piece.begin + 1;
  for (i = 0; i < n; ++i) {
    const std::uint32_t to = next[piece.place[i]]++;
    piece.u[to] = other[i];
    if (weights) weights[to] = items.weights[begin + i];
    piece.place[i] = to;
  }
}

/// Adds the moments of a sorted piece, each cell's summed on its own first.
template <bool weighted, Real T>
void add_sorted(const SortedPiece<T>& piece, const T* weights, std::size_t cells, double* sums) {
  for (std::size_t c = 0; c < cells; ++c) {
    if (piece.begin[c] == piece.begin[c + 1]) continue;
    double part[row<T>] = {};
    for (std::size_t i = piece.begin[c]; i < piece.begin[c + 1]; i += run)
      add_moments<weighted>(piece.u + i, weighted ? weights + i : nullptr, std::min<std::size_t>(run, piece.begin[c + 1] - i), part);
    for (std::size_t k = 0; k < row<T>; ++k) sums[c * row<T> + k] += part[k];
  }
}

}  // namespace rankgrad::pairwise::near_linear
