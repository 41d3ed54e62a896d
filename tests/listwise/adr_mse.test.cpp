// ADR-MSE: by hand, its Gauss-Newton curvature, equal labels, and the released form with its golden number.
#include "properties/oracles/listwise.hpp"

namespace rg = rankgrad;
using rg::AdrMse;

TEST_CASE("ADR-MSE by hand", "[adr_mse]") {
  // Two items one apart at T = 1, in the wrong order: r = 1 + sigma(-1), 1 + sigma(1) against 2, 1: both miss by sigma(1).
  const double scores[] = {1, 0}, labels[] = {0, 3};
  double gradient[2], curvature[2];
  const double s = 1 / (1 + std::exp(-1.)), v = 1 / std::log2(3.), bell = s * (1 - s);
  const rg::ListView<double> list{.scores = scores, .labels = labels};
  CHECK(rg::value_gradient_and_curvature(AdrMse{}, list, gradient, curvature) == Approx(s * s * (v + 1) / 2).epsilon(1e-14));
  CHECK(gradient[0] == Approx((v + 1) * s * bell).epsilon(1e-13));
  CHECK(gradient[1] == Approx(-gradient[0]).epsilon(1e-13));
  CHECK(curvature[0] == Approx((v + 1) * bell * bell).epsilon(1e-13));
  CHECK(rg::value(AdrMse{.normalize = rg::Normalize::sum}, list) == Approx(s * s * (v + 1)).epsilon(1e-14));
}

TEST_CASE("ADR-MSE: equal labels want equal scores", "[adr_mse]") {
  const double scores[] = {2, 2, 2}, labels[] = {1, 1, 1};   // smooth ranks of 2 meet shared ranks of 2
  double gradient[3];
  CHECK(rg::value_and_gradient(AdrMse{}, rg::ListView<double>{.scores = scores, .labels = labels}, gradient) == Approx(0).margin(1e-30));
  for (const double g : gradient) CHECK(g == Approx(0).margin(1e-15));
  const double apart[] = {1, 2, 3};
  rg::value_and_gradient(AdrMse{}, rg::ListView<double>{.scores = apart, .labels = labels}, gradient);
  CHECK(gradient[0] < 0);
  CHECK(gradient[2] > 0);
}

TEST_CASE("a perfect order far apart costs nothing", "[adr_mse]") {
  const float scores[] = {-1e4f, 1e4f, 0}, labels[] = {1, 3, 2};
  float gradient[3];
  CHECK(rg::value_and_gradient(AdrMse{}, rg::ListView<float>{.scores = scores, .labels = labels}, gradient) == 0.0f);
}

TEMPLATE_TEST_CASE("the curvature of ADR-MSE is Gauss-Newton's", "[adr_mse]", float, double) {
  for (const double scale : {1.0, 200.0}) {   // pairs by their factors, and by their differences
    const AdrMse loss{.temperature = 0.7};
    const auto made = test::make_list<TestType>(300, 4, {.spread = scale, .weights = true});   // more than one block of rows
    const auto at = test::Definition::of(made);
    std::vector<long double> expected(300);
    long double weight = 0;
    for (const long double w : at.weights) weight += w;
    for (std::size_t i = 0; i < 300; ++i) {
      long double teacher = 0.5L, own = 0;
      for (const long double y : at.labels) teacher += y > at.labels[i] ? 1 : y == at.labels[i] ? 0.5L : 0;
      const long double v = 2 * at.weights[i] / weight / log2l(1 + teacher) / (0.7L * 0.7L);
      for (std::size_t k = 0; k < 300; ++k) {
        if (k == i) continue;
        const long double z = (at.scores[k] - at.scores[i]) / 0.7L, bell = test::sigmoid(z) * test::sigmoid(-z);
        expected[k] += v * bell * bell;
        own += bell;
      }
      expected[i] += v * own * own;
    }
    const auto r = test::run(loss, made);
    test::check_close(r.curvature, expected, sizeof(TestType) == 4 ? 64 : 4096, test::largest(expected), "curvature");
    const double defined = static_cast<double>(test::Oracle<AdrMse>::value(loss, at));
    CHECK(static_cast<double>(r.value) == Approx(defined).epsilon(sizeof(TestType) == 4 ? 1e-6 : 1e-13));
  }
}

TEST_CASE("ADR-MSE as released: golden number, labels unread", "[adr_mse]") {
  const std::vector<double> scores{0.5, -1, 2, 0.25}, labels{4, 3, 2, 1}, others{0, 9, 0, 2};
  const AdrMse loss{.compat = true};
  CHECK(rg::value(loss, rg::ListView<double>{.scores = scores, .labels = labels}) == Approx(2.6050220951023566).epsilon(1e-13));
  CHECK(rg::value(loss, rg::ListView<double>{.scores = scores, .labels = others}) == Approx(2.6050220951023566).epsilon(1e-13));
}

TEMPLATE_TEST_CASE("the derivatives of the released form, its ranks held constant", "[adr_mse]", float, double) {
  using O = test::Oracle<test::CumulativeAdrMse>;
  const auto made = test::make_list<TestType>(30, 4, {.weights = true});
  const auto at = test::Definition::of(made);
  const AdrMse loss{.compat = true};
  auto moved = at;
  std::vector<long double> slopes, bends(30);
  const auto p = test::softmax_of(at.scores, 1);
  long double weight = 0;
  for (const long double w : at.weights) weight += w;
  for (std::size_t j = 0; j < 30; ++j) {
    const auto f = [&](long double by) {
      moved.scores[j] = at.scores[j] + by;
      const long double v = O::value(loss, moved, at);
      moved.scores[j] = at.scores[j];
      return v;
    };
    const long double h = 1e-4L;
    slopes.push_back((8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * h));
    long double reached = 0;
    for (std::size_t k = 0; k < 30; ++k) {
      long double rank = 1;
      for (const long double s : at.scores) rank += s > at.scores[k] ? 1 : 0;
      reached += p[k];
      const long double slope = p[j] * ((j <= k ? 1 : 0) - reached);
      bends[j] += 2 * at.weights[k] / weight / log2l(1 + rank) * slope * slope;
    }
  }
  const auto r = test::run(loss, made);
  test::check_close(r.gradient, slopes, sizeof(TestType) == 4 ? 16 : 4096, test::largest(slopes), "gradient");
  test::check_close(r.curvature, bends, 64, test::largest(bends), "curvature");
}

TEST_CASE("ADR-MSE: one item, and its temperature", "[adr_mse]") {
  const double scores[] = {1}, labels[] = {2};
  double gradient[] = {0};
  rg::Workspace workspace;
  for (const bool compat : {false, true})
    CHECK_FALSE(AdrMse{.compat = compat}.value_and_gradient(rg::ListView<double>{.scores = scores, .labels = labels}, {gradient}, workspace).valid);
  CHECK_THAT(AdrMse{.temperature = 0}.check().message(), contains("AdrMse.temperature is 0"));
}
