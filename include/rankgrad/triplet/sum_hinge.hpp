// rankgrad/triplet/sum_hinge.hpp: triplet loss summed over all negatives (TRL-S).
// SPDX-License-Identifier: MIT
//
// Read first: triplet/engine.hpp.
#pragma once

#include <rankgrad/triplet/engine.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

namespace triplet {

/// f = sum_j max(0, S_j - (S+ - m)); the sums are that and the number of active negatives.
struct HingeOfNegatives {
  static constexpr bool hardest_only = false;
  static constexpr int sums = 2;
  double margin;

  double slack(double) const { return margin; }
  double reference(double positive, double) const { return positive - margin; }
  template <class T>
  Sums<T> operator()(Pack<T> s, Pack<T> border) const {
    const Pack<T> zero(T(0)), beyond = s - border;
    const auto met = beyond <= zero;   // written so that NaN is not met and stays visible
    return {simd::select(met, zero, beyond), simd::select(met, zero, Pack<T>(T(1)))};
  }
  Violation violation(double, double, double sum, double active) const { return {sum, active, 1, 0}; }
  template <class T>
  Entry<T> entry(Pack<T> s, Pack<T> border, Pack<T>) const {
    return {operator()<T>(s, border).second, Pack<T>(T(0))};
  }
};

}  // namespace triplet

/// Triplet loss summed over the negatives (TRL-S).
///
///   L(S)      = (1/W) sum_i w_i ( sum_{j in N_i} [m - S+_i + S_ij]_+ + the same on the transposed S )
///   dL/dS_ij  = (w_i / W) ( -c_i a_ij for j in P_i, +1 for the c_i active j in N_i ), and the transposed part
///   with S+_i = sum_{j in P_i} a_ij S_ij, a_ij = softmax of S_ij / tau over the positives P_i, held constant.
///
/// Curvature   0 almost everywhere.
/// Numerics    a negative exactly at the border m - S+ + S = 0 is inactive. S+ - m is rounded to T once per sample.
/// Parameters  as HardestNegativeTriplet.
/// Everything else as HardestNegativeTriplet.
/// Source      Kiros, Salakhutdinov, Zemel, Unifying visual-semantic embeddings, arXiv 1411.2539 (one positive);
///             with several Qin et al., CVPR 2024 (arXiv 2308.09911).
struct SumHingeTriplet {
  static constexpr std::string_view name = "sum_hinge_triplet";
  static constexpr Curvature curvature = Curvature::gauss_newton;
  template <Real T>
  using View = SimilarityView<T>;

  double margin = 0.1;
  double temperature = 0.015;
  Direction direction = Direction::both;
  Normalize normalize = Normalize::sum;

  triplet::HingeOfNegatives negatives() const { return {margin}; }
  Status check() const { return triplet::check_parameters(*this); }

  template <Real T>
  Contribution<T> value_and_gradient(SimilarityView<T> view, GradientSink<T> out, Workspace& workspace) const {
    return triplet::evaluate<T>(*this, view, &out, nullptr, workspace);
  }
};

}  // namespace rankgrad
