// rankgrad/plackett_luce/running_sums.hpp: prefix and suffix sums, and log-sums, of what a ranking leaves at every place.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/simd/math.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace rankgrad::inline RANKGRAD_ABI::plackett_luce {

/// log(1 + e^x).
inline double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }
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
/// sums[k] = x[k] + x[k+1] + ... + x[n-1]. Four chains, because one would wait for the latency of every addition.
inline void suffix_sums(const double* x, double* sums, std::size_t n) {
  const std::size_t q = n / 4;
  const auto quarter = [&](std::size_t c) { return sum_of(x + c * q, q); };
  double s3 = 0;
  for (std::size_t k = n; k-- > 4 * q;) sums[k] = s3 += x[k];   // what is left over belongs to the last quarter
  double s2 = s3 + quarter(3), s1 = s2 + quarter(2), s0 = s1 + quarter(1);
  for (std::size_t k = q; k-- > 0;) {
    sums[k] = s0 += x[k];
    sums[q + k] = s1 += x[q + k];
    sums[2 * q + k] = s2 += x[2 * q + k];
    sums[3 * q + k] = s3 += x[3 * q + k];
  }
}
/// sums[k] = x[0] + ... + x[k].
inline void prefix_sums(const double* x, double* sums, std::size_t n) {
  const std::size_t q = n / 4;
  const auto quarter = [&](std::size_t c) { return sum_of(x + c * q, q); };
  double s0 = 0, s1 = quarter(0), s2 = s1 + quarter(1), s3 = s2 + quarter(2);
  for (std::size_t k = 0; k < q; ++k) {
    sums[k] = s0 += x[k];
    sums[q + k] = s1 += x[q + k];
    sums[2 * q + k] = s2 += x[2 * q + k];
    sums[3 * q + k] = s3 += x[3 * q + k];
  }
  for (std::size_t k = 4 * q; k < n; ++k) sums[k] = s3 += x[k];
}

}  // namespace rankgrad::plackett_luce
