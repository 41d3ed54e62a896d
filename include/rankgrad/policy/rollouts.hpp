// rankgrad/policy/rollouts.hpp: what a policy sampled, token by token, and what it got for it, as arrays somebody else owns.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/check_offsets.hpp>
#include <rankgrad/core/evaluate.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// Sampled sequences (rollouts, completions) back to back, those of one prompt side by side as a group.
///
///   log_probs             [tokens], log-probability of every sampled token under the policy that learns
///   old_log_probs         [tokens] under the policy that sampled; empty: it is the one that learns (ratio 1)
///   reference_log_probs   [tokens] under the reference policy; empty: no KL term
///   sequence_offsets      [sequences + 1], starts at 0, never falls, ends at the number of tokens
///   group_offsets         [groups + 1], likewise over the sequences; empty: all sequences are one group
///   rewards               [sequences], one for the whole sequence; compared within its group
///   advantages            [sequences] instead of rewards, from a baseline of your own
///   weights               [sequences] >= 0; empty means 1 for all. They weigh the sequences in the loss, not in the mean of
///                         the rewards.
///   mask                  [tokens], 1 = present, 0 = absent (tokens of a tool, padding). An absent token is as good as
///                         deleted, whatever its other values; a sequence without tokens is left out, its reward still counts.
///
/// The gradient is that of log_probs, [tokens].
template <Real T>
struct RolloutView {
  using value_type = T;

  std::span<const T> log_probs{};
  std::span<const T> old_log_probs{};
  std::span<const T> reference_log_probs{};
  std::span<const std::uint32_t> sequence_offsets{};
  std::span<const std::uint32_t> group_offsets{};
  std::span<const T> rewards{};
  std::span<const T> advantages{};
  std::span<const T> weights{};
  std::span<const std::uint8_t> mask{};

  constexpr std::size_t tokens() const noexcept { return log_probs.size(); }
  constexpr std::size_t sequences() const noexcept { return sequence_offsets.empty() ? 0 : sequence_offsets.size() - 1; }
  constexpr std::size_t length(std::size_t g) const noexcept { return sequence_offsets[g + 1] - sequence_offsets[g]; }
  constexpr T weight(std::size_t g) const noexcept { return weights.empty() ? T(1) : weights[g]; }
};

template <Real T>
constexpr std::size_t gradient_size(const RolloutView<T>& view) noexcept { return view.tokens(); }

/// The number of tokens that a loss is about to work on.
template <Real T>
constexpr std::size_t checked_size(const RolloutView<T>& view) {
  [[maybe_unused]] const auto fits = [](std::size_t size, std::size_t n) { return size == 0 || size == n; };
  [[maybe_unused]] const std::size_t n = view.tokens(), sequences = view.sequences();
  RANKGRAD_EXPECTS(fits(view.old_log_probs.size(), n), "old_log_probs and log_probs differ in size");
  RANKGRAD_EXPECTS(fits(view.reference_log_probs.size(), n), "reference_log_probs and log_probs differ in size");
  RANKGRAD_EXPECTS(view.rewards.size() + view.advantages.size() == sequences,
                   "there must be one reward or advantage a sequence");
  RANKGRAD_EXPECTS(fits(view.weights.size(), sequences), "weights and sequences differ in number");
  RANKGRAD_EXPECTS(view.mask.empty(), "a loss was called with a mask: call it through value_and_gradient()");
  return n;
}

/// Sizes and offsets fit, rewards or advantages are finite, weights finite and not negative. O(sequences): like scores,
/// log-probabilities are not looked at.
template <Real T>
Status validate(const RolloutView<T>& view) {
  constexpr T limit = std::numeric_limits<T>::max();
  const std::size_t n = view.tokens(), sequences = view.sequences();
  if (Status s = detail::check_offsets("sequence_offsets", view.sequence_offsets, n, "log_probs"); !s) return s;
  if (Status s = detail::check_optional_length("old_log_probs", view.old_log_probs.size(), n); !s) return s;
  if (Status s = detail::check_optional_length("reference_log_probs", view.reference_log_probs.size(), n); !s) return s;
  if (Status s = detail::check_optional_length("mask", view.mask.size(), n); !s) return s;
  if (Status s = detail::check_optional_length("weights", view.weights.size(), sequences); !s) return s;
  if (!view.rewards.empty() && !view.advantages.empty())
    return Status::error("rankgrad: a RolloutView has both rewards and advantages; give one of them");
  if (view.advantages.empty()) {
    if (Status s = detail::check_length("rewards", view.rewards.size(), sequences); !s) return s;
  } else if (Status s = detail::check_length("advantages", view.advantages.size(), sequences); !s) {
    return s;
  }
  if (!view.group_offsets.empty())
    if (Status s = detail::check_offsets("group_offsets", view.group_offsets, sequences, "sequences"); !s) return s;
  if (Status s = detail::check_values<T>("rewards", view.rewards, {}, -limit, limit); !s) return s;
  if (Status s = detail::check_values<T>("advantages", view.advantages, {}, -limit, limit); !s) return s;
  return detail::check_values<T>("weights", view.weights, {}, T(0), limit);
}

/// Runs a loss on rollouts that may have a mask: absent tokens are taken out first. Found by the door.
template <Real T, LossOn<RolloutView<T>> L>
Contribution<T> evaluate_unmasked(const L& loss, const RolloutView<T>& view, const GradientSink<T>& out, Workspace& workspace) {
  if (view.mask.empty()) return loss.value_and_gradient(view, out, workspace);
  const auto frame = workspace.frame();
  const Kept kept = kept_by(view.mask, workspace);
  RolloutView<T> present = view;
  present.log_probs = kept.gather(view.log_probs, workspace);
  present.old_log_probs = kept.gather(view.old_log_probs, workspace);
  present.reference_log_probs = kept.gather(view.reference_log_probs, workspace);
  present.sequence_offsets = kept.offsets(view.sequence_offsets, workspace);
  present.mask = {};
  return evaluate_part(loss, present, kept, out, workspace);
}

}  // namespace rankgrad
