#include "embedding/edges.hpp"
#include "properties/oracles/embedding_mann_whitney.hpp"

#include <rankgrad/auc/mann_whitney.hpp>
#include <rankgrad/core/evaluate.hpp>

namespace rg = rankgrad;
using rg::InBatchMannWhitney;
using rg::embedding::PairsBy;

TEMPLATE_TEST_CASE("InBatchMannWhitney is its definition", "[embedding][properties]", float, double) {
  test::check_definitions<InBatchMannWhitney, TestType>();
}
TEMPLATE_TEST_CASE("InBatchMannWhitney keeps its symmetries", "[embedding][properties]", float, double) {
  test::check_symmetries<InBatchMannWhitney, TestType>();
}
TEMPLATE_TEST_CASE("InBatchMannWhitney stands its edges", "[embedding][properties]", float, double) {
  test::check_edges<InBatchMannWhitney, TestType>();
}
TEMPLATE_TEST_CASE("InBatchMannWhitney runs anywhere", "[embedding][properties][long]", float, double) {
  test::check_running<InBatchMannWhitney, TestType>();
}
TEST_CASE("InBatchMannWhitney refuses what it must, and is the integral of its gradient", "[embedding][properties]") {
  test::check_refusals<InBatchMannWhitney, float>();
  test::check_differences<InBatchMannWhitney>();
}

namespace {

/// One way or the other, whatever would be chosen.
template <class T>
test::Evaluated<T> forced(const InBatchMannWhitney& loss, const test::OwnedEmbeddings<T>& batch, PairsBy way) {
  test::Evaluated<T> r;
  r.queries.assign(batch.queries.size(), T(0));
  r.documents.assign(batch.documents.size(), T(0));
  r.bias.assign(batch.document_count(), T(0));
  rg::Workspace workspace;
  const auto result = loss.evaluate(batch.view(), {r.queries, r.documents, {}, r.bias}, workspace, way);
  r.value = result.value, r.log_scale = result.log_scale_gradient, r.valid = result.valid;
  return r;
}
template <class T>
void check_both_ways(const InBatchMannWhitney& loss, const test::OwnedEmbeddings<T>& batch) {
  const test::Expected expected = test::expected_of(loss, batch);
  REQUIRE(expected.valid);
  for (const PairsBy way : {PairsBy::grid, PairsBy::exponentials}) {
    INFO((way == PairsBy::grid ? "by the grid" : "by exponentials"));
    test::check_expected(forced(loss, batch, way), expected);
  }
}

}  // namespace

TEMPLATE_TEST_CASE("both ways to the pairs of a batch are the definition", "[embedding]", float, double) {
  using T = TestType;
  for (const double temperature : {7.0, 1.0, 0.3, 0.05, 0.02, 0.0078125}) {
    INFO("temperature " << temperature);
    for (const auto similarity : {rg::Similarity::dot, rg::Similarity::cosine})
      for (const bool weights : {false, true}) {
        const InBatchMannWhitney loss{.temperature = temperature, .similarity = similarity, .tiles = {12, 96, 2}};
        auto batch = test::make_embeddings<T>(21, {.queries = 13, .documents = 301, .dimension = 3, .several = true, .weights = weights});
        check_both_ways(loss, batch);
      }
  }
}

TEMPLATE_TEST_CASE("negatives out of reach have no effect, or all of it", "[embedding]", float, double) {
  using T = TestType;
  const InBatchMannWhitney loss{.temperature = 0.25, .tiles = {12, 96, 2}};
  auto batch = test::make_embeddings<T>(22, {.queries = 9, .documents = 120, .dimension = 4, .weights = true});
  for (const double far : {30.0, 300.0, 1e4}) {
    INFO("documents from 60 on are " << far << " times as long");
    auto spread = batch;
    for (std::size_t k = 60 * 4; k < spread.documents.size(); ++k) spread.documents[k] *= static_cast<T>(far);
    check_both_ways(loss, spread);
    auto below = spread;   // only those that have no effect
    below.document_bias.assign(120, T(0));
    std::fill(below.document_bias.begin() + 60, below.document_bias.end(), static_cast<T>(-20 * far));
    check_both_ways(loss, below);
  }
}

TEMPLATE_TEST_CASE("positives so far apart that no grid covers them", "[embedding]", float, double) {
  using T = TestType;
  const auto batch = test::make_embeddings<T>(23, {.queries = 9, .documents = 20, .dimension = 4, .lengths = {1, 300, 20}});
  const InBatchMannWhitney loss{.temperature = 0.5};
  check_both_ways(loss, batch);
  CHECK(forced(loss, batch, PairsBy::grid) == forced(loss, batch, PairsBy::exponentials));
}

TEST_CASE("the pairs of a batch are one list of MannWhitney", "[embedding]") {
  const auto batch = test::make_embeddings<double>(24, {.queries = 6, .documents = 40, .dimension = 5});
  std::vector<double> scores, labels;
  for (std::size_t i = 0; i < 6; ++i)
    for (std::size_t j = 0; j < 40; ++j) {
      double s = 0;
      for (std::size_t k = 0; k < 5; ++k) s += batch.queries[i * 5 + k] * batch.documents[j * 5 + k];
      scores.push_back(s);
      labels.push_back(i == j);
    }
  rg::EmbeddingEvaluator<double> evaluate;
  const double expected = rg::value(rg::MannWhitney{.temperature = 0.1}, rg::ListView<double>{.scores = scores, .labels = labels});
  CHECK(evaluate(InBatchMannWhitney{.temperature = 0.1}, batch.view()).value == Approx(expected).epsilon(1e-13));
}

TEMPLATE_TEST_CASE("where all similarities are equal every pair costs log 2 and nothing moves", "[embedding]", float, double) {
  test::OwnedEmbeddings<TestType> batch;
  batch.dimension = 3;
  for (std::size_t i = 0; i < 10; ++i)
    for (const TestType x : {TestType(1), TestType(2), TestType(-2)}) batch.queries.push_back(x), batch.documents.push_back(x);
  for (const auto scope : {rg::Scope::batch, rg::Scope::list}) {
    const auto r = test::evaluated(InBatchMannWhitney{.temperature = 0.01, .scope = scope}, batch);
    CHECK(r.value == Approx(0.69314718055994530942).epsilon(test::value_tolerance<TestType>));
    for (const TestType g : r.queries) CHECK(g == Approx(0).margin(1000 * std::numeric_limits<TestType>::epsilon()));
    for (const TestType g : r.documents) CHECK(g == Approx(0).margin(1000 * std::numeric_limits<TestType>::epsilon()));
  }
}

TEST_CASE("one query, four positives and fewer: no grid is asked for", "[embedding]") {
  auto batch = test::make_embeddings<double>(25, {.queries = 1, .documents = 50, .dimension = 4});
  batch.positive_offsets = {0, 4};
  batch.positives = {3, 8, 21, 49};
  const InBatchMannWhitney loss{.temperature = 0.1};
  CHECK(test::evaluated(loss, batch) == forced(loss, batch, PairsBy::exponentials));
  check_both_ways(loss, batch);
  auto alone = loss;
  alone.scope = rg::Scope::list;
  CHECK(test::evaluated(loss, batch).value == test::evaluated(alone, batch).value);
}
