// rankgrad/pairwise/hinge_sweep.hpp: hinge and squared hinge over all comparable pairs in O(n log n), any labels.
// SPDX-License-Identifier: MIT
//
// A pair of a better item i and a worse one j is active where s_i - s_j < m, and then falls short by m - (s_i - s_j) > 0.
// With the items sorted by score, those that i falls short of stand in front of some place that only moves down the list
// as i does. So one sweep from the top that takes in item after item as a worse one, and asks for each better one about
// the grades below its own,
//
//   B = sum w_j,   X = sum w_j (m - d_ij),   Y = sum w_j (m - d_ij)^2      over y_j < y_i, s_i - s_j < m,
//
// has the half of the derivatives that better items feel, and the loss: w_i X, or w_i Y. The other half is the same sweep from
// the bottom, with scores and grades turned round.
//
// Sums over the lower grades come from grade_sums.hpp: O(n log8(grades)) in all, and accurate relative to each sum itself.
//
// Which pairs are active is decided by s_i - s_j < m in T, as pair by pair: the rounded difference of two sorted lists is
// monotone, so the sweep needs no key that might round otherwise, and both ways agree on every kink.
#pragma once

#include <rankgrad/pairwise/engine.hpp>
#include <rankgrad/pairwise/grade_sums.hpp>

#include <limits>

namespace rankgrad::inline RANKGRAD_ABI::pairwise::hinge_sweep {

/// pairs: every pair, by pairwise/engine.hpp, any scores (NaN and infinite ones show). sorted: the sweeps. automatic: the
/// one that is predicted to be the fastest.
enum class Path { automatic, pairs, sorted };

/// The list by rank, and what the sweeps leave: slopes and curvatures without the item's own weight.
template <Real T>
struct Ranked {
  std::size_t n = 0, grades = 0;
  std::uint32_t *item = nullptr, *grade = nullptr;   ///< grades rise with the label, from 0
  T *scores = nullptr, *weights = nullptr;           ///< weights null: all 1
  double *slope = nullptr, *curvature = nullptr;
};

/// What the better items of all pairs feel (`better`), or the worse ones. Adds to slopes and curvatures; returns the loss
/// where `moments` suffice: 1 for the hinge, 2 for the squared one.
template <template <int> class Tree, bool better, bool squared, Real T>
double sweep(const Ranked<T>& list, T margin, Workspace& workspace) {
  constexpr int moments = (squared ? 1 : 0) + (better ? 1 : 0);
  const auto frame = workspace.frame();
  Tree<moments> tree(list.grades, workspace);
  const auto at = [&](std::size_t k) { return better ? k : list.n - 1 - k; };
  const auto grade = [&](std::size_t r) { return better ? list.grade[r] : list.grades - 1 - list.grade[r]; };
  const auto score = [&](std::size_t r) { return better ? static_cast<double>(list.scores[r]) : -static_cast<double>(list.scores[r]); };
  const auto weight = [&](std::size_t r) { return list.weights ? static_cast<double>(list.weights[r]) : 1.0; };
  const double m = static_cast<double>(margin);
  double value = 0;
  std::size_t taken = 0;
  for (std::size_t k = 0; k < list.n; ++k) {
    const std::size_t r = at(k);
    for (; taken < list.n; ++taken) {
      const std::size_t other = at(taken);
      if (!(static_cast<T>(better ? list.scores[r] - list.scores[other] : list.scores[other] - list.scores[r]) < margin)) break;
      tree.take_in(grade(other), score(other), weight(other));
    }
    const auto sums = tree.below(grade(r), score(r), m);
    const double slope = squared ? 2 * sums.shortfall : sums.weight;
    list.slope[r] += better ? -slope : slope;
    if (squared && list.curvature) list.curvature[r] += 2 * sums.weight;
    if (better) value += weight(r) * (squared ? sums.square : sums.shortfall);
  }
  return value;
}

/// By score, with grades from the list by label.
template <Real T>
Ranked<T> rank(const ListView<T>& list, const PairList<T>& pairs, bool with_curvature, Workspace& workspace) {
  const std::size_t n = pairs.n;
  Ranked<T> ranked{n, 0, workspace.take<std::uint32_t>(n), workspace.take<std::uint32_t>(n), workspace.take<T>(n),
                   list.weights.empty() ? nullptr : workspace.take<T>(n), workspace.take<double>(n, 0.0),
                   with_curvature ? workspace.take<double>(n, 0.0) : nullptr};
  std::uint32_t* of_item = workspace.take<std::uint32_t>(n);
  for (std::size_t end = n; end > 0; ++ranked.grades) {   // from the least relevant
    const T label = pairs.labels[end - 1];
    for (; end > 0 && pairs.labels[end - 1] == label; --end) of_item[pairs.order[end - 1]] = static_cast<std::uint32_t>(ranked.grades);
  }
  simd::rank_descending(list.scores.data(), ranked.item, n, workspace, ranked.scores);
  for (std::size_t r = 0; r < n; ++r) ranked.grade[r] = of_item[ranked.item[r]];
  if (ranked.weights)
    for (std::size_t r = 0; r < n; ++r) ranked.weights[r] = list.weights[ranked.item[r]];
  return ranked;
}

/// The sweeps, for a list with moderate scores and total_weight > 0.
template <bool squared, Real T>
Contribution<T> by_sweeps(T margin, double total_weight, Normalize normalize, const ListView<T>& list, const PairList<T>& pairs,
                          const GradientSink<T>& out, Workspace& workspace) {
  const bool with_curvature = squared && out.hess != nullptr;
  const Ranked<T> ranked = rank(list, pairs, with_curvature, workspace);
  const auto both_sweeps = [&]<template <int> class Tree>() {
    const double value = sweep<Tree, true, squared>(ranked, margin, workspace);
    sweep<Tree, false, squared>(ranked, margin, workspace);
    return value;
  };
  const double value = ranked.grades <= fan_out ? both_sweeps.template operator()<FewGrades>() : both_sweeps.template operator()<GradeTree>();
  const double factor = normalize == Normalize::mean ? 1 / total_weight : 1;
  for (std::size_t r = 0; r < ranked.n; ++r) {
    const double own = ranked.weights ? factor * static_cast<double>(ranked.weights[r]) : factor;
    out.add(ranked.item[r], static_cast<T>(own * ranked.slope[r]), with_curvature ? static_cast<T>(own * ranked.curvature[r]) : T(0));
  }
  return {static_cast<T>(factor * value), true};
}

/// Estimated nanoseconds beyond the sort by label, fitted on one AMD Zen 4 core; only the ratios matter.
template <Real T>
struct Cost {
  static constexpr bool is_float = sizeof(T) == 4;
  static constexpr double pair = simd::lanes<float> >= 16 ? (is_float ? 0.1 : 0.19) : simd::lanes<float> >= 8 ? (is_float ? 0.13 : 0.24) : (is_float ? 0.28 : 0.5);
  static constexpr double item = 23, item_and_level = 8;
};

/// Are all differences of scores finite, and their squares? Not so where a score is not.
template <Real T>
bool moderate(const PairList<T>& pairs) {
  using namespace simd;
  Pack<T> high(pairs.scores[0]), low = high, check(T(0));
  for (std::size_t i = 0; i < pairs.n; i += lanes<T>) {   // past the end stands the last score once more
    const Pack<T> s = load(pairs.scores + i);
    high = select(s > high, s, high);
    low = select(low > s, s, low);
    check += s - s;
  }
  const double span = static_cast<double>(highest(high)) + static_cast<double>(highest(-low));
  return sum(check) == T(0) && span * span * static_cast<double>(pairs.n) < std::numeric_limits<double>::max();
}

template <Real T>
Path cheapest(const PairList<T>& pairs) {
  double visited = 0, grades = 0;
  for (std::size_t i = 0; i < pairs.n; ++grades) {
    const std::size_t end = pairs.worse_than(i);
    visited += static_cast<double>(end - i) * static_cast<double>(pairs.n - end);
    i = end;
  }
  const double levels = std::max(1.0, std::ceil(std::log2(grades) / fan_bits));
  const double by_sweeps = static_cast<double>(pairs.n) * (Cost<T>::item + levels * Cost<T>::item_and_level);
  return visited * Cost<T>::pair <= by_sweeps ? Path::pairs : Path::sorted;
}

/// The loss by the path asked for, or pair by pair where the sweeps cannot.
template <class Phi, Real T>
Contribution<T> evaluate(const Phi& phi, Path path, Normalize normalize, const ListView<T>& list, const GradientSink<T>& out, Workspace& workspace) {
  constexpr bool squared = std::same_as<Phi, SquaredHinge>;
  static_assert(squared || std::same_as<Phi, Hinge>);
  checked_size(list);
  const auto frame = workspace.frame();
  const PairList<T> pairs = sort_by_label(list, list.labels.data(), workspace);
  if (pairs.n == 0) return {};
  if (path == Path::automatic) path = cheapest(pairs);
  if (path == Path::pairs || !moderate(pairs)) return comparable_pairs(phi, Uniform{}, normalize, pairs, out, workspace);
  const double total_weight = pairs.pair_weight();
  return total_weight > 0 ? by_sweeps<squared>(static_cast<T>(phi.margin), total_weight, normalize, list, pairs, out, workspace) : Contribution<T>{};
}

}  // namespace rankgrad::pairwise::hinge_sweep
