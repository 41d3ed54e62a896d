// rankgrad/embedding/in_batch_anchors.hpp: from the pairs of a batch to the anchors of its softmaxes.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/embedding/in_batch_softmax.hpp>

namespace rankgrad::inline RANKGRAD_ABI::embedding {

/// The queries that have a positive: others are left out.
template <Real T>
Side<T> asking_side(const EmbeddingView<T>& view, Similarity similarity, Workspace& workspace) {
  std::uint8_t* const asks = workspace.take<std::uint8_t>(view.query_count());
  for (std::size_t i = 0; i < view.query_count(); ++i) asks[i] = has_positive(view, i);
  return side_of<T>(view.queries, view.dimension, {asks, view.query_count()}, similarity, workspace);
}

/// Positives, candidates and weights of the rows, and how many look for a document; for count_pairs() to go on from.
template <Real T>
void open_anchors(const EmbeddingView<T>& view, const Side<T>& queries, const Relations& pairs, std::size_t all_queries,
                  std::size_t all_documents, SoftmaxAnchors<T>& rows, SoftmaxAnchors<T>& columns) {
  for (std::size_t i = 0; i < queries.n; ++i) {
    rows.positives[i] = static_cast<double>(pairs.positives(i));
    rows.candidates[i] = static_cast<double>(all_documents);
    rows.weight[i] = static_cast<double>(view.weight(queries.number[i]));
  }
  for (std::size_t j = 0; j < columns.n && columns.used; ++j) columns.candidates[j] = static_cast<double>(all_queries);
}

/// Pairs that are left out are no candidates; a document is looked for by the queries whose positive it is.
template <Real T>
void count_pairs(const Relations& pairs, SoftmaxAnchors<T>& rows, SoftmaxAnchors<T>& columns) {
  for (std::size_t i = 0; i < pairs.queries; ++i) {
    double left_out = 0;
    pairs.for_same(i, 0, pairs.documents, [&](std::size_t j) {
      ++left_out;
      if (columns.used) --columns.candidates[j];
    });
    pairs.for_positives(i, 0, pairs.documents, [&](std::size_t k) {
      const std::size_t j = pairs.document[k];
      const bool same = pairs.is_same(i, static_cast<std::uint32_t>(j));
      left_out -= same;
      if (!columns.used) return;
      columns.candidates[j] += same;
      ++columns.positives[j];
      columns.weight[j] += rows.weight[i] / rows.positives[i];
    });
    rows.candidates[i] -= left_out;
  }
}

/// Sum of the weights of the anchors that count.
template <Real T>
double weight_of(const SoftmaxAnchors<T>& anchors) {
  double total = 0;
  for (std::size_t a = 0; a < anchors.n; ++a)
    if (anchors.valid(a)) total += anchors.weight[a];
  return total;
}

/// The bias of the documents in units of similarity. Returns the largest |bias|.
template <Real T>
double bias_of(const EmbeddingView<T>& view, const Side<T>& documents, double temperature, T* bias) {
  double highest = 0;
  for (std::size_t j = 0; j < documents.n; ++j) {
    const double b = static_cast<double>(view.document_bias[documents.number[j]]);
    bias[j] = static_cast<T>(b * temperature);
    highest = std::max(highest, std::abs(b));
  }
  return highest;
}

/// Logits of the positives.
template <Real T>
void find_logits(const Side<T>& queries, const Side<T>& documents, const Relations& pairs, const T* bias, double temperature,
                 double* logit, Workspace& workspace) {
  for_each_stretch(queries.n, workspace, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i)
      pairs.for_positives(i, 0, documents.n, [&](std::size_t k) {
        const std::size_t j = pairs.document[k];
        const double s = dot(queries.row(i), queries.factor(i), documents.row(j), documents.factor(j), queries.dimension);
        logit[k] = (s + (bias ? static_cast<double>(bias[j]) : 0)) / temperature;
      });
  });
}

}  // namespace rankgrad::embedding
