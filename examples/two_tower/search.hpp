// two_tower/search.hpp: two linear towers, the search with them, and a reranker for what is found.
// SPDX-License-Identifier: MIT
#pragma once

#include "common/adam.hpp"
#include "corpus.hpp"

#include <rankgrad/core/batch_evaluator.hpp>
#include <rankgrad/listwise/softmax.hpp>
#include <rankgrad/metric/auc.hpp>

namespace two_tower {

/// Queries and documents each times a matrix of their own. The third parameter is the logarithm of 1 / temperature.
class Towers {
 public:
  Towers(Eigen::Index features, Eigen::Index dimension, double temperature, double rate, std::uint64_t seed)
      : features_(features), dimension_(dimension), parameters_(2 * size() + 1), gradient_(parameters_.size()), adam_(parameters_.size(), rate) {
    rankgrad::Random random(seed, 1);
    for (float& w : parameters_) w = static_cast<float>(random.normal() / std::sqrt(static_cast<double>(features)));
    parameters_[2 * size()] = static_cast<float>(-std::log(temperature));
  }
  Eigen::Index dimension() const { return dimension_; }
  double temperature() const { return std::exp(-static_cast<double>(parameters_[2 * size()])); }

  Matrix queries(const Matrix& x) const { return x * weights(0); }
  Matrix documents(const Matrix& x) const { return x * weights(size()); }

  /// What a batch adds to the gradient, from the gradients by its embeddings.
  Eigen::VectorXf& backward(const Matrix& queries, const Matrix& by_queries, const Matrix& documents, const Matrix& by_documents,
                            double by_log_scale) {
    Eigen::Map<Matrix>(gradient_.data(), features_, dimension_).noalias() = queries.transpose() * by_queries;
    Eigen::Map<Matrix>(gradient_.data() + size(), features_, dimension_).noalias() = documents.transpose() * by_documents;
    gradient_[2 * size()] = static_cast<float>(by_log_scale);
    return gradient_;
  }
  void step() { adam_.step(parameters_, gradient_); }

 private:
  Eigen::Index size() const { return features_ * dimension_; }
  Eigen::Map<const Matrix> weights(Eigen::Index at) const { return {parameters_.data() + at, features_, dimension_}; }

  Eigen::Index features_, dimension_;
  Eigen::VectorXf parameters_, gradient_;
  examples::Adam<float> adam_;
};

/// The `top` documents of every query by cosine, best first: [queries, top].
struct Found {
  std::size_t top;
  std::vector<Eigen::Index> document;
  std::vector<float> score;
};
inline Found search(const Towers& towers, const Matrix& queries, const Matrix& documents, std::size_t top) {
  const Matrix q = towers.queries(queries).rowwise().normalized(), d = towers.documents(documents).rowwise().normalized();
  top = std::min(top, static_cast<std::size_t>(d.rows()));
  Found found{top, {}, {}};
  std::vector<Eigen::Index> order(static_cast<std::size_t>(d.rows()));
  for (Eigen::Index i = 0; i < q.rows(); ++i) {
    const Eigen::VectorXf score = d * q.row(i).transpose();
    std::iota(order.begin(), order.end(), Eigen::Index{0});
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(top), order.end(),
                      [&](auto a, auto b) { return score[a] != score[b] ? score[a] > score[b] : a < b; });
    for (std::size_t k = 0; k < top; ++k) {
      found.document.push_back(order[k]);
      found.score.push_back(score[order[k]]);
    }
  }
  return found;
}

/// How often the relevant document is among those found, and the means of 1 / log2(1 + its rank) and 1 / its rank, where it is
/// not, 0.
struct Quality {
  double recall = 0, ndcg = 0, reciprocal_rank = 0;
};
inline Quality judge(const Found& found, const std::vector<Eigen::Index>& relevant, std::size_t first = 0) {
  Quality quality;
  const std::size_t queries = found.document.size() / found.top;
  for (std::size_t i = 0; i < queries; ++i)
    for (std::size_t k = 0; k < found.top; ++k)
      if (found.document[i * found.top + k] == relevant[first + i]) {
        quality.recall += 1 / static_cast<double>(queries);
        quality.ndcg += 1 / (std::log2(static_cast<double>(k + 2)) * static_cast<double>(queries));
        quality.reciprocal_rank += 1 / static_cast<double>((k + 1) * queries);
      }
  return quality;
}

/// How often a query and its document have a higher cosine than a query and another document: the same query, or any.
struct Areas {
  double all = 0, each = 0;
};
inline Areas areas_of(const Towers& towers, const Matrix& queries, const Corpus& corpus, std::size_t first = 0) {
  const Matrix q = towers.queries(queries).rowwise().normalized();
  const Matrix d = towers.documents(corpus.documents).rowwise().normalized(), cosine = q * d.transpose();
  const auto columns = static_cast<std::size_t>(d.rows()), n = static_cast<std::size_t>(cosine.size());
  std::vector<float> labels(n);
  std::vector<std::uint32_t> offsets{0};
  for (std::size_t at = 0; at < n; at += columns) {
    labels[at + static_cast<std::size_t>(corpus.relevant[first + at / columns])] = 1;
    offsets.push_back(static_cast<std::uint32_t>(at + columns));
  }
  const rankgrad::RaggedBatch<float> lists{.scores = {cosine.data(), n}, .labels = labels, .offsets = offsets};
  return {static_cast<double>(rankgrad::value(rankgrad::Auc{}, lists.pooled())),
          rankgrad::BatchEvaluator<float>{}.metric(rankgrad::Auc{}, lists)};
}

/// A linear model over what the search said and what it could not see, trained by a softmax over each query's own candidates.
class Reranker {
 public:
  static constexpr Eigen::Index features = 3;

  /// One step over all lists; returns the loss.
  double train(const Found& found, const Matrix& documents, const std::vector<Eigen::Index>& relevant) {
    const Matrix x = features_of(found, documents);
    const Eigen::VectorXf scores = x * weights_;
    std::vector<float> labels(found.document.size()), gradient(labels.size());
    std::vector<std::uint32_t> offsets;
    for (std::size_t k = 0; k < labels.size(); ++k) labels[k] = found.document[k] == relevant[k / found.top];
    for (std::size_t at = 0; at <= labels.size(); at += found.top) offsets.push_back(static_cast<std::uint32_t>(at));
    const rankgrad::RaggedBatch<float> batch{.scores = {scores.data(), labels.size()}, .labels = labels, .offsets = offsets};
    const float value = evaluate_(rankgrad::Softmax{}, batch, gradient);
    adam_.step(weights_, x.transpose() * Eigen::Map<const Eigen::VectorXf>(gradient.data(), x.rows()));
    return static_cast<double>(value);
  }

  /// The same documents in a better order.
  Found rerank(const Found& found, const Matrix& documents) const {
    const Eigen::VectorXf scores = features_of(found, documents) * weights_;
    Found better = found;
    std::vector<std::size_t> order(found.top);
    for (std::size_t begin = 0; begin < found.document.size(); begin += found.top) {
      std::iota(order.begin(), order.end(), begin);
      const auto at = [&](std::size_t k) { return scores[static_cast<Eigen::Index>(k)]; };
      std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return at(a) > at(b); });
      for (std::size_t k = 0; k < found.top; ++k) {
        better.document[begin + k] = found.document[order[k]];
        better.score[begin + k] = at(order[k]);
      }
    }
    return better;
  }

 private:
  static Matrix features_of(const Found& found, const Matrix& documents) {
    Matrix x(static_cast<Eigen::Index>(found.document.size()), features);
    for (Eigen::Index k = 0; k < x.rows(); ++k) {
      const float score = 10 * found.score[static_cast<std::size_t>(k)], popular = std::abs(documents(found.document[static_cast<std::size_t>(k)], 0));
      x.row(k) << score, popular, popular * popular;
    }
    return x;
  }

  Eigen::VectorXf weights_ = Eigen::VectorXf::Zero(features);
  examples::Adam<float> adam_{features, 0.1};
  rankgrad::BatchEvaluator<float> evaluate_;
};

}  // namespace two_tower
