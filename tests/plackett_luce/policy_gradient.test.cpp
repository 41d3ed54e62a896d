#include "plackett_luce/expected_metric.hpp"

namespace rg = rankgrad;

TEST_CASE("PG-Rank: the estimates average to the truth", "[plackett_luce][long]") {
  double worst = 0;
  for (const auto& which : test::metric_cases) {
    for (const auto baseline : {rg::Baseline::none, rg::Baseline::leave_one_out, rg::Baseline::greedy}) {
      for (const bool reward_to_go : {false, true}) {
        const rg::PgRank loss{.metric = which.metric, .k = which.k, .samples = 4, .temperature = 0.8, .baseline = baseline,
                              .reward_to_go = reward_to_go, .seed = 12};
        worst = std::max(worst, test::worst_deviation(loss, which, test::small_list(), 3000));
      }
    }
  }
  INFO("worst deviation, in standard errors: " << worst);
  CHECK(worst < 4);
}

TEST_CASE("PG-Rank: baselines", "[plackett_luce]") {
  const auto list = test::make_list<double>(12, 6, {.grades = 3});
  const auto gradient = [&](rg::Baseline baseline, std::size_t samples) {
    return test::run(rg::PgRank{.k = 5, .samples = samples, .baseline = baseline, .seed = 2}, list).gradient;
  };
  const auto all = gradient(rg::Baseline::mean, 5), others = gradient(rg::Baseline::leave_one_out, 5);
  for (std::size_t i = 0; i < 12; ++i) CHECK(all[i] == Approx(others[i] * 4 / 5).margin(1e-15));
  CHECK(gradient(rg::Baseline::leave_one_out, 1) == gradient(rg::Baseline::none, 1));
  CHECK(test::largest(gradient(rg::Baseline::mean, 1)) == 0.0);

  // What baselines and reward to go are for.
  const test::MetricCase which{rg::TargetMetric::ndcg, 3};
  const auto variance = [&](rg::Baseline baseline, bool reward_to_go) {
    double v = 0;
    test::worst_deviation(rg::PgRank{.metric = which.metric, .k = which.k, .samples = 8, .baseline = baseline, .reward_to_go = reward_to_go},
                          which, test::small_list(), 2000, &v);
    return v;
  };
  const double plain = variance(rg::Baseline::none, false);
  CHECK(variance(rg::Baseline::leave_one_out, false) < 0.5 * plain);
  CHECK(variance(rg::Baseline::none, true) < plain);
}

TEST_CASE("PG-Rank: one sample is the gradient of its log-probability times its reward", "[plackett_luce]") {
  const auto list = test::small_list(false);
  const rg::PgRank loss{.metric = rg::TargetMetric::dcg, .k = 3, .samples = 1, .temperature = 0.5, .baseline = rg::Baseline::none, .seed = 77};
  rg::Workspace workspace;
  rg::Random random(77, 0);
  std::vector<std::uint32_t> ranking(3);
  rg::sample_ranking<double>(list.scores, ranking, random, workspace, 0.5);
  const auto result = test::run(loss, list);
  const double reward = test::metric_of({rg::TargetMetric::dcg, 3}, test::Definition::of(list), ranking);
  CHECK(result.value == Approx(-reward));
  for (std::size_t i = 0; i < list.size(); ++i) {
    auto up = list.scores, down = list.scores;
    up[i] += 1e-5, down[i] -= 1e-5;
    const double slope = (rg::ranking_log_probability<double>(up, ranking, workspace, 0.5) -
                          rg::ranking_log_probability<double>(down, ranking, workspace, 0.5)) / 2e-5;
    CHECK(result.gradient[i] == Approx(-reward * slope).margin(1e-8));
  }
}

TEST_CASE("PG-Rank and PL-Rank: the curvature bounds the second derivative of the expected metric", "[plackett_luce]") {
  const auto list = test::small_list();
  for (const auto& which : test::metric_cases) {
    const auto pg = test::run(rg::PgRank{.metric = which.metric, .k = which.k, .samples = 4000, .temperature = 0.8}, list).curvature;
    const auto pl = test::run(rg::PlRank{.metric = which.metric, .k = which.k, .samples = 4000, .temperature = 0.8}, list).curvature;
    auto definition = test::Definition::of(list);
    for (std::size_t i = 0; i < list.size(); ++i) {
      const long double rest = definition.scores[i], h = 1e-3L, centre = test::expected_loss(which, definition, 0.8L);
      definition.scores[i] = rest + h;
      const long double above = test::expected_loss(which, definition, 0.8L);
      definition.scores[i] = rest - h;
      const long double below = test::expected_loss(which, definition, 0.8L);
      definition.scores[i] = rest;
      CHECK(pg[i] == Approx(pl[i]));
      CHECK(static_cast<double>(fabsl((above + below - 2 * centre) / (h * h))) <= pg[i] + 1e-9);
    }
  }
}

TEMPLATE_TEST_CASE("PG-Rank: determinism, masks, edge cases", "[plackett_luce]", float, double) {
  test::check_sampling_loss<rg::PgRank, TestType>({});
  test::check_sampling_loss<rg::PgRank, TestType>({.metric = rg::TargetMetric::dcg, .k = 5, .samples = 3, .temperature = 0.6,
                                                   .baseline = rg::Baseline::greedy, .reward_to_go = true, .gain = rg::Gain::linear, .seed = 9});
  test::check_sampling_loss<rg::PgRank, TestType>({.metric = rg::TargetMetric::reciprocal_rank, .k = 10, .baseline = rg::Baseline::none});
  CHECK_FALSE(rg::PgRank{.samples = 0}.check());
  CHECK_FALSE(rg::PgRank{.temperature = 0}.check());
}

TEST_CASE("DCG with exponential gains refuses labels too large for them before anything is written", "[plackett_luce]") {
  const std::vector<float> scores(6, 0.f), labels{1, 0, 2, 101, 0, 1};
  std::vector<float> gradient(6, 7.f);
  const rg::ListView<float> list{.scores = scores, .labels = labels};
  const char* said = "list 0 has the label 101; 2^label overflows beyond 100";
  CHECK_THROWS_WITH(rg::value_and_gradient(rg::PgRank{.metric = rg::TargetMetric::dcg}, list, gradient), contains(said));
  CHECK_THROWS_WITH(rg::value_and_gradient(rg::PlRank{.metric = rg::TargetMetric::dcg}, list, gradient), contains(said));
  const std::vector<std::uint32_t> offsets{0, 2, 6};
  const rg::RaggedBatch<float> batch{.scores = scores, .labels = labels, .offsets = offsets};
  rg::BatchEvaluator<float> evaluate;
  CHECK_THROWS_WITH(evaluate(rg::PgRank{.metric = rg::TargetMetric::dcg}, batch, gradient), contains("list 1 has the label 101"));
  CHECK(gradient == std::vector<float>(6, 7.f));
  CHECK_NOTHROW(rg::value_and_gradient(rg::PgRank{.metric = rg::TargetMetric::dcg, .gain = rg::Gain::linear}, list, gradient));
  CHECK_NOTHROW(rg::value_and_gradient(rg::PgRank{}, list, gradient));   // the shift cancels in NDCG
  const std::vector<std::uint8_t> mask{1, 1, 1, 0, 1, 1};
  CHECK_NOTHROW(rg::value_and_gradient(rg::PgRank{.metric = rg::TargetMetric::dcg},
                                       rg::ListView<float>{.scores = scores, .labels = labels, .mask = mask}, gradient));
}
