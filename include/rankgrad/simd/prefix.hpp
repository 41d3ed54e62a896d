// rankgrad/simd/prefix.hpp: running sums within a pack.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/simd/pack.hpp>

namespace rankgrad::inline RANKGRAD_ABI::simd {

/// Lane l of the result is v_0 + ... + v_l: in log2(lanes) steps, each of which adds the lanes a power of two before.
RANKGRAD_INLINE inline Pack<double> running_sum(Pack<double> v) {
#if defined(__AVX512F__)
  const auto moved = [](Pack<double> x, auto by) RANKGRAD_INLINE {   // up by so many lanes, zeros below
    constexpr int rest = 8 - decltype(by)::value;
    return Pack<double>(_mm512_castsi512_pd(_mm512_alignr_epi64(_mm512_castpd_si512(x), _mm512_setzero_si512(), rest)));
  };
  v += moved(v, std::integral_constant<int, 1>{});
  v += moved(v, std::integral_constant<int, 2>{});
  return v + moved(v, std::integral_constant<int, 4>{});
#elif defined(__AVX2__)
  v += Pack<double>(_mm256_blend_pd(_mm256_permute4x64_pd(v, 0x90), _mm256_setzero_pd(), 1));
  return v + Pack<double>(_mm256_permute2f128_pd(v, v, 0x08));
#else
  alignas(64) double lane[lanes<double>];
  store(lane, v);
  for (std::size_t l = 1; l < lanes<double>; ++l) lane[l] += lane[l - 1];
  return load(lane);
#endif
}

/// The last lane in all lanes: what a running sum hands to the next pack.
RANKGRAD_INLINE inline Pack<double> last_lane(Pack<double> v) {
#if defined(__AVX512F__)
  return Pack<double>(_mm512_permutexvar_pd(_mm512_set1_epi64(7), v));
#elif defined(__AVX2__)
  return Pack<double>(_mm256_permute4x64_pd(v, 0xff));
#else
  alignas(64) double lane[lanes<double>];
  store(lane, v);
  return Pack<double>(lane[lanes<double> - 1]);
#endif
}

}  // namespace rankgrad::simd
