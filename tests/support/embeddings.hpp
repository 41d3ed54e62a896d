// Seeded batches of embeddings that own their arrays, and what can be done to them: permuting, deleting, repeating.
#pragma once

#include <rankgrad/core/random.hpp>
#include <rankgrad/embedding/embedding_view.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

namespace test {

namespace rg = rankgrad;
using Numbers = std::vector<std::uint32_t>;

inline Numbers all_of(std::size_t n) {
  Numbers numbers(n);
  std::iota(numbers.begin(), numbers.end(), 0u);
  return numbers;
}

/// A batch that owns its arrays.
template <class T>
struct OwnedEmbeddings {
  std::size_t dimension = 1;
  std::vector<T> queries{}, documents{};
  Numbers positive_offsets{}, positives{};
  std::vector<std::int64_t> query_ids{}, document_ids{};
  std::vector<T> document_bias{}, weights{};
  std::vector<std::uint8_t> query_mask{}, document_mask{};
  std::vector<T> targets{}, own_negatives{};
  Numbers own_offsets{};

  std::size_t query_count() const { return queries.size() / dimension; }
  std::size_t document_count() const { return documents.size() / dimension; }
  rg::EmbeddingView<T> view() const {
    return {.dimension = dimension, .queries = queries, .documents = documents, .positive_offsets = positive_offsets,
            .positives = positives, .query_ids = query_ids, .document_ids = document_ids, .document_bias = document_bias,
            .weights = weights, .query_mask = query_mask, .document_mask = document_mask, .targets = targets,
            .own_negatives = own_negatives, .own_offsets = own_offsets};
  }
  template <class U>
  OwnedEmbeddings<U> as() const {
    return {dimension, {queries.begin(), queries.end()}, {documents.begin(), documents.end()}, positive_offsets, positives,
            query_ids, document_ids, {document_bias.begin(), document_bias.end()}, {weights.begin(), weights.end()}, query_mask,
            document_mask, {targets.begin(), targets.end()}, {own_negatives.begin(), own_negatives.end()}, own_offsets};
  }
  /// 0: no positive.
  T target(std::size_t i, std::size_t j) const {
    if (positive_offsets.empty()) return T(i != j ? 0 : targets.empty() ? 1 : targets[i]);
    const auto end = positives.begin() + positive_offsets[i + 1];
    const auto found = std::lower_bound(positives.begin() + positive_offsets[i], end, j);
    if (found == end || *found != j) return T(0);
    return targets.empty() ? T(1) : targets[static_cast<std::size_t>(found - positives.begin())];
  }
  bool positive(std::size_t i, std::size_t j) const { return target(i, j) > T(0); }
  bool has_query(std::size_t i) const { return query_mask.empty() || query_mask[i]; }
  bool has_document(std::size_t j) const { return document_mask.empty() || document_mask[j]; }

  /// These queries and documents, in this order, perhaps some of them twice; the others are gone.
  OwnedEmbeddings picked(const Numbers& rows, const Numbers& columns) const {
    OwnedEmbeddings other;
    other.dimension = dimension;
    other.positive_offsets = {0};
    if (!own_offsets.empty()) other.own_offsets = {0};
    const auto append = [](auto& to, const auto& from, std::size_t i, std::size_t n = 1) {
      for (std::size_t k = 0; k < n && !from.empty(); ++k) to.push_back(from[i * n + k]);
    };
    for (const std::uint32_t i : rows) {
      append(other.queries, queries, i, dimension);
      append(other.query_ids, query_ids, i);
      append(other.weights, weights, i);
      append(other.query_mask, query_mask, i);
      for (std::uint32_t c = 0; c < columns.size(); ++c)
        if (positive(i, columns[c])) {
          other.positives.push_back(c);
          if (!targets.empty()) other.targets.push_back(target(i, columns[c]));
        }
      other.positive_offsets.push_back(static_cast<std::uint32_t>(other.positives.size()));
      if (own_offsets.empty()) continue;
      for (std::uint32_t k = own_offsets[i]; k < own_offsets[i + 1]; ++k) append(other.own_negatives, own_negatives, k, dimension);
      other.own_offsets.push_back(static_cast<std::uint32_t>(other.own_negatives.size() / dimension));
    }
    for (const std::uint32_t j : columns) {
      append(other.documents, documents, j, dimension);
      append(other.document_ids, document_ids, j);
      append(other.document_bias, document_bias, j);
      append(other.document_mask, document_mask, j);
    }
    return other;
  }
  /// The own negatives of these queries.
  Numbers own_of(const Numbers& rows) const {
    Numbers numbers;
    for (const std::uint32_t i : rows)
      for (std::uint32_t k = own_offsets.empty() ? 0 : own_offsets[i]; !own_offsets.empty() && k < own_offsets[i + 1]; ++k)
        numbers.push_back(k);
    return numbers;
  }
  Numbers present_documents() const {
    Numbers there;
    for (std::uint32_t j = 0; j < document_count(); ++j)
      if (has_document(j)) there.push_back(j);
    return there;
  }
  /// Queries without a positive that is there are left out like absent ones.
  Numbers present_queries() const {
    Numbers there;
    const Numbers documents_there = present_documents();
    for (std::uint32_t i = 0; i < query_count(); ++i) {
      const auto of_it = [&](std::uint32_t j) { return positive(i, j); };
      if (has_query(i) && std::any_of(documents_there.begin(), documents_there.end(), of_it)) there.push_back(i);
    }
    return there;
  }
};

struct EmbeddingOptions {
  std::size_t queries = 7, documents = 11, dimension = 5;
  bool several = false;            ///< 0 to 3 positives each, listed; else document i is that of query i
  bool ids = false;                ///< few enough that there are accidental hits
  bool bias = false, weights = false;
  bool targets = false;            ///< one of four is 0
  bool own = false;                ///< 0 to 4 own negatives each
  std::vector<double> lengths{};   ///< of the vectors, one after the other over and over; empty: 0.5 to 1.5
};

/// Numbers are made in double and rounded to float, so that batches in float and double agree.
template <class T>
OwnedEmbeddings<T> make_embeddings(std::uint64_t seed, const EmbeddingOptions& options = {}) {
  rg::Random random(seed, 3);
  const auto rounded = [](double x) { return static_cast<T>(static_cast<float>(x)); };
  OwnedEmbeddings<T> batch;
  batch.dimension = options.dimension;
  const auto add_vectors = [&](std::vector<T>& to, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) {
      std::vector<double> v(options.dimension);
      double square = 0;
      for (double& x : v) x = random.normal(), square += x * x;
      const double length = options.lengths.empty() ? 0.5 + random.uniform() : options.lengths[i % options.lengths.size()];
      for (const double x : v) to.push_back(rounded(length * x / std::sqrt(square)));
    }
  };
  add_vectors(batch.queries, options.queries);
  add_vectors(batch.documents, options.documents);
  if (options.several) {
    batch.positive_offsets = {0};
    for (std::size_t i = 0; i < options.queries; ++i) {
      Numbers chosen;
      for (std::size_t k = i % 4; k > 0; --k) chosen.push_back(static_cast<std::uint32_t>(random.below(options.documents)));
      std::sort(chosen.begin(), chosen.end());
      batch.positives.insert(batch.positives.end(), chosen.begin(), std::unique(chosen.begin(), chosen.end()));
      batch.positive_offsets.push_back(static_cast<std::uint32_t>(batch.positives.size()));
    }
  }
  if (options.ids) {
    const std::size_t different = 2 + options.queries / 2;
    const auto id = [&] { return static_cast<std::int64_t>(random.below(different)) - 2; };
    for (std::size_t i = 0; i < options.queries; ++i) batch.query_ids.push_back(id());
    for (std::size_t j = 0; j < options.documents; ++j) batch.document_ids.push_back(id());
  }
  for (std::size_t j = 0; j < options.documents && options.bias; ++j) batch.document_bias.push_back(rounded(random.normal()));
  for (std::size_t i = 0; i < options.queries && options.weights; ++i) batch.weights.push_back(rounded(0.5 + random.uniform()));
  const std::size_t pairs = options.several ? batch.positives.size() : options.queries;
  for (std::size_t k = 0; k < pairs && options.targets; ++k)
    batch.targets.push_back(random.below(4) == 0 ? T(0) : rounded(0.1 + 2 * random.uniform()));
  if (options.own) batch.own_offsets = {0};
  for (std::size_t i = 0; i < options.queries && options.own; ++i)
    batch.own_offsets.push_back(batch.own_offsets.back() + static_cast<std::uint32_t>(random.below(5)));
  if (options.own) add_vectors(batch.own_negatives, batch.own_offsets.back());
  return batch;
}

}  // namespace test
