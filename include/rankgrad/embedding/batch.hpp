// rankgrad/embedding/batch.hpp: the two sides of a batch, what belongs together and the bias, as losses over all similarities
// take them; and the batch from the documents' side.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/embedding/own_negatives.hpp>
#include <rankgrad/embedding/relations.hpp>
#include <rankgrad/embedding/tiles.hpp>

namespace rankgrad::inline RANKGRAD_ABI::embedding {

/// Queries that have a positive, documents that are present, in numbers of their own.
template <Real T>
struct Batch {
  Side<T> queries, documents;
  Relations pairs;
  OwnNegatives<T> own;
  T* bias = nullptr;    ///< [documents] in units of similarity, or null
  double bias_unit = 1; ///< what a bias of 1 is there
  double longest = 0;   ///< no similarity is further from 0, its bias and its rounding included
};

/// temperature: the bias is one of logits s / temperature.
template <Real T>
Batch<T> batch_of(const EmbeddingView<T>& view, Similarity similarity, double temperature, Workspace& workspace) {
  Batch<T> batch;
  batch.bias_unit = temperature;
  std::uint8_t* const asks = workspace.take<std::uint8_t>(view.query_count());
  for (std::size_t i = 0; i < view.query_count(); ++i) asks[i] = has_positive(view, i);
  batch.queries = side_of<T>(view.queries, view.dimension, {asks, view.query_count()}, similarity, workspace);
  batch.documents = side_of<T>(view.documents, view.dimension, view.document_mask, similarity, workspace);
  batch.pairs = relations_of(view, batch.queries, batch.documents, workspace);
  batch.own = own_negatives_of(view, batch.queries, similarity, workspace);
  batch.longest = 1.001 * batch.queries.longest * std::max(batch.documents.longest, batch.own.rows.longest);
  if (view.document_bias.empty()) return batch;
  batch.bias = workspace.take<T>(batch.documents.n);
  double highest = 0;
  for (std::size_t j = 0; j < batch.documents.n; ++j) {
    const double b = static_cast<double>(view.document_bias[batch.documents.number[j]]) * temperature;
    batch.bias[j] = static_cast<T>(b);
    highest = std::max(highest, std::abs(b));
  }
  batch.longest += 1.001 * highest;
  return batch;
}

/// Weights of the queries that count, with the factor in front of the sum, 0 for the others; null where none counts.
template <Real T, class Counts>
double* weights_of(const EmbeddingView<T>& view, const Batch<T>& batch, Normalize normalize, const Counts& counts,
                   Workspace& workspace) {
  double* const weight = workspace.take<double>(batch.queries.n, 0.0);
  double total = 0;
  for (std::size_t i = 0; i < batch.queries.n; ++i)
    if (counts(i)) total += weight[i] = static_cast<double>(view.weight(batch.queries.number[i]));
  if (!(total > 0)) return nullptr;
  for (std::size_t i = 0; i < batch.queries.n && normalize == Normalize::mean; ++i) weight[i] /= total;
  return weight;
}

/// body(number of the pair, query, document) for all positives, by any worker.
template <Real T, class Body>
void for_each_positive(const Batch<T>& batch, Workspace& workspace, const Body& body) {
  for_each_stretch(batch.queries.n, workspace, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i)
      batch.pairs.for_positives(i, 0, batch.documents.n, [&](std::size_t k) { body(k, i, std::size_t{batch.pairs.document[k]}); });
  });
}

/// s_ij + bias_j of all positives.
template <Real T>
void find_similarities(const Batch<T>& batch, double* to, Workspace& workspace) {
  const Side<T>&queries = batch.queries, &documents = batch.documents;
  for_each_positive(batch, workspace, [&](std::size_t k, std::size_t i, std::size_t j) {
    const double s = dot(queries.row(i), queries.factor(i), documents.row(j), documents.factor(j), queries.dimension);
    to[k] = s + (batch.bias ? static_cast<double>(batch.bias[j]) : 0);
  });
}

/// In the place of the similarity of what is no negative: far below all others.
template <Real T>
inline constexpr T out_of_reach = std::numeric_limits<T>::lowest() / 4;

/// A row of a tile as similarities of negatives: with their bias, `out_of_reach` where there is none, up to the next whole pack.
template <Real T>
void leave_negatives(const Relations& pairs, const T* bias, const Tile<T>& tile, std::size_t r) {
  T* const s = tile[r];
  if (bias)
    for (std::size_t j = 0; j < tile.columns; ++j) s[j] += bias[tile.column + j];
  const std::size_t i = tile.row[r];
  for (std::size_t j = tile.columns; j % simd::lanes<T> != 0; ++j) s[j] = out_of_reach<T>;
  pairs.for_same(i, tile.column, tile.columns, [&](std::size_t j) { s[j - tile.column] = out_of_reach<T>; });
  pairs.for_positives(i, tile.column, tile.columns, [&](std::size_t k) { s[pairs.document[k] - tile.column] = out_of_reach<T>; });
}

/// slope[k]: the derivatives by the positives, into a row whose other entries are derivatives already.
template <Real T>
void put_positives(const Relations& pairs, const T* slope, const Tile<T>& tile, std::size_t r) {
  T* const derivative = tile[r];
  pairs.for_positives(tile.row[r], tile.column, tile.columns,
                      [&](std::size_t k) { derivative[pairs.document[k] - tile.column] = slope[k]; });
}

/// From the gradient by what entered the products, and by the bias there, to that by embeddings and bias. Returns sum_ij s_ij dL/ds_ij.
template <Real T>
double finish_gradients(const Batch<T>& batch, const EmbeddingGradient<T>& out, Workspace& workspace) {
  const double by_queries = out.queries.empty() ? 0 : finish_gradient(batch.queries, out.queries.data(), workspace);
  const double by_documents = out.documents.empty() ? 0 : finish_gradient(batch.documents, out.documents.data(), workspace);
  for (T& slope : out.document_bias) slope *= static_cast<T>(batch.bias_unit);
  const double by_own = finish_gradient(batch.own, out, workspace);
  return out.queries.empty() && !out.documents.empty() ? by_documents + by_own : by_queries;
}

/// The batch in which documents look for queries. Those without a query's interest do not ask there, queries without a positive
/// are not there; a document has the weight that its queries give it, w_i / |P_i| each. Without bias: it would be the same for
/// all queries.
template <Real T>
EmbeddingView<T> turned(const EmbeddingView<T>& view, const Batch<T>& batch, Workspace& workspace) {
  const std::size_t queries = view.query_count(), documents = view.document_count();
  const Relations& pairs = batch.pairs;
  std::uint32_t *const offset = workspace.take<std::uint32_t>(documents + 2, 0), *const query = workspace.take<std::uint32_t>(pairs.pairs());
  double* const weight = workspace.take<double>(documents, 0.0);
  std::uint8_t* const there = workspace.take<std::uint8_t>(queries, 0);
  const auto document_of = [&](std::size_t k) { return batch.documents.number[pairs.document[k]]; };
  for (std::size_t k = 0; k < pairs.pairs(); ++k) ++offset[document_of(k) + 2];
  for (std::size_t j = 2; j < documents + 2; ++j) offset[j] += offset[j - 1];
  for (std::size_t i = 0; i < batch.queries.n; ++i) {
    const std::uint32_t q = batch.queries.number[i];
    const double share = static_cast<double>(view.weight(q)) / static_cast<double>(pairs.positives(i));
    there[q] = 1;
    for (std::size_t k = pairs.offset[i]; k < pairs.offset[i + 1]; ++k) {
      query[offset[document_of(k) + 1]++] = q;   // where the places of a document begin becomes where they end
      weight[document_of(k)] += share;
    }
  }
  T* const weights = workspace.take<T>(documents);
  for (std::size_t j = 0; j < documents; ++j) weights[j] = static_cast<T>(weight[j]);
  return {.dimension = view.dimension, .queries = view.documents, .documents = view.queries,
          .positive_offsets = {offset, documents + 1}, .positives = {query, pairs.pairs()}, .query_ids = view.document_ids,
          .document_ids = view.query_ids, .weights = {weights, documents}, .document_mask = {there, queries}};
}

}  // namespace rankgrad::embedding
