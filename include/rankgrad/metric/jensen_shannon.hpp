// rankgrad/metric/jensen_shannon.hpp: how far two distributions over one list are apart.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/list_view.hpp>

#include <algorithm>
#include <cmath>

namespace rankgrad::inline RANKGRAD_ABI {

enum class LogBase { e, two };   ///< nats, or bits: in bits a Jensen-Shannon divergence is at most 1

/// How scores or labels become a distribution: divided by their sum (those below 0 count as 0; all 0 is uniform), or softmax.
enum class Shares { of_sum, softmax };

namespace metric {

/// What a value in nats is multiplied by.
inline double per_nat(LogBase base) { return base == LogBase::two ? 1.4426950408889634074 : 1; }

/// The distribution that n values stand for.
template <Real T>
void fill_shares(Shares shares, const T* values, std::size_t n, double* p) {
  double top = n > 0 ? static_cast<double>(values[0]) : 0, sum = 0;
  for (std::size_t i = 1; i < n; ++i) top = std::max(top, static_cast<double>(values[i]));
  for (std::size_t i = 0; i < n; ++i) {
    const double v = static_cast<double>(values[i]);
    // Relative to the largest, so that no sum overflows.
    p[i] = shares == Shares::softmax ? std::exp(v - top) : top > 0 ? std::max(0.0, v / top) : 1;
    sum += p[i];
  }
  for (std::size_t i = 0; i < n; ++i) p[i] /= sum;
}

/// JS(P, Q) = KL(P || M) / 2 + KL(Q || M) / 2,  M = (P + Q) / 2, in nats. With d = (P - Q) / (P + Q) it is
///   sum_i M_i phi(d_i) / 2,   phi(d) = (1 + d) log(1 + d) + (1 - d) log(1 - d) = 2 d atanh d + log(1 - d^2) >= 0,
/// of one sign: nothing cancels between items.
inline double jensen_shannon(const double* p, const double* q, std::size_t n) {
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double both = p[i] + q[i], d = both > 0 ? std::abs(p[i] - q[i]) / both : 0;
    const double phi = d < 0.5 ? 2 * d * std::atanh(d) + std::log1p(-d * d)
                               : (1 + d) * std::log1p(d) + (d < 1 ? (1 - d) * std::log1p(-d) : 0);
    sum += both * phi;
  }
  return sum / 4;
}

}  // namespace metric
}  // namespace rankgrad
