// rankgrad/bradley_terry/comparisons.hpp: who was preferred to whom, as index lists that somebody else owns.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/evaluate.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

enum class Outcome : std::uint8_t { first, second, tie };

/// m comparisons between n scored items. An item may appear in any number of them.
///
///   scores         [n], model outputs, higher is better
///   first, second  [m], the places of the two compared items in `scores`, never the same one
///   outcome        [m] who won; empty means that the first won every time
///   soft_outcome   [3 m] instead of `outcome`: per comparison the fractions of raters who said first, second, tie; they
///                  add up to 1. Losses are linear in them.
///   weights        [m], of the comparisons, >= 0; empty means 1 for all
///   mask           [m], 1 = present, 0 = absent. An absent comparison is as good as deleted, whatever its other values.
///
/// The gradient is that of the scores, [n].
template <Real T>
struct ComparisonView {
  using value_type = T;

  std::span<const T> scores{};
  std::span<const std::uint32_t> first{};
  std::span<const std::uint32_t> second{};
  std::span<const Outcome> outcome{};
  std::span<const T> soft_outcome{};
  std::span<const T> weights{};
  std::span<const std::uint8_t> mask{};

  constexpr std::size_t size() const noexcept { return first.size(); }   ///< the number of comparisons
  constexpr T weight(std::size_t c) const noexcept { return weights.empty() ? T(1) : weights[c]; }
};

/// How probable, or how frequent, the three outcomes of a comparison are.
struct OutcomeProbabilities {
  double first = 0, second = 0, tie = 0;
};

/// What happened in comparison c.
template <Real T>
constexpr OutcomeProbabilities observed(const ComparisonView<T>& view, std::size_t c) noexcept {
  if (!view.soft_outcome.empty()) {
    const T* fractions = &view.soft_outcome[3 * c];
    return {static_cast<double>(fractions[0]), static_cast<double>(fractions[1]), static_cast<double>(fractions[2])};
  }
  const Outcome outcome = view.outcome.empty() ? Outcome::first : view.outcome[c];
  return {outcome == Outcome::first ? 1.0 : 0.0, outcome == Outcome::second ? 1.0 : 0.0, outcome == Outcome::tie ? 1.0 : 0.0};
}

template <Real T>
constexpr std::size_t gradient_size(const ComparisonView<T>& view) noexcept { return view.scores.size(); }

/// The number of comparisons that a loss is about to work on.
template <Real T>
constexpr std::size_t checked_size(const ComparisonView<T>& view) {
  const std::size_t m = view.size();
  RANKGRAD_EXPECTS(view.second.size() == m, "first and second differ in size");
  RANKGRAD_EXPECTS(view.outcome.empty() || view.outcome.size() == m, "outcome and first differ in size");
  RANKGRAD_EXPECTS(view.soft_outcome.empty() || view.soft_outcome.size() == 3 * m, "soft_outcome is not three times first");
  RANKGRAD_EXPECTS(view.weights.empty() || view.weights.size() == m, "weights and first differ in size");
  RANKGRAD_EXPECTS(view.mask.empty(), "a loss was called with a mask: call it through value_and_gradient()");
  return m;
}

namespace detail {

/// Is a look at each comparison due? Sizes agree. Without branches: three passes that the compiler vectorises.
template <Real T>
bool suspicious(const ComparisonView<T>& view) {
  std::uint32_t highest = 0, same = 0;
  for (std::size_t c = 0; c < view.size(); ++c) {
    highest = std::max(highest, std::max(view.first[c], view.second[c]));
    same |= static_cast<std::uint32_t>(view.first[c] == view.second[c]);
  }
  std::uint8_t outcome = 0;
  for (const Outcome o : view.outcome) outcome = std::max(outcome, static_cast<std::uint8_t>(o));
  return same || outcome > static_cast<std::uint8_t>(Outcome::tie) || (view.size() && highest >= view.scores.size()) ||
         !view.soft_outcome.empty();
}

}  // namespace detail

/// Sizes agree, places are within the scores and differ, soft outcomes are fractions that add up to 1, weights are finite
/// and not negative; absent comparisons are not looked at. O(m).
template <Real T>
Status validate(const ComparisonView<T>& view) {
  constexpr double rounding = 1e-4;   // of three decimal fractions typed with four digits or stored in float
  const std::size_t m = view.size(), n = view.scores.size();
  if (Status s = detail::check_length("second", view.second.size(), m); !s) return s;
  if (Status s = detail::check_optional_length("outcome", view.outcome.size(), m); !s) return s;
  if (Status s = detail::check_optional_length("soft_outcome", view.soft_outcome.size(), 3 * m); !s) return s;
  if (Status s = detail::check_optional_length("weights", view.weights.size(), m); !s) return s;
  if (Status s = detail::check_optional_length("mask", view.mask.size(), m); !s) return s;
  if (!view.outcome.empty() && !view.soft_outcome.empty())
    return Status::error("rankgrad: a ComparisonView has both outcome and soft_outcome; give one of them");
  for (std::size_t c = 0, end = detail::suspicious(view) ? m : 0; c < end; ++c) {
    if (!view.mask.empty() && !view.mask[c]) continue;
    const std::uint32_t i = view.first[c], j = view.second[c];
    if (i >= n || j >= n)
      return Status::error("rankgrad: comparison %zu is between items %u and %u; there are %zu scores", c, i, j, n);
    if (i == j) return Status::error("rankgrad: comparison %zu compares item %u with itself", c, i);
    if (!view.outcome.empty() && view.outcome[c] > Outcome::tie)
      return Status::error("rankgrad: outcome[%zu] is %u; it must be 0 (first), 1 (second) or 2 (tie)", c,
                           static_cast<unsigned>(view.outcome[c]));
    if (view.soft_outcome.empty()) continue;
    const OutcomeProbabilities p = observed(view, c);
    const double sum = p.first + p.second + p.tie;
    if (!is_finite(sum) || p.first < 0 || p.second < 0 || p.tie < 0 || sum < 1 - rounding || sum > 1 + rounding)
      return Status::error(
          "rankgrad: the soft outcome of comparison %zu is (%g, %g, %g); it must be three fractions that add up to 1", c,
          p.first, p.second, p.tie);
  }
  return detail::check_values<T>("weights", view.weights, view.mask, T(0), std::numeric_limits<T>::max());
}

/// Runs a loss on comparisons that may have a mask: absent ones are taken out first. Found by the door.
template <Real T, LossOn<ComparisonView<T>> L>
Contribution<T> evaluate_unmasked(const L& loss, const ComparisonView<T>& view, const GradientSink<T>& out,
                                  Workspace& workspace) {
  if (view.mask.empty()) return loss.value_and_gradient(view, out, workspace);
  const auto frame = workspace.frame();
  const Kept kept = kept_by(view.mask, workspace);
  ComparisonView<T> present;
  present.scores = view.scores;
  present.first = kept.gather(view.first, workspace);
  present.second = kept.gather(view.second, workspace);
  present.outcome = kept.gather(view.outcome, workspace);
  present.soft_outcome = kept.gather(view.soft_outcome, workspace, 3);
  present.weights = kept.gather(view.weights, workspace);
  return loss.value_and_gradient(present, out, workspace);
}

}  // namespace rankgrad
