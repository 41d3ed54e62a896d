// Numbers worked by hand for the pointwise losses, and what the item engine promises.
#include "support/catch.hpp"
#include "support/lists.hpp"

#include <rankgrad/core/evaluate.hpp>
#include <rankgrad/pointwise/mean_squared_error.hpp>
#include <rankgrad/pointwise/sigmoid_cross_entropy.hpp>

#include <cmath>
#include <limits>
#include <vector>

namespace rg = rankgrad;

TEST_CASE("mean squared error by hand", "[pointwise]") {
  const std::vector<double> scores{0.5, -1, 2}, labels{1, 0, 4}, weights{1, 2, 1};
  rg::ListView<double> list{.scores = scores, .labels = labels};
  std::vector<double> gradient(3), curvature(3);
  CHECK(rg::value_gradient_and_curvature(rg::MeanSquaredError{}, list, gradient, curvature) == Approx((0.25 + 1 + 4) / 3));
  CHECK(gradient[2] == Approx(-4 / 3.0));
  CHECK(curvature[0] == Approx(2 / 3.0));
  CHECK(rg::value(rg::MeanSquaredError{.normalize = rg::Normalize::sum}, list) == 5.25);
  list.weights = weights;
  CHECK(rg::value_gradient_and_curvature(rg::MeanSquaredError{}, list, gradient, curvature) == (0.25 + 2 + 4) / 4);
  CHECK(gradient == std::vector<double>{-0.25, -1, -1});
  CHECK(curvature == std::vector<double>{0.5, 1, 0.5});
}

TEST_CASE("sigmoid cross-entropy by hand; labels are cut to [0, 1]", "[pointwise]") {
  const std::vector<double> scores{0.5, -1, 2}, labels{3, -2, 0.25};
  const rg::ListView<double> list{.scores = scores, .labels = labels};
  const auto softplus = [](double x) { return std::log1p(std::exp(x)); };
  const auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
  std::vector<double> gradient(3), curvature(3);
  CHECK(rg::value_gradient_and_curvature(rg::SigmoidCrossEntropy{.normalize = rg::Normalize::sum}, list, gradient, curvature) ==
        Approx(softplus(-0.5) + softplus(-1) + 0.25 * softplus(-2) + 0.75 * softplus(2)));
  CHECK(gradient[0] == Approx(sigmoid(0.5) - 1));
  CHECK(gradient[1] == Approx(sigmoid(-1)));
  CHECK(gradient[2] == Approx(sigmoid(2) - 0.25));
  CHECK(curvature[1] == Approx(sigmoid(1) * sigmoid(-1)));
}

TEST_CASE("sigmoid cross-entropy keeps small values and gradients at large scores", "[pointwise]") {
  const std::vector<float> scores{40, -40}, labels{1, 0};
  std::vector<float> gradient(2);
  const float value = rg::value_and_gradient(rg::SigmoidCrossEntropy{}, rg::ListView<float>{.scores = scores, .labels = labels}, gradient);
  CHECK(static_cast<double>(value) == Approx(std::exp(-40.0)).epsilon(1e-6));
  CHECK(static_cast<double>(gradient[0]) == Approx(-std::exp(-40.0) / 2).epsilon(1e-6));
  CHECK(gradient[1] == -gradient[0]);
}

TEST_CASE("one constant list of every length", "[pointwise]") {
  for (std::size_t n = 1; n < 40; ++n) {
    const std::vector<float> scores(n, 3.0f), labels(n, 1.0f), weights(n, 0.5f);
    std::vector<float> gradient(n);
    const rg::ListView<float> list{.scores = scores, .labels = labels, .weights = weights};
    INFO("n = " << n);
    CHECK(rg::value_and_gradient(rg::MeanSquaredError{}, list, gradient) == Approx(4));
    for (const float g : gradient) CHECK(g == Approx(4.0 / static_cast<double>(n)).epsilon(1e-6));
  }
}

TEST_CASE("no weight, no signal", "[pointwise]") {
  const std::vector<double> scores{1, 2}, labels{0, 1}, weights{0, 0};
  std::vector<double> gradient{5, 5};
  rg::Workspace workspace;
  CHECK_FALSE(rg::MeanSquaredError{}.value_and_gradient(rg::ListView<double>{.scores = scores, .labels = labels, .weights = weights},
                                                        rg::GradientSink<double>{gradient.data()}, workspace).valid);
  CHECK_FALSE(rg::SigmoidCrossEntropy{}.value_and_gradient(rg::ListView<double>{}, rg::GradientSink<double>{gradient.data()}, workspace).valid);
  CHECK(gradient == std::vector<double>{5, 5});
}

TEST_CASE("a diverged model shows in its own list's value", "[pointwise]") {
  std::vector<float> scores(11, 1.0f);
  const std::vector<float> labels(11, 0.5f);
  scores[9] = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> gradient(11);
  const rg::ListView<float> list{.scores = scores, .labels = labels};
  CHECK(std::isnan(rg::value_and_gradient(rg::MeanSquaredError{}, list, gradient)));
  CHECK(std::isnan(rg::value_and_gradient(rg::SigmoidCrossEntropy{}, list, gradient)));
  CHECK(std::isnan(gradient[9]));
  CHECK_FALSE(std::isnan(gradient[8]));
}
