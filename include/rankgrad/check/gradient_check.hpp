// rankgrad/check/gradient_check.hpp: is the gradient that a loss writes the slope of the value that it returns?
// SPDX-License-Identifier: MIT
//
// For your own losses as much as for ours: REQUIRE(rankgrad::check_gradient(MyLoss{}, lists).max_relative_error < 1e-6).
#pragma once

#include <rankgrad/core/evaluate.hpp>

#include <cmath>
#include <initializer_list>
#include <vector>

namespace rankgrad::inline RANKGRAD_ABI {

struct GradientReport {
  double max_relative_error = 0;   ///< |gradient - slope| / max(1, largest |slope| of the list)
  std::size_t list = 0, item = 0;  ///< where it was worst
  bool accumulates = true;         ///< adds to what the sink holds and honours its scale, as the concept asks
  bool finite = true;              ///< no NaN or infinity in value or gradient
};

/// Central differences in double, four points (error O(h^4)), step 1e-3 * max(1, |s|): good to about 1e-9 for smooth
/// losses. Kinks and jumps within a step (hinges, ranks) show as errors: choose lists that stay clear of them. Weights
/// that a loss holds constant (LambdaRank) are not part of its gradient but do move with the scores: its ranks must not
/// change within a step either.
template <class L, class Lists>
  requires Loss<L, double>
GradientReport check_gradient(const L& loss, const Lists& lists) {
  GradientReport report;
  Workspace workspace;
  std::size_t index = 0;
  for (const ListView<double>& list : lists) {
    const std::size_t n = list.size();
    std::vector<double> scores(list.scores.begin(), list.scores.end()), gradient(n), slopes(n), prefilled(n, 0.25);
    ListView<double> moved = list;
    moved.scores = scores;
    const double at_rest = value_and_gradient(loss, moved, gradient, workspace);
    report.finite = report.finite && is_finite(at_rest);

    evaluate_unmasked(loss, moved, GradientSink<double>{prefilled.data(), nullptr, 2.0}, workspace);
    double largest = 1;
    for (std::size_t i = 0; i < n; ++i) {
      report.finite = report.finite && is_finite(gradient[i]);
      const double expected = 0.25 + 2 * gradient[i];
      if (std::abs(prefilled[i] - expected) > 1e-12 * std::max(1.0, std::abs(expected))) report.accumulates = false;

      const double rest = scores[i], h = 1e-3 * std::max(1.0, std::abs(rest));
      const auto at = [&](double s) {
        scores[i] = s;
        return value(loss, moved, workspace);
      };
      slopes[i] = (8 * (at(rest + h) - at(rest - h)) - (at(rest + 2 * h) - at(rest - 2 * h))) / (12 * h);
      scores[i] = rest;
      largest = std::max(largest, std::abs(slopes[i]));
    }
    for (std::size_t i = 0; i < n; ++i) {
      const double error = std::abs(gradient[i] - slopes[i]) / largest;
      if (!(error <= report.max_relative_error)) report = {error, index, i, report.accumulates, report.finite};
    }
    ++index;
  }
  return report;
}
template <class L>
GradientReport check_gradient(const L& loss, std::initializer_list<ListView<double>> lists) {
  return check_gradient<L, std::initializer_list<ListView<double>>>(loss, lists);
}
template <class L>
GradientReport check_gradient(const L& loss, const ListView<double>& list) {
  return check_gradient(loss, {list});
}

}  // namespace rankgrad
