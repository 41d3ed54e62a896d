// rankgrad/simd/horizontal.hpp: what a kernel over a short list does across the lanes of its registers.
// SPDX-License-Identifier: MIT
//
// A list of 55 items is four packs of float: three sums and a maximum across lanes cost as much as the packs themselves
// where each goes through memory. Here they stay in registers, and three sums share their last steps.
#pragma once

#include <rankgrad/simd/pack.hpp>

#include <limits>

namespace rankgrad::inline RANKGRAD_ABI::simd {

namespace detail {
#if defined(__SSE2__)
// The lanes of v folded to one register of 128 bits.
inline __m128 folded(__m128 v) { return v; }
inline __m128d folded(__m128d v) { return v; }
#if defined(__AVX__)
inline __m128 folded(__m256 v) { return _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1)); }
inline __m128d folded(__m256d v) { return _mm_add_pd(_mm256_castpd256_pd128(v), _mm256_extractf128_pd(v, 1)); }
#endif
#if defined(__AVX512F__)
inline __m256d upper_half(__m512d v) { return _mm512_extractf64x4_pd(v, 1); }
inline __m256 upper_half(__m512 v) { return _mm256_castpd_ps(upper_half(_mm512_castps_pd(v))); }
inline __m128 folded(__m512 v) { return folded(_mm256_add_ps(_mm512_castps512_ps256(v), upper_half(v))); }
inline __m256d halved(__m512d v) { return _mm256_add_pd(_mm512_castpd512_pd256(v), upper_half(v)); }
inline __m128d folded(__m512d v) { return folded(halved(v)); }
#elif defined(__AVX__)
inline __m256d halved(__m256d v) { return v; }
#endif
#endif
}  // namespace detail

/// The sums of the lanes of three packs.
template <class T>
struct ThreeSums {
  T a, b, c;
};
inline ThreeSums<float> three_sums(Pack<float> a, Pack<float> b, Pack<float> c) {
#if defined(__SSE2__)
  const __m128 x = detail::folded(a), y = detail::folded(b), z = detail::folded(c), none = _mm_setzero_ps();
  const __m128 xy = _mm_add_ps(_mm_unpacklo_ps(x, y), _mm_unpackhi_ps(x, y));   // x02 y02 x13 y13
  const __m128 z_ = _mm_add_ps(_mm_unpacklo_ps(z, none), _mm_unpackhi_ps(z, none));
  alignas(16) float lane[4];
  _mm_store_ps(lane, _mm_add_ps(_mm_movelh_ps(xy, z_), _mm_movehl_ps(z_, xy)));
  return {lane[0], lane[1], lane[2]};
#else
  return {sum(a), sum(b), sum(c)};
#endif
}
inline ThreeSums<double> three_sums(Pack<double> a, Pack<double> b, Pack<double> c) {
#if defined(__SSE2__)
  const __m128d x = detail::folded(a), y = detail::folded(b), z = detail::folded(c);
  const __m128d xy = _mm_add_pd(_mm_unpacklo_pd(x, y), _mm_unpackhi_pd(x, y));
  return {_mm_cvtsd_f64(xy), _mm_cvtsd_f64(_mm_unpackhi_pd(xy, xy)), _mm_cvtsd_f64(z) + _mm_cvtsd_f64(_mm_unpackhi_pd(z, z))};
#else
  return {sum(a), sum(b), sum(c)};
#endif
}

/// The largest lane in every lane. What becomes of NaN is not said: for callers in whose results it shows by another way.
inline Pack<float> highest_everywhere(Pack<float> v) {
#if defined(__AVX512F__)
  __m512 m = v;
  m = _mm512_max_ps(m, _mm512_shuffle_f32x4(m, m, _MM_SHUFFLE(1, 0, 3, 2)));
  m = _mm512_max_ps(m, _mm512_shuffle_f32x4(m, m, _MM_SHUFFLE(2, 3, 0, 1)));
  m = _mm512_max_ps(m, _mm512_shuffle_ps(m, m, _MM_SHUFFLE(1, 0, 3, 2)));
  return Pack<float>(_mm512_max_ps(m, _mm512_shuffle_ps(m, m, _MM_SHUFFLE(2, 3, 0, 1))));
#elif defined(__AVX__)
  __m256 m = v;
  m = _mm256_max_ps(m, _mm256_permute2f128_ps(m, m, 1));
  m = _mm256_max_ps(m, _mm256_permute_ps(m, _MM_SHUFFLE(1, 0, 3, 2)));
  return Pack<float>(_mm256_max_ps(m, _mm256_permute_ps(m, _MM_SHUFFLE(2, 3, 0, 1))));
#elif defined(__SSE2__)
  __m128 m = v;
  m = _mm_max_ps(m, _mm_shuffle_ps(m, m, _MM_SHUFFLE(1, 0, 3, 2)));
  return Pack<float>(_mm_max_ps(m, _mm_shuffle_ps(m, m, _MM_SHUFFLE(2, 3, 0, 1))));
#else
  return Pack<float>(highest(v));
#endif
}
inline Pack<double> highest_everywhere(Pack<double> v) {
#if defined(__AVX512F__)
  __m512d m = v;
  m = _mm512_max_pd(m, _mm512_shuffle_f64x2(m, m, _MM_SHUFFLE(1, 0, 3, 2)));
  m = _mm512_max_pd(m, _mm512_shuffle_f64x2(m, m, _MM_SHUFFLE(2, 3, 0, 1)));
  return Pack<double>(_mm512_max_pd(m, _mm512_shuffle_pd(m, m, 0x55)));
#elif defined(__AVX__)
  __m256d m = v;
  m = _mm256_max_pd(m, _mm256_permute2f128_pd(m, m, 1));
  return Pack<double>(_mm256_max_pd(m, _mm256_permute_pd(m, 5)));
#elif defined(__SSE2__)
  __m128d m = v;
  return Pack<double>(_mm_max_pd(m, _mm_shuffle_pd(m, m, 1)));
#else
  return Pack<double>(highest(v));
#endif
}

/// The largest lane; the same about NaN.
template <class T>
T highest_lane(Pack<T> v) {
  alignas(64) T lane[lanes<T>];
  store(lane, highest_everywhere(v));
  return lane[0];
}

/// The largest of n > 0 values; the same about NaN. Four packs at a time: a maximum waits four cycles for the one before.
template <class T>
RANKGRAD_INLINE inline T highest(const T* values, std::size_t n) {
  const T first = values[0];
  Pack<T> best[2] = {Pack<T>(first), Pack<T>(first)};
  std::size_t i = 0;
  for (; i + 4 * lanes<T> <= n; i += 4 * lanes<T>) {
    best[0] = max(max(load(values + i), load(values + i + lanes<T>)), best[0]);
    best[1] = max(max(load(values + i + 2 * lanes<T>), load(values + i + 3 * lanes<T>)), best[1]);
  }
  for_each_pack<T>(n - i, [&](std::size_t j, auto at) RANKGRAD_INLINE {
    best[at.slot] = max(at.load(values + i + j, first), best[at.slot]);
  });
  return highest_lane(max(best[0], best[1]));
}

/// The lowest and the highest of some values; they say nothing where `finite` is false, as one value is not.
template <class T>
struct Range {
  T low, high;
  bool finite;

  double centre() const { return 0.5 * static_cast<double>(high) + 0.5 * static_cast<double>(low); }
  /// Infinite where a value is not finite.
  double span() const {
    return finite ? static_cast<double>(high) - static_cast<double>(low) : std::numeric_limits<double>::infinity();
  }
};
/// Of n > 0 values. Finite or not is read from the bits of the exponents: so -ffast-math finds it too.
template <class T>
Range<T> range_of(const T* values, std::size_t n) {
  using I = Pack<Bits<T>>;
  const I exponent(exponent_bits<T>);
  const Pack<T> first(values[0]);
  Pack<T> low[2] = {first, first}, high[2] = {first, first};
  Mask<Bits<T>> wild[2] = {I(0) != I(0), I(0) != I(0)};
  for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
    const Pack<T> v = at.load(values + i, values[0]);
    low[at.slot] = min(low[at.slot], v);
    high[at.slot] = max(high[at.slot], v);
    wild[at.slot] = wild[at.slot] | ((bit_cast<Bits<T>>(v) & exponent) == exponent);
  });
  return {-highest_lane(max(-low[0], -low[1])), highest_lane(max(high[0], high[1])), !any(wild[0] | wild[1])};
}

/// to[k] += the sum of the lanes of packs[k], k < 4.
inline void add_four_sums(double* to, const Pack<float>* packs) {
#if defined(__AVX__)
  const __m128 a = detail::folded(packs[0]), b = detail::folded(packs[1]), c = detail::folded(packs[2]),
               d = detail::folded(packs[3]);
  const __m128 ab = _mm_add_ps(_mm_unpacklo_ps(a, b), _mm_unpackhi_ps(a, b));   // a02 b02 a13 b13
  const __m128 cd = _mm_add_ps(_mm_unpacklo_ps(c, d), _mm_unpackhi_ps(c, d));
  const __m128 sums = _mm_add_ps(_mm_movelh_ps(ab, cd), _mm_movehl_ps(cd, ab));
  _mm256_storeu_pd(to, _mm256_add_pd(_mm256_loadu_pd(to), _mm256_cvtps_pd(sums)));
#else
  for (std::size_t k = 0; k < 4; ++k) to[k] += wide_sum(packs[k]);
#endif
}
inline void add_four_sums(double* to, const Pack<double>* packs) {
#if defined(__AVX__)
  const __m256d a = detail::halved(packs[0]), b = detail::halved(packs[1]), c = detail::halved(packs[2]),
                d = detail::halved(packs[3]);
  const __m256d ab = _mm256_hadd_pd(a, b), cd = _mm256_hadd_pd(c, d);   // a01 b01 a23 b23
  const __m256d sums = _mm256_add_pd(_mm256_permute2f128_pd(ab, cd, 0x20), _mm256_permute2f128_pd(ab, cd, 0x31));
  _mm256_storeu_pd(to, _mm256_add_pd(_mm256_loadu_pd(to), sums));
#else
  for (std::size_t k = 0; k < 4; ++k) to[k] += wide_sum(packs[k]);
#endif
}

/// The same for any number of packs.
template <std::size_t count, class T>
RANKGRAD_INLINE inline void add_sums(double* to, const Pack<T>* packs) {
  if constexpr (count == 4) add_four_sums(to, packs);
  else
    for (std::size_t k = 0; k < count; ++k) to[k] += wide_sum(packs[k]);
}

}  // namespace rankgrad::simd
