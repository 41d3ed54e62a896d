// rankgrad/bradley_terry/accuracy.hpp: how often scores predict who wins, who loses and who ties.
// SPDX-License-Identifier: MIT
//
// Read first: bradley_terry/comparisons.hpp.
#pragma once

#include <rankgrad/bradley_terry/comparisons.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// Predicts a tie where |d| < threshold, otherwise the item with the higher score; equal scores are a tie.
struct TieWithin {
  double threshold = 0;

  Status check() const { return check_parameter("TieWithin.threshold", threshold, 0, true); }
  Outcome operator()(double d) const {
    if (d > 0 && d >= threshold) return Outcome::first;
    if (d < 0 && -d >= threshold) return Outcome::second;
    return Outcome::tie;
  }
};

/// Predicts the most probable outcome of a model with a member probabilities(d): RaoKupper, Davidson, BradleyTerry. A win
/// must be more probable than the other two; what is not won is a tie.
template <class Model>
struct MostProbable {
  Model model;

  Status check() const { return validate_parameters(model); }
  Outcome operator()(double d) const {
    const OutcomeProbabilities p = model.probabilities(d);
    if (p.first > p.second && p.first > p.tie) return Outcome::first;
    if (p.second > p.first && p.second > p.tie) return Outcome::second;
    return Outcome::tie;
  }
};

/// Win-tie-lose accuracy: the weighted mean over comparisons of the observed share of the predicted outcome (0 or 1 for
/// hard outcomes). Absent comparisons do not count. {0, false} where nothing is compared or all weights are 0.
template <Real T, class Predictor>
Contribution<double> win_tie_lose_accuracy(const Predictor& predict, const ComparisonView<T>& view) {
  check_at_the_door(predict, view);
  double right = 0, total = 0;
  for (std::size_t c = 0; c < view.size(); ++c) {
    if (!view.mask.empty() && !view.mask[c]) continue;
    const OutcomeProbabilities seen = observed(view, c);
    const double weight = static_cast<double>(view.weight(c));
    const double d = static_cast<double>(view.scores[view.first[c]]) - static_cast<double>(view.scores[view.second[c]]);
    const Outcome predicted = predict(d);
    right += weight * (predicted == Outcome::first ? seen.first : predicted == Outcome::second ? seen.second : seen.tie);
    total += weight;
  }
  if (!(total > 0)) return {};
  return {right / total, true};
}

}  // namespace rankgrad
