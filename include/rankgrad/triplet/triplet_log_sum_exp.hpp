// rankgrad/triplet/triplet_log_sum_exp.hpp: triplet loss against the log-sum-exp of all negatives (TAL).
// SPDX-License-Identifier: MIT
//
// Read first: triplet/engine.hpp.
#pragma once

#include <rankgrad/triplet/engine.hpp>

#include <cmath>

namespace rankgrad::inline RANKGRAD_ABI {

namespace triplet {

/// f = max(0, m - S+ + tau log sum_j e^{S_j / tau}); slope softmax(S / tau) where that is positive.
struct LogSumExpOfNegatives {
  static constexpr bool hardest_only = false;
  static constexpr int sums = 1;
  double temperature, margin;

  double slack(double negatives) const { return margin + temperature * std::log(negatives); }
  double reference(double, double highest) const { return highest; }
  template <class T>
  Sums<T> operator()(Pack<T> s, Pack<T> highest) const {
    return {simd::exp_nonpositive<T>((s - highest) * Pack<T>(T(1 / temperature))), Pack<T>(T(0))};
  }
  Violation violation(double positive, double highest, double sum, double) const {
    const double h = margin + (highest - positive) + temperature * std::log(sum);
    if (h <= 0) return {};   // written so that NaN stays visible
    return {h, 1, 1, 1 / sum};
  }
  template <class T>
  Entry<T> entry(Pack<T> s, Pack<T> highest, Pack<T> inverse) const {
    const Pack<T> b = inverse * operator()<T>(s, highest).first;
    return {b, b * (Pack<T>(T(1)) - b) * Pack<T>(T(1 / temperature))};
  }
};

}  // namespace triplet

/// Triplet loss with the log-sum-exp of the negatives in the place of the hardest one (triplet alignment loss, TAL).
///
///   L(S)        = (1/W) sum_i w_i ( [h_i]_+ + the same on the transposed S )
///   h_i         = m - sum_{j in P_i} a_ij S_ij + tau log sum_{j in N_i} e^{S_ij / tau}
///   dL/dS_ij    = (w_i / W) 1[h_i > 0] ( -a_ij for j in P_i, +b_ij for j in N_i ), and the transposed part
///   d2L/dS_ij2  = (w_i / W) 1[h_i > 0] b_ij (1 - b_ij) / tau for j in N_i, 0 for j in P_i, and the transposed part
///   with P_i = samples of the same id (i is one), N_i = all others, a_ij = softmax of S_ij / tau over P_i, held constant,
///   b_ij = softmax of S_ij / tau over N_i, W = sum_i w_i (1 for Normalize::sum).
///
/// Curvature   of the loss with a held constant, >= 0; with one positive a sample it is the exact diagonal.
/// Shapes      similarity [K K]; ids [K]; weights, mask [K] or empty. See triplet/similarity_view.hpp.
/// Units       those of the similarity. The gradient of an active row has absolute sum 2, whatever tau is.
/// No signal   fewer than two identities are present (no sample has a negative), or all weights are 0.
/// Cost        O(K^2) time, four exps per entry for both directions (two of them for active anchors only), O(K) scratch.
/// Numerics    highest similarities are subtracted first; tau = 0.015 or far less is safe in float.
/// Parameters  temperature tau > 0. margin m. direction: both (default), rows or columns. normalize: sum (default, as
///             the source) or mean.
/// Bounds      never below HardestNegativeTriplet of the same margin and temperature, equal to it as tau -> 0.
/// Errors      contract: tau > 0, m finite, the matrix is K x K. A NaN similarity shows in the value.
/// Source      Qin et al., Noisy-correspondence learning for text-to-image person re-identification, CVPR 2024
///             (arXiv 2308.09911), eqs. (3) to (10), and its code. It takes raw exponentials cut at 1e36; here none can overflow,
///             and a sample without negatives gives 0 where automatic differentiation gives NaN.
struct TripletLogSumExp {
  static constexpr std::string_view name = "triplet_log_sum_exp";
  static constexpr Curvature curvature = Curvature::gauss_newton;
  template <Real T>
  using View = SimilarityView<T>;

  double temperature = 0.015;
  double margin = 0.1;
  Direction direction = Direction::both;
  Normalize normalize = Normalize::sum;

  triplet::LogSumExpOfNegatives negatives() const { return {temperature, margin}; }
  Status check() const { return triplet::check_parameters(*this); }

  template <Real T>
  Contribution<T> value_and_gradient(SimilarityView<T> view, GradientSink<T> out, Workspace& workspace) const {
    return triplet::evaluate<T>(*this, view, &out, nullptr, workspace);
  }
};

}  // namespace rankgrad
