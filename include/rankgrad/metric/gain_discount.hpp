// rankgrad/metric/gain_discount.hpp: what a grade is worth and what a rank costs; shared by NDCG and LambdaRank.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/list_view.hpp>
#include <rankgrad/simd/math.hpp>

#include <cmath>

namespace rankgrad::inline RANKGRAD_ABI {

/// exponential: 2^y - 1 (LightGBM, XGBoost, rax);  linear: y (trec_eval).
enum class Gain { exponential, linear };
/// log2: 1 / log2(1 + rank);  reciprocal: 1 / rank.
enum class Discount { log2, reciprocal };

/// gain(y) / 2^shift. With shift = the largest label, exponential gains stay finite for any labels; a ratio of gains,
/// which is all that NDCG and its deltas are, does not see the shift.
inline double gain_of(Gain gain, double label, double shift = 0) {
  return gain == Gain::linear ? label : std::exp2(label - shift) - std::exp2(-shift);
}

/// The shift for a list whose largest label is `highest`: 0 unless 2^highest might overflow a double sum.
inline double gain_shift(Gain gain, double highest) {
  return gain == Gain::exponential && highest > 500 ? highest : 0;
}

inline double discount_of(Discount discount, std::size_t rank) {
  const double r = static_cast<double>(rank);
  return discount == Discount::log2 ? 1 / std::log2(1 + r) : 1 / r;
}

namespace metric {
/// How many ranks count: k, or all of n where k is 0 or beyond.
constexpr std::size_t cut_off(std::size_t k, std::size_t n) { return k == 0 || k > n ? n : k; }
}  // namespace metric

/// discounts[p] for position first + p = rank - 1, p in [0, n); 0 from rank k + 1 on, where k = 0 means no cut-off. Padded
/// memory.
template <Real T>
void fill_discounts(Discount discount, std::size_t k, T* discounts, std::size_t n, std::size_t first = 0) {
  using namespace simd;
  const std::size_t top = std::max(metric::cut_off(k, first + n), first) - first;
  for (std::size_t p = 0; p < top; p += lanes<T>) {
    const Pack<T> rank = iota<T>(T(first + p + 1));
    const Pack<T> d = discount == Discount::log2 ? Pack<T>(T(0.69314718055994530942)) / log_positive<T>(rank + Pack<T>(T(1)))
                                                 : Pack<T>(T(1)) / rank;
    store(discounts + p, d);
  }
  for (std::size_t p = top; p < n; ++p) discounts[p] = T(0);
}

}  // namespace rankgrad
