// rankgrad/plackett_luce/running_sums.hpp: prefix and suffix sums, and log-sums, of what a ranking leaves at every place.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/simd/log_of_product.hpp>
#include <rankgrad/simd/scan.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace rankgrad::inline RANKGRAD_ABI::plackett_luce {

/// log(e^a + e^b).
inline double log_add(double a, double b) { return std::max(a, b) + std::log1p(std::exp(-std::abs(a - b))); }

/// log of the sum of e^s over the items [b, e), and over those below it, whose log-sum is `below` if there are any.
inline double log_sum(const double* scores, std::size_t b, std::size_t e, bool any_below, double below) {
  if (e - b == 1) return any_below ? log_add(scores[b], below) : scores[b];
  double top = any_below ? below : scores[b];
  for (std::size_t k = b; k < e; ++k) top = scores[k] > top ? scores[k] : top;
  double sum = any_below ? std::exp(below - top) : 0;
  for (std::size_t k = b; k < e; ++k) sum += std::exp(scores[k] - top);
  return top + std::log(sum);
}

inline double sum_of(const double* x, std::size_t n) {
  simd::Pack<double> total(0.0);
  simd::for_each_pack<double>(n, [&](std::size_t k, auto at) RANKGRAD_INLINE { total += at.load(x + k, 0.0); });
  return simd::sum(total);
}

/// sum of log x[k] for normal x[k] > 0, with one logarithm.
inline double sum_of_logs(const double* x, std::size_t n) {
  simd::LogOfProduct<double> sum;
  simd::for_each_pack<double>(n, [&](std::size_t k, auto at) RANKGRAD_INLINE { sum.add(at.load(x + k, 1.0)); });
  return sum.total();
}

/// sums[k] = x[k] + x[k+1] + ... + x[n-1] + rest. x and sums in padded memory.
inline void suffix_sums(const double* x, double* sums, std::size_t n, double rest = 0) {
  using Pack = simd::Pack<double>;
  constexpr std::size_t width = simd::lanes<double>;
  std::size_t k = n / width * width;
  Pack below(rest);
  if (k < n) {
    const Pack s = simd::suffix_sum(simd::load_n(x + k, n - k, 0.0));
    simd::store(sums + k, s + below);
    below = below + simd::first_everywhere(s);
  }
  while (k > 0) {
    k -= width;
    const Pack s = simd::suffix_sum(simd::load(x + k));
    simd::store(sums + k, s + below);
    below = below + simd::first_everywhere(s);
  }
}
/// sums[k] = x[0] + ... + x[k]. x and sums in padded memory.
inline void prefix_sums(const double* x, double* sums, std::size_t n) {
  using Pack = simd::Pack<double>;
  Pack above(0.0);
  for (std::size_t k = 0; k < n; k += simd::lanes<double>) {
    const Pack s = simd::prefix_sum(simd::load(x + k));
    simd::store(sums + k, above + s);
    above = above + simd::last_everywhere(s);
  }
}

}  // namespace rankgrad::plackett_luce
