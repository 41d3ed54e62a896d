#include <rankgrad/embedding/embedding_evaluator.hpp>

#include "embedding/properties.hpp"
#include "support/allocations.hpp"

#include <rankgrad/embedding/in_batch_info_nce.hpp>

namespace rg = rankgrad;

TEST_CASE("an evaluator allocates nothing once warm, on one thread and on several", "[embedding]") {
  const auto large = test::make_embeddings<float>(1, test::everything(150, 500, 20));
  const auto small = test::make_holey<float>(2, test::everything(20, 60, 7));
  std::vector<float> queries(large.queries.size()), documents(large.documents.size());
  const rg::exec::Threads pool(3);
  rg::EmbeddingEvaluator<float> evaluate;
  CHECK(evaluate.growths() == 0);
  const auto run = [&](const auto& batch, const auto& executor) {
    for (const rg::Direction direction : {rg::Direction::rows, rg::Direction::both})
      for (const double temperature : {0.05, 0.01}) {
        const rg::InBatchInfoNce loss{.temperature = temperature, .direction = direction, .smoothing = 0.1, .focal_gamma = 0.5,
                                      .tiles = {50, 100, 4}};
        const std::span<float> to_queries(queries.data(), batch.queries.size());
        const std::span<float> to_documents(documents.data(), batch.documents.size());
        evaluate(loss, batch, {to_queries, to_documents}, executor);
      }
  };
  const auto large_view = large.view(), small_view = small.view();
  std::size_t before = allocations;
  run(large_view, rg::Serial{}), run(large_view, pool);
  CHECK((allocations > before) == counts_allocations);   // the counter counts
  const std::size_t growths = evaluate.growths();
  CHECK(growths > 0);
  before = allocations;
  run(large_view, rg::Serial{}), run(large_view, pool), run(small_view, pool), run(small_view, rg::Serial{});
  const std::size_t after = allocations;   // not inside CHECK, which allocates
  CHECK(after == before);
  CHECK(evaluate.growths() == growths);
}

namespace {
/// The sum of all similarities, by hand: a loss of the user's. Counts its calls.
struct SumOfAll {
  int* calls;
  rg::Status check() const { return calls ? rg::Status{} : rg::Status::error("SumOfAll.calls is null"); }
  template <rg::Real T>
  rg::EmbeddingValue<T> evaluate(const rg::EmbeddingView<T>& view, const rg::EmbeddingGradient<T>& out, rg::Workspace&) const {
    ++*calls;
    const std::size_t d = view.dimension;
    T value = 0;
    for (std::size_t i = 0; i < view.query_count(); ++i)
      for (std::size_t j = 0; j < view.document_count(); ++j) {
        if (!out.document_bias.empty()) out.document_bias[j] += T(1);
        for (std::size_t k = 0; k < d; ++k) {
          value += view.queries[i * d + k] * view.documents[j * d + k];
          if (!out.queries.empty()) out.queries[i * d + k] += view.documents[j * d + k];
          if (!out.documents.empty()) out.documents[j * d + k] += view.queries[i * d + k];
        }
      }
    return {value, static_cast<double>(value), true};
  }
};
static_assert(rg::EmbeddingLoss<SumOfAll, float> && rg::EmbeddingLoss<rg::InBatchInfoNce, double>);
static_assert(!rg::EmbeddingLoss<int, float>);
}  // namespace

TEST_CASE("an evaluator takes a loss of the user's, clears the gradient before it, and checks before that", "[embedding]") {
  const auto batch = test::make_embeddings<double>(3, {.queries = 3, .documents = 4, .dimension = 2});
  int calls = 0;
  const auto define = [](const test::SimilarityMatrix& m) {
    const long double sum = std::accumulate(m.similarity.begin(), m.similarity.end(), 0.0L);
    return test::Derivatives{sum, true, std::vector<long double>(m.similarity.size(), 1)};
  };
  test::check_expected(test::evaluated(SumOfAll{&calls}, batch), test::expected_of(batch, rg::Similarity::dot, 1, define));
  CHECK(calls == 1);

  std::vector<double> queries(6, 7), documents(8, 7);
  rg::EmbeddingEvaluator<double> evaluate;
  const auto refuses = [&](const SumOfAll& loss, const rg::EmbeddingView<double>& view, std::size_t cut, const char* message) {
    CHECK_THROWS_WITH(evaluate(loss, view, {std::span(queries).first(6 - cut), documents}), contains(message));
  };
  auto short_ones = batch;
  short_ones.weights = {1, 1};
  refuses(SumOfAll{nullptr}, batch.view(), 0, "SumOfAll.calls is null");
  refuses(SumOfAll{&calls}, batch.view(), 1, "the queries' gradient has 5 elements where 6 are expected");
  refuses(SumOfAll{&calls}, short_ones.view(), 0, "weights has 2 elements where 3 are expected");
  CHECK_THROWS_WITH(evaluate(SumOfAll{&calls}, short_ones.view()), contains("weights has 2 elements"));
  CHECK(calls == 1);
  CHECK(queries == std::vector<double>(6, 7));
  CHECK(documents == std::vector<double>(8, 7));
}
