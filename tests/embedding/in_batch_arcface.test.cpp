#include "embedding/properties.hpp"

#include <rankgrad/core/evaluate.hpp>
#include <rankgrad/embedding/in_batch_arcface.hpp>

namespace rg = rankgrad;
using rg::InBatchArcFace;

TEST_CASE("in-batch ArcFace of three cosines", "[embedding]") {
  // The list of tests/contrastive/arcface.test.cpp: cosines 0.3 (the class), -0.2 and 0.6, margin 0.5, scale 64.
  test::OwnedEmbeddings<double> batch{.dimension = 2, .queries = {2, 0}, .positive_offsets = {0, 1}, .positives = {0}};
  const std::vector<double> cosines{0.3, -0.2, 0.6};
  for (const double c : cosines) batch.documents.insert(batch.documents.end(), {c, std::sqrt(1 - c * c)});
  const auto got = test::evaluated(InBatchArcFace{}, batch);
  CHECK(got.value == Approx(50.820354999543724).epsilon(1e-12));
  // dL/dk_j = dL/dc_j (u - c_j k_j), u the direction of the query; all but e^-50.8 of p is at the third.
  const double theta = std::acos(0.3), pull = -64 * std::sin(theta + 0.5) / std::sin(theta);
  CHECK(got.documents[0] == Approx(pull * (1 - 0.3 * 0.3)));
  CHECK(got.documents[1] == Approx(-pull * 0.3 * std::sin(theta)));
  CHECK(got.documents[4] == Approx(64 * (1 - 0.6 * 0.6)));
  CHECK(got.documents[5] == Approx(-64 * 0.6 * 0.8));
  CHECK(got.queries[0] == Approx(0).margin(1e-13));
  CHECK(got.queries[1] == Approx((pull * std::sin(theta) + 64 * 0.8) / 2));
  CHECK(got.bias[0] == Approx(-1));
  CHECK(got.bias[2] == Approx(1));
  CHECK(got.log_scale == Approx(64 * (0.6 - std::cos(theta + 0.5))));
}

TEST_CASE("in-batch ArcFace is ArcFace of every row", "[embedding]") {
  const std::size_t items = 9, classes = 40, d = 6;
  auto batch = test::make_embeddings<double>(3, {.queries = items, .documents = classes, .dimension = d, .lengths = {1}});
  const auto directions = test::detail::directions_of(batch.queries, d, rg::Similarity::cosine);
  batch.queries.assign(directions.vectors.begin(), directions.vectors.end());   // of length 1 in double too
  rg::Random random(5);
  batch.positive_offsets = test::all_of(items + 1);
  for (std::size_t i = 0; i < items; ++i) batch.positives.push_back(static_cast<std::uint32_t>(random.below(classes)));
  for (std::size_t k = 0; k < d; ++k)   // beyond pi - m
    batch.documents[batch.positives[4] * d + k] = -batch.queries[4 * d + k] + (k == 0 ? 0.1 : 0);
  for (const double margin : {0.0, 0.3, 0.5})
    for (const double scale : {10.0, 64.0}) {
      INFO("margin " << margin << ", scale " << scale);
      const rg::ArcFace peer{.margin = margin, .scale = scale};
      const auto unit = test::detail::directions_of(batch.documents, d, rg::Similarity::cosine);
      const auto got = test::evaluated(InBatchArcFace{.margin = margin, .scale = scale}, batch);
      double value = 0, along = 0;
      std::vector<double> by_query(items * d);
      for (std::size_t i = 0; i < items; ++i) {
        std::vector<double> cosines, labels(classes), slopes(classes);
        for (std::size_t j = 0; j < classes; ++j)
          cosines.push_back(static_cast<double>(
              std::inner_product(&batch.queries[i * d], &batch.queries[i * d] + d, &unit.vectors[j * d], 0.0L)));
        labels[batch.positives[i]] = 1;
        value += rg::value_and_gradient(peer, rg::ListView<double>{.scores = cosines, .labels = labels}, slopes) / items;
        for (std::size_t j = 0; j < classes; ++j) along += slopes[j] * cosines[j] / items;
        for (std::size_t j = 0; j < classes; ++j)
          for (std::size_t k = i * d; k < (i + 1) * d; ++k)
            by_query[k] += slopes[j] / items * (static_cast<double>(unit.vectors[j * d + k - i * d]) - cosines[j] * batch.queries[k]);
      }
      CHECK(got.value == Approx(value).epsilon(1e-12));
      test::check_rows(got.queries, by_query, test::top_of(by_query), 1e-11, "queries");
      if (margin == 0) CHECK(got.log_scale == Approx(along).epsilon(1e-11));
    }
}
