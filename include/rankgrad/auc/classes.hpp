// rankgrad/auc/classes.hpp: a list cut into its positives and its negatives, ready for sums over all mixed pairs.
// SPDX-License-Identifier: MIT
//
// A positive is an item with label > 0, a negative any other. The losses of this folder depend on score differences
// alone, so a common centre is taken off first: offsets of any size then cost no digits.
#pragma once

#include <rankgrad/core/concepts.hpp>
#include <rankgrad/core/validate.hpp>
#include <rankgrad/simd/ranking.hpp>

namespace rankgrad::inline RANKGRAD_ABI::auc {

/// The items of one class in workspace arrays that may be read whole packs past the end: there the weight is 0 and the
/// score that of the last item. Items of weight 0 are left out.
template <Real S>
struct ScoreClass {
  std::size_t n = 0;
  double weight = 0;                            ///< of all items together
  S *scores = nullptr, *weights = nullptr;      ///< scores: (s - centre) / temperature
  std::uint32_t* items = nullptr;               ///< where each came from
  double *slope = nullptr, *curvature = nullptr;   ///< for the kernel to fill: by the scores above
};

template <Real S>
struct Classes {
  ScoreClass<S> positive, negative;
  double pair_weight() const { return positive.weight * negative.weight; }
};

/// Cuts the list; within a class the items keep their order.
template <Real S, Real T>
Classes<S> split(const ListView<T>& list, double temperature, Workspace& workspace) {
  const std::size_t n = list.size();
  double centre = 0;
  const double share = 1 / static_cast<double>(n);
  std::size_t positives = 0, negatives = 0;
  for (std::size_t i = 0; i < n; ++i) {
    centre += share * static_cast<double>(list.scores[i]);
    if (list.weight(i) > T(0)) ++(list.labels[i] > T(0) ? positives : negatives);
  }
  const auto room = [&](std::size_t size) {
    return ScoreClass<S>{0, 0, workspace.take<S>(size), workspace.take<S>(size, S(0)), workspace.take<std::uint32_t>(size),
                         workspace.take<double>(size, 0.0), workspace.take<double>(size, 0.0)};
  };
  Classes<S> classes{room(positives), room(negatives)};
  for (std::size_t i = 0; i < n; ++i) {
    if (!(list.weight(i) > T(0))) continue;
    ScoreClass<S>& part = list.labels[i] > T(0) ? classes.positive : classes.negative;
    part.scores[part.n] = static_cast<S>((static_cast<double>(list.scores[i]) - centre) / temperature);
    part.weights[part.n] = static_cast<S>(list.weight(i));
    part.weight += static_cast<double>(list.weight(i));
    part.items[part.n++] = static_cast<std::uint32_t>(i);
  }
  for (ScoreClass<S>* part : {&classes.positive, &classes.negative})
    if (part->n) std::fill_n(part->scores + part->n, 64 / sizeof(S), part->scores[part->n - 1]);
  return classes;
}

/// Adds factor * what the kernel left in the classes, turned from scaled scores back to scores.
template <Real S, Real T>
void scatter(const Classes<S>& classes, double factor, double temperature, const GradientSink<T>& out) {
  const double by_score = factor / temperature, by_score_twice = by_score / temperature;
  for (const ScoreClass<S>* part : {&classes.positive, &classes.negative})
    for (std::size_t r = 0; r < part->n; ++r)
      out.add(part->items[r], static_cast<T>(by_score * part->slope[r]), static_cast<T>(by_score_twice * part->curvature[r]));
}

}  // namespace rankgrad::auc
