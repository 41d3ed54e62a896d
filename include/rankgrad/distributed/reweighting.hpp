// rankgrad/distributed/reweighting.hpp: weights and risks of a batch that is spread over ranks.
// SPDX-License-Identifier: MIT
//
// Each function is the one of its name in reweighting/, of the samples of all ranks put together: a rank gives its own and gets
// what belongs to them. A rank may have none. Input that is wrong on any rank, and parameters that differ, raise the same error on
// every rank.
//
// Read first: reweighting/loss_weights.hpp, reweighting/risk.hpp, distributed/communicator.hpp.
#pragma once

#include <rankgrad/distributed/ring.hpp>
#include <rankgrad/reweighting/coupled_propensity.hpp>
#include <rankgrad/reweighting/loss_weights.hpp>
#include <rankgrad/reweighting/meta_rescaling.hpp>
#include <rankgrad/reweighting/risk.hpp>
#include <rankgrad/reweighting/training_dynamics.hpp>

namespace rankgrad::inline RANKGRAD_ABI::distributed {

/// The weights of the losses: those of all ranks together have the sum 1. (Where gradients are averaged over P ranks afterwards,
/// multiply by P.) Gathers 24 and 32 bytes.
template <Communicator C, LossToWeight Map, Real T>
void loss_weights(C& comm, const Map& map, std::span<const T> losses, std::type_identity_t<std::span<T>> weights,
                  std::type_identity_t<std::span<const T>> prior = {}) {
  agree(comm,
        first_failure({validate_parameters(map), rankgrad::reweighting::check_samples(losses, prior),
                       rankgrad::detail::check_length("weights", weights.size(), losses.size())}),
        {{"the temperature of a loss-to-weight map", map.temperature}, {"the delta of a loss-to-weight map", map.delta}});
  const auto merged = [&](const auto& own) {
    std::decay_t<decltype(own)> all{};
    for (const auto& part : gathered(comm, own)) all.merge(part);
    return all;
  };
  const LossRange range = merged(loss_range(losses, prior));
  rankgrad::loss_weights(map, losses, range, merged(exponent_sum(map, losses, range, prior)), weights, prior);
}

/// A risk of the losses of all ranks: the value on every rank, gradient[q] = dR / d own loss q. The losses of all lists are
/// brought together, one number (with weights two) a list, so that any risk will do; some ranks with weights and some without
/// are an error, unless those without have no losses.
template <Communicator C, Real T, Risk<T> R>
Contribution<T> risk(C& comm, const R& of, std::span<const T> losses, std::type_identity_t<std::span<const T>> weights,
                     std::type_identity_t<std::span<T>> gradient, Workspace& workspace) {
  constexpr T limit = std::numeric_limits<T>::max();
  const bool none = losses.empty(), weighted = !weights.empty();
  agree(comm,
        first_failure({validate_parameters(of), rankgrad::detail::check_length("the gradient by the losses", gradient.size(), losses.size()),
                       rankgrad::detail::check_optional_length("the weights of the losses", weights.size(), losses.size()),
                       rankgrad::detail::check_values<T>("the weights of the losses", weights, {}, T(0), limit)}));
  double kinds[2] = {!none && !weighted ? 1.0 : 0.0, weighted ? 1.0 : 0.0};
  comm.all_reduce_max(kinds);
  if (kinds[0] > 0 && kinds[1] > 0) require(Status::error("rankgrad: some ranks have weights of their losses and others none"));
  const auto frame = workspace.frame();
  const Joined<T> all = join(comm, losses, workspace);
  const std::span<const T> all_weights = kinds[1] > 0 ? join(comm, weights, workspace).all : std::span<const T>{};
  const std::span<T> derivatives(workspace.take<T>(all.all.size()), all.all.size());
  const Contribution<T> result = of.value_and_gradient(all.all, all_weights, derivatives, workspace);
  std::copy_n(derivatives.begin() + static_cast<std::ptrdiff_t>(all.first), losses.size(), gradient.begin());
  return result;
}

/// Makes the mean of the weights of the positives of all ranks 1; returns the factor. Reduces 16 bytes.
template <Communicator C, Real T>
double self_normalise(C& comm, std::span<const T> labels, std::type_identity_t<std::span<T>> weights,
                      std::span<const std::uint8_t> mask = {}) {
  agree(comm, rankgrad::detail::check_length("weights", weights.size(), labels.size()));
  return rankgrad::self_normalise(labels, weights, mask, AddUp<C>{comm});
}

/// The loss of the batch under weights that leave its sum as it was. Reduces 16 bytes.
template <Communicator C, Real T>
T rescaled_loss(C& comm, std::span<const T> losses, std::type_identity_t<std::span<const T>> weights,
                std::type_identity_t<std::span<T>> by_loss, std::type_identity_t<std::span<T>> by_weight, double least = 1e-12) {
  using namespace rankgrad::detail;
  agree(comm,
        first_failure({check_length("weights", weights.size(), losses.size()),
                       check_optional_length("the gradient by the losses", by_loss.size(), losses.size()),
                       check_optional_length("the gradient by the weights", by_weight.size(), losses.size())}),
        {{"least", least}});
  return rankgrad::rescaled_loss(losses, weights, by_loss, by_weight, least, AddUp<C>{comm});
}

/// The weights from a hypergradient: those of all ranks have the sum 1. Reduces 8 bytes.
template <Communicator C, Real T>
void reweighted_by_gradient(C& comm, std::span<const T> hypergradient, std::type_identity_t<std::span<T>> weights) {
  agree(comm, rankgrad::detail::check_length("weights", weights.size(), hypergradient.size()));
  rankgrad::reweighted_by_gradient(hypergradient, weights, AddUp<C>{comm});
}

/// A class in the windows of all ranks.
template <Communicator C>
GroupDynamics group(C& comm, const DynamicsWindow& window, std::uint32_t label, AgreementGroup which = AgreementGroup::all) {
  Status own;
  if (label >= window.classes()) own = Status::error("rankgrad: label %u has no window; there are %zu", label, window.classes());
  agree(comm, own, {{"the label of the window", label}, {"the agreement group", static_cast<int>(which)}});
  return window.group(label, which, AddUp<C>{comm});
}

}  // namespace rankgrad::distributed
