// rankgrad/simd/math.hpp: the elementary functions of ranking losses: exp of what is not positive, log1p on [0, 1],
// softplus, sigmoid, log.
// SPDX-License-Identifier: MIT
//
// Own because xsimd's log1p, expm1 and double log are wrong under -ffast-math and its double exp is slow on AVX2.
// Accuracy, in units of the last place, is held by tests/simd/math.test.cpp. All coefficients are near-minimax
// (Chebyshev) fits, computed for this file in 60-digit arithmetic; the error of each fit stands beside it.
#pragma once

#include <rankgrad/simd/pack.hpp>

namespace rankgrad::inline RANKGRAD_ABI::simd {

/// c0 + x (c1 + x (c2 + ...)).
template <class T, class... Rest>
RANKGRAD_INLINE inline Pack<T> horner(Pack<T> x, double c0, Rest... rest) {
  if constexpr (sizeof...(rest) == 0) return Pack<T>(T(c0));
  else return fma(x, horner<T>(x, rest...), Pack<T>(T(c0)));
}

/// c0 + c2 x2 + c4 x2^2 + ...: every second one of the coefficients.
template <class T>
RANKGRAD_INLINE inline Pack<T> even_part(Pack<T> /*x2*/, double c0, double /*c1*/ = 0) {
  return Pack<T>(T(c0));
}
template <class T, class... Rest>
RANKGRAD_INLINE inline Pack<T> even_part(Pack<T> x2, double c0, double /*c1*/, double c2, Rest... rest) {
  return fma(x2, even_part<T>(x2, c2, rest...), Pack<T>(T(c0)));
}

/// c0 + c1 x + c2 x^2 + ...: its even and its odd part side by side, half the wait of one Horner chain.
template <class T, class... Rest>
RANKGRAD_INLINE inline Pack<T> polynomial(Pack<T> x, Pack<T> x2, double c0, Rest... rest) {
  return fma(x, even_part<T>(x2, rest...), even_part<T>(x2, c0, rest...));
}

template <class T>
struct ExpConstants;
template <>
struct ExpConstants<float> {
  static constexpr float lowest = -87.336544f;                    // log of the smallest normal float
  static constexpr float shift = 0x1.8p23f + 127;                 // rounds to an integer and adds the exponent bias
  static constexpr float ln2_high = 0x1.62e400p-1f, ln2_low = 0x1.7f7d1cp-20f;
  static constexpr int mantissa = 23;
};
template <>
struct ExpConstants<double> {
  static constexpr double lowest = -708.39641853226408;
  static constexpr double shift = 0x1.8p52 + 1023;
  static constexpr double ln2_high = 0x1.62e42fefa3800p-1, ln2_low = 0x1.ef35793c76730p-45;
  static constexpr int mantissa = 52;
};

/// e^x for x <= 0. Exactly 0 below the logarithm of the smallest normal number; NaN stays NaN.
///
///   n = round(x / ln 2),  r = x - n ln 2,  e^x = 2^n (1 + r + r^2 q(r)),  |r| <= ln(2) / 2
///
/// The rounding constant leaves n plus the exponent bias in the low bits of t, so that one shift makes 2^n.
template <class T>
RANKGRAD_INLINE inline Pack<T> exp_nonpositive(Pack<T> x) {
  using C = ExpConstants<T>;
  const auto vanishes = x < Pack<T>(C::lowest);
  const Pack<T> t = fma(x, Pack<T>(T(1.4426950408889634074)), Pack<T>(C::shift));
  const Pack<T> n = t - Pack<T>(C::shift);
  const Pack<T> r = fnma(n, Pack<T>(C::ln2_low), fnma(n, Pack<T>(C::ln2_high), x));
  const Pack<T> scale = bit_cast<T>(bit_cast<Bits<T>>(t) << C::mantissa);
  const Pack<T> r2 = r * r;
  Pack<T> q;
  if constexpr (sizeof(T) == 4)   // 1.1e-8
    q = polynomial<T>(r, r2, 0.5, 0.16666573381900846, 0.0416665501103051244, 0.0083637738744055735, 0.00139269266140219065);
  else                            // 2.6e-19
    q = polynomial<T>(r, r2, 0.5, 0.166666666666666714, 0.0416666666666666701, 0.0083333333333255447, 0.00138888888888833267,
                  0.000198412698768643549, 0.0000248015873270071867, 2.75572528335169097e-6, 2.75572718102197996e-7,
                  2.51062747335732947e-8, 2.09154422977801152e-9);
  const Pack<T> mantissa = fma(r2, q, r) + Pack<T>(T(1));   // rounded before scaling: right to the last normal number
  return select(vanishes, Pack<T>(T(0)), mantissa * scale);
}

/// atanh(z) = z + z^3 q(z^2) for 0 <= z^2 <= 1/9: odd, without cancellation, so reassociation cannot hurt it.
template <class T>
RANKGRAD_INLINE inline Pack<T> atanh_third(Pack<T> z) {
  const Pack<T> u = z * z, u2 = u * u;
  Pack<T> q;
  if constexpr (sizeof(T) == 4)   // 3.9e-10
    q = polynomial<T>(u, u2, 0.333333336602637062, 0.199998531659648587, 0.142961789971514189, 0.108532879004401863,
                  0.116121646120116744);
  else                            // 4.8e-18
    q = polynomial<T>(u, u2, 0.333333333333333293, 0.200000000000072913, 0.142857142835543786, 0.111111113587139315,
                  0.0909089471806642908, 0.0769278503247931155, 0.0665707210482746808, 0.0600053640479535627,
                  0.0440036924307233694, 0.0808202280597176611);
  return fma(z * u, q, z);
}

/// log(1 + e) for 0 <= e <= 1, = 2 atanh(e / (2 + e)). Relative accuracy down to the smallest e.
template <class T>
RANKGRAD_INLINE inline Pack<T> log1p_unit(Pack<T> e) {
  return Pack<T>(T(2)) * atanh_third<T>(e / (Pack<T>(T(2)) + e));
}

/// log(x) for normal x > 0: x = 2^n m with m in [sqrt(1/2), sqrt(2)), log x = n ln 2 + 2 atanh((m - 1) / (m + 1)).
template <class T>
RANKGRAD_INLINE inline Pack<T> log_positive(Pack<T> x) {
  using C = ExpConstants<T>;
  using I = Pack<Bits<T>>;
  constexpr Bits<T> one_bits = sizeof(T) == 4 ? Bits<T>(0x3f800000) : Bits<T>(0x3ff0000000000000);
  constexpr Bits<T> half_root = sizeof(T) == 4 ? Bits<T>(0x3f3504f3) : Bits<T>(0x3fe6a09e667f3bcd);   // sqrt(1/2)
  constexpr Bits<T> low = (Bits<T>(1) << C::mantissa) - 1;
  // Adding the distance from sqrt(1/2) to 1 moves the border of the exponent field to sqrt(1/2).
  const I moved = bit_cast<Bits<T>>(x) + I(one_bits - half_root);
  const Pack<T> m = bit_cast<T>((moved & I(low)) + I(half_root));
  // The biased exponent, turned into a number of type T by writing it into the mantissa of the rounding constant.
  const Pack<T> n = bit_cast<T>((moved >> C::mantissa) | bit_cast<Bits<T>>(Pack<T>(C::shift - T(sizeof(T) == 4 ? 127 : 1023)))) -
                    Pack<T>(C::shift);
  const Pack<T> z = (m - Pack<T>(T(1))) / (m + Pack<T>(T(1)));
  return fma(n, Pack<T>(C::ln2_high), fma(n, Pack<T>(C::ln2_low), Pack<T>(T(2)) * atanh_third<T>(z)));
}

/// softplus(x) = log(1 + e^x) and its slope sigma(x) = 1 / (1 + e^-x), from one exp.
template <class T>
struct SoftplusSigmoid {
  Pack<T> softplus, sigmoid;
  Pack<T> other;            ///< sigma(-x) = 1 - sigma(x), without the cancellation
  Pack<T> other_softplus;   ///< softplus(-x) = softplus(x) - x, likewise
};

///   e = exp(-|x|),  softplus = max(x, 0) + log1p(e),  sigma = (x < 0 ? e : 1) / (1 + e)
/// NaN reaches the result through e, whatever max makes of it.
template <class T>
RANKGRAD_INLINE inline SoftplusSigmoid<T> softplus_sigmoid(Pack<T> x) {
  const Pack<T> one(T(1)), zero(T(0));
  const Pack<T> e = exp_nonpositive<T>(-abs(x));
  const Pack<T> likely = one / (one + e), unlikely = e * likely;
  const Pack<T> rest = log1p_unit<T>(e);
  const auto negative = x < zero;
  return {max(x, zero) + rest, select(negative, unlikely, likely), select(negative, likely, unlikely), max(-x, zero) + rest};
}

template <class T>
RANKGRAD_INLINE inline Pack<T> sigmoid(Pack<T> x) {
  const Pack<T> one(T(1)), e = exp_nonpositive<T>(-abs(x));
  return select(x < Pack<T>(T(0)), e, one) / (one + e);
}

}  // namespace rankgrad::simd
