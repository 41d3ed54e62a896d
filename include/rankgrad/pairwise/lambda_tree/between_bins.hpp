// rankgrad/pairwise/lambda_tree/between_bins.hpp: pairs between bins, in one pass over the bins each way.
// SPDX-License-Identifier: MIT
//
// A pass hands on sums over the bins behind it, so bins follow one another; work on their items does not, and is done for
// many bins at once (sides.hpp).
#pragma once

#include <rankgrad/pairwise/lambda_tree/bins.hpp>
#include <rankgrad/pairwise/lambda_tree/far_field.hpp>
#include <rankgrad/pairwise/lambda_tree/sides.hpp>

namespace rankgrad::inline RANKGRAD_ABI::pairwise::lambda_tree {

/// The largest discount of a node that is not empty.
template <class T>
T first_discount(const Runs<T>& runs, const Node& node) {
  T most = T(0);
  for (std::size_t g = 0; g < runs.grades; ++g)
    if (node.end[g] > node.begin[g]) most = std::max(most, runs.discounts[node.begin[g]]);
  return most;
}

/// What a pass has seen so far.
template <class T>
struct Passed {
  Moments<T> source;   ///< of the last bin
  Far<T>* far;         ///< of those before
  double source_reference = 0, far_reference = 0;
};

/// What bins begin .. end - 1 feel from the bins above them (down) or below: `targets` are the bins as seen from there,
/// `sources` as the bins to come will see them. Returns the loss on the way down.
template <bool down, bool with_bends, class T>
double pass_bins(const Runs<T>& runs, const Bins& bins, std::size_t begin, std::size_t end, Sides<T>& targets,
                 Sides<T>& sources, Passed<T>& passed) {
  const Level<T>& level = Levels<T>::get().level[0];
  const std::size_t grades = runs.grades, order = level.order;
  const Moments<T>& source = passed.source;
  Far<T>& far = *passed.far;
  double loss = 0;
  for (std::size_t i = 0; i < end - begin; ++i) {
    const std::size_t b = down ? begin + i : end - 1 - i;
    Side<T>& target = targets[b - begin];
    const Side<T>& own = sources[b - begin];
    const Node& node = target.node;
    const double exact_reference = bins.base[b] + static_cast<double>(target.interval.reference);
    if (down ? b == 0 : b + 1 == bins.count) {
      passed.far_reference = exact_reference;
    } else {
      const bool touches = down ? bins.touches[b] : bins.touches[b + 1];
      const double distance = down ? bins.distance[b] : bins.distance[b + 1];
      const double step = std::abs(passed.source_reference - exact_reference);
      far.move(grades, distance, std::abs(passed.far_reference - exact_reference));
      passed.far_reference = exact_reference;
      if (!touches) far.take_in(source, grades, distance, step);
      else
        for (std::size_t g = 0; g < grades; ++g)
          for (std::size_t k = 0; k < order; ++k) source.first[g][k] += step * source.zeroth[g][k];
      WideField<T> field;
      for (std::size_t g = 0; g < grades; ++g) {
        if (node.begin[g] == node.end[g]) continue;
        const std::size_t from = down ? g + 1 : 0, to = down ? grades : g;
        if (touches) near_field<with_bends>(runs, level, g, mixed(runs, g, source, order), source, from, to, field);
        else field = WideField<T>{};
        if (far.any) far.template add_to<with_bends>(runs, g, from, to, field);
        target.field[g] = narrowed<with_bends>(field, order);
      }
      target.feels = true;
      if constexpr (down) {
        const Moments<T>& seen = target.moments;
        for (std::size_t g = 0; g < grades; ++g) {
          if (touches) loss += near_loss(runs, level, g, source, mixed(runs, g, seen, order), seen);
          if (far.any) loss += far.loss(runs, g, g + 1, grades, seen.zeroth[g], seen.first[g]);
        }
      }
      if (touches) far.take_in(source, grades, distance, 0);
    }
    std::copy_n(own.moments.zeroth[0], 2 * grades * Level<T>::stride, source.zeroth[0]);
    passed.source_reference = bins.base[b] + static_cast<double>(own.interval.reference);
  }
  return loss;
}

/// Adds to slopes and bends; returns the loss.
template <bool with_bends, class T>
double between_bins(const Runs<T>& runs, const Bins& bins, Workspace& workspace) {
  const auto frame = workspace.frame();
  const std::size_t most = runs.n > piece_items(runs.n) ? 64 : 8, capacity = std::min(bins.count, most);
  Sides<T> uppers(runs, capacity, workspace), lowers(runs, capacity, workspace);   // the bins as the upper, the lower of a pair
  const auto take = [&](std::size_t begin, std::size_t end) {
    uppers.clear(Levels<T>::get().level[0].order);
    lowers.clear(Levels<T>::get().level[0].order);
    for (std::size_t b = begin; b < end; ++b) {
      const Node node = bins.node(b, runs.grades);
      uppers.add(node, {T(0), T(1), T(1), last_discount(runs, node)});
      lowers.add(node, {T(0), T(-1), T(-1), first_discount(runs, node)});
    }
    lowers.find_moments();
  };
  Passed<T> passed{Moments<T>(runs.grades, workspace), workspace.take<Far<T>>(1)};
  new (passed.far) Far<T>{};
  double loss = 0;
  for (std::size_t begin = 0; begin < bins.count; begin += most) {
    const std::size_t end = std::min(bins.count, begin + most);
    take(begin, end);
    uppers.find_moments();
    loss += pass_bins<true, with_bends>(runs, bins, begin, end, lowers, uppers, passed);
    lowers.template add_fields<with_bends>();
  }
  *passed.far = Far<T>{};
  for (std::size_t end = bins.count; end > 0;) {
    const std::size_t begin = (end - 1) / most * most;
    if (bins.count > most) take(begin, end);
    pass_bins<false, with_bends>(runs, bins, begin, end, uppers, lowers, passed);
    uppers.template add_fields<with_bends>();
    end = begin;
  }
  return loss;
}

}  // namespace rankgrad::pairwise::lambda_tree
