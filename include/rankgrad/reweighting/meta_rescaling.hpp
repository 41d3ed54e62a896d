// rankgrad/reweighting/meta_rescaling.hpp: weights of samples that are learned themselves: what that needs of the losses.
// SPDX-License-Identifier: MIT
//
// One step of training weights w (of a network, or free): the parameters theta move by an inner step on sum_i w_i l_i(theta), a
// meta batch is evaluated at theta', and the weights move against the derivative of that meta loss. Features for a network:
// training_dynamics.hpp.
//
// Source      STORM: self-taught on-the-fly meta loss rescaling (arXiv 2412.12955), normalisation as in its released code but for
//             the factor, see rescaled_loss(). Hypergradient: worked out here for one step of plain gradient descent, as in
//             Ren, Zeng, Yang, Urtasun, Learning to reweight examples for robust deep learning, ICML 2018.
#pragma once

#include <rankgrad/core/all_here.hpp>
#include <rankgrad/core/validate.hpp>
#include <rankgrad/simd/rows.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// The loss of a batch under weights that leave its sum as it was.
///
///   L        = c sum_i w_i l_i,   c = sum l / sum w l, held constant
///   dL/dl_i  = c w_i,   dL/dw_i = c l_i
///
/// c is 1 where sum w l is at most `least`. The source's code does not hold c constant: L is then sum l whatever w is, and
/// nothing can be learned about w. The two gradients are written over; either may be empty. Cost O(n). `add_up`:
/// core/all_here.hpp.
template <Real T, class AddUp = AllHere>
T rescaled_loss(std::span<const T> losses, std::type_identity_t<std::span<const T>> weights,
                std::type_identity_t<std::span<T>> by_loss, std::type_identity_t<std::span<T>> by_weight, double least = 1e-12,
                const AddUp& add_up = {}) {
  using namespace simd;
  const std::size_t n = losses.size();
  require(rankgrad::detail::check_length("weights", weights.size(), n));
  require(rankgrad::detail::check_optional_length("the gradient by the losses", by_loss.size(), n));
  require(rankgrad::detail::check_optional_length("the gradient by the weights", by_weight.size(), n));
  BlockedSum<T> plain, weighted;
  for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
    const Pack<T> l = at.load(&losses[i], T(0));
    plain.add(l, at);
    weighted.add(l * at.load(&weights[i], T(0)), at);
  });
  double sums[2] = {plain.total(), weighted.total()};
  add_up(std::span<double>(sums));
  const double c = sums[1] <= least ? 1 : sums[0] / sums[1];
  const Pack<T> factor = Pack<T>(T(c));
  for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
    if (!by_loss.empty()) at.store(&by_loss[i], factor * at.load(&weights[i], T(0)));
    if (!by_weight.empty()) at.store(&by_weight[i], factor * at.load(&losses[i], T(0)));
  });
  return static_cast<T>(c * sums[1]);
}

/// The derivative of the meta loss by the weights, through one inner step theta' = theta - eta sum_i w_i grad l_i(theta):
///
///   dL_meta/dw_i = -eta < grad_theta l_i, grad_theta' L_meta > + direct_i
///
/// products [n] are these scalar products, the caller's. direct [n] or empty: l_i(theta') for samples that are in the meta batch
/// and carry their weight there too (the self-taught variant, L_meta = sum_j w_j l_j(theta')), 0 for others.
template <Real T>
void weight_hypergradient(double eta, std::span<const T> products, std::type_identity_t<std::span<const T>> direct,
                          std::type_identity_t<std::span<T>> gradient) {
  using namespace simd;
  require(check_parameter("eta of weight_hypergradient()", eta, 0));
  require(rankgrad::detail::check_optional_length("direct", direct.size(), products.size()));
  require(rankgrad::detail::check_length("gradient", gradient.size(), products.size()));
  const Pack<T> step = Pack<T>(T(eta));
  for_each_pack<T>(products.size(), [&](std::size_t i, auto at) RANKGRAD_INLINE {
    const Pack<T> rest = direct.empty() ? Pack<T>(T(0)) : at.load(&direct[i], T(0));
    at.store(&gradient[i], fnma(step, at.load(&products[i], T(0)), rest));
  });
}

/// Learning to reweight: w_i = max(0, -dL_meta/dw_i) / sum, one step from weights of 0; the size of that step does not matter.
/// Samples that would raise the meta loss get nothing. All 0 where every one would, as in the source. `add_up`:
/// core/all_here.hpp.
template <Real T, class AddUp = AllHere>
void reweighted_by_gradient(std::span<const T> hypergradient, std::type_identity_t<std::span<T>> weights,
                            const AddUp& add_up = {}) {
  using namespace simd;
  require(rankgrad::detail::check_length("weights", weights.size(), hypergradient.size()));
  const Pack<T> zero(T(0));
  BlockedSum<T> sum;
  for_each_pack<T>(weights.size(), [&](std::size_t i, auto at) RANKGRAD_INLINE {
    const Pack<T> g = at.load(&hypergradient[i], T(0)), w = select(g < zero, -g, zero);
    sum.add(w, at);
    at.store(&weights[i], w);
  });
  double total = sum.total();
  add_up(std::span<double>(&total, 1));
  if (!(total > 0)) return;
  const Pack<T> inverse = Pack<T>(T(1 / total));
  for_each_pack<T>(weights.size(), [&](std::size_t i, auto at) RANKGRAD_INLINE {
    at.store(&weights[i], at.load(&weights[i], T(0)) * inverse);
  });
}

}  // namespace rankgrad
