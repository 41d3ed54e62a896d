// rankgrad/embedding/in_batch_triplet.hpp: the triplet losses of a similarity matrix, from the embeddings of a batch.
// SPDX-License-Identifier: MIT
//
// Read first: embedding/embedding_view.hpp and the loss in triplet/. How it is computed: embedding/tiles.hpp,
// embedding/in_batch_rows.hpp.
#pragma once

#include <rankgrad/embedding/in_batch_rows.hpp>
#include <rankgrad/embedding/pairs.hpp>
#include <rankgrad/triplet/hardest_negative.hpp>
#include <rankgrad/triplet/sum_hinge.hpp>
#include <rankgrad/triplet/triplet_log_sum_exp.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

namespace embedding {

/// The rows of a triplet loss with this rule (triplet/engine.hpp). weight: weights_of().
template <Real T, class Rule>
class TripletAnchors {
 public:
  TripletAnchors(const Rule& rule, double temperature, const Batch<T>& batch, const double* weight, Workspace& workspace)
      : rule_(rule), pairs_(batch.pairs), weight_(weight), share_(workspace.take<double>(pairs_.pairs())),
        positive_(workspace.take<double>(pairs_.queries)), slope_(workspace.take<T>(pairs_.pairs())) {
    for (T** numbers : {&reference_, &inverse_, &push_}) *numbers = workspace.take<T>(pairs_.queries);
    find_similarities(batch, share_, workspace);
    for (std::size_t i = 0; i < pairs_.queries; ++i) pull(share_ + pairs_.offset[i], pairs_.positives(i), temperature, positive_[i]);
  }

  bool open(std::size_t i, T highest) {
    if (weight_[i] == 0) return false;
    const double top = static_cast<double>(highest);
    reference_[i] = static_cast<T>(rule_.reference(positive_[i], top));
    const double most = rule_.slack(static_cast<double>(pairs_.negatives(i))) + (top - positive_[i]);
    return !(most <= 0);   // written so that NaN is looked at
  }
  auto term(std::size_t i) const {
    return [rule = rule_, reference = triplet::Pack<T>(reference_[i])](triplet::Pack<T> s) RANKGRAD_INLINE {
      return rule.template operator()<T>(s, reference);
    };
  }
  bool close(std::size_t i, double first, double second) {
    const triplet::Violation v = rule_.violation(positive_[i], static_cast<double>(reference_[i]), first, second);
    value_ += weight_[i] * v.value;
    push_[i] = static_cast<T>(weight_[i] * v.push);
    inverse_[i] = static_cast<T>(v.inverse);
    for (std::size_t k = pairs_.offset[i]; k < pairs_.offset[i + 1]; ++k)
      slope_[k] = static_cast<T>(-weight_[i] * v.pull * share_[k]);
    return v.pull != 0;
  }
  auto slope(std::size_t i) const {
    using triplet::Pack;
    return [rule = rule_, reference = Pack<T>(reference_[i]), inverse = Pack<T>(inverse_[i]),
            by = Pack<T>(push_[i])](Pack<T> s) RANKGRAD_INLINE { return by * rule.template entry<T>(s, reference, inverse).slope; };
  }
  const T* slopes() const { return slope_; }
  T push(std::size_t i) const { return push_[i]; }   // for hardest_only, where there is no slope()
  double value() const { return value_; }

 private:
  /// From the similarities of the positives of one query to their softmax a, and S+.
  static void pull(double* s, std::size_t n, double temperature, double& positive) {
    const double top = *std::max_element(s, s + n);
    double sum = 0, below = 0;
    for (std::size_t k = 0; k < n; ++k) {
      const double under = s[k] - top;
      s[k] = std::exp(under / temperature);
      sum += s[k];
      below += s[k] * under;
    }
    for (std::size_t k = 0; k < n; ++k) s[k] /= sum;
    positive = top + below / sum;
  }

  Rule rule_;
  const Relations& pairs_;
  const double* weight_;
  double *share_, *positive_, value_ = 0;   ///< [pairs] a; [queries] S+
  T *reference_, *inverse_, *push_, *slope_;
};

}  // namespace embedding

/// A triplet loss of all similarities of a batch, L = TripletLogSumExp (TAL), HardestNegativeTriplet or SumHingeTriplet: each query
/// wants its documents nearer than all others, by a margin.
///
///   S_ij    = q_i . k_j + bias_j, or their cosine + bias_j        P_i: positives of query i, N_i: all documents but those and the
///                                                                 ones that are left out
///   L       = (1/W) sum_i w_i f(S+_i, {S_ij : j in N_i})          f, S+, a: those of `loss`, S+_i = sum_{j in P_i} a_ij S_ij
///             + (1/W') sum_j b_j f(S+_j, {S_ij : i in N_j})       the same along column j; b_j = sum over its queries of w_i / |P_i|
///   dL/dS_ij  as in `loss`, the softmax a over the positives held constant
///   dL/dq_i = sum_j dL/dS_ij k_j,   dL/dk_j = sum_i dL/dS_ij q_i          cosines: of directions, and on by (g - (g . u) u) / |x|
///
/// Shapes      queries [B d], documents [M d]; see EmbeddingView.
/// Units       those of the similarity; log_scale_gradient is sum_ij s_ij dL/ds_ij.
/// No signal   a query without a positive, without a negative, or of weight 0 does not count, nor does such a document.
/// Cost        2 B M d operations for each direction, and 4 A M d for the gradient through the A rows that have a loss: both
///             directions see every similarity twice. Hardest negative: 2 B M d for one direction or both, and O(A d). TAL: exponentials
///             in rows with margin + max + tau ln |N_i| - S+_i > 0 only, one for an entry, another in the gradient. Memory: twice the documents, a
///             block of 192 to 576 queries by all documents. Nothing is allocated once warm.
/// Numerics    those of `loss`; S+ by an inner product of its own, in double. In float, similarities are good to 1e-7 of the lengths'
///             product. An embedding that is not finite shows in the value. The bits do not depend on the number of threads.
/// Parameters  loss: temperature, margin, direction, normalize as there (both and sum are its defaults). similarity. tiles: how much
///             of the matrix is looked at at once.
/// Source      those of `loss`.
template <class L>
struct InBatchTriplet {
  static constexpr std::string_view name = "in_batch_triplet";

  L loss{};
  Similarity similarity = Similarity::dot;
  embedding::TileSizes tiles{};

  Status check() const { return loss.check(); }

  template <Real T>
  EmbeddingValue<T> evaluate(const EmbeddingView<T>& view, const EmbeddingGradient<T>& out, Workspace& workspace) const {
    using namespace embedding;
    const auto frame = workspace.frame();
    const Batch<T> batch = batch_of(view, similarity, 1, workspace);
    double value = 0;
    bool valid = false;
    Hardest<T> of_documents;
    if (hardest_only && loss.direction == Direction::both) of_documents = Hardest<T>(batch.documents.n, workspace);
    if (loss.direction != Direction::columns) valid |= add_rows(view, batch, out, of_documents, value, workspace);
    if (loss.direction != Direction::rows) {
      const EmbeddingView<T> other = turned(view, batch, workspace);
      const Batch<T> of_other = batch_of(other, similarity, 1, workspace);
      if (of_documents.known) of_documents.turn(batch, of_other);
      valid |= add_rows(other, of_other, {out.documents, out.queries}, of_documents, value, workspace);
    }
    if (!valid) return {};
    return {static_cast<T>(value), finish_gradients(batch, out, workspace), true};
  }

 private:
  static constexpr bool hardest_only = decltype(std::declval<L>().negatives())::hardest_only;

  /// Of each document the highest negative among the queries, found on the way to those of the queries.
  template <Real T>
  struct Hardest {
    T* similarity = nullptr;
    std::uint32_t* query = nullptr;
    bool known = false;

    Hardest() = default;
    Hardest(std::size_t documents, Workspace& workspace)
        : similarity(workspace.take<T>(documents)), query(workspace.take<std::uint32_t>(documents)) {}

    void take(const rankgrad::detail::BestRows<T>& found, std::size_t documents) {
      for (std::size_t j = 0; j < documents; ++j) {
        similarity[j] = found.best[j];
        const std::uint32_t row = found.row(j);
        query[j] = row == found.nobody ? 0 : row;
      }
      known = true;
    }
    /// From the numbers of documents to those of the documents that ask, whose bias is nothing to them.
    void turn(const embedding::Batch<T>& batch, const embedding::Batch<T>& other) {
      const embedding::Side<T>&queries = other.documents, &documents = other.queries;
      for (std::size_t t = 0, j = 0; t < documents.n; ++t, ++j) {
        while (batch.documents.number[j] != documents.number[t]) ++j;
        query[t] = query[j];
        similarity[t] = similarity[j];
        if (!batch.bias) continue;
        const std::size_t i = query[t];
        const double s = embedding::dot(queries.row(i), queries.factor(i), documents.row(t), documents.factor(t), queries.dimension);
        similarity[t] = static_cast<T>(s);
      }
    }
  };

  /// columns: where it has room and is not known, it is found, too; where it is known, it is what the rows look for.
  template <Real T>
  bool add_rows(const EmbeddingView<T>& view, const embedding::Batch<T>& batch, const EmbeddingGradient<T>& out, Hardest<T>& columns,
                double& value, Workspace& workspace) const {
    using namespace embedding;
    const auto frame = workspace.frame();
    const double* const weight =
        weights_of(view, batch, loss.normalize, [&](std::size_t i) { return batch.pairs.negatives(i) > 0; }, workspace);
    if (!weight) return false;
    const auto rule = loss.negatives();
    TripletAnchors<T, std::remove_const_t<decltype(rule)>> anchors(rule, loss.temperature, batch, weight, workspace);
    if constexpr (hardest_only) {
      if (columns.known) {
        add_pairs(batch, columns.similarity, columns.query, anchors, out, workspace);
      } else {
        Tiles<T> matrix(batch.queries, batch.documents, tiles, false, workspace);
        rankgrad::detail::BestRows<T> of_columns(columns.query ? batch.documents.n : 0, workspace);
        HighestNegatives<T> negatives(batch, matrix, columns.query ? &of_columns : nullptr, workspace);
        matrix.run(negatives, out);
        if (columns.query) columns.take(of_columns, batch.documents.n);
        add_pairs(batch, negatives.highest, negatives.document, anchors, out, workspace);
      }
    } else {
      Tiles<T> matrix(batch.queries, batch.documents, tiles, out.wanted(), workspace);
      InBatchRows rows(anchors, batch, matrix, workspace);
      matrix.run(rows, out);
    }
    value += anchors.value();
    return true;
  }

  /// One negative a row and the positives: the gradient goes through these pairs alone.
  template <Real T, class Anchors>
  static void add_pairs(const embedding::Batch<T>& batch, const T* highest, const std::uint32_t* negative, Anchors& anchors,
                        const EmbeddingGradient<T>& out, Workspace& workspace) {
    const embedding::Relations& all = batch.pairs;
    const std::size_t most = all.pairs() + all.queries;
    std::uint32_t *const offset = workspace.take<std::uint32_t>(all.queries + 1), *const document = workspace.take<std::uint32_t>(most);
    T* const slope = workspace.take<T>(most);
    std::uint32_t pairs = 0;
    for (std::size_t i = 0; i < all.queries; ++i) {
      offset[i] = pairs;
      if (!anchors.open(i, highest[i]) || !anchors.close(i, 0, 0)) continue;
      for (std::size_t k = all.offset[i]; k < all.offset[i + 1]; ++k, ++pairs)
        document[pairs] = all.document[k], slope[pairs] = anchors.slopes()[k];
      document[pairs] = negative[i], slope[pairs++] = anchors.push(i);
    }
    offset[all.queries] = pairs;
    if (out.wanted()) embedding::add_gradients(batch.queries, batch.documents, offset, document, slope, out, workspace);
  }
};

using InBatchTripletLogSumExp = InBatchTriplet<TripletLogSumExp>;
using InBatchHardestNegativeTriplet = InBatchTriplet<HardestNegativeTriplet>;
using InBatchSumHingeTriplet = InBatchTriplet<SumHingeTriplet>;

}  // namespace rankgrad
