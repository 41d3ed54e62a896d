// rankgrad/simd/math.hpp: the elementary functions of ranking losses: exp of what is not positive, log1p on [0, 1],
// softplus, sigmoid, log.
// SPDX-License-Identifier: MIT
//
// Own because xsimd's log1p, expm1 and double log are wrong under -ffast-math and its double exp is slow on AVX2.
// Accuracy, in units of the last place, is held by tests/simd/math.test.cpp. All coefficients are near-minimax
// (Chebyshev) fits, computed for this file in 60-digit arithmetic; the error of each fit stands beside it.
#pragma once

#include <rankgrad/simd/lookup.hpp>
#include <rankgrad/simd/scalar.hpp>

#include <algorithm>
#include <limits>

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

/// A border that -ffast-math does not regroup sums and products across: what stands before it is computed as written.
template <class T>
RANKGRAD_INLINE inline Pack<T> as_written(Pack<T> v) {
#if defined(__FAST_MATH__) && defined(__AVX512F__)
  asm("" : "+v"(v.data));
#elif defined(__FAST_MATH__) && defined(__SSE2__)
  asm("" : "+x"(v.data));
#elif defined(__FAST_MATH__) && defined(__aarch64__)
  asm("" : "+w"(v.data));
#endif
  return v;
}

template <class T>
struct ExpConstants;
template <>
struct ExpConstants<float> {
  static constexpr float lowest = -87.336544f, highest = 88.72283f;   // logs of the smallest normal and the largest float
  static constexpr float lowest_power = -125.999f;                    // of two, that is normal however it was rounded
  static constexpr float shift = 0x1.8p23f;                           // added, it rounds to an integer, in the low bits
  static constexpr float ln2_high = 0x1.62e400p-1f, ln2_low = 0x1.7f7d1cp-20f;
  static constexpr int mantissa = 23;
};
template <>
struct ExpConstants<double> {
  static constexpr double lowest = -708.39641853226408, highest = 709.78271289338397;
  static constexpr double lowest_power = -1021.999;
  static constexpr double shift = 0x1.8p52;
  static constexpr double ln2_high = 0x1.62e42fefa3800p-1, ln2_low = 0x1.ef35793c76730p-45;
  static constexpr int mantissa = 52;
};

namespace detail {

/// x - n ln 2 in two steps: n ln2_high is exact.
template <class T>
RANKGRAD_INLINE inline Pack<T> reduced(Pack<T> x, Pack<T> n) {
  using C = ExpConstants<T>;
  return as_written<T>(fma(n, Pack<T>(-C::ln2_low), as_written<T>(fma(n, Pack<T>(-C::ln2_high), x))));
}

#if defined(__AVX512F__)
/// 2^(k / size), rounded.
template <class T>
inline constexpr T roots[RegisterTable<T>::size] = {};
template <>
alignas(64) inline constexpr float roots<float>[32] = {
    0x1.000000p+0f, 0x1.059b0ep+0f, 0x1.0b5586p+0f, 0x1.11301ep+0f, 0x1.172b84p+0f, 0x1.1d4874p+0f, 0x1.2387a6p+0f, 0x1.29e9e0p+0f,
    0x1.306fe0p+0f, 0x1.371a74p+0f, 0x1.3dea64p+0f, 0x1.44e086p+0f, 0x1.4bfdaep+0f, 0x1.5342b6p+0f, 0x1.5ab07ep+0f, 0x1.6247ecp+0f,
    0x1.6a09e6p+0f, 0x1.71f75ep+0f, 0x1.7a1148p+0f, 0x1.82589ap+0f, 0x1.8ace54p+0f, 0x1.93737cp+0f, 0x1.9c4918p+0f, 0x1.a5503cp+0f,
    0x1.ae89fap+0f, 0x1.b7f770p+0f, 0x1.c199bep+0f, 0x1.cb720ep+0f, 0x1.d5818ep+0f, 0x1.dfc974p+0f, 0x1.ea4afap+0f, 0x1.f50766p+0f};
template <>
alignas(64) inline constexpr double roots<double>[16] = {
    0x1.0000000000000p+0, 0x1.0b5586cf9890fp+0, 0x1.172b83c7d517bp+0, 0x1.2387a6e756238p+0, 0x1.306fe0a31b715p+0, 0x1.3dea64c123422p+0,
    0x1.4bfdad5362a27p+0, 0x1.5ab07dd485429p+0, 0x1.6a09e667f3bcdp+0, 0x1.7a11473eb0187p+0, 0x1.8ace5422aa0dbp+0, 0x1.9c49182a3f090p+0,
    0x1.ae89f995ad3adp+0, 0x1.c199bdd85529cp+0, 0x1.d5818dcfba487p+0, 0x1.ea4afa2a490dap+0};

/// What the rounding above took off.
template <class T>
inline constexpr T root_rests[RegisterTable<T>::size] = {};
template <>
alignas(64) inline constexpr float root_rests<float>[32] = {
    0.0f, -4.81155986e-08f, 4.83347016e-08f, -5.93375198e-08f, -1.30775399e-08f, -5.43554002e-08f, 5.38622231e-08f,
    -4.05144149e-08f, 3.79763527e-08f, -3.26739489e-08f, 4.49683810e-08f, 1.41933332e-09f, -4.01899953e-08f, -3.49637332e-08f,
    -1.01233493e-08f, -5.87557736e-08f, 2.42032350e-08f, 3.32419994e-08f, -4.50089885e-08f, -2.49593732e-08f, 8.07090483e-09f,
    -5.66102543e-08f, 9.83621717e-09f, -5.12497209e-08f, -2.47553267e-08f, -4.84961760e-08f, -9.23577037e-09f, -1.14150449e-08f,
    -1.12392780e-08f, -4.66300563e-08f, 9.84532811e-09f, -1.70218044e-08f};
template <>
alignas(64) inline constexpr double root_rests<double>[16] = {
    0.0, 8.5518897055379649e-17, -3.0467820798124711e-17, 8.9128126760254078e-17, 3.9820152314656461e-17,
    4.6580275918369368e-17, 2.5382502794888315e-17, 7.7009483798029895e-17, -9.6672933134529135e-17, -3.4839945568927958e-17,
    7.9498348096976209e-17, 2.4707192569797888e-17, 8.1990100205814965e-17, 2.9601406954488733e-17, 3.2831072242456272e-17,
    -1.0619946056195963e-16};

/// v 2^floor(n), or 0 where x is below `lowest` (and not where it is NaN).
inline Pack<float> scaled(Pack<float> v, Pack<float> n, Pack<float> x, Pack<float> lowest) {
  return Pack<float>(_mm512_maskz_scalef_ps(_mm512_cmp_ps_mask(x, lowest, _CMP_NLT_UQ), v, n));
}
inline Pack<double> scaled(Pack<double> v, Pack<double> n, Pack<double> x, Pack<double> lowest) {
  return Pack<double>(_mm512_maskz_scalef_pd(_mm512_cmp_pd_mask(x, lowest, _CMP_NLT_UQ), v, n));
}

/// e^x up to the largest number: N = 32 or 16 entries 2^(k/N) in registers leave |r| <= ln(2) / 2N to the polynomial.
///
///   n = round(N x / ln 2) / N = floor(n) + k / N,   r = x - n ln 2,   e^x = 2^floor(n) 2^(k/N) (1 + r + r^2 q(r))
///
/// The low bits of the shifted product are k, and the scaling takes the floor of n by itself. Rounding the root costs
/// half a unit in the last place; `Exact` takes its rest from a second table.
template <class T, bool Exact>
RANKGRAD_INLINE inline Pack<T> exp_or_zero(Pack<T> x) {
  const RegisterTable<T> table(roots<T>);
  constexpr T shift = ExpConstants<T>::shift / T(RegisterTable<T>::size);
  const Pack<T> t = as_written<T>(fma(x, Pack<T>(T(1.4426950408889634074)), Pack<T>(shift)));
  const Pack<T> n = as_written<T>(t - Pack<T>(shift)), r = reduced<T>(x, n), root = table[bit_cast<Bits<T>>(t)];
  Pack<T> q;
  if constexpr (sizeof(T) == 4) q = horner<T>(r, 0.5000040485, 0.1666676443);   // 9.9e-11
  else   // 1.2e-17
    q = polynomial<T>(r, r * r, 0.500000000000000565, 0.166666666644169676, 0.0416666666596534489, 0.00833347195099706346,
                      0.00138891290536348378);
  const Pack<T> p = fma(r * r, q, r), lowest(ExpConstants<T>::lowest);
  if constexpr (Exact) {
    const RegisterTable<T> rests(root_rests<T>);
    return scaled(as_written<T>(fma(root, p, rests[bit_cast<Bits<T>>(t)])) + root, n, x, lowest);
  } else {
    return scaled(fma(root, p, root), n, x, lowest);
  }
}

/// 2^y, y = d steep, by the same table; f = y - n is one step:  2^y = 2^floor(n) 2^(k/N) (1 + f q(f)),  |f| <= 1 / 2N.
template <class T>
RANKGRAD_INLINE inline Pack<T> exp2_or_zero(Pack<T> d, Pack<T> steep, Pack<T> lowest) {
  const RegisterTable<T> table(roots<T>);
  constexpr T shift = ExpConstants<T>::shift / T(RegisterTable<T>::size);
  const Pack<T> t = as_written<T>(fma(d, steep, Pack<T>(shift))), n = as_written<T>(t - Pack<T>(shift)), f = fms(d, steep, n);
  const Pack<T> root = table[bit_cast<Bits<T>>(t)];
  Pack<T> q;
  if constexpr (sizeof(T) == 4) q = horner<T>(f, 0.6931573298, 0.2402264974);   // 5.3e-8
  else   // 1.2e-17
    q = polynomial<T>(f, f * f, 0.693147180559945309, 0.240226506959100984, 0.0555041086573295275, 0.00961812910600958035,
                      0.00133337799384299795, 0.000154037967490989922);
  return scaled(fma(root * f, q, root), n, d, lowest);
}
#else
/// v, or 0 where x is below `lowest` (and not where it is NaN).
#if defined(__AVX__)
// select() by the sign of the mask takes one instruction more: the compiler cannot know that all bits of a lane agree.
inline Pack<float> zero_below(Pack<float> v, Pack<float> x, Pack<float> lowest) {
  return Pack<float>(_mm256_andnot_ps(_mm256_cmp_ps(x, lowest, _CMP_LT_OQ), v));
}
inline Pack<double> zero_below(Pack<double> v, Pack<double> x, Pack<double> lowest) {
  return Pack<double>(_mm256_andnot_pd(_mm256_cmp_pd(x, lowest, _CMP_LT_OQ), v));
}
#else
template <class T>
Pack<T> zero_below(Pack<T> v, Pack<T> x, Pack<T> lowest) {
  return select(x < lowest, Pack<T>(T(0)), v);
}
#endif

/// v 2^n: n is in the low bits of a number with the rounding shift; moved to the exponent and added there, it multiplies.
template <class T>
RANKGRAD_INLINE inline Pack<T> times_power(Pack<T> v, Pack<T> shifted) {
  return bit_cast<T>(bit_cast<Bits<T>>(v) + (bit_cast<Bits<T>>(shifted) << ExpConstants<T>::mantissa));
}

/// e^x up to the largest number:  n = round(x / ln 2),  r = x - n ln 2,  e^x = 2^n (1 + r + r^2 q(r)),  |r| <= ln(2) / 2.
template <class T, bool /*Exact*/>
RANKGRAD_INLINE inline Pack<T> exp_or_zero(Pack<T> x) {
  using C = ExpConstants<T>;
  const Pack<T> t = as_written<T>(fma(x, Pack<T>(T(1.4426950408889634074)), Pack<T>(C::shift)));
  const Pack<T> n = as_written<T>(t - Pack<T>(C::shift)), r = reduced<T>(x, n), r2 = r * r;
  Pack<T> q;
  if constexpr (sizeof(T) == 4)   // 3.1e-9
    q = polynomial<T>(r, r2, 0.5000000095, 0.1666651884, 0.04166620585, 0.008368889345, 0.001395048821);
  else                            // 3.4e-18
    q = polynomial<T>(r, r2, 0.500000000000001274, 0.166666666666666991, 0.0416666666665154156, 0.0083333333333072031,
                      0.00138888889470164795, 0.00019841269917383476, 0.0000248014899417714079, 2.75572163034612225e-6,
                      2.76312804594924345e-7, 2.51178596552487217e-8);
  const Pack<T> mantissa = as_written<T>(fma(r2, q, r)) + Pack<T>(T(1));   // rounded before scaling
  return zero_below(times_power<T>(mantissa, t), x, Pack<T>(C::lowest));
}

/// 2^y, y = d steep, likewise:  n = round(y),  f = y - n,  2^y = 2^n (1 + f q(f)),  |f| <= 1/2.
template <class T>
RANKGRAD_INLINE inline Pack<T> exp2_or_zero(Pack<T> d, Pack<T> steep, Pack<T> lowest) {
  using C = ExpConstants<T>;
  const Pack<T> t = as_written<T>(fma(d, steep, Pack<T>(C::shift))), f = fms(d, steep, as_written<T>(t - Pack<T>(C::shift)));
  Pack<T> q;
  if constexpr (sizeof(T) == 4)   // 9.1e-8
    q = horner<T>(f, 0.6931469776, 0.2402224208, 0.05550733719, 0.009671512924, 0.00132647367);
  else                            // 3.4e-18
    q = polynomial<T>(f, f * f, 0.693147180559945309, 0.240226506959101324, 0.055504108664821688, 0.00961812910759356311,
                      0.00133335581463866343, 0.000154035304578482578, 0.0000152527338625712672, 1.32154349121195207e-6,
                      1.01780479963276427e-7, 7.07384633559042543e-9, 4.45720594398263249e-10);
  return zero_below(times_power<T>(fma(f, q, Pack<T>(T(1))), t), d, lowest);
}
#endif

}  // namespace detail

/// e^x for x <= 0. Exactly 0 below the logarithm of the smallest normal number; NaN, as arithmetic
/// makes it, stays NaN.
template <class T>
RANKGRAD_INLINE inline Pack<T> exp_nonpositive(Pack<T> x) {
  return detail::exp_or_zero<T, false>(x);
}

/// e^{scale d} for d <= 0 and one scale >= 0, as 2^{steep d}: exactly 1 for d = 0, exactly 0 below the smallest normal number
/// or a little above it; NaN, as arithmetic makes it, stays NaN. Four instructions less than exp_nonpositive(scale d).
/// Rounding `steep` changes the exponent x by |x| u, as rounding scale d would, and by as much again where products are not
/// fused; the rest is wrong by 2.2 units in the last place in float, 1.3 in double.
template <class T>
class ScaledExp {
 public:
  explicit ScaledExp(double scale)
      : ScaledExp(static_cast<T>(std::min(scale * 1.4426950408889634074, static_cast<double>(std::numeric_limits<T>::max()))),
                  ExpConstants<T>::lowest_power) {}
  RANKGRAD_INLINE inline Pack<T> operator()(Pack<T> d) const { return detail::exp2_or_zero<T>(d, steep_, lowest_); }

 private:
  ScaledExp(T steep, T lowest_power) : steep_(steep), lowest_(lowest_power / steep) {}
  Pack<T> steep_, lowest_;
};

/// e^x for any x: 0 as above, infinity above the logarithm of the largest number.
template <class T>
RANKGRAD_INLINE inline Pack<T> exp(Pack<T> x) {
  const Pack<T> infinity(std::numeric_limits<T>::infinity());
  return select(x > Pack<T>(ExpConstants<T>::highest), infinity, detail::exp_or_zero<T, false>(x));
}

/// a / b. -ffast-math would pull a into its refinement of 1 / b, where a small a underflows.
template <class T>
RANKGRAD_INLINE inline Pack<T> quotient(Pack<T> a, Pack<T> b) {
#if defined(__FAST_MATH__)
  return a * as_written<T>(Pack<T>(T(1)) / b);
#else
  return a / b;
#endif
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

/// log(1 + e) for 0 <= e <= 1. Relative accuracy down to the smallest e.
///   float     e + e^2 q(e): the singularity at -1 makes the terms shrink by 5.8 per degree, so that one polynomial does
///   double,   2 atanh(e / (2 + e)): fewer terms, and the division runs beside them; it also keeps its accuracy where
///   no fma    products are rounded
template <class T>
RANKGRAD_INLINE inline Pack<T> log1p_unit(Pack<T> e) {
  if constexpr (sizeof(T) == 4 && fused) {   // 3.3e-8
    const Pack<T> q = horner<T>(e, -0.4999964796, 0.3332132256, -0.2485716304, 0.1915365234, -0.1375379709, 0.07920448041,
                                -0.03006576358, 0.005364818562);
    return fma(e * e, q, e);
  } else {
    return Pack<T>(T(2)) * atanh_third<T>(quotient<T>(e, Pack<T>(T(2)) + e));
  }
}

/// x = 2^exponent mantissa, the mantissa in [sqrt(1/2), sqrt(2)).
template <class T>
struct Apart {
  Pack<T> mantissa, exponent;
};
/// For normal x > 0.
template <class T>
RANKGRAD_INLINE inline Apart<T> apart(Pack<T> x) {
  using C = ExpConstants<T>;
  using I = Pack<Bits<T>>;
  constexpr Bits<T> one_bits = sizeof(T) == 4 ? Bits<T>(0x3f800000) : Bits<T>(0x3ff0000000000000);
  constexpr Bits<T> half_root = sizeof(T) == 4 ? Bits<T>(0x3f3504f3) : Bits<T>(0x3fe6a09e667f3bcd);   // sqrt(1/2)
  constexpr Bits<T> low = (Bits<T>(1) << C::mantissa) - 1;
  constexpr T bias = sizeof(T) == 4 ? T(127) : T(1023);
  // Adding the distance from sqrt(1/2) to 1 moves the border of the exponent field to sqrt(1/2).
  const I moved = bit_cast<Bits<T>>(x) + I(one_bits - half_root);
  // The biased exponent, turned into a number of type T by writing it into the mantissa of the rounding constant.
  const Pack<T> biased = bit_cast<T>((moved >> C::mantissa) | bit_cast<Bits<T>>(Pack<T>(C::shift)));
  return {bit_cast<T>((moved & I(low)) + I(half_root)), as_written<T>(biased - Pack<T>(C::shift + bias))};
}

/// log(x) for normal x > 0: with x = 2^n m as above, log x = n ln 2 + 2 atanh((m - 1) / (m + 1)).
template <class T>
RANKGRAD_INLINE inline Pack<T> log_positive(Pack<T> x) {
  using C = ExpConstants<T>;
  const auto [m, n] = apart<T>(x);
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

/// -|x|.
template <class T>
RANKGRAD_INLINE inline Pack<T> minus_abs(Pack<T> x) {
  return bit_cast<T>(bit_cast<Bits<T>>(x) | Pack<Bits<T>>(std::numeric_limits<Bits<T>>::min()));
}

///   e = exp(-|x|),  softplus = max(x, 0) + log1p(e),  sigma = (x < 0 ? e : 1) / (1 + e)
/// NaN reaches the result through e, whatever max makes of it. The other sigma needs no second division: for x < 0 it is
/// 1 - sigma, which is at least a half, else e sigma, and one step with the exact residual e - (1 + e) e sigma. (Measured: a
/// gain in 512-bit registers, whose divisions take twice as long, of 3 % in float and 11 % in double; a loss in others.) Where
/// sigma falls below a power of two that e is still above, an error of e weighs twice: hence the exact exp.
template <class T>
RANKGRAD_INLINE inline SoftplusSigmoid<T> softplus_sigmoid(Pack<T> x) {
  const Pack<T> one(T(1)), zero(T(0));
  const Pack<T> e = detail::exp_or_zero<T, true>(minus_abs<T>(x)), both = one + e, rest = log1p_unit<T>(e);
  const auto negative = x < zero;
  const Pack<T> sigma = quotient<T>(select(negative, e, one), both);
  Pack<T> other;
  if constexpr (fused && sizeof(T) * lanes<T> == 64) {
    const Pack<T> near = e * sigma;
    other = select(negative, one - sigma, fma(sigma, fnma(both, near, e), near));
  } else {
    other = quotient<T>(select(negative, one, e), both);
  }
  return {max(x, zero) + rest, sigma, other, max(-x, zero) + rest};
}

template <class T>
RANKGRAD_INLINE inline Pack<T> sigmoid(Pack<T> x) {
  const Pack<T> one(T(1)), e = detail::exp_or_zero<T, true>(minus_abs<T>(x));
  return quotient<T>(select(x < Pack<T>(T(0)), e, one), one + e);
}

}  // namespace rankgrad::simd
