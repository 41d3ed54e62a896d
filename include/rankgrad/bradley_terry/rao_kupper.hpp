// rankgrad/bradley_terry/rao_kupper.hpp: comparisons with ties, where small differences go unnoticed.
// SPDX-License-Identifier: MIT
//
// Read first: bradley_terry/bradley_terry.hpp.
#pragma once

#include <rankgrad/bradley_terry/bradley_terry.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

namespace bradley_terry {

/// All parts are >= 0, nothing cancels: softplus(eta - d) + softplus(eta + d) - log(e^{2 eta} - 1) is rewritten with
/// softplus(x) = x + softplus(-x) as softplus(d - eta) + softplus(-d - eta) - log(1 - e^{-2 eta}).
struct Threshold {
  double eta, sure, sure_slope;   ///< sure = -log(1 - e^{-2 eta}), and minus its derivative

  explicit Threshold(double border)
      : eta(border),
        sure(2 * border < 0.7 ? -std::log(-std::expm1(-2 * border)) : -std::log1p(-std::exp(-2 * border))),
        sure_slope(2 / std::expm1(2 * border)) {}

  template <class T>
  OutcomeTerm<T> operator()(Pack<T> d, const OutcomePacks<T>& o) const {
    const Pack<T> border = Pack<T>(T(eta)), constant = Pack<T>(T(sure)), constant_slope = Pack<T>(T(sure_slope));
    const auto above = simd::softplus_sigmoid<T>(d - border), below = simd::softplus_sigmoid<T>(-d - border);
    const Pack<T> lost_first = simd::softplus_sigmoid<T>(border - d).softplus;
    const Pack<T> lost_second = simd::softplus_sigmoid<T>(border + d).softplus;
    return {o.first * lost_first + o.second * lost_second + o.tie * (above.softplus + below.softplus + constant),
            o.second * below.other - o.first * above.other + o.tie * (above.sigmoid - below.sigmoid),
            (o.first + o.tie) * (above.sigmoid * above.other) + (o.second + o.tie) * (below.sigmoid * below.other),
            o.first * above.other + o.second * below.other - o.tie * (above.sigmoid + below.sigmoid + constant_slope)};
  }
};

}  // namespace bradley_terry

/// Rao-Kupper: the judge sees a difference only beyond a threshold eta, otherwise there is a tie.
///
///   P(first)   = s(d - eta),  P(second) = s(-d - eta),  P(tie) = (e^{2 eta} - 1) s(d - eta) s(-d - eta)
///   L          = -(1/W) sum_c w_c log P(outcome of c)                      d = s_first - s_second
///   dL/dd      = first: -A,  second: B,  tie: B - A                        A = s(eta - d), B = s(eta + d)
///   dL/deta    = first: A,   second: B,  tie: A + B - 2 / (1 - e^{-2 eta})
///   d2L/dd2    = first: A (1 - A),  second: B (1 - B),  tie: both
///   with s(x) = 1 / (1 + e^-x), W = sum_c w_c (1 for Normalize::sum). dL/dd goes to s_first, and with - to s_second.
///
/// Curvature   exact diagonal in the scores, >= 0.
/// Outcomes    hard or soft; soft ones mix the three.
/// Ties        P(tie) at d = 0 is tanh(eta / 2); far out its odds fall as e^-|d| (Davidson: e^{-|d|/2}).
/// Shapes, units, no signal, errors: as BradleyTerry.
/// Cost        as BradleyTerry, with two exps a comparison.
/// Numerics    relative accuracy also where an outcome is all but certain; P(tie) is never formed by a difference.
/// Parameters  eta > 0: at 0 ties have probability 0. To fit it, let eta = softplus(rho) + 1e-6 and use the
///             value_and_gradient() with a fourth argument for dL/deta. normalize: mean over comparisons (default) or sum.
/// Source      Rao, Kupper, Ties in paired-comparison experiments, JASA 62, 1967, with theta = e^eta.
struct RaoKupper {
  static constexpr std::string_view name = "rao_kupper";
  static constexpr Curvature curvature = Curvature::diagonal;
  template <Real T>
  using View = ComparisonView<T>;

  double eta = 1;
  Normalize normalize = Normalize::mean;

  bradley_terry::Threshold phi() const { return bradley_terry::Threshold(eta); }
  Status check() const { return check_parameter("RaoKupper.eta", eta, 0); }

  OutcomeProbabilities probabilities(double d) const {
    const double first = simd::sigmoid(d - eta), second = simd::sigmoid(-d - eta);
    // 1 - first - second without the cancellation: (1 - e^{-2 eta}) s(eta - d) s(eta + d).
    return {first, second, -std::expm1(-2 * eta) * simd::sigmoid(eta - d) * simd::sigmoid(eta + d)};
  }

  template <Real T>
  Contribution<T> value_and_gradient(ComparisonView<T> view, GradientSink<T> out, Workspace& workspace) const {
    return bradley_terry::sum_over_comparisons<T>(phi(), normalize, view, out, nullptr, workspace);
  }
  /// Also adds scale * dL/deta to `tie_slope`.
  template <Real T>
  Contribution<T> value_and_gradient(ComparisonView<T> view, GradientSink<T> out, T& tie_slope, Workspace& workspace) const {
    return bradley_terry::sum_over_comparisons<T>(phi(), normalize, view, out, &tie_slope, workspace);
  }
};

}  // namespace rankgrad
