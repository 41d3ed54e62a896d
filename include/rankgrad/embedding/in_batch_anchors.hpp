// rankgrad/embedding/in_batch_anchors.hpp: from the pairs of a batch to the anchors of its softmaxes.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/contrastive/info_nce.hpp>
#include <rankgrad/embedding/batch.hpp>

namespace rankgrad::inline RANKGRAD_ABI::embedding {

/// What the losses over in-batch softmaxes have in common.
struct SoftmaxSettings {
  double scale, smoothing, focal_gamma;
  bool detach_focal, together;
};

/// The anchors of one direction.
template <Real T>
struct SoftmaxAnchors {
  bool used = false;
  bool distributions = false;                             ///< targets are given: an anchor may learn without negatives
  std::size_t n = 0;
  double *weight, *positives, *candidates, *mass;         ///< mass: the sum of the positives' targets
  T* top;                                                 ///< highest similarity of a negative
  double *sum, *similarities;                             ///< over the negatives: e^{scale (s - top)}; s, for smoothing
  double *positive_top, *positive_sum, *positive_logits;  ///< over the positives, of their logits
  double* positive_mean;                                  ///< of their logits, in the shares that targets give
  double *slope, *focus;                                  ///< B; the sum of the C_i where they differ
  T *factor, *level;                                      ///< e^{scale (s - top)} to the derivative; the smoothing's part

  SoftmaxAnchors(bool use, std::size_t size, Workspace& workspace) : used(use), n(size) {
    constexpr double low = std::numeric_limits<double>::lowest();
    for (double** a : {&weight, &positives, &candidates, &mass, &sum, &similarities, &positive_sum, &positive_logits, &positive_mean,
                       &slope, &focus})
      *a = workspace.take<double>(n, 0.0);
    positive_top = workspace.take<double>(n, low);
    // Below every similarity, and above what is not there; of anchors that are not used, above everything: no share of it.
    top = workspace.take<T>(n, std::numeric_limits<T>::lowest() / T(used ? 8 : -8));
    factor = workspace.take<T>(n, T(0));
    level = workspace.take<T>(n, T(0));
  }
  bool valid(std::size_t a) const {
    const double others = candidates[a] - (distributions ? 1 : positives[a]);
    return used && positives[a] > 0 && others > 0 && weight[a] > 0;
  }

  double positive_lse(std::size_t a) const { return positive_top[a] + std::log(positive_sum[a]); }
  /// z
  double gap(std::size_t a, double scale) const {
    if (sum[a] == 0) return -std::numeric_limits<double>::infinity();   // NaN is not nothing
    return scale * static_cast<double>(top[a]) + std::log(sum[a]) - positive_lse(a);
  }
};

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
