// rankgrad/embedding/in_batch_sigmoid.hpp: each pair of a batch by itself, does it belong together? (SigLIP), from the embeddings.
// SPDX-License-Identifier: MIT
//
// Read first: embedding/embedding_view.hpp. How it is computed: embedding/tiles.hpp.
#pragma once

#include <rankgrad/embedding/batch.hpp>
#include <rankgrad/simd/math.hpp>
#include <rankgrad/simd/scalar.hpp>

#include <numeric>
#include <string_view>

namespace rankgrad::inline RANKGRAD_ABI {

namespace embedding {

/// softplus(scale s + bias) of the negatives and its derivatives, entry by entry; those by the positives are given.
template <Real T>
class SigmoidOfNegatives {
 public:
  static constexpr Passes passes = Passes::one;

  /// weight: weights_of(); slope: [pairs].
  SigmoidOfNegatives(double scale, double bias, const Batch<T>& batch, const double* weight, const T* slope, std::size_t chunks,
                     Workspace& workspace)
      : batch_(batch), scale_(scale), bias_(bias), weight_(weight), slope_(slope), chunks_(chunks),
        values_(workspace.take<double>(chunks, 0.0)), slopes_(workspace.take<double>(chunks, 0.0)) {}

  void derive(const Tile<T>& tile) const {
    using namespace simd;
    const Pack<T> scale(static_cast<T>(scale_)), bias(static_cast<T>(bias_));
    for (std::size_t r = 0; r < tile.rows; ++r) {
      T* const s = tile[r];
      const double weight = weight_[tile.row[r]];
      const Pack<T> by(static_cast<T>(weight * scale_));
      leave_negatives(batch_.pairs, batch_.bias, tile, r);
      BlockedSum<T> value, slope;
      for (std::size_t j = 0; j < tile.columns; j += lanes<T>) {
        const auto term = softplus_sigmoid<T>(fma(scale, load(s + j), bias));
        value.add(term.softplus);
        slope.add(term.sigmoid);
        store(s + j, by * term.sigmoid);
      }
      values_[tile.chunk] += weight * value.total();
      slopes_[tile.chunk] += weight * slope.total();
      put_positives(batch_.pairs, slope_, tile, r);
    }
  }

  double value() const { return std::accumulate(values_, values_ + chunks_, 0.0); }
  /// By the bias.
  double slope() const { return std::accumulate(slopes_, slopes_ + chunks_, 0.0); }

 private:
  const Batch<T>& batch_;
  double scale_, bias_;
  const double* weight_;
  const T* slope_;
  std::size_t chunks_;
  double *values_, *slopes_;   ///< [chunks]: a chunk is one worker's at a time, its rows come in their order
};

}  // namespace embedding

/// The sigmoid loss of all pairs of a batch: is document j one of query i, yes or no?
///
///   x_ij = s_ij / tau + b + bias_j,   s_ij = q_i . k_j, or their cosine       z_ij = 1 for a positive of query i, else -1
///   L    = (1/W) sum_i w_i sum_{j in C_i} log(1 + e^{-z_ij x_ij})             C_i: all documents but those that are left out,
///                                                                           and the query's own negatives
///   dL/ds_ij = -(w_i / (W tau)) z_ij sigmoid(-z_ij x_ij),   dL/db = tau sum_ij dL/ds_ij   (EmbeddingValue::bias_gradient)
///   dL/dq_i  = sum_j dL/ds_ij k_j,   dL/dk_j = sum_i dL/ds_ij q_i          cosines: of directions, and on by (g - (g . u) u) / |x|
///   dL/dlog(1/tau) = sum_ij s_ij dL/ds_ij
///
/// Shapes      queries [B d], documents [M d]; see EmbeddingView.
/// Units       nats; nats per unit of embedding.
/// No signal   a query without a positive or of weight 0 does not count, its negatives neither. One without a negative does.
/// Cost        2 B M d operations for the value, 6 B M d with gradient: every similarity is seen once. An exponential, a logarithm
///             and a quotient per entry. Memory: twice the documents and a block of tiles. Nothing is allocated once warm.
/// Numerics    any temperature and bias, as long as logits are finite; each term is exact to a few units in the last place of itself,
///             however small. Positives by inner products of their own, in double. In float, an x of 100 is good to 1e-5 like any
///             sum of d products. The bits do not depend on the number of threads.
/// Parameters  temperature tau > 0 and bias b, both learned in the source from 0.1 and -10: at the start most pairs are negatives, and
///             the bias says so. similarity (the source: cosine). normalize: mean over the queries (default, W = sum_i w_i: the
///             source), or sum (W = 1). tiles: how much of the matrix is looked at at once.
/// Source      Zhai, Mustafa, Kolesnikov, Beyer, Sigmoid loss for language image pre-training, ICCV 2023 (arXiv 2303.15343),
///             section 3.2 and algorithm 1, where every text is the positive of one image.
struct InBatchSigmoid {
  static constexpr std::string_view name = "in_batch_sigmoid";

  double temperature = 0.1;
  double bias = -10;
  Similarity similarity = Similarity::dot;
  Normalize normalize = Normalize::mean;
  embedding::TileSizes tiles{};
  static constexpr bool takes_own_negatives = true;

  Status check() const {
    if (!is_finite(bias)) return Status::error("rankgrad: InBatchSigmoid.bias is %g; it must be finite", bias);
    return check_parameter("InBatchSigmoid.temperature", temperature, 0);
  }

  template <Real T>
  EmbeddingValue<T> evaluate(const EmbeddingView<T>& view, const EmbeddingGradient<T>& out, Workspace& workspace) const {
    using namespace embedding;
    const auto frame = workspace.frame();
    const Batch<T> batch = batch_of(view, similarity, temperature, workspace);
    const Relations& pairs = batch.pairs;
    const double* const weight = weights_of(view, batch, normalize, [](std::size_t) { return true; }, workspace);
    if (!weight) return {};
    double* const close = workspace.take<double>(pairs.pairs());
    T* const slope = workspace.take<T>(pairs.pairs());
    find_similarities(batch, close, workspace);
    double value = 0, along_bias = 0;
    for (std::size_t i = 0; i < pairs.queries; ++i)
      for (std::size_t k = pairs.offset[i]; k < pairs.offset[i + 1]; ++k) {
        const double x = close[k] / temperature + bias, missing = weight[i] * simd::sigmoid(-x);
        value += weight[i] * simd::softplus(-x);
        along_bias -= missing;
        slope[k] = static_cast<T>(-missing / temperature);
      }
    for (std::size_t i = 0; i < pairs.queries; ++i)
      batch.own.for_each(i, [&](std::size_t k) {
        const double x = static_cast<double>(batch.own.similarity[k]) / temperature + bias, too_much = weight[i] * simd::sigmoid(x);
        value += weight[i] * simd::softplus(x);
        along_bias += too_much;
        batch.own.slope[k] = static_cast<T>(too_much / temperature);
      });
    Tiles<T> matrix(batch.queries, batch.documents, tiles, out.wanted(), workspace);
    SigmoidOfNegatives<T> negatives(1 / temperature, bias, batch, weight, slope, matrix.chunks(), workspace);
    matrix.run(negatives, out);
    if (out.wanted()) add_gradients(batch.queries, batch.own, out, workspace);
    EmbeddingValue<T> result{static_cast<T>(value + negatives.value()), finish_gradients(batch, out, workspace), true};
    if (out.wanted()) result.bias_gradient = along_bias + negatives.slope();
    return result;
  }
};

}  // namespace rankgrad
