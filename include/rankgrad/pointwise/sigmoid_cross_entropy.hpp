// rankgrad/pointwise/sigmoid_cross_entropy.hpp: binary cross-entropy on logits, labels in [0, 1].
// SPDX-License-Identifier: MIT
//
// Read first: pointwise/engine.hpp.
#pragma once

#include <rankgrad/pointwise/engine.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

namespace pointwise {
/// phi(s, y) = softplus(s) - y s,  phi' = s(s) - y,  phi'' = s(s) s(-s), for y cut to [0, 1].
struct SigmoidCrossEntropy {
  template <class T>
  Term<T> operator()(simd::Pack<T> score, simd::Pack<T> label) const {
    using namespace simd;
    const Pack<T> zero(T(0)), one(T(1));
    const Pack<T> y = select(label < zero, zero, select(label > one, one, label));
    const auto s = softplus_sigmoid<T>(score);
    // y softplus(-s) + (1 - y) softplus(s): no cancellation for large |s|, and softplus(-s) is the tail below softplus(s).
    return {y * s.other_softplus + (one - y) * s.softplus, (one - y) * s.sigmoid - y * s.other, s.sigmoid * s.other};
  }
};
}  // namespace pointwise

/// Sigmoid cross-entropy: each item is a yes/no question of its own.
///
///   L(s, y)   = (1/W) sum_i w_i [ y_i softplus(-s_i) + (1 - y_i) softplus(s_i) ]
///   dL/ds_i   = (w_i / W) (s(s_i) - y_i)
///   d2L/ds_i2 = (w_i / W) s(s_i) s(-s_i)            s(x) = 1 / (1 + e^-x), W = sum w (1 for Normalize::sum)
///
/// Curvature   exact diagonal, >= 0.
/// Labels      probabilities; cut to [0, 1], so that grades count as relevant or not (as rax; TF-Ranking does not cut
///             and its loss turns negative for grades above 1).
/// No signal   the list is empty or all weights are 0.
/// Cost        O(n), no scratch.
/// Source      Cox 1958; as a ranking loss: Li, Burges, Wu, McRank, NIPS 2007.
struct SigmoidCrossEntropy {
  static constexpr std::string_view name = "sigmoid_cross_entropy";
  static constexpr Curvature curvature = Curvature::diagonal;

  Normalize normalize = Normalize::mean;

  pointwise::SigmoidCrossEntropy phi() const { return {}; }

  template <Real T>
  Contribution<T> value_and_gradient(ListView<T> list, GradientSink<T> out, Workspace&) const {
    return pointwise::sum_over_items(phi(), normalize, list, out);
  }
};

}  // namespace rankgrad
