#include "plackett_luce/expected_metric.hpp"

namespace rg = rankgrad;

TEST_CASE("PL-Rank: the estimates of every variant average to the truth", "[plackett_luce][long]") {
  double worst = 0;
  for (const auto& which : test::metric_cases)
    for (const auto variant : {rg::PlRankVariant::pl_rank_1, rg::PlRankVariant::pl_rank_2, rg::PlRankVariant::pl_rank_3})
      worst = std::max(worst, test::worst_deviation(rg::PlRank{.variant = variant, .metric = which.metric, .k = which.k, .samples = 4,
                                                               .temperature = 0.8, .seed = 3}, which, test::small_list(), 3000));
  INFO("worst deviation, in standard errors: " << worst);
  CHECK(worst < 4);
}

TEST_CASE("PL-Rank: 2 and 3 are the same numbers, 1 is REINFORCE with reward to go", "[plackett_luce]") {
  double worst = 0;
  for (const auto& which : test::metric_cases) {
    for (const double spread : {1.0, 40.0, 1e4}) {
      for (const std::size_t n : {2u, 9u, 60u}) {
        auto list = test::make_list<double>(n, 5, {.spread = spread, .grades = 3, .weights = true});
        list.labels[0] = 2, list.labels[1] = 0;
        const auto gradient = [&](rg::PlRankVariant variant) {
          return test::run(rg::PlRank{.variant = variant, .metric = which.metric, .k = which.k, .temperature = 1.4, .seed = 8}, list).gradient;
        };
        const auto one = gradient(rg::PlRankVariant::pl_rank_1), two = gradient(rg::PlRankVariant::pl_rank_2), three = gradient(rg::PlRankVariant::pl_rank_3);
        for (std::size_t i = 0; i < n; ++i) worst = std::max(worst, std::abs(two[i] - three[i]) / std::max(1.0, test::largest(two)));
        CHECK(one == test::run(rg::PgRank{.metric = which.metric, .k = which.k, .temperature = 1.4, .baseline = rg::Baseline::none,
                                          .reward_to_go = true, .seed = 8}, list).gradient);
      }
    }
  }
  INFO("worst difference " << worst);
  CHECK(worst < 1e-13);
}

TEST_CASE("PL-Rank: two items, by hand", "[plackett_luce]") {
  // Gains 1 and 0, one place: if item 0 came first in a share f of the samples, the metric is f on average, and
  // PL-Rank-2 is -P_d (rho_d - f) for item d; with f = p in expectation that is the gradient of -p.
  const test::OwnedList<double> list{{0.3, -0.5}, {1, 0}, {}, {}, {}};
  const double p = 1 / (1 + std::exp(-0.8));
  for (const auto variant : {rg::PlRankVariant::pl_rank_2, rg::PlRankVariant::pl_rank_3}) {
    const auto r = test::run(rg::PlRank{.variant = variant, .metric = rg::TargetMetric::dcg, .k = 1, .samples = 50}, list);
    const double f = -r.value;
    CHECK(f == Approx(p).margin(0.25));
    CHECK(r.gradient[0] == Approx(-p * (1 - f)).epsilon(1e-14));
    CHECK(r.gradient[1] == Approx((1 - p) * f).epsilon(1e-14));
    CHECK(r.curvature[0] == Approx(p * (1 - p)).epsilon(1e-14));
  }
}

TEST_CASE("PL-Rank has less variance than REINFORCE", "[plackett_luce]") {
  const test::MetricCase which{rg::TargetMetric::dcg, 0};
  double plain = 0, one = 0, three = 0;
  const auto list = test::small_list(false);
  test::worst_deviation(rg::PgRank{.metric = which.metric, .samples = 1, .baseline = rg::Baseline::none}, which, list, 4000, &plain);
  test::worst_deviation(rg::PlRank{.variant = rg::PlRankVariant::pl_rank_1, .metric = which.metric, .samples = 1}, which, list, 4000, &one);
  test::worst_deviation(rg::PlRank{.metric = which.metric, .samples = 1}, which, list, 4000, &three);
  INFO("total variance of one sample: REINFORCE " << plain << ", PL-Rank-1 " << one << ", PL-Rank-3 " << three);
  CHECK(one < 0.8 * plain);
  CHECK(three < 0.9 * one);
}

TEMPLATE_TEST_CASE("PL-Rank: determinism, masks, edge cases", "[plackett_luce]", float, double) {
  for (const auto variant : {rg::PlRankVariant::pl_rank_1, rg::PlRankVariant::pl_rank_2, rg::PlRankVariant::pl_rank_3}) {
    const bool exact = variant == rg::PlRankVariant::pl_rank_1;   // 2 and 3 sum to 0 in expectation only
    test::check_sampling_loss<rg::PlRank, TestType>({.variant = variant}, exact);
    test::check_sampling_loss<rg::PlRank, TestType>({.variant = variant, .metric = rg::TargetMetric::precision, .k = 4, .samples = 5, .temperature = 2}, exact);
  }
  CHECK_FALSE(rg::PlRank{.samples = 0}.check());
  CHECK_FALSE(rg::PlRank{.temperature = -1}.check());
}
