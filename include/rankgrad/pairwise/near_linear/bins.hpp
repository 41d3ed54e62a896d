// rankgrad/pairwise/near_linear/bins.hpp: from scores to bins of an absolute grid, without losing a digit.
// SPDX-License-Identifier: MIT
//
// x = sigma s = 2 b + u, b whole, u in [-1, 1]. The grid is anchored at 0 and its width is a power of two, so that
// t - 2 b is exact for every float t: an offset common to all scores costs nothing. (Anchored at the smallest score, the
// subtraction would round u by the size of the range.)
//
// The product with sigma must not round either: an error of half an ulp of x in the exponent is |x| times the precision
// in the loss. Three cases:
//
//   exact       sigma is a power of two: t = sigma s.
//   two_terms   sigma = k + k_lo;  t = fl(s k),  t_lo = (s k - t) + s k_lo (product_error),  u = (t - 2 b) + t_lo.
//   rebinned    the same where t_lo is no longer small beside a bin: whatever of u leaves [-1, 1] moves to b.
//
// With p digits t_lo <= 2^-p |t|, so rebinning is asked for above |t| = 2^(p - 7): 1.3e5 in float, where t_lo reaches
// 2^-7. Above 2^p, whole numbers b have gaps: such lists are left to the pairs, unless sigma is a power of two.
#pragma once

#include <rankgrad/simd/exact.hpp>
#include <rankgrad/simd/horizontal.hpp>
#include <rankgrad/simd/rows.hpp>
#include <rankgrad/simd/unroll.hpp>

#include <cmath>
#include <limits>
#include <type_traits>

namespace rankgrad::inline RANKGRAD_ABI::pairwise::near_linear {

using simd::Pack;

enum class Terms { exact, two_terms, rebinned };

template <Real T>
struct Scaling {
  T k = 1, k_lo = 0;
  bool power_of_two = true;

  explicit Scaling(double sigma) : k(static_cast<T>(sigma)), k_lo(static_cast<T>(sigma - static_cast<double>(k))) {
    int exponent = 0;
    power_of_two = std::frexp(sigma, &exponent) == 0.5 && static_cast<double>(k) == sigma;
  }
  bool usable() const { return k >= std::numeric_limits<T>::min() && k <= std::numeric_limits<T>::max(); }

  /// For scores of at most this size; false: not possible.
  bool terms_for(T largest, Terms& terms) const {
    constexpr int digits = std::numeric_limits<T>::digits;
    const T t = largest * k;
    if (!(t <= std::numeric_limits<T>::max() / 4)) return false;
    if (power_of_two) terms = Terms::exact;
    else if (t < std::ldexp(T(1), digits - 7)) terms = Terms::two_terms;
    else if (t < std::ldexp(T(1), digits)) terms = Terms::rebinned;
    else return false;
    return true;
  }
};

template <class T>
struct Binned {
  Pack<T> bin, u;   ///< the bin a whole number in type T
};

template <Terms terms, Real T>
RANKGRAD_INLINE inline Binned<T> bin_of(Pack<T> s, const Scaling<T>& scaling) {
  using namespace simd;
  const Pack<T> k(scaling.k), half(T(0.5)), two(T(2));
  const Pack<T> t = s * k;
  Pack<T> bin = round_to_even<T>(t * half);
  Pack<T> u = t - two * bin;   // exact with and without fma: 2 b is a number of type T
  if constexpr (terms != Terms::exact) u += fma(s, Pack<T>(scaling.k_lo), product_error<T>(s, k, t));
  if constexpr (terms == Terms::rebinned) {
    const Pack<T> moved = round_to_even<T>(u * half);
    bin += moved;
    u -= two * moved;
  }
  return {bin, u};
}

/// Calls f with the terms as a constant.
template <class F>
decltype(auto) with_terms(Terms terms, F&& f) {
  switch (terms) {
    case Terms::exact: return f(std::integral_constant<Terms, Terms::exact>{});
    case Terms::two_terms: return f(std::integral_constant<Terms, Terms::two_terms>{});
    default: return f(std::integral_constant<Terms, Terms::rebinned>{});
  }
}

/// The lowest and the highest of some bins.
template <Real T>
struct BinRange {
  T low, high;
};

/// u and bin - first of n > 0 scores, to arrays with room for whole packs and for one more pack of bins, which is filled
/// with -1: past the end of the list there are no bins.
template <Real T>
RANKGRAD_NOINLINE BinRange<T> bin_scores(const T* scores, std::size_t n, const Scaling<T>& scaling, Terms terms, T first, T* u,
                                         T* bin) {
  using namespace simd;
  Pack<T> low[2] = {Pack<T>(std::numeric_limits<T>::max()), Pack<T>(std::numeric_limits<T>::max())}, high[2] = {-low[0], -low[1]};
  with_terms(terms, [&](auto constant) {
    for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
      const Binned<T> x = bin_of<constant()>(at.load(scores + i, scores[0]), scaling);
      const Pack<T> b = x.bin - Pack<T>(first);
      store(u + i, x.u);
      store(bin + i, b);
      low[at.slot] = min(low[at.slot], b);
      high[at.slot] = max(high[at.slot], b);
    });
  });
  store(bin + n, Pack<T>(T(-1)));
  return {-highest_lane(max(-low[0], -low[1])), highest_lane(max(high[0], high[1]))};
}

}  // namespace rankgrad::pairwise::near_linear
