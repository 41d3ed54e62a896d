// rankgrad/pairwise/hinge.hpp: hinge and squared hinge of score differences.
// SPDX-License-Identifier: MIT
//
// Read first: pairwise/engine.hpp; for long lists pairwise/hinge_sweep.hpp.
#pragma once

#include <rankgrad/pairwise/hinge_sweep.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// Hinge: every pair with y_i > y_j should be `margin` apart.
///
///   L(s, y)   = (1/W) sum_{y_i > y_j} w_i w_j max(0, margin - (s_i - s_j))
///   dL/ds_i   = (1/W) [ -sum_{y_i > y_j} w_i w_j 1[d_ij < margin] + sum_{y_j > y_i} w_i w_j 1[d_ji < margin] ]
///   d2L/ds_i2 = 0 almost everywhere
///
/// Curvature   exact diagonal, which is 0: boosters need the floor of value_gradient_and_curvature().
/// Numerics    a pair exactly at the margin is inactive (subgradient 0).
/// Cost        O(n^2) pairs for short lists, then O(n log n) for any labels (pairwise/hinge_sweep.hpp); O(n) scratch.
/// Parameters  margin >= 0. normalize: mean over pairs (default) or sum.
/// Shapes, weights, no signal: as RankNet.
/// Source      Herbrich, Graepel, Obermayer 2000, sec. 7.3; the 1 - d form of rax and TF-Ranking.
struct Hinge {
  static constexpr std::string_view name = "hinge";
  static constexpr Curvature curvature = Curvature::diagonal;

  double margin = 1;
  Normalize normalize = Normalize::mean;

  pairwise::Hinge phi() const { return {margin}; }
  Status check() const { return check_parameter("Hinge.margin", margin, 0, true); }

  template <Real T>
  Contribution<T> value_and_gradient(ListView<T> list, GradientSink<T> out, Workspace& workspace) const {
    return pairwise::hinge_sweep::evaluate(phi(), pairwise::hinge_sweep::Path::automatic, normalize, list, out, workspace);
  }
};

/// Squared hinge: the same shortfall, squared.
///
///   L(s, y)   = (1/W) sum_{y_i > y_j} w_i w_j max(0, margin - d_ij)^2,   d_ij = s_i - s_j
///   dL/ds_i   = (1/W) [ -sum_{y_i > y_j} 2 w_i w_j max(0, margin - d_ij) + sum_{y_j > y_i} 2 w_i w_j max(0, margin - d_ji) ]
///   d2L/ds_i2 = (1/W) sum over active pairs of 2 w_i w_j
///
/// Curvature   exact diagonal away from the kink, >= 0.
/// Everything else as Hinge.
struct SquaredHinge {
  static constexpr std::string_view name = "squared_hinge";
  static constexpr Curvature curvature = Curvature::diagonal;

  double margin = 1;
  Normalize normalize = Normalize::mean;

  pairwise::SquaredHinge phi() const { return {margin}; }
  Status check() const { return check_parameter("SquaredHinge.margin", margin, 0, true); }

  template <Real T>
  Contribution<T> value_and_gradient(ListView<T> list, GradientSink<T> out, Workspace& workspace) const {
    return pairwise::hinge_sweep::evaluate(phi(), pairwise::hinge_sweep::Path::automatic, normalize, list, out, workspace);
  }
};

}  // namespace rankgrad
