// rankgrad/metric/efficiency.hpp: what a reranking by a language model costs, and what it buys.
// SPDX-License-Identifier: MIT
//
// Multiply-adds count as two operations. A query's operations are the sum over all calls of the model that rank it: windows,
// pairs, steps of a heap.
#pragma once

#include <rankgrad/core/contract.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// A decoder: L layers of width d with a feed-forward layer of effective width f (count a gated third matrix into it), and
/// r query heads for every key-value head. c tokens in, o tokens out:
///
///   N     = 2 d L ((1 + 1/r) d + f)                                            parameters that a token meets
///   FLOPs = 2 N c + 4 L c^2 d / r + 2 N o + (2 L d / r) (2 o c + o (o - 1))
///
/// Source   Peng et al., Efficiency-effectiveness reranking FLOPs for LLM-based rerankers, arXiv 2507.06223, and its code.
struct DecoderCost {
  double layers = 0, width = 0, feed_forward = 0, query_heads_per_key = 1;

  double parameters() const { return 2 * width * layers * ((1 + 1 / query_heads_per_key) * width + feed_forward); }
  double flops(double tokens_in, double tokens_out) const {
    const double reading = 2 * parameters() * tokens_in + 4 * layers * tokens_in * tokens_in * width / query_heads_per_key;
    const double attention = 2 * layers * width / query_heads_per_key;
    return reading + 2 * parameters() * tokens_out +
           attention * (2 * tokens_out * tokens_in + tokens_out * (tokens_out - 1));
  }
};

/// An encoder and a decoder of L layers each:
///
///   Ne    = 2 d L (2 d + f),   Nd = 2 d L (3 d + f)
///   FLOPs = 2 Ne c + 4 L c^2 d + 4 L c d^2 + 2 Nd o + 2 L d (2 o c + o (o - 1))
///
/// Source   as above.
struct EncoderDecoderCost {
  double layers = 0, width = 0, feed_forward = 0;

  double flops(double tokens_in, double tokens_out) const {
    const double encoder = 2 * width * layers * (2 * width + feed_forward);
    const double decoder = 2 * width * layers * (3 * width + feed_forward);
    return 2 * encoder * tokens_in + 4 * layers * tokens_in * tokens_in * width + 4 * layers * tokens_in * width * width +
           2 * decoder * tokens_out + 2 * layers * width * (2 * tokens_out * tokens_in + tokens_out * (tokens_out - 1));
  }
};

/// What a PetaFLOP (10^15 operations) buys. `metric` and `flops` are means over queries; the ratio of the means is reported
/// (how the source aggregates is not checked against it).
struct PerPetaflop {
  double ranking_metric = 0;   ///< RPP: metric per PetaFLOP
  double queries = 0;          ///< QPP: queries per PetaFLOP
};
inline PerPetaflop per_petaflop(double metric, double flops_per_query) {
  RANKGRAD_EXPECTS(flops_per_query > 0, "the operations per query must be above 0");
  return {metric * 1e15 / flops_per_query, 1e15 / flops_per_query};
}

/// How much of its effectiveness a reranker loses on queries that it cannot have seen in training, in percent of the
/// effectiveness on seen ones; negative for a gain.
///
/// Source   Abdallah et al., How good are LLM-based rerankers?, arXiv 2508.16757.
inline double generalization_gap(double seen, double unseen) {
  RANKGRAD_EXPECTS(seen > 0, "the metric on seen queries must be above 0");
  return 100 * (seen - unseen) / seen;
}

}  // namespace rankgrad
