// experiments/support/sampled_gradients.hpp: the sampled gradients of expected NDCG that are compared, and their moments.
// SPDX-License-Identifier: MIT
#pragma once

#include "scorer.hpp"

#include <rankgrad/core/evaluate.hpp>
#include <rankgrad/plackett_luce/pl_rank.hpp>
#include <rankgrad/plackett_luce/policy_gradient.hpp>

#include <utility>
#include <vector>

namespace experiments {

struct List {
  std::vector<double> scores, labels;
  rankgrad::ListView<double> view() const { return {.scores = scores, .labels = labels}; }
};

inline rankgrad::PgRank reinforce(std::size_t k, std::size_t samples) {
  return {.k = k, .samples = samples, .baseline = rankgrad::Baseline::none};
}
inline rankgrad::PgRank leave_one_out(std::size_t k, std::size_t samples) {
  return {.k = k, .samples = samples, .baseline = rankgrad::Baseline::leave_one_out};
}
inline rankgrad::PlRank pl_rank_1(std::size_t k, std::size_t samples) {
  return {.variant = rankgrad::PlRankVariant::pl_rank_1, .k = k, .samples = samples};
}
inline rankgrad::PlRank pl_rank_3(std::size_t k, std::size_t samples) {
  return {.variant = rankgrad::PlRankVariant::pl_rank_3, .k = k, .samples = samples};
}

/// Mean and variance of the components over many estimates, each with a seed of its own.
template <class Loss>
std::pair<Vector, Vector> moments(Loss loss, const List& list, int estimates) {
  const auto n = static_cast<Eigen::Index>(list.scores.size());
  Vector gradient(n), mean = Vector::Zero(n), square = Vector::Zero(n);
  rankgrad::Workspace workspace;
  for (int e = 0; e < estimates; ++e, ++loss.seed) {
    rankgrad::value_and_gradient(loss, list.view(), {gradient.data(), list.scores.size()}, workspace);
    mean += gradient / estimates;
    square += gradient.cwiseAbs2() / estimates;
  }
  return {mean, square - mean.cwiseAbs2()};
}

}  // namespace experiments
