// rankgrad/preference/ipo.hpp: identity preference optimisation: a square that stops pushing at a margin.
// SPDX-License-Identifier: MIT
//
// Read first: preference/preference_view.hpp, preference/engine.hpp.
#pragma once

#include <rankgrad/preference/engine.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// IPO: the log-ratio of the policy is to exceed that of the reference by 1 / (2 tau), no less and no more.
///
///   L      = (1/W) sum_i w_i (D_i - R_i - 1 / (2 tau))^2     D, R the log-ratios of policy and reference as in Dpo
///   dL/dlog pi(chosen) = 2 (w/W) (D - R - 1 / (2 tau)),      minus this for the rejected answer;    curvature 2 w/W
///
/// Curvature   exact diagonal, >= 0.
/// Shapes      gradient [2 m], chosen first. Reference log-probabilities are constants; without them R = 0.
/// No signal   no pair, or no weight.
/// Cost        O(m), no scratch.
/// Parameters  tau > 0, 0.1 by default: the strength of the pull to the reference.
/// Source      Azar et al., A general theoretical paradigm to understand learning from human preferences, AISTATS 2024, eq. (17).
struct Ipo {
  static constexpr std::string_view name = "ipo";
  static constexpr Curvature curvature = Curvature::diagonal;
  template <Real T>
  using View = PreferenceView<T>;

  double tau = 0.1;
  Normalize normalize = Normalize::mean;

  Status check() const { return check_parameter("Ipo.tau", tau, 0); }

  template <Real T>
  Contribution<T> value_and_gradient(PreferenceView<T> view, GradientSink<T> out, Workspace&) const {
    return preference::sum_over_pairs(pairwise::Square{margin()}, 1, false, normalize, view, out);
  }

  double margin() const { return 1 / (2 * tau); }
};

}  // namespace rankgrad
