// rankgrad/policy/group_advantage.hpp: how much better a rollout did than the others of its prompt.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/check_offsets.hpp>
#include <rankgrad/core/validate.hpp>

#include <cmath>
#include <ranges>

namespace rankgrad::inline RANKGRAD_ABI {

/// Mean and spread of the rewards of one group: of all its rollouts, or of those of one process, to be merged (Welford; Chan,
/// Golub, LeVeque). Rewards that are all the same have that mean and spread 0 exactly, however they are split and merged.
struct GroupStatistics {
  double count = 0, mean = 0;
  double squares = 0;   ///< sum of (r - mean)^2

  void add(double reward) {
    const double away = reward - mean;
    mean += away / ++count;
    squares += away * (reward - mean);
  }
  void merge(const GroupStatistics& other) {
    if (other.count == 0) return;
    const double away = other.mean - mean, all = count + other.count;
    mean = count == 0 ? other.mean : mean + away * (other.count / all);
    squares += other.squares + away * away * (count / all) * other.count;
    count = all;
  }
  /// Divided by count - 1; 0 for fewer than two.
  double standard_deviation() const { return count < 2 ? 0 : std::sqrt(std::max(0.0, squares) / (count - 1)); }

  template <Real T>
  static GroupStatistics of(std::span<const T> rewards) {
    GroupStatistics statistics;
    for (const T r : rewards) statistics.add(static_cast<double>(r));
    return statistics;
  }
};

/// The same as three plain sums about a common `shift`, for an all-reduce that can only add. A shift near the mean (any one
/// reward of the group, sent round first) keeps the digits, and rewards that are all the same exactly so.
struct ShiftedSums {
  double count = 0, sum = 0, squares = 0;

  void add(double reward, double shift) {
    const double away = reward - shift;
    ++count;
    sum += away;
    squares += away * away;
  }
  GroupStatistics statistics(double shift) const {
    if (!(count > 0)) return {};
    return {count, shift + sum / count, std::max(0.0, squares - sum * (sum / count))};
  }
};

/// What a rollout without others is worth: nothing to compare it with (0), or its own reward, as if mean 0 and standard
/// deviation 1 were known (verl).
enum class LoneRollout { zero, reward };

/// The advantage of a rollout in its group, a constant of the gradient:
///
///   A_g = (r_g - mean r) / (std r + epsilon),   std^2 = sum_g (r_g - mean r)^2 / (G - 1)
///
/// Equal rewards have A = 0 exactly. For rewards 0 and 1, k of G being 1: mean k / G, std sqrt(k (G - k) / (G (G - 1))).
///
/// Parameters  epsilon >= 0 (1e-4 as in TRL and MM-R5; verl 1e-6). scale_by_std: false leaves the division out (Dr. GRPO,
///             arXiv 2503.20783), whose weight is the largest for prompts nearly always or never solved. lone: see above.
/// Source      Shao et al., DeepSeekMath (arXiv 2402.03300), section 4.1, which does not say by what the variance is divided
///             and has no epsilon; both as in the released trainers.
struct GroupAdvantage {
  double epsilon = 1e-4;
  bool scale_by_std = true;
  LoneRollout lone = LoneRollout::zero;

  Status check() const { return check_parameter("GroupAdvantage.epsilon", epsilon, 0, true); }

  double operator()(double reward, const GroupStatistics& group) const {
    if (group.count < 2 && lone == LoneRollout::reward) return scale_by_std ? reward / (1 + epsilon) : reward;
    const double away = reward - group.mean;
    if (group.count < 2 || away == 0) return 0;
    return scale_by_std ? away / (group.standard_deviation() + epsilon) : away;
  }

  /// Of a whole group.
  template <Real T>
  void operator()(std::span<const T> rewards, T* advantages) const {
    const GroupStatistics group = GroupStatistics::of(rewards);
    for (std::size_t g = 0; g < rewards.size(); ++g) advantages[g] = T((*this)(static_cast<double>(rewards[g]), group));
  }
};

namespace policy {
/// Groups one after the other; without offsets all rollouts are one.
template <Real T>
void fill_advantages(const GroupAdvantage& advantage, std::span<const T> rewards, std::span<const std::uint32_t> group_offsets,
                     T* advantages) {
  if (group_offsets.empty()) return advantage(rewards, advantages);
  for (std::size_t q = 0; q + 1 < group_offsets.size(); ++q) {
    const std::size_t first = group_offsets[q], count = group_offsets[q + 1] - group_offsets[q];
    advantage(rewards.subspan(first, count), advantages + first);
  }
}
}  // namespace policy

/// The advantages of many groups into `out`, which is as long as `rewards`: group q has the rewards group_offsets[q] ..
/// group_offsets[q + 1] - 1; without offsets all are one group. For those who want to change them before RolloutView takes
/// them; Grpo calls this itself where it is given rewards.
template <class Out, class T = std::ranges::range_value_t<Out>>
void fill_group_advantages(const GroupAdvantage& advantage, std::type_identity_t<std::span<const T>> rewards,
                           std::span<const std::uint32_t> group_offsets, Out&& out) {
  const std::span<T> advantages(out);
  constexpr T limit = std::numeric_limits<T>::max();
  require(advantage.check());
  require(detail::check_length("advantages", advantages.size(), rewards.size()));
  require(detail::check_values<T>("rewards", rewards, {}, -limit, limit));
  if (!group_offsets.empty()) require(detail::check_offsets("group_offsets", group_offsets, rewards.size(), "rewards"));
  policy::fill_advantages<T>(advantage, rewards, group_offsets, advantages.data());
}

}  // namespace rankgrad
