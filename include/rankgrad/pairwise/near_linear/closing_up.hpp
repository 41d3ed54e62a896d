// rankgrad/pairwise/near_linear/closing_up.hpp: the moments of a list in its own order, where cells are few.
// SPDX-License-Identifier: MIT
//
// Each pack is compressed once for each class, and each batch of one class once for each bin, into short buffers that stay
// in the first-level cache; the list is read once.
//
// Read first: pairwise/near_linear/moments.hpp.
#pragma once

#include <rankgrad/pairwise/near_linear/moments.hpp>
#include <rankgrad/simd/compress.hpp>

namespace rankgrad::inline RANKGRAD_ABI::pairwise::near_linear {

/// Where the items of a cell wait: less than a run waits, a batch comes. Many cells have room for few items each, and are
/// filled one item at a time. For one piece at a time.
template <Real T>
struct CellBuffers {
  static constexpr std::size_t most_roomy = 64;
  std::size_t run_size, size;
  T *u, *weights;       ///< [cell][size]
  std::size_t* count;   ///< [cell]

  CellBuffers(std::size_t cells, bool weighted, Workspace& workspace)
      : run_size(cells <= most_roomy ? run : 64), size(run_size + (cells <= most_roomy ? batch : 0) + 2 * simd::lanes<T>),
        u(workspace.take<T>(cells * size)), weights(weighted ? workspace.take<T>(cells * size) : nullptr),
        count(workspace.take<std::size_t>(cells, 0)) {}
  bool roomy() const { return size >= run + batch; }
};

/// Takes batches of one class each and adds to sums[cell][row]. A batch is gone through once for each bin that it may have
/// items in or, where those are many, item by item.
template <Real T>
class CellMoments {
  using Buffers = CellBuffers<T>;
  static constexpr std::size_t lanes = simd::lanes<T>;

 public:
  static constexpr std::size_t most_passes = 16;   ///< over a batch, about as long as one item by item takes

  CellMoments(const Buffers& buffers, std::size_t bins, double* sums) : buffers_(buffers), bins_(bins), sums_(sums) {}

  /// n <= batch items of class c, and what follows them: bins of -1 as far as packs go, as of any item to be left out.
  /// weights null for 1. The outer bins are in few batches: only bins in `range` are looked for.
  void add(std::size_t c, const T* u, const T* bin, const BinRange<T>& range, const T* weights, std::size_t n) {
    if (!buffers_.roomy() || range.high - range.low >= T(most_passes))
      return weights ? hand_out<true>(c, u, bin, weights, n) : hand_out<false>(c, u, bin, weights, n);
    for (auto b = static_cast<std::size_t>(range.low); b <= static_cast<std::size_t>(range.high); ++b) {
      const std::size_t cell = c * bins_ + b;
      const T number = static_cast<T>(b);
      weights ? close_up<true>(cell, u, bin, weights, n, number) : close_up<false>(cell, u, bin, weights, n, number);
    }
  }
  void finish(std::size_t classes) {
    for (std::size_t cell = 0; cell < classes * bins_; ++cell) take_out(cell, buffers_.count[cell]);
  }

 private:
  template <bool weighted>
  RANKGRAD_NOINLINE void close_up(std::size_t cell, const T* u, const T* bin, const T* weights, std::size_t n, T number) {
    using namespace simd;
    const Pack<T> own(number);
    T* to = buffers_.u + cell * buffers_.size;
    T* to_weights = weighted ? buffers_.weights + cell * buffers_.size : nullptr;
    std::size_t count = buffers_.count[cell];
    const auto take = [&](std::size_t i) RANKGRAD_INLINE {
      const std::uint32_t bits = lane_bits<T>(load(bin + i) == own);
      compress_store(to + count, load(u + i), bits);
      if constexpr (weighted) compress_store(to_weights + count, load(weights + i), bits);
      count += static_cast<std::size_t>(std::popcount(bits));
    };
    if (n == batch)   // as a rule: a loop of constant length
      for (std::size_t i = 0; i < batch; i += lanes) take(i);
    else
      for (std::size_t i = 0; i < n; i += lanes) take(i);
    buffers_.count[cell] = count;
    if (count >= run) take_out(cell, count / lanes * lanes);
  }

  template <bool weighted>
  RANKGRAD_NOINLINE void hand_out(std::size_t c, const T* u, const T* bin, const T* weights, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) {
      if (bin[i] < T(0)) continue;
      const std::size_t cell = c * bins_ + static_cast<std::size_t>(static_cast<simd::Bits<T>>(bin[i]));
      const std::size_t to = cell * buffers_.size + buffers_.count[cell];
      buffers_.u[to] = u[i];
      if constexpr (weighted) buffers_.weights[to] = weights[i];
      if (++buffers_.count[cell] == buffers_.run_size) take_out(cell, buffers_.run_size);
    }
  }

  /// Adds the first n items of a cell's buffer to its moments; less than a pack is left.
  RANKGRAD_NOINLINE void take_out(std::size_t cell, std::size_t n) {
    T* u = buffers_.u + cell * buffers_.size;
    T* w = buffers_.weights ? buffers_.weights + cell * buffers_.size : nullptr;
    if (n > 0) (w ? add_moments<true, T> : add_moments<false, T>)(u, w, n, sums_ + cell * row<T>);
    buffers_.count[cell] -= n;
    if (buffers_.count[cell] == 0) return;
    simd::store(u, simd::load(u + n));
    if (w) simd::store(w, simd::load(w + n));
  }

  const Buffers buffers_;
  const std::size_t bins_;
  double* sums_;
};

/// Where the items of a class wait until `batch` of them are there.
template <Real T>
struct ClassBuffers {
  static constexpr std::size_t size = 2 * batch + simd::lanes<T>;   // less than a batch waits, a batch comes
  T *scores, *weights;       ///< [class][size]
  T *u, *bin;                ///< [batch], of one class

  ClassBuffers(std::size_t classes, bool weighted, Workspace& workspace)
      : scores(workspace.take<T>(classes * size, T(0))), weights(weighted ? workspace.take<T>(classes * size, T(0)) : nullptr),
        u(workspace.take<T>(batch)), bin(workspace.take<T>(batch + simd::lanes<T>)) {}
};

/// One piece by registers: adds to sums[cell][row].
template <bool weighted, Real T>
class CompressedPiece {
  using Buffers = ClassBuffers<T>;
  static constexpr std::size_t lanes = simd::lanes<T>;

 public:
  static constexpr std::size_t max_classes = 8;

  CompressedPiece(const Items<T>& items, const Grid<T>& grid, double* sums, Workspace& workspace)
      : items_(items), grid_(grid), buffers_(items.classes, weighted, workspace),
        cells_(CellBuffers<T>(items.classes * grid.bins.count, weighted, workspace), grid.bins.count, sums) {}

  void add(std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; i += batch) {
      split(i, std::min(i + batch, end));
      for (std::size_t c = 0; c < items_.classes; ++c)
        if (in_class_[c] >= batch) distribute(c, batch);
    }
    for (std::size_t c = 0; c < items_.classes; ++c)
      if (in_class_[c] > 0) distribute(c, in_class_[c]);
    cells_.finish(items_.classes);
  }

 private:
  /// Closes up the items of each class.
  RANKGRAD_NOINLINE void split(std::size_t begin, std::size_t end) {
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
      body(load(items_.scores + i), load(items_.labels + i), weighted ? load(items_.weights + i) : Pack<T>(T(0)),
           first_bits<T>(lanes));
    if (const std::size_t n = end - i; n > 0)
      body(load_n(items_.scores + i, n, T(0)), load_n(items_.labels + i, n, T(0)),
           weighted ? load_n(items_.weights + i, n, T(0)) : Pack<T>(T(0)), first_bits<T>(n));
  }
  RANKGRAD_INLINE void append(std::size_t c, Pack<T> s, Pack<T> w, std::uint32_t bits, std::size_t& count) const {
    simd::compress_store(buffers_.scores + c * Buffers::size + count, s, bits);
    if constexpr (weighted) simd::compress_store(buffers_.weights + c * Buffers::size + count, w, bits);
    count += static_cast<std::size_t>(std::popcount(bits));
  }

  /// Moves the first n items of class c, a batch or what there is, to their bins.
  void distribute(std::size_t c, std::size_t n) {
    using namespace simd;
    T* scores = buffers_.scores + c * Buffers::size;
    T* weights = weighted ? buffers_.weights + c * Buffers::size : nullptr;
    const BinRange<T> range = bin_scores(scores, n, grid_.scaling, grid_.terms, grid_.first, buffers_.u, buffers_.bin);
    cells_.add(c, buffers_.u, buffers_.bin, range, weights, n);
    const std::size_t left = in_class_[c] -= n;
    for (std::size_t i = 0; i < left; i += lanes) {
      store(scores + i, load(scores + n + i));
      if constexpr (weighted) store(weights + i, load(weights + n + i));
    }
  }

  const Items<T>& items_;
  const Grid<T>& grid_;
  const Buffers buffers_;
  CellMoments<T> cells_;
  std::size_t in_class_[max_classes] = {};
};

}  // namespace rankgrad::pairwise::near_linear
