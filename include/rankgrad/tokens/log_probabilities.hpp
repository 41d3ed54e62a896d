// rankgrad/tokens/log_probabilities.hpp: from logits to the log-probabilities of target tokens, and back with their gradient.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/tokens/cross_entropy.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// log p_t = z_ty - log sum_v e^{z_tv} of every target; 0 where a token is absent. Overwrites `log_probabilities` [tokens].
template <Real T>
void token_log_probabilities(const TokenView<T>& view, std::type_identity_t<std::span<T>> log_probabilities,
                             Workspace& workspace) {
  require(validate(view));
  RANKGRAD_EXPECTS(log_probabilities.size() == view.size(), "log_probabilities and targets differ in size");
  tokens::for_each_token(view, workspace, [&](std::size_t t) {
    const bool present = view.present(t);
    log_probabilities[t] =
        present ? static_cast<T>(-tokens::read_row(view.row(t), view.vocabulary, view.targets[t]).negative_log()) : T(0);
  });
}

/// The chain back: with g_t = dL/dlog p_t, adds to (`fresh`: writes over) `gradient` [tokens, V]
///   dL/dz_tv = g_t (1[v = y_t] - p_tv)
/// which for g_t = -1 is the gradient of the cross-entropy. Absent tokens get 0. Masks count, weights do not.
template <bool fresh = true, Real T>
void backward_log_probabilities(const TokenView<T>& view, std::type_identity_t<std::span<const T>> token_gradient,
                                std::type_identity_t<std::span<T>> gradient, Workspace& workspace) {
  require(validate(view));
  RANKGRAD_EXPECTS(token_gradient.size() == view.size(), "token_gradient and targets differ in size");
  RANKGRAD_EXPECTS(gradient.size() == view.logits.size(), "gradient and logits differ in size");
  const auto frame = workspace.frame();
  double* const coefficient = workspace.take<double>(view.size());
  for (std::size_t t = 0; t < view.size(); ++t)
    coefficient[t] = view.present(t) ? -static_cast<double>(token_gradient[t]) : 0;
  tokens::sum_over_tokens<fresh>(tokens::CrossEntropy{}, view, coefficient, GradientSink<T>{gradient.data()}, workspace);
}

}  // namespace rankgrad
