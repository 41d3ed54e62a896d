// rankgrad/scoring/max_cell.hpp: a query against the best cell of a feature map, and re-ranking of the top by it.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/validate.hpp>
#include <rankgrad/core/workspace.hpp>
#include <rankgrad/simd/dot.hpp>
#include <rankgrad/simd/sorting.hpp>

#include <cmath>

namespace rankgrad::inline RANKGRAD_ABI {

namespace scoring {

/// sum a_i b_i and sum b_i^2 over rows of `width`.
struct Products {
  double cross, square;
};
template <Real T>
Products products(const T* a, const T* b, std::size_t width) {
  using namespace simd;
  BlockedSum<T> cross, square;
  for_each_pack<T>(width, [&](std::size_t i, auto at) RANKGRAD_INLINE {
    const Pack<T> u = at.load(a + i, T(0)), v = at.load(b + i, T(0));
    cross.add(u * v, at);
    square.add(v * v, at);
  });
  return {cross.total(), square.total()};
}

}  // namespace scoring

/// The highest cosine of a query with any cell of a map, the first such cell, and the lengths of the two vectors.
struct MaxCell {
  double score = 0;
  std::size_t cell = 0;
  double query_norm = 0, cell_norm = 0;
};

/// r = max_u <g, F_u> / (|g| |F_u|) for a query g [d] and cells F [U d], row-major. A vector of length 0 has cosine 0 with
/// everything; without cells the score is 0. A cell with NaN is taken: it shows in the score. O(U d).
///
/// Source: UnifyGeo, arXiv 2505.07622, and its code (local score of a candidate's map).
template <Real T>
MaxCell max_cell(std::span<const T> query, std::span<const T> cells) {
  const std::size_t width = query.size();
  RANKGRAD_EXPECTS(width > 0 && cells.size() % width == 0, "the cells are not rows as long as the query");
  MaxCell best;
  best.query_norm = std::sqrt(simd::dot(query.data(), query.data(), width));
  for (std::size_t u = 0; u < cells.size() / width; ++u) {
    const auto [cross, square] = scoring::products(query.data(), cells.data() + u * width, width);
    const double norm = std::sqrt(square), cosine = norm == 0 || best.query_norm == 0 ? 0 : cross / (norm * best.query_norm);
    if (u > 0 && cosine <= best.score) continue;
    best = {cosine, u, best.query_norm, norm};
    if (!is_finite(cosine)) break;
  }
  return best;
}

/// Adds upstream dr/dg to query_gradient [d] and upstream dr/dF to cell_gradients [U d] (empty: not wanted): at the best cell
///   dr/dg = (F^ - r g^) / |g|,   dr/dF_u = (g^ - r F^) / |F_u|,   unit vectors with ^,
/// and 0 elsewhere: a subgradient where cells tie. Vectors of length 0 get none.
template <Real T>
void add_max_cell_gradient(std::span<const T> query, std::span<const T> cells, const MaxCell& best, T upstream,
                           std::span<T> query_gradient, std::span<T> cell_gradients) {
  using namespace simd;
  const std::size_t width = query.size();
  RANKGRAD_EXPECTS(query_gradient.empty() || query_gradient.size() == width, "gradient and query differ in size");
  RANKGRAD_EXPECTS(cell_gradients.empty() || cell_gradients.size() == cells.size(), "gradients and cells differ in size");
  if (cells.empty() || best.query_norm == 0 || best.cell_norm == 0) return;
  const double g = best.query_norm, f = best.cell_norm, u = static_cast<double>(upstream);
  const Pack<T> to_other(static_cast<T>(u / (g * f)));
  const Pack<T> query_own(static_cast<T>(u * best.score / (g * g))), cell_own(static_cast<T>(u * best.score / (f * f)));
  const T* const cell = cells.data() + best.cell * width;
  T* const query_slope = query_gradient.empty() ? nullptr : query_gradient.data();
  T* const cell_slope = cell_gradients.empty() ? nullptr : cell_gradients.data() + best.cell * width;
  for_each_pack<T>(width, [&](std::size_t i, auto at) RANKGRAD_INLINE {
    const Pack<T> a = at.load(query.data() + i, T(0)), b = at.load(cell + i, T(0));
    if (query_slope) at.store(query_slope + i, at.load(query_slope + i, T(0)) + fnma(query_own, a, to_other * b));
    if (cell_slope) at.store(cell_slope + i, at.load(cell_slope + i, T(0)) + fnma(cell_own, b, to_other * a));
  });
}

/// Re-ranks the top of a first ranking by a fused score: ranking [n] = items by `global`, descending, the first k of them again
/// by global + weight local, descending; equal scores keep their order. The others keep their rank. `local` is read for the
/// first k only.
///
/// Source: UnifyGeo, arXiv 2505.07622, and its code (k = 5, plain sum).
template <Real T>
void rerank_top(std::span<const T> global, std::span<const T> local, std::size_t k, std::span<std::uint32_t> ranking,
                Workspace& workspace, double weight = 1) {
  const std::size_t n = global.size(), top = std::min(k, n);
  RANKGRAD_EXPECTS(local.size() == n, "local and global scores differ in size");
  RANKGRAD_EXPECTS(ranking.size() == n, "ranking and scores differ in size");
  simd::rank_descending(global.data(), ranking.data(), n, workspace);
  const auto frame = workspace.frame();
  double* const fused = workspace.take<double>(top);
  std::uint32_t *const order = workspace.take<std::uint32_t>(top), *const first = workspace.take<std::uint32_t>(top);
  for (std::size_t r = 0; r < top; ++r) {
    first[r] = ranking[r];
    fused[r] = static_cast<double>(global[first[r]]) + weight * static_cast<double>(local[first[r]]);
  }
  simd::rank_descending(fused, order, top, workspace);
  for (std::size_t r = 0; r < top; ++r) ranking[r] = first[order[r]];
}

}  // namespace rankgrad
