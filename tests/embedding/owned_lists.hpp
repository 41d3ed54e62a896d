// Seeded lists of candidates that own their arrays.
#pragma once

#include "support/embeddings.hpp"

#include <rankgrad/embedding/candidate_lists.hpp>

namespace test {

/// Lists over the queries and documents of `sides`; document 0 is in none, query 1 has none.
template <class T>
struct OwnedLists {
  OwnedEmbeddings<T> sides;
  std::vector<std::uint32_t> offsets{0}, candidates;
  std::vector<T> labels, weights, list_weights;
  std::vector<std::uint8_t> mask;

  rg::CandidateView<T> view() const {
    return {.dimension = sides.dimension, .queries = sides.queries, .documents = sides.documents, .offsets = offsets,
            .candidates = candidates, .labels = labels, .weights = weights, .mask = mask, .list_weights = list_weights,
            .document_bias = sides.document_bias};
  }
};
template <class T>
OwnedLists<T> make_lists(std::uint64_t seed, const EmbeddingOptions& options, std::size_t longest = 9) {
  OwnedLists<T> lists;
  lists.sides = make_embeddings<T>(seed, options);
  rg::Random random(seed, 5);
  for (std::size_t q = 0; q < options.queries; ++q) {
    const std::size_t n = q == 1 ? 0 : 1 + random.below(longest);
    for (std::size_t k = 0; k < n; ++k) {
      lists.candidates.push_back(static_cast<std::uint32_t>(1 + random.below(options.documents - 1)));   // some of them twice
      lists.labels.push_back(static_cast<T>(random.below(4)));
      if (options.weights) lists.weights.push_back(static_cast<T>(0.5f + static_cast<float>(random.uniform())));
    }
    lists.offsets.push_back(static_cast<std::uint32_t>(lists.candidates.size()));
  }
  lists.list_weights = lists.sides.weights;
  return lists;
}

}  // namespace test
