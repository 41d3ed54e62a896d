// rankgrad/simd/pack.hpp: the one file that knows xsimd: packs of T, loads and stores with tails, reductions.
// SPDX-License-Identifier: MIT
//
// Works with xsimd 8.1 to 14. House rules: packs are never brace-initialised (xsimd 8 reads that as a list of lanes),
// never static, and NaN is never sent through min or max (its fate differs between versions).
#pragma once

#include <rankgrad/core/list_view.hpp>

#include <xsimd/xsimd.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace rankgrad::inline RANKGRAD_ABI::simd {

template <class T>
using Pack = xsimd::batch<T>;
template <class T>
using Mask = typename Pack<T>::batch_bool_type;
template <class T>
inline constexpr std::size_t lanes = Pack<T>::size;
template <class T>
using Bits = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;

using xsimd::abs;
using xsimd::any;
using xsimd::fma;
using xsimd::fnma;
using xsimd::max;
using xsimd::min;
using xsimd::select;
using xsimd::sqrt;

// clang-format off
template <class T> Pack<T> load(const T* p) { return Pack<T>::load_unaligned(p); }
template <class T> void store(T* p, Pack<T> v) { v.store_unaligned(p); }
template <class T> void accumulate(T* p, Pack<T> v) { store(p, load(p) + v); }
// clang-format on

/// The lane numbers first, first + 1, ...
template <class T>
Pack<T> iota(T first) {
  alignas(64) T lane[lanes<T>];
  for (std::size_t l = 0; l < lanes<T>; ++l) lane[l] = first + T(l);
  return load(lane);
}

template <class To, class T>
auto bit_cast(Pack<T> v) {
#if XSIMD_VERSION_MAJOR >= 9
  return xsimd::bitwise_cast<To>(v);
#else
  return xsimd::bitwise_cast<Pack<To>>(v);
#endif
}

template <class T>
T sum(Pack<T> v) {
#if XSIMD_VERSION_MAJOR >= 9
  return xsimd::reduce_add(v);
#else
  return xsimd::hadd(v);
#endif
}

/// Sum of the lanes in double: what a kernel hands from its inner loop to its running total.
template <class T>
double wide_sum(Pack<T> v) {
  return static_cast<double>(sum(v));
}

template <class T>
T highest(Pack<T> v) {
  alignas(64) T lane[lanes<T>];
  store(lane, v);
  T best = lane[0];
  for (std::size_t l = 1; l < lanes<T>; ++l) best = lane[l] > best ? lane[l] : best;
  return best;
}

/// The first n of a pack's lanes: what is left at the end of a row. User memory is never touched past its end.
template <class T>
Pack<T> load_n(const T* p, std::size_t n, T fill) {
  alignas(64) T lane[lanes<T>];
  for (std::size_t l = 0; l < lanes<T>; ++l) lane[l] = l < n ? p[l] : fill;
  return load(lane);
}
template <class T>
void store_n(T* p, std::size_t n, Pack<T> v) {
  alignas(64) T lane[lanes<T>];
  store(lane, v);
  for (std::size_t l = 0; l < n; ++l) p[l] = lane[l];
}

/// How a row body reaches memory: in whole packs, or in the part of a pack that is left.
template <class T>
struct Whole {
  static Pack<T> load(const T* p, T /*fill*/) { return simd::load(p); }
  static Pack<T> load_ones() { return Pack<T>(T(1)); }   ///< 1 for every lane that exists, 0 past the end
  static void store(T* p, Pack<T> v) { simd::store(p, v); }
  static void accumulate(T* p, Pack<T> v) { simd::accumulate(p, v); }
};
template <class T>
struct Part {
  std::size_t n;
  Pack<T> load(const T* p, T fill) const { return load_n(p, n, fill); }
  Pack<T> load_ones() const { return select(iota<T>(T(0)) < Pack<T>(T(n)), Pack<T>(T(1)), Pack<T>(T(0))); }
  void store(T* p, Pack<T> v) const { store_n(p, n, v); }
  void accumulate(T* p, Pack<T> v) const { store_n(p, n, load_n(p, n, T(0)) + v); }
};

/// The loop skeleton of every row over memory that is not padded: body(i, at) with `at` a Whole or a Part.
/// Mark the body RANKGRAD_INLINE.
template <class T, class Body>
RANKGRAD_INLINE inline void for_each_pack(std::size_t n, Body&& body) {
  std::size_t i = 0;
  for (; i + lanes<T> <= n; i += lanes<T>) body(i, Whole<T>{});
  if (i < n) body(i, Part<T>{n - i});
}

}  // namespace rankgrad::simd
