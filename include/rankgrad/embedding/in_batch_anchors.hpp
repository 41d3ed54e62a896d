// rankgrad/embedding/in_batch_anchors.hpp: from the pairs of a batch to the anchors of its softmaxes.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/embedding/batch.hpp>
#include <rankgrad/embedding/in_batch_softmax.hpp>

namespace rankgrad::inline RANKGRAD_ABI::embedding {

/// Candidates, and what the rows know of their positives, for count_pairs() to go on from. by_targets: a query weighs its targets
/// together.
template <Real T>
void open_anchors(const EmbeddingView<T>& view, const Batch<T>& batch, bool by_targets, std::size_t all_queries,
                  std::size_t all_documents, SoftmaxAnchors<T>& rows, SoftmaxAnchors<T>& columns) {
  rows.distributions = columns.distributions = !view.targets.empty();
  for (std::size_t i = 0; i < rows.n; ++i) {
    rows.positives[i] = static_cast<double>(batch.pairs.positives(i));
    for (std::size_t k = batch.pairs.offset[i]; k < batch.pairs.offset[i + 1]; ++k) rows.mass[i] += batch.pairs.target(k);
    rows.candidates[i] = static_cast<double>(all_documents + batch.own.count(i));
    rows.weight[i] = static_cast<double>(view.weight(batch.queries.number[i])) * (by_targets ? rows.mass[i] : 1);
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
      columns.mass[j] += pairs.target(k);
      columns.weight[j] += rows.weight[i] * (pairs.target(k) / rows.mass[i]);
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

}  // namespace rankgrad::embedding
