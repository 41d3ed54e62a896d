// rankgrad/pairwise/near_linear/moments.hpp: the Chebyshev moments sum w T_k(u) of every cell.
// SPDX-License-Identifier: MIT
//
// T_0 = 1, T_1 = u, T_k+1 = 2 u T_k - T_k-1 with lanes for items: two operations for each k and pack. Runs of at most
// `run` items are summed in T, then moved to double: the error of a float sum does not grow with the list.
//
// The items of a cell must stand next to each other for that. Few bins (by_registers): each pack is compressed once for
// each class, and each pack of one class once for each bin, into short buffers that stay in the first-level cache; the
// list is read once, in its own order. Many bins (by_sorting): a counting sort of each piece.
#pragma once

#include <rankgrad/pairwise/near_linear/items.hpp>
#include <rankgrad/simd/compress.hpp>
#include <rankgrad/simd/unroll.hpp>

namespace rankgrad::inline RANKGRAD_ABI::pairwise::near_linear {

inline constexpr std::size_t run = 256;

/// Adds the moments of n <= run items to `sums`.
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

/// Buffers of by_registers for one piece.
template <Real T>
struct CompressBuffers {
  static constexpr std::size_t group = 8 * simd::lanes<T>;      ///< a cell is looked at after this many items
  static constexpr std::size_t block = 512;                     ///< items split by class at a time
  static constexpr std::size_t split_size = block + 2 * simd::lanes<T>;
  static constexpr std::size_t cell_size = run + group + 2 * simd::lanes<T>;

  T *split, *split_weights, *cell, *cell_weights;

  CompressBuffers(std::size_t classes, std::size_t bins, bool weighted, Workspace& workspace)
      : split(workspace.take<T>(classes * split_size)), split_weights(weighted ? workspace.take<T>(classes * split_size) : nullptr),
        cell(workspace.take<T>(classes * bins * cell_size)),
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
    for (std::size_t i = begin; i < end; i += Buffers::block) {
      const std::size_t stop = std::min(i + Buffers::block, end);
      split(i, stop);
      for (std::size_t c = 0; c < items_.classes; ++c) distribute(c, stop == end);
    }
    for (std::size_t cell = 0; cell < items_.classes * bins_; ++cell)
      if (count_[cell]) drain(cell, count_[cell]);
  }

 private:
  /// Closes up the items of each class.
  void split(std::size_t begin, std::size_t end) {
    using namespace simd;
    const auto body = [&](std::size_t i, auto at, std::uint32_t present) RANKGRAD_INLINE {
      const Pack<T> s = at.load(items_.scores + i, T(0)), labels = at.load(items_.labels + i, T(0));
      const Pack<T> w = weighted ? at.load(items_.weights + i, T(0)) : s;
      if (items_.target == Target::two_classes) {
        const std::uint32_t positive = lane_bits<T>(labels > Pack<T>(T(0))) & present;
        append(0, s, w, positive ^ present);
        append(1, s, w, positive);
      } else {
        const Pack<T> grade = items_.class_of(labels);
        for (std::size_t c = 0; c < items_.classes; ++c)
          append(c, s, w, lane_bits<T>(grade == Pack<T>(static_cast<T>(c))) & present);
      }
    };
    std::size_t i = begin;
    for (; i + lanes <= end; i += lanes) body(i, Whole<T>{}, first_bits<T>(lanes));
    if (i < end) body(i, Part<T>{end - i}, first_bits<T>(end - i));
  }
  RANKGRAD_INLINE void append(std::size_t c, Pack<T> s, Pack<T> w, std::uint32_t bits) {
    const std::size_t at = c * Buffers::split_size + split_count_[c];
    simd::compress_store(buffers_.split + at, s, bits);
    if constexpr (weighted) simd::compress_store(buffers_.split_weights + at, w, bits);
    split_count_[c] += static_cast<std::uint32_t>(std::popcount(bits));
  }

  /// Moves the items of class c to the buffers of their bins; less than a pack waits for the next block unless `all`.
  void distribute(std::size_t c, bool all) {
    using namespace simd;
    T* scores = buffers_.split + c * Buffers::split_size;
    T* weights = weighted ? buffers_.split_weights + c * Buffers::split_size : nullptr;
    const std::size_t n = split_count_[c];
    std::size_t i = 0;
    while (i + lanes <= n) {
      for (const std::size_t stop = std::min(n, i + Buffers::group); i + lanes <= stop; i += lanes)
        to_bins(c, scores + i, weights + i, first_bits<T>(lanes));
      for (std::size_t b = 0; b < bins_; ++b)
        if (count_[c * bins_ + b] >= run) drain(c * bins_ + b, run);
    }
    if (all) {
      if (i < n) to_bins(c, scores + i, weights + i, first_bits<T>(n - i));
      split_count_[c] = 0;
      for (std::size_t b = 0; b < bins_; ++b)
        if (count_[c * bins_ + b] >= run) drain(c * bins_ + b, run);
    } else {
      store(scores, load(scores + i));
      if constexpr (weighted) store(weights, load(weights + i));
      split_count_[c] = static_cast<std::uint32_t>(n - i);
    }
  }
  RANKGRAD_INLINE void to_bins(std::size_t c, const T* scores, const T* weights, std::uint32_t present) {
    using namespace simd;
    const Binned<T> x = bin_of<terms>(load(scores), grid_.scaling);
    const Pack<T> local = x.bin - Pack<T>(grid_.first);
    const Pack<T> w = weighted ? load(weights) : x.u;
    for (std::size_t b = 0; b < bins_; ++b) {
      const std::uint32_t bits = lane_bits<T>(local == Pack<T>(static_cast<T>(b))) & present;
      const std::size_t cell = c * bins_ + b, at = cell * Buffers::cell_size + count_[cell];
      compress_store(buffers_.cell + at, x.u, bits);
      if constexpr (weighted) compress_store(buffers_.cell_weights + at, w, bits);
      count_[cell] += static_cast<std::uint32_t>(std::popcount(bits));
    }
  }

  /// Takes the first n items out of a buffer; at most two packs and a group can be left.
  void drain(std::size_t cell, std::size_t n) {
    using namespace simd;
    T* u = buffers_.cell + cell * Buffers::cell_size;
    T* w = weighted ? buffers_.cell_weights + cell * Buffers::cell_size : nullptr;
    add_moments<weighted>(u, w, n, sums_ + cell * row<T>);
    const std::size_t left = count_[cell] - n;
    for (std::size_t i = 0; i < left; i += lanes) {
      store(u + i, load(u + n + i));
      if constexpr (weighted) store(w + i, load(w + n + i));
    }
    count_[cell] = static_cast<std::uint32_t>(left);
  }

  const Items<T>& items_;
  const Grid<T>& grid_;
  const Buffers& buffers_;
  double* sums_;
  const std::size_t bins_;
  std::uint32_t split_count_[max_classes] = {}, count_[max_cells] = {};
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
