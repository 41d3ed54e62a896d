// rankgrad/embedding/in_batch_mann_whitney.hpp: every positive pair of a batch above every negative one, from the embeddings.
// SPDX-License-Identifier: MIT
//
// Read first: embedding/embedding_view.hpp. How it is computed: embedding/tiles.hpp, embedding/gridded_pairs.hpp.
#pragma once

#include <rankgrad/core/combinators.hpp>
#include <rankgrad/embedding/batch.hpp>
#include <rankgrad/embedding/gridded_pairs.hpp>
#include <rankgrad/embedding/pairs.hpp>

#include <string_view>

namespace rankgrad::inline RANKGRAD_ABI {

/// Mann-Whitney over a batch: a smooth 1 - AUC of "these two belong together" against "these two do not". Each similarity of a
/// query and its document is compared with those of all other pairs, of other queries too: so similarities become comparable
/// between queries, as a threshold asks for.
///
///   x_ij  = s_ij / tau + bias_j,   s_ij = q_i . k_j, or their cosine        p: pairs (i, j), j a positive of i
///   L     = (1 / AB) sum_p sum_n w_p w_n log(1 + e^{x_n - x_p})             n: pairs (i, j), j neither positive nor left out
///                                                                           w_p = w_i, w_n = w_i;  A = sum w_p,  B = sum w_n
///   dL/ds_n = (1 / (AB tau)) w_n sum_p w_p sigmoid(x_n - x_p),   dL/ds_p = -(1 / (AB tau)) w_p sum_n w_n sigmoid(x_n - x_p)
///   dL/dq_i, dL/dk_j, dL/dlog(1/tau): as InBatchInfoNce
///   Scope::list: the same of each row by itself, L = sum_i w_i L_i / sum w_i over the rows that have both kinds of pairs
///
/// Shapes      queries [B d], documents [M d]; see EmbeddingView. A query without a positive is left out, its negatives too.
/// Units       nats; nats per unit of embedding.
/// No signal   no positive or no negative of positive weight.
/// Cost        2 B M d operations for the value, 6 B M d with gradient; beside them an entry finds its bin, adds to its moments and
///             reads one polynomial of degree 9 (float) or 19 (double), and more where the similarities that stand together are
///             spread over more than 32 tau. Scope::list: an exponential and a logarithm for an entry and a positive of its row.
///             Memory: twice the documents, a tile for each worker, and for a bin, 2 tau wide, some 2 kB. Bins go from 132 tau
///             (773 tau in double) below the lowest positive to as much above the highest, and no further than the lengths of the
///             embeddings allow.
/// Numerics    the sum over pairs through Chebyshev moments and far fields, about 1e-7 relative in float and 1e-14 in double
///             of what the rounded similarities give (docs/numerics.md). Negatives beyond the bins are exact: they have no effect,
///             or all. Where that makes more than 4096 bins, pair by pair: B M exponentials for every positive. The bits do not
///             depend on the number of threads. A NaN or infinite similarity makes the value NaN.
/// Parameters  temperature tau > 0. scope: batch (default) or list. similarity. normalize: mean, or sum (of w_p w_n phi over all
///             pairs). tiles: how much of the matrix is looked at at once.
/// Source      MannWhitney of all similarities as one list; arXiv 2510.00137 for the pooling over queries.
struct InBatchMannWhitney {
  static constexpr std::string_view name = "in_batch_mann_whitney";

  double temperature = 0.05;
  Scope scope = Scope::batch;
  Similarity similarity = Similarity::dot;
  Normalize normalize = Normalize::mean;
  embedding::TileSizes tiles{};

  Status check() const { return check_parameter("InBatchMannWhitney.temperature", temperature, 0); }

  /// A way that is forced is taken wherever it is possible.
  template <Real T>
  EmbeddingValue<T> evaluate(const EmbeddingView<T>& view, const EmbeddingGradient<T>& out, Workspace& workspace,
                             embedding::PairsBy way = embedding::PairsBy::automatic) const {
    using namespace embedding;
    const auto frame = workspace.frame();
    const Batch<T> batch = batch_of(view, similarity, temperature, workspace);
    const Relations& relations = batch.pairs;
    double* const factors = workspace.take<double>(batch.queries.n, 0.0);   // of the pairs of a row
    double above = 0, below = 0, rows = 0;
    for (std::size_t i = 0; i < batch.queries.n; ++i) {
      const double w = static_cast<double>(view.weight(batch.queries.number[i]));
      const auto p = static_cast<double>(relations.positives(i)), n = static_cast<double>(relations.negatives(i));
      above += w * p;
      below += w * n;
      if (!(n > 0)) continue;
      rows += w;
      factors[i] = scope == Scope::list && normalize == Normalize::mean ? w / (p * n) : w;
    }
    const double total = scope == Scope::list ? rows : above * below;
    if (!(total > 0)) return {};
    const double unit = normalize == Normalize::mean ? 1 / total : 1;
    for (std::size_t i = 0; i < batch.queries.n; ++i) factors[i] *= unit;

    double* const found = workspace.take<double>(relations.pairs());
    find_similarities(batch, found, workspace);
    T *const positives = workspace.take<T>(relations.pairs()), *const slope = workspace.take<T>(relations.pairs());
    std::transform(found, found + relations.pairs(), positives, [](double s) { return static_cast<T>(s); });
    MixedPairs<T> pairs{relations, 1 / temperature, batch.bias, positives, nullptr, nullptr};
    if (!view.weights.empty() && scope == Scope::batch) pairs.weigh(view, batch.queries, workspace);

    Tiles<T> matrix(batch.queries, batch.documents, tiles, out.wanted(), workspace);
    double value = 0;
    const auto run = [&](auto objective) {
      matrix.run(objective, out);
      value = objective.close(slope, workspace);
    };
    std::optional<typename GriddedPairs<T>::Place> place;
    if (scope == Scope::batch) place = GriddedPairs<T>::place(pairs, batch.longest, workspace);
    if (place && choose(way, relations.pairs()) == PairsBy::grid)
      run(GriddedPairs<T>(pairs, *place, unit, out.wanted(), matrix, workspace));
    else run(PairsOneByOne<T>(pairs, scope == Scope::list, factors, out.wanted(), matrix, workspace));
    if (!out.wanted()) return {static_cast<T>(value), 0, true};
    add_gradients(batch.queries, batch.documents, relations.offset, relations.document, slope, out, workspace);
    return {static_cast<T>(value), finish_gradients(batch, out, workspace), true};
  }

 private:
  /// A few positives are met sooner than the bins that their exponentials would save.
  static embedding::PairsBy choose(embedding::PairsBy way, std::size_t positives) {
    using embedding::PairsBy;
    if (way != PairsBy::automatic) return way;
    return positives <= 4 ? PairsBy::exponentials : PairsBy::grid;
  }
};

}  // namespace rankgrad
