// rankgrad/simd/dot.hpp: inner products of rows.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/simd/rows.hpp>

namespace rankgrad::inline RANKGRAD_ABI::simd {

/// sum_i a_i b_i, in double beyond 64 packs.
template <class T>
double dot(const T* a, const T* b, std::size_t n) {
  BlockedSum<T> sum;
  for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE { sum.add(at.load(a + i, T(0)) * at.load(b + i, T(0)), at); });
  return sum.total();
}

}  // namespace rankgrad::simd
