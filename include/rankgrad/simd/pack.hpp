// rankgrad/simd/pack.hpp: the one file that knows xsimd: packs of T, loads and stores with tails, reductions.
// SPDX-License-Identifier: MIT
//
// Works with xsimd 8.1 to 14. House rules: packs are never brace-initialised (xsimd 8 reads that as a list of lanes),
// never static, NaN is never sent through min or max (its fate differs between versions), and x != x does not find it
// (xsimd 8 compares ordered on AVX).
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
/// Those of the exponent: all set in NaN and infinity, and in them alone.
template <class T>
inline constexpr Bits<T> exponent_bits = sizeof(T) == 4 ? Bits<T>(0x7f800000) : Bits<T>(0x7ff0000000000000);

using xsimd::abs;
using xsimd::any;
using xsimd::fma;
using xsimd::fnma;
using xsimd::max;
using xsimd::min;
using xsimd::select;
using xsimd::sqrt;

/// Whether fma() rounds once. Without such an instruction it is a product and a sum.
#if defined(__FMA__) || defined(__AVX512F__) || defined(__aarch64__)
inline constexpr bool fused = true;
#else
inline constexpr bool fused = false;
#endif

#if defined(__AVX512F__)
// xsimd 8 leaves these to the compiler's contraction of x * y + z, which is not to be had from every compiler.
inline Pack<float> fma(Pack<float> x, Pack<float> y, Pack<float> z) { return Pack<float>(_mm512_fmadd_ps(x, y, z)); }
inline Pack<double> fma(Pack<double> x, Pack<double> y, Pack<double> z) { return Pack<double>(_mm512_fmadd_pd(x, y, z)); }
inline Pack<float> fms(Pack<float> x, Pack<float> y, Pack<float> z) { return Pack<float>(_mm512_fmsub_ps(x, y, z)); }
inline Pack<double> fms(Pack<double> x, Pack<double> y, Pack<double> z) { return Pack<double>(_mm512_fmsub_pd(x, y, z)); }
inline Pack<float> fnma(Pack<float> x, Pack<float> y, Pack<float> z) { return Pack<float>(_mm512_fnmadd_ps(x, y, z)); }
inline Pack<double> fnma(Pack<double> x, Pack<double> y, Pack<double> z) { return Pack<double>(_mm512_fnmadd_pd(x, y, z)); }
#endif

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
#if XSIMD_VERSION_MAJOR >= 11
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
  for (std::size_t half = lanes<T> / 2; half > 0; half /= 2)
    for (std::size_t l = 0; l < half; ++l) lane[l] = lane[l + half] > lane[l] ? lane[l + half] : lane[l];
  return lane[0];
}

namespace detail {
/// load(window + lanes - n) is 1 in the first n lanes and 0 in the others, 0 <= n <= lanes.
template <class V, std::size_t N>
struct Window {
  V values[2 * N] = {};
  constexpr explicit Window(V one) {
    for (std::size_t l = 0; l < N; ++l) values[l] = one;
  }
  const V* first(std::size_t n) const { return values + (N - n); }
};
template <class T>
alignas(64) inline constexpr Window<T, lanes<T>> ones{T(1)};

// Masked access in one instruction where the registers have it; xsimd 8 does not know these.
#if defined(__AVX512F__)
inline Pack<float> masked_load(const float* p, std::size_t n, Pack<float> fill) {
  return Pack<float>(_mm512_mask_loadu_ps(fill, static_cast<__mmask16>((1u << n) - 1), p));
}
inline Pack<double> masked_load(const double* p, std::size_t n, Pack<double> fill) {
  return Pack<double>(_mm512_mask_loadu_pd(fill, static_cast<__mmask8>((1u << n) - 1), p));
}
inline void masked_store(float* p, std::size_t n, Pack<float> v) {
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << n) - 1), v);
}
inline void masked_store(double* p, std::size_t n, Pack<double> v) {
  _mm512_mask_storeu_pd(p, static_cast<__mmask8>((1u << n) - 1), v);
}
#elif defined(__AVX__)
template <class T>
alignas(64) inline constexpr Window<Bits<T>, lanes<T>> present{Bits<T>(-1)};
template <class T>
__m256i first_lanes(std::size_t n) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(present<T>.first(n)));
}
inline Pack<float> masked_load(const float* p, std::size_t n, Pack<float> fill) {
  const __m256i mask = first_lanes<float>(n);
  return Pack<float>(_mm256_blendv_ps(fill, _mm256_maskload_ps(p, mask), _mm256_castsi256_ps(mask)));
}
inline Pack<double> masked_load(const double* p, std::size_t n, Pack<double> fill) {
  const __m256i mask = first_lanes<double>(n);
  return Pack<double>(_mm256_blendv_pd(fill, _mm256_maskload_pd(p, mask), _mm256_castsi256_pd(mask)));
}
inline void masked_store(float* p, std::size_t n, Pack<float> v) { _mm256_maskstore_ps(p, first_lanes<float>(n), v); }
inline void masked_store(double* p, std::size_t n, Pack<double> v) { _mm256_maskstore_pd(p, first_lanes<double>(n), v); }
#else
template <class T>
Pack<T> masked_load(const T* p, std::size_t n, Pack<T> fill) {
  alignas(64) T lane[lanes<T>];
  store(lane, fill);
  for (std::size_t l = 0; l < n; ++l) lane[l] = p[l];
  return load(lane);
}
template <class T>
void masked_store(T* p, std::size_t n, Pack<T> v) {
  alignas(64) T lane[lanes<T>];
  store(lane, v);
  for (std::size_t l = 0; l < n; ++l) p[l] = lane[l];
}
#endif
}  // namespace detail

/// The first n < lanes of a pack's lanes: what is left at the end of a row. User memory is never touched past its end.
template <class T>
Pack<T> load_n(const T* p, std::size_t n, T fill) { return detail::masked_load(p, n, Pack<T>(fill)); }
template <class T>
void store_n(T* p, std::size_t n, Pack<T> v) { detail::masked_store(p, n, v); }
/// The same for any number that is left: a whole pack where there are enough.
template <class T>
RANKGRAD_INLINE inline Pack<T> load_up_to(const T* p, std::size_t left, T fill) {
  return left < lanes<T> ? load_n(p, left, fill) : load(p);
}
template <class T>
RANKGRAD_INLINE inline void store_up_to(T* p, std::size_t left, Pack<T> v) {
  if (left < lanes<T>) store_n(p, left, v);
  else store(p, v);
}

/// How a row body reaches memory: in whole packs, or in the part of a pack that is left.
template <class T, std::size_t Slot = 0>
struct Whole {
  static constexpr std::size_t slot = Slot;   ///< which of two interleaved sums this pack belongs to
  static Pack<T> load(const T* p, T /*fill*/) { return simd::load(p); }
  static Pack<T> load_ones() { return Pack<T>(T(1)); }   ///< 1 for every lane that exists, 0 past the end
  static void store(T* p, Pack<T> v) { simd::store(p, v); }
  static void accumulate(T* p, Pack<T> v) { simd::accumulate(p, v); }
};
template <class T>
struct Part {
  static constexpr std::size_t slot = 0;
  std::size_t n;
  Pack<T> load(const T* p, T fill) const { return load_n(p, n, fill); }
  Pack<T> load_ones() const { return simd::load(detail::ones<T>.first(n)); }
  void store(T* p, Pack<T> v) const { store_n(p, n, v); }
  void accumulate(T* p, Pack<T> v) const { store_n(p, n, load_n(p, n, T(0)) + v); }
};

/// The loop skeleton of every row over memory that is not padded: body(i, at) with `at` a Whole or a Part. Two packs
/// at a time, so that sums (BlockedSum::add(v, at)) do not wait for each other.
/// Mark the body RANKGRAD_INLINE.
template <class T, class Body>
RANKGRAD_INLINE inline void for_each_pack(std::size_t n, Body&& body) {
  std::size_t i = 0;
  for (; i + 2 * lanes<T> <= n; i += 2 * lanes<T>) {
    body(i, Whole<T, 0>{});
    body(i + lanes<T>, Whole<T, 1>{});
  }
  if (i + lanes<T> <= n) {
    body(i, Whole<T, 0>{});
    i += lanes<T>;
  }
  if (i < n) body(i, Part<T>{n - i});
}

/// to[0 .. n) = 0, in this build's own registers. Where the machine has wider ones the library's memset() takes those, and
/// the kernel that follows waits until the machine has changed back: 25 ns of the 100 of a softmax over 128 items (Xeon).
template <class T>
RANKGRAD_INLINE inline void clear(T* to, std::size_t n) {
  for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE { at.store(to + i, Pack<T>(T(0))); });
}
/// The same for a gradient and, where it is there, a curvature.
template <class T>
RANKGRAD_INLINE inline void clear(T* grad, T* hess, std::size_t n) {
  clear(grad, n);
  if (hess) clear(hess, n);
}

}  // namespace rankgrad::simd
