// rankgrad/bradley_terry/win_tie.hpp: Bradley-Terry with a margin for wins and a form of its own for ties.
// SPDX-License-Identifier: MIT
//
// Read first: bradley_terry/bradley_terry.hpp.
#pragma once

#include <rankgrad/bradley_terry/bradley_terry.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

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
