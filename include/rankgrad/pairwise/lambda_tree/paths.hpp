// rankgrad/pairwise/lambda_tree/paths.hpp: the ways to sum delta-NDCG weighted pairs, and which one a list takes.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/pairwise/engine.hpp>
#include <rankgrad/pairwise/lambda_tree/top.hpp>
#include <rankgrad/pairwise/lambda_tree/tree.hpp>
#include <rankgrad/simd/range_by_pieces.hpp>

#include <limits>

namespace rankgrad::inline RANKGRAD_ABI::pairwise::lambda_tree {

/// engine: one exp per pair, any scores (NaN and infinite ones show). direct: one division per pair, moderate spans.
/// top: with a cut-off k, the pairs that touch the first k ranks. tree: the score-interval tree. automatic: the cheapest by
/// the cost model.
enum class Path { automatic, engine, direct, top, tree };

/// Up to this many items pairs are cheaper than anything else, whatever the labels.
inline constexpr std::size_t always_pairs = 192;

/// Estimated nanoseconds, fitted by least squares on relative errors on one AMD Zen 4 core, with its widest registers, half
/// of them, and none of them. `automatic` compares sums of these, so only their ratios matter.
template <Real T>
struct Cost {
  static constexpr bool is_float = sizeof(T) == 4;
  static constexpr double by_width(double wide, double half, double narrow) {
    return simd::lanes<float> >= 16 ? wide : simd::lanes<float> >= 8 ? half : narrow;
  }
  static constexpr double pair_direct = is_float ? by_width(0.36, 0.56, 1.7) : by_width(1.04, 1.4, 4.2);
  static constexpr double pair_engine = 2 * pair_direct, pair_top = 1.1 * pair_direct;
  static constexpr double item_tree =
      is_float ? by_width(5.4, 5, 18) : by_width(24, 25, 90);   ///< beyond what pairs pay per item
  static constexpr double bin_tree = is_float ? by_width(390, 350, 550) : by_width(620, 670, 970);   ///< per bin and grade
  static constexpr double run_tree = is_float ? by_width(130, 150, 240) : by_width(165, 205, 500);   ///< per node and grade
  static constexpr double node_items = 48, nodes_of_bin = 32;
};

/// slopes = slopes * weight * factor, weights null: all 1. The arrays are padded.
template <Real T, class Sum>
void multiply(Sum* sums, const T* weights, std::size_t n, double factor) {
  using namespace simd;
  const Pack<double> f(factor);
  for (std::size_t z = 0; z < n; z += lanes<double>)
    store_narrow(sums + z, (weights ? f * load_wide(weights + z) : f) * load_wide(sums + z));
}

/// Hands the results of runs or of direct pairs to where the items came from.
template <Real T, class Sum>
void scatter(const std::uint32_t* item, Sum* slopes, Sum* bends, const T* weights, std::size_t n, double slope_factor,
             double bend_factor, const GradientSink<T>& out, Workspace& workspace) {
  for_each_stretch(n, workspace, [&](std::size_t begin, std::size_t end) {
    const T* const own = weights ? weights + begin : nullptr;
    multiply(slopes + begin, own, end - begin, slope_factor);
    for (std::size_t z = begin; z < end; ++z) out.grad[item[z]] += out.scale * static_cast<T>(slopes[z]);
    if (!out.hess) return;
    multiply(bends + begin, own, end - begin, bend_factor);
    for (std::size_t z = begin; z < end; ++z) out.hess[item[z]] += out.scale * static_cast<T>(bends[z]);
  });
}

/// The tree, for a list with finite scores and at most max_grades grades.
template <Real T, class Loss>
Contribution<T> by_tree(const Loss& loss, const ListView<T>& list, const Grades<T>& grades, std::size_t leaf_size,
                        const GradientSink<T>& out, Workspace& workspace) {
  const double total_weight = pair_weight(grades, list, workspace);
  if (!(total_weight > 0)) return {};
  Runs<T> runs;
  Bins bins;
  if (!sort_into_bins(loss, list, grades, out.hess != nullptr, runs, bins, workspace)) return {};
  const double value =
      out.hess ? all_pairs<true>(runs, bins, leaf_size, workspace) : all_pairs<false>(runs, bins, leaf_size, workspace);
  const double factor = loss.normalize == Normalize::mean ? 1 / total_weight : 1;
  scatter(runs.item, runs.slopes, runs.bends, static_cast<const T*>(runs.weights), runs.n, factor * loss.sigma,
          factor * loss.sigma * loss.sigma, out, workspace);
  return {static_cast<T>(factor * value), true};
}

/// x as a T, and what rounding took.
template <Real T>
void split(double x, T& rounded, T& rest) {
  rounded = static_cast<T>(x);
  rest = static_cast<T>(x - static_cast<double>(rounded));
}

/// Pair by pair, for a list with finite scores that span at most 2 reach in sigma s.
template <Real T, class Loss>
Contribution<T> by_pairs(const Loss& loss, const ListView<T>& list, double middle, const GradientSink<T>& out,
                         Workspace& workspace) {
  const auto pairs = sort_by_label(list, list.labels.data(), workspace);
  const std::size_t n = pairs.n;
  const double total_weight = pairs.pair_weight();
  if (!(total_weight > 0)) return {};
  Direct<T> a = take_direct<T>(n, false, out.hess != nullptr, workspace);
  if (!list.weights.empty()) a.weights = pairs.weights;

  double* by_rank = workspace.take<double>(n);
  fill_discounts(loss.discount, loss.k, by_rank, n);
  const double shift = gain_shift(loss.gain, static_cast<double>(pairs.labels[0]));
  const auto gain = [&](std::size_t i) { return gain_of(loss.gain, static_cast<double>(pairs.labels[i]), shift); };
  double ideal = 0, last_gain = 0;
  for (std::size_t i = 0; i < n; ++i) {
    last_gain = i > 0 && pairs.labels[i] == pairs.labels[i - 1] ? last_gain : gain(i);
    ideal += last_gain * by_rank[i];
  }
  if (!(ideal > 0)) return {};
  for (std::size_t i = 0; i < n; ++i)
    a.gains[i] = i > 0 && pairs.labels[i] == pairs.labels[i - 1] ? a.gains[i - 1] : static_cast<T>(gain(i) / ideal);

  std::uint32_t *order = workspace.take<std::uint32_t>(n), *position = workspace.take<std::uint32_t>(n);
  rank_order(list, loss.ties, loss.seed, order, workspace);
  invert_order(order, n, position);
  T *rest = workspace.take<T>(n, T(0)), *finer = workspace.take<T>(n, T(0));
  for (std::size_t i = 0; i < n; ++i) {
    const double t = loss.sigma * (static_cast<double>(pairs.scores[i]) - middle), d = by_rank[position[pairs.order[i]]];
    split(t, a.places[i], rest[i]);
    split(d, a.discounts[i], finer[i]);
  }
  fill_exponentials(a, rest);
  a.finer = finer;
  const double value = direct_pairs<sizeof(T) == 4>(a), factor = loss.normalize == Normalize::mean ? 1 / total_weight : 1;
  scatter(pairs.order, a.row_slopes, a.row_bends, static_cast<const T*>(a.weights), n, factor * loss.sigma,
          factor * loss.sigma * loss.sigma, out, workspace);
  return {static_cast<T>(factor * value), true};
}

/// The first k ranks among themselves, pair by pair. `order`: items by rank. Adds to rows; returns the loss.
template <Real T, class Loss>
double inside_top(const Loss& loss, const ListView<T>& list, const Grades<T>& grades, const double* gains,
                  const std::uint32_t* order, const double* by_rank, std::size_t top, double middle, TopRow<T>* rows,
                  bool with_bends, Workspace& workspace) {
  const auto frame = workspace.frame();
  Direct<T> a = take_direct<T>(top, !list.weights.empty(), with_bends, workspace);
  T *rest = workspace.take<T>(top, T(0)), *finer = workspace.take<T>(top, T(0));
  std::uint32_t* rank = workspace.take<std::uint32_t>(top);
  std::size_t z = 0;
  for (std::size_t g = 0; g < grades.count; ++g)
    for (std::size_t r = 0; r < top; ++r) {
      if (grades.of_item[order[r]] != g) continue;
      rank[z] = static_cast<std::uint32_t>(r);
      split(loss.sigma * (static_cast<double>(list.scores[order[r]]) - middle), a.places[z], rest[z]);
      split(by_rank[r], a.discounts[z], finer[z]);
      a.gains[z] = static_cast<T>(gains[g]);
      if (a.weights) a.weights[z] = list.weights[order[r]];
      ++z;
    }
  a.finer = finer;
  fill_exponentials(a, rest);
  const double value = direct_pairs<sizeof(T) == 4>(a);
  for (z = 0; z < top; ++z) {
    rows[rank[z]].slope += a.row_slopes[z];
    if (with_bends) rows[rank[z]].bend += a.row_bends[z];
  }
  return value;
}

/// The pairs that touch the first k ranks, for a list with few grades and finite scores that span at most 2 reach in sigma s.
template <Real T, class Loss>
Contribution<T> by_top(const Loss& loss, const ListView<T>& list, const Grades<T>& grades, double middle,
                       const GradientSink<T>& out, Workspace& workspace) {
  const std::size_t n = list.size(), top = metric::cut_off(loss.k, n);
  const bool with_bends = out.hess != nullptr;
  double gains[max_grades];
  double* by_rank = workspace.take<double>(n);
  if (!fill_gains(loss, grades, n, by_rank, gains, workspace)) return {};
  const double total_weight = pair_weight(grades, list, workspace);
  if (!(total_weight > 0)) return {};
  std::uint32_t* order = workspace.take<std::uint32_t>(n);
  rank_order(list, loss.ties, loss.seed, order, workspace);

  Columns<T> columns{n, workspace.take<T>(n, T(0)), workspace.take<T>(n, T(0)), workspace.take<T>(n, T(0)),
                     workspace.take<T>(n, T(0)), workspace.take<T>(n, T(0)), with_bends ? workspace.take<T>(n, T(0)) : nullptr};
  T gain_of_grade[max_grades];
  for (std::size_t g = 0; g < grades.count; ++g) gain_of_grade[g] = static_cast<T>(gains[g]);
  for (std::size_t i = 0; i < n; ++i) {
    columns.places[i] = static_cast<T>(loss.sigma * (static_cast<double>(list.scores[i]) - middle));
    columns.gains[i] = gain_of_grade[grades.of_item[i]];
    columns.weights[i] = list.weight(i);
  }
  fill_rise(list.scores.data(), loss.sigma, middle, columns);
  TopRow<T>* rows = workspace.take<TopRow<T>>(top);
  for (std::size_t r = 0; r < top; ++r) {
    const std::uint32_t i = order[r];
    rows[r] = {columns.places[i], T(1) / columns.rise[i], columns.gains[i], static_cast<T>(by_rank[r]), list.weight(i), 0, 0};
  }
  double value = inside_top(loss, list, grades, gains, order, by_rank, top, middle, rows, with_bends, workspace);
  for (std::size_t r = 0; r < top; ++r) columns.weights[order[r]] = T(0);

  double *slopes = workspace.take<double>(n, 0.0), *bends = with_bends ? workspace.take<double>(n, 0.0) : nullptr;
  for (std::size_t r = 0; r < top;) {
    for (const std::size_t stop = std::min(top, r + direct_rows_per_flush); r < stop; ++r) {
      value += with_bends ? top_row<true>(columns, rows[r]) : top_row<false>(columns, rows[r]);
    }
    simd::move_sums(columns.slopes, n, slopes);
    if (with_bends) simd::move_sums(columns.bends, n, bends);
  }
  for (std::size_t r = 0; r < top; ++r) {   // what a top item took as a column is not its own
    slopes[order[r]] = rows[r].slope;
    if (with_bends) bends[order[r]] = rows[r].bend;
  }
  const double factor = loss.normalize == Normalize::mean ? 1 / total_weight : 1;
  for (std::size_t i = 0; i < n; ++i) {
    const double weight = factor * loss.sigma * static_cast<double>(list.weight(i));
    out.add(i, static_cast<T>(weight * slopes[i]), with_bends ? static_cast<T>(weight * loss.sigma * bends[i]) : T(0));
  }
  return {static_cast<T>(factor * value), true};
}

/// Which path is cheapest for a list with finite scores; `span` of sigma s; `top`: the cut-off, 0 for none.
template <Real T>
Path cheapest(const Grades<T>& grades, std::size_t n, std::size_t top, double span) {
  double pairs = 0;
  for (std::size_t g = 0; g < grades.count; ++g)
    pairs += static_cast<double>(grades.begin[g]) * static_cast<double>(grades.begin[g + 1] - grades.begin[g]);
  const double items = static_cast<double>(n), bins = std::min(items, span / 2 + 1);
  const bool near = span <= 2 * reach<T>;
  const double by_pair = pairs * (near ? Cost<T>::pair_direct : Cost<T>::pair_engine);
  const double rows = static_cast<double>(metric::cut_off(top, n)), by_top = rows * items * Cost<T>::pair_top;
  const double nodes = std::min(items / Cost<T>::node_items, bins * Cost<T>::nodes_of_bin);
  const double by_tree =
      items * Cost<T>::item_tree + static_cast<double>(grades.count) * (bins * Cost<T>::bin_tree + nodes * Cost<T>::run_tree);
  if (top != 0 && near && by_top <= by_pair && by_top <= by_tree) return Path::top;
  return by_pair <= by_tree ? (near ? Path::direct : Path::engine) : Path::tree;
}

/// The loss by the path asked for, or by another where that one cannot: the engine takes everything.
template <Real T, class Loss>
Contribution<T> evaluate(const Loss& loss, Path path, const ListView<T>& list, const GradientSink<T>& out, Workspace& workspace) {
  const std::size_t n = list.size();
  if (n == 0) return {};
  const auto frame = workspace.frame();
  const simd::Range<T> range = simd::range_by_pieces(list.scores.data(), n, workspace);
  const double span = loss.sigma * range.span(), middle = range.centre();
  const bool near = span <= 2 * reach<T>;
  if (!(span < std::numeric_limits<double>::infinity())) path = Path::engine;
  if (path == Path::automatic && n <= always_pairs && !(loss.k > 0 && 4 * loss.k < n)) path = near ? Path::direct : Path::engine;
  if (path == Path::top && !near) path = Path::tree;
  if (path == Path::automatic || path == Path::tree || path == Path::top) {
    Grades<T> grades;
    const bool few = find_grades(list.labels.data(), n, grades, workspace);
    if (few && grades.count < 2) return {};
    if (path == Path::automatic) path = few ? cheapest(grades, n, loss.k, span) : Path::direct;
    if (few && path == Path::top) return by_top(loss, list, grades, middle, out, workspace);
    if (few && path == Path::tree) return by_tree(loss, list, grades, leaf_items, out, workspace);
  }
  if (path != Path::engine && near) return by_pairs(loss, list, middle, out, workspace);
  const auto pairs = sort_by_label(list, list.labels.data(), workspace);
  const auto deltas = loss.weighting(list, pairs, workspace);
  return deltas ? comparable_pairs(loss.phi(), deltas, loss.normalize, pairs, out, workspace) : Contribution<T>{};
}

}  // namespace rankgrad::pairwise::lambda_tree
