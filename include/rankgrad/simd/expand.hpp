// rankgrad/simd/expand.hpp: the way back from simd/compress.hpp: numbers that stand closed up go to the lanes of a mask.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/simd/compress.hpp>

namespace rankgrad::inline RANKGRAD_ABI::simd {

namespace detail {
/// For each set of 8 lanes: how many of them stand below lane 0, 1, ..., one byte each; lanes outside the set point to
/// themselves or below.
struct ExpandOrder {
  std::array<std::uint64_t, 256> order{};
  constexpr ExpandOrder() {
    for (std::size_t bits = 0; bits < 256; ++bits)
      for (std::size_t l = 0, below = 0; l < 8; below += bits >> l & 1, ++l)
        order[bits] |= static_cast<std::uint64_t>(below) << (8 * l);
  }
};
inline constexpr ExpandOrder expand_order{};
}  // namespace detail

/// from[0], from[1], ... in the lanes named by `bits`, 0 in the others. A whole pack is read.
template <class T>
RANKGRAD_INLINE inline Pack<T> expand_load(const T* from, std::uint32_t bits) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) return Pack<T>(_mm512_maskz_expand_ps(static_cast<__mmask16>(bits), _mm512_loadu_ps(from)));
  else return Pack<T>(_mm512_maskz_expand_pd(static_cast<__mmask8>(bits), _mm512_loadu_pd(from)));
#elif defined(__AVX2__)
  const __m256i below = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(static_cast<long long>(detail::expand_order.order[bits])));
  if constexpr (sizeof(T) == 4) {
    const __m256i lane = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    const __m256i named = _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(static_cast<int>(bits)), lane), lane);
    return Pack<T>(_mm256_and_ps(_mm256_permutevar8x32_ps(_mm256_loadu_ps(from), below), _mm256_castsi256_ps(named)));
  } else {
    const __m256i lane = _mm256_setr_epi64x(1, 2, 4, 8);
    const __m256i named = _mm256_cmpeq_epi64(_mm256_and_si256(_mm256_set1_epi64x(static_cast<long long>(bits)), lane), lane);
    const __m256i place = _mm256_cvtepi32_epi64(_mm256_castsi256_si128(below));
    const __m256i halves =
        _mm256_or_si256(_mm256_slli_epi64(place, 1),
                        _mm256_slli_epi64(_mm256_add_epi64(_mm256_slli_epi64(place, 1), _mm256_set1_epi64x(1)), 32));
    const __m256 moved = _mm256_permutevar8x32_ps(_mm256_castpd_ps(_mm256_loadu_pd(from)), halves);
    return Pack<T>(_mm256_and_pd(_mm256_castps_pd(moved), _mm256_castsi256_pd(named)));
  }
#else
  alignas(64) T lane[lanes<T>];
  for (std::size_t l = 0; l < lanes<T>; ++l) {
    lane[l] = bits >> l & 1 ? *from : T(0);
    from += bits >> l & 1;
  }
  return load(lane);
#endif
}

}  // namespace rankgrad::simd
