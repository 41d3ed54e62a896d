// rankgrad/embedding/in_batch_softmax.hpp: softmaxes along the rows, or the rows and the columns, of a matrix of similarities
// that is seen tile by tile.
// SPDX-License-Identifier: MIT
//
//   x_ij = scale s_ij + bias_j       anchor: a row, or a column; its positives are few and known by number, all other entries
//                                    that are not left out are its negatives
//   z    = log sum_{negatives} e^x - log sum_{positives} e^x,    1 - p = sigmoid(z), -log p = softplus(z)   (two_softmaxes.hpp)
//
// Positives do not take part in the tiles: their logits are inner products of their own, and what the gradient is there is put
// into the tile as a number. So 1 - p is a sum of what is small, not a difference of what is nearly equal, and an anchor that
// has learned everything has a gradient of few but right digits.
//
// Sums over tiles are relative to the highest similarity of the tile and are put together relative to the highest of all: no
// temperature is too low, no embedding too long. Where the lengths of the embeddings bound all logits (Bounded), one constant
// serves rows and columns, and they share one exponential.
#pragma once

#include <rankgrad/embedding/in_batch_positives.hpp>

namespace rankgrad::inline RANKGRAD_ABI::embedding {

/// What the anchors know of their negatives goes on from what it is: with Passes::both a matrix may come in parts, each with an
/// objective of its own. `bound` must then be that of all parts.
template <Real T, Passes How, bool Bounded>
class InBatchSoftmax {
 public:
  static constexpr Passes passes = How;

  /// weights of the anchors (with the factor of a mean) are set by the caller; logits: of the pairs of `relations`.
  InBatchSoftmax(const SoftmaxSettings& settings, const Relations& relations, SoftmaxAnchors<T>& rows, SoftmaxAnchors<T>& columns,
                 const T* bias, double bound, std::size_t block, std::size_t chunks, Workspace& workspace)
      : positives(settings, relations, workspace), settings_(settings), pairs_(relations), rows_(rows), columns_(columns), bias_(bias),
        power_(settings.scale), chunks_(chunks) {
    // Bounded: |x| <= bound; neither sums of e^{x - shift} nor what they are divided by overflow or vanish. A shift that is 0
    // is rounded nowhere.
    shift_ = static_cast<T>(std::max(0.0, bound - headroom) / settings.scale);
    tops_ = workspace.take<T>(block * chunks);
    sums_ = workspace.take<T>(block * chunks);
    if (settings.smoothing > 0) similarities_ = workspace.take<T>(block * chunks);
  }

  static constexpr double headroom = sizeof(T) == 4 ? 50 : 300;
  static constexpr double largest_bound = sizeof(T) == 4 ? 60 : 450;

  SoftmaxPositives<T> positives;

  /// What the anchors know of their positives, and rows of the negatives that they alone see.
  void open(const OwnNegatives<T>& own) {
    positives.open(rows_, true);
    positives.open(columns_, false);
    for (std::size_t i = 0; i < rows_.n && rows_.used; ++i) {
      if (own.count(i) == 0) continue;
      T top = rows_.top[i];
      own.for_each(i, [&](std::size_t k) { top = std::max(top, own.similarity[k]); });
      raise(i, Bounded ? shift_ : top);
      own.for_each(i, [&](std::size_t k) {
        const double s = static_cast<double>(own.similarity[k]);
        rows_.sum[i] += std::exp(settings_.scale * (s - static_cast<double>(rows_.top[i])));
        rows_.similarities[i] += s;
      });
    }
  }

  void see(const Tile<T>& tile) {
    using namespace simd;
    const std::size_t first_row = tile.row[0];
    for (std::size_t r = 0; r < tile.rows; ++r) {
      T* const s = tile[r];
      leave_negatives(pairs_, bias_, tile, r);
      const std::size_t at = (tile.row[r] - first_row) * chunks_ + tile.chunk;
      Pack<T> top(out_of_reach<T> / 2), sum(T(0));
      if constexpr (!Bounded) {
        for (std::size_t j = 0; j < tile.columns; j += lanes<T>) top = larger(top, load(s + j));
        top = Pack<T>(tops_[at] = highest(top));
      } else {
        top = Pack<T>(tops_[at] = shift_);
      }
      if (similarities_) {
        Pack<T> plain(T(0));
        for (std::size_t j = 0; j < tile.columns; j += lanes<T>) {
          const Pack<T> v = load(s + j);
          plain = plain + select(v > Pack<T>(out_of_reach<T> / 2), v, Pack<T>(T(0)));
        }
        similarities_[at] = simd::sum(plain);
        if (columns_.used)
          for (std::size_t j = 0; j < tile.columns; ++j)
            if (s[j] > out_of_reach<T> / 2) columns_.similarities[tile.column + j] += static_cast<double>(s[j]);
      }
      if (!rows_.used && !Bounded) continue;
      for (std::size_t j = 0; j < tile.columns; j += lanes<T>) {
        const Pack<T> e = power_(load(s + j) - top);
        sum = sum + e;
        if constexpr (Bounded || How == Passes::rows) store(s + j, e);
      }
      sums_[at] = simd::sum(sum);
    }
    if constexpr (How == Passes::both)
      if (columns_.used) see_columns(tile);
  }

  void close_rows(const std::uint32_t* row, std::size_t n) {
    first_row_ = row[0];
    for (std::size_t r = 0; r < n && rows_.used; ++r) {
      const std::size_t i = row[r];
      const T *const tops = tops_ + r * chunks_, *const sums = sums_ + r * chunks_;
      raise(i, *std::max_element(tops, tops + chunks_));
      const T top = rows_.top[i];
      double sum = rows_.sum[i];   // of what was here before
      for (std::size_t c = 0; c < chunks_; ++c) {
        sum += static_cast<double>(sums[c]) * std::exp(settings_.scale * (static_cast<double>(tops[c]) - static_cast<double>(top)));
        if (similarities_) rows_.similarities[i] += static_cast<double>(similarities_[r * chunks_ + c]);
      }
      rows_.sum[i] = sum;
    }
    if constexpr (How == Passes::rows) {
      positives.settle(rows_, true, first_row_, first_row_ + n, first_row_, first_row_ + n);
      for (std::size_t r = 0; r < n; ++r)   // a row's factor, for what is relative to the top of a tile
        for (std::size_t c = 0; c < chunks_; ++c) {
          const double below = static_cast<double>(tops_[r * chunks_ + c]) - static_cast<double>(rows_.top[row[r]]);
          sums_[r * chunks_ + c] = static_cast<T>(static_cast<double>(rows_.factor[row[r]]) * std::exp(settings_.scale * below));
        }
    }
  }
  void close() {
    positives.settle(rows_, true, 0, pairs_.queries, 0, rows_.n);
    positives.settle(columns_, false, 0, pairs_.queries, 0, columns_.n);
  }

  void derive(const Tile<T>& tile) const {
    using namespace simd;
    for (std::size_t r = 0; r < tile.rows; ++r) {
      const std::size_t i = tile.row[r];
      T* const s = tile[r];
      if constexpr (How == Passes::rows) {
        const Pack<T> factor(sums_[(i - first_row_) * chunks_ + tile.chunk]), level(rows_.level[i]);
        for (std::size_t j = 0; j < tile.columns; j += lanes<T>) store(s + j, fma(factor, load(s + j), Pack<T>(T(0)) - level));
      } else {
        leave_negatives(pairs_, bias_, tile, r);
        const Pack<T> top(Bounded ? shift_ : rows_.top[i]), factor(rows_.factor[i]), level(rows_.level[i]);
        const T *const tops = columns_.top + tile.column, *const factors = columns_.factor + tile.column,
                *const levels = columns_.level + tile.column;
        for (std::size_t j = 0; j < tile.columns; j += lanes<T>) {
          const Pack<T> v = load(s + j), own = power_(v - top);
          if constexpr (Bounded)
            store(s + j, fma(factor + load(factors + j), own, Pack<T>(T(0)) - (level + load(levels + j))));
          else
            store(s + j, fma(factor, own, fma(load(factors + j), power_(v - load(tops + j)), Pack<T>(T(0)) - (level + load(levels + j)))));
        }
      }
      pairs_.for_same(i, tile.column, tile.columns, [&](std::size_t j) { s[j - tile.column] = T(0); });
      put_positives(pairs_, positives.slopes(), tile, r);
    }
  }

  /// dL/ds of the negatives that one row alone sees, when all is settled.
  void derive(const OwnNegatives<T>& own) const {
    for (std::size_t i = 0; i < rows_.n; ++i) {
      if (own.count(i) == 0 || !rows_.valid(i)) continue;
      const double factor = settings_.scale * rows_.weight[i], even = settings_.smoothing / rows_.candidates[i];
      const double lse = rows_.positive_lse(i) + contrastive::softplus(rows_.gap(i, settings_.scale));
      own.for_each(i, [&](std::size_t k) {
        const double p = std::exp(settings_.scale * static_cast<double>(own.similarity[k]) - lse);
        own.slope[k] = static_cast<T>(factor * (rows_.slope[i] * p - even));
      });
    }
  }

 private:
  /// The sum of a row is from here on relative to `top`, if that is higher than what it was relative to.
  void raise(std::size_t i, T top) {
    const T before = std::exchange(rows_.top[i], std::max(rows_.top[i], top));
    const double below = static_cast<double>(before) - static_cast<double>(rows_.top[i]);
    if (rows_.sum[i] > 0) rows_.sum[i] *= std::exp(settings_.scale * below);
  }
  void see_columns(const Tile<T>& tile) const {
    using namespace simd;
    for (std::size_t j = 0; j < tile.columns; j += lanes<T>) {
      Pack<T> sums(T(0));
      const T* const entry = tile.entries + j;
      T* const tops = columns_.top + tile.column + j;
      alignas(64) T old[lanes<T>], part[lanes<T>];
      if constexpr (Bounded) {
        for (std::size_t r = 0; r < tile.rows; ++r) sums = sums + load(entry + r * tile.stride);
        store(old, load(tops));
        store(tops, Pack<T>(shift_));
      } else {
        const Pack<T> before = load(tops);
        Pack<T> top = before;
        for (std::size_t r = 0; r < tile.rows; ++r) top = larger(top, load(entry + r * tile.stride));
        for (std::size_t r = 0; r < tile.rows; ++r) sums = sums + power_(load(entry + r * tile.stride) - top);
        store(old, before);
        store(tops, top);
      }
      store(part, sums);
      const std::size_t n = std::min(lanes<T>, tile.columns - j);
      for (std::size_t l = 0; l < n; ++l) {
        double& sum = columns_.sum[tile.column + j + l];
        if (!Bounded && old[l] != tops[l] && sum > 0)
          sum *= std::exp(settings_.scale * (static_cast<double>(old[l]) - static_cast<double>(tops[l])));
        sum += static_cast<double>(part[l]);
      }
    }
  }

  SoftmaxSettings settings_;
  const Relations& pairs_;
  SoftmaxAnchors<T>&rows_, &columns_;
  const T* bias_;
  simd::ScaledExp<T> power_;
  std::size_t chunks_, first_row_ = 0;
  T shift_, *tops_, *sums_, *similarities_ = nullptr;
};

}  // namespace rankgrad::embedding
