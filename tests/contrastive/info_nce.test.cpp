#include <rankgrad/contrastive/info_nce.hpp>

#include "support/catch.hpp"
#include "support/lists.hpp"

#include <rankgrad/core/evaluate.hpp>
#include <rankgrad/listwise/softmax.hpp>

#include <cmath>
#include <vector>

namespace rg = rankgrad;

namespace {
// Exponentials 1, 2, 5: probabilities 1/8, 2/8, 5/8 at temperature 1.
const std::vector<double> scores{0, std::log(2.0), std::log(5.0)};
const std::vector<double> last{0, 0, 1}, two{0, 2, 1};

rg::ListView<double> list(const std::vector<double>& labels, const std::vector<double>& weights = {}) {
  return {.scores = scores, .labels = labels, .weights = weights};
}
void check(const std::vector<double>& got, const std::vector<double>& expected) {
  REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    INFO("item " << i);
    CHECK(got[i] == Approx(expected[i]).epsilon(1e-12).margin(1e-14));
  }
}
}  // namespace

TEST_CASE("InfoNCE by hand", "[contrastive]") {
  std::vector<double> gradient(3), curvature(3);
  CHECK(rg::value_gradient_and_curvature(rg::InfoNce{.temperature = 1}, list(last), gradient, curvature) == Approx(std::log(1.6)));
  check(gradient, {0.125, 0.25, -0.375});
  check(curvature, {7 / 64.0, 12 / 64.0, 15 / 64.0});
  CHECK(rg::value_and_gradient(rg::InfoNce{.temperature = 1}, list(two), gradient) == Approx((std::log(4) + std::log(1.6)) / 2));
  check(gradient, {0.125, -0.25, 0.125});
  // Together: 7/8. Shares of the positives 2/7 and 5/7.
  const rg::InfoNce together{.temperature = 1, .positives = rg::Positives::together};
  CHECK(rg::value_and_gradient(together, list(two), gradient) == Approx(std::log(8 / 7.0)));
  check(gradient, {0.125, 0.25 - 2 / 7.0, 0.625 - 5 / 7.0});
}

TEST_CASE("InfoNCE with label smoothing by hand", "[contrastive]") {
  std::vector<double> gradient(3);
  const double all = (std::log(8) + std::log(4) + std::log(1.6)) / 3;
  CHECK(rg::value_and_gradient(rg::InfoNce{.temperature = 1, .smoothing = 0.1}, list(last), gradient) ==
        Approx(0.9 * std::log(1.6) + 0.1 * all));
  check(gradient, {0.125 - 0.1 / 3, 0.25 - 0.1 / 3, 0.625 - 0.9 - 0.1 / 3});
}

TEST_CASE("focal InfoNCE: the factor detached and not", "[contrastive]") {
  // q = 3/8, l = log 1.6; the slope of q^g l is q^g (1 + g p l / q) times p - 1[positive].
  const double l = std::log(1.6), factor = std::sqrt(0.375), slope = factor * (1 + 0.5 * 0.625 * l / 0.375);
  std::vector<double> gradient(3);
  CHECK(rg::value_and_gradient(rg::InfoNce{.temperature = 1, .focal_gamma = 0.5}, list(last), gradient) == Approx(factor * l));
  check(gradient, {0.125 * factor, 0.25 * factor, -0.375 * factor});
  const rg::InfoNce through{.temperature = 1, .focal_gamma = 0.5, .detach_focal = false};
  CHECK(rg::value_and_gradient(through, list(last), gradient) == Approx(factor * l));
  check(gradient, {0.125 * slope, 0.25 * slope, -0.375 * slope});
}

TEST_CASE("focal InfoNCE where the positive has nearly all, and all", "[contrastive]") {
  // q = e^-60 / (1 + e^-60), l = q to first order: q^(1/2) l and slope 1.5 q^(1/2). 1 - p in double would be 0.
  const std::vector<double> far{0, 60}, labels{0, 1}, farther{0, 1e5};
  std::vector<double> gradient(2);
  const rg::InfoNce loss{.temperature = 1, .focal_gamma = 0.5, .detach_focal = false};
  CHECK(rg::value_and_gradient(loss, rg::ListView<double>{.scores = far, .labels = labels}, gradient) == Approx(std::exp(-90.0)).epsilon(1e-12));
  CHECK(gradient[0] == Approx(1.5 * std::exp(-90.0)).epsilon(1e-12));
  CHECK(gradient[1] == Approx(-1.5 * std::exp(-90.0)).epsilon(1e-12));
  CHECK(rg::value_and_gradient(loss, rg::ListView<double>{.scores = farther, .labels = labels}, gradient) == 0.0);
  check(gradient, {0, 0});
}

TEST_CASE("a small InfoNCE keeps its digits in float", "[contrastive]") {
  const std::vector<float> s{0, 0, 20}, y{0, 0, 1};
  std::vector<float> gradient(3);
  const float value = rg::value_and_gradient(rg::InfoNce{.temperature = 1}, rg::ListView<float>{.scores = s, .labels = y}, gradient);
  CHECK(static_cast<double>(value) == Approx(2 * std::exp(-20.0)).epsilon(1e-6));
  CHECK(static_cast<double>(gradient[2]) == Approx(-2 * std::exp(-20.0)).epsilon(1e-6));
}

TEST_CASE("InfoNCE is softmax cross-entropy where it has one positive, or the mean of several", "[contrastive]") {
  auto items = test::make_list<double>(41, 3, {.grades = 2});
  std::vector<double> a(41), b(41), ha(41), hb(41);
  CHECK(rg::value_gradient_and_curvature(rg::InfoNce{.temperature = 0.2}, items.view(), a, ha) ==
        Approx(rg::value_gradient_and_curvature(rg::Softmax{.temperature = 0.2, .normalize = rg::Normalize::mean}, items.view(), b, hb)));
  check(a, b);
  check(ha, hb);
}

TEST_CASE("InfoNCE: weights 1 / Q, corrected scores and the formula are one", "[contrastive]") {
  const auto items = test::make_list<double>(33, 5, {.grades = 2});
  rg::Random random(8);
  std::vector<double> log_q, inverse_q, corrected(33), a(33), b(33);
  for (std::size_t i = 0; i < 33; ++i) {
    log_q.push_back(-3 * random.uniform());
    inverse_q.push_back(std::exp(-log_q.back()));
  }
  rg::correct_for_sampling<double>(items.scores, log_q, 0.5, corrected);
  for (std::size_t i = 0; i < 33; ++i) CHECK(corrected[i] / 0.5 == Approx(items.scores[i] / 0.5 - log_q[i]));
  const rg::InfoNce loss{.temperature = 0.5, .positives = rg::Positives::together};
  const rg::ListView<double> weighted{.scores = items.scores, .labels = items.labels, .weights = inverse_q};
  const rg::ListView<double> moved{.scores = corrected, .labels = items.labels};
  CHECK(rg::value_and_gradient(loss, weighted, a) == Approx(rg::value_and_gradient(loss, moved, b)));
  check(a, b);
}

TEST_CASE("InfoNCE: an item of weight 0 is not there, whatever its score", "[contrastive]") {
  const std::vector<double> s{0, 1e6, std::log(2.0), std::log(5.0)}, y{0, 0, 0, 1}, w{1, 0, 1, 1};
  std::vector<double> gradient(4), curvature(4);
  for (const double smoothing : {0.0, 0.1}) {
    const rg::InfoNce loss{.temperature = 1, .smoothing = smoothing};
    CHECK(rg::value_gradient_and_curvature(loss, rg::ListView<double>{.scores = s, .labels = y, .weights = w}, gradient, curvature) ==
          Approx(rg::value(loss, list(last))));
    CHECK(gradient[1] == 0.0);
    CHECK(curvature[1] == 0.0);
  }
}

TEST_CASE("InfoNCE needs a positive and a negative", "[contrastive]") {
  std::vector<double> gradient(3);
  rg::Workspace workspace;
  const auto valid = [&](const std::vector<double>& labels, const std::vector<double>& weights) {
    return rg::InfoNce{.smoothing = 0.1}.value_and_gradient(list(labels, weights), rg::GradientSink<double>{gradient.data()}, workspace).valid;
  };
  CHECK(valid(last, {}));
  CHECK_FALSE(valid({0, 0, -1}, {}));
  CHECK_FALSE(valid({1, 1, 1}, {}));
  CHECK_FALSE(valid(last, {1, 1, 0}));
  CHECK_FALSE(valid(last, {0, 0, 1}));
  CHECK(gradient[2] != 0.0);
}

TEST_CASE("InfoNCE parameters are checked", "[contrastive]") {
  CHECK_THAT(rg::InfoNce{.temperature = 0}.check().message(), contains("InfoNce.temperature"));
  CHECK_THAT(rg::InfoNce{.smoothing = 1}.check().message(), contains("InfoNce.smoothing is 1; it must be in [0, 1)"));
  CHECK_THAT(rg::InfoNce{.focal_gamma = -1}.check().message(), contains("InfoNce.focal_gamma"));
}
