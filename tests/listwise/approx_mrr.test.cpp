// ApproxMRR: by hand, its limit, both ways to the ranks, its bound of the curvature.
#include "properties/oracles/listwise.hpp"

#include <rankgrad/metric/reciprocal_rank.hpp>

namespace rg = rankgrad;
using rg::ApproxMrr;

TEST_CASE("ApproxMrr by hand", "[approx_mrr]") {
  // Two items one apart at T = 1, the relevant one below, label 3: r = 1 + sigma(1), L = -3 / r.
  const double scores[] = {1, 0}, labels[] = {0, 3};
  double gradient[2];
  const double s = 1 / (1 + std::exp(-1.0)), r = 1 + s;
  const rg::ListView<double> list{.scores = scores, .labels = labels};
  CHECK(rg::value_and_gradient(ApproxMrr{.temperature = 1}, list, gradient) == Approx(-3 / r).epsilon(1e-14));
  CHECK(gradient[0] == Approx(3 * s * (1 - s) / (r * r)).epsilon(1e-13));
  CHECK(gradient[1] == Approx(-gradient[0]).epsilon(1e-13));
  CHECK(rg::value(ApproxMrr{.temperature = 1, .normalize = rg::Normalize::mean}, list) == Approx(-1 / r).epsilon(1e-14));
}

TEST_CASE("ApproxMrr tends to the reciprocal rank of one relevant item", "[approx_mrr]") {
  auto list = test::make_list<double>(50, 3);
  std::fill(list.labels.begin(), list.labels.end(), 0.0);
  list.labels[17] = 1;
  CHECK(rg::value(ApproxMrr{.temperature = 1e-6}, list.view()) == Approx(-rg::value(rg::ReciprocalRank{}, list.view())).epsilon(1e-9));
}

TEMPLATE_TEST_CASE("ApproxMrr on a long list, by pairs and by the grid", "[approx_mrr]", float, double) {
  using Path = rg::listwise::RankPath;
  const auto list = test::make_list<TestType>(700, 6, {.weights = true});
  const auto pairs = test::run(ApproxMrr{.path = Path::pairs}, list), grid = test::run(ApproxMrr{.path = Path::grid}, list);
  CHECK(static_cast<double>(grid.value) == Approx(static_cast<double>(pairs.value)).epsilon(sizeof(TestType) == 4 ? 1e-6 : 1e-13));
  const double tolerance = sizeof(TestType) == 4 ? 16 : 1000;
  test::check_close(grid.gradient, pairs.gradient, tolerance, test::largest(pairs.gradient), "gradient");
  test::check_close(grid.curvature, pairs.curvature, tolerance, test::largest(pairs.curvature), "curvature");
  const double defined = static_cast<double>(test::Oracle<ApproxMrr>::value({}, test::Definition::of(list)));
  CHECK(static_cast<double>(pairs.value) == Approx(defined).epsilon(sizeof(TestType) == 4 ? 1e-6 : 1e-13));
}

TEST_CASE("the curvature of ApproxMrr bounds the second derivative", "[approx_mrr]") {
  for (const double temperature : {0.1, 1.0, 5.0}) {
    const ApproxMrr loss{.temperature = temperature};
    const auto list = test::make_list<double>(20, 9, {.spread = 0.5});
    const auto bound = test::run(loss, list).curvature;
    const auto second = test::definition_curvature(loss, test::Definition::of(list));
    for (std::size_t k = 0; k < 20; ++k) CHECK(std::abs(static_cast<double>(second[k])) <= bound[k] * (1 + 1e-6) + 1e-9);
  }
}

TEST_CASE("ApproxMrr: nothing relevant, and its temperature", "[approx_mrr]") {
  const double scores[] = {1, 0}, labels[] = {0, -3};
  double gradient[] = {0, 0};
  rg::Workspace workspace;
  CHECK_FALSE(ApproxMrr{}.value_and_gradient(rg::ListView<double>{.scores = scores, .labels = labels}, {gradient}, workspace).valid);
  CHECK_THAT(ApproxMrr{.temperature = 0}.check().message(), contains("ApproxMrr.temperature is 0"));
}
