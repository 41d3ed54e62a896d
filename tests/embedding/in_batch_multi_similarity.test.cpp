#include "embedding/against_matrix.hpp"
#include "properties/oracles/embedding_pairs.hpp"

namespace rg = rankgrad;
using L = rg::InBatchMultiSimilarity;

namespace {

/// Groups of three, and the rest in pairs: everybody has a positive but itself.
std::vector<std::int64_t> groups_of(std::size_t n) {
  std::vector<std::int64_t> ids;
  for (std::size_t i = 0; i < n; ++i) ids.push_back(static_cast<std::int64_t>(i % (2 * n / 5)));
  return ids;
}

void check_against_matrix(const test::OwnedEmbeddings<double>& batch, const std::vector<std::int64_t>& ids, bool self_pairs) {
  for (const std::optional<double> mining : {std::optional<double>(0.1), std::optional<double>(), std::optional<double>(0.0)})
    for (const rg::Normalize normalize : {rg::Normalize::mean, rg::Normalize::sum}) {
      INFO("mining " << mining.value_or(-1) << ", mean " << (normalize == rg::Normalize::mean));
      const L loss{.alpha = 2, .beta = 7, .base = 0.3, .mining = mining, .normalize = normalize};
      const rg::MultiSimilarity peer{.alpha = 2, .beta = 7, .base = 0.3, .mining = mining, .self_pairs = self_pairs,
                                     .normalize = normalize};
      const std::vector<double> similarity = test::matrix_of(batch);
      std::vector<double> slopes(similarity.size());
      const rg::SimilarityView<double> view{.similarity = similarity, .ids = ids, .weights = batch.weights};
      const double value = rg::value_and_gradient(peer, view, slopes);
      test::check_against(batch, loss, 1, value, slopes);
    }
}

}  // namespace

TEST_CASE("in-batch multi-similarity is that of the matrix of two modalities", "[embedding]") {
  const std::size_t n = 35;
  auto batch = test::make_embeddings<double>(1, {.queries = n, .documents = n, .dimension = 6, .weights = true});
  test::list_same(batch, groups_of(n));
  check_against_matrix(batch, groups_of(n), true);
}

TEST_CASE("in-batch multi-similarity of a set against itself", "[embedding]") {
  const std::size_t n = 35;
  auto batch = test::make_embeddings<double>(2, {.queries = n, .documents = n, .dimension = 6, .weights = true});
  batch.documents = batch.queries;
  const std::vector<std::int64_t> ids = groups_of(n);
  batch.query_ids = batch.document_ids = ids;   // itself: an equal id, and not listed
  batch.positive_offsets = {0};
  for (std::size_t i = 0; i < n; ++i) {
    for (std::uint32_t j = 0; j < n; ++j)
      if (i != j && ids[i] == ids[j]) batch.positives.push_back(j);
    batch.positive_offsets.push_back(static_cast<std::uint32_t>(batch.positives.size()));
  }
  check_against_matrix(batch, ids, false);
}

TEST_CASE("in-batch multi-similarity by hand", "[embedding]") {
  // Query 0: positive 0.5, negatives 0.45 and 0.3, of which the first is above 0.5 - 0.1, and the positive below 0.45 + 0.1.
  // Query 1: positive 0.9, negatives 0.7 and 0.2: all easy.
  test::OwnedEmbeddings<double> batch;
  batch.dimension = 2;
  batch.queries = {1, 0, 0, 1};
  batch.documents = {0.5, 0.7, 0.45, 0.9, 0.3, 0.2};
  const L loss{.alpha = 2, .beta = 40, .base = 0.4};
  const auto got = test::evaluated(loss, batch);
  const double positive = std::exp(-2 * 0.1), negative = std::exp(40 * 0.05);
  CHECK(got.value == Approx((std::log1p(positive) / 2 + std::log1p(negative) / 40) / 2));
  const double p = positive / (1 + positive) / 2, q = negative / (1 + negative) / 2;
  CHECK(got.documents[0] == Approx(-p));
  CHECK(got.documents[2] == Approx(q));
  for (const std::size_t e : {1u, 3u, 4u, 5u}) CHECK(got.documents[e] == 0);
  CHECK(got.queries[0] == Approx(-p * 0.5 + q * 0.45));
  CHECK(got.queries[1] == Approx(-p * 0.7 + q * 0.9));
  CHECK((got.queries[2] == 0 && got.queries[3] == 0));
}
