#include "support/catch.hpp"
#include "support/lists.hpp"

#include <rankgrad/core/batch_evaluator.hpp>
#include <rankgrad/metric/average_precision.hpp>
#include <rankgrad/metric/ndcg.hpp>
#include <rankgrad/metric/precision.hpp>

#include <cmath>

namespace rg = rankgrad;

TEST_CASE("NDCG: worked by hand", "[metric]") {
  // In rank order the labels are 0, 1, 0, 2, 1: the ideal order is 2, 1, 1.
  const std::vector<double> s{0.8, 0.3, 0.7, 0.4, 0.1}, y{0, 2, 1, 0, 1};
  const rg::ListView<double> list{.scores = s, .labels = y};
  const double third = 1 / std::log2(3.0), fifth = 1 / std::log2(5.0), sixth = 1 / std::log2(6.0);
  CHECK(rg::value(rg::Dcg{}, list) == Approx(third + 3 * fifth + sixth).epsilon(1e-15));
  CHECK(rg::value(rg::Ndcg{}, list) == Approx((third + 3 * fifth + sixth) / (3 + third + 0.5)).epsilon(1e-15));
  CHECK(rg::value(rg::Ndcg{.k = 2}, list) == Approx(third / (3 + third)).epsilon(1e-15));
  CHECK(rg::value(rg::Ndcg{.k = 4, .gain = rg::Gain::linear}, list) == Approx((third + 2 * fifth) / (2 + third + 0.5)).epsilon(1e-15));
  CHECK(rg::value(rg::Ndcg{.discount = rg::Discount::reciprocal}, list) == Approx((0.5 + 0.75 + 0.2) / (3 + 0.5 + 1.0 / 3)).epsilon(1e-15));
  CHECK(rg::value(rg::Dcg{.k = 1}, list) == 0.0);
}

TEST_CASE("NDCG: a perfect order is 1, whatever the gain, cut-off and ties among equal labels", "[metric]") {
  auto list = test::make_list<double>(30, 4, {.grades = 4, .weights = true});
  for (const auto gain : {rg::Gain::exponential, rg::Gain::linear}) {
    for (std::size_t i = 0; i < list.size(); ++i) list.scores[i] = list.weights[i] * (gain == rg::Gain::linear ? list.labels[i] : std::exp2(list.labels[i]) - 1);
    for (const std::size_t k : {0u, 1u, 5u, 30u, 99u})
      for (const auto ties : {rg::Ties::stable, rg::Ties::expected, rg::Ties::pessimistic})
        CHECK(rg::value(rg::Ndcg{.k = k, .gain = gain, .ties = ties}, list.view()) == Approx(1).epsilon(1e-15));
  }
}

TEST_CASE("NDCG: weights multiply gains, and the ideal order is by weighted gain", "[metric]") {
  const std::vector<double> s{1, 2, 3}, y{1, 2, 3}, w{4, 1, 1}, nothing{0, 0, 0};
  const double third = 1 / std::log2(3.0);
  CHECK(rg::value(rg::Ndcg{}, rg::ListView<double>{.scores = s, .labels = y, .weights = w}) == Approx((7 + 3 * third + 2) / (7 + 4 * third + 1.5)));
  CHECK(rg::value(rg::Ndcg{}, rg::ListView<double>{.scores = s, .labels = y, .weights = nothing}) == 0.0);
  // Optimistic ties are by weighted gain, too: 4 * 1 before 1 * 3.
  const std::vector<double> tied{1, 1, 3};
  CHECK(rg::value(rg::Ndcg{.ties = rg::Ties::optimistic}, rg::ListView<double>{.scores = tied, .labels = y, .weights = w}) == Approx(1));
}

TEST_CASE("NDCG: the ideal over all judged items, in the list or not", "[metric]") {
  const std::vector<double> s{3, 2, 1}, y{1, 0, 2}, judged{2, 1, 3, 0};
  const rg::ListView<double> list{.scores = s, .labels = y};
  const double third = 1 / std::log2(3.0), dcg = 1 + 0.5 * 3;
  CHECK(rg::value(rg::Ndcg{.judged = {.labels = judged}}, list) == Approx(dcg / (7 + 3 * third + 0.5)));
  CHECK(rg::value(rg::Ndcg{.k = 1, .judged = {.labels = judged}}, list) == Approx(1 / 7.0));

  SECTION("one set for each list of a batch") {
    const std::vector<double> scores{3, 2, 1, 1, 2}, labels{1, 0, 2, 1, 0}, all{2, 1, 3, 0, 1};
    const std::vector<std::uint32_t> offsets{0, 3, 5, 5}, judged_offsets{0, 4, 5, 5};
    const rg::RaggedBatch<double> batch{.scores = scores, .labels = labels, .offsets = offsets};
    rg::BatchEvaluator<double> evaluate;
    const rg::Ndcg metric{.judged = {all, judged_offsets}};
    evaluate.metric(metric, batch);
    CHECK(evaluate.per_list()[0].value == Approx(dcg / (7 + 3 * third + 0.5)));
    CHECK(evaluate.per_list()[1].value == Approx(third));
    CHECK_FALSE(evaluate.per_list()[2].valid);
  }
  SECTION("judged relevant and nothing retrieved is 0, not left out") {
    rg::Workspace workspace;
    const auto none = rg::Ndcg{.judged = {.labels = judged}}.value(rg::ListView<double>{}, workspace);
    CHECK(none.valid);
    CHECK(none.value == 0.0);
  }
}

TEST_CASE("NDCG: labels below 0 gain nothing; huge labels stay finite", "[metric]") {
  const std::vector<double> s{0.8, 0.3, 0.7, 0.4, 0.1}, y{1, -1, 0, 2, 0}, huge{2000, 0, 1999, 1, 2000}, clipped{1, 0, 0, 2, 0};
  for (const auto gain : {rg::Gain::exponential, rg::Gain::linear})
    CHECK(rg::value(rg::Ndcg{.gain = gain}, rg::ListView<double>{.scores = s, .labels = y}) ==
          rg::value(rg::Ndcg{.gain = gain}, rg::ListView<double>{.scores = s, .labels = clipped}));
  const double third = 1 / std::log2(3.0), sixth = 1 / std::log2(6.0);
  CHECK(rg::value(rg::Ndcg{}, rg::ListView<double>{.scores = s, .labels = huge}) == Approx((1 + third / 2 + sixth) / (1 + third + 0.25)));
  const std::vector<float> fs{1, 2}, fy{120, 121};
  CHECK(static_cast<double>(rg::value(rg::Ndcg{}, rg::ListView<float>{.scores = fs, .labels = fy})) == Approx((1 + third / 2) / (1 + third / 2)));
}

TEST_CASE("NDCG: a model that scores all alike does not get 1", "[metric]") {
  const std::vector<double> s{1, 1, 1, 1}, y{1, 0, 0, 0};
  const rg::ListView<double> list{.scores = s, .labels = y};
  const double mean = (1 + 1 / std::log2(3.0) + 0.5 + 1 / std::log2(5.0)) / 4;
  CHECK(rg::value(rg::Ndcg{.ties = rg::Ties::expected}, list) == Approx(mean).epsilon(1e-15));
  CHECK(rg::value(rg::Ndcg{.ties = rg::Ties::pessimistic}, list) == Approx(1 / std::log2(5.0)).epsilon(1e-15));
  CHECK(rg::value(rg::Ndcg{.ties = rg::Ties::optimistic}, list) == 1.0);
}

TEST_CASE("judged labels that lack a list are refused at the door", "[metric]") {
  const std::vector<double> s{3, 2, 1, 0}, y{1, 0, 2, 1}, judged{2, 1, 3, 0};
  const std::vector<std::uint32_t> offsets{0, 2, 4}, one{0, 4}, falling{0, 3, 2}, beyond{0, 2, 5};
  const rg::RaggedBatch<double> batch{.scores = s, .labels = y, .offsets = offsets};
  rg::BatchEvaluator<double> evaluate;
  for (const auto* bad : {&one, &falling, &beyond}) {
    const rg::Judged lacking{.labels = judged, .offsets = *bad};
    CHECK_THROWS_WITH(evaluate.metric(rg::Ndcg{.judged = lacking}, batch), contains("the judged labels have no list 1"));
    CHECK_THROWS_WITH(evaluate.metric(rg::Recall{.judged = lacking}, batch), contains("the judged labels have no list 1"));
    CHECK_THROWS_WITH(evaluate.metric(rg::AveragePrecision{.judged = lacking}, batch), contains("the judged labels have no list 1"));
    CHECK_THROWS_WITH(rg::value(rg::Ndcg{.judged = lacking}, batch[1]), contains("the judged labels have no list 1"));
  }
  CHECK_NOTHROW(evaluate.metric(rg::Ndcg{.judged = {.labels = judged, .offsets = offsets}}, batch));
}
