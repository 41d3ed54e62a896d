// rankgrad/bradley_terry/bradley_terry.hpp: the logistic model of comparisons, and its form with wins and ties.
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
    const auto up = simd::softplus_sigmoid<T>(m - d), down = simd::softplus_sigmoid<T>(m + d);
    return {a * up.softplus + b * down.softplus, b * down.sigmoid - a * up.sigmoid,
            a * (up.sigmoid * up.other) + b * (down.sigmoid * down.other), Pack<T>(T(0))};
  }
};

/// s(x) = 1 / (1 + e^-x) of one number.
inline double sigmoid(double x) { return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x)); }

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
/// Cost        O(m + n) time, two exps a comparison, 16 n bytes of scratch.
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
  OutcomeProbabilities probabilities(double d) const { return {bradley_terry::sigmoid(d), bradley_terry::sigmoid(-d), 0}; }

  template <Real T>
  Contribution<T> value_and_gradient(ComparisonView<T> view, GradientSink<T> out, Workspace& workspace) const {
    return bradley_terry::sum_over_comparisons<T>(phi(), normalize, view, out, nullptr, workspace);
  }
};

/// Bradley-Terry for wins, with a margin, and its tie form for ties: tied items are pulled to within the margin.
///
///   L          = (1/W) sum_c w_c [ first: c_win f(d_c), second: c_win f(-d_c), tie: c_tie g(d_c) ]
///   f(d)       = (1 - e) softplus(m - d) + e softplus(m + d)
///   g(d)       = softplus(m - d) + softplus(m + d)
///   g'(d)      = s(d + m) - s(m - d) = sinh(d) / (cosh(d) + cosh(m))      f'(d), W, d_c as BradleyTerry
///   g''(d)     = s(m - d) s(d - m) + s(m + d) s(-m - d)
///
/// Curvature   exact diagonal, >= 0.
/// Ties        g is smallest at d = 0, with 2 softplus(m); for large m it is flat for |d| < m and has slope +-1 beyond. It
///             is the RaoKupper tie loss with eta = m, less the constant -log(e^{2m} - 1).
/// Parameters  margin m > 0. At 0 a tie has probability 0 under that likelihood; the ties of BradleyTerry are what is left
///             of g then. The default 3 is the source's recipe for training with ties (its configuration file has 0, with
///             the tie loss off). label_smoothing e in [0, 1/2], of wins only. win_weight c_win, tie_weight c_tie >= 0: 1
///             and 1 in the source. normalize: mean over all comparisons, wins and ties together, or sum.
/// Not here    the source's optional cross-entropy of each item's own label: it looks at items, not at comparisons. Run
///             SigmoidCrossEntropy on a ListView of the same scores and add both gradients.
/// Everything else as BradleyTerry.
/// Source      SoliReward (arXiv 2512.22170) and its code.
struct WinTieBradleyTerry {
  static constexpr std::string_view name = "win_tie_bradley_terry";
  static constexpr Curvature curvature = Curvature::diagonal;
  template <Real T>
  using View = ComparisonView<T>;

  double margin = 3;
  double label_smoothing = 0;
  double win_weight = 1;
  double tie_weight = 1;
  Normalize normalize = Normalize::mean;

  bradley_terry::MarginLogistic phi() const {
    return {margin, win_weight * (1 - label_smoothing), win_weight * label_smoothing, tie_weight};
  }
  Status check() const {
    if (Status status = check_parameter("WinTieBradleyTerry.margin", margin, 0); !status) return status;
    if (Status status = check_parameter("WinTieBradleyTerry.win_weight", win_weight, 0, true); !status) return status;
    if (Status status = check_parameter("WinTieBradleyTerry.tie_weight", tie_weight, 0, true); !status) return status;
    return check_parameter_between("WinTieBradleyTerry.label_smoothing", label_smoothing, 0, 0.5);
  }

  template <Real T>
  Contribution<T> value_and_gradient(ComparisonView<T> view, GradientSink<T> out, Workspace& workspace) const {
    return bradley_terry::sum_over_comparisons<T>(phi(), normalize, view, out, nullptr, workspace);
  }
};

}  // namespace rankgrad
