// rankgrad/pairwise/near_linear/placement.hpp: which bins of the grid a list needs.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/pairwise/near_linear/moments.hpp>
#include <rankgrad/simd/range_by_pieces.hpp>
#include <rankgrad/simd/sorting.hpp>

#include <optional>

namespace rankgrad::inline RANKGRAD_ABI::pairwise::near_linear {

/// How many items of a sorted piece: runs of 64 for a cell, if they are evenly spread.
inline std::size_t sorted_piece_size(std::size_t cells) { return std::max(piece_size, std::bit_ceil(64 * cells)); }

template <Real T>
struct Placement {
  Grid<T> grid;
  double span = 1;   ///< bins from the lowest to the highest score
};

/// Nothing where a score is not finite, or where sigma times a score is beyond what bins.hpp can represent.
template <Real T>
std::optional<Placement<T>> place_on_grid(const simd::Range<T>& range, double sigma) {
  const Scaling<T> scaling(sigma);
  if (!scaling.usable()) return {};
  Grid<T> grid{scaling, Terms::exact, T(0), {}};
  if (!range.finite || !scaling.terms_for(std::max(-range.low, range.high), grid.terms)) return {};
  const T ends[2] = {range.low, range.high};
  T u[2 * simd::lanes<T>], bound[3 * simd::lanes<T>];
  bin_scores(ends, 2, scaling, grid.terms, T(0), u, bound);
  // Rebinned bins may come out one lower or higher than order demands: by the rounding of u, at the borders.
  const T slack(grid.terms == Terms::rebinned);
  bound[0] -= slack;
  bound[1] += slack;
  grid.first = bound[0];
  return Placement<T>{grid, static_cast<double>(bound[1]) - static_cast<double>(bound[0]) + 1};
}
template <Real T>
std::optional<Placement<T>> place_on_grid(const T* scores, std::size_t n, double sigma, Workspace& workspace) {
  if (n == 0 || !Scaling<T>(sigma).usable()) return {};
  return place_on_grid(simd::range_by_pieces(scores, n, workspace), sigma);
}

/// Numbers the bins that have items: id[b] rising, compact[i] the b of item i.
template <Real T>
Bins compact_bins(const Items<T>& items, const Scaling<T>& scaling, Terms terms, std::uint32_t* compact, double* id,
                  Workspace& workspace) {
  const auto frame = workspace.frame();
  T *bin = workspace.take<T>(items.n + simd::lanes<T>), *u = workspace.take<T>(items.n);
  std::uint32_t* order = workspace.take<std::uint32_t>(items.n);
  bin_scores(items.scores, items.n, scaling, terms, T(0), u, bin);
  simd::rank_descending(bin, order, items.n, workspace);
  std::size_t count = 0;
  for (std::size_t r = items.n; r-- > 0; compact[order[r]] = static_cast<std::uint32_t>(count - 1))
    if (count == 0 || static_cast<double>(bin[order[r]]) != id[count - 1]) id[count++] = static_cast<double>(bin[order[r]]);
  return {count, id};
}

/// All bins from the lowest to the highest.
template <Real T>
void all_bins(Placement<T>& placed, Workspace& workspace) {
  const auto count = static_cast<std::size_t>(placed.span);
  double* id = workspace.take<double>(count);
  for (std::size_t b = 0; b < count; ++b) id[b] = static_cast<double>(b);
  placed.grid.bins = {count, id};
}

/// All bins, or, where those are far more than the items, the ones in use.
template <Real T>
void list_bins(const Items<T>& items, Placement<T>& placed, Workspace& workspace) {
  Grid<T>& grid = placed.grid;
  const double n = static_cast<double>(items.n), cells = placed.span * static_cast<double>(items.classes);
  if (cells <= std::min(std::max(1024.0, n / 16), 0x1p22)) return all_bins(placed, workspace);   // cells are whole numbers in T
  double* id = workspace.take<double>(items.n);
  std::uint32_t* compact = workspace.take<std::uint32_t>(items.n);
  grid.bins = compact_bins(items, grid.scaling, grid.terms, compact, id, workspace);
  grid.compact = compact;
}

}  // namespace rankgrad::pairwise::near_linear
