// rankgrad/preference/dpo.hpp: direct preference optimisation, with a reference that counts in part and with smoothed labels.
// SPDX-License-Identifier: MIT
//
// Read first: preference/preference_view.hpp, preference/engine.hpp.
#pragma once

#include <rankgrad/preference/engine.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// DPO: the Bradley-Terry likelihood of the preferences, with beta log(policy / reference) as the reward of an answer.
///
///   L        = (1/W) sum_i w_i [ (1 - e) softplus(-h_i) + e softplus(h_i) ]
///   h        = beta (D - gamma R),   D = log pi(chosen) - log pi(rejected),   R the same under the reference
///   dL/dlog pi(chosen)   =  (w/W) beta (e s(h) - (1 - e) s(-h)),   minus this for the rejected answer
///   d2L/d(log pi)^2      =  (w/W) beta^2 s(h) s(-h),  for either      s(x) = 1 / (1 + e^-x), W = sum w (1 for Normalize::sum)
///
/// Curvature   exact diagonal, >= 0.
/// Shapes      gradient [2 m], chosen first. Reference log-probabilities are constants; without them R = 0.
/// Units       nats.
/// No signal   no pair, or no weight.
/// Cost        O(m), one exp per pair, no scratch.
/// Parameters  beta > 0, 0.1 in the paper's experiments. gamma >= 0: how much of the reference counts; 1 is DPO, 0 is
///             reference-free. label_smoothing e in [0, 1/2]: the share of labels taken for wrong (cDPO); 0 is DPO.
/// Source      Rafailov et al., Direct preference optimization: your language model is secretly a reward model, NeurIPS 2023,
///             eq. (7). gamma: Chen et al., Preference learning algorithms do not learn preference rankings, NeurIPS 2024
///             (arXiv 2405.19534), eq. (4). Smoothing: Mitchell, A note on DPO with noisy preferences, 2023.
struct Dpo {
  static constexpr std::string_view name = "dpo";
  static constexpr Curvature curvature = Curvature::diagonal;
  template <Real T>
  using View = PreferenceView<T>;

  double beta = 0.1;
  double gamma = 1;
  double label_smoothing = 0;
  Normalize normalize = Normalize::mean;

  Status check() const {
    if (Status status = check_parameter("Dpo.gamma", gamma, 0, true); !status) return status;
    return preference::check_logistic(beta, label_smoothing);
  }

  template <Real T>
  Contribution<T> value_and_gradient(PreferenceView<T> view, GradientSink<T> out, Workspace&) const {
    return preference::sum_over_pairs(preference::SmoothedLogistic{beta, 0, label_smoothing}, gamma, false, normalize, view, out);
  }
};

}  // namespace rankgrad
