// rankgrad/pairwise/phi.hpp: functions of a score difference d = s_i - s_j, where item i should be above item j.
// SPDX-License-Identifier: MIT
//
// Each falls as d rises and returns its value, slope (<= 0) and curvature for a pack of differences.
#pragma once

#include <rankgrad/simd/math.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// A term of a loss and its first two derivatives with respect to the score or the score difference.
template <class T>
struct Term {
  simd::Pack<T> value, slope, curvature;
};

namespace pairwise {

using simd::Pack;

/// phi(d) = softplus(-x),  phi' = -sigma s(-x),  phi'' = sigma^2 s(x) s(-x),  x = sigma (d - margin).
struct Logistic {
  double sigma = 1, margin = 0;

  template <class T>
  RANKGRAD_INLINE Term<T> operator()(Pack<T> d) const {
    const Pack<T> scale = Pack<T>(T(sigma));
    const auto s = simd::softplus_sigmoid<T>(scale * (Pack<T>(T(margin)) - d));
    return {s.softplus, -(scale * s.sigmoid), scale * scale * (s.sigmoid * s.other)};
  }
};

/// phi(d) = max(0, margin - d),  phi' = -1 where d < margin and 0 at the kink,  phi'' = 0.
struct Hinge {
  double margin = 1;

  template <class T>
  RANKGRAD_INLINE Term<T> operator()(Pack<T> d) const {
    const Pack<T> zero(T(0)), short_of = Pack<T>(T(margin)) - d;
    const auto met = short_of <= zero;   // written so that NaN is not met and stays visible
    return {simd::select(met, zero, short_of), simd::select(met, zero, Pack<T>(T(-1))), zero};
  }
};

/// phi(d) = max(0, margin - d)^2,  phi' = -2 max(0, margin - d),  phi'' = 2 where d < margin.
struct SquaredHinge {
  double margin = 1;

  template <class T>
  RANKGRAD_INLINE Term<T> operator()(Pack<T> d) const {
    const Pack<T> zero(T(0)), short_of = Pack<T>(T(margin)) - d, two(T(2));
    const auto met = short_of <= zero;
    const Pack<T> v = simd::select(met, zero, short_of);
    return {v * v, -(two * v), simd::select(met, zero, two)};
  }
};

/// phi(d) = (margin - d)^2: also pushes apart what is too far apart.
struct Square {
  double margin = 1;

  template <class T>
  RANKGRAD_INLINE Term<T> operator()(Pack<T> d) const {
    const Pack<T> v = Pack<T>(T(margin)) - d, two(T(2));
    return {v * v, -(two * v), two};
  }
};

/// phi(d) = e^{-sigma d},  phi' = -sigma e^{-sigma d},  phi'' = sigma^2 e^{-sigma d}. Infinite where that overflows T.
struct Exponential {
  double sigma = 1;

  template <class T>
  RANKGRAD_INLINE Term<T> operator()(Pack<T> d) const {
    const Pack<T> scale = Pack<T>(T(sigma)), value = simd::exp<T>(-(scale * d)), slope = scale * value;
    return {value, -slope, scale * slope};
  }
};

/// phi(d) = u = s(-sigma d), the probability mass on the wrong side;  phi' = -sigma u (1 - u).
/// Not convex: as curvature the bound sigma^2 u (1 - u) >= |phi''|.
struct SoftZeroOne {
  double sigma = 1;

  template <class T>
  RANKGRAD_INLINE Term<T> operator()(Pack<T> d) const {
    const Pack<T> scale = Pack<T>(T(sigma));
    const auto s = simd::softplus_sigmoid<T>(scale * d);   // its softplus is not used and costs nothing
    const Pack<T> u = s.other, slope = scale * (u * s.sigmoid);
    return {u, -slope, scale * slope};
  }
};

}  // namespace pairwise
}  // namespace rankgrad
