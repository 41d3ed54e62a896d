// rankgrad/rankgrad.hpp: everything but the opt-in headers: exec/threads.hpp, exec/openmp.hpp, embedding/*, interop/*.
// SPDX-License-Identifier: MIT
#pragma once

// What a list, a batch, a gradient and a loss are; how they are evaluated.
#include <rankgrad/core/batch_evaluator.hpp>
#include <rankgrad/core/combinators.hpp>
#include <rankgrad/core/evaluate.hpp>
#include <rankgrad/core/random.hpp>

// Losses of single items, of pairs, of whole lists.
#include <rankgrad/listwise/approx_ndcg.hpp>
#include <rankgrad/listwise/approximate_ranks.hpp>
#include <rankgrad/listwise/entropy.hpp>
#include <rankgrad/listwise/softmax.hpp>
#include <rankgrad/pairwise/hinge.hpp>
#include <rankgrad/pairwise/lambdarank.hpp>
#include <rankgrad/pairwise/pairwise_softmax.hpp>
#include <rankgrad/pairwise/ranknet.hpp>
#include <rankgrad/pointwise/mean_squared_error.hpp>
#include <rankgrad/pointwise/sigmoid_cross_entropy.hpp>

// Curriculum weighting of any of the above.
#include <rankgrad/curriculum/curriculum.hpp>
#include <rankgrad/curriculum/difficulty.hpp>
#include <rankgrad/curriculum/schedule.hpp>

// Plackett-Luce: likelihoods, sampling, gradients of expected metrics.
#include <rankgrad/plackett_luce/exact_ties.hpp>
#include <rankgrad/plackett_luce/expected_metric.hpp>
#include <rankgrad/plackett_luce/hessian_vector_product.hpp>
#include <rankgrad/plackett_luce/list_mle.hpp>
#include <rankgrad/plackett_luce/pl_rank.hpp>
#include <rankgrad/plackett_luce/policy_gradient.hpp>
#include <rankgrad/plackett_luce/position_weights.hpp>
#include <rankgrad/plackett_luce/running_sums.hpp>
#include <rankgrad/plackett_luce/sampling.hpp>
#include <rankgrad/plackett_luce/scan.hpp>
#include <rankgrad/plackett_luce/target_order.hpp>

// Mann-Whitney AUC, whole and partial.
#include <rankgrad/auc/auc_margin.hpp>
#include <rankgrad/auc/classes.hpp>
#include <rankgrad/auc/kl_dro.hpp>
#include <rankgrad/auc/kl_dro_partial_auc.hpp>
#include <rankgrad/auc/mann_whitney.hpp>
#include <rankgrad/auc/moments.hpp>
#include <rankgrad/auc/partial_auc.hpp>
#include <rankgrad/auc/sweeps.hpp>

// Triplet losses over a similarity matrix, and the division of its noisy pairs.
#include <rankgrad/triplet/anchors.hpp>
#include <rankgrad/triplet/consensus_division.hpp>
#include <rankgrad/triplet/engine.hpp>
#include <rankgrad/triplet/hardest_negative.hpp>
#include <rankgrad/triplet/similarity_view.hpp>
#include <rankgrad/triplet/sum_hinge.hpp>
#include <rankgrad/triplet/triplet_log_sum_exp.hpp>

// Comparisons, with ties.
#include <rankgrad/bradley_terry/accuracy.hpp>
#include <rankgrad/bradley_terry/bradley_terry.hpp>
#include <rankgrad/bradley_terry/comparisons.hpp>
#include <rankgrad/bradley_terry/davidson.hpp>
#include <rankgrad/bradley_terry/engine.hpp>
#include <rankgrad/bradley_terry/pairing.hpp>
#include <rankgrad/bradley_terry/rao_kupper.hpp>
#include <rankgrad/bradley_terry/win_tie.hpp>

// Metrics.
#include <rankgrad/metric/answers.hpp>
#include <rankgrad/metric/auc.hpp>
#include <rankgrad/metric/average_precision.hpp>
#include <rankgrad/metric/efficiency.hpp>
#include <rankgrad/metric/gain_discount.hpp>
#include <rankgrad/metric/ndcg.hpp>
#include <rankgrad/metric/precision.hpp>
#include <rankgrad/metric/ranked.hpp>
#include <rankgrad/metric/reciprocal_rank.hpp>

// Is my own loss right?
#include <rankgrad/check/gradient_check.hpp>
