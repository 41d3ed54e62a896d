// rankgrad/embedding/batch.hpp: the two sides of a batch, what belongs together and the bias, as losses over all similarities
// take them.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/embedding/relations.hpp>
#include <rankgrad/embedding/tiles.hpp>

namespace rankgrad::inline RANKGRAD_ABI::embedding {

/// Queries that have a positive, documents that are present, in numbers of their own.
template <Real T>
struct Batch {
  Side<T> queries, documents;
  Relations pairs;
  T* bias = nullptr;    ///< [documents] in units of similarity, or null
  double longest = 0;   ///< no similarity is further from 0, its bias and its rounding included
};

/// temperature: the bias is one of logits s / temperature.
template <Real T>
Batch<T> batch_of(const EmbeddingView<T>& view, Similarity similarity, double temperature, Workspace& workspace) {
  Batch<T> batch;
  std::uint8_t* const asks = workspace.take<std::uint8_t>(view.query_count());
  for (std::size_t i = 0; i < view.query_count(); ++i) asks[i] = has_positive(view, i);
  batch.queries = side_of<T>(view.queries, view.dimension, {asks, view.query_count()}, similarity, workspace);
  batch.documents = side_of<T>(view.documents, view.dimension, view.document_mask, similarity, workspace);
  batch.pairs = relations_of(view, batch.queries, batch.documents, workspace);
  batch.longest = 1.001 * batch.queries.longest * batch.documents.longest;
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

/// s_ij + bias_j of all positives.
template <Real T>
void find_similarities(const Batch<T>& batch, double* to, Workspace& workspace) {
  const Side<T>&queries = batch.queries, &documents = batch.documents;
  for_each_stretch(queries.n, workspace, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i)
      batch.pairs.for_positives(i, 0, documents.n, [&](std::size_t k) {
        const std::size_t j = batch.pairs.document[k];
        const double s = dot(queries.row(i), queries.factor(i), documents.row(j), documents.factor(j), queries.dimension);
        to[k] = s + (batch.bias ? static_cast<double>(batch.bias[j]) : 0);
      });
  });
}

/// From the gradient by the rows that entered the products to that by the embeddings. Returns sum_ij s_ij dL/ds_ij.
template <Real T>
double finish_gradients(const Batch<T>& batch, const EmbeddingGradient<T>& out, Workspace& workspace) {
  const double by_queries = out.queries.empty() ? 0 : finish_gradient(batch.queries, out.queries.data(), workspace);
  const double by_documents = out.documents.empty() ? 0 : finish_gradient(batch.documents, out.documents.data(), workspace);
  return out.queries.empty() ? by_documents : by_queries;
}

}  // namespace rankgrad::embedding
