// Literal definitions of the losses over embeddings that look at pairs: sigmoid, triplets, multi-similarity.
#pragma once

#include "embedding/properties.hpp"
#include "properties/every_loss.hpp"

#include <rankgrad/embedding/in_batch_multi_similarity.hpp>
#include <rankgrad/embedding/in_batch_sigmoid.hpp>
#include <rankgrad/embedding/in_batch_triplet.hpp>

namespace test {

template <>
struct EmbeddingOracle<rg::InBatchSigmoid> {
  using L = rg::InBatchSigmoid;

  static std::vector<L> instances() {
    return {{},
            {.temperature = 0.07, .bias = -3, .similarity = rg::Similarity::cosine},
            {.temperature = 0.5, .bias = 0.3, .normalize = rg::Normalize::sum},
            {.temperature = 0.01, .bias = -16.5, .similarity = rg::Similarity::cosine}};
  }
  static EmbeddingTraits traits(const L&) { return {.weights_repeat = true, .one_is_nothing = false}; }
  static bool takes_own_negatives(const L&) { return true; }
  static std::vector<Refused<L>> refused() {
    return {{{.temperature = 0}, "InBatchSigmoid.temperature is 0; it must be finite and above 0"},
            {{.bias = std::numeric_limits<double>::infinity()}, "InBatchSigmoid.bias is inf; it must be finite"}};
  }

  static Derivatives define(const L& loss, const SimilarityMatrix& m) {
    const long double tau = loss.temperature, total = std::accumulate(m.weights.begin(), m.weights.end(), 0.0L);
    Derivatives result{0, total > 0, std::vector<long double>(m.similarity.size())};
    for (std::size_t i = 0; i < m.rows && result.valid; ++i) {
      const long double weight = m.weights[i] / (loss.normalize == rg::Normalize::mean ? total : 1);
      const auto add = [&](std::size_t place, long double z, long double bias) {
        const long double x = m.similarity[place] / tau + bias + static_cast<long double>(loss.bias);
        result.value += weight * softplus(-z * x);
        result.slopes[place] = -weight * z * sigmoid(-z * x) / tau;
      };
      for (std::size_t j = 0; j < m.columns; ++j)
        if (!m.left_out[m.at(i, j)]) add(m.at(i, j), m.positive[m.at(i, j)] ? 1 : -1, m.bias[j]);
      m.for_own(i, [&](std::size_t place) { add(place, -1, 0); });
    }
    return result;
  }
};

/// The rows, or the columns, of a matrix as anchors: who is their positive, who their negative.
struct PairsOfAnchor {
  std::vector<std::size_t> positives, negatives;   ///< places in the matrix
  long double weight = 0;

  bool counts() const { return !positives.empty() && !negatives.empty() && weight > 0; }
};
inline std::vector<PairsOfAnchor> anchors_of(const SimilarityMatrix& m, bool by_column) {
  std::vector<PairsOfAnchor> rows(m.rows), columns(m.columns);
  for (std::size_t i = 0; i < m.rows; ++i) {
    rows[i].weight = m.weights[i];
    for (std::size_t j = 0; j < m.columns; ++j) {
      if (m.left_out[m.at(i, j)]) continue;
      for (PairsOfAnchor* a : {&rows[i], &columns[j]}) (m.positive[m.at(i, j)] ? a->positives : a->negatives).push_back(m.at(i, j));
    }
    for (const std::size_t place : rows[i].positives)
      columns[place % m.columns].weight += m.weights[i] / static_cast<long double>(rows[i].positives.size());
  }
  return by_column ? columns : rows;
}
/// add(anchor, factor, similarities with bias, result) for the anchors that count.
template <class Add>
void add_anchors(const SimilarityMatrix& m, bool by_column, rg::Normalize normalize, Derivatives& result, const Add& add) {
  std::vector<long double> s = m.similarity;
  for (std::size_t e = 0; e < s.size(); ++e) s[e] += m.bias[e % m.columns];
  const std::vector<PairsOfAnchor> anchors = anchors_of(m, by_column);
  long double total = 0;
  for (const PairsOfAnchor& a : anchors) total += a.counts() ? a.weight : 0;
  result.valid = result.valid || total > 0;
  for (const PairsOfAnchor& a : anchors)
    if (a.counts()) add(a, a.weight / (normalize == rg::Normalize::mean ? total : 1), s);
}

template <class L>
struct EmbeddingOracle<rg::InBatchTriplet<L>> {
  using Loss = rg::InBatchTriplet<L>;

  static Loss with(double margin, double temperature, rg::Direction direction, rg::Normalize normalize, rg::Similarity similarity) {
    Loss all{.similarity = similarity};
    all.loss.margin = margin, all.loss.temperature = temperature, all.loss.direction = direction, all.loss.normalize = normalize;
    return all;
  }
  static std::vector<Loss> instances() {
    using rg::Direction, rg::Similarity, rg::Normalize;
    return {{},
            with(0.3, 0.05, Direction::rows, Normalize::sum, Similarity::cosine),
            with(0.2, 0.3, Direction::columns, Normalize::mean, Similarity::dot),
            with(-0.1, 0.1, Direction::both, Normalize::mean, Similarity::cosine)};
  }
  static EmbeddingTraits traits(const Loss& loss) {
    return {.smooth = false, .weights_repeat = loss.loss.direction == rg::Direction::rows,
            .compares = std::is_same_v<L, rg::HardestNegativeTriplet>};
  }
  static std::vector<Refused<Loss>> refused() {
    return {{{.loss = {.temperature = 0}}, "the temperature of a triplet loss is 0; it must be finite and above 0"},
            {{.loss = {.margin = std::numeric_limits<double>::infinity()}}, "the margin of a triplet loss is inf; it must be finite"}};
  }

  static Derivatives define(const Loss& all, const SimilarityMatrix& m) {
    const long double tau = all.loss.temperature, margin = all.loss.margin;
    Derivatives result{0, false, std::vector<long double>(m.similarity.size())};
    for (const bool by_column : {false, true}) {
      if (all.loss.direction == (by_column ? rg::Direction::rows : rg::Direction::columns)) continue;
      add_anchors(m, by_column, all.loss.normalize, result, [&](const PairsOfAnchor& a, long double factor, const auto& s) {
        const auto highest_of = [&](const std::vector<std::size_t>& places) {
          return *std::max_element(places.begin(), places.end(), [&](std::size_t p, std::size_t q) { return s[p] < s[q]; });
        };
        const auto exponentials = [&](const std::vector<std::size_t>& places, long double top) {
          long double sum = 0;
          for (const std::size_t p : places) sum += expl((s[p] - top) / tau);
          return sum;
        };
        const long double top = s[highest_of(a.positives)], sum = exponentials(a.positives, top);
        long double positive = 0, pull = 0;
        for (const std::size_t p : a.positives) positive += expl((s[p] - top) / tau) / sum * s[p];
        if constexpr (std::is_same_v<L, rg::SumHingeTriplet>) {
          for (const std::size_t p : a.negatives) {
            const long double h = margin - positive + s[p];
            if (h <= 0) continue;
            result.value += factor * h, result.slopes[p] += factor, pull += 1;
          }
        } else {
          const std::size_t hardest = highest_of(a.negatives);
          const bool soft = std::is_same_v<L, rg::TripletLogSumExp>;
          const long double others = exponentials(a.negatives, s[hardest]), h = margin - positive + s[hardest] + (soft ? tau * logl(others) : 0);
          if (h <= 0) return;
          result.value += factor * h, pull = 1;
          if (!soft) result.slopes[hardest] += factor;
          for (const std::size_t p : a.negatives)
            if (soft) result.slopes[p] += factor * expl((s[p] - s[hardest]) / tau) / others;
        }
        for (const std::size_t p : a.positives) result.slopes[p] -= factor * pull * expl((s[p] - top) / tau) / sum;
      });
    }
    return result;
  }
};

template <>
struct EmbeddingOracle<rg::InBatchMultiSimilarity> {
  using L = rg::InBatchMultiSimilarity;

  static std::vector<L> instances() {
    return {{},
            {.alpha = 2, .beta = 40, .base = 0.5, .similarity = rg::Similarity::cosine},
            {.alpha = 3, .beta = 5, .base = -0.2, .mining = std::nullopt, .normalize = rg::Normalize::sum},
            {.alpha = 10, .beta = 1, .base = 1, .mining = 0.03, .similarity = rg::Similarity::cosine}};
  }
  static EmbeddingTraits traits(const L& loss) { return {.smooth = !loss.mining, .weights_repeat = true}; }
  static std::vector<Refused<L>> refused() {
    return {{{.alpha = 0}, "MultiSimilarity.alpha is 0; it must be finite and above 0"},
            {{.beta = -1}, "MultiSimilarity.beta is -1; it must be finite and above 0"},
            {{.base = std::numeric_limits<double>::infinity()}, "MultiSimilarity.base is inf; it must be finite"},
            {{.mining = -0.1}, "MultiSimilarity.mining is -0.1; it must be finite and at least 0"}};
  }

  static Derivatives define(const L& loss, const SimilarityMatrix& m) {
    Derivatives result{0, false, std::vector<long double>(m.similarity.size())};
    add_anchors(m, false, loss.normalize, result, [&](const PairsOfAnchor& a, long double factor, const auto& s) {
      for (const int sign : {-1, 1}) {
        const auto& own = sign < 0 ? a.positives : a.negatives;
        const auto& other = sign < 0 ? a.negatives : a.positives;
        const long double steep = sign < 0 ? loss.alpha : loss.beta;
        std::vector<std::size_t> mined;
        for (const std::size_t p : own) {
          const auto harder = [&](std::size_t q) { return sign * (s[p] - s[q]) > -static_cast<long double>(loss.mining.value_or(0)); };
          if (!loss.mining || std::any_of(other.begin(), other.end(), harder)) mined.push_back(p);
        }
        const auto exponent = [&](std::size_t p) { return sign * steep * (s[p] - static_cast<long double>(loss.base)); };
        long double top = 0, sum = 0;
        for (const std::size_t p : mined) top = std::max(top, exponent(p));
        for (const std::size_t p : mined) sum += expl(exponent(p) - top);
        result.value += factor * (top > 0 ? top + logl(expl(-top) + sum) : log1pl(sum)) / steep;
        for (const std::size_t p : mined) result.slopes[p] = factor * sign * expl(exponent(p) - top) / (expl(-top) + sum);
      }
    });
    return result;
  }
};

}  // namespace test
