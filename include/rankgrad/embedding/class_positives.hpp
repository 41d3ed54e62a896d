// rankgrad/embedding/class_positives.hpp: the positives of items with classes: supervised contrastive learning from embeddings.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/embedding/embedding_view.hpp>

#include <vector>

namespace rankgrad::inline RANKGRAD_ABI {

/// Documents of a query's class are its positives, but for the query itself. Keep one per training loop: it stops allocating
/// after the first large batch, and a view that it has filled looks into it.
///
///   ClassPositives positives;
///   EmbeddingView<float> batch{.dimension = 128, .queries = z, .documents = z, .query_ids = numbers, .document_ids = numbers};
///   positives.fill(batch, classes, classes);     // numbers: 0, 1, .. : an item is neither positive nor negative of itself
///   const InBatchInfoNce loss{.temperature = 0.1, .similarity = Similarity::cosine};
///   const auto result = evaluate(loss, batch, {by_queries, by_documents});
///
/// That is L_out of Khosla et al., arXiv 2004.11362, eq. (2), and with Positives::together L_in but for a constant; its mean over
/// the anchors that have a positive and a negative (targets of 1: a positive and another candidate). Both gradients are by the
/// same z: their sum is dL/dz. Where documents are a queue, or the other view of a batch, ids that no query has, or none at all,
/// make all of a class positives. Cost: O((B + M) log M + positives) time.
class ClassPositives {
 public:
  /// Sets positive_offsets and positives. Queries and documents with equal ids are one item, and no pair.
  template <Real T>
  void fill(EmbeddingView<T>& view, std::span<const std::int64_t> query_classes, std::span<const std::int64_t> document_classes) {
    if constexpr (RANKGRAD_CONTRACTS > 0) require(check(view, query_classes.size(), document_classes.size()));
    by_class_.resize(document_classes.size());
    for (std::size_t j = 0; j < by_class_.size(); ++j) by_class_[j] = static_cast<std::uint32_t>(j);
    std::sort(by_class_.begin(), by_class_.end(), [&](std::uint32_t a, std::uint32_t b) {
      return document_classes[a] != document_classes[b] ? document_classes[a] < document_classes[b] : a < b;
    });
    offsets_.assign(1, 0);
    positives_.clear();
    for (std::size_t i = 0; i < query_classes.size(); ++i) {
      const std::int64_t wanted = query_classes[i];
      auto j = std::partition_point(by_class_.begin(), by_class_.end(), [&](std::uint32_t x) { return document_classes[x] < wanted; });
      for (; j != by_class_.end() && document_classes[*j] == wanted; ++j)
        if (view.query_ids.empty() || view.document_ids[*j] != view.query_ids[i]) positives_.push_back(*j);
      if (positives_.size() > std::numeric_limits<std::uint32_t>::max())
        require(Status::error("rankgrad: more than 2^32 - 1 pairs of one class"));
      offsets_.push_back(static_cast<std::uint32_t>(positives_.size()));
    }
    view.positive_offsets = offsets_;
    view.positives = positives_;
  }

 private:
  template <Real T>
  static Status check(const EmbeddingView<T>& view, std::size_t query_classes, std::size_t document_classes) {
    const std::size_t queries = view.query_count(), documents = view.document_count();
    if (Status s = detail::check_length("query_classes", query_classes, queries); !s) return s;
    if (Status s = detail::check_length("document_classes", document_classes, documents); !s) return s;
    if (Status s = detail::check_optional_length("query_ids", view.query_ids.size(), queries); !s) return s;
    return detail::check_length("document_ids", view.document_ids.size(), view.query_ids.empty() ? 0 : documents);
  }

  std::vector<std::uint32_t> by_class_, offsets_, positives_;
};

}  // namespace rankgrad
