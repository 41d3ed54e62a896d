// rankgrad/simd/lookup.hpp: small tables that are read by lane: in registers where the machine can do that.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/simd/pack.hpp>

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

}  // namespace rankgrad::simd
