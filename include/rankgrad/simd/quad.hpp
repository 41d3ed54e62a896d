// rankgrad/simd/quad.hpp: four doubles side by side, whatever the width of the registers.
// SPDX-License-Identifier: MIT
//
// For work that comes in fours by its nature (the powers up to the third), where wider packs would carry empty lanes.
#pragma once

#include <rankgrad/simd/pack.hpp>

namespace rankgrad::inline RANKGRAD_ABI::simd {

#if defined(__AVX__)
struct Quad {
  __m256d v;

  RANKGRAD_INLINE explicit Quad(__m256d lanes) : v(lanes) {}
  RANKGRAD_INLINE explicit Quad(double x) : v(_mm256_set1_pd(x)) {}
  RANKGRAD_INLINE static Quad load(const double* p) { return Quad(_mm256_loadu_pd(p)); }
  RANKGRAD_INLINE void store(double* p) const { _mm256_storeu_pd(p, v); }
};
RANKGRAD_INLINE inline Quad operator+(Quad a, Quad b) { return Quad(_mm256_add_pd(a.v, b.v)); }
RANKGRAD_INLINE inline Quad operator*(Quad a, Quad b) { return Quad(_mm256_mul_pd(a.v, b.v)); }
/// a b + c and c - a b.
RANKGRAD_INLINE inline Quad fma(Quad a, Quad b, Quad c) {
#if defined(__FMA__)
  return Quad(_mm256_fmadd_pd(a.v, b.v, c.v));
#else
  return Quad(_mm256_add_pd(_mm256_mul_pd(a.v, b.v), c.v));
#endif
}
RANKGRAD_INLINE inline Quad fnma(Quad a, Quad b, Quad c) {
#if defined(__FMA__)
  return Quad(_mm256_fnmadd_pd(a.v, b.v, c.v));
#else
  return Quad(_mm256_sub_pd(c.v, _mm256_mul_pd(a.v, b.v)));
#endif
}
RANKGRAD_INLINE inline double sum(Quad a) {
  const __m128d half = _mm_add_pd(_mm256_castpd256_pd128(a.v), _mm256_extractf128_pd(a.v, 1));
  return _mm_cvtsd_f64(_mm_add_sd(half, _mm_unpackhi_pd(half, half)));
}
#else
struct Quad {
  static constexpr std::size_t packs = 4 / lanes<double>;
  Pack<double> part[packs];

  Quad() = default;
  explicit Quad(double x) {
    for (auto& p : part) p = Pack<double>(x);
  }
  static Quad load(const double* p) {
    return made([&](std::size_t i) { return simd::load(p + i * lanes<double>); });
  }
  void store(double* p) const {
    for (std::size_t i = 0; i < packs; ++i) simd::store(p + i * lanes<double>, part[i]);
  }
  template <class Make>
  static Quad made(Make make) {
    Quad q;
    for (std::size_t i = 0; i < packs; ++i) q.part[i] = make(i);
    return q;
  }
};
inline Quad operator+(const Quad& a, const Quad& b) {
  return Quad::made([&](std::size_t i) { return a.part[i] + b.part[i]; });
}
inline Quad operator*(const Quad& a, const Quad& b) {
  return Quad::made([&](std::size_t i) { return a.part[i] * b.part[i]; });
}
/// a b + c and c - a b.
inline Quad fma(const Quad& a, const Quad& b, const Quad& c) {
  return Quad::made([&](std::size_t i) { return fma(a.part[i], b.part[i], c.part[i]); });
}
inline Quad fnma(const Quad& a, const Quad& b, const Quad& c) {
  return Quad::made([&](std::size_t i) { return fnma(a.part[i], b.part[i], c.part[i]); });
}
inline double sum(const Quad& a) {
  Pack<double> total = a.part[0];
  for (std::size_t i = 1; i < Quad::packs; ++i) total += a.part[i];
  return sum(total);
}
#endif

}  // namespace rankgrad::simd
