// Random tokens with logits, and derivatives of a definition in long double by differences.
#pragma once

#include "support/catch.hpp"

#include <rankgrad/tokens/token_view.hpp>

#include <cmath>
#include <random>
#include <vector>

namespace test {

namespace rg = rankgrad;

template <class T>
struct TokenBatch {
  std::size_t vocabulary = 0;
  std::vector<T> logits;
  std::vector<std::uint32_t> targets, offsets;
  std::vector<T> weights, sequence_weights;
  std::vector<std::uint8_t> mask;

  TokenBatch(std::vector<std::uint32_t> bounds, std::size_t V, unsigned seed, double spread = 2) : vocabulary(V), offsets(bounds) {
    std::mt19937 random(seed);
    std::normal_distribution<double> normal(0, spread);
    std::uniform_int_distribution<std::uint32_t> token(0, static_cast<std::uint32_t>(V - 1));
    for (std::size_t t = 0; t < bounds.back(); ++t) targets.push_back(token(random));
    for (std::size_t k = 0; k < bounds.back() * V; ++k) logits.push_back(static_cast<T>(normal(random)));
  }
  template <class U>
  TokenBatch<U> as() const {
    TokenBatch<U> other({0}, vocabulary, 0);
    other.logits.assign(logits.begin(), logits.end());
    other.targets = targets;
    other.offsets = offsets;
    other.weights.assign(weights.begin(), weights.end());
    other.sequence_weights.assign(sequence_weights.begin(), sequence_weights.end());
    other.mask = mask;
    return other;
  }
  /// Weights of both kinds (one of them 0) and a mask.
  void decorate() {
    for (std::size_t t = 0; t < targets.size(); ++t) {
      weights.push_back(T(0.5) * T(t % 4));
      mask.push_back(t % 5 != 2);
    }
    for (std::size_t q = 0; q + 1 < offsets.size(); ++q) sequence_weights.push_back(T(1) + T(q));
  }
  rg::TokenView<T> view() const {
    return {.logits = logits, .vocabulary = vocabulary, .targets = targets, .offsets = offsets, .weights = weights,
            .sequence_weights = sequence_weights, .mask = mask};
  }
};

using Logits = std::vector<long double>;

inline long double log_sum_exp(const long double* z, std::size_t n) {
  long double top = z[0], sum = 0;
  for (std::size_t v = 1; v < n; ++v) top = std::max(top, z[v]);
  for (std::size_t v = 0; v < n; ++v) sum += std::exp(z[v] - top);
  return top + std::log(sum);
}
inline Logits probabilities(const long double* z, std::size_t n) {
  const long double all = log_sum_exp(z, n);
  Logits p;
  for (std::size_t v = 0; v < n; ++v) p.push_back(std::exp(z[v] - all));
  return p;
}

/// The definition at the logits of `batch` with entry k moved by `step`.
template <class Definition, class V>
long double moved(const Definition& definition, std::vector<V> x, std::size_t k, long double step) {
  Logits z(x.begin(), x.end());
  if (k < z.size()) z[k] += step;
  return definition(z);
}
template <class Definition, class V>
long double first_derivative(const Definition& definition, const std::vector<V>& x, std::size_t k, long double step = 1e-5L) {
  return (moved(definition, x, k, step) - moved(definition, x, k, -step)) / (2 * step);
}
template <class Definition, class V>
long double second_derivative(const Definition& definition, const std::vector<V>& x, std::size_t k, long double step = 1e-4L) {
  return (moved(definition, x, k, step) - 2 * moved(definition, x, k, 0) + moved(definition, x, k, -step)) / (step * step);
}

}  // namespace test
