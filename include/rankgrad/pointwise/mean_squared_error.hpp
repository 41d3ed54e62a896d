// rankgrad/pointwise/mean_squared_error.hpp: squared distance of the score to the label.
// SPDX-License-Identifier: MIT
//
// Read first: pointwise/engine.hpp.
#pragma once

#include <rankgrad/pointwise/engine.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

namespace pointwise {
/// phi(s, y) = (s - y)^2,  phi' = 2 (s - y),  phi'' = 2.
struct SquaredError {
  template <class T>
  Term<T> operator()(simd::Pack<T> score, simd::Pack<T> label) const {
    const simd::Pack<T> e = score - label, two(T(2));
    return {e * e, two * e, two};
  }
};
}  // namespace pointwise

/// Mean squared error: regression on the grade.
///
///   L(s, y)   = (1/W) sum_i w_i (s_i - y_i)^2
///   dL/ds_i   = 2 (w_i / W) (s_i - y_i)
///   d2L/ds_i2 = 2 w_i / W                            W = sum w (1 for Normalize::sum)
///
/// Curvature   exact diagonal, >= 0.
/// No signal   the list is empty or all weights are 0.
/// Cost        O(n), no scratch.
/// Numerics    |s - y| beyond 1.8e19 overflows in float, as the formula does.
/// Source      Cossock, Zhang, Subset ranking using regression, COLT 2006.
struct MeanSquaredError {
  static constexpr std::string_view name = "mean_squared_error";
  static constexpr Curvature curvature = Curvature::diagonal;

  Normalize normalize = Normalize::mean;

  pointwise::SquaredError phi() const { return {}; }

  template <Real T>
  Contribution<T> value_and_gradient(ListView<T> list, GradientSink<T> out, Workspace&) const {
    return pointwise::sum_over_items(phi(), normalize, list, out);
  }
};

}  // namespace rankgrad
