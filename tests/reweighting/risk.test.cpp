#include "support/catch.hpp"

#include <rankgrad/reweighting/risk.hpp>

#include <cmath>
#include <limits>
#include <vector>

namespace rg = rankgrad;

namespace {

template <class R, class T>
T evaluate(const R& risk, const std::vector<T>& losses, std::vector<T>& gradient, const std::vector<T>& weights = {}) {
  rg::Workspace workspace;
  gradient.assign(losses.size(), T(9));
  return risk.value_and_gradient(std::span<const T>(losses), std::span<const T>(weights), std::span<T>(gradient), workspace).value;
}
template <class T>
void check_near(const std::vector<T>& got, const std::vector<double>& expected) {
  REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) CHECK(static_cast<double>(got[i]) == Approx(expected[i]).margin(1e-6));
}

}  // namespace

TEMPLATE_TEST_CASE("mean and variance of losses by hand", "[reweighting]", float, double) {
  using T = TestType;
  const std::vector<T> losses{1, 2, 3, 6};   // mean 3, variance (4 + 1 + 0 + 9) / 4 = 3.5
  std::vector<T> gradient;
  CHECK(static_cast<double>(evaluate(rg::MeanVariance{}, losses, gradient)) == Approx(6.5).epsilon(1e-6));
  check_near(gradient, {-0.75, -0.25, 0.25, 1.75});   // (1 + 2 (l - 3)) / 4
  CHECK(static_cast<double>(evaluate(rg::MeanVariance{.lambda = 0.5, .with_mean = false}, losses, gradient)) == Approx(1.75).epsilon(1e-6));
  check_near(gradient, {-0.5, -0.25, 0, 0.75});       // (l - 3) / 4, which adds up to 0
  // A weight of 2 is the list twice, and what is behind a weight of 0 is not looked at.
  const T nan = std::numeric_limits<T>::quiet_NaN();
  const std::vector<T> some{1, 2, nan}, weights{1, 2, 0}, twice{1, 2, 2};
  std::vector<T> g;
  CHECK(evaluate(rg::MeanVariance{}, some, gradient, weights) == Approx(evaluate(rg::MeanVariance{}, twice, g)).epsilon(1e-6));
  check_near(gradient, {static_cast<double>(g[0]), static_cast<double>(g[1] + g[2]), 0});
  CHECK(evaluate(rg::MeanVariance{}, std::vector<T>{7}, gradient) == T(7));
}

TEMPLATE_TEST_CASE("CVaR by hand", "[reweighting]", float, double) {
  using T = TestType;
  const std::vector<T> losses{1, 6, 3, 2};
  std::vector<T> gradient;
  // The worst 0.375 of 4 is 1.5 lists: 6 and half of 3.
  CHECK(static_cast<double>(evaluate(rg::Cvar{.fraction = 0.375}, losses, gradient)) == Approx(5.0).epsilon(1e-6));
  check_near(gradient, {0, 2.0 / 3, 1.0 / 3, 0});
  CHECK(static_cast<double>(evaluate(rg::Cvar{.fraction = 1}, losses, gradient)) == Approx(3.0).epsilon(1e-6));
  check_near(gradient, {0.25, 0.25, 0.25, 0.25});
  CHECK(static_cast<double>(evaluate(rg::Cvar{.fraction = 0.01}, losses, gradient)) == Approx(6.0).epsilon(1e-6));
  check_near(gradient, {0, 1, 0, 0});
  // Ties at the border share it.
  CHECK(static_cast<double>(evaluate(rg::Cvar{.fraction = 0.5}, std::vector<T>{3, 5, 3, 3}, gradient)) == Approx(4.0).epsilon(1e-6));
  check_near(gradient, {1.0 / 6, 0.5, 1.0 / 6, 1.0 / 6});
  // Weights: U = 4, half of it is 2: all of the 6 (weight 1) and a third of the 3 (weight 3).
  CHECK(static_cast<double>(evaluate(rg::Cvar{.fraction = 0.5}, std::vector<T>{6, 3, 9}, gradient, {1, 3, 0})) == Approx(4.5).epsilon(1e-6));
  check_near(gradient, {0.5, 0.5, 0});
}

TEST_CASE("the derivative of a risk is that of its value", "[reweighting]") {
  std::vector<double> losses, weights, gradient, scrap;
  for (std::size_t q = 0; q < 23; ++q) {
    losses.push_back(2 + std::sin(3.0 * static_cast<double>(q)));
    weights.push_back(0.5 + 0.1 * static_cast<double>(q % 5));
  }
  const auto check = [&](const auto& risk) {
    evaluate(risk, losses, gradient, weights);
    for (std::size_t q = 0; q < losses.size(); ++q) {
      const double rest = losses[q], h = 1e-5;
      losses[q] = rest + h;
      const double up = evaluate(risk, losses, scrap, weights);
      losses[q] = rest - h;
      const double down = evaluate(risk, losses, scrap, weights);
      losses[q] = rest;
      CHECK(gradient[q] == Approx((up - down) / (2 * h)).margin(1e-9));
    }
  };
  check(rg::MeanVariance{.lambda = 0.7});
  check(rg::MeanVariance{.with_mean = false});
  check(rg::Cvar{});
  check(rg::Cvar{.fraction = 0.62});
}

TEST_CASE("risks without losses, and of wrong parameters", "[reweighting]") {
  std::vector<double> gradient;
  rg::Workspace workspace;
  CHECK_FALSE(rg::Cvar{}.value_and_gradient(std::span<const double>(), std::span<const double>(), std::span<double>(), workspace).valid);
  const std::vector<double> losses{1, 2}, none{0, 0};
  CHECK(evaluate(rg::MeanVariance{}, losses, gradient, none) == 0);
  CHECK(gradient == none);
  CHECK(evaluate(rg::Cvar{}, losses, gradient, none) == 0);
  CHECK(gradient == none);
  // A loss that is not finite shows in the value.
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK_FALSE(std::isfinite(evaluate(rg::Cvar{}, std::vector<double>{1, nan, 2}, gradient)));
  CHECK(gradient == std::vector<double>(3, 0));
  CHECK_FALSE(std::isfinite(evaluate(rg::MeanVariance{}, std::vector<double>{1, nan, 2}, gradient)));
  CHECK_FALSE(rg::validate_parameters(rg::MeanVariance{.lambda = -1}));
  CHECK_FALSE(rg::validate_parameters(rg::Cvar{.fraction = 0}));
  CHECK_FALSE(rg::validate_parameters(rg::Cvar{.fraction = 1.5}));
}
