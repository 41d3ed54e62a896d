// experiments/support/lists.hpp: made-up queries with their candidates, and the metrics of an order.
// SPDX-License-Identifier: MIT
#pragma once

#include "scorer.hpp"

#include <rankgrad/core/batch_evaluator.hpp>

#include <algorithm>
#include <numeric>
#include <vector>

namespace experiments {

/// Queries with the same number of candidates each: query q has the rows q size .. (q + 1) size - 1.
struct Lists {
  std::size_t queries, size;
  Matrix features;
  std::vector<double> labels;
  std::vector<double> weights{};    ///< of the items, or empty
  std::vector<double> easiness{};   ///< for curricula, or empty
  std::vector<std::uint32_t> offsets;

  Lists(std::size_t queries_, std::size_t size_, Eigen::Index columns)
      : queries(queries_), size(size_), features(Matrix::Zero(static_cast<Eigen::Index>(queries_ * size_), columns)),
        labels(queries_ * size_), offsets(queries_ + 1) {
    for (std::size_t q = 0; q <= queries; ++q) offsets[q] = static_cast<std::uint32_t>(q * size);
  }

  std::size_t items() const { return labels.size(); }

  rankgrad::RaggedBatch<double> batch(const Vector& scores) const {
    return {.scores = {scores.data(), items()}, .labels = labels, .weights = weights, .easiness = easiness, .offsets = offsets};
  }

  /// Some of the queries, copied.
  Lists part(std::span<const std::size_t> chosen) const {
    Lists some(chosen.size(), size, features.cols());
    if (!weights.empty()) some.weights.resize(some.items());
    if (!easiness.empty()) some.easiness.resize(some.items());
    const auto rows = static_cast<Eigen::Index>(size);
    for (std::size_t c = 0; c < chosen.size(); ++c) {
      const std::size_t from = chosen[c] * size, to = c * size;
      some.features.middleRows(static_cast<Eigen::Index>(to), rows) = features.middleRows(static_cast<Eigen::Index>(from), rows);
      std::copy_n(labels.data() + from, size, some.labels.data() + to);
      if (!weights.empty()) std::copy_n(weights.data() + from, size, some.weights.data() + to);
      if (!easiness.empty()) std::copy_n(easiness.data() + from, size, some.easiness.data() + to);
    }
    return some;
  }

  template <class M>
  double mean(const M& metric, const Vector& scores) const {
    return rankgrad::BatchEvaluator<double>().metric(metric, batch(scores));
  }
};

/// Calls each(part) for mini-batches of `count` queries in a new random order.
template <class Each>
void for_each_batch(const Lists& lists, std::size_t count, rankgrad::Random& random, const Each& each) {
  std::vector<std::size_t> order(lists.queries);
  std::iota(order.begin(), order.end(), std::size_t{0});
  random.shuffle(order.data(), order.size());
  for (std::size_t first = 0; first < order.size(); first += count)
    each(lists.part(std::span(order).subspan(first, std::min(count, order.size() - first))));
}

/// Spearman's correlation of what queries of `size` candidates have in a and in b, mean over the queries.
inline double spearman(const std::vector<double>& a, const std::vector<double>& b, std::size_t size) {
  double total = 0;
  for (std::size_t from = 0; from < a.size(); from += size) {
    const auto ranks = [&](const std::vector<double>& of) {   // less their mean; ties share one
      Vector rank = Vector::Zero(static_cast<Eigen::Index>(size));
      for (std::size_t i = 0; i < size * size; ++i) {
        const double x = of[from + i / size], y = of[from + i % size];
        rank[static_cast<Eigen::Index>(i / size)] += 0.5 * ((x > y) - (x < y));
      }
      return rank;
    };
    total += ranks(a).normalized().dot(ranks(b).normalized());
  }
  return total * static_cast<double>(size) / static_cast<double>(a.size());
}

/// One scorer in training. The derivatives of the loss come from the library, the rest is the chain rule.
class Trainer {
 public:
  Scorer scorer;
  examples::Adam<double> adam;

  Trainer(Scorer start, double rate) : scorer(std::move(start)), adam(scorer.parameters.size(), rate) {}

  template <class L>
  void step(const Lists& lists, const L& loss) {
    const Vector scores = scorer.forward(lists.features);
    Vector gradient(scores.size());
    evaluate_(loss, lists.batch(scores), std::span(gradient.data(), lists.items()), rankgrad::Reduction::sum);
    adam.step(scorer.parameters, scorer.backward(lists.features, gradient));
  }

 private:
  rankgrad::BatchEvaluator<double> evaluate_;
};

/// A wrong arm for every loss: uphill.
template <class L>
struct Flipped {
  L loss{};
  rankgrad::Scope scope = rankgrad::scope_of(loss);

  template <rankgrad::Real T>
  rankgrad::Contribution<T> value_and_gradient(rankgrad::ListView<T> list, rankgrad::GradientSink<T> out,
                                               rankgrad::Workspace& workspace) const {
    return loss.value_and_gradient(list, out.scaled(T(-1)), workspace);
  }
};
template <class L>
Flipped<L> flipped(const L& loss) { return {loss}; }

}  // namespace experiments
