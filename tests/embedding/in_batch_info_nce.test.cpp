#include "properties/oracles/embedding.hpp"

namespace rg = rankgrad;
using rg::Direction, rg::Positives, rg::Similarity;
using L = rg::InBatchInfoNce;
using test::OwnedEmbeddings;

TEMPLATE_TEST_CASE("in-batch InfoNCE is its definition in every combination", "[embedding]", float, double) {
  using T = TestType;
  const auto plain = test::make_embeddings<T>(1, {.queries = 6, .documents = 9, .dimension = 5});
  const auto rich = test::make_embeddings<T>(2, test::everything(11, 17, 3));
  struct Focal {
    double gamma;
    bool detach;
  };
  for (const Direction direction : {Direction::rows, Direction::columns, Direction::both})
    for (const Similarity similarity : {Similarity::dot, Similarity::cosine})
      for (const Positives positives : {Positives::mean, Positives::together})
        for (const double smoothing : {0.0, 0.1})
          for (const Focal focal : {Focal{0, true}, {0.5, true}, {0.5, false}, {2, false}})
            for (const double temperature : {0.01, 0.1}) {
              L loss{.temperature = temperature, .direction = direction, .similarity = similarity, .positives = positives,
                     .smoothing = smoothing, .focal_gamma = focal.gamma, .detach_focal = focal.detach};
              INFO("direction " << static_cast<int>(direction) << ", cosine " << (similarity == Similarity::cosine)
                                << ", together " << (positives == Positives::together) << ", smoothing " << smoothing
                                << ", gamma " << focal.gamma << ", detached " << focal.detach << ", temperature " << temperature);
              test::check_definition(loss, plain);
              test::check_definition(loss, rich);
              loss.average_directions = false;
              loss.normalize = rg::Normalize::sum;
              test::check_definition(loss, rich);
            }
}

TEST_CASE("in-batch InfoNCE by hand", "[embedding]") {
  // Similarities 0, log 3; log 2, log 2 in units of tau. Rows: probabilities 1/4 3/4, 1/2 1/2; columns: 1/3 2/3, 3/5 2/5.
  const double tau = 0.07;
  OwnedEmbeddings<double> batch;
  batch.dimension = 2;
  batch.queries = {1, 0, 0, 1};
  batch.documents = {0, tau * std::log(2.0), tau * std::log(3.0), tau * std::log(2.0)};
  const auto both = test::evaluated(L{.temperature = tau, .direction = Direction::both}, batch);
  CHECK(both.value == Approx((std::log(4) + std::log(2) + std::log(3) + std::log(2.5)) / 4));
  // The queries are the axes: dL/dk_jc = dL/ds_cj.
  CHECK(both.documents[0] == Approx((-3 / 4.0 - 2 / 3.0) / (4 * tau)));
  CHECK(both.documents[2] == Approx((3 / 4.0 + 3 / 5.0) / (4 * tau)));
  CHECK(both.documents[1] == Approx((1 / 2.0 + 2 / 3.0) / (4 * tau)));
  CHECK(both.documents[3] == Approx((-1 / 2.0 - 3 / 5.0) / (4 * tau)));
  const double along = std::log(3) * both.documents[2] + std::log(2) * (both.documents[1] + both.documents[3]);
  CHECK(both.log_scale == Approx(tau * along));

  batch.weights = {1, 3};
  const auto value = [&](L loss) {
    loss.temperature = tau;
    return test::evaluated(loss, batch).value;
  };
  CHECK(value({}) == Approx((std::log(4) + 3 * std::log(2)) / 4));
  CHECK(value({.normalize = rg::Normalize::sum}) == Approx(std::log(4) + 3 * std::log(2)));
  CHECK(value({.direction = Direction::columns}) == Approx((std::log(3) + 3 * std::log(2.5)) / 4));
  // Both are positives of query 0, query 1 has none: it is no negative of the documents either, and nothing is left to learn.
  batch.positive_offsets = {0, 2, 2}, batch.positives = {0, 1};
  CHECK(test::nothing(test::evaluated(L{.temperature = tau, .direction = Direction::both}, batch)));
  // One of each. Query 1 and document 0 show the same: an accidental hit.
  batch.positive_offsets = {0, 1, 2}, batch.weights.clear();
  batch.query_ids = {5, 7}, batch.document_ids = {7, 9};
  const auto hit = test::evaluated(L{.temperature = tau}, batch);
  CHECK(hit.value == Approx(std::log(4)));   // of query 0 alone: query 1 has no negative
  CHECK(hit.documents[1] == 0);
  CHECK(hit.documents[3] == 0);
}

TEMPLATE_TEST_CASE("in-batch InfoNCE against targets is its definition in every combination", "[embedding]", float, double) {
  using T = TestType;
  test::EmbeddingOptions options = test::everything(11, 17, 3);
  options.targets = true;
  const auto some = test::make_embeddings<T>(12, options);
  const auto own = test::make_embeddings<T>(13, {.queries = 6, .documents = 9, .dimension = 5, .targets = true});
  OwnedEmbeddings<T> full = test::make_embeddings<T>(14, {.queries = 4, .documents = 6, .dimension = 5});   // no negative is left
  full.positive_offsets = {0, 6, 12, 18, 24};
  for (std::uint32_t k = 0; k < 24; ++k) full.positives.push_back(k % 6), full.targets.push_back(T(0.25f) + T(k * k % 7));
  for (const Direction direction : {Direction::rows, Direction::columns, Direction::both})
    for (const Similarity similarity : {Similarity::dot, Similarity::cosine})
      for (const double smoothing : {0.0, 0.1})
        for (const double gamma : {0.0, 0.5})
          for (const bool weigh : {false, true})
            for (const double temperature : {0.01, 0.1}) {
              const L loss{.temperature = temperature, .direction = direction, .similarity = similarity, .smoothing = smoothing,
                           .focal_gamma = gamma, .detach_focal = weigh, .weigh_by_targets = weigh};
              INFO("direction " << static_cast<int>(direction) << ", cosine " << (similarity == Similarity::cosine)
                                << ", smoothing " << smoothing << ", gamma " << gamma << ", weighed by targets " << weigh
                                << ", temperature " << temperature);
              for (const auto& batch : {some, own, full}) test::check_definition(loss, batch);
            }
}

TEST_CASE("targets of in-batch InfoNCE by hand", "[embedding]") {
  // Query (1, 0), documents at 0, log 3 and log 2 in units of tau: probabilities 1/6, 3/6, 2/6.
  const double tau = 0.3;
  OwnedEmbeddings<double> batch{.dimension = 2, .queries = {1, 0}, .documents = {0, 1, tau * std::log(3.0), 1, tau * std::log(2.0), 1},
                                .positive_offsets = {0, 3}, .positives = {0, 1, 2}};
  const L loss{.temperature = tau};
  CHECK(test::nothing(test::evaluated(loss, batch)));   // all are positives, and nothing says that one is more so
  batch.targets = {1, 1, 1};
  CHECK(test::evaluated(loss, batch).value == Approx((std::log(6) + std::log(2) + std::log(3)) / 3));
  batch.targets = {1, 0, 3};   // 1/4, 3/4; a positive of target 0 is a negative
  const auto got = test::evaluated(loss, batch);
  CHECK(got.value == Approx((std::log(6) + 3 * std::log(3)) / 4));
  CHECK(got.documents[0] == Approx((1 / 6.0 - 1 / 4.0) / tau));
  CHECK(got.documents[2] == Approx(3 / 6.0 / tau));
  CHECK(got.documents[4] == Approx((2 / 6.0 - 3 / 4.0) / tau));
  CHECK(test::evaluated(L{.temperature = tau, .normalize = rg::Normalize::sum, .weigh_by_targets = true}, batch).value ==
        Approx(std::log(6) + 3 * std::log(3)));
  batch.targets = {0, 0, 0};
  CHECK(test::nothing(test::evaluated(loss, batch)));
  CHECK_THROWS_WITH(test::evaluated(L{.positives = Positives::together}, batch),
                    contains("InBatchInfoNce.positives is together, which has no use for targets"));
  // Only ratios count, unless the targets are weights.
  const auto soft = test::make_embeddings<double>(15, {.queries = 6, .documents = 9, .several = true, .targets = true});
  auto larger = soft;
  for (double& t : larger.targets) t *= 4;
  CHECK(test::evaluated(loss, soft) == test::evaluated(loss, larger));
}

TEMPLATE_TEST_CASE("in-batch InfoNCE with own negatives is its definition in every combination", "[embedding]", float, double) {
  using T = TestType;
  test::EmbeddingOptions options = test::everything(11, 17, 3);
  options.own = true;
  const auto some = test::make_embeddings<T>(16, options);
  auto alone = test::make_embeddings<T>(17, {.queries = 4, .documents = 4, .dimension = 5});   // no other negatives
  alone.query_ids.assign(4, 3), alone.document_ids.assign(4, 3);
  alone.own_offsets = {0, 3, 3, 4, 6};
  alone.own_negatives = test::make_embeddings<T>(18, {.queries = 6, .dimension = 5}).queries;
  for (const Direction direction : {Direction::rows, Direction::both})
    for (const Similarity similarity : {Similarity::dot, Similarity::cosine})
      for (const Positives positives : {Positives::mean, Positives::together})
        for (const double smoothing : {0.0, 0.1})
          for (const double gamma : {0.0, 0.5})
            for (const double temperature : {0.01, 0.1}) {
              const L loss{.temperature = temperature, .direction = direction, .similarity = similarity, .positives = positives,
                           .smoothing = smoothing, .focal_gamma = gamma};
              INFO("direction " << static_cast<int>(direction) << ", cosine " << (similarity == Similarity::cosine) << ", together "
                                << (positives == Positives::together) << ", smoothing " << smoothing << ", gamma " << gamma
                                << ", temperature " << temperature);
              test::check_definition(loss, some);
              test::check_definition(loss, alone);
            }
}

TEST_CASE("own negatives and the gradient of the bias by hand", "[embedding]") {
  // Queries (1, 0) and (0, 1), documents at 0 and log 3, log 2 and log 2 in units of tau; query 0 has own ones at log 4 and 0.
  const double tau = 0.3;
  OwnedEmbeddings<double> batch{.dimension = 2, .queries = {1, 0, 0, 1},
                                .documents = {0, tau * std::log(2.0), tau * std::log(3.0), tau * std::log(2.0)}};
  batch.own_offsets = {0, 2, 2};
  batch.own_negatives = {tau * std::log(4.0), 7, 0, -5};
  const auto rows = test::evaluated(L{.temperature = tau}, batch);
  CHECK(rows.value == Approx((std::log(9) + std::log(2)) / 2));
  CHECK(rows.own[0] == Approx(4 / 9.0 / (2 * tau)));
  CHECK(rows.own[1] == 0);
  CHECK(rows.own[2] == Approx(1 / 9.0 / (2 * tau)));
  CHECK(rows.documents[2] == Approx(3 / 9.0 / (2 * tau)));
  CHECK(rows.queries[1] == Approx((7 * 4 / 9.0 - 5 / 9.0 + tau * std::log(2) * (1 / 9.0 - 1 + 3 / 9.0)) / (2 * tau)));
  CHECK(rows.bias[0] == Approx((1 / 9.0 - 1 + 1 / 2.0) / 2));
  CHECK(rows.bias[1] == Approx((3 / 9.0 + 1 / 2.0 - 1) / 2));
  // Columns do not see them: probabilities 1/3 2/3, 3/5 2/5. Nor do they see a bias.
  const auto both = test::evaluated(L{.temperature = tau, .direction = Direction::both, .average_directions = false}, batch);
  CHECK(both.value == Approx((std::log(9) + std::log(2) + std::log(3) + std::log(2.5)) / 2));
  CHECK(both.own == rows.own);
  CHECK(both.bias[0] == Approx(rows.bias[0]));
  CHECK_THROWS_WITH(test::evaluated(L{.direction = Direction::columns}, batch),
                    contains("InBatchInfoNce.direction is columns, which have no use for own negatives"));
}

TEMPLATE_TEST_CASE("the bias of a class softmax sums what thousands of items want", "[embedding]", float, double) {
  // All items are alike: every row has the same probabilities, and an entry is the sum of n equal numbers.
  using T = TestType;
  const std::size_t n = 20000, classes = 3;
  OwnedEmbeddings<T> batch{.dimension = 1, .queries = std::vector<T>(n, T(1)), .documents = {T(0.5), T(0), T(-0.25)}};
  batch.positive_offsets = test::all_of(n + 1);
  for (std::size_t i = 0; i < n; ++i) batch.positives.push_back(i % 7 == 0 ? 2 : 0);
  batch.document_bias = {T(0), T(1), T(0.5)};
  const auto got = test::evaluated(L{.temperature = 1, .normalize = rg::Normalize::sum}, batch);
  double sum = 0, hits[classes] = {static_cast<double>(n - (n + 6) / 7), 0, static_cast<double>((n + 6) / 7)};
  const auto power = [&](std::size_t j) { return std::exp(static_cast<double>(batch.documents[j] + batch.document_bias[j])); };
  for (std::size_t j = 0; j < classes; ++j) sum += power(j);
  for (std::size_t j = 0; j < classes; ++j)
    CHECK(static_cast<double>(got.bias[j]) == Approx(static_cast<double>(n) * power(j) / sum - hits[j]).epsilon(sizeof(T) == 4 ? 1e-6 : 1e-13));
}

TEST_CASE("document i is that of query i where no positives are listed", "[embedding]") {
  const auto batch = test::make_embeddings<float>(3, {.queries = 13, .documents = 29, .ids = true, .weights = true});
  auto listed = batch;
  listed.positives = test::all_of(13);
  listed.positive_offsets = test::all_of(14);
  for (const Direction direction : {Direction::rows, Direction::both}) {
    const L loss{.direction = direction};
    CHECK(test::evaluated(loss, batch) == test::evaluated(loss, listed));
  }
}

TEMPLATE_TEST_CASE("what is learned keeps its digits, what is hopeless stays finite", "[embedding]", float, double) {
  using T = TestType;
  // Positives along the query, negatives against it, or the other way round; tau on both sides of where one constant for all
  // exponentials ends.
  for (const double sign : {1.0, -1.0})
    for (const double temperature : {1.0, 1 / 14.0, 1 / 49.0, 1 / 51.0, 1 / 59.0, 1 / 61.0, 1 / 449.0, 1 / 451.0, 1e-3, 1e-4}) {
      if (sizeof(T) == 4 && temperature < 1e-3) continue;   // logits of 1e4 have three digits behind the point
      OwnedEmbeddings<T> batch = test::make_embeddings<T>(4, {.queries = 5, .documents = 12, .dimension = 4});
      for (std::size_t i = 0; i < 12 * 4; ++i) {
        const bool own = i / 4 < 5;
        if (own) batch.queries[i] = T(i % 4 == 0 ? 1 : 0.01f) * (1 + T(i % 7) / 50);
        batch.documents[i] = T(sign) * (own ? T(1) : T(-1)) * (T(i % 4 == 0 ? 1 : 0.02f) + T(i % 5) / 70);
      }
      batch.weights.assign(5, T(1e4f));
      for (const Direction direction : {Direction::rows, Direction::both})
        for (const Positives positives : {Positives::mean, Positives::together})
          for (const double smoothing : {0.0, 0.1}) {
            INFO("sign " << sign << ", temperature " << temperature << ", smoothing " << smoothing << ", direction "
                         << static_cast<int>(direction));
            L loss{.temperature = temperature, .direction = direction, .similarity = Similarity::cosine, .positives = positives,
                   .smoothing = smoothing, .normalize = rg::Normalize::sum};
            test::check_definition(loss, batch);
          }
    }
}

TEMPLATE_TEST_CASE("where nothing can be told apart the value is the logarithm of the documents", "[embedding]", float, double) {
  auto batch = test::make_embeddings<TestType>(5, {.queries = 2, .documents = 3, .dimension = 8, .lengths = {1e-19}});
  rg::Random random(6);
  for (int k = 0; k < 200; ++k) {
    const double temperature = std::exp(6 * random.uniform() - 5);
    for (const Direction direction : {Direction::rows, Direction::both}) {
      INFO("temperature " << temperature);
      const double both = direction == Direction::rows ? std::log(3.0) : (std::log(3.0) + std::log(2.0)) / 2;
      const auto got = test::evaluated(L{.temperature = temperature, .direction = direction}, batch);
      CHECK(std::abs(static_cast<double>(got.value) - both) <= test::value_tolerance<TestType> * both);
    }
  }
}

TEMPLATE_TEST_CASE("a document of the lowest bias is deleted", "[embedding]", float, double) {
  using T = TestType;
  auto batch = test::make_embeddings<T>(7, {.queries = 4, .documents = 10, .dimension = 6, .bias = true});
  for (const T bias : {std::numeric_limits<T>::lowest(), std::numeric_limits<T>::lowest() / 1000, T(-1e5f)})
    for (const Direction direction : {Direction::rows, Direction::both})
      for (const double temperature : {0.05, 1.0, 30.0}) {
        const L loss{.temperature = temperature, .direction = direction};
        batch.document_bias[7] = bias;
        auto kept = batch;
        kept.document_mask.assign(10, 1);
        kept.document_mask[7] = 0;
        INFO("bias " << bias << ", temperature " << temperature);
        test::check_expected(test::evaluated(loss, batch), test::expected_of(loss, kept));
      }
}
