// train_reranker/evaluation.hpp: how good an order of the candidates is.
// SPDX-License-Identifier: MIT
#pragma once

#include "dataset.hpp"

#include <rankgrad/core/batch_evaluator.hpp>
#include <rankgrad/metric/average_precision.hpp>
#include <rankgrad/metric/ndcg.hpp>
#include <rankgrad/metric/reciprocal_rank.hpp>

namespace reranker {

/// Means over the queries that have a relevant document; a document is relevant where its label is above 0. NDCG with
/// gains 2^label - 1. Equal scores keep the order of the input.
struct Figures {
  double ndcg5 = 0, ndcg10 = 0, mrr = 0, map = 0;
};

inline rankgrad::Ndcg ndcg_at(std::size_t k) { return {.k = k, .no_relevant = rankgrad::NoRelevant::skip}; }

inline Figures figures(const Dataset& data, std::span<const float> scores) {
  rankgrad::BatchEvaluator<float> evaluate;
  const auto ranked = data.scored(scores);
  return {evaluate.metric(ndcg_at(5), ranked), evaluate.metric(ndcg_at(10), ranked),
          evaluate.metric(rankgrad::ReciprocalRank{.no_relevant = rankgrad::NoRelevant::skip}, ranked),
          evaluate.metric(rankgrad::AveragePrecision{.no_relevant = rankgrad::NoRelevant::skip}, ranked)};
}

}  // namespace reranker
