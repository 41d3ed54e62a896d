// rankgrad/scoring/expected_value.hpp: a fine score from a model that answers with one of K values.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/validate.hpp>
#include <rankgrad/simd/horizontal.hpp>
#include <rankgrad/simd/math.hpp>
#include <rankgrad/simd/rows.hpp>

#include <cmath>

namespace rankgrad::inline RANKGRAD_ABI::scoring {

/// The expectation of the answer, and its slope by the logits:
///
///   s        = sum_k v_k p_k,   p = softmax(z) over the K answers
///   ds/dz_k  = p_k (v_k - s)                                         they add up to 0
///
/// For the values 0 and 1 this is the sigmoid of the logit difference.
///
/// Shapes    logits [n K], row by row; values [K]; scores [n]; slopes [n K], or empty where they are not wanted. Overwritten.
///           dL/dz_ik = dL/ds_i slopes[i K + k].
/// Cost      O(n K): an exp a logit.
/// Numerics  the highest logit of a row is subtracted first, and the middle of the values: s is never outside of them, and equal
///           values have slope 0.
/// Errors    sizes, no values, a value that is not finite, at the door. A NaN logit shows in its own row.
/// Source    ProRank (arXiv 2506.03487), fine-grained scores from a finite set of answers; for more than two answers
///           reconstructed from the abstract and the literature, not checked against the source.
template <Real T>
void fill_expected_values(std::span<const T> logits, std::type_identity_t<std::span<const T>> values,
                          std::type_identity_t<std::span<T>> scores, std::type_identity_t<std::span<T>> slopes = {}) {
  using namespace simd;
  const std::size_t n = scores.size(), K = values.size();
  constexpr T limit = std::numeric_limits<T>::max();
  if (K == 0) require(Status::error("rankgrad: values is empty; an expectation needs at least one"));
  require(rankgrad::detail::check_length("logits", logits.size(), n * K));
  require(rankgrad::detail::check_optional_length("slopes", slopes.size(), n * K));
  require(rankgrad::detail::check_values<T>("values", values, {}, -limit, limit));
  const T middle = static_cast<T>(range_of(values.data(), K).centre());
  const T* const v = values.data();
  for (std::size_t i = 0; i < n; ++i) {
    const T* const z = logits.data() + i * K;
    const T highest_logit = highest(z, K);
    const Pack<T> top(highest_logit), centre(middle);
    BlockedSum<T> mass, weighted;
    for_each_pack<T>(K, [&](std::size_t k, auto at) RANKGRAD_INLINE {
      const Pack<T> e = exp_nonpositive<T>(at.load(z + k, highest_logit) - top) * at.load_ones();
      mass.add(e, at);
      weighted.add(e * (at.load(v + k, middle) - centre), at);
    });
    const double total = mass.total(), away = weighted.total() / total;
    scores[i] = static_cast<T>(static_cast<double>(middle) + away);
    if (slopes.empty()) continue;
    T* const slope = slopes.data() + i * K;
    const Pack<T> inverse(static_cast<T>(1 / total)), mean(static_cast<T>(away));
    for_each_pack<T>(K, [&](std::size_t k, auto at) RANKGRAD_INLINE {
      const Pack<T> p = inverse * exp_nonpositive<T>(at.load(z + k, highest_logit) - top);
      at.store(slope + k, p * ((at.load(v + k, middle) - centre) - mean));
    });
  }
}

/// The answer times its probability, s Pr(s): of the same answers the surer one ranks higher. Not an expectation: answer 0 scores
/// 0 however sure, and the order of (9, 0.4) and (4, 0.95) turns round. `log_probability` <= 0 is that of the answer's tokens.
///
/// Source   ERank (arXiv 2509.00520), integer scores 0 .. 10.
inline double value_times_probability(double value, double log_probability) { return value * std::exp(log_probability); }

}  // namespace rankgrad::scoring
