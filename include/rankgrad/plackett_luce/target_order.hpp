// rankgrad/plackett_luce/target_order.hpp: from labels to the ranking whose likelihood is wanted, ties and weights.
// SPDX-License-Identifier: MIT
//
// Read first: plackett_luce/scan.hpp, plackett_luce/position_weights.hpp, simd/ranking.hpp.
#pragma once

#include <rankgrad/core/concepts.hpp>
#include <rankgrad/plackett_luce/position_weights.hpp>
#include <rankgrad/plackett_luce/scan.hpp>
#include <rankgrad/simd/grade_order.hpp>
#include <rankgrad/simd/ranking.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// What the target ranking is where labels are equal.
enum class TargetTies {
  stable,     ///< equal labels keep their order in the list
  shuffled,   ///< a seeded random order, the same for the same (seed, list index)
  breslow,    ///< no order: every tied item competes with its whole group and all below it
  efron,      ///< no order: a competitor of the group drops out, in equal shares, with every place that is taken
  exact       ///< no order: the probability that the group comes first in any of its m! orders
};

namespace plackett_luce {

/// A list in target order with the weights of its places and items; arrays in the workspace.
struct WeightedTarget {
  Target target{};
  const std::uint32_t* order = nullptr;   ///< the item's place in the caller's arrays
  const double* place = nullptr;          ///< c_k = u_k, the position weight, times the mean item weight of the group
  const double* item = nullptr;           ///< w_k = v_k, the item weight, times the mean position weight of the group
  double total = 0;                       ///< sum of c = sum of w
  std::size_t ones = 0;                   ///< not 0: the first `ones` places and items weigh 1, the others 0
};

struct TargetOptions {
  double temperature;
  std::size_t k;
  TargetTies ties;
  PositionWeight position_weight;
  std::uint64_t seed;
};

/// The scores in target order, and the groups of items with equal labels where they are wanted; `starts` stays null if
/// there are none of two or more. Grades have been counted: their groups are known.
template <Real T>
void gather_target(Target& target, const ListView<T>& list, double inverse_temperature, bool tied, std::size_t grades,
                   const std::uint32_t* order, std::uint32_t* starts, double* scores) {
  const std::size_t n = target.n;
  std::size_t groups = grades;
  if (!tied || grades > 0) {
    for (std::size_t k = 0; k < n; ++k) scores[k] = static_cast<double>(list.scores[order[k]]) * inverse_temperature;
  } else {
    T above = list.labels[order[0]];
    starts[0] = 0;
    groups = 1;
    for (std::size_t k = 0; k < n; ++k) {   // without a branch: where the labels change, the number of groups moves on
      const T label = list.labels[order[k]];
      scores[k] = static_cast<double>(list.scores[order[k]]) * inverse_temperature;
      starts[groups] = static_cast<std::uint32_t>(k);
      groups += label != above;
      above = label;
    }
  }
  if (!tied || groups == n) return;
  starts[groups] = static_cast<std::uint32_t>(n);
  target.starts = starts;
  target.groups = groups;
}

/// With u the position weights and v the item weights of a tie group, both enter by what they are on average over the
/// orders of the group: c_k = u_k mean(v), w_k = v_k mean(u). For a group of one that is u v twice.
template <Real T>
WeightedTarget order_target(const ListView<T>& list, const TargetOptions& options, Workspace& workspace) {
  const std::size_t n = list.size();
  constexpr std::size_t worth_counting = 16;
  std::uint32_t* order = workspace.take<std::uint32_t>(n);
  std::uint32_t* starts = workspace.take<std::uint32_t>(std::max(n, simd::most_grades) + 1);
  const bool shuffled = options.ties == TargetTies::shuffled;
  const std::size_t grades = shuffled || n < worth_counting ? 0 : simd::order_by_grade(list.labels.data(), n, order, starts);
  if (grades == 0) {
    for (std::size_t i = 0; i < n; ++i) order[i] = static_cast<std::uint32_t>(i);
    if (shuffled) Random(options.seed, list.index).shuffle(order, n);
    simd::sort_descending(list.labels.data(), order, n, workspace);
  }

  double* scores = workspace.take<double>(n);
  Target target{n, scores, nullptr, n, options.ties == TargetTies::efron};
  gather_target(target, list, 1 / options.temperature, !shuffled && options.ties != TargetTies::stable, grades, order, starts,
                scores);

  double* place = workspace.take<double>(n);
  options.position_weight.fill(place, n);
  const std::size_t counted = metric::cut_off(options.k, n);
  std::fill(place + counted, place + n, 0.0);
  const bool uniform = options.position_weight.form == PositionWeight::Form::uniform;
  if (list.weights.empty() && (!target.starts || (uniform && counted == n)))   // c = w
    return {target, order, place, place, sum_of(place, n), uniform ? counted : 0};
  bool ones = uniform && (!target.starts || counted == n);
  double* item = workspace.take<double>(n);
  for (std::size_t g = 0; g < target.groups; ++g) {
    const std::size_t b = target.begin(g), e = target.end(g);
    double u = 0, v = 0;
    for (std::size_t k = b; k < e; ++k) {
      const double weight = static_cast<double>(list.weight(order[k]));
      u += place[k], v += weight;
      ones &= weight == 1;
    }
    u /= static_cast<double>(e - b), v /= static_cast<double>(e - b);
    for (std::size_t k = b; k < e; ++k) {
      item[k] = static_cast<double>(list.weight(order[k])) * u;
      place[k] *= v;
    }
  }
  return {target, order, place, item, sum_of(place, n), ones ? counted : 0};   // weights of 1 are no weights, to the bit
}

/// Does any place weigh something that is not in the group at the end?
inline bool weighs_above_the_last_group(const WeightedTarget& weighted) {
  const std::size_t end = weighted.target.begin(weighted.target.groups - 1);
  for (std::size_t k = 0; k < end; ++k)
    if (weighted.place[k] > 0) return true;
  return false;
}

}  // namespace plackett_luce

}  // namespace rankgrad
