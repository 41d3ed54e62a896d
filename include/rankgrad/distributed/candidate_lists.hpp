// rankgrad/distributed/candidate_lists.hpp: Mann-Whitney over the candidates of all queries on all ranks, to the embeddings.
// SPDX-License-Identifier: MIT
//
// Read first: embedding/candidate_lists.hpp, distributed/mann_whitney.hpp.
#pragma once

#include <rankgrad/distributed/mann_whitney.hpp>
#include <rankgrad/embedding/candidate_lists.hpp>

namespace rankgrad::inline RANKGRAD_ABI::distributed {

/// CandidateLists<MannWhitney> where each rank has queries of its own, or none: the scores of all candidates of all ranks are
/// one list, so that every positive meets every negative, of whatever query on whatever rank.
///
///   CandidateEvaluator<float> evaluate;   // keep it; afterwards it has the scores of the own candidates
///   const CandidateLists<MannWhitney> pooled{.temperature = 0.05, .similarity = Similarity::cosine};
///   const auto result = value_and_gradient(comm, pooled, own, {query_gradient, document_gradient}, evaluate);
///
/// Formula     that of MannWhitney over the scores of all ranks: value and valid are those of the whole, the derivative by
///             log(1 / temperature) is summed over the ranks that ask for a gradient. The same bits on every rank.
/// Gradient    d(value of the whole) / d(own embeddings). A document that several ranks have gets on each what the queries of
///             that rank give it. Summed over the ranks it is the gradient by shared parameters; a trainer that averages
///             gradients over P ranks multiplies by P.
/// Shapes      own: as CandidateView, of any size; without queries offsets is {0}. `scope` and list_weights play no part.
/// Units       those of the surrogate.
/// No signal   no positive or no negative on any rank.
/// Bytes       those of distributed/mann_whitney.hpp, and reduced 8 (1 + 2 * 2) + 8. Embeddings stay where they are.
/// Cost        that of CandidateLists for the own candidates, and that of MannWhitney over ranks.
/// Errors      what is wrong on any rank, or differs between ranks, is raised on all, before anything is written.
/// Numerics    as both. Other numbers of ranks round otherwise; the bits do not depend on the threads of a rank.
/// Parameters  lists: those of the loss, temperature, similarity. way: how the ranks learn of each other's scores.
/// Source      arXiv 2510.00137 for the pooling over queries; the exchange: distributed/mann_whitney.hpp.
template <Communicator C, Real T, class E = Serial>
EmbeddingValue<T> value_and_gradient(C& comm, const CandidateLists<MannWhitney>& lists, const CandidateView<T>& own,
                                     const std::type_identity_t<EmbeddingGradient<T>>& gradient,
                                     CandidateEvaluator<T>& evaluate, const E& executor = {}, Way way = Way::automatic) {
  // There are no scores yet, and a door does not look at them: the labels stand in for them.
  const Status status =
      first_failure({status_at_the_door(lists, own, gradient),
                     rankgrad::detail::check_length("labels", own.labels.size(), own.candidates.size()),
                     status_at_the_door(lists.loss, own.with(own.labels), executor)});
  detail::agree_on<T>(comm, status, lists.loss);
  agree(comm, {}, {{"CandidateLists.temperature", lists.temperature},
                   {"CandidateLists.similarity", static_cast<int>(lists.similarity)}});
  const CandidateLists<detail::PooledMannWhitney<C>> pooled{{&comm, lists.loss, way}, lists.temperature, lists.similarity};
  EmbeddingValue<T> result = evaluate(pooled, own, gradient, Reduction::mean, executor);
  double by_log_scale[1] = {result.log_scale_gradient};
  comm.all_reduce_sum(by_log_scale);
  result.log_scale_gradient = by_log_scale[0];
  return result;
}

}  // namespace rankgrad::distributed
