// rankgrad/pairwise/lambda_tree/tree.hpp: LambdaRank without truncation in O(n log n): the score-interval tree.
// SPDX-License-Identifier: MIT
//
//   L = sum_{y_i > y_j} w_i w_j |G_i - G_j| |D_i - D_j| softplus(-sigma (s_i - s_j))        and its derivatives
//
// |D_i - D_j| has a known sign between two disjoint score intervals, since a better score is a better rank. There the
// pair sum separates: moments of one side, a small matrix, a polynomial on the other (cross.hpp). So
//
//   1. sort into bins of half-width 1 in sigma s, and in runs, one per grade, by rank                    (bins.hpp)
//   2. pairs between bins that touch by cross.hpp, between others by exponential series                  (far_field.hpp)
//   3. inside a bin, halve the interval down to narrow ones: halves by cross.hpp; a narrow interval in one pass by rank,
//      whatever it holds (rank_sweep.hpp); a short one pair by pair (direct.hpp).
//
// Expansions never reach over more than one unit of half-width, so errors are relative to the kernel between the items at
// hand and not to its largest value: lists whose grades are far apart, with losses of e^-30, are as accurate as others.
// Cost: about eight passes over the items (six levels in float, eleven in double), each some tens of multiply-adds per
// register of items; independent of n but for the sort.
#pragma once

#include <rankgrad/pairwise/lambda_tree/bins.hpp>
#include <rankgrad/pairwise/lambda_tree/direct.hpp>
#include <rankgrad/pairwise/lambda_tree/far_field.hpp>
#include <rankgrad/pairwise/lambda_tree/rank_sweep.hpp>

namespace rankgrad::inline RANKGRAD_ABI::pairwise::lambda_tree {

/// A node of at most this many items goes pair by pair where it is too wide for the sweep.
inline constexpr std::size_t leaf_items = 96;

/// The largest discount of a node that is not empty.
template <class T>
T first_discount(const Runs<T>& runs, const Node& node) {
  T most = T(0);
  for (std::size_t g = 0; g < runs.grades; ++g)
    if (node.end[g] > node.begin[g]) most = std::max(most, runs.discounts[node.begin[g]]);
  return most;
}

/// The moments of an upper interval, seen as those of a lower one whose reference is `step` above.
template <class T>
void mirror(const Moments<T>& upper, std::size_t grades, std::size_t order, double step, Moments<T>& lower) {
  for (std::size_t g = 0; g < grades; ++g)
    for (std::size_t k = 0; k < order; ++k) {
      const double sign = k % 2 ? -1 : 1;
      lower.zeroth[g][k] = sign * upper.zeroth[g][k];
      lower.first[g][k] = sign * (step * upper.zeroth[g][k] - upper.first[g][k]);
    }
}

/// Scratch of the passes over bins and nodes, in the workspace.
template <class T>
struct Scratch {
  Moments<T>*own, *other;
  Far<T>* far;
};

/// What every bin feels from the bins above it (down) or below it. Returns the loss between bins on the way down.
template <bool down, bool with_bends, class T>
double between_bins(const Runs<T>& runs, const Bins& bins, const Scratch<T>& scratch) {
  const Level<T>& level = Levels<T>::get().level[0];
  const std::size_t grades = runs.grades, order = level.order;
  const T side = down ? T(1) : T(-1);   // of the sources
  Moments<T>&source = *scratch.own, &mirrored = *scratch.other;
  Far<T>& far = *scratch.far;
  far = Far<T>{};
  double loss = 0, source_reference = 0, far_reference = 0;
  for (std::size_t step_number = 0; step_number < bins.count; ++step_number) {
    const std::size_t b = down ? step_number : bins.count - 1 - step_number;
    const Node node = bins.node(b, grades);
    const T reference = down ? first_discount(runs, node) : last_discount(runs, node);
    const T own_reference = down ? last_discount(runs, node) : first_discount(runs, node);
    const double exact_reference = bins.base[b] + static_cast<double>(reference);
    if (step_number > 0) {
      const bool touches = down ? bins.touches[b] : bins.touches[b + 1];
      const double distance = down ? bins.distance[b] : bins.distance[b + 1];
      const double step = std::abs(source_reference - exact_reference);
      far.move(grades, distance, std::abs(far_reference - exact_reference));
      far_reference = exact_reference;
      if (!touches) far.take_in(source, grades, distance, step);
      else
        for (std::size_t g = 0; g < grades; ++g)
          for (std::size_t k = 0; k < order; ++k) source.first[g][k] += step * source.zeroth[g][k];
      const Interval<T> target{T(0), -side, -side, reference};
      WideField<T> field;
      for (std::size_t g = 0; g < grades; ++g) {
        if (node.begin[g] == node.end[g]) continue;
        const std::size_t from = down ? g + 1 : 0, to = down ? grades : g;
        if (touches) near_field<with_bends>(runs, level, g, mixed(runs, g, source, order), source, from, to, field);
        else field = WideField<T>{};
        if (far.any) far.template add_to<with_bends>(runs, g, from, to, field);
        run_field<with_bends>(runs, target, node.begin[g], node.end[g], order, narrowed<with_bends>(field, order));
      }
      if constexpr (down) {
        moments(runs, node, target, order, mirrored);
        for (std::size_t g = 0; g < grades; ++g) {
          if (touches) loss += near_loss(runs, level, g, source, mixed(runs, g, mirrored, order), mirrored);
          if (far.any) loss += far.loss(runs, g, g + 1, grades, mirrored.zeroth[g], mirrored.first[g]);
        }
      }
      if (touches) far.take_in(source, grades, distance, 0);
    }
    moments(runs, node, Interval<T>{T(0), side, side, own_reference}, order, source);
    source_reference = bins.base[b] + static_cast<double>(own_reference);
    if (step_number == 0) far_reference = exact_reference;
  }
  return loss;
}

/// A short node pair by pair.
template <class T>
double leaf(const Runs<T>& runs, const Node& node, Direct<T> a) {
  a.n = 0;
  for (std::size_t g = 0; g < runs.grades; ++g)
    for (std::size_t z = node.begin[g]; z < node.end[g]; ++z, ++a.n) {
      a.places[a.n] = runs.places[z];
      a.discounts[a.n] = runs.discounts[z];
      a.gains[a.n] = static_cast<T>(runs.gain[g]);
      if (a.weights) a.weights[a.n] = runs.weights[z];
      a.row_slopes[a.n] = 0;
      if (a.bends) a.row_bends[a.n] = 0;
    }
  fill_exponentials(a);
  const double loss = direct_pairs<false>(a);
  std::size_t i = 0;
  for (std::size_t g = 0; g < runs.grades; ++g)
    for (std::size_t z = node.begin[g]; z < node.end[g]; ++z, ++i) {
      runs.slopes[z] += static_cast<T>(a.row_slopes[i]);
      if (a.bends) runs.bends[z] += static_cast<T>(a.row_bends[i]);
    }
  return loss;
}

template <class T>
struct Walk {
  const Runs<T>& runs;
  Scratch<T> scratch;
  Direct<T> direct;
  std::size_t leaf_items;

  /// A node of half-width 2^-depth around `middle`; first_rank: that of its first item.
  template <bool with_bends>
  double visit(const Node& node, std::size_t depth, T middle, std::size_t first_rank) {
    std::uint32_t size = 0;
    std::size_t filled = 0;
    T high = T(-2), low = T(2);
    for (std::size_t g = 0; g < runs.grades; ++g)
      if (node.end[g] > node.begin[g]) {
        size += node.end[g] - node.begin[g];
        ++filled;
        high = std::max(high, runs.places[node.begin[g]]);
        low = std::min(low, runs.places[node.end[g] - 1]);
      }
    if (filled < 2) return 0;
    if (high - low <= static_cast<T>(Accuracy<T>::narrow) || depth + 1 >= Accuracy<T>::levels)
      return sweep<with_bends>(runs, node, first_rank, low + (high - low) / 2);
    if (size <= leaf_items) return leaf(runs, node, direct);
    Node up = node, below = node;
    std::uint32_t upper_size = 0;
    for (std::size_t g = 0; g < runs.grades; ++g) {
      const std::size_t cut = first_outside(node.begin[g], node.end[g], [&](std::size_t z) { return runs.places[z] >= middle; });
      up.end[g] = below.begin[g] = static_cast<std::uint32_t>(cut);
      upper_size += up.end[g] - up.begin[g];
    }
    const T quarter = static_cast<T>(Levels<T>::get().level[depth + 1].half);
    double loss = 0;
    if (upper_size > 0) loss += visit<with_bends>(up, depth + 1, middle + quarter, first_rank);
    if (upper_size < size) loss += visit<with_bends>(below, depth + 1, middle - quarter, first_rank + upper_size);
    if (upper_size > 0 && upper_size < size)
      loss += cross<with_bends>(runs, Levels<T>::get().level[depth + 1], middle, up, below, *scratch.own, *scratch.other);
    return loss;
  }
};

template <bool with_bends, class T>
double all_pairs(const Runs<T>& runs, const Bins& bins, std::size_t leaf_size, Workspace& workspace) {
  const Scratch<T> scratch{workspace.take<Moments<T>>(1), workspace.take<Moments<T>>(1), workspace.take<Far<T>>(1)};
  new (scratch.own) Moments<T>{};
  new (scratch.other) Moments<T>{};
  new (scratch.far) Far<T>{};
  double loss = 0;
  if (bins.count > 1) {
    loss += between_bins<true, with_bends>(runs, bins, scratch);
    between_bins<false, with_bends>(runs, bins, scratch);
  }
  Walk<T> walk{runs, scratch, take_direct<T>(leaf_size, runs.weights != nullptr, with_bends, workspace), leaf_size};
  std::size_t first_rank = 0;
  for (std::size_t b = 0; b < bins.count; ++b) {
    const Node node = bins.node(b, runs.grades);
    loss += walk.template visit<with_bends>(node, 0, T(0), first_rank);
    first_rank += node.size(runs.grades);
  }
  return loss;
}

}  // namespace rankgrad::pairwise::lambda_tree
