// rankgrad/auc/auc_margin.hpp: the AUC-margin loss: tight classes, means a margin apart; O(n).
// SPDX-License-Identifier: MIT
//
// Read first: auc/moments.hpp.
#pragma once

#include <rankgrad/auc/moments.hpp>
#include <rankgrad/core/combinators.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// AUC margin: the square surrogate of the AUC that stops pushing once the class means are a margin apart.
///
///   L(s, y)   = V+ + V- + max(0, e)^2,   e = m - mu+ + mu-
///   dL/ds_i   = (2 a_i / A) (z_i - mu+ - max(0, e)) / tau          for a positive i
///   dL/ds_k   = (2 b_k / B) (z_k - mu- + max(0, e)) / tau          for a negative k
///   d2L/ds_i2 = (2 a_i / A) / tau^2 where e > 0, else (2 a_i / A) (1 - a_i / A) / tau^2,   likewise for k
///   with z = s / tau, mu and V the weighted means and population variances of z in each class, A = sum a, B = sum b.
///   The minimum over both means and the maximum over alpha >= 0 of the min-max form are taken in closed form.
///
/// Curvature   exact diagonal away from e = 0, >= 0.
/// Shapes      scores, labels [n], positive means label > 0; weights [n] or empty.
/// Units       squared scores over tau^2.
/// No signal   no positive or no negative of positive weight.
/// Cost        O(n) time, no scratch.
/// Numerics    offsets common to all scores cost no digits.
/// Parameters  margin m >= 0, in units of tau. temperature tau > 0. scope: see MannWhitney.
/// Errors      a parameter out of range, at the door. A NaN score shows in the value.
/// Source      Yuan, Yan, Sonka, Yang, Large-scale robust deep AUC maximization, ICCV 2021, with the
///             inner problem solved; class means in place of terms weighted by the class prior p.
struct AucMargin {
  static constexpr std::string_view name = "auc_margin";
  static constexpr Curvature curvature = Curvature::diagonal;

  double margin = 1;
  double temperature = 1;
  Scope scope = Scope::list;

  Status check() const {
    if (Status status = check_parameter("AucMargin.margin", margin, 0, true); !status) return status;
    return check_parameter("AucMargin.temperature", temperature, 0);
  }

  template <Real T>
  Contribution<T> value_and_gradient(ListView<T> list, GradientSink<T> out, Workspace&) const {
    checked_size(list);
    return auc::square(list, temperature, margin, false, Normalize::mean, out);
  }
};

}  // namespace rankgrad
