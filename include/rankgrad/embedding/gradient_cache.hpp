// rankgrad/embedding/gradient_cache.hpp: large batches for encoders whose activations fit for a few rows only (GradCache).
// SPDX-License-Identifier: MIT
//
// An in-batch loss needs the embeddings of the whole batch at once, its encoder the activations of the rows it is at. So the
// batch is encoded twice, chunk by chunk: first forward only, for the embeddings; then, with the gradient by the embeddings
// known, forward and backward. Memory for activations is that of a chunk, and the gradient by the encoder's weights is that of the
// whole batch: sum_rows (d embedding / d weights)^T dL/d embedding is a sum over chunks.
//
// The second pass must compute what the first did: replay the state of random numbers (dropout), and leave running statistics
// (batch normalisation) alone in one of the two.
//
// Source: Gao, Zhang, Han, Callan, Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup, arXiv 2101.06983.
#pragma once

#include <rankgrad/embedding/embedding_evaluator.hpp>

#include <algorithm>
#include <vector>

namespace rankgrad::inline RANKGRAD_ABI {

/// One tower of a step. Both functions are given rows begin .. end - 1 and their [end - begin, dimension] numbers.
///   encode(begin, end, std::span<T> embeddings)          fills them; nothing needs to be kept
///   replay(begin, end, std::span<const T> gradient)      encodes the rows again and adds to the gradient of the weights
template <class Encode, class Replay>
struct Tower {
  std::size_t rows;
  Encode encode;
  Replay replay;
};
template <class Encode, class Replay>
Tower(std::size_t, Encode, Replay) -> Tower<Encode, Replay>;

/// Keep one per training loop: it owns embeddings, gradients and the scratch of the loss.
///
///   GradientCache<float> cache(128, 64);                                            // dimension, rows of a chunk
///   const auto result = cache(loss, Tower{queries, encode_q, replay_q}, Tower{documents, encode_d, replay_d});
///
/// Encoded are the queries, then the documents, and in the same order again. Cost: a second forward pass of both encoders.
/// Allocates nothing once warm. Errors as EmbeddingEvaluator: raised before any replay.
template <Real T>
class GradientCache {
 public:
  GradientCache(std::size_t dimension, std::size_t chunk) : dimension_(dimension), chunk_(chunk) {
    RANKGRAD_EXPECTS(dimension > 0 && chunk > 0, "a gradient cache needs a dimension and rows in a chunk");
  }

  /// `view` says what belongs together (positives, ids, masks, weights); its embeddings are ignored, but for own negatives, which are
  /// as they are and get no gradient.
  template <class L, class Queries, class Documents, class E = Serial>
  EmbeddingValue<T> operator()(const L& loss, const Queries& queries, const Documents& documents, EmbeddingView<T> view = {},
                               const E& executor = {}) {
    encode(queries, query_);
    encode(documents, document_);
    view.dimension = dimension_;
    view.queries = query_.embeddings;
    view.documents = document_.embeddings;
    const EmbeddingValue<T> result = evaluate_(loss, view, {query_.gradient, document_.gradient}, executor);
    replay(queries, query_);
    replay(documents, document_);
    return result;
  }

  /// Of the last step.
  std::span<const T> query_embeddings() const noexcept { return query_.embeddings; }
  std::span<const T> document_embeddings() const noexcept { return document_.embeddings; }

 private:
  struct Side {
    std::vector<T> embeddings, gradient;
  };

  template <class Body>
  void for_each_chunk(std::size_t rows, const Body& body) const {
    for (std::size_t begin = 0; begin < rows; begin += chunk_) body(begin, std::min(rows, begin + chunk_));
  }
  template <class Encoder>
  void encode(const Encoder& tower, Side& side) const {
    side.embeddings.resize(tower.rows * dimension_);
    side.gradient.resize(side.embeddings.size());
    for_each_chunk(tower.rows, [&](std::size_t begin, std::size_t end) {
      tower.encode(begin, end, std::span<T>(side.embeddings).subspan(begin * dimension_, (end - begin) * dimension_));
    });
  }
  template <class Encoder>
  void replay(const Encoder& tower, const Side& side) const {
    for_each_chunk(tower.rows, [&](std::size_t begin, std::size_t end) {
      tower.replay(begin, end, std::span<const T>(side.gradient).subspan(begin * dimension_, (end - begin) * dimension_));
    });
  }

  std::size_t dimension_, chunk_;
  Side query_, document_;
  EmbeddingEvaluator<T> evaluate_;
};

}  // namespace rankgrad
