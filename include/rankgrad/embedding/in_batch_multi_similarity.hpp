// rankgrad/embedding/in_batch_multi_similarity.hpp: multi-similarity loss on mined pairs of a batch, from the embeddings.
// SPDX-License-Identifier: MIT
//
// Read first: embedding/embedding_view.hpp, triplet/multi_similarity.hpp. How it is computed: embedding/tiles.hpp,
// embedding/in_batch_rows.hpp.
#pragma once

#include <rankgrad/embedding/in_batch_rows.hpp>
#include <rankgrad/triplet/multi_similarity.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

namespace embedding {

/// The rows of the multi-similarity loss; its parameters are those of MultiSimilarity. weight: weights_of().
template <Real T>
class MultiSimilarityAnchors {
  using Pack = simd::Pack<T>;

 public:
  MultiSimilarityAnchors(const MultiSimilarity& loss, const Batch<T>& batch, const double* weight, Workspace& workspace)
      : loss_(loss), pairs_(batch.pairs), weight_(weight), similarity_(workspace.take<double>(pairs_.pairs())),
        slope_(workspace.take<T>(pairs_.pairs())) {
    for (T** numbers : {&highest_, &limit_, &reference_, &factor_}) *numbers = workspace.take<T>(pairs_.queries);
    find_similarities(batch, similarity_, workspace);
  }

  bool open(std::size_t i, T highest) {
    if (weight_[i] == 0) return false;
    highest_[i] = highest;
    limit_[i] = std::numeric_limits<T>::lowest();
    reference_[i] = static_cast<T>(std::max(static_cast<double>(highest), loss_.base));
    if (!loss_.mining) return true;
    limit_[i] = static_cast<T>(lowest_positive(i) - *loss_.mining);
    return !(highest <= limit_[i]);   // then no positive is mined either
  }
  auto term(std::size_t i) const {
    return [power = power_of(i)](Pack s) RANKGRAD_INLINE { return triplet::Sums<T>{power(s), Pack(T(0))}; };
  }
  bool close(std::size_t i, double negatives, double) {
    double own = 0;
    factor_[i] = T(0);
    if (!(negatives <= 0)) {   // written so that NaN stays visible
      const triplet::LogOfPairs all(loss_.beta, static_cast<double>(reference_[i]) - loss_.base, negatives);
      own += all.value;
      factor_[i] = static_cast<T>(weight_[i] * all.inverse);
    }
    const double reference = std::min(lowest_positive(i), loss_.base);
    const auto power = [&](double s) {
      const bool easy = loss_.mining && s >= static_cast<double>(highest_[i]) + *loss_.mining;
      return easy ? 0 : std::exp(loss_.alpha * (reference - s));
    };
    double positives = 0;
    for_positives(i, [&](std::size_t k) { positives += power(similarity_[k]); });
    if (!(positives <= 0)) {
      const triplet::LogOfPairs all(loss_.alpha, loss_.base - reference, positives);
      own += all.value;
      for_positives(i, [&](std::size_t k) { slope_[k] = static_cast<T>(-weight_[i] * all.inverse * power(similarity_[k])); });
    } else {
      for_positives(i, [&](std::size_t k) { slope_[k] = T(0); });
    }
    value_ += weight_[i] * own;
    return own != 0;
  }
  auto slope(std::size_t i) const {
    return [power = power_of(i), by = Pack(factor_[i])](Pack s) RANKGRAD_INLINE { return by * power(s); };
  }
  const T* slopes() const { return slope_; }
  double value() const { return value_; }

 private:
  /// e^{beta (s - reference)} of what is mined.
  auto power_of(std::size_t i) const {
    return [limit = Pack(limit_[i]), reference = Pack(reference_[i]), beta = Pack(static_cast<T>(loss_.beta))](Pack s)
               RANKGRAD_INLINE { return Pack(simd::select(s <= limit, Pack(T(0)), simd::exp_nonpositive<T>((s - reference) * beta))); };
  }
  template <class Body>
  void for_positives(std::size_t i, const Body& body) const {
    for (std::size_t k = pairs_.offset[i]; k < pairs_.offset[i + 1]; ++k) body(k);
  }
  /// NaN stays.
  double lowest_positive(std::size_t i) const {
    double low = similarity_[pairs_.offset[i]];
    for_positives(i, [&](std::size_t k) { low = is_finite(low) && !(similarity_[k] >= low) ? similarity_[k] : low; });
    return low;
  }

  const MultiSimilarity& loss_;
  const Relations& pairs_;
  const double* weight_;
  double *similarity_, value_ = 0;   ///< [pairs] S
  T *highest_, *limit_, *reference_, *factor_, *slope_;
};

}  // namespace embedding

/// Multi-similarity of all similarities of a batch: MultiSimilarity along the rows, without the matrix.
///
///   S_ij     = q_i . k_j + bias_j, or their cosine + bias_j      P_i: positives of query i, N_i: all documents but those and the
///                                                                ones that are left out; of both, what is mined
///   L        = (1/W) sum_i w_i [ (1/alpha) log(1 + sum_{j in P_i} e^{-alpha (S_ij - base)})
///                              + (1/beta)  log(1 + sum_{j in N_i} e^{ beta (S_ij - base)}) ]
///   dL/dS_ij = (w_i / W) ( -p_ij for j in P_i, +q_ij for j in N_i ), p, q: triplet/multi_similarity.hpp
///   dL/dq_i  = sum_j dL/dS_ij k_j,   dL/dk_j = sum_i dL/dS_ij q_i           cosines: of directions, and on by (g - (g . u) u) / |x|
///   mined: of P_i what is below max_{N_i} S_ik + mining, of N_i what is above min_{P_i} S_ik - mining
///
/// Shapes      queries [B d], documents [M d]; see EmbeddingView. One set of vectors against itself: both are that set, positives are
///             listed without the vector itself, and ids leave that out.
/// Units       those of the similarity; log_scale_gradient is sum_ij s_ij dL/ds_ij.
/// No signal   a query without a positive, without a negative, or of weight 0 does not count. One whose pairs are all easy has loss
///             0 and counts.
/// Cost        2 B M d operations, and 4 A M d for the gradient through the A rows with a mined pair; there an exponential or two for
///             an entry. Memory: twice the documents, a block of 192 to 576 queries by all documents. Nothing is allocated once warm.
/// Numerics    as MultiSimilarity; positives by inner products of their own, in double. An embedding that is not finite shows in the
///             value. The bits do not depend on the number of threads.
/// Parameters  alpha, beta, base, mining as MultiSimilarity; similarity; normalize: mean (default, W = sum_i w_i of the queries that
///             count) or sum. tiles: how much of the matrix is looked at at once.
/// Source      Wang, Han, Huang, Dong, Scott, CVPR 2019 (arXiv 1904.06627).
struct InBatchMultiSimilarity {
  static constexpr std::string_view name = "in_batch_multi_similarity";

  double alpha = 1;
  double beta = 50;
  double base = 0;
  std::optional<double> mining = 0.1;
  Similarity similarity = Similarity::dot;
  Normalize normalize = Normalize::mean;
  embedding::TileSizes tiles{};

  Status check() const { return of_matrix().check(); }

  template <Real T>
  EmbeddingValue<T> evaluate(const EmbeddingView<T>& view, const EmbeddingGradient<T>& out, Workspace& workspace) const {
    using namespace embedding;
    const auto frame = workspace.frame();
    const Batch<T> batch = batch_of(view, similarity, 1, workspace);
    const double* const weight =
        weights_of(view, batch, normalize, [&](std::size_t i) { return batch.pairs.negatives(i) > 0; }, workspace);
    if (!weight) return {};
    const MultiSimilarity loss = of_matrix();
    Tiles<T> matrix(batch.queries, batch.documents, tiles, out.wanted(), workspace);
    MultiSimilarityAnchors<T> anchors(loss, batch, weight, workspace);
    InBatchRows rows(anchors, batch, matrix, workspace);
    matrix.run(rows, out);
    return {static_cast<T>(anchors.value()), finish_gradients(batch, out, workspace), true};
  }

 private:
  MultiSimilarity of_matrix() const { return {.alpha = alpha, .beta = beta, .base = base, .mining = mining}; }
};

}  // namespace rankgrad
