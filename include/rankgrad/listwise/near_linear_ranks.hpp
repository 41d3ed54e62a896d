// rankgrad/listwise/near_linear_ranks.hpp: losses of smooth ranks in linear time.
// SPDX-License-Identifier: MIT
//
// The ranks r_i = 1/2 + sum_j sigma((s_j - s_i) / T) and the sums of bells B_k, C_k of listwise/approximate_ranks.hpp are
// potentials of the grid of pairwise/near_linear: with x = s / T and d = x_i - x_j, sigma(-d) = f(d) and sigma' = c(d).
//
//   1. moments of all items, each of weight 1;  their potentials A (kernel f) and B (kernel c) by bin
//   2. each item that gains something: r = 1/2 + A(u), then phi(r), c = phi'(r) and c B(u)
//   3. their moments with weight c;  the potential C of these (kernel c)
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

#include <rankgrad/listwise/in_place_ranks.hpp>
#include <rankgrad/listwise/sorted_ranks.hpp>
#include <rankgrad/pairwise/near_linear/cost.hpp>

#include <optional>

namespace rankgrad::inline RANKGRAD_ABI::listwise {

/// Bins of up to this many items act on themselves pair by pair.
inline constexpr std::size_t few = 8;

/// The items of the bins of few items, and what these do to each other beside what the grid says.
template <Real T>
class SparseBins {
  static constexpr std::size_t width = std::max(few, simd::lanes<T>);

 public:
  std::uint8_t* alone;   ///< by bin of the grid: is it one of them?
  T* itself;             ///< by bin: what the item itself adds to its own B: sigma'(0), or 0 where it is left out

  /// From the moments of degree 0.
  SparseBins(std::size_t bins, const double* moments, Workspace& workspace)
      : alone(workspace.take<std::uint8_t>(bins)), itself(workspace.take<T>(bins)), bin_(workspace.take<std::uint32_t>(bins)),
        start_(workspace.take<std::uint32_t>(bins + 2, 0u)) {
    for (std::size_t b = 0; b < bins; ++b) {
      const double items = moments[b * grid::row<T>];   // exact: a sum of ones
      alone[b] = items > 0.5 && items < static_cast<double>(few) + 0.5;
      itself[b] = alone[b] ? T(0) : T(0.25);
      if (!alone[b]) continue;
      bin_[count_++] = static_cast<std::uint32_t>(b);
      start_[count_ + 1] = total_ += static_cast<std::uint32_t>(items + 0.5);   // one place up: filling moves it down
    }
  }

  /// Finds the items, and what is to be added to their derivatives. In the order's own places, gains still there.
  template <class Order, class Phi>
  void find(const Order& order, std::size_t bins, const double* ranks, const double* bells, const Phi& phi, double by_score,
            double by_score_twice, Workspace& workspace) {
    if (count_ == 0) return;
    std::uint32_t* number = workspace.take<std::uint32_t>(bins);
    for (std::size_t k = 0; k < count_; ++k) number[bin_[k]] = static_cast<std::uint32_t>(k);
    place_ = workspace.take<std::uint32_t>(total_);
    T *u = workspace.take<T>(total_ + width), *gain = workspace.take<T>(total_ + width);
    gradient_ = workspace.take<T>(total_);
    curvature_ = workspace.take<T>(total_);
    order.sparse(alone, workspace, [&](std::size_t b, std::size_t place, T x, T g) {
      const std::uint32_t to = start_[number[b] + 1]++;
      place_[to] = static_cast<std::uint32_t>(place);
      u[to] = x;
      gain[to] = g;
    });
    for (std::size_t k = 0; k < count_; ++k) {
      const std::size_t at = start_[k], row = bin_[k] * grid::row<T>;
      act(u + at, gain + at, start_[k + 1] - at, ranks + row, bells + row, phi, T(by_score), T(by_score_twice), at);
    }
  }
  template <class Order>
  void correct(const Order& order, const GradientSink<T>& out) const {
    for (std::size_t k = 0; k < (count_ ? total_ : 0); ++k) order.correct(place_[k], gradient_[k], curvature_[k], out);
  }

 private:
  /// One bin: with b_k = sum_{s != k} sigma'(u_k - u_s), which its B_k misses, dL/ds_k misses sum (c_s - c_k) sigma', and
  /// the curvature (3/2) sum c_s sigma' + c_k b_k - phi_k'' (2 B_k b_k + b_k^2).
  template <class Phi>
  RANKGRAD_NOINLINE void act(const T* u, const T* gain, std::size_t n, const double* ranks, const double* bells,
                             const Phi& phi, T by_score, T by_score_twice, std::size_t at) {
    using namespace simd;
    constexpr std::size_t m = grid::Order<T>::m;
    alignas(64) T x[width] = {}, g[width] = {}, slope[width], bend[width], others[width], bell[width];
    std::copy_n(u, n, x);
    std::copy_n(gain, n, g);
    for (std::size_t s = 0; s < width; s += lanes<T>) {
      const Pack<T> v = load(x + s);
      Pack<T> a(static_cast<T>(ranks[m - 1])), b(static_cast<T>(bells[m - 1]));
      for (std::size_t k = m - 1; k-- > 0;) {
        a = fma(a, v, Pack<T>(static_cast<T>(ranks[k])));
        b = fma(b, v, Pack<T>(static_cast<T>(bells[k])));
      }
      const RankTerm<T> term = phi(a + Pack<T>(T(0.5)), load(g + s));
      store(slope + s, term.slope);
      store(bend + s, term.bend);
      store(others + s, larger(Pack<T>(T(0)), b));
    }
    for (std::size_t r = 0; r < n; ++r) {
      for (std::size_t s = 0; s < width; s += lanes<T>) {
        const Pack<T> e = exp_nonpositive<T>(-abs(load(x + s) - Pack<T>(x[r]))), inverse = Pack<T>(T(1)) / (Pack<T>(T(1)) + e);
        store(bell + s, e * inverse * inverse);
      }
      bell[r] = T(0);
      T own = 0, pushed = 0, pulled = 0;
      for (std::size_t s = 0; s < n; ++s) {
        own += bell[s];
        pushed += slope[s] * bell[s];
        pulled += (slope[s] - slope[r]) * bell[s];
      }
      gradient_[at + r] = by_score * pulled;
      curvature_[at + r] = by_score_twice * (T(1.5) * pushed + own * (slope[r] + bend[r] * (T(2) * others[r] + own)));
    }
  }

  std::uint32_t *bin_, *start_, *place_ = nullptr;
  T *gradient_ = nullptr, *curvature_ = nullptr;
  std::size_t count_ = 0;
  std::uint32_t total_ = 0;
};

template <class Order, Real T, class Phi>
double ranks_on_grid(Order& order, const grid::Bins& bins, double temperature, const Phi& phi, const GradientSink<T>& out,
                     Workspace& workspace) {
  constexpr auto side = grid::Side::better;
  const std::size_t cells = bins.count, size = cells * grid::row<T>, pieces = order.pieces();
  double *moments = workspace.take<double>(size, 0.0), *weighted = workspace.take<double>(size, 0.0);
  double *ranks = workspace.take<double>(size, 0.0), *bells = workspace.take<double>(size, 0.0),
         *values = workspace.take<double>(pieces);
  const double once = static_cast<double>(out.scale) / temperature, twice = once / temperature;

  grid::moments_of_pieces<T>(pieces, cells, moments, workspace,
                             [&](std::size_t p, double* sums, Workspace& own) { order.unit_moments(p, sums, own); });
  SparseBins<T> sparse(cells, moments, workspace);
  const grid::Sweep<T> sweep(bins, grid::FarField<T>(cells, workspace), sparse.alone);
  sweep.template add<side, grid::the_slope | grid::the_curvature>(moments, moments, 1, ranks, bells);
  sparse.find(order, cells, ranks, bells, phi, once, twice, workspace);

  order.series(ranks, bells, sparse.itself, workspace);
  grid::moments_of_pieces<T>(pieces, cells, weighted, workspace,
                             [&](std::size_t p, double* sums, Workspace& own) { values[p] = order.rank(p, phi, sums, own); });
  std::fill_n(ranks, size, 0.0);
  sweep.template add<side, grid::the_curvature>(weighted, moments, 1, nullptr, ranks);   // now C

  const ByScore<T> by_score{simd::Pack<T>(static_cast<T>(once)), simd::Pack<T>(static_cast<T>(twice))};
  for_each_piece(pieces, workspace, [&](std::size_t p, Workspace& own) {
    const auto frame = own.frame();
    order.pull(p, ranks, by_score, out, own);
  });
  sparse.correct(order, out);
  for_each_piece(pieces, workspace, [&](std::size_t p, Workspace&) { order.finish(p, out); });
  double value = 0;
  for (std::size_t p = 0; p < pieces; ++p) value += values[p];
  return value;
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
  constexpr double by_bin = Costs::narrow ? 2.5 : 4, by_item = Costs::narrow ? 0.75 : 1.2;
  return 2 * Costs::sorted_fixed + by_bin * Costs::bin * bins + by_item * Costs::sorted_item * items < pairs;
}

/// smooth_ranks() by the grid. Nothing where a score is not finite or too large for its temperature, or where the pairs
/// are predicted to be faster. gains: [n], `counted` of them above 0.
template <Real T, class Phi>
std::optional<double> near_linear_ranks(std::span<const T> scores, double temperature, const T* gains, std::size_t counted,
                                        const Phi& phi, const GradientSink<T>& out, Workspace& workspace,
                                        RankPath path = RankPath::automatic) {
  const std::size_t n = scores.size();
  if (path == RankPath::pairs) return {};
  auto placed = grid::place_on_grid(scores.data(), n, 1 / temperature, workspace);
  if (!placed || (path == RankPath::automatic && !grid_is_faster<T>(counted, n, placed->span))) return {};
  const auto frame = workspace.frame();
  const RankList<T> list{scores.data(), gains, n};
  grid::list_bins(grid::Items<T>{scores.data(), gains, nullptr, n, grid::Target::two_classes, T(0), 2}, *placed, workspace);
  const grid::Grid<T>& bins = placed->grid;
  const auto in_order = [&]<class Order>(Order order) {
    return ranks_on_grid(order, bins.bins, temperature, phi, out, workspace);
  };
  const bool curvature = out.hess != nullptr;
  if constexpr (simd::lanes<T> <= 8)   // a table is at least a register
    if (placed->span <= 8) return in_order(InPlace<T, 8>(list, bins, curvature, workspace));
  if (placed->span <= 16) return in_order(InPlace<T, 16>(list, bins, curvature, workspace));
  return in_order(Sorted<T>(list, bins, curvature, workspace));
}

}  // namespace rankgrad::listwise
