// rankgrad/pairwise/ranknet.hpp: the logistic loss of score differences.
// SPDX-License-Identifier: MIT
//
// Read first: pairwise/engine.hpp.
#pragma once

#include <rankgrad/pairwise/engine.hpp>
#include <rankgrad/pairwise/near_linear/logistic.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

namespace pairwise {
/// The logistic loss of every pair with y_i > y_j, on whichever way is predicted to be the fastest.
template <Real T>
Contribution<T> logistic_pairs(double sigma, Normalize normalize, const ListView<T>& list, const GradientSink<T>& out,
                               Workspace& workspace) {
  checked_size(list);
  if (const auto near = near_linear::logistic(list, sigma, near_linear::Target::graded, normalize, out, workspace)) return *near;
  return comparable_pairs(Logistic{sigma}, normalize, list, out, workspace);
}
}  // namespace pairwise

/// RankNet: cross-entropy of "i is above j" for every pair with y_i > y_j.
///
///   L(s, y)      = (1/W) sum_{y_i > y_j} w_i w_j softplus(-sigma (s_i - s_j))
///   dL/ds_i      = (1/W) [ -sum_{y_i > y_j} w_i w_j sigma s(-sigma d_ij) + sum_{y_j > y_i} w_i w_j sigma s(-sigma d_ji) ]
///   d2L/ds_i2    = (1/W) sum over both kinds of pairs of w_i w_j sigma^2 s(sigma d) s(-sigma d)
///   with d_ij = s_i - s_j, s(x) = 1 / (1 + e^-x), W = sum of w_i w_j over the pairs (1 for Normalize::sum).
///
/// Curvature   exact diagonal, >= 0. The full Hessian is a graph Laplacian: H <= 2 diag(H).
/// Shapes      scores, labels [n]; weights [n] or empty, multiply pairs from both sides.
/// Units       nats; nats per unit of score.
/// No signal   no two labels differ, or every comparable pair has weight 0.
/// Cost        O(n) for each grade (pairwise/near_linear) where labels are whole numbers within a range of 32; O(n^2), one
///             exp per pair, for short lists and other labels. O(n) scratch.
/// Numerics    any finite scores; tests/properties hold it to the long-double definition.
/// Parameters  sigma > 0: steepness, 1 / temperature. normalize: mean over pairs (default) or sum.
/// Source      Burges et al., Learning to rank using gradient descent, ICML 2005, eq. (3) with target probability 1.
struct RankNet {
  static constexpr std::string_view name = "ranknet";
  static constexpr Curvature curvature = Curvature::diagonal;

  double sigma = 1;
  Normalize normalize = Normalize::mean;

  pairwise::Logistic phi() const { return {sigma}; }
  Status check() const { return check_parameter("RankNet.sigma", sigma, 0); }

  template <Real T>
  Contribution<T> value_and_gradient(ListView<T> list, GradientSink<T> out, Workspace& workspace) const {
    return pairwise::logistic_pairs(sigma, normalize, list, out, workspace);
  }
};

}  // namespace rankgrad
