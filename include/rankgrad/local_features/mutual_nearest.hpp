// rankgrad/local_features/mutual_nearest.hpp: local features of two images that are each other's nearest neighbour.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/evaluate.hpp>
#include <rankgrad/simd/rows.hpp>
#include <rankgrad/simd/unroll.hpp>

#include <bit>
#include <cmath>
#include <optional>

namespace rankgrad::inline RANKGRAD_ABI {

/// Feature u of one image and feature v of the other.
struct Match {
  std::uint32_t u = 0, v = 0;
};

namespace detail {

/// The best row of each column so far, and of a row the best of its columns; of equal ones the first, and never NaN.
template <Real T>
struct BestRows {
  T *best, *where;   ///< [columns] similarity; number of the row

  BestRows(std::size_t columns, Workspace& workspace)
      : best(workspace.take<T>(columns, std::numeric_limits<T>::lowest())),
        where(workspace.take<T>(columns, number_of(nobody))) {}

  struct Best {
    T similarity;
    std::size_t column;   ///< n where there is none
  };
  /// Row u, of which these are the columns first .. first + n - 1.
  RANKGRAD_NOINLINE Best see(std::size_t u, const T* row, std::size_t first, std::size_t n) {
    using namespace simd;
    constexpr T least = std::numeric_limits<T>::lowest();
    const Pack<T> number(number_of(u));
    Pack<T> top[2] = {Pack<T>(least), Pack<T>(least)};
    for_each_pack<T>(n, [&](std::size_t v, auto at) RANKGRAD_INLINE {
      T *const highest_so_far = best + first + v, *const its_row = where + first + v;
      const Pack<T> s = at.load(row + v, least), so_far = at.load(highest_so_far, T(0));
      top[at.slot] = larger(top[at.slot], s);
      const auto better = s > so_far;
      at.store(highest_so_far, select(better, s, so_far));
      at.store(its_row, select(better, number, at.load(its_row, T(0))));
    });
    const T similarity = highest(larger(top[0], top[1]));
    return {similarity, place_of(similarity, row, n)};
  }

  /// The rows whose best column, [rows], has them as its best row.
  std::size_t matches(const std::uint32_t* column, std::size_t rows, std::optional<double> above, std::span<Match> to) const {
    std::size_t count = 0;
    for (std::size_t u = 0; u < rows; ++u) {
      const std::uint32_t v = column[u];
      if (v == nobody || row(v) != u) continue;
      if (above && !(static_cast<double>(best[v]) > *above)) continue;
      to[count++] = {static_cast<std::uint32_t>(u), v};
    }
    return count;
  }

  static constexpr std::uint32_t nobody = std::numeric_limits<std::uint32_t>::max();
  std::uint32_t row(std::size_t column) const { return static_cast<std::uint32_t>(std::bit_cast<simd::Bits<T>>(where[column])); }

 private:
  // Row numbers are integers in the bits of a T, which select() moves as they are: as numbers of T they would end at 2^24.
  static T number_of(std::size_t u) { return std::bit_cast<T>(static_cast<simd::Bits<T>>(u)); }
};

}  // namespace detail

/// The mutual nearest neighbours of a similarity matrix [U V], row-major: v is the best column of row u and u the best row of
/// column v, the first of equal ones; with `above`, only those of a higher similarity. matches has room for min(U, V). Returns
/// how many there are, which is the re-ranking score of SelaVPR (arXiv 2402.14505) and, above 0.7, of FoL (arXiv 2504.09881).
/// Without `above` there is at least one, but for NaN, which is nobody's neighbour. O(U V).
template <Real T>
std::size_t mutual_nearest(std::span<const T> similarity, std::size_t columns, std::span<Match> matches, Workspace& workspace,
                           std::optional<double> above = {}) {
  const std::size_t rows = columns == 0 ? 0 : similarity.size() / columns;
  RANKGRAD_EXPECTS(rows * columns == similarity.size(), "the similarities are not whole rows");
  RANKGRAD_EXPECTS(matches.size() >= std::min(rows, columns), "there is no room for all matches");
  const auto frame = workspace.frame();
  detail::BestRows<T> all(columns, workspace);
  std::uint32_t* const partner = workspace.take<std::uint32_t>(rows);
  for (std::size_t u = 0; u < rows; ++u) {
    const std::size_t v = all.see(u, similarity.data() + u * columns, 0, columns).column;
    partner[u] = v < columns ? static_cast<std::uint32_t>(v) : all.nobody;
  }
  return all.matches(partner, rows, above, matches);
}

/// The similarities of the local features of a query with those of a positive and of a negative image:
///   similarity [2 U V]   the matrix with the positive, then that with the negative, both row-major
/// The gradient has the same layout.
template <Real T>
struct LocalTripletView {
  using value_type = T;

  std::span<const T> similarity{};
  std::size_t columns = 1;   ///< V

  constexpr std::size_t matrix() const noexcept { return similarity.size() / 2; }
  constexpr std::size_t rows() const noexcept { return columns == 0 ? 0 : matrix() / columns; }
};
template <Real T>
constexpr std::size_t gradient_size(const LocalTripletView<T>& view) noexcept { return view.similarity.size(); }
template <Real T>
Status validate(const LocalTripletView<T>& view) {
  if (view.columns > 0 && view.similarity.size() == 2 * view.rows() * view.columns) return {};
  return Status::error("rankgrad: %zu similarities are not two matrices of %zu columns", view.similarity.size(), view.columns);
}

/// Triplet loss of local features by their mutual nearest neighbours.
///
///   L        = [ sim(M^-) - sim(M^+) + m ]_+,   sim(M) = (1 / |N|) sum_{(u,v) in N} M_uv,  N = mutual nearest neighbours of M
///   dL/dM^+  = -1 / |N^+| on N^+,  dL/dM^- = +1 / |N^-| on N^-,  0 elsewhere and where the bracket is not positive
///
/// Curvature   0 almost everywhere; the matches are constants.
/// No signal   the matrices are empty.
/// Cost        O(U V) time, O(U + V) scratch.
/// Parameters  margin m (source: 0). above: matches need a higher similarity (FoL: 0.7); where none has, sim = 0 without a
///             gradient. aligned_below_two: with fewer than two matches take the mean of M_uu instead (U = V), as SelaVPR's code
///             does where its single match loses a dimension.
/// Source      SelaVPR, arXiv 2402.14505, and its code (sum over triplets, divided by batch and negatives outside); FoL, arXiv
///             2504.09881, and its code. At 0 the hinge has no gradient here; a clamp may pass one.
struct MutualNearestTriplet {
  static constexpr std::string_view name = "mutual_nearest_triplet";
  static constexpr Curvature curvature = Curvature::gauss_newton;
  template <Real T>
  using View = LocalTripletView<T>;

  double margin = 0;
  std::optional<double> above{};
  bool aligned_below_two = false;

  Status check() const {
    if (is_finite(margin)) return {};
    return Status::error("rankgrad: MutualNearestTriplet.margin is %g; it must be finite", margin);
  }

  /// What counts of one image, and the mean of its similarities.
  struct Pairs {
    std::span<const Match> matches{};
    double mean = 0;

    double share() const { return matches.empty() ? 0 : 1 / static_cast<double>(matches.size()); }
  };
  /// The first `count` of these are its matches. similarity(m): that of a match, or of an aligned pair.
  template <class SimilarityOf>
  Pairs pairs(std::span<Match> room, std::size_t count, const SimilarityOf& similarity) const {
    if (aligned_below_two && count < 2)
      for (count = 0; count < room.size(); ++count)
        room[count] = {static_cast<std::uint32_t>(count), static_cast<std::uint32_t>(count)};
    double sum = 0;
    for (const Match& m : room.first(count)) sum += similarity(m);
    return {room.first(count), count == 0 ? 0 : sum / static_cast<double>(count)};
  }
  /// Inside the bracket.
  double violation(const Pairs& positive, const Pairs& negative) const { return negative.mean - positive.mean + margin; }

  template <Real T>
  Contribution<T> value_and_gradient(LocalTripletView<T> view, GradientSink<T> out, Workspace& workspace) const {
    const std::size_t size = view.matrix(), most = std::min(view.rows(), view.columns);
    if (size == 0) return {};
    const auto frame = workspace.frame();
    const auto pairs_of = [&](std::span<const T> matrix) {
      const std::span<Match> room(workspace.take<Match>(most), most);
      const std::size_t count = mutual_nearest(matrix, view.columns, room, workspace, above);
      return pairs(room, count, [&](const Match& m) { return static_cast<double>(matrix[m.u * view.columns + m.v]); });
    };
    const Pairs positive = pairs_of(view.similarity.first(size)), negative = pairs_of(view.similarity.last(size));
    const double value = violation(positive, negative);
    if (value <= 0) return {T(0), true};   // written so that NaN stays visible
    const T pull = static_cast<T>(static_cast<double>(out.scale) * positive.share());
    const T push = static_cast<T>(static_cast<double>(out.scale) * negative.share());
    for (const Match& m : positive.matches) out.grad[m.u * view.columns + m.v] -= pull;
    for (const Match& m : negative.matches) out.grad[size + m.u * view.columns + m.v] += push;
    return {static_cast<T>(value), true};
  }
};

}  // namespace rankgrad
