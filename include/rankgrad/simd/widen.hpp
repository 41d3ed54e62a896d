// rankgrad/simd/widen.hpp: packs of double from and to arrays of either type.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/simd/pack.hpp>

namespace rankgrad::inline RANKGRAD_ABI::simd {

/// lanes<double> numbers from p on, as doubles.
inline Pack<double> load_wide(const double* p) { return load(p); }
inline Pack<double> load_wide(const float* p) {
#if defined(__AVX512F__)
  return Pack<double>(_mm512_cvtps_pd(_mm256_loadu_ps(p)));
#elif defined(__AVX__)
  return Pack<double>(_mm256_cvtps_pd(_mm_loadu_ps(p)));
#else
  alignas(64) double lane[lanes<double>];
  for (std::size_t l = 0; l < lanes<double>; ++l) lane[l] = static_cast<double>(p[l]);
  return load(lane);
#endif
}

/// Stores lanes<double> numbers, rounded to the type of the array.
inline void store_narrow(double* p, Pack<double> v) { store(p, v); }
inline void store_narrow(float* p, Pack<double> v) {
#if defined(__AVX512F__)
  _mm256_storeu_ps(p, _mm512_cvtpd_ps(v));
#elif defined(__AVX__)
  _mm_storeu_ps(p, _mm256_cvtpd_ps(v));
#else
  alignas(64) double lane[lanes<double>];
  store(lane, v);
  for (std::size_t l = 0; l < lanes<double>; ++l) p[l] = static_cast<float>(lane[l]);
#endif
}

}  // namespace rankgrad::simd
