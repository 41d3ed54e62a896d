// rankgrad/triplet/hardest_negative.hpp: triplet loss against the hardest negative (TRL).
// SPDX-License-Identifier: MIT
//
// Read first: triplet/engine.hpp.
#pragma once

#include <rankgrad/triplet/engine.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

namespace triplet {

/// f = max(0, m - S+ + max_j S_j).
struct HardestOfNegatives {
  static constexpr bool hardest_only = true;
  double margin;

  double slack(double) const { return margin; }
  double reference(double, double highest) const { return highest; }
  Violation violation(double positive, double highest, double, double) const {
    const double h = margin + (highest - positive);
    if (h <= 0) return {};   // written so that NaN stays visible
    return {h, 1, 1, 0};
  }
};

}  // namespace triplet

/// Triplet loss with hardest-negative mining inside the batch (triplet ranking loss, TRL; VSE++ with one positive).
///
///   L(S)      = (1/W) sum_i w_i ( [h_i]_+ + the same on the transposed S ),   h_i = m - S+_i + max_{j in N_i} S_ij
///   dL/dS_ij  = (w_i / W) 1[h_i > 0] ( -a_ij for j in P_i, +1 for the hardest j ), and the transposed part
///   with S+_i = sum_{j in P_i} a_ij S_ij, a_ij = softmax of S_ij / tau over the positives P_i, held constant.
///
/// Curvature   0 almost everywhere.
/// Ties        of negatives equally hard, the first takes the gradient.
/// No signal   fewer than two identities are present, or all weights are 0.
/// Cost        O(K^2) time, exps for positives only, O(K) scratch.
/// Numerics    h_i = 0 exactly is inactive.
/// Parameters  margin m. temperature tau > 0: weighs several positives (with one it does nothing). direction, normalize
///             as TripletLogSumExp.
/// Errors      as TripletLogSumExp.
/// Source      Faghri et al., VSE++, BMVC 2018; with several positives Qin et al., CVPR 2024 (arXiv 2308.09911).
///             Their code takes the maximum of mask times similarity, where positives stand as 0: negatives that are all
///             below 0 then lose to that 0. Here the maximum runs over the negatives alone.
struct HardestNegativeTriplet {
  static constexpr std::string_view name = "hardest_negative_triplet";
  static constexpr Curvature curvature = Curvature::gauss_newton;
  template <Real T>
  using View = SimilarityView<T>;

  double margin = 0.1;
  double temperature = 0.015;
  Direction direction = Direction::both;
  Normalize normalize = Normalize::sum;

  triplet::HardestOfNegatives negatives() const { return {margin}; }
  Status check() const { return triplet::check_parameters(*this); }

  template <Real T>
  Contribution<T> value_and_gradient(SimilarityView<T> view, GradientSink<T> out, Workspace& workspace) const {
    return triplet::evaluate<T>(*this, view, &out, nullptr, workspace);
  }
};

}  // namespace rankgrad
