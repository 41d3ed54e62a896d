// rankgrad/preference/simpo.hpp: simple preference optimisation: log-probabilities per token, a margin, no reference.
// SPDX-License-Identifier: MIT
//
// Read first: preference/preference_view.hpp, preference/engine.hpp.
#pragma once

#include <rankgrad/preference/engine.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// SimPO: the mean log-probability of a token as the reward of an answer.
///
///   L      = (1/W) sum_i w_i [ (1 - e) softplus(-h_i) + e softplus(h_i) ]
///   h      = beta (log pi(chosen) / n_chosen - log pi(rejected) / n_rejected) - margin
///   dL/dlog pi(chosen)   =  (w/W) (beta / n_chosen)   (e s(h) - (1 - e) s(-h))
///   dL/dlog pi(rejected) = -(w/W) (beta / n_rejected) (e s(h) - (1 - e) s(-h))
///   curvature               (w/W) (beta / n)^2 s(h) s(-h)              s(x) = 1 / (1 + e^-x)
///
/// Curvature   exact diagonal, >= 0.
/// Shapes      gradient [2 m], chosen first. Reference log-probabilities are not looked at.
/// No signal   no pair, or no weight.
/// Cost        O(m), one exp per pair, no scratch.
/// Parameters  beta > 0, 2 by default. margin >= 0, 1 by default: gamma of the paper, in units of h; margin / beta between 0.3
///             and 0.5 in its experiments. label_smoothing e in [0, 1/2].
/// Errors      no lengths, at the door.
/// Source      Meng, Xia, Chen, SimPO: simple preference optimization with a reference-free reward, NeurIPS 2024 (arXiv
///             2405.14734), eq. (6).
struct SimPo {
  static constexpr std::string_view name = "simpo";
  static constexpr Curvature curvature = Curvature::diagonal;
  template <Real T>
  using View = PreferenceView<T>;

  double beta = 2;
  double margin = 1;
  double label_smoothing = 0;
  Normalize normalize = Normalize::mean;

  Status check() const {
    if (Status status = check_parameter("SimPo.margin", margin, 0, true); !status) return status;
    return preference::check_logistic(beta, label_smoothing);
  }
  template <class V>
  Status check_input(const V& view) const {
    if (view.size() == 0 || !view.chosen_lengths.empty()) return {};
    return Status::error("rankgrad: SimPo needs chosen_lengths and rejected_lengths, the tokens of each answer");
  }

  template <Real T>
  Contribution<T> value_and_gradient(PreferenceView<T> view, GradientSink<T> out, Workspace&) const {
    const preference::SmoothedLogistic phi{beta, margin / beta, label_smoothing};
    return preference::sum_over_pairs(phi, 0, true, normalize, view, out);
  }
};

}  // namespace rankgrad
