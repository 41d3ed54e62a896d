// rankgrad/preference/preference_view.hpp: pairs of answers, of which one was preferred, as log-probabilities that somebody
// else owns.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/evaluate.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// m pairs of a chosen and a rejected answer.
///
///   chosen, rejected                      [m], log-probabilities of the answers under the policy, summed over their tokens
///   reference_chosen, reference_rejected  [m], the same under the reference model, constants; both empty where there is none
///   chosen_lengths, rejected_lengths      [m], tokens of the answers, at least 1; both empty where nobody asks for them
///   chosen_share                          [m], the share of the raters who preferred the chosen answer, in [0, 1]; empty
///                                         means all of them. Read by metrics, not by losses.
///   weights                               [m], of the pairs, >= 0; empty means 1 for all
///   mask                                  [m], 1 = present, 0 = absent: as good as deleted, whatever its other values
///
/// The gradient is [2 m]: first that of the chosen log-probabilities, then that of the rejected ones. So is the curvature.
template <Real T>
struct PreferenceView {
  using value_type = T;

  std::span<const T> chosen{};
  std::span<const T> rejected{};
  std::span<const T> reference_chosen{};
  std::span<const T> reference_rejected{};
  std::span<const T> chosen_lengths{};
  std::span<const T> rejected_lengths{};
  std::span<const T> chosen_share{};
  std::span<const T> weights{};
  std::span<const std::uint8_t> mask{};

  constexpr std::size_t size() const noexcept { return chosen.size(); }   ///< the number of pairs
  constexpr bool present(std::size_t i) const noexcept { return mask.empty() || mask[i] != 0; }
  constexpr double weight(std::size_t i) const noexcept { return weights.empty() ? 1 : static_cast<double>(weights[i]); }

  /// D: how much more probable the policy holds the chosen answer, in nats.
  constexpr double policy_ratio(std::size_t i) const noexcept {
    return static_cast<double>(chosen[i]) - static_cast<double>(rejected[i]);
  }
  /// The same of the reference; 0 without one. (Papers that write c or h_ref often mean minus this.)
  constexpr double reference_ratio(std::size_t i) const noexcept {
    return reference_chosen.empty() ? 0 : static_cast<double>(reference_chosen[i]) - static_cast<double>(reference_rejected[i]);
  }
  /// D with each log-probability divided by the length of its answer.
  constexpr double policy_ratio_per_token(std::size_t i) const noexcept {
    return static_cast<double>(chosen[i]) / static_cast<double>(chosen_lengths[i]) -
           static_cast<double>(rejected[i]) / static_cast<double>(rejected_lengths[i]);
  }
  constexpr double share(std::size_t i) const noexcept { return chosen_share.empty() ? 1 : static_cast<double>(chosen_share[i]); }
};

template <Real T>
constexpr std::size_t gradient_size(const PreferenceView<T>& view) noexcept { return 2 * view.size(); }

/// The number of pairs that a loss is about to work on.
template <Real T>
constexpr std::size_t checked_size(const PreferenceView<T>& view) {
  const std::size_t m = view.size();
  RANKGRAD_EXPECTS(view.rejected.size() == m, "rejected and chosen differ in size");
  RANKGRAD_EXPECTS(view.reference_chosen.empty() || view.reference_chosen.size() == m,
                   "reference_chosen and chosen differ in size");
  RANKGRAD_EXPECTS(view.reference_rejected.size() == view.reference_chosen.size(),
                   "reference_rejected and reference_chosen differ in size");
  RANKGRAD_EXPECTS(view.chosen_lengths.empty() || view.chosen_lengths.size() == m, "chosen_lengths and chosen differ in size");
  RANKGRAD_EXPECTS(view.rejected_lengths.size() == view.chosen_lengths.size(),
                   "rejected_lengths and chosen_lengths differ in size");
  RANKGRAD_EXPECTS(view.weights.empty() || view.weights.size() == m, "weights and chosen differ in size");
  RANKGRAD_EXPECTS(view.mask.empty(), "a loss was called with a mask: call it through value_and_gradient()");
  return m;
}

/// Sizes agree, reference log-probabilities are finite, lengths are at least 1, shares within [0, 1], weights finite and not
/// negative; absent pairs are not looked at. The policy's log-probabilities are not checked: they are what scores are
/// elsewhere. O(m).
template <Real T>
Status validate(const PreferenceView<T>& view) {
  constexpr T limit = std::numeric_limits<T>::max();
  const std::size_t m = view.size(), given = view.reference_chosen.size(), lengths = view.chosen_lengths.size();
  if (Status s = detail::check_length("rejected", view.rejected.size(), m); !s) return s;
  if (Status s = detail::check_optional_length("reference_chosen", given, m); !s) return s;
  if (Status s = detail::check_length("reference_rejected", view.reference_rejected.size(), given); !s) return s;
  if (Status s = detail::check_optional_length("chosen_lengths", lengths, m); !s) return s;
  if (Status s = detail::check_length("rejected_lengths", view.rejected_lengths.size(), lengths); !s) return s;
  if (Status s = detail::check_optional_length("chosen_share", view.chosen_share.size(), m); !s) return s;
  if (Status s = detail::check_optional_length("weights", view.weights.size(), m); !s) return s;
  if (Status s = detail::check_optional_length("mask", view.mask.size(), m); !s) return s;
  if (Status s = detail::check_values<T>("reference_chosen", view.reference_chosen, view.mask, -limit, limit); !s) return s;
  if (Status s = detail::check_values<T>("reference_rejected", view.reference_rejected, view.mask, -limit, limit); !s) return s;
  if (Status s = detail::find_outside<T>("chosen_lengths", view.chosen_lengths, view.mask, T(1), limit); !s) return s;
  if (Status s = detail::find_outside<T>("rejected_lengths", view.rejected_lengths, view.mask, T(1), limit); !s) return s;
  if (Status s = detail::check_values<T>("chosen_share", view.chosen_share, view.mask, T(0), T(1)); !s) return s;
  return detail::check_values<T>("weights", view.weights, view.mask, T(0), limit);
}

/// Runs a loss on pairs that may have a mask: absent ones are taken out first. Found by the door.
template <Real T, LossOn<PreferenceView<T>> L>
Contribution<T> evaluate_unmasked(const L& loss, const PreferenceView<T>& view, const GradientSink<T>& out,
                                  Workspace& workspace) {
  if (view.mask.empty()) return loss.value_and_gradient(view, out, workspace);
  const auto frame = workspace.frame();
  const Kept kept = kept_by(view.mask, workspace);
  const auto gather = [&](std::span<const T> all) { return kept.gather(all, workspace); };
  const PreferenceView<T> present{.chosen = gather(view.chosen),
                                  .rejected = gather(view.rejected),
                                  .reference_chosen = gather(view.reference_chosen),
                                  .reference_rejected = gather(view.reference_rejected),
                                  .chosen_lengths = gather(view.chosen_lengths),
                                  .rejected_lengths = gather(view.rejected_lengths),
                                  .chosen_share = gather(view.chosen_share),
                                  .weights = gather(view.weights)};
  return evaluate_part(loss, present, kept, out, workspace);
}

}  // namespace rankgrad
