// rankgrad/embedding/tiles.hpp: all similarities of two sides, tile by tile, and from the derivatives by them the gradients of
// the embeddings. The matrix never exists.
// SPDX-License-Identifier: MIT
//
//   S = Q K^T        tile after tile: `rows` queries by `columns` documents in scratch
//   dQ += D K, dK += D^T Q      where the objective has turned a tile of S into D = dL/dS
//
// What an objective needs before it can tell D decides how the tiles are walked through (Passes). All products share one kernel
// (simd/product.hpp). Documents are packed once, in both orders; queries block by block. Everything that is shared among workers
// is cut by the sizes of the batch alone, every number has one owner and a fixed order of additions: the bits are those of one
// thread.
#pragma once

#include <rankgrad/embedding/side.hpp>

namespace rankgrad::inline RANKGRAD_ABI::embedding {

/// How an objective gets from similarities to their derivatives.
enum class Passes {
  one,    ///< entry by entry: derive(tile)
  rows,   ///< needs sums over whole rows first: see(tile) for all tiles of some rows, close_rows(), derive(tile) on what see() left
  both    ///< needs sums over rows and columns: see(tile) for all, close(), then everything again for derive(tile)
};

/// A part of the matrix. The entries right of `columns` up to the next whole pack may be read and written.
template <Real T>
struct Tile {
  const std::uint32_t* row;   ///< [rows] numbers of the present queries
  std::size_t rows, column, columns, chunk;   ///< documents column .. column + columns - 1; chunk numbers such ranges
  T* entries;
  std::size_t stride;

  T* operator[](std::size_t r) const { return entries + r * stride; }
};

/// How much of the matrix is looked at at once. Memory for it: about block_rows * block_columns numbers (Passes::rows: times all
/// documents instead).
struct TileSizes {
  std::size_t rows = 192;             ///< of a block of queries
  std::size_t chunk = 384;            ///< documents of a tile
  std::size_t chunks_at_once = 8;     ///< tiles whose derivatives wait for the gradient of the queries
};

template <Real T>
class Tiles {
  static constexpr std::size_t unit = simd::panel<T>, strip = simd::block_rows;

 public:
  Tiles(const Side<T>& queries, const Side<T>& documents, const TileSizes& sizes, bool gradient, Workspace& workspace)
      : queries_(queries), documents_(documents), workspace_(workspace), d_(queries.dimension), gradient_(gradient) {
    rows_ = simd::round_up(std::min(std::max<std::size_t>(sizes.rows, 1), queries.n), strip);
    chunk_ = simd::round_up(std::max<std::size_t>(sizes.chunk, 1), 96);   // whole panels and whole strips, whatever their size
    at_once_ = std::max<std::size_t>(sizes.chunks_at_once, 1);
    by_column_ = workspace.take<T>(simd::round_up(documents.n, unit) * d_);
    if (gradient) by_feature_ = workspace.take<T>(documents.n * simd::round_up(d_, unit));
    for_each_piece(chunks(), workspace, [&](std::size_t c, Workspace&) {
      const auto [first, n] = range(c);
      std::uint32_t rows[64];
      for (std::size_t p = 0; p < n; p += unit) {   // a panel at a time
        const std::size_t size = std::min(unit, n - p);
        for (std::size_t i = 0; i < size; ++i) rows[i] = static_cast<std::uint32_t>(first + p + i);
        pack_transposed(documents_, rows, size, unit, by_column_ + (first + p) * d_);
        if (gradient_) pack_features(documents_, rows, first + p, size, documents_.n, by_feature_);
      }
    });
    row_ = workspace.take<std::uint32_t>(rows_);
    by_row_ = workspace.take<T>(rows_ * d_);
    if (gradient) own_features_ = workspace.take<T>(rows_ * simd::round_up(d_, unit));
  }

  std::size_t chunks() const { return (documents_.n + chunk_ - 1) / chunk_; }
  /// Most rows that close_rows() is ever given.
  std::size_t block() const { return rows_; }

  /// Runs the objective; where there is a gradient it must be 0 before.
  template <class Objective>
  void run(Objective& objective, const EmbeddingGradient<T>& out) {
    const auto frame = workspace_.frame();
    const std::size_t all = chunks();
    const std::size_t wide = Objective::passes == Passes::rows && gradient_ ? all : std::min(all, at_once_);
    // Not a multiple of 4096 bytes, or the rows of a tile would share few places of the cache.
    stride_ = simd::round_up(wide * chunk_, unit) + 64 / sizeof(T);
    T* const entries = workspace_.take<T>(rows_ * stride_, T(0));
    const auto for_each_block = [&](const auto& body) {
      for (std::size_t first = 0; first < queries_.n; first += rows_) {
        const std::size_t n = std::min(rows_, queries_.n - first);
        for (std::size_t i = 0; i < n; ++i) row_[i] = static_cast<std::uint32_t>(first + i);
        pack_transposed(queries_, row_, n, strip, by_row_);
        body(n);
      }
    };
    /// task(tile) for the tiles first .. last - 1 of the block, side by side in `entries`.
    const auto for_each_tile = [&](std::size_t n, std::size_t first, std::size_t last, const auto& task) {
      for_each_piece(last - first, workspace_, [&](std::size_t c, Workspace&) {
        const auto [column, columns] = range(first + c);
        task(Tile<T>{row_, n, column, columns, first + c, entries + c * chunk_, stride_});
      });
    };
    const auto for_each_group = [&](const auto& body) {
      for (std::size_t first = 0; first < all; first += wide) body(first, std::min(all, first + wide));
    };

    if constexpr (Objective::passes == Passes::rows) {
      for_each_block([&](std::size_t n) {
        for_each_group([&](std::size_t first, std::size_t last) {
          for_each_tile(n, first, last, [&](const Tile<T>& tile) {
            multiply(tile);
            objective.see(tile);
          });
        });
        objective.close_rows(row_, n);
        if (!gradient_) return;
        if constexpr (requires { objective.active(std::size_t{}); }) n = compact(objective, entries, n);
        pack_features(queries_, row_, 0, n, rows_, own_features_);
        for_each_tile(n, 0, all, [&](const Tile<T>& tile) {
          objective.derive(tile);
          add_documents(tile, out.documents.data());
        });
        add_queries(n, 0, all, entries, out.queries.data());
      });
      return;
    } else {
      if constexpr (Objective::passes == Passes::both) {
        for_each_block([&](std::size_t n) {
          for_each_group([&](std::size_t first, std::size_t last) {
            for_each_tile(n, first, last, [&](const Tile<T>& tile) {
              multiply(tile);
              objective.see(tile);
            });
          });
          objective.close_rows(row_, n);
        });
        objective.close();
        if (!gradient_) return;
      }
      for_each_block([&](std::size_t n) {
        if (gradient_) pack_features(queries_, row_, 0, n, rows_, own_features_);
        for_each_group([&](std::size_t first, std::size_t last) {
          for_each_tile(n, first, last, [&](const Tile<T>& tile) {
            multiply(tile);
            objective.derive(tile);
            if (gradient_) add_documents(tile, out.documents.data());
          });
          if (gradient_) add_queries(n, first, last, entries, out.queries.data());
        });
      });
    }
  }

 private:
  struct Range {
    std::size_t first, n;
  };
  Range range(std::size_t chunk) const {
    const std::size_t first = chunk * chunk_;
    return {first, std::min(chunk_, documents_.n - first)};
  }

  /// sum of `steps` products in stretches that the first cache holds: body(first step, their number, is it the first stretch).
  template <class Body>
  static void in_stretches(std::size_t steps, const Body& body) {
    constexpr std::size_t most = simd::product_steps<T>;
    const std::size_t count = (steps + most - 1) / most, even = (steps + count - 1) / count;
    for (std::size_t k = 0; k < steps; k += even) body(k, std::min(even, steps - k), k == 0);
  }

  void multiply(const Tile<T>& tile) const {
    in_stretches(d_, [&](std::size_t k, std::size_t steps, bool first) {
      for (std::size_t j = 0; j < tile.columns; j += unit) {
        const T* const b = by_column_ + (tile.column + j) * d_ + k * unit;
        for (std::size_t i = 0; i < tile.rows; i += strip) block(by_row_ + i * d_ + k * strip, steps, b, tile[i] + j, tile.stride, first);
      }
    });
  }

  RANKGRAD_NOINLINE static void block(const T* a, std::size_t steps, const T* b, T* to, std::size_t stride, bool first) {
    using namespace simd;
    if (first)
      block_product<T>(steps, a, 1, strip, b, [=](std::size_t r, std::size_t c, Pack<T> v) RANKGRAD_INLINE {
        store(to + r * stride + c * lanes<T>, v);
      });
    else
      block_product<T>(steps, a, 1, strip, b, [=](std::size_t r, std::size_t c, Pack<T> v) RANKGRAD_INLINE {
        accumulate(to + r * stride + c * lanes<T>, v);
      });
  }

  /// Adds a block of a product to rows of a user's gradient, of which some may be missing: `rows` rows, `width` features.
  /// row(r): where row r begins.
  template <bool Transposed, class Row>
  RANKGRAD_NOINLINE static void block_to_rows(const T* a, std::size_t stride, std::size_t steps, const T* b, std::size_t rows,
                                              std::size_t width, const Row& row) {
    using namespace simd;
    T* to[strip];
    for (std::size_t r = 0; r < rows; ++r) to[r] = row(r);
    const bool whole = width == unit;
    const auto sink = [&](std::size_t r, std::size_t c, Pack<T> v) RANKGRAD_INLINE {
      if (r >= rows) return;
      T* const at = to[r] + c * lanes<T>;
      if (whole) accumulate(at, v);
      else if (width > c * lanes<T>) store_up_to(at, width - c * lanes<T>, load_up_to(at, width - c * lanes<T>, T(0)) + v);
    };
    if constexpr (Transposed) block_product<T>(steps, a, 1, stride, b, sink);
    else block_product<T>(steps, a, stride, 1, b, sink);
  }

  /// dK += D^T Q for the documents of a tile.
  void add_documents(const Tile<T>& tile, T* gradient) const {
    if (!gradient) return;
    for (std::size_t f = 0; f < d_; f += unit)
      in_stretches(tile.rows, [&](std::size_t k, std::size_t steps, bool) {
        const T* const b = own_features_ + (f * rows_ + k * unit);
        for (std::size_t j = 0; j < tile.columns; j += strip)
          block_to_rows<true>(tile[k] + j, tile.stride, steps, b, std::min(strip, tile.columns - j), std::min(unit, d_ - f),
                              [&](std::size_t r) { return gradient + documents_.number[tile.column + j + r] * d_ + f; });
      });
  }

  /// dQ += D K for the first n rows of the block, from the documents of the chunks first .. last - 1.
  void add_queries(std::size_t n, std::size_t first, std::size_t last, const T* entries, T* gradient) const {
    if (!gradient || n == 0) return;
    const std::size_t column = first * chunk_, columns = std::min(documents_.n, last * chunk_) - column;
    constexpr std::size_t strips_per_piece = 4;
    const std::size_t groups = (n + strips_per_piece * strip - 1) / (strips_per_piece * strip);
    const std::size_t panels = (d_ + unit - 1) / unit;
    for_each_piece(panels * groups, workspace_, [&](std::size_t piece, Workspace&) {
      const std::size_t f = piece / groups * unit, begin = piece % groups * strips_per_piece * strip;
      const std::size_t end = std::min(n, begin + strips_per_piece * strip);
      in_stretches(columns, [&](std::size_t k, std::size_t steps, bool) {
        const T* const b = by_feature_ + (f * documents_.n + (column + k) * unit);
        for (std::size_t i = begin; i < end; i += strip)
          block_to_rows<false>(entries + i * stride_ + k, stride_, steps, b, std::min(strip, n - i), std::min(unit, d_ - f),
                               [&](std::size_t r) { return gradient + queries_.number[row_[i + r]] * d_ + f; });
      });
    });
  }

  /// Moves the rows that have a gradient to the front; the products then do not see the others.
  template <class Objective>
  std::size_t compact(const Objective& objective, T* entries, std::size_t n) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < n; ++i) {
      if (!objective.active(row_[i])) continue;
      if (kept != i) std::copy_n(entries + i * stride_, documents_.n, entries + kept * stride_);
      row_[kept++] = row_[i];
    }
    return kept;
  }

  const Side<T>&queries_, &documents_;
  Workspace& workspace_;
  std::size_t d_, rows_, chunk_, at_once_, stride_ = 0;
  bool gradient_;
  T *by_column_, *by_feature_ = nullptr, *by_row_, *own_features_ = nullptr;
  std::uint32_t* row_;
};

}  // namespace rankgrad::embedding
