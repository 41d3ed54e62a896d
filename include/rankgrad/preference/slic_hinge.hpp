// rankgrad/preference/slic_hinge.hpp: sequence likelihood calibration: a hinge on the log-ratio.
// SPDX-License-Identifier: MIT
//
// Read first: preference/preference_view.hpp, preference/engine.hpp.
#pragma once

#include <rankgrad/preference/engine.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// SLiC hinge: a pair costs nothing once its scaled log-ratio reaches 1.
///
///   L      = (1/W) sum_i w_i max(0, 1 - h_i),   h = beta (D - gamma R)   as in Dpo
///   dL/dlog pi(chosen) = -(w/W) beta where h < 1, else 0;   minus this for the rejected answer
///
/// Curvature   exact diagonal away from the kink: 0.
/// Shapes      gradient [2 m], chosen first. Reference log-probabilities are constants; without them R = 0.
/// No signal   no pair, or no weight.
/// Cost        O(m), no scratch.
/// Parameters  beta > 0: 1 / beta is the margin in nats. gamma >= 0: how much of the reference counts; the rank calibration of
///             the source has none, delta = 1 / beta, and is this divided by beta.
/// Source      Zhao et al., SLiC-HF: sequence likelihood calibration with human feedback, 2023 (arXiv 2305.10425).
struct SlicHinge {
  static constexpr std::string_view name = "slic_hinge";
  static constexpr Curvature curvature = Curvature::diagonal;
  template <Real T>
  using View = PreferenceView<T>;

  double beta = 0.1;
  double gamma = 1;
  Normalize normalize = Normalize::mean;

  Status check() const {
    if (Status status = check_parameter("SlicHinge.gamma", gamma, 0, true); !status) return status;
    return check_parameter("SlicHinge.beta", beta, 0);
  }

  template <Real T>
  Contribution<T> value_and_gradient(PreferenceView<T> view, GradientSink<T> out, Workspace&) const {
    return preference::sum_over_pairs(preference::UnitHinge{beta}, gamma, false, normalize, view, out);
  }
};

}  // namespace rankgrad
