// rankgrad/simd/four_sums.hpp: the sums of the lanes of four packs at once: half the work of four single ones.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/simd/pack.hpp>

namespace rankgrad::inline RANKGRAD_ABI::simd {

namespace detail {
#if defined(__AVX__)
inline __m128 fold(Pack<float> v) {
#if defined(__AVX512F__)
  const __m512 all = v;
  const __m256 half = _mm256_add_ps(_mm512_castps512_ps256(all), _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(all), 1)));
#else
  const __m256 half = v;
#endif
  return _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
}
inline __m256d fold(Pack<double> v) {
#if defined(__AVX512F__)
  const __m512d all = v;
  return _mm256_add_pd(_mm512_castpd512_pd256(all), _mm512_extractf64x4_pd(all, 1));
#else
  return v;
#endif
}
#endif
}  // namespace detail

/// to[k] += the sum of the lanes of packs[k], k < 4.
inline void add_four_sums(double* to, const Pack<float>* packs) {
#if defined(__AVX__)
  const __m128 a = detail::fold(packs[0]), b = detail::fold(packs[1]), c = detail::fold(packs[2]), d = detail::fold(packs[3]);
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
  const __m256d a = detail::fold(packs[0]), b = detail::fold(packs[1]), c = detail::fold(packs[2]), d = detail::fold(packs[3]);
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
