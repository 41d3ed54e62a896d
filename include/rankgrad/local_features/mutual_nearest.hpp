// rankgrad/local_features/mutual_nearest.hpp: local features of two images that are each other's nearest neighbour.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/evaluate.hpp>
#include <rankgrad/simd/rows.hpp>

#include <bit>
#include <cmath>
#include <optional>

namespace rankgrad::inline RANKGRAD_ABI {

/// Feature u of one image and feature v of the other.
struct Match {
  std::uint32_t u = 0, v = 0;
};

/// The mutual nearest neighbours of a similarity matrix [U V], row-major: v is the best column of row u and u the best row of
/// column v, the first of equal ones; with `above`, only those of a higher similarity. matches has room for min(U, V). Returns
/// how many there are, which is the re-ranking score of SelaVPR (arXiv 2402.14505) and, above 0.7, of FoL (arXiv 2504.09881).
/// Without `above` there is at least one, but for NaN, which is nobody's neighbour. O(U V).
template <Real T>
std::size_t mutual_nearest(std::span<const T> similarity, std::size_t columns, std::span<Match> matches, Workspace& workspace,
                           std::optional<double> above = {}) {
  using namespace simd;
  const std::size_t rows = columns == 0 ? 0 : similarity.size() / columns;
  RANKGRAD_EXPECTS(rows * columns == similarity.size(), "the similarities are not whole rows");
  RANKGRAD_EXPECTS(matches.size() >= std::min(rows, columns), "there is no room for all matches");
  const auto frame = workspace.frame();
  // Row numbers are integers in the bits of a T, which select() moves as they are: as numbers of T they would end at 2^24.
  const auto number_of = [](std::size_t u) { return std::bit_cast<T>(static_cast<Bits<T>>(u)); };
  const T nobody = std::bit_cast<T>(Bits<T>(-1));
  T *const best = workspace.take<T>(columns, std::numeric_limits<T>::lowest()), *const where = workspace.take<T>(columns, nobody);
  std::uint32_t* const partner = workspace.take<std::uint32_t>(rows);
  for (std::size_t u = 0; u < rows; ++u) {
    const T* const row = similarity.data() + u * columns;
    const Pack<T> number(number_of(u));
    Pack<T> top[2] = {Pack<T>(std::numeric_limits<T>::lowest()), Pack<T>(std::numeric_limits<T>::lowest())};
    for_each_pack<T>(columns, [&](std::size_t v, auto at) RANKGRAD_INLINE {
      const Pack<T> s = at.load(row + v, std::numeric_limits<T>::lowest()), so_far = at.load(best + v, T(0));
      top[at.slot] = larger(top[at.slot], s);
      const auto better = s > so_far;
      at.store(best + v, select(better, s, so_far));
      at.store(where + v, select(better, number, at.load(where + v, nobody)));
    });
    const T highest_of_row = highest(larger(top[0], top[1]));
    std::size_t v = 0;
    while (v < columns && row[v] != highest_of_row) ++v;
    partner[u] = static_cast<std::uint32_t>(v);
  }
  std::size_t count = 0;
  for (std::size_t u = 0; u < rows; ++u) {
    const std::size_t v = partner[u];
    if (v == columns || std::bit_cast<Bits<T>>(where[v]) != static_cast<Bits<T>>(u)) continue;
    if (above && !(static_cast<double>(best[v]) > *above)) continue;
    matches[count++] = {static_cast<std::uint32_t>(u), static_cast<std::uint32_t>(v)};
  }
  return count;
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

  template <Real T>
  Contribution<T> value_and_gradient(LocalTripletView<T> view, GradientSink<T> out, Workspace& workspace) const {
    const std::size_t size = view.matrix(), most = std::min(view.rows(), view.columns);
    if (size == 0) return {};
    const auto frame = workspace.frame();
    const Pairs<T> positive = pairs(view, view.similarity.first(size), {workspace.take<Match>(most), most}, workspace);
    const Pairs<T> negative = pairs(view, view.similarity.last(size), {workspace.take<Match>(most), most}, workspace);
    const double value = negative.mean - positive.mean + margin;
    if (value <= 0) return {T(0), true};   // written so that NaN stays visible
    const T pull = static_cast<T>(static_cast<double>(out.scale) * positive.share());
    const T push = static_cast<T>(static_cast<double>(out.scale) * negative.share());
    for (const Match& m : positive.matches) out.grad[m.u * view.columns + m.v] -= pull;
    for (const Match& m : negative.matches) out.grad[size + m.u * view.columns + m.v] += push;
    return {static_cast<T>(value), true};
  }

 private:
  template <Real T>
  struct Pairs {
    std::span<const Match> matches;
    double mean;
    double share() const { return matches.empty() ? 0 : 1 / static_cast<double>(matches.size()); }
  };
  template <Real T>
  Pairs<T> pairs(const LocalTripletView<T>& view, std::span<const T> matrix, std::span<Match> room, Workspace& workspace) const {
    std::size_t count = mutual_nearest(matrix, view.columns, room, workspace, above);
    if (aligned_below_two && count < 2)
      for (count = 0; count < room.size(); ++count)
        room[count] = {static_cast<std::uint32_t>(count), static_cast<std::uint32_t>(count)};
    double sum = 0;
    for (const Match& m : room.first(count)) sum += static_cast<double>(matrix[m.u * view.columns + m.v]);
    return {room.first(count), count == 0 ? 0 : sum / static_cast<double>(count)};
  }
};

}  // namespace rankgrad
