// rankgrad/preference/difficulty.hpp: how low the loss of a pair must fall before the policy ranks it rightly.
// SPDX-License-Identifier: MIT
//
// A pair is ranked rightly where D = log pi(chosen) - log pi(rejected) >= 0. R is the log-ratio of the reference, the policy at
// the start is the reference.
//
// Source      Chen et al., Preference learning algorithms do not learn preference rankings, NeurIPS 2024 (arXiv 2405.19534),
//             theorem 4.1 (Dpo), proposition A.7 (Ipo). gamma and SimPo: the same steps, worked out here.
#pragma once

#include <rankgrad/preference/accuracy.hpp>
#include <rankgrad/preference/dpo.hpp>
#include <rankgrad/preference/ipo.hpp>
#include <rankgrad/preference/simpo.hpp>
#include <rankgrad/simd/scalar.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// Of one pair, as losses in the units of the loss, unweighted and without label smoothing.
struct PairDifficulty {
  double loss = 0;        ///< of the pair now
  double threshold = 0;   ///< the pair is ranked rightly where its loss is at most this
  double initial = 0;     ///< the loss where the policy is the reference

  double slack() const { return loss - threshold; }               ///< above 0: this much is missing
  double required_drop() const { return initial - threshold; }    ///< the reference ranks it wrongly where this is above 0
};

/// Ranked rightly if and only if the loss is at most softplus(beta gamma R): D >= 0 is h >= -beta gamma R. The initial loss is
/// log 2 for gamma = 1.
template <Real T>
PairDifficulty difficulty(const Dpo& loss, const PreferenceView<T>& view, std::size_t pair) {
  const double D = view.policy_ratio(pair), R = view.reference_ratio(pair);
  return {simd::softplus(-loss.beta * (D - loss.gamma * R)), simd::softplus(loss.beta * loss.gamma * R),
          simd::softplus(-loss.beta * (1 - loss.gamma) * R)};
}

/// A loss of at most (R + 1 / (2 tau))^2 is enough, if R >= -1 / (2 tau); below, a loss of 0 means the wrong order, and the
/// threshold is -1: no loss is enough. (Above the threshold the pair may still be right: the square also punishes D too large.)
template <Real T>
PairDifficulty difficulty(const Ipo& loss, const PreferenceView<T>& view, std::size_t pair) {
  const double D = view.policy_ratio(pair), R = view.reference_ratio(pair), m = loss.margin(), off = D - R - m;
  return {off * off, R >= -m ? (R + m) * (R + m) : -1, m * m};
}

/// Ranked rightly by log-probabilities per token if and only if the loss is at most softplus(margin). The initial loss is that
/// of the reference per token, softplus(margin) without a reference.
template <Real T>
PairDifficulty difficulty(const SimPo& loss, const PreferenceView<T>& view, std::size_t pair) {
  RANKGRAD_EXPECTS(pair < view.chosen_lengths.size() && pair < view.rejected_lengths.size(), "the pair has no lengths");
  double before = 0;
  if (!view.reference_chosen.empty())
    before = static_cast<double>(view.reference_chosen[pair]) / static_cast<double>(view.chosen_lengths[pair]) -
             static_cast<double>(view.reference_rejected[pair]) / static_cast<double>(view.rejected_lengths[pair]);
  return {simd::softplus(loss.margin - loss.beta * view.policy_ratio_per_token(pair)), simd::softplus(loss.margin),
          simd::softplus(loss.margin - loss.beta * before)};
}

}  // namespace rankgrad
