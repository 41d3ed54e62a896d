// rankgrad/bradley_terry/bradley_terry.hpp: the logistic model of comparisons.
// SPDX-License-Identifier: MIT
//
// Read first: bradley_terry/engine.hpp.
#pragma once

#include <rankgrad/bradley_terry/engine.hpp>

#include <cmath>

namespace rankgrad::inline RANKGRAD_ABI {

namespace bradley_terry {

/// phi = A softplus(m - d) + B softplus(m + d), where the outcome says how much of A and B there is:
///   A = own first + other second + both tie,  B = other first + own second + both tie.
struct MarginLogistic {
  double margin, own, other, both;

  template <class T>
  OutcomeTerm<T> operator()(Pack<T> d, const OutcomePacks<T>& o) const {
    const Pack<T> m = Pack<T>(T(margin)), mine = Pack<T>(T(own)), theirs = Pack<T>(T(other)), tie = Pack<T>(T(both)) * o.tie;
    const Pack<T> a = mine * o.first + theirs * o.second + tie, b = theirs * o.first + mine * o.second + tie;
    const auto up = simd::softplus_sigmoid<T>(m - d);
    // Without a margin one serves both: softplus(d) = softplus(-d) + d, and s(d) = 1 - s(-d), without their cancellations.
    const auto down = margin == 0 ? simd::SoftplusSigmoid<T>{up.other_softplus, up.other, up.sigmoid, up.softplus}
                                  : simd::softplus_sigmoid<T>(m + d);
    return {a * up.softplus + b * down.softplus, b * down.sigmoid - a * up.sigmoid,
            a * (up.sigmoid * up.other) + b * (down.sigmoid * down.other), Pack<T>(T(0))};
  }
};

}  // namespace bradley_terry

/// Bradley-Terry: the first beats the second with probability s(s_first - s_second).
///
///   L          = (1/W) sum_c w_c [ first: f(d_c), second: f(-d_c), tie: (f(d_c) + f(-d_c)) / 2 ]
///   f(d)       = (1 - e) softplus(m - d) + e softplus(m + d)              d_c = s_first - s_second
///   f'(d)      = -(1 - e) s(m - d) + e s(m + d)                           goes to s_first, and with - to s_second
///   d2L/ds_i2  = (1/W) sum of w_c f''(d_c) over the comparisons of i, f''(d) = (1 - e) s(m - d) s(d - m) + e s(m + d) s(-m - d)
///   with s(x) = 1 / (1 + e^-x), W = sum_c w_c (1 for Normalize::sum).
///
/// Curvature   exact diagonal, >= 0. The full Hessian is a graph Laplacian: H <= 2 diag(H).
/// Ties        count as half a win of each, as in Elo ratings: the model has no probability for them. For one that has:
///             RaoKupper, Davidson. Soft outcomes mix f(d) and f(-d) in the same way.
/// Shapes      scores [n]; first, second, outcome [m]. See bradley_terry/comparisons.hpp.
/// Units       nats; nats per unit of score.
/// No signal   there is no comparison, or all weights are 0.
/// Cost        O(m + n) time, one exp a comparison, two with a margin, 16 n bytes of scratch.
/// Numerics    any scores whose differences are finite.
/// Parameters  margin m >= 0, subtracted on both sides, also of the smoothed part, as the source does. label_smoothing e in
///             [0, 1/2]. normalize: mean over comparisons (default) or sum.
/// Errors      contract: places within the scores, first != second, soft outcomes add up to 1.
/// Source      Bradley, Terry, Biometrika 39, 1952; margin and smoothing as the reward trainer of SoliReward
///             (arXiv 2512.22170).
struct BradleyTerry {
  static constexpr std::string_view name = "bradley_terry";
  static constexpr Curvature curvature = Curvature::diagonal;
  template <Real T>
  using View = ComparisonView<T>;

  double margin = 0;
  double label_smoothing = 0;
  Normalize normalize = Normalize::mean;

  bradley_terry::MarginLogistic phi() const { return {margin, 1 - label_smoothing, label_smoothing, 0.5}; }
  Status check() const {
    if (Status status = check_parameter("BradleyTerry.margin", margin, 0, true); !status) return status;
    return check_parameter_between("BradleyTerry.label_smoothing", label_smoothing, 0, 0.5);
  }

  /// What the model says of a score difference; it knows no ties.
  OutcomeProbabilities probabilities(double d) const { return {simd::sigmoid(d), simd::sigmoid(-d), 0}; }

  template <Real T>
  Contribution<T> value_and_gradient(ComparisonView<T> view, GradientSink<T> out, Workspace& workspace) const {
    return bradley_terry::sum_over_comparisons<T>(phi(), normalize, view, out, nullptr, workspace);
  }
};

}  // namespace rankgrad
