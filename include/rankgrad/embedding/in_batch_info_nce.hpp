// rankgrad/embedding/in_batch_info_nce.hpp: InfoNCE over all queries and documents of a batch, from their embeddings.
// SPDX-License-Identifier: MIT
//
// Read first: embedding/embedding_view.hpp. How it is computed: embedding/tiles.hpp, embedding/in_batch_softmax.hpp.
#pragma once

#include <rankgrad/embedding/in_batch_softmax.hpp>
#include <rankgrad/triplet/similarity_view.hpp>

#include <string_view>

namespace rankgrad::inline RANKGRAD_ABI {

/// Every query finds its documents among all documents of the batch, and every document its queries, by softmaxes.
///
///   x_ij  = s_ij / tau + bias_j,   s_ij = q_i . k_j, or their cosine       P_i: positives of query i, C_i: all documents but
///                                                                          those that are left out, and the
///                                                                          query's own negatives, K_i in all
///   L     = f ( (1/W) sum_i w_i CE_i + (1/W) sum_j b_j CE^T_j )            f = 1/2 for average_directions with both, else 1
///   CE_i  = (1 - e) M_i + (e / K_i) sum_{j in C_i} l_ij                    l_ij = -log p_ij,  p_i. = softmax over C_i of x_i.
///   M_i   = sum_{j in P_i} a_ij (1 - p_ij)^gamma l_ij                      (Positives::mean)  a_ij = t_ij / sum_{k in P_i} t_ik,
///                                                                          t: targets; without them, 1 / |P_i|
///         = (1 - p_i+)^gamma l_i+,  p_i+ = sum_{j in P_i} p_ij             (Positives::together)
///   CE^T_j  the same along column j, without own negatives, with shares t_ij / sum_i t_ij; b_j = sum over its queries of w_i a_ij
///   W       sum of the weights of what counts, w_i or, for weigh_by_targets, w_i sum_{k in P_i} t_ik
///   dL/ds_ij = (f / (tau W)) [ w_i (B_i p_ij - y_ij) + b_j (the same along the column) ]       contrastive/info_nce.hpp: B, t for y
///   dL/dq_i  = sum_j dL/ds_ij k_j,   dL/dk_j = sum_i dL/ds_ij q_i          cosines: of directions, and on by (g - (g . u) u) / |x|
///   dL/dlog(1/tau) = sum_ij s_ij dL/ds_ij,   dL/dbias_j = tau sum_i dL/ds_ij
///
/// Shapes      queries [B d], documents [M d]; see EmbeddingView. A class softmax: documents are the classes.
/// Units       nats; nats per unit of embedding.
/// No signal   a query without a positive, without another document in C_i, or of weight 0 does not count; so do documents. Without
///             targets, one of the others must be no positive: that all are equal is nothing to learn, a distribution over all is.
/// Cost        2 B M d operations for the value, 6 B M d with gradient (one direction), 8 B M d (both); an exp or two per entry.
///             Memory: twice the documents, a block of 192 to 576 queries by all documents (one direction) or by up to 3072 (both), and a few
///             numbers per row and column. Nothing is allocated once warm.
/// Numerics    any temperature and any lengths, as long as logits are finite: sums are relative to the highest similarity. 1 - p of
///             a positive is a sum, not a difference. In float, an x of 100 is good to 1e-5 like any sum of d products.
///             The bits do not depend on the number of threads.
/// Parameters  temperature tau > 0; direction: rows (queries look for documents; default), columns, both; similarity; positives;
///             smoothing e in [0, 1); focal_gamma >= 0 with detach_focal as InfoNce; average_directions; normalize: mean, or sum (W = 1).
///             weigh_by_targets: one normaliser for the targets of a whole batch (soft-label InfoNCE of UnifyGeo, arXiv 2505.07622;
///             SoftLabelInfoNce is that of a matrix). tiles: how much of the matrix is looked at at once.
/// Source      van den Oord, Li, Vinyals, arXiv 1807.03748, eq. (4); both directions: Radford et al., arXiv 2103.00020, fig. 3;
///             without the matrix: Cheng et al., arXiv 2410.17243 (Inf-CL), which keeps float sums without a maximum.
struct InBatchInfoNce {
  static constexpr std::string_view name = "in_batch_info_nce";

  double temperature = 0.05;
  Direction direction = Direction::rows;
  Similarity similarity = Similarity::dot;
  Positives positives = Positives::mean;
  double smoothing = 0;
  double focal_gamma = 0;
  bool detach_focal = true;
  bool average_directions = true;
  Normalize normalize = Normalize::mean;
  bool weigh_by_targets = false;
  embedding::TileSizes tiles{};
  static constexpr bool takes_targets = true, takes_own_negatives = true;

  Status check() const {
    if (Status status = check_parameter("InBatchInfoNce.temperature", temperature, 0); !status) return status;
    if (!(smoothing >= 0 && smoothing < 1))
      return Status::error("rankgrad: InBatchInfoNce.smoothing is %g; it must be in [0, 1)", smoothing);
    return check_parameter("InBatchInfoNce.focal_gamma", focal_gamma, 0, true);
  }
  template <Real T>
  Status check_input(const EmbeddingView<T>& view) const {
    if (positives == Positives::together && !view.targets.empty())
      return Status::error("rankgrad: InBatchInfoNce.positives is together, which has no use for targets");
    if (direction == Direction::columns && !view.own_offsets.empty())
      return Status::error("rankgrad: InBatchInfoNce.direction is columns, which have no use for own negatives");
    return {};
  }

  /// margin(c): what stands in the softmax for the cosine c of a positive (`t`), and its slope; null: the similarity itself.
  template <Real T, class Margin = std::nullptr_t>
  EmbeddingValue<T> evaluate(const EmbeddingView<T>& view, const EmbeddingGradient<T>& out, Workspace& workspace,
                             const Margin& margin = {}) const {
    using namespace embedding;
    const auto frame = workspace.frame();
    const Batch<T> batch = batch_of(view, similarity, temperature, workspace);
    const bool one_way = direction == Direction::rows;
    SoftmaxAnchors<T> rows(direction != Direction::columns, batch.queries.n, workspace), columns(!one_way, batch.documents.n, workspace);
    open_anchors(view, batch, weigh_by_targets, batch.queries.n, batch.documents.n, rows, columns);
    count_pairs(batch.pairs, rows, columns);
    const double by_row = weight_of(rows), by_column = weight_of(columns);
    if (!(by_row > 0) && !(by_column > 0)) return {};
    scale_weights(rows, by_row);
    scale_weights(columns, by_column);

    const double bound = batch.longest / temperature;
    const auto go = [&](auto how, auto bounded) {
      return run<decltype(how)::value, decltype(bounded)::value>(batch, out, rows, columns, bound, margin, workspace);
    };
    using std::bool_constant;
    constexpr std::integral_constant<Passes, Passes::rows> by_rows;
    constexpr std::integral_constant<Passes, Passes::both> by_both;
    const bool bounded = bound <= InBatchSoftmax<T, Passes::rows, true>::largest_bound;
    if (one_way) return bounded ? go(by_rows, bool_constant<true>{}) : go(by_rows, bool_constant<false>{});
    return bounded ? go(by_both, bool_constant<true>{}) : go(by_both, bool_constant<false>{});
  }

  /// Gives the weights of a direction, `total` for all that counts, the factor in front of the sum.
  template <Real T>
  void scale_weights(embedding::SoftmaxAnchors<T>& anchors, double total) const {
    const double shared = direction == Direction::both && average_directions ? 0.5 : 1.0;
    const double unit = normalize == Normalize::mean ? shared / total : shared;
    for (std::size_t a = 0; a < anchors.n && total > 0; ++a) anchors.weight[a] *= unit;
  }
  embedding::SoftmaxSettings settings() const {
    return {1 / temperature, smoothing, focal_gamma, detach_focal, positives == Positives::together};
  }

 private:
  template <embedding::Passes How, bool Bounded, Real T, class Margin>
  EmbeddingValue<T> run(const embedding::Batch<T>& batch, const EmbeddingGradient<T>& out, embedding::SoftmaxAnchors<T>& rows,
                        embedding::SoftmaxAnchors<T>& columns, double bound, const Margin& margin, Workspace& workspace) const {
    using namespace embedding;
    constexpr bool moves = !std::is_same_v<Margin, std::nullptr_t>;
    Tiles<T> matrix(batch.queries, batch.documents, tiles, out.wanted(), workspace);
    InBatchSoftmax<T, How, Bounded> softmax(settings(), batch.pairs, rows, columns, batch.bias, bound, matrix.block(), matrix.chunks(),
                                            workspace);
    const std::size_t pairs = batch.pairs.pairs();
    double* const pull = workspace.take<double>(moves ? pairs : 0);     // dt/ds
    double* const beyond = workspace.take<double>(moves ? pairs : 0);   // t - s dt/ds
    if constexpr (moves) {
      softmax.positives.apart = workspace.take<double>(pairs, 0.0);
      const Side<T>&queries = batch.queries, &documents = batch.documents;
      for_each_positive(batch, workspace, [&](std::size_t k, std::size_t i, std::size_t j) {
        const double s = cosine(queries.row(i), queries.factor(i), documents.row(j), documents.factor(j), queries.dimension);
        const auto moved = margin(s);
        pull[k] = moved.slope;
        beyond[k] = moved.t - s * moved.slope;
        softmax.positives.logit[k] = moved.t + (batch.bias ? static_cast<double>(batch.bias[j]) : 0);
      });
    } else {
      find_similarities(batch, softmax.positives.logit, workspace);
    }
    for (std::size_t k = 0; k < pairs; ++k) softmax.positives.logit[k] /= temperature;
    softmax.open(batch.own);
    matrix.run(softmax, out);
    if (!out.wanted()) return {static_cast<T>(softmax.positives.value()), 0, true};
    softmax.derive(batch.own);
    add_gradients(batch.queries, batch.own, out, workspace);
    double along = 0;
    if constexpr (moves) {
      T* const slope = workspace.take<T>(pairs);
      for (std::size_t k = 0; k < pairs; ++k) {
        slope[k] = static_cast<T>(softmax.positives.apart[k] * pull[k]);
        along += softmax.positives.apart[k] * beyond[k];
        if (!out.document_bias.empty())
          out.document_bias[batch.documents.number[batch.pairs.document[k]]] += static_cast<T>(softmax.positives.apart[k]);
      }
      add_gradients(batch.queries, batch.documents, batch.pairs.offset, batch.pairs.document, slope, {out.queries, out.documents},
                    workspace);
    }
    const double by_similarities = finish_gradients(batch, out, workspace);
    const bool known = !out.queries.empty() || !out.documents.empty();
    return {static_cast<T>(softmax.positives.value()), known ? by_similarities + along : 0, true};
  }
};

}  // namespace rankgrad
