// rankgrad/distributed/policy.hpp: advantages and GRPO where the rollouts of a prompt are spread over ranks.
// SPDX-License-Identifier: MIT
//
// Read first: policy/group_advantage.hpp, policy/grpo.hpp, distributed/communicator.hpp.
#pragma once

#include <rankgrad/distributed/communicator.hpp>
#include <rankgrad/policy/grpo.hpp>

namespace rankgrad::inline RANKGRAD_ABI::distributed {

namespace detail {

/// How many groups there are; without offsets one.
inline std::size_t groups_of(std::span<const std::uint32_t> offsets) { return offsets.empty() ? 1 : offsets.size() - 1; }

/// The advantages of the own rewards, by the statistics of all. A shift that is one of the group's rewards keeps the digits of
/// the sums: at worst a G-th of the squares is left, of G rewards.
template <Communicator C, Real T>
void pooled_advantages(C& comm, const GroupAdvantage& advantage, std::span<const T> rewards,
                       std::span<const std::uint32_t> offsets, T* advantages, Workspace& workspace) {
  const auto frame = workspace.frame();
  const std::size_t groups = groups_of(offsets);
  const auto each = [&](const auto& body) {   // body(group, place of a reward)
    for (std::size_t q = 0; q < groups; ++q)
      for (std::size_t g = offsets.empty() ? 0 : offsets[q], end = offsets.empty() ? rewards.size() : offsets[q + 1]; g < end; ++g)
        body(q, g);
  };
  double* shift = workspace.take<double>(groups, -std::numeric_limits<double>::max());   // the highest reward
  each([&](std::size_t q, std::size_t g) { shift[q] = std::max(shift[q], static_cast<double>(rewards[g])); });
  comm.all_reduce_max(std::span(shift, groups));
  ShiftedSums* sums = workspace.take<ShiftedSums>(groups, ShiftedSums{});
  each([&](std::size_t q, std::size_t g) { sums[q].add(static_cast<double>(rewards[g]), shift[q]); });
  double* flat = workspace.take<double>(3 * groups);
  for (std::size_t q = 0; q < groups; ++q)
    flat[3 * q] = sums[q].count, flat[3 * q + 1] = sums[q].sum, flat[3 * q + 2] = sums[q].squares;
  comm.all_reduce_sum(std::span(flat, 3 * groups));
  GroupStatistics* statistics = workspace.take<GroupStatistics>(groups);
  for (std::size_t q = 0; q < groups; ++q)
    statistics[q] = ShiftedSums{flat[3 * q], flat[3 * q + 1], flat[3 * q + 2]}.statistics(shift[q]);
  each([&](std::size_t q, std::size_t g) {
    advantages[g] = static_cast<T>(advantage(static_cast<double>(rewards[g]), statistics[q]));
  });
}

template <Communicator C>
struct PooledGrpo {
  C* comm;
  Grpo loss;
  bool by_rewards;   ///< on any rank: the others, without rollouts, have neither rewards nor advantages

  template <Real T>
  Contribution<T> value_and_gradient(RolloutView<T> own, GradientSink<T> out, Workspace& workspace) const {
    const auto frame = workspace.frame();
    if (by_rewards) {
      T* advantages = workspace.take<T>(own.sequences());
      pooled_advantages(*comm, loss.advantage, own.rewards, own.group_offsets, advantages, workspace);
      own.advantages = {advantages, own.sequences()};
      own.rewards = {};
    }
    const Contribution<T> part = loss.value_and_gradient(own, out, workspace, AddUp<C>{*comm});
    double value[1] = {static_cast<double>(part.value)};
    if (part.valid) comm->all_reduce_sum(value);
    return {static_cast<T>(value[0]), part.valid};
  }
};

}  // namespace detail

/// The advantages of the own rewards in groups that are spread over ranks: group q is the rewards group_offsets[q] ..
/// group_offsets[q + 1] - 1 of every rank together, so that all ranks name the same groups, empty ones too; without offsets all
/// rewards of all ranks are one. Rewards that are all the same have advantage 0 exactly.
///
/// Bytes       of one rank: reduced 8 (1 + 2 * 5) + 32 groups.
/// Errors      as those of fill_group_advantages() of one process, on any rank: the same on every rank.
template <Communicator C, class Out, class T = std::ranges::range_value_t<Out>>
void fill_group_advantages(C& comm, const GroupAdvantage& advantage, std::type_identity_t<std::span<const T>> rewards,
                           std::span<const std::uint32_t> group_offsets, Out&& out) {
  const std::span<T> advantages(out);
  constexpr T limit = std::numeric_limits<T>::max();
  Status offsets;
  if (!group_offsets.empty())
    offsets = rankgrad::detail::check_offsets("group_offsets", group_offsets, rewards.size(), "rewards");
  agree(comm,
        first_failure({advantage.check(), rankgrad::detail::check_length("advantages", advantages.size(), rewards.size()),
                       rankgrad::detail::check_values<T>("rewards", rewards, {}, -limit, limit), offsets}),
        {{"the number of groups", detail::groups_of(group_offsets)}, {"GroupAdvantage.epsilon", advantage.epsilon},
         {"GroupAdvantage.scale_by_std", static_cast<int>(advantage.scale_by_std)},
         {"GroupAdvantage.lone", static_cast<int>(advantage.lone)}, {"the size of a reward", sizeof(T)}});
  Workspace workspace;
  detail::pooled_advantages<C, T>(comm, advantage, rewards, group_offsets, advantages.data(), workspace);
}

/// GRPO over the rollouts of all ranks: what policy/grpo.hpp says of them put together. The value is that of the whole on every
/// rank; the gradient is the whole derivative by the own log-probabilities. (Averaged over P ranks afterwards: multiply by P.)
///
/// Groups      are the same on all ranks, each having some rollouts of each, or none. Where no prompt is on two ranks give
///             advantages that are made before (policy/group_advantage.hpp); the mean over sequences is over all ranks either way.
/// Bytes       of one rank: reduced 8 (1 + 2 * 11) + 16 + 8 + 8, and 32 groups where there are rewards.
/// Errors      parameters or a number of groups that differ, wrong input on any rank, rewards here and advantages there: the same
///             error on every rank, before anything is written.
template <Communicator C, Real T>
T value_and_gradient(C& comm, const Grpo& loss, const RolloutView<T>& own, std::type_identity_t<std::span<T>> gradient,
                     Workspace& workspace) {
  agree(comm,
        first_failure({status_at_the_door(loss, own), rankgrad::detail::check_length("gradient", gradient.size(), own.tokens())}),
        {{"the number of groups", detail::groups_of(own.group_offsets)}, {"Grpo.clip_low", loss.clip_low},
         {"Grpo.clip_high", loss.clip_high}, {"Grpo.beta", loss.beta}, {"Grpo.reduction", static_cast<int>(loss.reduction)},
         {"Grpo.length", loss.length}, {"Grpo.exponent_limit", loss.exponent_limit},
         {"GroupAdvantage.epsilon", loss.advantage.epsilon},
         {"GroupAdvantage.scale_by_std", static_cast<int>(loss.advantage.scale_by_std)},
         {"GroupAdvantage.lone", static_cast<int>(loss.advantage.lone)}, {"the size of a log-probability", sizeof(T)}});
  double kinds[2] = {own.rewards.empty() ? 0.0 : 1.0, own.advantages.empty() ? 0.0 : 1.0};
  comm.all_reduce_max(kinds);
  if (kinds[0] > 0 && kinds[1] > 0) require(Status::error("rankgrad: some ranks have rewards and others advantages"));
  simd::clear(gradient.data(), gradient.size());
  const GradientSink<T> out{gradient.data()};
  return evaluate_unmasked(detail::PooledGrpo<C>{&comm, loss, kinds[0] > 0}, own, out, workspace).value;
}
template <Communicator C, Real T>
T value_and_gradient(C& comm, const Grpo& loss, const RolloutView<T>& own, std::type_identity_t<std::span<T>> gradient) {
  Workspace workspace;
  return value_and_gradient(comm, loss, own, gradient, workspace);
}

}  // namespace rankgrad::distributed
