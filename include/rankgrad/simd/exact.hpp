// rankgrad/simd/exact.hpp: rounding to whole numbers and the rounding error of a product.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/simd/pack.hpp>

namespace rankgrad::inline RANKGRAD_ABI::simd {

/// Keeps the compiler from looking through a value: under -ffast-math it would cancel what is there for its rounding.
template <class T>
RANKGRAD_INLINE inline Pack<T> opaque(Pack<T> v) {
#if defined(__FAST_MATH__) && defined(__GNUC__) && defined(__SSE2__)
  typename Pack<T>::register_type r = v;
  __asm__("" : "+x"(r));
  return Pack<T>(r);
#else
  return v;
#endif
}

/// The nearest whole number, ties to even; any size of v. NaN stays NaN.
template <class T>
RANKGRAD_INLINE inline Pack<T> round_to_even(Pack<T> v) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) return Pack<T>(_mm512_roundscale_ps(v, 8));
  else return Pack<T>(_mm512_roundscale_pd(v, 8));
#elif defined(__AVX__)
  if constexpr (sizeof(T) == 4) return Pack<T>(_mm256_round_ps(v, 8));
  else return Pack<T>(_mm256_round_pd(v, 8));
#else
  // Between 2^23 and 2^24 (2^52 and 2^53) numbers have no fraction, so the sum is rounded; larger ones have none anyway.
  const Pack<T> shift(sizeof(T) == 4 ? T(0x1p23) : T(0x1p52)), size = abs(v);
  const Pack<T> rounded = opaque<T>(size + shift) - shift;
  return select(size < shift, select(v < Pack<T>(T(0)), -rounded, rounded), v);
#endif
}

/// a * b - product for product = the rounded a * b: exact, unless it underflows or a * b is near the overflow.
template <class T>
RANKGRAD_INLINE inline Pack<T> product_error(Pack<T> a, Pack<T> b, Pack<T> product) {
  // By the instruction: a product and a sum that may or may not be contracted would give 0.
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) return Pack<T>(_mm512_fmsub_ps(a, b, product));
  else return Pack<T>(_mm512_fmsub_pd(a, b, product));
#elif defined(__AVX__) && defined(__FMA__)
  if constexpr (sizeof(T) == 4) return Pack<T>(_mm256_fmsub_ps(a, b, product));
  else return Pack<T>(_mm256_fmsub_pd(a, b, product));
#else
  // Dekker 1971: halves of 12 (26) bits, whose products are exact. Veltkamp's constant is 2^12 + 1 (2^27 + 1).
  const auto high = [](Pack<T> x) {
    const Pack<T> c = opaque<T>(Pack<T>(sizeof(T) == 4 ? T(0x1p12) + 1 : T(0x1p27) + 1) * x);
    return opaque<T>(c - opaque<T>(c - x));
  };
  const Pack<T> ah = high(a), al = opaque<T>(a - ah), bh = high(b), bl = opaque<T>(b - bh);
  return opaque<T>(opaque<T>(opaque<T>(opaque<T>(ah * bh) - product) + ah * bl) + al * bh) + al * bl;
#endif
}

}  // namespace rankgrad::simd
