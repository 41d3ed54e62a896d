// rankgrad/simd/compress.hpp: keeping some lanes of a pack: a mask as bits, and appending the lanes it names to an array.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/simd/pack.hpp>

#include <array>
#include <bit>

namespace rankgrad::inline RANKGRAD_ABI::simd {

/// Bit l is set where lane l of the mask is.
template <class T>
RANKGRAD_INLINE inline std::uint32_t lane_bits(Mask<T> mask) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) return static_cast<std::uint32_t>(static_cast<__mmask16>(mask));
  else return static_cast<std::uint32_t>(static_cast<__mmask8>(mask));
#elif defined(__AVX__)
  if constexpr (sizeof(T) == 4) return static_cast<std::uint32_t>(_mm256_movemask_ps(mask));
  else return static_cast<std::uint32_t>(_mm256_movemask_pd(mask));
#elif defined(__SSE2__)
  if constexpr (sizeof(T) == 4) return static_cast<std::uint32_t>(_mm_movemask_ps(mask));
  else return static_cast<std::uint32_t>(_mm_movemask_pd(mask));
#else
  alignas(64) T lane[lanes<T>];
  store(lane, select(mask, Pack<T>(T(1)), Pack<T>(T(0))));
  std::uint32_t bits = 0;
  for (std::size_t l = 0; l < lanes<T>; ++l) bits |= static_cast<std::uint32_t>(lane[l] != T(0)) << l;
  return bits;
#endif
}

/// The bits of the first n lanes.
template <class T>
constexpr std::uint32_t first_bits(std::size_t n) {
  return n >= lanes<T> ? (std::uint32_t{1} << lanes<T>) - 1 : (std::uint32_t{1} << n) - 1;
}

namespace detail {
/// For each set of Lanes lanes: which lane comes to place 0, 1, ..., one byte each.
template <std::size_t Lanes>
struct CompressOrder {
  std::array<std::uint64_t, std::size_t{1} << Lanes> order{};
  constexpr CompressOrder() {
    for (std::size_t bits = 0; bits < order.size(); ++bits)
      for (std::size_t l = 0, place = 0; l < Lanes; ++l)
        if (bits >> l & 1) order[bits] |= static_cast<std::uint64_t>(l) << (8 * place++);
  }
};
/// The same for the two 32-bit halves of four doubles.
struct CompressHalves {
  std::array<std::uint64_t, 16> order{};
  constexpr CompressHalves() {
    for (std::size_t bits = 0; bits < 16; ++bits)
      for (std::size_t l = 0, place = 0; l < 4; ++l)
        if (bits >> l & 1) {
          order[bits] |= static_cast<std::uint64_t>(2 * l) << (8 * place++);
          order[bits] |= static_cast<std::uint64_t>(2 * l + 1) << (8 * place++);
        }
  }
};
inline constexpr CompressOrder<8> compress_order{};
inline constexpr CompressHalves compress_halves{};
#if defined(__AVX2__) && !defined(__AVX512F__)
inline __m128i order_bytes(std::uint32_t bits) { return _mm_cvtsi64_si128(static_cast<long long>(compress_order.order[bits])); }
#endif
}  // namespace detail

/// Writes the lanes of v named by `bits`, closed up, to `to`, which has room for a whole pack. What follows them there
/// is unspecified.
template <class T>
RANKGRAD_INLINE inline void compress_store(T* to, Pack<T> v, std::uint32_t bits) {
#if defined(__AVX512F__)
  // To a register first: compressing to memory is slow on some machines.
  if constexpr (sizeof(T) == 4) _mm512_storeu_ps(to, _mm512_maskz_compress_ps(static_cast<__mmask16>(bits), v));
  else _mm512_storeu_pd(to, _mm512_maskz_compress_pd(static_cast<__mmask8>(bits), v));
#elif defined(__AVX2__)
  if constexpr (sizeof(T) == 4) {
    _mm256_storeu_ps(to, _mm256_permutevar8x32_ps(v, _mm256_cvtepu8_epi32(detail::order_bytes(bits))));
  } else {
    const __m128i bytes = _mm_cvtsi64_si128(static_cast<long long>(detail::compress_halves.order[bits]));
    const __m256 moved = _mm256_permutevar8x32_ps(_mm256_castpd_ps(v), _mm256_cvtepu8_epi32(bytes));
    _mm256_storeu_pd(to, _mm256_castps_pd(moved));
  }
#else
  alignas(64) T lane[lanes<T>];
  store(lane, v);
  for (std::size_t l = 0; l < lanes<T>; ++l) {
    *to = lane[l];
    to += bits >> l & 1;
  }
#endif
}

/// The numbers first + l of the set bits l go to p, p + 1, ...; up to `lanes` numbers may be written there.
template <std::size_t lanes>
RANKGRAD_INLINE inline void store_selected_numbers(std::uint32_t* p, std::uint32_t bits, std::uint32_t first) {
#if defined(__AVX512F__)
  if constexpr (lanes == 16) {
    const __m512i numbers = _mm512_add_epi32(_mm512_set1_epi32(static_cast<int>(first)),
                                             _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
    _mm512_storeu_si512(p, _mm512_maskz_compress_epi32(static_cast<__mmask16>(bits), numbers));
    return;
  } else if constexpr (lanes == 8) {
    const __m512i numbers = _mm512_add_epi32(_mm512_set1_epi32(static_cast<int>(first)),
                                             _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 0, 0, 0, 0, 0, 0, 0, 0));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                        _mm512_castsi512_si256(_mm512_maskz_compress_epi32(static_cast<__mmask16>(bits), numbers)));
    return;
  }
#elif defined(__AVX2__)
  if constexpr (lanes == 8) {
    const __m256i numbers = _mm256_cvtepu8_epi32(detail::order_bytes(bits));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_add_epi32(numbers, _mm256_set1_epi32(static_cast<int>(first))));
    return;
  } else if constexpr (lanes == 4) {
    const __m128i numbers = _mm_cvtepu8_epi32(detail::order_bytes(bits));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm_add_epi32(numbers, _mm_set1_epi32(static_cast<int>(first))));
    return;
  }
#endif
  for (std::size_t l = 0, k = 0; l < lanes; k += bits >> l & 1, ++l) p[k] = first + static_cast<std::uint32_t>(l);
}

}  // namespace rankgrad::simd
