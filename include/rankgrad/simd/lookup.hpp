// rankgrad/simd/lookup.hpp: each lane reads its own entry of a small table: in registers where the machine can do that.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/simd/pack.hpp>

#include <bit>

namespace rankgrad::inline RANKGRAD_ABI::simd {

/// A table of 32 floats or 16 doubles: two registers of AVX-512, which one permutation reads at any lane's own index.
/// Only the low bits of an index count. Elsewhere the table stays in memory, at the price of one load for each lane.
template <class T>
class RegisterTable {
 public:
  static constexpr std::size_t size = 128 / sizeof(T);

#if defined(__AVX512F__)
  RANKGRAD_INLINE explicit RegisterTable(const T* entries) : low_(load(entries)), high_(load(entries + size / 2)) {}
  RANKGRAD_INLINE Pack<T> operator[](Pack<Bits<T>> index) const {
    if constexpr (sizeof(T) == 4) return Pack<T>(_mm512_permutex2var_ps(low_, index, high_));
    else return Pack<T>(_mm512_permutex2var_pd(low_, index, high_));
  }

 private:
  Pack<T> low_, high_;
#else
  explicit RegisterTable(const T* entries) : entries_(entries) {}
  Pack<T> operator[](Pack<Bits<T>> index) const {
    alignas(64) Bits<T> at[lanes<T>];
    alignas(64) T lane[lanes<T>];
    store(at, index);
    for (std::size_t l = 0; l < lanes<T>; ++l) lane[l] = entries_[static_cast<std::size_t>(at[l]) % size];
    return load(lane);
  }

 private:
  const T* entries_;
#endif
};

/// A whole number 0 <= v < 2^22 in each lane, as integer bits of the same width: adding 2^23 (2^52) leaves it at the
/// bottom of the mantissa. The bits above it are not cleared; lookup() does not look at them.
template <class T>
RANKGRAD_INLINE inline Pack<Bits<T>> table_index(Pack<T> v) {
  return bit_cast<Bits<T>>(v + Pack<T>(sizeof(T) == 4 ? T(0x1p23) : T(0x1p52)));
}

/// table[index & (Cells - 1)] for each lane; Cells a power of two from `lanes` to 64.
/// AVX-512 reads 32 floats or 16 doubles in one instruction; AVX2 8 floats or 4 doubles; blends choose between blocks.
template <std::size_t Cells, class T>
RANKGRAD_INLINE inline Pack<T> lookup(const T* table, Pack<Bits<T>> index) {
  static_assert((Cells & (Cells - 1)) == 0 && Cells >= 8 && Cells <= 64);
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4 && Cells <= 16) {
    return Pack<T>(_mm512_permutexvar_ps(index, _mm512_loadu_ps(table)));
  } else if constexpr (sizeof(T) == 4 && Cells == 32) {
    return Pack<T>(_mm512_permutex2var_ps(_mm512_loadu_ps(table), index, _mm512_loadu_ps(table + 16)));
  } else if constexpr (sizeof(T) == 8 && Cells == 8) {
    return Pack<T>(_mm512_permutexvar_pd(index, _mm512_loadu_pd(table)));
  } else if constexpr (sizeof(T) == 8 && Cells == 16) {
    return Pack<T>(_mm512_permutex2var_pd(_mm512_loadu_pd(table), index, _mm512_loadu_pd(table + 8)));
  } else {
    constexpr std::size_t half = Cells / 2;
    const Pack<T> low = lookup<half>(table, index), high = lookup<half>(table + half, index);
    if constexpr (sizeof(T) == 4)
      return Pack<T>(_mm512_mask_blend_ps(_mm512_test_epi32_mask(index, _mm512_set1_epi32(half)), low, high));
    else
      return Pack<T>(_mm512_mask_blend_pd(_mm512_test_epi64_mask(index, _mm512_set1_epi64(half)), low, high));
  }
#elif defined(__AVX2__)
  if constexpr (sizeof(T) == 4 && Cells == 8) {
    return Pack<T>(_mm256_permutevar8x32_ps(_mm256_loadu_ps(table), index));
  } else if constexpr (sizeof(T) == 4) {
    constexpr std::size_t half = Cells / 2;
    constexpr int to_sign = 31 - std::countr_zero(half);
    const Pack<T> low = lookup<half>(table, index), high = lookup<half>(table + half, index);
    return Pack<T>(_mm256_blendv_ps(low, high, _mm256_castsi256_ps(_mm256_slli_epi32(index, to_sign))));
  } else {
    const __m256i place = _mm256_and_si256(index, _mm256_set1_epi64x(static_cast<long long>(Cells - 1)));
    return Pack<T>(_mm256_i64gather_pd(table, place, 8));
  }
#else
  alignas(64) Bits<T> place[lanes<T>];
  alignas(64) T lane[lanes<T>];
  index.store_aligned(place);
  for (std::size_t l = 0; l < lanes<T>; ++l) lane[l] = table[static_cast<std::size_t>(place[l]) & (Cells - 1)];
  return load(lane);
#endif
}

}  // namespace rankgrad::simd
