#include <rankgrad/metric/trapezoidal_average_precision.hpp>

#include "support/catch.hpp"
#include "support/lists.hpp"

#include <rankgrad/core/batch_evaluator.hpp>
#include <rankgrad/metric/average_precision.hpp>
#include <rankgrad/metric/ignoring.hpp>
#include <rankgrad/metric/precision.hpp>

#include <cmath>
#include <vector>

namespace rg = rankgrad;

TEST_CASE("trapezoidal AP by hand", "[metric]") {
  // Relevant on 0-based ranks 0, 2, 3: (1 + 1) / 2, (1/2 + 2/3) / 2, (2/3 + 3/4) / 2.
  const std::vector<double> s{9, 8, 7, 6, 5}, y{1, 0, 2, 1, 0};
  const rg::ListView<double> list{.scores = s, .labels = y};
  CHECK(rg::value(rg::TrapezoidalAveragePrecision{}, list) == Approx((1 + 7 / 12.0 + 17 / 24.0) / 3));
  CHECK(rg::value(rg::TrapezoidalAveragePrecision{.relevant_above = 1}, list) == Approx((0 + 1 / 3.0) / 2));
  const std::vector<double> judged{1, 1, 1, 1, 1, 1}, best{5, 0, 4, 3, 1};
  CHECK(rg::value(rg::TrapezoidalAveragePrecision{.judged = {.labels = judged}}, list) == Approx((1 + 7 / 12.0 + 17 / 24.0) / 6));
  CHECK(rg::value(rg::TrapezoidalAveragePrecision{}, rg::ListView<double>{.scores = best, .labels = y}) == 1.0);
}

TEST_CASE("trapezoidal AP: never above average precision", "[metric]") {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto list = test::make_list<double>(23, seed, {.grades = 2});
    CHECK(rg::value(rg::TrapezoidalAveragePrecision{}, list.view()) < rg::value(rg::AveragePrecision{}, list.view()) + 1e-15);
  }
}

TEST_CASE("trapezoidal AP: ties, NaN, nothing relevant", "[metric]") {
  const std::vector<double> s{1, 1}, y{0, 1}, none{0, 0}, nan{std::nan(""), 1};
  const rg::ListView<double> tied{.scores = s, .labels = y};
  CHECK(rg::value(rg::TrapezoidalAveragePrecision{}, tied) == Approx(0.25));
  CHECK(rg::value(rg::TrapezoidalAveragePrecision{.ties = rg::Ties::optimistic}, tied) == 1.0);
  CHECK(rg::value(rg::TrapezoidalAveragePrecision{.ties = rg::Ties::pessimistic}, tied) == Approx(0.25));
  CHECK_THROWS_AS(rg::value(rg::TrapezoidalAveragePrecision{.ties = rg::Ties::expected}, tied), std::invalid_argument);
  CHECK(std::isnan(rg::value(rg::TrapezoidalAveragePrecision{}, rg::ListView<double>{.scores = nan, .labels = y})));
  rg::Workspace workspace;
  CHECK_FALSE(rg::TrapezoidalAveragePrecision{}.value(rg::ListView<double>{.scores = s, .labels = none}, workspace).valid);
  CHECK(rg::TrapezoidalAveragePrecision{.no_relevant = rg::NoRelevant::zero}.value(rg::ListView<double>{.scores = s, .labels = none}, workspace).valid);
  CHECK_FALSE(rg::TrapezoidalAveragePrecision{}.value(rg::ListView<double>{}, workspace).valid);
}

TEST_CASE("junk is taken out of the ranking", "[metric]") {
  // Without the junk on ranks 0 and 2 the relevant items stand on 0 and 2.
  const std::vector<double> s{9, 8, 7, 6, 5}, y{-1, 1, -1, 0, 1};
  const rg::ListView<double> list{.scores = s, .labels = y};
  CHECK(rg::value(rg::Ignoring<rg::TrapezoidalAveragePrecision>{}, list) == Approx((1 + (0.5 + 2 / 3.0) / 2) / 2));
  CHECK(rg::value(rg::TrapezoidalAveragePrecision{}, list) < 0.5);
  CHECK(rg::name_of<rg::Ignoring<rg::Hit>>() == rg::Hit::name);
  const std::vector<double> junk(5, -1.0);
  rg::Workspace workspace;
  CHECK_FALSE(rg::Ignoring<rg::Hit>{}.value(rg::ListView<double>{.scores = s, .labels = junk}, workspace).valid);
}

TEST_CASE("hit rate: semi-positives are ignored, equal scores are hits", "[metric]") {
  const rg::Ignoring<rg::Hit> hit{.metric = {.k = 1, .ties = rg::Ties::optimistic}};
  const auto of = [&](const std::vector<double>& s, const std::vector<double>& y) {
    return rg::value(hit, rg::ListView<double>{.scores = s, .labels = y});
  };
  const std::vector<double> labels{1, -1, -1, -1, 0, 0};
  CHECK(of({5, 9, 8, 7, 4, 3}, labels) == 1.0);   // only semi-positives above the primary
  CHECK(of({5, 9, 8, 7, 5, 3}, labels) == 1.0);   // a tie
  CHECK(of({5, 9, 8, 7, 5.5, 3}, labels) == 0.0);
  CHECK_THROWS_AS(rg::value(rg::Ignoring<rg::TrapezoidalAveragePrecision>{.metric = {.ties = rg::Ties::expected}}, rg::ListView<double>{}), std::invalid_argument);
}

TEST_CASE("a metric that ignores items does so for every list of a batch, masks included", "[metric]") {
  const std::vector<float> s{3, 2, 1, 3, 2, 1}, y{-1, 0, 1, 0, -1, 1};
  const std::vector<std::uint32_t> offsets{0, 3, 6};
  const std::vector<std::uint8_t> mask{1, 1, 1, 0, 1, 1};
  rg::BatchEvaluator<float> evaluate;
  // Left: 0 1, and 1: APs (0 + 1/2) / 2 and 1.
  CHECK(evaluate.metric(rg::Ignoring<rg::TrapezoidalAveragePrecision>{}, rg::RaggedBatch<float>{.scores = s, .labels = y, .mask = mask, .offsets = offsets}) == Approx(0.625));
}
