#include "support/catch.hpp"
#include "support/lists.hpp"

#include <rankgrad/core/evaluate.hpp>
#include <rankgrad/pairwise/pairwise_softmax.hpp>
#include <rankgrad/pairwise/ranknet.hpp>

#include <cmath>
#include <limits>
#include <vector>

namespace rg = rankgrad;

namespace {
constexpr auto joint = rg::Negatives::joint;
const std::vector<double> scores{1, 0, 2}, labels{2, 1, 0};
const rg::ListView<double> list{.scores = scores, .labels = labels};
}  // namespace

TEST_CASE("pairwise softmax of one pair is the sigmoid of the wrong difference", "[pairwise]") {
  const std::vector<double> s{0.5, 1.5}, y{1, 0};
  const rg::ListView<double> pair{.scores = s, .labels = y};
  const double u = 1 / (1 + std::exp(-1.0));
  for (const auto negatives : {rg::Negatives::each, joint}) {
    std::vector<double> gradient(2), curvature(2);
    CHECK(rg::value_gradient_and_curvature(rg::PairwiseSoftmax{.negatives = negatives}, pair, gradient, curvature) == Approx(u));
    CHECK(gradient[0] == Approx(-u * (1 - u)));
    CHECK(gradient[1] == Approx(u * (1 - u)));
    CHECK(curvature[0] == Approx(u * (1 - u)));
    CHECK(curvature[1] == Approx(u * (1 - u)));
    CHECK(rg::value_gradient_and_curvature(rg::PairwiseCrossEntropy{.negatives = negatives}, pair, gradient, curvature) == Approx(std::log1p(std::exp(1.0))));
    CHECK(gradient[0] == Approx(-u));
    CHECK(curvature[1] == Approx(u * (1 - u)));
  }
}

TEST_CASE("joint negatives share one softmax", "[pairwise]") {
  // Anchor 0 against {1, 2}: Z = e + 1 + e^2. Anchor 1 against {2}: Z = 1 + e^2.
  const double e = std::exp(1.0), z = e + 1 + e * e, p0 = e / z, p1 = 1 / (1 + e * e);
  std::vector<double> gradient(3), curvature(3);
  CHECK(rg::value_gradient_and_curvature(rg::PairwiseSoftmax{.negatives = joint}, list, gradient, curvature) == Approx((1 - p0 + 1 - p1) / 2));
  CHECK(gradient[0] == Approx(-p0 * (1 - p0) / 2));
  CHECK(gradient[1] == Approx((p0 / z - p1 * (1 - p1)) / 2));
  CHECK(gradient[2] == Approx((p0 * e * e / z + p1 * (1 - p1)) / 2));
  CHECK(rg::value_gradient_and_curvature(rg::PairwiseCrossEntropy{.negatives = joint, .normalize = rg::Normalize::sum}, list, gradient, curvature) ==
        Approx(-std::log(p0) - std::log(p1)));
  CHECK(gradient[0] == Approx(p0 - 1));
  CHECK(gradient[1] == Approx(1 / z + p1 - 1));
  CHECK(curvature[2] == Approx(e * e / z * (1 - e * e / z) + p1 * (1 - p1)));
}

TEST_CASE("the cross-entropy of single pairs is RankNet", "[pairwise]") {
  const auto many = test::make_list<float>(37, 4, {.weights = true});
  std::vector<float> a(37), b(37);
  CHECK(rg::value_and_gradient(rg::PairwiseCrossEntropy{}, many.view(), a) == rg::value_and_gradient(rg::RankNet{}, many.view(), b));
  CHECK(a == b);
}

TEST_CASE("equal labels do not compete and weightless items are not there", "[pairwise]") {
  const std::vector<double> s{1, 5, 0, 1e6}, y{1, 1, 0, 0}, w{1, 1, 1, 0};
  const rg::ListView<double> with{.scores = s, .labels = y, .weights = w};
  const rg::ListView<double> without{.scores = std::span(s).first(3), .labels = std::span(y).first(3)};
  std::vector<double> a(4), b(3);
  const rg::PairwiseCrossEntropy loss{.negatives = joint};
  const double value = rg::value_and_gradient(loss, with, a);
  CHECK(value == Approx((std::log1p(std::exp(-1.0)) + std::log1p(std::exp(-5.0))) / 2));
  CHECK(value == rg::value_and_gradient(loss, without, b));
  CHECK(a[3] == 0.0);
  CHECK(a[0] == b[0]);
  // A worst group without weight leaves the next one without negatives.
  const std::vector<double> y3{2, 1, 0, 0}, w3{1, 1, 0, 0};
  CHECK(rg::value(loss, rg::ListView<double>{.scores = s, .labels = y3, .weights = w3}) == Approx(std::log1p(std::exp(4.0))));
}

TEST_CASE("no order, no signal", "[pairwise]") {
  const std::vector<double> flat{1, 1, 1}, nothing{0, 0, 0}, only_best{1, 0, 0};
  rg::Workspace workspace;
  std::vector<double> gradient(3, 5.0);
  const rg::GradientSink<double> out{gradient.data()};
  const rg::PairwiseSoftmax loss{.negatives = joint};
  CHECK_FALSE(loss.value_and_gradient(rg::ListView<double>{.scores = scores, .labels = flat}, out, workspace).valid);
  CHECK_FALSE(loss.value_and_gradient(rg::ListView<double>{.scores = scores, .labels = labels, .weights = nothing}, out, workspace).valid);
  CHECK_FALSE(loss.value_and_gradient(rg::ListView<double>{.scores = scores, .labels = labels, .weights = only_best}, out, workspace).valid);
  CHECK_FALSE(loss.value_and_gradient(rg::ListView<double>{}, out, workspace).valid);
  CHECK(gradient == std::vector<double>(3, 5.0));
}

TEST_CASE("joint negatives survive scores far apart, in both directions", "[pairwise]") {
  const std::vector<float> y{3, 2, 1, 0};
  std::vector<float> gradient(4), curvature(4);
  const rg::PairwiseCrossEntropy loss{.negatives = joint, .normalize = rg::Normalize::sum};
  const std::vector<float> wrong{-3e4f, 1e4f, 2e4f, 3e4f}, right{3e4f, 2e4f, 1e4f, -3e4f};
  CHECK(rg::value_gradient_and_curvature(loss, rg::ListView<float>{.scores = wrong, .labels = y}, gradient, curvature) == 9e4f);
  CHECK(gradient == std::vector<float>{-1, -1, -1, 3});
  CHECK(curvature == std::vector<float>(4, 0.0f));
  CHECK(rg::value_gradient_and_curvature(loss, rg::ListView<float>{.scores = right, .labels = y}, gradient, curvature) == 0.0f);
  CHECK(gradient == std::vector<float>(4, 0.0f));
  const std::vector<float> broken{0, 1, std::numeric_limits<float>::quiet_NaN(), 2};
  for (std::size_t shift = 0; shift < 4; ++shift) {
    std::vector<float> rotated(4);
    for (std::size_t i = 0; i < 4; ++i) rotated[i] = broken[(i + shift) % 4];
    CHECK_FALSE(rg::is_finite(rg::value(loss, rg::ListView<float>{.scores = rotated, .labels = y})));
  }
}

TEST_CASE("joint negatives of ten thousand real-valued grades match the double result", "[pairwise]") {
  const auto wide = test::make_list<double>(10000, 6, {.spread = 3, .grades = 0, .weights = true});
  const auto narrow = wide.as<float>();
  std::vector<double> a(wide.size());
  std::vector<float> b(wide.size());
  const rg::PairwiseSoftmax loss{.negatives = joint};
  CHECK(static_cast<double>(rg::value_and_gradient(loss, narrow.view(), b)) == Approx(rg::value_and_gradient(loss, wide.view(), a)).epsilon(1e-6));
  double worst = 0, top = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    worst = std::max(worst, std::abs(a[i] - static_cast<double>(b[i])));
    top = std::max(top, std::abs(a[i]));
  }
  CHECK(worst < 4e-7 * top);
}
