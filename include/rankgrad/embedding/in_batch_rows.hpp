// rankgrad/embedding/in_batch_rows.hpp: every query against its negatives, where most queries may have nothing to learn.
// SPDX-License-Identifier: MIT
//
//   see          the highest negative of each row, tile by tile
//   close_rows   a row that cannot have a loss, whatever its other negatives are, is left alone from here on: no exponentials
//   add_up       sums over the negatives of the others
//   close_sums   their losses; rows without a derivative are left out of the two products of the gradient
//   derive
//
// Positives are known by number before any tile is seen, and what the gradient is there is put into the tile as a number.
#pragma once

#include <rankgrad/embedding/batch.hpp>
#include <rankgrad/local_features/mutual_nearest.hpp>
#include <rankgrad/simd/rows.hpp>
#include <rankgrad/triplet/engine.hpp>

namespace rankgrad::inline RANKGRAD_ABI::embedding {

/// The highest negative in the row of a tile, as leave_negatives() left it; NaN where an entry is not finite.
template <Real T>
RANKGRAD_NOINLINE T highest_negative(const Tile<T>& tile, std::size_t r) {
  using namespace simd;
  const Pack<T> zero(T(0));
  Pack<T> top(out_of_reach<T>), unsound = zero;   // a maximum does not tell
  for (std::size_t j = 0; j < tile.columns; j += lanes<T>) {
    const Pack<T> s = load(tile[r] + j);
    top = larger(top, s);
    unsound = fma(s, zero, unsound);
  }
  return highest(top) + simd::sum(unsound);
}
/// Which of n such numbers is the highest: the first one of them, or of those that are not finite.
template <Real T>
std::size_t highest_of(const T* tops, std::size_t n) {
  std::size_t best = 0;
  for (std::size_t c = 1; c < n; ++c)
    if (is_finite(tops[best]) && !(is_finite(tops[c]) && tops[c] <= tops[best])) best = c;
  return best;
}

/// What the anchors of a loss, one for each query, provide:
///   open(i, highest)        may the row have a loss?
///   term(i)                 of a pack of similarities one or two numbers, to be summed over the negatives
///   close(i, sums...)       adds the loss of the row; has it a derivative?
///   slope(i)                of a pack of similarities the derivatives by them
///   slopes()                [pairs] the derivatives by the positives
/// A similarity that is out of reach has the terms and the slope 0. `highest` is NaN where a similarity is.
template <Real T, class Anchors>
class InBatchRows {
 public:
  static constexpr Passes passes = Passes::rows;

  InBatchRows(Anchors& anchors, const Batch<T>& batch, const Tiles<T>& matrix, Workspace& workspace)
      : anchors_(anchors), batch_(batch), chunks_(matrix.chunks()), active_(workspace.take<std::uint8_t>(batch.queries.n)),
        tops_(workspace.take<T>(matrix.block() * chunks_)) {
    for (double*& sum : sums_) sum = workspace.take<double>(matrix.block() * chunks_);
  }

  void see(const Tile<T>& tile) {
    for (std::size_t r = 0; r < tile.rows; ++r) {
      leave_negatives(batch_.pairs, batch_.bias, tile, r);
      tops_[r * chunks_ + tile.chunk] = highest_negative(tile, r);
    }
  }
  void close_rows(const std::uint32_t* row, std::size_t n) {
    for (std::size_t r = 0; r < n; ++r) {
      const T* const tops = tops_ + r * chunks_;
      active_[row[r]] = anchors_.open(row[r], tops[highest_of(tops, chunks_)]);
    }
  }
  bool active(std::size_t i) const { return active_[i]; }

  void add_up(const Tile<T>& tile) {
    using namespace simd;
    for (std::size_t r = 0; r < tile.rows; ++r) {
      const auto term = anchors_.term(tile.row[r]);
      BlockedSum<T> sum[2];
      for (std::size_t j = 0; j < tile.columns; j += lanes<T>) {
        const triplet::Sums<T> t = term(load(tile[r] + j));
        sum[0].add(t.first);
        sum[1].add(t.second);
      }
      for (const int k : {0, 1}) sums_[k][r * chunks_ + tile.chunk] = sum[k].total();
    }
  }
  void close_sums(const std::uint32_t* row, std::size_t n) {
    for (std::size_t r = 0; r < n; ++r) {
      double sum[2] = {};
      for (std::size_t c = 0; c < chunks_; ++c)
        for (const int k : {0, 1}) sum[k] += sums_[k][r * chunks_ + c];
      active_[row[r]] = anchors_.close(row[r], sum[0], sum[1]);
    }
  }

  void derive(const Tile<T>& tile) const {
    using namespace simd;
    for (std::size_t r = 0; r < tile.rows; ++r) {
      const auto slope = anchors_.slope(tile.row[r]);
      for (std::size_t j = 0; j < tile.columns; j += lanes<T>) store(tile[r] + j, slope(load(tile[r] + j)));
      put_positives(batch_.pairs, anchors_.slopes(), tile, r);
    }
  }

 private:
  Anchors& anchors_;
  const Batch<T>& batch_;
  std::size_t chunks_;
  std::uint8_t* active_;        ///< [queries]
  T* tops_;                     ///< [block][chunks], in the order in which rows are given
  double* sums_[2];             ///< likewise
};

/// The highest negative of each query and which document that is, the first one of several; where `columns` has room, also of each
/// document among the queries.
template <Real T>
class HighestNegatives {
 public:
  static constexpr Passes passes = Passes::rows;
  using Best = rankgrad::detail::BestRows<T>;

  HighestNegatives(const Batch<T>& batch, const Tiles<T>& matrix, Best* columns, Workspace& workspace)
      : highest(workspace.take<T>(batch.queries.n)), document(workspace.take<std::uint32_t>(batch.queries.n)), batch_(batch),
        columns_(columns), chunks_(matrix.chunks()), tops_(workspace.take<T>(matrix.block() * chunks_)),
        documents_(workspace.take<std::uint32_t>(matrix.block() * chunks_)) {}

  T* highest;               ///< [queries]
  std::uint32_t* document;  ///< [queries]; where `highest` is NaN, anything

  void see(const Tile<T>& tile) {
    for (std::size_t r = 0; r < tile.rows; ++r) {
      leave_negatives(batch_.pairs, batch_.bias, tile, r);
      const T top = tops_[r * chunks_ + tile.chunk] = highest_negative(tile, r);
      const std::size_t j = columns_ ? columns_->see(tile.row[r], tile[r], tile.column, tile.columns).column
                                     : simd::place_of(top, tile[r], tile.columns);
      if (columns_ && !is_finite(top)) see_unsound(tile, r);
      documents_[r * chunks_ + tile.chunk] = static_cast<std::uint32_t>(tile.column + std::min(j, tile.columns - 1));
    }
  }
  void close_rows(const std::uint32_t* row, std::size_t n) {
    for (std::size_t r = 0; r < n; ++r) {
      const std::size_t best = r * chunks_ + highest_of(tops_ + r * chunks_, chunks_);
      highest[row[r]] = tops_[best];
      document[row[r]] = documents_[best];
    }
  }
  void derive(const Tile<T>&) const {}

 private:
  /// A number that is not finite stays in its column, nothing being above NaN.
  void see_unsound(const Tile<T>& tile, std::size_t r) const {
    for (std::size_t j = 0; j < tile.columns; ++j)
      if (!is_finite(tile[r][j])) columns_->best[tile.column + j] = std::numeric_limits<T>::quiet_NaN();
  }

  const Batch<T>& batch_;
  Best* columns_;
  std::size_t chunks_;
  T* tops_;                     ///< [block][chunks]
  std::uint32_t* documents_;    ///< likewise
};

}  // namespace rankgrad::embedding
