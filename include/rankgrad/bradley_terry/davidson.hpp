// rankgrad/bradley_terry/davidson.hpp: comparisons with ties, where a tie is a third outcome with a strength of its own.
// SPDX-License-Identifier: MIT
//
// Read first: bradley_terry/bradley_terry.hpp.
#pragma once

#include <rankgrad/bradley_terry/bradley_terry.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

namespace bradley_terry {

/// Softmax over (d/2, -d/2, kappa), from the exponentials of the two that are not the highest: with a = |d| / 2,
///   top = max(a, kappa),  near = e^{-|a - kappa|},  far = e^{-a - top},  log sum = top + log(1 + near + far).
struct ThreeWay {
  double kappa;

  template <class T>
  OutcomeTerm<T> operator()(Pack<T> d, const OutcomePacks<T>& o) const {
    using namespace simd;
    const Pack<T> zero(T(0)), one(T(1)), half(T(0.5)), k = Pack<T>(T(kappa));
    const Pack<T> a = half * abs(d), minus_half = -half * d;
    const auto decided = a >= k, first_ahead = d > zero;
    const Pack<T> top = select(decided, a, k), near = exp_nonpositive<T>(-abs(a - k)), far = exp_nonpositive<T>(-a - top);
    const Pack<T> scale = one / (one + near + far);
    const Pack<T> ahead = scale * select(decided, one, near), behind = scale * far, tie = scale * select(decided, near, one);
    const Pack<T> first = select(first_ahead, ahead, behind), second = select(first_ahead, behind, ahead);

    // log(1 + x) for 0 <= x <= 2; beyond 1 it is log 2 + log(1 + (x - 1) / 2).
    const Pack<T> x = near + far;
    const auto beyond = x > one;
    const Pack<T> log_sum =
        log1p_unit<T>(select(beyond, half * (x - one), x)) + select(beyond, Pack<T>(T(0.69314718055994530942)), zero);

    // 1 - p of one outcome is the sum of the other two, so that no slope is the small difference of two numbers near 1.
    return {o.first * (top + minus_half) + o.second * (top - minus_half) + o.tie * (top - k) +
                log_sum * (o.first + o.second + o.tie),
            half * (o.second * (first + first + tie) - o.first * (second + second + tie) + o.tie * (first - second)),
            half * half * (o.first + o.second + o.tie) * (Pack<T>(T(4)) * (first * second) + tie * (first + second)),
            (o.first + o.second) * tie - o.tie * (first + second)};
  }
};

}  // namespace bradley_terry

/// Davidson: wins and ties in proportion e^{d/2} : e^{-d/2} : nu, with tie strength nu = e^kappa.
///
///   (P(first), P(second), P(tie)) = softmax(d/2, -d/2, kappa)              d = s_first - s_second
///   L          = -(1/W) sum_c w_c log P(outcome of c)
///   dL/dd      = ((P(first) - first) - (P(second) - second)) / 2           first, second, tie: the outcome, 0 or 1 or soft
///   dL/dkappa  = P(tie) - tie
///   d2L/dd2    = P(first) P(second) + P(tie) (P(first) + P(second)) / 4
///   with W = sum_c w_c (1 for Normalize::sum). dL/dd goes to s_first, and with - to s_second.
///
/// Curvature   exact diagonal in the scores, >= 0.
/// Outcomes    hard or soft; soft ones mix the three.
/// Ties        P(tie) at d = 0 is nu / (2 + nu); far out its odds fall as e^{-|d|/2} (RaoKupper: e^-|d|). As kappa falls
///             to -infinity, wins become those of BradleyTerry.
/// Shapes, units, no signal, errors: as BradleyTerry.
/// Cost        as BradleyTerry, with two exps a comparison.
/// Parameters  kappa: any finite number, so that it can be fitted as it is: the value_and_gradient() with a fourth
///             argument gives dL/dkappa. normalize: mean over comparisons (default) or sum.
/// Source      Davidson, On extending the Bradley-Terry model to accommodate ties in paired comparison experiments, JASA 65,
///             1970.
struct Davidson {
  static constexpr std::string_view name = "davidson";
  static constexpr Curvature curvature = Curvature::diagonal;
  template <Real T>
  using View = ComparisonView<T>;

  double kappa = 0;
  Normalize normalize = Normalize::mean;

  bradley_terry::ThreeWay phi() const { return {kappa}; }
  Status check() const {
    return is_finite(kappa) ? Status{} : Status::error("rankgrad: Davidson.kappa is %g; it must be finite", kappa);
  }

  OutcomeProbabilities probabilities(double d) const {
    const double top = std::max(std::abs(d) / 2, kappa);
    const double first = std::exp(d / 2 - top), second = std::exp(-d / 2 - top), tie = std::exp(kappa - top);
    const double sum = first + second + tie;
    return {first / sum, second / sum, tie / sum};
  }

  template <Real T>
  Contribution<T> value_and_gradient(ComparisonView<T> view, GradientSink<T> out, Workspace& workspace) const {
    return bradley_terry::sum_over_comparisons<T>(phi(), normalize, view, out, nullptr, workspace);
  }
  /// Also adds scale * dL/dkappa to `tie_slope`.
  template <Real T>
  Contribution<T> value_and_gradient(ComparisonView<T> view, GradientSink<T> out, T& tie_slope, Workspace& workspace) const {
    return bradley_terry::sum_over_comparisons<T>(phi(), normalize, view, out, &tie_slope, workspace);
  }
};

}  // namespace rankgrad
