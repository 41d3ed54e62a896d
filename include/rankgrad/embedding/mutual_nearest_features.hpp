// rankgrad/embedding/mutual_nearest_features.hpp: mutual nearest neighbours of local features, and their triplet loss, from the
// features: the matrices of similarities are never in memory.
// SPDX-License-Identifier: MIT
//
// Read first: local_features/mutual_nearest.hpp. How all similarities are looked at: embedding/tiles.hpp.
#pragma once

#include <rankgrad/embedding/embedding_evaluator.hpp>
#include <rankgrad/embedding/pairs.hpp>
#include <rankgrad/embedding/tiles.hpp>
#include <rankgrad/local_features/mutual_nearest.hpp>

#include <string_view>

namespace rankgrad::inline RANKGRAD_ABI {

namespace embedding {

/// The best column of each row and the best row of each column, tile by tile. A column stands in one chunk, whose rows come in
/// order.
template <Real T>
class NearestBothWays {
 public:
  static constexpr Passes passes = Passes::sums;
  static constexpr std::uint32_t nobody = rankgrad::detail::BestRows<T>::nobody;

  NearestBothWays(const Side<T>& rows, const Side<T>& columns, const Tiles<T>& matrix, Workspace& workspace)
      : best_(columns.n, workspace), column_(workspace.take<std::uint32_t>(rows.n)), rows_(rows.n), chunks_(matrix.chunks()),
        tops_(workspace.take<Top>(matrix.block() * chunks_)) {}

  void see(const Tile<T>& tile) {
    for (std::size_t r = 0; r < tile.rows; ++r) {
      const auto [similarity, v] = best_.see(tile.row[r], tile[r], tile.column, tile.columns);
      tops_[r * chunks_ + tile.chunk] = {similarity, v < tile.columns ? static_cast<std::uint32_t>(tile.column + v) : nobody};
    }
  }
  void close_rows(const std::uint32_t* row, std::size_t n) {
    for (std::size_t r = 0; r < n; ++r) {
      Top best{T(0), nobody};
      for (std::size_t c = 0; c < chunks_; ++c) {
        const Top& top = tops_[r * chunks_ + c];
        if (top.column != nobody && (best.column == nobody || top.similarity > best.similarity)) best = top;
      }
      column_[row[r]] = best.column;
    }
  }

  std::size_t matches(std::optional<double> above, std::span<Match> to) const {
    return best_.matches(column_, rows_, above, to);
  }

 private:
  struct Top {
    T similarity;
    std::uint32_t column;
  };
  rankgrad::detail::BestRows<T> best_;
  std::uint32_t* column_;   ///< [rows]
  std::size_t rows_, chunks_;
  Top* tops_;               ///< [block][chunks]
};

/// Their matches: `to` has room for the fewer of both.
template <Real T>
std::size_t mutual_nearest(const Side<T>& a, const Side<T>& b, std::optional<double> above, const TileSizes& sizes,
                           std::span<Match> to, Workspace& workspace) {
  const auto frame = workspace.frame();
  Tiles<T> matrix(a, b, sizes, false, workspace);
  NearestBothWays<T> nearest(a, b, matrix, workspace);
  matrix.run(nearest, {});
  return nearest.matches(above, to);
}

}  // namespace embedding

/// The mutual nearest neighbours of the features a [U dimension] and b [V dimension], row-major: those that mutual_nearest() of
/// their similarities finds (local_features/mutual_nearest.hpp); equal features tie, and the first one is taken. matches has
/// room for min(U, V). Returns how many there are: a re-ranking score. 2 U V d operations; memory: a copy of b, a tile for each
/// worker of the workspace's team, and O(U + V).
template <Real T>
std::size_t mutual_nearest(std::span<const T> a, std::span<const T> b, std::size_t dimension, Similarity similarity,
                           std::span<Match> matches, Workspace& workspace, std::optional<double> above = {},
                           const embedding::TileSizes& tiles = {}) {
  require(detail::check_side("a", dimension, a));
  require(detail::check_side("b", dimension, b));
  RANKGRAD_EXPECTS(matches.size() >= std::min(a.size(), b.size()) / dimension, "there is no room for all matches");
  const auto frame = workspace.frame();
  const auto side = [&](std::span<const T> features) {
    return embedding::side_of<T>(features, dimension, {}, similarity, workspace);
  };
  return embedding::mutual_nearest(side(a), side(b), above, tiles, matches, workspace);
}

/// The local features of a query image [U d], of one of the same place [V d] and of one of another place [V' d], row-major.
template <Real T>
struct LocalFeaturesView {
  using value_type = T;

  std::size_t dimension = 0;
  std::span<const T> query{};
  std::span<const T> positive{};
  std::span<const T> negative{};
};
template <Real T>
Status validate(const LocalFeaturesView<T>& view) {
  if (Status s = detail::check_side("query", view.dimension, view.query); !s) return s;
  if (Status s = detail::check_side("positive", view.dimension, view.positive); !s) return s;
  return detail::check_side("negative", view.dimension, view.negative);
}

/// Where the gradient goes: written over, not added to. What is empty is not wanted.
template <Real T>
struct LocalFeaturesGradient {
  std::span<T> query{};
  std::span<T> positive{};
  std::span<T> negative{};

  constexpr std::array<std::span<T>, 3> parts() const noexcept { return {query, positive, negative}; }
  constexpr bool wanted() const noexcept { return !query.empty() || !positive.empty() || !negative.empty(); }
  Status fits(const LocalFeaturesView<T>& view) const {
    using detail::check_optional_length;
    if (Status s = check_optional_length("the query's gradient", query.size(), view.query.size()); !s) return s;
    if (Status s = check_optional_length("the positive's gradient", positive.size(), view.positive.size()); !s) return s;
    return check_optional_length("the negative's gradient", negative.size(), view.negative.size());
  }
};

/// MutualNearestTriplet of the similarities of local features.
///
///   M_uv      = a_u . b_v, or their cosine;  a: the query's features, b: those of the positive (M+) or of the negative (M-)
///   L         = [ sim(M-) - sim(M+) + m ]_+,   sim(M) = (1 / |N|) sum_{(u,v) in N} M_uv,   N = mutual nearest neighbours of M
///   dL/da_u   = sum of g b_v (inner products) or g (b_v - M_uv a_u) / |a_u| (cosines; there a, b of length 1) over its
///               matches, at most one in each image, g = -1 / |N+| or 1 / |N-|; b_v likewise; 0 where the bracket is not > 0
///
///   EmbeddingEvaluator<float> evaluate;
///   const LocalFeaturesView<float> images{.dimension = 128, .query = q, .positive = p, .negative = n};
///   const auto result = evaluate(MutualNearestFeatures{.loss = {.margin = 0.1}}, images, {dq, dp, dn}, pool);
///
/// Shapes      see LocalFeaturesView; the images need not have as many features.
/// Units       those of the similarity; log_scale_gradient is sum_uv M_uv dL/dM_uv.
/// No signal   an image has no features.
/// Cost        2 U (V + V') d operations, and 8 d for a match. Memory: a copy of an image's features, a tile for each worker,
///             O(U + V + V'). Nothing is allocated once warm.
/// Numerics    matches by similarities in T, where equal features tie; the value by inner products of their own, in double. A
///             feature that is NaN is nobody's neighbour and has gradient 0. The bits do not depend on the number of threads.
/// Parameters  loss: margin, above (a similarity), aligned_below_two (pairs (u, u), as far as both images have features).
///             similarity; tiles: how much of the matrix is looked at at once.
/// Source      as MutualNearestTriplet; SelaVPR and FoL have features of length 1 and inner products.
struct MutualNearestFeatures {
  static constexpr std::string_view name = "mutual_nearest_features";
  template <Real T>
  using View = LocalFeaturesView<T>;
  template <Real T>
  using Gradient = LocalFeaturesGradient<T>;

  MutualNearestTriplet loss{};
  Similarity similarity = Similarity::cosine;
  embedding::TileSizes tiles{};

  Status check() const { return loss.check(); }

  template <Real T>
  EmbeddingValue<T> evaluate(const LocalFeaturesView<T>& view, const LocalFeaturesGradient<T>& out,
                             Workspace& workspace) const {
    using embedding::Side;
    if (view.query.empty() || view.positive.empty() || view.negative.empty()) return {};
    const auto frame = workspace.frame();
    const auto side = [&](std::span<const T> features) {
      return embedding::side_of<T>(features, view.dimension, {}, similarity, workspace);
    };
    const Side<T> query = side(view.query), positive = side(view.positive), negative = side(view.negative);
    const auto pairs_with = [&](const Side<T>& image) {
      const std::size_t most = std::min(query.n, image.n);
      const std::span<Match> room(workspace.take<Match>(most), most);
      const std::size_t count = embedding::mutual_nearest(query, image, loss.above, tiles, room, workspace);
      return loss.pairs(room, count, [&](const Match& m) { return similarity_of(query, image, m); });
    };
    const MutualNearestTriplet::Pairs near = pairs_with(positive), far = pairs_with(negative);
    const double value = loss.violation(near, far);
    if (value <= 0) return {T(0), 0, true};   // written so that NaN stays visible
    if (!out.wanted()) return {static_cast<T>(value), 0, true};
    add_gradient(query, positive, near, -1, out.query, out.positive, workspace);
    add_gradient(query, negative, far, 1, out.query, out.negative, workspace);
    return {static_cast<T>(value), far.mean - near.mean, true};
  }

 private:
  template <Real T>
  static double similarity_of(const embedding::Side<T>& a, const embedding::Side<T>& b, const Match& m) {
    return embedding::dot(a.row(m.u), a.factor(m.u), b.row(m.v), b.factor(m.v), a.dimension);
  }

  /// No feature is in two matches of an image: each row of either gradient has one owner.
  template <Real T>
  static void add_gradient(const embedding::Side<T>& a, const embedding::Side<T>& b, const MutualNearestTriplet::Pairs& pairs,
                           double sign, std::span<T> to_a, std::span<T> to_b, Workspace& workspace) {
    const T slope = static_cast<T>(sign * pairs.share());
    const std::size_t d = a.dimension;
    embedding::for_each_row(pairs.matches.size(), workspace, [&](std::size_t k) {
      const Match m = pairs.matches[k];
      const T back = a.inverse ? static_cast<T>(similarity_of(a, b, m)) : T(0);
      const T *const x = a.row(m.u), *const y = b.row(m.v), by_x = a.factor(m.u), by_y = b.factor(m.v);
      const auto add = [=](T* to, T factor, const T* other, T by_other, const T* own, T by_own) {
        for (std::size_t f = 0; f < d; ++f) to[f] += slope * factor * (by_other * other[f] - back * (by_own * own[f]));
      };
      if (!to_a.empty()) add(to_a.data() + m.u * d, by_x, y, by_y, x, by_x);
      if (!to_b.empty()) add(to_b.data() + m.v * d, by_y, x, by_x, y, by_y);
    });
  }
};

}  // namespace rankgrad
