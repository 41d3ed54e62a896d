// rankgrad/embedding/tiles.hpp: all similarities of two sides, tile by tile, and from the derivatives by them the gradients of
// the embeddings. The matrix never exists.
// SPDX-License-Identifier: MIT
//
//   S = Q K^T        tile after tile: `rows` queries by `columns` documents in scratch
//   dQ += D K, dK += D^T Q      where the objective has turned a tile of S into D = dL/dS; and D^T 1, by what is added to columns
//
// What an objective needs before it can tell D decides how the tiles are walked through (Passes); the products: tile_products.hpp.
// Everything that is shared among workers is cut by the sizes of the batch alone, every number has one owner and a fixed order of
// additions: the bits are those of one thread. A tile stays in its worker's cache from its product to what it adds to both gradients.
#pragma once

#include <rankgrad/embedding/tile_products.hpp>

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

template <Real T>
class Tiles {
  static constexpr std::size_t unit = TileProducts<T>::unit, strip = TileProducts<T>::strip;

 public:
  Tiles(const Side<T>& queries, const Side<T>& documents, const TileSizes& sizes, bool gradient, Workspace& workspace)
      : queries_(queries), documents_(documents), workspace_(workspace), d_(queries.dimension),
        rows_(simd::round_up(std::min(sizes.of(d_).rows, queries.n), strip)), gradient_(gradient),
        products_(queries, documents, rows_, gradient, workspace), row_(workspace.take<std::uint32_t>(rows_)) {
    const TileSizes chosen = sizes.of(d_);
    // Tiles of about one size, and as many of them as two or four workers can share evenly.
    std::size_t tiles = (documents.n + chosen.columns - 1) / chosen.columns;
    if (tiles > 2) tiles = simd::round_up(tiles, 4);
    chunk_ = std::max(unit, tiles ? simd::round_up((documents.n + tiles - 1) / tiles, unit) : unit);
    const std::size_t groups = (chunks() + chosen.tiles_at_once - 1) / chosen.tiles_at_once;
    at_once_ = groups ? (chunks() + groups - 1) / groups : 1;
    for_each_piece(chunks(), workspace, [&](std::size_t c, Workspace&) { products_.take_documents(range(c).first, range(c).n); });
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
    T* const parts = gradient_ ? workspace_.take<T>(group * rows_ * products_.padded()) : nullptr;
    double* const column_sums = out.document_bias.empty() ? nullptr : workspace_.take<double>(documents_.n, 0.0);
    /// The queries first, first + 1, .. take the rows from `at` on.
    const auto take_rows = [&](std::size_t first, std::size_t n, std::size_t at) {
      for (std::size_t i = 0; i < n; ++i) row_[at + i] = static_cast<std::uint32_t>(first + i);
      products_.take_queries(row_ + at, n);
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
      products_.multiply(tile);
      if constexpr (Objective::passes != Passes::one) objective.see(tile);
    };
    const auto nothing = [](std::size_t) {};
    const auto add_gradients = [&](const Tile<T>& tile, std::size_t slot) {
      products_.add_documents(tile, to_documents);
      if (column_sums) products_.add_columns(tile, column_sums);
      if (to_queries) products_.multiply_back(tile, parts + slot * rows_ * products_.padded());
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
        products_.take_features(row_, kept);
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
          if (gradient_) products_.take_features(row_, n);
          for_each_tile(0, n, [&](const Tile<T>& tile, std::size_t slot) {
            products_.multiply(tile);
            objective.derive(tile);
            if (gradient_) add_gradients(tile, slot);
          }, [&](std::size_t tiles) { if (gradient_) add_queries(n, parts, tiles, to_queries); });
        });
    }
    for (std::size_t j = 0; column_sums && j < documents_.n; ++j)
      out.document_bias[documents_.number[j]] += static_cast<T>(column_sums[j]);
  }

 private:
  // The distance of rows, as TileProducts::padded(), and a tile stands in few pages. A strip may begin at a tile's last column.
  std::size_t stride() const { return chunk_ + 128 / sizeof(T); }

  struct Range {
    std::size_t first, n;
  };
  Range range(std::size_t chunk) const {
    const std::size_t first = chunk * chunk_;
    return {first, std::min(chunk_, documents_.n - first)};
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
          for (std::size_t c = 0; c < tiles; ++c) sum = sum + at.load(parts + (c * rows_ + i) * products_.padded() + k, T(0));
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
  std::size_t d_, rows_, chunk_ = 0, at_once_ = 0;
  bool gradient_;
  TileProducts<T> products_;
  std::uint32_t* row_;
};

}  // namespace rankgrad::embedding
