// rankgrad/contrastive/hard_negative_mixing.hpp: new negatives between known ones.
// SPDX-License-Identifier: MIT
//
//   h = m / |m|,  m = sum_k w_k n_k          over some of the negatives of one query, w_k >= 0 constants
//   dL/dn_k = w_k (g - h <h, g>) / |m|       for g = dL/dh
//
// Pair-wise: two different negatives, w = lambda, 1 - lambda, lambda ~ Beta(2, 2). List-wise: all of them, w a softmax of their
// scores, or a random point of the simplex. The new vectors join the candidates of their query.
//
// Source: KaLM-Embedding-V2, arXiv 2506.20923: pairs and Beta(2, 2) from public summaries; the list-wise weights, and that
// gradients flow while w stays constant, are reconstructed from the abstract and the literature (Kalantidis et al., arXiv
// 2010.01028), not checked against the source.
#pragma once

#include <rankgrad/core/random.hpp>
#include <rankgrad/core/validate.hpp>
#include <rankgrad/simd/dot.hpp>

#include <cmath>

namespace rankgrad::inline RANKGRAD_ABI {

/// A negative by its number, and its weight in a mixture.
struct MixingTerm {
  std::uint32_t negative = 0;
  double weight = 0;
};

/// Two different ones of k >= 2 negatives, weighted by Beta(2, 2): the median of three uniform numbers. Advances `random` by 5.
inline std::array<MixingTerm, 2> random_pair(std::size_t k, Random& random) {
  RANKGRAD_EXPECTS(k >= 2, "a pair needs two negatives");
  const std::size_t a = random.below(k), b = (a + 1 + random.below(k - 1)) % k;
  const double x = random.uniform(), y = random.uniform(), z = random.uniform();
  const double lambda = std::max(std::min(x, y), std::min(std::max(x, y), z));
  return {{{static_cast<std::uint32_t>(a), lambda}, {static_cast<std::uint32_t>(b), 1 - lambda}}};
}

/// All negatives, weighted by softmax(scores / temperature).
template <Real T>
void softmax_terms(std::span<const T> scores, double temperature, std::span<MixingTerm> terms) {
  RANKGRAD_EXPECTS(terms.size() == scores.size(), "terms and scores differ in size");
  RANKGRAD_EXPECTS(temperature > 0, "the temperature must be above 0");
  double top = -std::numeric_limits<double>::max(), sum = 0;
  for (const T s : scores) top = std::max(top, static_cast<double>(s));
  for (std::size_t k = 0; k < scores.size(); ++k) {
    terms[k] = {static_cast<std::uint32_t>(k), std::exp((static_cast<double>(scores[k]) - top) / temperature)};
    sum += terms[k].weight;
  }
  for (MixingTerm& term : terms) term.weight /= sum;
}

/// All negatives, the weights uniform on the simplex (Dirichlet(1, ..., 1)). Advances `random` by terms.size().
inline void random_terms(std::span<MixingTerm> terms, Random& random) {
  double sum = 0;
  for (std::size_t k = 0; k < terms.size(); ++k) {
    terms[k] = {static_cast<std::uint32_t>(k), random.exponential()};
    sum += terms[k].weight;
  }
  for (MixingTerm& term : terms) term.weight = sum > 0 ? term.weight / sum : 1 / static_cast<double>(terms.size());
}

/// mixed [d] = h for negatives [k d], row-major. Returns |m|, or 0 where that is below `smallest` times the sum of |w_k| |n_k|
/// (opposite vectors, zero vectors): there is no direction then, mixed is 0 and is to be skipped.
template <Real T>
double mix_negatives(std::span<const T> negatives, std::span<const MixingTerm> terms, std::span<T> mixed,
                     double smallest = 1e-6) {
  using namespace simd;
  const std::size_t width = mixed.size();
  clear(mixed.data(), width);
  double length = 0;
  for (const MixingTerm& term : terms) {
    RANKGRAD_EXPECTS((term.negative + std::size_t{1}) * width <= negatives.size(),
                     "a mixture names a negative that is not there");
    const Pack<T> w(static_cast<T>(term.weight));
    const T* const negative = negatives.data() + term.negative * width;
    for_each_pack<T>(width, [&](std::size_t i, auto at) RANKGRAD_INLINE {
      at.store(mixed.data() + i, fma(w, at.load(negative + i, T(0)), at.load(mixed.data() + i, T(0))));
    });
    length += std::abs(term.weight) * std::sqrt(dot(negative, negative, width));
  }
  const T* const m = mixed.data();
  const double norm = std::sqrt(dot(m, m, width));
  const bool none = norm <= smallest * length;   // so that NaN stays visible
  const Pack<T> inverse(none ? T(0) : static_cast<T>(1 / norm));
  for_each_pack<T>(width, [&](std::size_t i, auto at) RANKGRAD_INLINE {
    at.store(mixed.data() + i, inverse * at.load(mixed.data() + i, T(0)));
  });
  return none ? 0 : norm;
}

/// Adds what dL/dh = upstream [d] is to the negatives: gradient [k d]. `mixed` and `norm` from mix_negatives(); norm 0 adds
/// nothing.
template <Real T>
void add_mixing_gradient(std::span<const T> mixed, double norm, std::span<const MixingTerm> terms, std::span<const T> upstream,
                         std::span<T> gradient) {
  using namespace simd;
  const std::size_t width = mixed.size();
  RANKGRAD_EXPECTS(upstream.size() == width, "upstream and mixed differ in size");
  if (norm == 0) return;
  const T *const h = mixed.data(), *const g = upstream.data();
  const Pack<T> along(static_cast<T>(dot(h, g, width)));
  for (const MixingTerm& term : terms) {
    RANKGRAD_EXPECTS((term.negative + std::size_t{1}) * width <= gradient.size(), "a mixture names a negative that is not there");
    const Pack<T> w(static_cast<T>(term.weight / norm));
    T* const to = gradient.data() + term.negative * width;
    for_each_pack<T>(width, [&](std::size_t i, auto at) RANKGRAD_INLINE {
      at.store(to + i, fma(w, fnma(along, at.load(h + i, T(0)), at.load(g + i, T(0))), at.load(to + i, T(0))));
    });
  }
}

}  // namespace rankgrad
