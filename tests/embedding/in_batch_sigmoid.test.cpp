#include "properties/oracles/embedding_pairs.hpp"

namespace rg = rankgrad;
using L = rg::InBatchSigmoid;

namespace {

template <class T>
rg::EmbeddingValue<T> run(const L& loss, const test::OwnedEmbeddings<T>& batch) {
  std::vector<T> queries(batch.queries.size()), documents(batch.documents.size());
  rg::EmbeddingEvaluator<T> evaluate;
  return evaluate(loss, batch.view(), {queries, documents});
}

}  // namespace

TEST_CASE("in-batch sigmoid loss by hand", "[embedding]") {
  // Logits log 2, -log 3; 0, log 4: positives are wrong with probabilities 1/3 and 1/5, negatives with 1/4 and 1/2.
  const double tau = 0.5, bias = 0.25;
  test::OwnedEmbeddings<double> batch;
  batch.dimension = 2;
  batch.queries = {1, 0, 0, 1};
  for (const double x : {std::log(2), 0.0, -std::log(3), std::log(4)}) batch.documents.push_back(tau * (x - bias));
  const L loss{.temperature = tau, .bias = bias};
  const auto got = test::evaluated(loss, batch);
  CHECK(got.value == Approx((std::log(1.5) + std::log(4 / 3.0) + std::log(2) + std::log(1.25)) / 2));
  const double slopes[] = {-1 / 3.0, 1 / 2.0, 1 / 4.0, -1 / 5.0};   // by x, of the mean over two queries; documents are columns
  for (std::size_t e = 0; e < 4; ++e) CHECK(got.documents[e] == Approx(slopes[e] / (2 * tau)));
  CHECK(run(loss, batch).bias_gradient == Approx((-1 / 3.0 + 1 / 4.0 + 1 / 2.0 - 1 / 5.0) / 2));
  batch.weights = {1, 3};
  const double first = std::log(1.5) + std::log(4 / 3.0), second = std::log(2) + std::log(1.25);
  CHECK(test::evaluated(loss, batch).value == Approx((first + 3 * second) / 4));
  CHECK(test::evaluated(L{.temperature = tau, .bias = bias, .normalize = rg::Normalize::sum}, batch).value == Approx(first + 3 * second));
  batch.query_ids = {5, 7}, batch.document_ids = {5, 5};   // document 1 is an accidental hit of query 0
  CHECK(test::evaluated(loss, batch).value == Approx((std::log(1.5) + 3 * second) / 4));
  batch.positive_offsets = {0, 2, 2}, batch.positives = {0, 1};   // query 1 has no positive and is left out
  CHECK(test::evaluated(loss, batch).value == Approx(std::log(1.5) + std::log(4)));
}

TEST_CASE("the derivative of the in-batch sigmoid loss by its bias", "[embedding]") {
  const auto batch = test::make_embeddings<double>(1, test::everything(9, 14, 4));
  for (L loss : test::EmbeddingOracle<L>::instances()) {
    const double at = run(loss, batch).bias_gradient, h = 1e-4, bias = loss.bias;
    CHECK(at != 0);
    const auto value = [&](double by) {
      loss.bias = bias + by;
      return run(loss, batch).value;
    };
    CHECK(at == Approx((8 * (value(h) - value(-h)) - (value(2 * h) - value(-2 * h))) / (12 * h)).epsilon(1e-8));
    CHECK(static_cast<double>(run(loss, batch.as<float>()).bias_gradient) == Approx(run(loss, batch).bias_gradient).epsilon(1e-5));
    rg::EmbeddingEvaluator<double> evaluate;
    CHECK(evaluate(loss, batch.view()).bias_gradient == 0);   // no gradient was asked for
  }
}

TEST_CASE("what the in-batch sigmoid loss has learned keeps its digits", "[embedding]") {
  test::OwnedEmbeddings<double> batch;   // logits 60 of the positive, -50 and -55 of the negatives
  batch.dimension = 1;
  batch.queries = {1};
  batch.documents = {60, -50, -55};
  const L loss{.temperature = 1, .bias = 0};
  const double left = std::exp(-60) + std::exp(-50) + std::exp(-55);
  CHECK(test::evaluated(loss, batch).value == Approx(left).epsilon(1e-12));
  CHECK(static_cast<double>(test::evaluated(loss, batch.as<float>()).value) == Approx(left).epsilon(1e-5));
  const L far{.temperature = 1e-3, .bias = -1e4};   // logits 5e4 and less than -6e4
  CHECK(test::evaluated(far, batch).value == 0);
  const L hopeless{.temperature = 1, .bias = -1e4};
  CHECK(test::evaluated(hopeless, batch.as<float>()).value == Approx(1e4 - 60));
}
