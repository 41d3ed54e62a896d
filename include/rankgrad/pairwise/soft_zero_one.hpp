// rankgrad/pairwise/soft_zero_one.hpp: the share of pairs in the wrong order, with a sigmoid for its step.
// SPDX-License-Identifier: MIT
//
// Read first: pairwise/engine.hpp.
#pragma once

#include <rankgrad/pairwise/engine.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// Soft zero-one loss: the probability that a pair is in the wrong order.
///
///   L(s, y)   = (1/W) sum_{y_i > y_j} w_i w_j u_ij,   u_ij = s(-sigma (s_i - s_j)),   s(x) = 1 / (1 + e^-x)
///   dL/ds_i   = (sigma/W) [ -sum_{y_i > y_j} w_i w_j u_ij (1 - u_ij) + sum_{y_j > y_i} w_i w_j u_ji (1 - u_ji) ]
///   h_i       = (sigma^2/W) sum over both kinds of pairs of w_i w_j u (1 - u)
///
/// Curvature   a bound: the loss is not convex in the scores.
/// Units       probability: every term lies in [0, 1]. As sigma grows, the mean goes to 1 - AUC over all grades (ties: half).
/// Cost        O(n^2), without an exp per pair where the scores allow it; O(n) scratch.
/// Parameters  sigma > 0: steepness. normalize: mean over pairs (default) or sum. With sigma = 1 it is PairwiseSoftmax over
///             each negative.
/// Shapes, weights, no signal: as RankNet.
/// Source      Guo et al., A deep look into neural ranking models for information retrieval, IPM 2020, pairwise objectives.
struct PairwiseSoftZeroOne {
  static constexpr std::string_view name = "pairwise_soft_zero_one";
  static constexpr Curvature curvature = Curvature::bound;

  double sigma = 1;
  Normalize normalize = Normalize::mean;

  pairwise::SoftZeroOne phi() const { return {sigma}; }
  Status check() const { return check_parameter("PairwiseSoftZeroOne.sigma", sigma, 0); }

  template <Real T>
  Contribution<T> value_and_gradient(ListView<T> list, GradientSink<T> out, Workspace& workspace) const {
    return pairwise::comparable_pairs(phi(), normalize, list, out, workspace);
  }
};

}  // namespace rankgrad
