// rankgrad/embedding/tiles.hpp: all similarities of two sides, tile by tile, and from the derivatives by them the gradients of
// the embeddings. The matrix never exists.
// SPDX-License-Identifier: MIT
//
//   S = Q K^T        tile after tile: `rows` queries by `columns` documents in scratch
//   dQ += D K, dK += D^T Q      where the objective has turned a tile of S into D = dL/dS; and D^T 1, by what is added to columns
//
// What an objective needs before it can tell D decides how the tiles are walked through (Passes). All products share one kernel
// (simd/product.hpp). Documents are packed once, in both orders; queries block by block. Everything that is shared among workers
// is cut by the sizes of the batch alone, every number has one owner and a fixed order of additions: the bits are those of one
// thread. A tile stays in its worker's cache from its product to what it adds to both gradients.
#pragma once

#include <rankgrad/embedding/side.hpp>
#include <rankgrad/simd/denormals.hpp>

namespace rankgrad::inline RANKGRAD_ABI::embedding {

/// How an objective gets from similarities to their derivatives.
enum class Passes {
  one,    ///< entry by entry: derive(tile)
  rows,   ///< needs sums over whole rows first: see(tile) for all tiles of some rows, close_rows(), derive(tile) on what see() left.
          ///< Rows that are not active(row) are left out from there on. Where sums depend on what see() found: add_up(tile) and
          ///< close_sums() in between, after which more rows may not be active
  both,   ///< needs sums over rows and columns: see(tile) for all, close(), then everything again for derive(tile)
  sums    ///< the first half of both, for a matrix that comes in parts (the second is one): see(tile) for all, close_rows()
};

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
    return {rows ? rows : narrow ? 192 : 384, columns ? columns : narrow ? 384 : 192, tiles_at_once ? tiles_at_once : 1};
  }
};

template <Real T>
class Tiles {
  static constexpr std::size_t unit = simd::panel<T>, strip = simd::block_rows;

 public:
  Tiles(const Side<T>& queries, const Side<T>& documents, const TileSizes& sizes, bool gradient, Workspace& workspace)
      : queries_(queries), documents_(documents), workspace_(workspace), d_(queries.dimension), gradient_(gradient) {
    const TileSizes chosen = sizes.of(d_);
    rows_ = simd::round_up(std::min(chosen.rows, queries.n), strip);
    // Tiles of about one size, and as many of them as two or four workers can share evenly.
    std::size_t tiles = (documents.n + chosen.columns - 1) / chosen.columns;
    if (tiles > 2) tiles = simd::round_up(tiles, 4);
    chunk_ = std::max(unit, tiles ? simd::round_up((documents.n + tiles - 1) / tiles, unit) : unit);
    const std::size_t groups = (chunks() + chosen.tiles_at_once - 1) / chosen.tiles_at_once;
    at_once_ = groups ? (chunks() + groups - 1) / groups : 1;
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
  /// The chunks of tiles that are at work at the same time differ modulo this, whoever is there.
  std::size_t at_once() const { return at_once_; }
  /// How many are at work at the same time: as many as the workers can share. Not a matter of bits, but one worker has the cache
  /// to itself.
  std::size_t seats() const {
    const bool alone = !workspace_.team() || workspace_.team()->workers() == 1;
    return alone ? 1 : std::min(chunks(), at_once_);
  }

  /// Runs the objective; where there is a gradient it must be 0 before.
  template <class Objective>
  void run(Objective& objective, const EmbeddingGradient<T>& out) {
    const auto frame = workspace_.frame();
    // What is empty may have an address all the same.
    T *const to_queries = out.queries.empty() ? nullptr : out.queries.data(),
      *const to_documents = out.documents.empty() ? nullptr : out.documents.data();
    const std::size_t all = chunks();
    const std::size_t group = seats();
    constexpr bool adds_up = requires(const Tile<T>& tile) { objective.add_up(tile); };
    const std::size_t wide = Objective::passes == Passes::rows && (gradient_ || adds_up) ? all : group;
    T* const entries = workspace_.take<T>(wide * rows_ * stride(), T(0));
    T* const parts = gradient_ ? workspace_.take<T>(group * rows_ * padded()) : nullptr;
    double* const columns = out.document_bias.empty() ? nullptr : workspace_.take<double>(documents_.n, 0.0);
    /// The queries first, first + 1, .. take the rows from `at` on.
    const auto take_rows = [&](std::size_t first, std::size_t n, std::size_t at) {
      for (std::size_t i = 0; i < n; ++i) row_[at + i] = static_cast<std::uint32_t>(first + i);
      pack_transposed(queries_, row_ + at, n, strip, by_row_);
    };
    const auto for_each_block = [&](const auto& body) {
      for (std::size_t first = 0; first < queries_.n; first += rows_) {
        const std::size_t n = std::min(rows_, queries_.n - first);
        take_rows(first, n, 0);
        body(n);
      }
    };
    /// task(tile) for all tiles of the rows from `at` on, `group` at a time, and done(tiles of the group) after each group.
    const auto for_each_tile = [&](std::size_t at, std::size_t n, const auto& task, const auto& done) {
      for (std::size_t first = 0; first < all; first += group) {
        const std::size_t tiles = std::min(group, all - first);
        for_each_piece(tiles, workspace_, [&](std::size_t c, Workspace&) {
          const simd::FlushDenormals flush(true);   // small probabilities, and what products make of them
          const auto [column, columns] = range(first + c);
          const std::size_t place = wide == all ? first + c : c;
          T* const start = entries + (place * rows_ + at) * stride();
          task(Tile<T>{row_ + at, n, column, columns, first + c, start, stride(), c}, c);
        });
        done(tiles);
      }
    };
    const auto see = [&](const Tile<T>& tile, std::size_t) {
      multiply(tile);
      if constexpr (Objective::passes != Passes::one) objective.see(tile);
    };
    const auto nothing = [](std::size_t) {};
    const auto add_gradients = [&](const Tile<T>& tile, std::size_t slot) {
      add_documents(tile, to_documents);
      if (columns) add_columns(tile, columns);
      if (to_queries) multiply_back(tile, parts + slot * rows_ * padded());
    };

    if constexpr (Objective::passes == Passes::rows) {
      constexpr bool chooses = requires { objective.active(std::size_t{}); };
      std::size_t kept = 0;   // rows at the front, with a gradient, that wait until there are enough of them for the products
      for (std::size_t first = 0; first < queries_.n;) {
        std::size_t n = std::min((rows_ - kept) / strip * strip, queries_.n - first);
        take_rows(first, n, kept);
        first += n;
        for_each_tile(kept, n, see, nothing);
        objective.close_rows(row_ + kept, n);
        if constexpr (adds_up) {
          n = compact(objective, entries, kept, n);
          if (n > 0) for_each_tile(kept, n, [&](const Tile<T>& tile, std::size_t) { objective.add_up(tile); }, nothing);
          objective.close_sums(row_ + kept, n);
        }
        if (!gradient_) continue;
        if constexpr (chooses) n = compact(objective, entries, kept, n);
        kept += n;
        const bool room = kept + std::max(strip, rows_ / 2) <= rows_;
        if (kept == 0 || (room && first < queries_.n)) continue;
        pack_features(queries_, row_, 0, kept, rows_, own_features_);
        for_each_tile(0, kept, [&](const Tile<T>& tile, std::size_t slot) {
          objective.derive(tile);
          add_gradients(tile, slot);
        }, [&](std::size_t tiles) { add_queries(kept, parts, tiles, to_queries); });
        kept = 0;
      }
    } else {
      if constexpr (Objective::passes != Passes::one)
        for_each_block([&](std::size_t n) {
          for_each_tile(0, n, see, nothing);
          objective.close_rows(row_, n);
        });
      if constexpr (Objective::passes == Passes::both) {
        objective.close();
        if (!gradient_) return;
      }
      if constexpr (Objective::passes != Passes::sums)
        for_each_block([&](std::size_t n) {
          if (gradient_) pack_features(queries_, row_, 0, n, rows_, own_features_);
          for_each_tile(0, n, [&](const Tile<T>& tile, std::size_t slot) {
            multiply(tile);
            objective.derive(tile);
            if (gradient_) add_gradients(tile, slot);
          }, [&](std::size_t tiles) { if (gradient_) add_queries(n, parts, tiles, to_queries); });
        });
    }
    for (std::size_t j = 0; columns && j < documents_.n; ++j) out.document_bias[documents_.number[j]] += static_cast<T>(columns[j]);
  }

 private:
  // Distances of rows: no multiple of 4096 bytes, or they would share few places of the cache; and a tile stands in few pages.
  std::size_t stride() const { return chunk_ + 128 / sizeof(T); }   // and a strip may begin at a tile's last column
  std::size_t padded() const { return simd::round_up(d_, unit) + 64 / sizeof(T); }

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
        for (std::size_t i = 0; i < tile.rows; i += strip) 
          block<true>(by_row_ + i * d_ + k * strip, 1, steps, b, tile[i] + j, tile.stride, first);
      }
    });
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
  /// dQ += the parts of the tiles, one after the other.
  void add_queries(std::size_t n, const T* parts, std::size_t tiles, T* gradient) const {
    if (!gradient) return;
    const std::size_t rows_per_piece = strip * 4;
    for_each_piece((n + rows_per_piece - 1) / rows_per_piece, workspace_, [&](std::size_t piece, Workspace&) {
      const simd::FlushDenormals flush(true);
      for (std::size_t i = piece * rows_per_piece; i < std::min(n, (piece + 1) * rows_per_piece); ++i) {
        T* const to = gradient + queries_.number[row_[i]] * d_;
        simd::for_each_pack<T>(d_, [&](std::size_t k, auto at) RANKGRAD_INLINE {
          simd::Pack<T> sum = at.load(to + k, T(0));
          for (std::size_t c = 0; c < tiles; ++c) sum = sum + at.load(parts + (c * rows_ + i) * padded() + k, T(0));
          at.store(to + k, sum);
        });
      }
    });
  }

  /// Moves those of n rows that are active to their front, where `at` others stand before them; returns their number.
  template <class Objective>
  std::size_t compact(const Objective& objective, T* entries, std::size_t at, std::size_t n) {
    std::size_t to = at;
    for (std::size_t i = at; i < at + n; ++i) {
      if (!objective.active(row_[i])) continue;
      for (std::size_t c = 0; c < chunks() && to != i; ++c) {
        T* const tile = entries + c * rows_ * stride();
        std::copy_n(tile + i * stride(), range(c).n, tile + to * stride());
      }
      row_[to++] = row_[i];
    }
    return to - at;
  }

  const Side<T>&queries_, &documents_;
  Workspace& workspace_;
  std::size_t d_, rows_, chunk_, at_once_;
  bool gradient_;
  T *by_column_, *by_feature_ = nullptr, *by_row_, *own_features_ = nullptr;
  std::uint32_t* row_;
};

}  // namespace rankgrad::embedding
