// The literal definition of InBatchMannWhitney: pair by pair.
#pragma once

#include "embedding/every_embedding_loss.hpp"
#include "properties/every_loss.hpp"

#include <rankgrad/embedding/in_batch_mann_whitney.hpp>

namespace test {

template <>
struct EmbeddingOracle<rg::InBatchMannWhitney> {
  using L = rg::InBatchMannWhitney;

  static std::vector<L> instances() {
    using rg::Scope, rg::Similarity, rg::Normalize;
    return {{},
            {.temperature = 0.01, .similarity = Similarity::cosine},
            {.temperature = 0.25, .normalize = Normalize::sum},
            {.temperature = 0.1, .scope = Scope::list},
            {.temperature = 0.3, .scope = Scope::list, .similarity = Similarity::cosine, .normalize = Normalize::sum}};
  }
  static EmbeddingTraits traits(const L&) { return {.weights_repeat = true}; }
  static std::vector<Refused<L>> refused() {
    return {{{.temperature = 0}, "InBatchMannWhitney.temperature is 0; it must be finite and above 0"},
            {{.temperature = std::numeric_limits<double>::quiet_NaN()}, "InBatchMannWhitney.temperature is"}};
  }

  static Derivatives define(const L& loss, const SimilarityMatrix& m) {
    Derivatives result{0, false, std::vector<long double>(m.similarity.size())};
    const bool list = loss.scope == rg::Scope::list;
    long double rows = 0;
    for (std::size_t first = 0; first < (list ? m.rows : std::min<std::size_t>(1, m.rows)); ++first) {
      const std::size_t last = list ? first + 1 : m.rows;
      const long double outer = list ? m.weights[first] : 1;
      long double positives = 0, negatives = 0;
      const auto weight = [&](std::size_t i) { return list ? 1 : m.weights[i]; };
      const auto for_each = [&](bool positive, const auto& body) {
        for (std::size_t i = first; i < last; ++i)
          for (std::size_t j = 0; j < m.columns; ++j)
            if (m.positive[m.at(i, j)] == positive && (positive || !m.left_out[m.at(i, j)])) body(i, j);
      };
      for_each(true, [&](std::size_t i, std::size_t) { positives += weight(i); });
      for_each(false, [&](std::size_t i, std::size_t) { negatives += weight(i); });
      if (!(outer * positives * negatives > 0)) continue;
      rows += outer;
      const long double factor = outer / (loss.normalize == rg::Normalize::mean ? positives * negatives : 1);
      for_each(true, [&](std::size_t i, std::size_t j) {
        for_each(false, [&](std::size_t a, std::size_t b) {
          const std::size_t p = m.at(i, j), n = m.at(a, b);
          const long double x = (m.similarity[n] - m.similarity[p]) / static_cast<long double>(loss.temperature) + m.bias[b] - m.bias[j];
          const long double w = factor * weight(i) * weight(a), slope = w * sigmoid(x) / static_cast<long double>(loss.temperature);
          result.value += w * softplus(x);
          result.slopes[n] += slope;
          result.slopes[p] -= slope;
        });
      });
    }
    result.valid = rows > 0;
    if (!list || loss.normalize == rg::Normalize::sum || !result.valid) return result;
    result.value /= rows;
    for (long double& slope : result.slopes) slope /= rows;
    return result;
  }
};

}  // namespace test
