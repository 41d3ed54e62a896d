// train_reranker/trainer.cpp
// SPDX-License-Identifier: MIT
#include "trainer.hpp"

#include "common/adam.hpp"

#include <rankgrad/core/random.hpp>

#include <cmath>
#include <numeric>
#include <optional>

namespace reranker {
namespace {

/// Some queries of a data set, gathered so that the scorer sees one matrix and the loss one ragged batch.
struct MiniBatch {
  Matrix features;
  std::vector<float> labels, easiness;
  std::vector<std::uint32_t> offsets;

  void gather(const Dataset& data, std::span<const float> all_easiness, std::span<const std::size_t> queries) {
    offsets.assign(1, 0);
    labels.clear();
    easiness.clear();
    for (const std::size_t q : queries) offsets.push_back(offsets.back() + data.offsets[q + 1] - data.offsets[q]);
    features.resize(static_cast<Eigen::Index>(offsets.back()), data.features.cols());
    for (std::size_t b = 0; b < queries.size(); ++b) {
      const std::uint32_t first = data.offsets[queries[b]], count = offsets[b + 1] - offsets[b];
      features.middleRows(offsets[b], count) = data.features.middleRows(first, count);
      const auto append = [&](auto& to, std::span<const float> from) {
        if (!from.empty()) to.insert(to.end(), from.begin() + first, from.begin() + first + count);
      };
      append(labels, data.labels);
      append(easiness, all_easiness);
    }
  }
};

Training train_once(const Objective& objective, const Dataset& training, const Dataset& validation,
                    const TrainingOptions& options, double weight_decay, Progress& progress) {
  const Shape shape{training.features.cols(), options.hidden, options.activation};
  Training run{Scorer(shape, options.seed), weight_decay};
  Scorer scorer = run.scorer;
  examples::Adam<float> adam(shape.parameters(), options.learning_rate, weight_decay);
  ObjectiveEvaluator evaluate(objective);
  rankgrad::BatchEvaluator<float> measure;
  rankgrad::Random random(options.seed, 1);

  const std::vector<float> easiness = easiness_of(objective, training);
  std::vector<std::size_t> order(training.lists());
  std::iota(order.begin(), order.end(), std::size_t{0});
  MiniBatch batch;
  Scorer::Activations activations;
  Eigen::VectorXf score_gradient, gradient;

  for (std::size_t epoch = 0; epoch < options.epochs; ++epoch) {
    random.shuffle(order.data(), order.size());
    double loss = 0;
    std::size_t batches = 0;
    for (std::size_t first = 0; first < order.size(); first += options.batch_queries, ++batches) {
      const std::size_t count = std::min(options.batch_queries, order.size() - first);
      batch.gather(training, easiness, std::span(order).subspan(first, count));
      scorer.forward(batch.features, activations);
      score_gradient.resize(activations.scores.size());
      loss += evaluate({.scores = std::span<const float>(activations.scores.data(), batch.labels.size()),
                        .labels = batch.labels, .easiness = batch.easiness, .offsets = batch.offsets},
                       {.epoch = static_cast<double>(epoch), .seed = random.bits()},
                       std::span(score_gradient.data(), batch.labels.size()));
      scorer.backward(batch.features, activations, score_gradient, gradient);
      adam.step(scorer.parameters, gradient);
    }
    loss /= static_cast<double>(batches);
    if (!std::isfinite(loss) || !scorer.parameters.allFinite()) {
      run.diverged = true;
      progress.advance(options.epochs - epoch, objective.label);
      break;
    }
    const double ndcg = measure.metric(ndcg_at(10), validation.scored(scorer.scores(validation.features)));
    run.curve.push_back({loss, ndcg});
    progress.advance(1, objective.label);
    if (ndcg > run.validation_ndcg()) {
      run.best_epoch = epoch + 1;
      run.scorer = scorer;
    } else if (epoch + 1 >= run.best_epoch + options.patience) {
      progress.advance(options.epochs - epoch - 1, objective.label);
      break;
    }
  }
  return run;
}

}  // namespace

Training train(const Objective& objective, const Dataset& training, const Dataset& validation, const TrainingOptions& options,
               Progress& progress) {
  std::optional<Training> best;
  for (const double weight_decay : options.weight_decays) {
    Training run = train_once(objective, training, validation, options, weight_decay, progress);
    if (!best || run.validation_ndcg() > best->validation_ndcg()) best = std::move(run);
  }
  return std::move(*best);
}

}  // namespace reranker
