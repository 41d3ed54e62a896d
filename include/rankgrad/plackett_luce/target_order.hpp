// rankgrad/plackett_luce/target_order.hpp: from labels to the ranking whose likelihood is wanted, ties and weights.
// SPDX-License-Identifier: MIT
//
// Read first: plackett_luce/scan.hpp, plackett_luce/position_weights.hpp, simd/ranking.hpp.
#pragma once

#include <rankgrad/core/concepts.hpp>
#include <rankgrad/plackett_luce/position_weights.hpp>
#include <rankgrad/plackett_luce/scan.hpp>
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
};

struct TargetOptions {
  double temperature;
  std::size_t k;
  TargetTies ties;
  PositionWeight position_weight;
  std::uint64_t seed;
};

/// Groups of items with equal labels; leaves `starts` null if there are none of two or more.
template <Real T>
void find_ties(Target& target, const T* labels, const std::uint32_t* order, Workspace& workspace) {
  const std::size_t n = target.n;
  std::uint32_t* starts = workspace.take<std::uint32_t>(n + 1);
  std::size_t groups = 0;
  for (std::size_t k = 0; k < n; ++k)
    if (k == 0 || labels[order[k]] != labels[order[k - 1]]) starts[groups++] = static_cast<std::uint32_t>(k);
  if (groups == n) return;
  starts[groups] = static_cast<std::uint32_t>(n);
  target.starts = starts;
  target.groups = groups;
}

/// With u the position weights and v the item weights of a tie group, both enter by what they are on average over the
/// orders of the group: c_k = u_k mean(v), w_k = v_k mean(u). For a group of one that is u v twice.
template <Real T>
WeightedTarget order_target(const ListView<T>& list, const TargetOptions& options, Workspace& workspace) {
  const std::size_t n = list.size();
  std::uint32_t* order = workspace.take<std::uint32_t>(n);
  for (std::size_t i = 0; i < n; ++i) order[i] = static_cast<std::uint32_t>(i);
  if (options.ties == TargetTies::shuffled) Random(options.seed, list.index).shuffle(order, n);
  simd::sort_descending(list.labels.data(), order, n, workspace);

  double* scores = workspace.take<double>(n);
  const double inverse_temperature = 1 / options.temperature;
  for (std::size_t k = 0; k < n; ++k) scores[k] = static_cast<double>(list.scores[order[k]]) * inverse_temperature;
  Target target{n, scores, nullptr, n, options.ties == TargetTies::efron};
  if (options.ties != TargetTies::stable && options.ties != TargetTies::shuffled)
    find_ties(target, list.labels.data(), order, workspace);

  double* place = workspace.take<double>(n);
  options.position_weight.template fill<T>(place, n);
  if (options.k != 0 && options.k < n) std::fill(place + options.k, place + n, 0.0);
  const bool flat = options.position_weight.form == PositionWeight::Form::uniform && (options.k == 0 || options.k >= n);
  const bool plain = list.weights.empty() && (flat || !target.starts);   // c = w
  double* item = plain ? place : workspace.take<double>(n);
  double total = 0;
  if (plain) {
    for (std::size_t k = 0; k < n; ++k) total += place[k];
    return {target, order, place, item, total};
  }
  for (std::size_t g = 0; g < target.groups; ++g) {
    const std::size_t b = target.begin(g), e = target.end(g);
    double u = 0, v = 0;
    for (std::size_t k = b; k < e; ++k) u += place[k], v += static_cast<double>(list.weight(order[k]));
    u /= static_cast<double>(e - b), v /= static_cast<double>(e - b);
    for (std::size_t k = b; k < e; ++k) {
      item[k] = static_cast<double>(list.weight(order[k])) * u;
      place[k] *= v;
      total += place[k];
    }
  }
  return {target, order, place, item, total};
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
