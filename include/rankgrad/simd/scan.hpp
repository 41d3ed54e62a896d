// rankgrad/simd/scan.hpp: running sums across the lanes of one pack.
// SPDX-License-Identifier: MIT
//
// By doubling: after adding the pack shifted by 1, 2, 4, ... lanes, lane l holds the sum of the lanes up to l. log2(lanes)
// additions, none of which waits for the pack before: a loop over packs carries one addition from pack to pack.
#pragma once

#include <rankgrad/simd/pack.hpp>

namespace rankgrad::inline RANKGRAD_ABI::simd {

/// Lane l: v[0] + ... + v[l].
template <class T>
Pack<T> prefix_sum(Pack<T> v) {
  alignas(64) T lane[lanes<T>];
  store(lane, v);
  for (std::size_t l = 1; l < lanes<T>; ++l) lane[l] += lane[l - 1];
  return load(lane);
}
/// Lane l: v[l] + ... + v[lanes - 1].
template <class T>
Pack<T> suffix_sum(Pack<T> v) {
  alignas(64) T lane[lanes<T>];
  store(lane, v);
  for (std::size_t l = lanes<T> - 1; l-- > 0;) lane[l] += lane[l + 1];
  return load(lane);
}
/// The first, or the last lane in every lane.
template <class T>
Pack<T> first_everywhere(Pack<T> v) {
  alignas(64) T lane[lanes<T>];
  store(lane, v);
  return Pack<T>(lane[0]);
}
template <class T>
Pack<T> last_everywhere(Pack<T> v) {
  alignas(64) T lane[lanes<T>];
  store(lane, v);
  return Pack<T>(lane[lanes<T> - 1]);
}

#if defined(__AVX512F__)
namespace detail {
/// The lanes moved up or down by `by`; zeros move in.
template <int by>
__m512d moved_up(__m512d v) {
  return _mm512_castsi512_pd(_mm512_alignr_epi64(_mm512_castpd_si512(v), _mm512_setzero_si512(), 8 - by));
}
template <int by>
__m512d moved_down(__m512d v) {
  return _mm512_castsi512_pd(_mm512_alignr_epi64(_mm512_setzero_si512(), _mm512_castpd_si512(v), by));
}
}  // namespace detail
inline Pack<double> prefix_sum(Pack<double> v) {
  __m512d s = v;
  s = _mm512_add_pd(s, detail::moved_up<1>(s));
  s = _mm512_add_pd(s, detail::moved_up<2>(s));
  return Pack<double>(_mm512_add_pd(s, detail::moved_up<4>(s)));
}
inline Pack<double> suffix_sum(Pack<double> v) {
  __m512d s = v;
  s = _mm512_add_pd(s, detail::moved_down<1>(s));
  s = _mm512_add_pd(s, detail::moved_down<2>(s));
  return Pack<double>(_mm512_add_pd(s, detail::moved_down<4>(s)));
}
inline Pack<double> first_everywhere(Pack<double> v) { return Pack<double>(_mm512_broadcastsd_pd(_mm512_castpd512_pd128(v))); }
inline Pack<double> last_everywhere(Pack<double> v) {
  const __m512d high = _mm512_shuffle_f64x2(v, v, 0xff);
  return Pack<double>(_mm512_permute_pd(high, 0xff));
}
#elif defined(__AVX2__)
inline Pack<double> prefix_sum(Pack<double> v) {
  const __m256d zero = _mm256_setzero_pd();
  __m256d s = v;
  s = _mm256_add_pd(s, _mm256_blend_pd(_mm256_permute4x64_pd(s, _MM_SHUFFLE(2, 1, 0, 0)), zero, 1));
  return Pack<double>(_mm256_add_pd(s, _mm256_permute2f128_pd(s, s, 0x08)));
}
inline Pack<double> suffix_sum(Pack<double> v) {
  const __m256d zero = _mm256_setzero_pd();
  __m256d s = v;
  s = _mm256_add_pd(s, _mm256_blend_pd(_mm256_permute4x64_pd(s, _MM_SHUFFLE(3, 3, 2, 1)), zero, 8));
  return Pack<double>(_mm256_add_pd(s, _mm256_permute2f128_pd(s, s, 0x81)));
}
inline Pack<double> first_everywhere(Pack<double> v) { return Pack<double>(_mm256_broadcastsd_pd(_mm256_castpd256_pd128(v))); }
inline Pack<double> last_everywhere(Pack<double> v) { return Pack<double>(_mm256_permute4x64_pd(v, 0xff)); }
#elif defined(__SSE2__) && !defined(__AVX__)
inline Pack<double> prefix_sum(Pack<double> v) {
  return Pack<double>(_mm_add_pd(v, _mm_unpacklo_pd(_mm_setzero_pd(), v)));
}
inline Pack<double> suffix_sum(Pack<double> v) {
  return Pack<double>(_mm_add_pd(v, _mm_unpackhi_pd(v, _mm_setzero_pd())));
}
inline Pack<double> first_everywhere(Pack<double> v) { return Pack<double>(_mm_unpacklo_pd(v, v)); }
inline Pack<double> last_everywhere(Pack<double> v) { return Pack<double>(_mm_unpackhi_pd(v, v)); }
#endif

}  // namespace rankgrad::simd
