// rankgrad/embedding/tile_products.hpp: a part of the matrix of similarities, the products that make it, and those that its
// derivatives go through.
// SPDX-License-Identifier: MIT
//
// All of them share one kernel (simd/product.hpp). Documents are packed once, in both orders; queries block by block.
#pragma once

#include <rankgrad/embedding/side.hpp>
#include <rankgrad/simd/denormals.hpp>

namespace rankgrad::inline RANKGRAD_ABI::embedding {

/// A part of the matrix. The entries right of `columns` up to the next whole pack may be read and written.
template <Real T>
struct Tile {
  const std::uint32_t* row;   ///< [rows] numbers of the present queries
  std::size_t rows, column, columns, chunk;   ///< documents column .. column + columns - 1; chunk numbers such ranges
  T* entries;
  std::size_t stride;
  std::size_t seat;   ///< tiles at work at the same time have different ones

  T* operator[](std::size_t r) const { return entries + r * stride; }
};

/// How much of the matrix is looked at at once; 0: chosen by the dimension alone, as was fastest where it was measured (AVX2 and
/// AVX-512, caches of 32 to 48 KiB and of 1 to 2 MiB). Memory: for every worker a tile and what it adds to its queries, rows *
/// (columns + dimension) numbers; for Passes::rows the tiles of some rows by all documents.
struct TileSizes {
  std::size_t rows = 0;               ///< queries of a tile
  std::size_t columns = 0;            ///< documents of a tile
  std::size_t tiles_at_once = 8;      ///< that workers compute side by side; one thread takes one

  constexpr TileSizes of(std::size_t dimension) const {
    const bool narrow = dimension <= 256;
    return {rows ? rows : narrow ? 192 : 576, columns ? columns : narrow ? 384 : 192, tiles_at_once ? tiles_at_once : 1};
  }
};

/// Both sides as products take them: all documents, and up to `rows` queries at a time.
template <Real T>
class TileProducts {
 public:
  static constexpr std::size_t unit = simd::panel<T>, strip = simd::block_rows;

  TileProducts(const Side<T>& queries, const Side<T>& documents, std::size_t rows, bool gradient, Workspace& workspace)
      : queries_(queries), documents_(documents), d_(queries.dimension), rows_(rows) {
    by_column_ = workspace.take<T>(simd::round_up(documents.n, unit) * d_);
    if (gradient) by_feature_ = workspace.take<T>(documents.n * simd::round_up(d_, unit));
    by_row_ = workspace.take<T>(rows_ * d_);
    if (gradient) own_features_ = workspace.take<T>(rows_ * simd::round_up(d_, unit));
  }

  /// The documents first .. first + n - 1, of which the first is one of whole panels.
  void take_documents(std::size_t first, std::size_t n) {
    std::uint32_t rows[64];
    for (std::size_t p = 0; p < n; p += unit) {   // a panel at a time
      const std::size_t size = std::min(unit, n - p);
      for (std::size_t i = 0; i < size; ++i) rows[i] = static_cast<std::uint32_t>(first + p + i);
      pack_transposed(documents_, rows, size, unit, by_column_ + (first + p) * d_);
      if (by_feature_) pack_features(documents_, rows, first + p, size, documents_.n, by_feature_);
    }
  }
  /// For multiply().
  void take_queries(const std::uint32_t* row, std::size_t n) { pack_transposed(queries_, row, n, strip, by_row_); }
  /// For add_documents().
  void take_features(const std::uint32_t* row, std::size_t n) { pack_features(queries_, row, 0, n, rows_, own_features_); }

  /// The distance of rows of a part: no multiple of 4096 bytes, or they would share few places of the cache.
  std::size_t padded() const { return simd::round_up(d_, unit) + 64 / sizeof(T); }

  /// The tile of S.
  void multiply(const Tile<T>& tile) const {
    in_stretches(d_, [&](std::size_t k, std::size_t steps, bool first) {
      for (std::size_t j = 0; j < tile.columns; j += unit) {
        const T* const b = by_column_ + (tile.column + j) * d_ + k * unit;
        for (std::size_t i = 0; i < tile.rows; i += strip)
          block<true>(by_row_ + i * d_ + k * strip, 1, steps, b, tile[i] + j, tile.stride, first);
      }
    });
  }

  /// dK += D^T Q for the documents of a tile, into the user's rows: some of a block may be missing, and some of a panel.
  void add_documents(const Tile<T>& tile, T* gradient) const {
    if (!gradient) return;
    for (std::size_t f = 0; f < d_; f += unit)
      in_stretches(tile.rows, [&](std::size_t k, std::size_t steps, bool) {
        const T* const b = own_features_ + (f * rows_ + k * unit);
        for (std::size_t j = 0; j < tile.columns; j += strip)
          block_to_rows(tile[k] + j, tile.stride, steps, b, gradient, documents_.number + tile.column + j,
                        std::min(strip, tile.columns - j), f);
      });
  }

  /// The sums of the columns of D: a few rows in T, which begin where the tile does.
  static void add_columns(const Tile<T>& tile, double* sums) {
    using namespace simd;
    constexpr std::size_t few = 32;
    for (std::size_t begin = 0; begin < tile.rows; begin += few)
      for (std::size_t j = 0; j < tile.columns; j += lanes<T>) {
        Pack<T> sum(T(0));
        for (std::size_t r = begin; r < std::min(tile.rows, begin + few); ++r) sum = sum + load(tile[r] + j);
        alignas(64) T each[lanes<T>];
        store(each, sum);
        for (std::size_t l = 0; l < std::min(lanes<T>, tile.columns - j); ++l) sums[tile.column + j + l] += static_cast<double>(each[l]);
      }
  }

  /// part = D K for the queries of a tile: [rows][padded()].
  void multiply_back(const Tile<T>& tile, T* part) const {
    for (std::size_t f = 0; f < d_; f += unit)
      in_stretches(tile.columns, [&](std::size_t k, std::size_t steps, bool first) {
        const T* const b = by_feature_ + (f * documents_.n + (tile.column + k) * unit);
        for (std::size_t i = 0; i < tile.rows; i += strip)
          block<false>(tile[i] + k, tile.stride, steps, b, part + i * padded() + f, padded(), first);
      });
  }

 private:
  /// sum of `steps` products in stretches that the first cache holds: body(first step, their number, is it the first stretch).
  template <class Body>
  static void in_stretches(std::size_t steps, const Body& body) {
    constexpr std::size_t most = simd::product_steps<T>;
    const std::size_t count = (steps + most - 1) / most, even = (steps + count - 1) / count;
    for (std::size_t k = 0; k < steps; k += even) body(k, std::min(even, steps - k), k == 0);
  }

  /// A block of a product, stored, or added to what stands there. Packed: a is [step][strip], else rows at a distance.
  template <bool Packed>
  RANKGRAD_NOINLINE static void block(const T* a, std::size_t a_row, std::size_t steps, const T* b, T* to, std::size_t stride,
                                      bool first) {
    using namespace simd;
    const std::size_t row = Packed ? 1 : a_row, step = Packed ? strip : 1;
    if (first)
      block_product<T>(steps, a, row, step, b, [=](std::size_t r, std::size_t c, Pack<T> v) RANKGRAD_INLINE {
        store(to + r * stride + c * lanes<T>, v);
      });
    else
      block_product<T>(steps, a, row, step, b, [=](std::size_t r, std::size_t c, Pack<T> v) RANKGRAD_INLINE {
        accumulate(to + r * stride + c * lanes<T>, v);
      });
  }
  RANKGRAD_NOINLINE void block_to_rows(const T* a, std::size_t stride, std::size_t steps, const T* b, T* gradient,
                                       const std::uint32_t* number, std::size_t rows, std::size_t f) const {
    using namespace simd;
    T* to[strip] = {};
    for (std::size_t r = 0; r < rows; ++r) to[r] = gradient + number[r] * d_ + f;
    const std::size_t width = std::min(unit, d_ - f);
    block_product<T>(steps, a, 1, stride, b, [&](std::size_t r, std::size_t c, Pack<T> v) RANKGRAD_INLINE {
      if (r >= rows || c * lanes<T> >= width) return;
      const std::size_t left = width - c * lanes<T>;
      T* const at = to[r] + c * lanes<T>;
      store_up_to(at, left, load_up_to(at, left, T(0)) + v);
    });
  }

  const Side<T>&queries_, &documents_;
  std::size_t d_, rows_;
  T *by_column_, *by_feature_ = nullptr, *by_row_, *own_features_ = nullptr;
};

}  // namespace rankgrad::embedding
