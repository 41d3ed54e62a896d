// rankgrad/auc/mann_whitney.hpp: the area under the ROC curve as a loss: every positive against every negative.
// SPDX-License-Identifier: MIT
//
// Read first: auc/classes.hpp; then auc/moments.hpp and auc/sweeps.hpp for the surrogates that avoid the pairs.
#pragma once

#include <rankgrad/auc/moments.hpp>
#include <rankgrad/auc/sweeps.hpp>
#include <rankgrad/core/combinators.hpp>
#include <rankgrad/pairwise/engine.hpp>
#include <rankgrad/pairwise/near_linear/logistic.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// What stands in for the step function 1[z < 0] of a scaled score difference z. m is the margin; logistic and
/// exponential have none, for they are never satisfied.
enum class Surrogate {
  logistic,        ///< log(1 + e^-z)
  hinge,           ///< max(0, m - z)
  squared_hinge,   ///< max(0, m - z)^2
  square,          ///< (m - z)^2, which also pulls back what is too far apart
  exponential      ///< e^-z
};

/// Mann-Whitney: the two-sample statistic behind the AUC, with a surrogate for its step.
///
///   L(s, y)   = (1 / AB) sum_{y_i > 0} sum_{y_k <= 0} a_i b_k phi(z_ik),   z_ik = (s_i - s_k) / tau
///   dL/ds_i   =  (1 / (AB tau)) a_i sum_k b_k phi'(z_ik)                   for a positive i
///   dL/ds_k   = -(1 / (AB tau)) b_k sum_i a_i phi'(z_ik)                   for a negative k
///   d2L/ds_i2 =  (1 / (AB tau^2)) a_i sum_k b_k phi''(z_ik),  likewise for k
///   with a, b the item weights of positives and negatives, A = sum a, B = sum b (AB is 1 for Normalize::sum).
///
/// Curvature   exact diagonal, >= 0; 0 for the hinge. The squared hinge away from its kinks.
/// Shapes      scores, labels [n]; weights [n] or empty, multiply pairs from both sides.
/// Units       logistic: nats. Of the score enters only its quotient with tau.
/// No signal   no positive or no negative of positive weight.
/// Cost        logistic: O(n) (pairwise/near_linear), short lists pair by pair. hinge, squared_hinge: O(n log n).
///             square, exponential: O(n).
/// Numerics    offsets common to all scores cost no digits. exponential: value and each derivative overflow only where
///             the true numbers do. A pair exactly at the margin is inactive in the hinges.
/// Parameters  temperature tau > 0. margin m >= 0, compared with z: of hinge, squared_hinge and square only. surrogate.
///             scope: list, or batch to pool the lists of a batch, so that positives also meet the negatives of other
///             lists: only then do scores become comparable between lists. normalize: mean over pairs (default) or sum.
/// Errors      a temperature or margin out of range, at the door. A NaN score shows in the value.
/// Source      arXiv 2510.00137 (logistic, scope batch; reconstructed from its abstract: whether its own batches use all
///             negatives or one set per positive, and its temperature, are not known). Square: Gao et al., One-pass AUC
///             optimization, ICML 2013. Hinges: see auc/sweeps.hpp. Exponential: Freund et al., RankBoost, JMLR 2003.
struct MannWhitney {
  static constexpr std::string_view name = "mann_whitney";
  static constexpr Curvature curvature = Curvature::diagonal;

  double temperature = 1;
  double margin = 1;
  Surrogate surrogate = Surrogate::logistic;
  Scope scope = Scope::list;
  Normalize normalize = Normalize::mean;

  Status check() const {
    if (Status status = check_parameter("MannWhitney.temperature", temperature, 0); !status) return status;
    return check_parameter("MannWhitney.margin", margin, 0, true);
  }

  template <Real T>
  Contribution<T> value_and_gradient(ListView<T> list, GradientSink<T> out, Workspace& workspace) const {
    const std::size_t n = checked_size(list);
    const auto frame = workspace.frame();
    if (surrogate == Surrogate::logistic) {
      using namespace pairwise;
      if (const auto near =
              near_linear::logistic(list, 1 / temperature, near_linear::Target::two_classes, normalize, out, workspace))
        return *near;
      T* positive = workspace.take<T>(n);
      for (std::size_t i = 0; i < n; ++i) positive[i] = list.labels[i] > T(0) ? T(1) : T(0);
      return logistic_pairs(Logistic{1 / temperature, 0}, normalize, list, positive, out, workspace);
    }
    if (surrogate == Surrogate::hinge) return auc::hinge_sweep<false>(list, margin, temperature, normalize, out, workspace);
    if (surrogate == Surrogate::squared_hinge)
      return auc::hinge_sweep<true>(list, margin, temperature, normalize, out, workspace);
    if (surrogate == Surrogate::square) return auc::square(list, temperature, margin, true, normalize, out);
    return auc::exponential(list, temperature, normalize, out, workspace);
  }

  /// phi(0): what a tied pair costs.
  double at_tie() const {
    switch (surrogate) {
      case Surrogate::logistic: return 0.69314718055994530942;   // log 2
      case Surrogate::hinge: return margin;
      case Surrogate::exponential: return 1;
      default: return margin * margin;
    }
  }
};

/// An upper bound of the area over the ROC curve, 1 - AUC, from the mean that the loss returned: a pair in the wrong
/// order or tied costs at least phi(0), so 1 - AUC <= L / phi(0); for the logistic, L / log 2. Ties count half in the
/// AUC and in full in the bound. Infinite where phi(0) = 0 (margin 0). It holds for every temperature.
inline double area_over_curve_bound(const MannWhitney& loss, double mean) {
  return loss.at_tie() > 0 ? mean / loss.at_tie() : std::numeric_limits<double>::infinity();
}

}  // namespace rankgrad
