#include "embedding/against_matrix.hpp"
#include "properties/oracles/embedding_pairs.hpp"

namespace rg = rankgrad;
using rg::Direction, rg::Normalize, rg::Similarity;
using Tal = rg::InBatchTriplet<rg::TripletLogSumExp>;

TEMPLATE_TEST_CASE("in-batch triplets are those of the matrix of similarities", "[embedding]", rg::InBatchTripletLogSumExp,
                   rg::InBatchHardestNegativeTriplet, rg::InBatchSumHingeTriplet) {
  const std::size_t n = 43;
  for (const Direction direction : {Direction::rows, Direction::columns, Direction::both})
    for (const Normalize normalize : {Normalize::sum, Normalize::mean})
      for (const bool groups : {false, true})
        for (const double margin : {0.1, -0.7}) {   // all samples have a loss, or some of them
          INFO("direction " << static_cast<int>(direction) << ", mean " << (normalize == Normalize::mean) << ", groups " << groups
                            << ", margin " << margin);
          auto batch = test::make_embeddings<double>(1, {.queries = n, .documents = n, .dimension = 6, .weights = !groups});
          std::vector<std::int64_t> ids;
          for (std::size_t i = 0; i < n; ++i) ids.push_back(static_cast<std::int64_t>(groups ? i % 20 : i) * 7 - 3);
          test::list_same(batch, ids);
          TestType loss;
          loss.loss.margin = margin, loss.loss.temperature = 0.2, loss.loss.direction = direction, loss.loss.normalize = normalize;
          const std::vector<double> similarity = test::matrix_of(batch);
          std::vector<double> slopes(n * n);
          const rg::SimilarityView<double> view{.similarity = similarity, .ids = ids, .weights = batch.weights};
          const double value = rg::value_and_gradient(loss.loss, view, slopes);
          CHECK(value > 0);
          test::check_against(batch, loss, 1, value, slopes);
        }
}

TEST_CASE("in-batch triplet log-sum-exp by hand", "[embedding]") {
  // Queries are axes, so documents are the columns of S = (0.9 0.85, 0.2 0.5). One negative each: a log-sum-exp of one.
  test::OwnedEmbeddings<double> batch;
  batch.dimension = 2;
  batch.queries = {1, 0, 0, 1};
  batch.documents = {0.9, 0.2, 0.85, 0.5};
  Tal loss;
  loss.loss.direction = Direction::rows;
  const auto rows = test::evaluated(loss, batch);   // 0.1 - 0.9 + 0.85; query 1: 0.1 - 0.5 + 0.2 < 0
  CHECK(rows.value == Approx(0.05));
  CHECK(rows.documents == std::vector<double>{-1, 0, 1, 0});
  CHECK(rows.queries[0] == Approx(-0.05));
  CHECK(rows.queries[1] == Approx(0.3));
  CHECK((rows.queries[2] == 0 && rows.queries[3] == 0));
  CHECK(rows.log_scale == Approx(-0.05));
  loss.loss.direction = Direction::columns;         // 0.1 - 0.5 + 0.85; document 0: 0.1 - 0.9 + 0.2 < 0
  const auto columns = test::evaluated(loss, batch);
  CHECK(columns.value == Approx(0.45));
  CHECK(columns.documents == std::vector<double>{0, 0, 1, -1});
  loss.loss.direction = Direction::both;
  CHECK(test::evaluated(loss, batch).value == Approx(0.5));
  batch.weights = {3, 1};
  CHECK(test::evaluated(loss, batch).value == Approx(3 * 0.05 + 0.45));
  loss.loss.normalize = Normalize::mean;
  CHECK(test::evaluated(loss, batch).value == Approx((3 * 0.05 + 0.45) / 4));
  batch.document_bias = {0, 0.02};   // in units of similarity; between the queries of document 1 it makes no difference
  CHECK(test::evaluated(loss, batch).value == Approx((3 * 0.07 + 0.45) / 4));
}

TEMPLATE_TEST_CASE("in-batch triplets are the integral of their gradient", "[embedding]", rg::InBatchTripletLogSumExp,
                   rg::InBatchHardestNegativeTriplet, rg::InBatchSumHingeTriplet) {
  for (const TestType& loss : test::EmbeddingOracle<TestType>::instances()) {
    // One positive each: the softmax over the positives is constant.
    auto batch = test::make_embeddings<double>(2, {.queries = 6, .documents = 9, .dimension = 3, .ids = true, .bias = true, .weights = true});
    const auto at = test::evaluated(loss, batch);
    REQUIRE(at.valid);
    rg::EmbeddingEvaluator<double> evaluate;
    const auto value = [&](double& x, double h) {
      const double rest = std::exchange(x, x + h), v = evaluate(loss, batch.view()).value;
      x = rest;
      return v;
    };
    const auto check = [&](std::vector<double>& numbers, const std::vector<double>& gradient) {
      const double h = 1e-6;
      for (std::size_t e = 0; e < numbers.size(); ++e)
        CHECK(gradient[e] == Approx((value(numbers[e], h) - value(numbers[e], -h)) / (2 * h)).epsilon(1e-6).margin(1e-8));
    };
    check(batch.queries, at.queries);
    check(batch.documents, at.documents);
  }
}

TEMPLATE_TEST_CASE("queries with nothing to learn are left alone, the others are not", "[embedding]", float, double) {
  using T = TestType;
  const std::size_t n = 260, d = 32;
  Tal loss;
  loss.loss.direction = Direction::rows, loss.similarity = Similarity::cosine;
  const auto check = [&](const auto& batch, auto learns) {
    const test::Expected expected = test::expected_of(loss, batch);
    for (const rg::embedding::TileSizes& sizes : {rg::embedding::TileSizes{}, {24, 64, 2}, {1, 1, 1}}) {
      loss.tiles = sizes;
      const auto got = test::evaluated(loss, batch);
      test::check_expected(got, expected);
      std::size_t right = 0;
      for (std::size_t i = 0; i < n; ++i) {
        const bool zero = std::all_of(&got.queries[i * d], &got.queries[i * d] + d, [](T g) { return g == T(0); });
        right += zero != learns(i);
      }
      CHECK(right == n);
      CHECK(test::evaluated(loss, batch, rg::exec::Threads(2)) == got);
    }
  };
  auto batch = test::make_embeddings<T>(3, {.queries = n, .documents = n + 40, .dimension = d});
  const auto easy = [&](std::size_t i) { std::copy_n(&batch.queries[i * d], d, &batch.documents[i * d]); };
  // No two random directions have a cosine above 0.8 here, so 0.1 + 0.015 log 299 above it is not 1.
  const auto now_and_then = [](std::size_t i) { return i % 13 == 5 || (i >= 150 && i < 180); };
  for (std::size_t i = 0; i < n; ++i)
    if (!now_and_then(i)) easy(i);
  check(batch, now_and_then);
  for (std::size_t i = 0; i < n; ++i)
    if (i != 252) easy(i);
  check(batch, [](std::size_t i) { return i == 252; });
  easy(252);
  check(batch, [](std::size_t) { return false; });
  const auto learned = test::evaluated(loss, batch);
  CHECK((learned.valid && learned.value == T(0) && test::all_zero(learned.documents)));
}

TEMPLATE_TEST_CASE("a negative that is not a number shows where nobody has a loss", "[embedding]", rg::InBatchTripletLogSumExp,
                   rg::InBatchHardestNegativeTriplet, rg::InBatchSumHingeTriplet) {
  TestType loss;
  loss.loss.margin = -10;
  auto batch = test::make_embeddings<float>(4, {.queries = 9, .documents = 31});
  CHECK(test::evaluated(loss, batch).value == 0.0f);
  for (const float wrong : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    batch.documents[20 * batch.dimension] = wrong;
    for (const Direction direction : {Direction::rows, Direction::both}) {
      loss.loss.direction = direction;
      CHECK_FALSE(rg::is_finite(test::evaluated(loss, batch).value));
    }
  }
}

TEMPLATE_TEST_CASE("a query that has no say shows to the documents that it is not a number", "[embedding]",
                   rg::InBatchTripletLogSumExp, rg::InBatchHardestNegativeTriplet, rg::InBatchSumHingeTriplet) {
  TestType loss;
  loss.loss.margin = -10;
  auto batch = test::make_embeddings<float>(5, {.queries = 9, .documents = 31});
  batch.weights.assign(9, 1.0f);
  batch.weights[4] = 0;
  batch.queries[4 * batch.dimension + 1] = std::numeric_limits<float>::quiet_NaN();
  for (const Direction direction : {Direction::rows, Direction::columns, Direction::both}) {
    loss.loss.direction = direction;
    CHECK(rg::is_finite(test::evaluated(loss, batch).value) == (direction == Direction::rows));
  }
}
