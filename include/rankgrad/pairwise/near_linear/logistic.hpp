// rankgrad/pairwise/near_linear/logistic.hpp: the logistic loss over all pairs in linear time.
// SPDX-License-Identifier: MIT
//
//   L = (1 / W) sum_{c_i > c_j} w_i w_j log(1 + e^{-sigma (s_i - s_j)})
//
// over pairs of classes c: positives and negatives, or grades. The sum over pairs goes through a grid: the items of a
// bin are represented by their Chebyshev moments (moments.hpp), the bins act on each other (potentials.hpp), and each
// item reads its slope from its bin's series (evaluate.hpp). A bin acts on itself in the same way, so that ties and
// clusters cost nothing. docs/numerics.md derives the method and its errors: about 1e-7 relative in float, 1e-14 in
// double, for the value, the gradient and the curvature.
//
// O(n) time, and scratch of at most 64 bytes for each item (and 256 KiB): a bin costs row<T> doubles for each class two or
// three times over; where bins hold but a few items each, they are taken a stretch at a time (streamed.hpp).
#pragma once

#include <rankgrad/core/all_here.hpp>
#include <rankgrad/core/gradient_sink.hpp>
#include <rankgrad/pairwise/near_linear/closing_up.hpp>
#include <rankgrad/pairwise/near_linear/cost.hpp>
#include <rankgrad/pairwise/near_linear/evaluate.hpp>
#include <rankgrad/pairwise/near_linear/grid_step.hpp>
#include <rankgrad/pairwise/near_linear/placement.hpp>
#include <rankgrad/pairwise/near_linear/streamed.hpp>

#include <algorithm>
#include <bit>
#include <optional>

namespace rankgrad::inline RANKGRAD_ABI::pairwise::near_linear {

/// Labels as classes 0 .. classes - 1; classes = 0 where they are not whole numbers within most_classes of each other.
template <Real T>
struct Classes {
  std::size_t classes = 0;
  T lowest = 0;
  double pairs = 0;   ///< comparable pairs, estimated
};
template <Real T>
Classes<T> classes_of(const T* labels, std::size_t n, Target target) {
  using namespace simd;
  if (target == Target::two_classes) {
    // Each class known to have `enough` items, no more need be looked at: the pairs would take far longer than the grid.
    constexpr std::size_t enough = 1024, stretch = 4096;
    std::size_t positive = 0, seen = 0;
    while (seen < n && std::min(positive, seen - positive) < enough)
      for (const std::size_t end = std::min(seen + stretch, n); seen < end;) {
        const Pack<T> y = load_up_to(labels + seen, end - seen, T(0));
        positive += static_cast<std::size_t>(std::popcount(lane_bits<T>(y > Pack<T>(T(0)))));
        seen = std::min(seen + lanes<T>, end);
      }
    const double share = static_cast<double>(positive) / static_cast<double>(seen), items = static_cast<double>(n);
    return {2, T(0), share * items * (1 - share) * items};
  }
  const Pack<T> first(labels[0]);
  Pack<T> low = first, high = first;
  Mask<T> whole = first == first;   // asked this way round, NaN is not
  for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
    const Pack<T> y = at.load(labels + i, labels[0]);
    low = min(low, y);
    high = max(high, y);
    whole = whole & (round_to_even<T>(y) == y);
  });
  const T lowest = -highest_lane(-low), span = highest_lane(high) - lowest;
  if (any(~whole) || !(span < T(most_classes)) || !(lowest > T(-0x1p20f)) || !(lowest < T(0x1p20f))) return {};
  const double classes = static_cast<double>(span) + 1, items = static_cast<double>(n);
  return {static_cast<std::size_t>(classes), lowest, 0.5 * items * items * (1 - 1 / classes)};
}

namespace detail {

/// Weight of the comparable pairs, from the moments of degree 0.
template <Real T>
double pair_weight(const double* moments, std::size_t classes, std::size_t bins) {
  double total = 0, below = 0;
  for (std::size_t c = 0; c < classes; ++c) {
    double own = 0;
    for (std::size_t b = 0; b < bins; ++b) own += moments[(c * bins + b) * row<T>];
    total += below * own;
    below += own;
  }
  return total;
}

/// What a path fills and reads: rows [class][bin].
template <Real T>
struct Series {
  double *moments, *slopes, *curvatures;
  Series(std::size_t cells, bool curvature, Workspace& workspace)
      : moments(workspace.take<double>(cells * row<T>, 0.0)), slopes(workspace.take<double>(cells * row<T>)),
        curvatures(curvature ? workspace.take<double>(cells * row<T>) : nullptr) {}
};

/// The grid step, and the factors of the gradient and curvature by scores. False: no comparable pair has weight. `add_up`
/// makes the moments those of the whole list: see core/all_here.hpp.
struct Outcome {
  double value = 0, slope_factor = 0, curvature_factor = 0;
  bool valid = false;
};
template <Real T, class AddUp>
Outcome act(const Grid<T>& grid, std::size_t classes, const Series<T>& series, double sigma, Normalize normalize, double scale,
            Workspace& workspace, const AddUp& add_up) {
  add_up(std::span<double>(series.moments, classes * grid.bins.count * row<T>));
  const double weight = pair_weight<T>(series.moments, classes, grid.bins.count);
  if (!(weight > 0)) return {};
  const double value =
      series.curvatures
          ? all_potentials<true, T>(grid.bins, classes, series.moments, series.slopes, series.curvatures, workspace)
          : all_potentials<false, T>(grid.bins, classes, series.moments, series.slopes, nullptr, workspace);
  const double factor = normalize == Normalize::mean ? 1 / weight : 1;
  return {factor * value, factor * sigma * scale, factor * sigma * sigma * scale, true};
}

template <Real T, class AddUp>
Outcome by_registers(const Items<T>& items, const Grid<T>& grid, double sigma, Normalize normalize, const GradientSink<T>& out,
                     Workspace& workspace, const AddUp& add_up) {
  constexpr std::size_t m = Order<T>::m;
  const std::size_t cells = items.classes * grid.bins.count;
  const std::size_t pieces = (items.n + piece_size - 1) / piece_size;
  const Series<T> series(cells, out.hess != nullptr, workspace);
  const auto end_of = [&](std::size_t p) { return std::min((p + 1) * piece_size, items.n); };
  moments_of_pieces<T>(pieces, cells, series.moments, workspace, [&](std::size_t p, double* sums, Workspace& own) {
    if (items.weights) CompressedPiece<true, T>(items, grid, sums, own).add(p * piece_size, end_of(p));
    else CompressedPiece<false, T>(items, grid, sums, own).add(p * piece_size, end_of(p));
  });
  const Outcome outcome = act(grid, items.classes, series, sigma, normalize, static_cast<double>(out.scale), workspace, add_up);
  if (!outcome.valid) return outcome;
  const auto evaluate = [&]<std::size_t Cells>(std::integral_constant<std::size_t, Cells>) {
    T* slope = workspace.take<T>(m * Cells);
    T* bend = out.hess ? workspace.take<T>(m * Cells) : nullptr;
    fill_table<Cells>(series.slopes, cells, outcome.slope_factor, slope);
    if (bend) fill_table<Cells>(series.curvatures, cells, outcome.curvature_factor, bend);
    const RegisterTables<T> tables{slope, bend};
    for_each_piece(pieces, workspace, [&](std::size_t p, Workspace& own) {
      const auto frame = own.frame();
      auto* block = own.take<EvaluationBlock<T>>(1);
      *block = {};   // past the end of the list, too, there are cells of the tables
      evaluate_piece<Cells>(items, grid, tables, p * piece_size, end_of(p), out.grad, out.hess, *block);
    });
  };
  if (cells <= 16) evaluate(std::integral_constant<std::size_t, 16>{});
  else if (cells <= 32) evaluate(std::integral_constant<std::size_t, 32>{});
  else evaluate(std::integral_constant<std::size_t, 64>{});
  return outcome;
}

template <Real T, class AddUp>
Outcome by_sorting(const Items<T>& items, const Grid<T>& grid, double sigma, Normalize normalize, const GradientSink<T>& out,
                   Workspace& workspace, const AddUp& add_up) {
  const std::size_t cells = items.classes * grid.bins.count, n = items.n;
  const std::size_t size = sorted_piece_size(cells), pieces = (n + size - 1) / size;
  const Series<T> series(cells, out.hess != nullptr, workspace);
  const std::size_t stride = size + SortedPiece<T>::after;
  T* u = workspace.take<T>(n + pieces * SortedPiece<T>::after);
  std::uint32_t *place = workspace.take<std::uint32_t>(n), *begins = workspace.take<std::uint32_t>(pieces * (cells + 2));
  const auto piece = [&](std::size_t p) { return SortedPiece<T>{u + p * stride, place + p * size, begins + p * (cells + 2)}; };
  const auto length = [&](std::size_t p) { return std::min(size, n - p * size); };
  moments_of_pieces<T>(pieces, cells, series.moments, workspace, [&](std::size_t p, double* sums, Workspace& own) {
    T* other = own.take<T>(length(p));
    T* weights = items.weights ? own.take<T>(length(p)) : nullptr;
    sort_piece(items, grid, p * size, length(p), piece(p), other, weights);
    if (weights) add_sorted<true>(piece(p), weights, cells, sums);
    else add_sorted<false>(piece(p), weights, cells, sums);
  });
  const Outcome outcome = act(grid, items.classes, series, sigma, normalize, static_cast<double>(out.scale), workspace, add_up);
  if (!outcome.valid) return outcome;
  for_each_piece(pieces, workspace, [&](std::size_t p, Workspace& own) {
    const auto frame = own.frame();
    T* bend = out.hess ? own.take<T>(length(p)) : nullptr;
    const auto run = out.hess ? evaluate_sorted<true, T> : evaluate_sorted<false, T>;
    run(piece(p), cells, series.slopes, series.curvatures, outcome.slope_factor, outcome.curvature_factor, bend);
    const T* weights = items.weights ? items.weights + p * size : nullptr;
    collect(piece(p).place, static_cast<const T*>(piece(p).u), weights, length(p), out.grad + p * size);
    if (out.hess) collect(piece(p).place, bend, weights, length(p), out.hess + p * size);
  });
  return outcome;
}

/// Stretches of bins: streamed.hpp. `at_once`: how many bins of a stretch there may be, but for its neighbours.
template <Real T>
Outcome by_stretches(const Items<T>& items, const Grid<T>& grid, double sigma, Normalize normalize, const GradientSink<T>& out,
                     Workspace& workspace, std::size_t at_once) {
  Stretches<T> stretches(items, grid, at_once, workspace);
  const std::size_t cells = items.classes * stretches.most_bins, sweeps = 2 * (items.classes - 1);
  const Series<T> series(cells, out.hess != nullptr, workspace);
  stretches.reserve(out.hess != nullptr, workspace);
  FarState<T>*below = workspace.take<FarState<T>>(sweeps), *above = workspace.take<FarState<T>>(sweeps * stretches.count);
  double* totals = workspace.take<double>(items.classes, 0.0);
  Bins bins;
  std::size_t first = 0, last = 0;

  for (std::size_t k = stretches.count; k-- > 0;) {   // down: above[k] is what stretch k sees above it
    stretches.load(k, series.moments, bins, first, last);
    FarState<T>* state = above + k * sweeps;
    if (k + 1 == stretches.count) std::fill_n(state, sweeps, FarState<T>{{}, 0, 0, bins.id[last - 1]});
    for (std::size_t c = 0; c < items.classes; ++c)
      for (std::size_t b = first; b < last; ++b) totals[c] += series.moments[(c * bins.count + b) * row<T>];
    if (k == 0) break;
    const auto frame = workspace.frame();
    const Sweep<T> sweep(bins, FarField<T>(bins.count, workspace));
    double* sum = items.classes > 2 ? workspace.take<double>(bins.count * row<T>) : nullptr;
    std::copy_n(state, sweeps, state - sweeps);
    for_each_sweep<T>(bins.count, items.classes, series.moments, sum,
                      [&](auto, const double* sources, std::size_t, std::size_t number) {
      const Stretch<T> stretch{first, last, nullptr, state - sweeps + number};
      sweep.sweep_down(sources, &stretch);
    });
  }
  double weight = 0, lower = 0;
  for (std::size_t c = 0; c < items.classes; lower += totals[c++]) weight += lower * totals[c];
  if (!(weight > 0)) return {};
  const double factor = normalize == Normalize::mean ? 1 / weight : 1, by_slope = factor * sigma * static_cast<double>(out.scale);
  double value = 0;
  for (std::size_t k = 0; k < stretches.count; ++k) {
    if (k > 0) stretches.load(k, series.moments, bins, first, last);
    else std::fill_n(below, sweeps, FarState<T>{{}, 0, 0, bins.id[first]});
    const Stretch<T> stretch{first, last, below, above + k * sweeps};
    value +=
        series.curvatures
            ? all_potentials<true, T>(bins, items.classes, series.moments, series.slopes, series.curvatures, workspace, &stretch)
            : all_potentials<false, T>(bins, items.classes, series.moments, series.slopes, nullptr, workspace, &stretch);
    stretches.evaluate(first, last, series.slopes, series.curvatures, by_slope, by_slope * sigma, out);
  }
  return {factor * value, by_slope, by_slope * sigma, true};
}

}  // namespace detail

/// The loss on all bins of its range, by registers (which must fit) or sorted. Of items that are a part of a list, the rest of
/// which is elsewhere on the same grid, `add_up` makes it the loss of the list.
template <Real T, class AddUp = AllHere>
Contribution<T> on_all_bins(const Items<T>& items, Placement<T>& placed, Path path, double sigma, Normalize normalize,
                            const GradientSink<T>& out, Workspace& workspace, const AddUp& add_up = {}) {
  const auto frame = workspace.frame();
  all_bins(placed, workspace);
  const detail::Outcome outcome = path == Path::registers
                                      ? detail::by_registers(items, placed.grid, sigma, normalize, out, workspace, add_up)
                                      : detail::by_sorting(items, placed.grid, sigma, normalize, out, workspace, add_up);
  return {static_cast<T>(outcome.value), outcome.valid};
}

/// The loss, its gradient and curvature added to `out`. Nothing where the pairs are to be taken one by one: they are
/// predicted to be faster (Path::automatic), a score is not finite, grades are not whole numbers within a range of 32,
/// or sigma times a score is beyond what bins.hpp can represent. A path that is forced is taken wherever it is possible.
template <Real T>
std::optional<Contribution<T>> logistic(const ListView<T>& list, double sigma, Target target, Normalize normalize,
                                        const GradientSink<T>& out, Workspace& workspace, Path path = Path::automatic) {
  const std::size_t n = list.size();
  if (path == Path::pairs || n < 2 || (path == Path::automatic && n < always_pairs<T>)) return {};
  const Classes<T> classes = classes_of(list.labels.data(), n, target);
  if (classes.classes < 2) return {};
  Shape shape{static_cast<double>(n), classes.pairs, static_cast<double>(classes.classes), 1, !list.weights.empty()};
  if (path == Path::automatic && choose<T>(shape) == Path::pairs) return {};   // even if all scores shared a bin
  auto placed = place_on_grid(list.scores.data(), n, sigma, workspace);
  if (!placed) return {};
  shape.span = placed->span;
  const Items<T> items{list.scores.data(), list.labels.data(), list.weights.empty() ? nullptr : list.weights.data(), n, target,
                       classes.lowest, classes.classes};
  if (path == Path::automatic) path = choose<T>(shape);
  if (path == Path::pairs || (path == Path::registers && !fits_registers(shape))) return {};

  const auto frame = workspace.frame();
  const double cells = placed->span * static_cast<double>(items.classes),
               at_once = rows_budget(n) / cell_bytes<T> / static_cast<double>(items.classes);
  // Cells are whole numbers in T.
  if (path != Path::streamed && (path != Path::sorted || (placed->span <= at_once && cells <= 0x1p22)))
    return on_all_bins(items, *placed, path, sigma, normalize, out, workspace);
  const std::size_t bins = path == Path::streamed ? stretch_bins : std::max(stretch_bins, static_cast<std::size_t>(at_once));
  const detail::Outcome outcome = detail::by_stretches(items, placed->grid, sigma, normalize, out, workspace, bins);
  return Contribution<T>{static_cast<T>(outcome.value), outcome.valid};
}

}  // namespace rankgrad::pairwise::near_linear
