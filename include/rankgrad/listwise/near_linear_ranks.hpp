// rankgrad/listwise/near_linear_ranks.hpp: losses of smooth ranks in linear time.
// SPDX-License-Identifier: MIT
//
// The ranks r_i = 1/2 + sum_j sigma((s_j - s_i) / T) and the sums of bells B_k, C_k of listwise/approximate_ranks.hpp are
// potentials of the grid of pairwise/near_linear: with x = s / T and d = x_i - x_j, sigma(-d) = f(d) and sigma' = c(d).
//
//   1. moments of all items, each of weight 1;  their potentials A (kernel f) and B (kernel c) by bin
//   2. each item: r = 1/2 + A(u), then phi(r), c = phi'(r) and c B(u)
//   3. moments of all items with weight c;  their potential C (kernel c)
//   4. each item: dL/ds = (C(u) - c B(u)) / T
//
// The item itself is among the sources: 1/2 of r, which is asked for, and c / 4 of C and of c B, which cancels. In bins
// of up to `few` items nothing else may be left of the two, and the gradient would be their rounding errors. There the
// bin's action on itself is left out of both sums and the pairs inside it are added one by one, without the item itself.
//
// O(n + bins) time, O(n) scratch. Errors: docs/numerics.md.
//
// Read first: docs/numerics.md, listwise/rank_orders.hpp, pairwise/near_linear/potentials.hpp.
#pragma once

#include <rankgrad/listwise/approximate_ranks.hpp>
#include <rankgrad/listwise/rank_orders.hpp>
#include <rankgrad/pairwise/near_linear/cost.hpp>

#include <optional>

namespace rankgrad::inline RANKGRAD_ABI::listwise {

/// Bins of up to this many items act on themselves pair by pair.
inline constexpr std::size_t few = 8;

/// The bins of few items: `places` and `u` of the items of the b-th of them are [start[b], start[b + 1]).
template <Real T>
struct SparseBins {
  std::size_t count = 0;
  std::uint32_t *start = nullptr, *places = nullptr;
  T* u = nullptr;
  std::uint8_t* alone = nullptr;   ///< by bin of the grid: is it one of them?
  T* itself = nullptr;             ///< by bin: what the item itself adds to its own B: sigma'(0), or 0 where it is left out

  template <class Order>
  SparseBins(const Order& order, std::size_t bins, const double* moments, Workspace& workspace)
      : start(workspace.take<std::uint32_t>(bins + 2, 0u)), alone(workspace.take<std::uint8_t>(bins)), itself(workspace.take<T>(bins)) {
    std::uint32_t* number = workspace.take<std::uint32_t>(bins);
    std::uint32_t total = 0;
    for (std::size_t b = 0; b < bins; ++b) {
      const double items = moments[b * grid::row<T>];   // exact: a sum of ones
      alone[b] = items > 0.5 && items < static_cast<double>(few) + 0.5;
      itself[b] = alone[b] ? T(0) : T(0.25);
      if (!alone[b]) continue;
      number[b] = static_cast<std::uint32_t>(count++);
      start[count + 1] = total += static_cast<std::uint32_t>(items + 0.5);   // one place up: filling moves it down
    }
    if (count == 0) return;
    places = workspace.take<std::uint32_t>(total);
    u = workspace.take<T>(total);
    order.sparse(alone, [&](std::size_t b, std::size_t place, T x) {
      const std::uint32_t to = start[number[b] + 1]++;
      places[to] = static_cast<std::uint32_t>(place);
      u[to] = x;
    });
  }

  /// visit(places, bells, items) for each of the bins; bells[r][s] = sigma'(u_r - u_s), 0 for r = s.
  template <class Visit>
  void each(Visit visit) const {
    using namespace simd;
    constexpr std::size_t width = std::max(few, lanes<T>);
    for (std::size_t b = 0; b < count; ++b) {
      const std::size_t items = start[b + 1] - start[b];
      alignas(64) T own[width] = {}, bells[few][width];
      std::copy_n(u + start[b], items, own);
      for (std::size_t r = 0; r < items; ++r) {
        for (std::size_t s = 0; s < width; s += lanes<T>) {
          const Pack<T> m = exp_nonpositive<T>(-abs(load(own + s) - Pack<T>(own[r]))), inverse = Pack<T>(T(1)) / (Pack<T>(T(1)) + m);
          store(bells[r] + s, m * inverse * inverse);
        }
        bells[r][r] = T(0);
      }
      visit(places + start[b], bells, items);
    }
  }
};

template <class Order, Real T, class Phi>
double ranks_on_grid(const Order& order, const grid::Grid<T>& bins, std::size_t n, double temperature, const T* gains, const Phi& phi,
                     const GradientSink<T>& out, Workspace& workspace) {
  using namespace simd;
  const std::size_t cells = bins.bins.count, size = cells * grid::row<T>;
  double *moments = workspace.take<double>(size, 0.0), *weighted = workspace.take<double>(size, 0.0);
  double *ranks = workspace.take<double>(size, 0.0), *bells = workspace.take<double>(size, 0.0);
  T *slopes = workspace.take<T>(n), *pulls = workspace.take<T>(n, T(0)), *bends = out.hess ? workspace.take<T>(n) : nullptr;

  order.moments(nullptr, moments, workspace);
  order.own(gains, slopes);
  const SparseBins<T> sparse(order, cells, moments, workspace);
  const grid::Sweep<T> sweep(bins.bins, grid::FarField<T>(cells, workspace), sparse.alone);
  sweep.template add<grid::Side::better, true>(moments, moments, 1, ranks, bells);
  sparse.each([&](const std::uint32_t* places, const auto& bell, std::size_t items) {
    for (std::size_t r = 0; r < items; ++r)
      for (std::size_t s = 0; s < items; ++s) pulls[places[r]] += bell[r][s];
  });

  // Ranks, and what they cost: slopes were gains and become c, pulls were bells and become c B.
  const Pack<T> zero(T(0)), half(T(0.5)), half_more(T(1.5));
  BlockedSum<T> value;
  order.each(ranks, bells, sparse.itself, [&](std::size_t i, auto at, Pack<T> itself, Pack<T> a, Pack<T> b) RANKGRAD_INLINE {
    const RankTerm<T> term = phi(a + half, at.load(slopes + i, T(0)));
    const Pack<T> bell = b + at.load(pulls + i, T(0));
    value.add(term.value * at.load_ones());
    at.store(slopes + i, term.slope);
    at.store(pulls + i, term.slope * bell);
    if (bends) {   // which has no use for the item itself, here and in C
      const Pack<T> others = larger(zero, bell - itself);
      at.store(bends + i, others * fma(term.bend, others, term.slope) - half_more * term.slope * itself);
    }
  }, workspace);

  order.moments(slopes, weighted, workspace);
  std::fill_n(bells, size, 0.0);
  sweep.template add<grid::Side::better, true>(weighted, moments, 1, ranks, bells);
  sparse.each([&](const std::uint32_t* places, const auto& bell, std::size_t items) {
    for (std::size_t r = 0; r < items; ++r) {
      T sum = 0;
      for (std::size_t s = 0; s < items; ++s) sum += slopes[places[s]] * bell[r][s];
      pulls[places[r]] -= sum;
      if (bends) bends[places[r]] += T(1.5) * sum;
    }
  });
  const Pack<T> by_score(static_cast<T>(static_cast<double>(out.scale) / temperature));
  const Pack<T> by_score_twice(static_cast<T>(static_cast<double>(out.scale) / temperature / temperature));
  order.each(bells, bells, sparse.itself, [&](std::size_t i, auto at, Pack<T>, Pack<T> c, Pack<T>) RANKGRAD_INLINE {
    if (bends) at.store(bends + i, by_score_twice * larger(zero, fma(half_more, c, at.load(bends + i, T(0)))));
    at.store(pulls + i, by_score * (c - at.load(pulls + i, T(0))));
  }, workspace);
  order.finish(pulls, out.grad);
  if (bends) order.finish(bends, out.hess);
  return value.total();
}

/// How ranks are summed up.
enum class RankPath {
  automatic,   ///< the way that is predicted to be the faster
  pairs,       ///< every pair
  grid         ///< the grid, wherever it is possible
};

/// Predicted nanoseconds, of which only the ratio counts: m rows of n items against a grid of `span` bins.
template <Real T>
bool grid_is_faster(std::size_t m, std::size_t n, double span) {
  using Costs = grid::Costs<T>;
  const double items = static_cast<double>(n), bins = std::min(span, items);
  constexpr double lanes = static_cast<double>(simd::lanes<T>);
  const double pairs = 100 + (25 + static_cast<double>(m) * 2.4 / lanes) * items;
  return 2 * Costs::sorted_fixed + 4 * Costs::bin * bins + 2 * Costs::sorted_item * items < pairs;
}

/// smooth_ranks() by the grid. Nothing where a score is not finite or too large for its temperature, or where the pairs
/// are predicted to be faster.
template <Real T, class Phi>
std::optional<double> near_linear_ranks(std::span<const T> scores, double temperature, const Counted& counted, const Phi& phi,
                                        const GradientSink<T>& out, Workspace& workspace, RankPath path = RankPath::automatic) {
  const std::size_t n = scores.size();
  if (path == RankPath::pairs) return {};
  auto placed = grid::place_on_grid(scores.data(), n, 1 / temperature);
  if (!placed || (path == RankPath::automatic && !grid_is_faster<T>(counted.n, n, placed->span))) return {};
  const auto frame = workspace.frame();
  T* gains = workspace.take<T>(n, T(0));
  for (std::size_t c = 0; c < counted.n; ++c) gains[counted.items[c]] = static_cast<T>(counted.gains[c]);
  const grid::Items<T> items{scores.data(), scores.data(), nullptr, n, grid::Target::single, T(0), 1};
  grid::list_bins(items, *placed, workspace);
  const grid::Grid<T>& bins = placed->grid;
  const auto in_order = [&]<class Order>(const Order& order) { return ranks_on_grid(order, bins, n, temperature, gains, phi, out, workspace); };
  if constexpr (simd::lanes<T> <= 8)   // a table is at least a register
    if (placed->span <= 8) return in_order(InPlace<T, 8>(items, bins, workspace));
  if (placed->span <= 16) return in_order(InPlace<T, 16>(items, bins, workspace));
  return in_order(Sorted<T>(items, bins, workspace));
}

}  // namespace rankgrad::listwise
