// rankgrad/rankgrad.hpp: everything but the opt-in headers: distributed/threads.hpp, exec/threads.hpp, exec/openmp.hpp,
// interop/*, and what needs Eigen (embedding/low_rank_sparse_head.hpp).
// SPDX-License-Identifier: MIT
#pragma once

// What a list, a batch, a gradient and a loss are; how they are evaluated.
#include <rankgrad/core/batch_evaluator.hpp>
#include <rankgrad/core/combinators.hpp>
#include <rankgrad/core/evaluate.hpp>
#include <rankgrad/core/random.hpp>

// Losses of single items, of pairs, of whole lists.
#include <rankgrad/listwise/adr_mse.hpp>
#include <rankgrad/listwise/approx_mrr.hpp>
#include <rankgrad/listwise/approx_ndcg.hpp>
#include <rankgrad/listwise/approximate_ranks.hpp>
#include <rankgrad/listwise/attention_rank.hpp>
#include <rankgrad/listwise/comparative.hpp>
#include <rankgrad/listwise/entropy.hpp>
#include <rankgrad/listwise/jensen_shannon.hpp>
#include <rankgrad/listwise/reciprocal_rank_listnet.hpp>
#include <rankgrad/listwise/softmax.hpp>
#include <rankgrad/pairwise/exponential.hpp>
#include <rankgrad/pairwise/hinge.hpp>
#include <rankgrad/pairwise/lambda_loss.hpp>
#include <rankgrad/pairwise/lambdarank.hpp>
#include <rankgrad/pairwise/pairwise_softmax.hpp>
#include <rankgrad/pairwise/rank_margin.hpp>
#include <rankgrad/pairwise/rank_weighted_ranknet.hpp>
#include <rankgrad/pairwise/ranknet.hpp>
#include <rankgrad/pairwise/soft_zero_one.hpp>
#include <rankgrad/pointwise/confusion_loss.hpp>
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
#include <rankgrad/triplet/euclidean_triplet.hpp>
#include <rankgrad/triplet/hardest_negative.hpp>
#include <rankgrad/triplet/multi_similarity.hpp>
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

// Contrastive losses over candidates and similarity matrices; local features.
#include <rankgrad/contrastive/arcface.hpp>
#include <rankgrad/contrastive/distribution_alignment.hpp>
#include <rankgrad/contrastive/grouped_similarity_view.hpp>
#include <rankgrad/contrastive/hard_negative_mixing.hpp>
#include <rankgrad/contrastive/info_nce.hpp>
#include <rankgrad/contrastive/mining.hpp>
#include <rankgrad/contrastive/orthogonality.hpp>
#include <rankgrad/contrastive/soft_label.hpp>
#include <rankgrad/contrastive/symmetric_info_nce.hpp>
#include <rankgrad/contrastive/weight_direction.hpp>
#include <rankgrad/local_features/mutual_nearest.hpp>
#include <rankgrad/local_features/pooling.hpp>
#include <rankgrad/local_features/pseudo_correspondence.hpp>
#include <rankgrad/local_features/spatial_alignment.hpp>

// From embeddings, all queries against all documents of a batch, the matrix of similarities never in memory; or each against
// candidates of its own.
#include <rankgrad/embedding/candidate_lists.hpp>
#include <rankgrad/embedding/class_positives.hpp>
#include <rankgrad/embedding/embedding_evaluator.hpp>
#include <rankgrad/embedding/gradient_cache.hpp>
#include <rankgrad/embedding/in_batch_arcface.hpp>
#include <rankgrad/embedding/in_batch_info_nce.hpp>
#include <rankgrad/embedding/in_batch_mann_whitney.hpp>
#include <rankgrad/embedding/in_batch_multi_similarity.hpp>
#include <rankgrad/embedding/in_batch_sigmoid.hpp>
#include <rankgrad/embedding/in_batch_triplet.hpp>
#include <rankgrad/embedding/mutual_nearest_features.hpp>

// Weights from losses; risks; coupled propensities; learned weights.
#include <rankgrad/reweighting/coupled_propensity.hpp>
#include <rankgrad/reweighting/loss_weights.hpp>
#include <rankgrad/reweighting/meta_rescaling.hpp>
#include <rankgrad/reweighting/reweighted.hpp>
#include <rankgrad/reweighting/risk.hpp>
#include <rankgrad/reweighting/training_dynamics.hpp>

// Language models: tokens, preferences, policy gradients with their rewards, scores.
#include <rankgrad/tokens/cross_entropy.hpp>
#include <rankgrad/tokens/evaluator.hpp>
#include <rankgrad/tokens/log_probabilities.hpp>
#include <rankgrad/tokens/pairwise_listwise.hpp>
#include <rankgrad/tokens/rank_importance.hpp>
#include <rankgrad/tokens/reduction.hpp>
#include <rankgrad/tokens/sequence_score.hpp>
#include <rankgrad/tokens/token_view.hpp>
#include <rankgrad/tokens/unlikelihood.hpp>
#include <rankgrad/preference/accuracy.hpp>
#include <rankgrad/preference/difficulty.hpp>
#include <rankgrad/preference/dpo.hpp>
#include <rankgrad/preference/ipo.hpp>
#include <rankgrad/preference/preference_view.hpp>
#include <rankgrad/preference/simpo.hpp>
#include <rankgrad/preference/slic_hinge.hpp>
#include <rankgrad/policy/group_advantage.hpp>
#include <rankgrad/policy/grpo.hpp>
#include <rankgrad/policy/rollouts.hpp>
#include <rankgrad/reward/format_and_accuracy.hpp>
#include <rankgrad/reward/group_ranking.hpp>
#include <rankgrad/reward/predicted_order.hpp>
#include <rankgrad/reward/rank_biased_overlap.hpp>
#include <rankgrad/reward/rank_rewards.hpp>
#include <rankgrad/reward/setwise.hpp>
#include <rankgrad/reward/tagged_answer.hpp>
#include <rankgrad/scoring/attention.hpp>
#include <rankgrad/scoring/consensus.hpp>
#include <rankgrad/scoring/expected_value.hpp>
#include <rankgrad/scoring/feature_refining.hpp>
#include <rankgrad/scoring/feedback_distillation.hpp>
#include <rankgrad/scoring/first_token.hpp>
#include <rankgrad/scoring/fusion.hpp>
#include <rankgrad/scoring/group_scoring.hpp>
#include <rankgrad/scoring/logit_difference.hpp>
#include <rankgrad/scoring/max_cell.hpp>
#include <rankgrad/scoring/natural_logic.hpp>
#include <rankgrad/scoring/sliding_windows.hpp>
#include <rankgrad/scoring/yes_no.hpp>

// Batches that are spread over processes.
#include <rankgrad/distributed/auc.hpp>
#include <rankgrad/distributed/candidate_lists.hpp>
#include <rankgrad/distributed/communicator.hpp>
#include <rankgrad/distributed/mann_whitney.hpp>
#include <rankgrad/distributed/policy.hpp>
#include <rankgrad/distributed/reweighting.hpp>
#include <rankgrad/distributed/ring.hpp>
#include <rankgrad/distributed/ring_info_nce.hpp>

// Metrics.
#include <rankgrad/metric/answers.hpp>
#include <rankgrad/metric/auc.hpp>
#include <rankgrad/metric/average_precision.hpp>
#include <rankgrad/metric/efficiency.hpp>
#include <rankgrad/metric/gain_discount.hpp>
#include <rankgrad/metric/ignoring.hpp>
#include <rankgrad/metric/jensen_shannon.hpp>
#include <rankgrad/metric/ndcg.hpp>
#include <rankgrad/metric/precision.hpp>
#include <rankgrad/metric/ranked.hpp>
#include <rankgrad/metric/reciprocal_rank.hpp>
#include <rankgrad/metric/robustness.hpp>
#include <rankgrad/metric/trapezoidal_average_precision.hpp>

// Is my own loss right?
#include <rankgrad/check/gradient_check.hpp>
