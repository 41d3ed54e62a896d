// Losses over embeddings against losses of the matrix of their similarities.
#pragma once

#include "embedding/every_embedding_loss.hpp"

#include <rankgrad/contrastive/symmetric_info_nce.hpp>

namespace test {

/// The inner products of a batch.
inline std::vector<double> matrix_of(const OwnedEmbeddings<double>& batch) {
  std::vector<double> all;
  const std::size_t d = batch.dimension;
  for (std::size_t i = 0; i < batch.query_count(); ++i)
    for (std::size_t j = 0; j < batch.document_count(); ++j)
      all.push_back(std::inner_product(&batch.queries[i * d], &batch.queries[i * d] + d, &batch.documents[j * d], 0.0));
  return all;
}

/// Documents with the id of a query are its positives.
inline void list_same(OwnedEmbeddings<double>& batch, const std::vector<std::int64_t>& ids) {
  batch.positives.clear(), batch.positive_offsets = {0};
  for (const std::int64_t id : ids) {
    for (std::uint32_t j = 0; j < ids.size(); ++j)
      if (ids[j] == id) batch.positives.push_back(j);
    batch.positive_offsets.push_back(static_cast<std::uint32_t>(batch.positives.size()));
  }
}

/// From a gradient by the matrix to what must come out of the embeddings, each entry to 1e-11 of `unit`.
template <class L>
void check_against(const OwnedEmbeddings<double>& batch, const L& loss, double unit, double value, const std::vector<double>& slopes) {
  const auto got = evaluated(loss, batch);
  REQUIRE(got.valid);
  CHECK(got.value == Approx(value).epsilon(1e-11));
  const std::size_t d = batch.dimension, columns = batch.document_count();
  std::vector<double> queries(batch.queries.size()), documents(batch.documents.size());
  for (std::size_t i = 0; i < batch.query_count(); ++i)
    for (std::size_t j = 0; j < columns; ++j)
      for (std::size_t k = 0; k < d; ++k) {
        queries[i * d + k] += slopes[i * columns + j] * batch.documents[j * d + k];
        documents[j * d + k] += slopes[i * columns + j] * batch.queries[i * d + k];
      }
  check_rows(got.queries, queries, std::vector{unit}, 1e-11, "queries");
  check_rows(got.documents, documents, std::vector{unit}, 1e-11, "documents");
  CHECK(got.log_scale == Approx(rg::log_scale_gradient<double>(matrix_of(batch), slopes)).epsilon(1e-10).margin(1e-10));
}

}  // namespace test
