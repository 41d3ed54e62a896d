#include "support/catch.hpp"

#include <rankgrad/core/combinators.hpp>
#include <rankgrad/core/evaluate.hpp>
#include <rankgrad/listwise/entropy.hpp>
#include <rankgrad/listwise/softmax.hpp>

#include <cmath>

namespace rg = rankgrad;

TEST_CASE("the entropy of two items is that of a coin", "[listwise]") {
  // p = 3/4, 1/4: -H = 3/4 log 3/4 + 1/4 log 1/4; dL/ds = p (log p + H)
  const double scores[] = {std::log(3.0), 0.0}, labels[] = {0, 0};
  double gradient[2], curvature[2];
  const double h = -(0.75 * std::log(0.75) + 0.25 * std::log(0.25));
  const rg::ListView<double> list{.scores = scores, .labels = labels};
  CHECK(rg::value_gradient_and_curvature(rg::NegativeEntropy{}, list, gradient, curvature) == Approx(-h).epsilon(1e-14));
  CHECK(gradient[0] == Approx(0.75 * (std::log(0.75) + h)).epsilon(1e-13));
  CHECK(gradient[1] == Approx(0.25 * (std::log(0.25) + h)).epsilon(1e-13));
  CHECK(curvature[1] == Approx(std::abs(0.25 * (0.5 * (std::log(0.25) + h) + 0.75))).epsilon(1e-13));
}

TEMPLATE_TEST_CASE("an entropy that is all but gone keeps its digits", "[listwise]", float, double) {
  // p of the second item is r = e^-40 (e^-30): -H = r log r - r, to first order in r
  const TestType gap = sizeof(TestType) == 4 ? TestType(30) : TestType(40), scores[] = {5, 5 - gap}, labels[] = {0, 0};
  TestType gradient[2];
  const TestType value = rg::value_and_gradient(rg::NegativeEntropy{}, rg::ListView<TestType>{.scores = scores, .labels = labels}, gradient);
  const double r = std::exp(-static_cast<double>(gap));
  CHECK(static_cast<double>(value) == Approx(-r * static_cast<double>(gap) - r).epsilon(1e-6));
  CHECK(static_cast<double>(gradient[1]) == Approx(-r * static_cast<double>(gap)).epsilon(1e-6));
}

TEST_CASE("an entropy bonus pulls a policy back to where all items are alike", "[listwise]") {
  double scores[] = {3, -1, 0.5, 2};
  const double labels[] = {0, 0, 0, 0};
  double gradient[4];
  for (int step = 0; step < 2000; ++step) {
    rg::value_and_gradient(0.5 * rg::NegativeEntropy{}, rg::ListView<double>{.scores = scores, .labels = labels}, gradient);
    for (int i = 0; i < 4; ++i) scores[i] -= 2 * gradient[i];
  }
  for (const double s : scores) CHECK(s == Approx(scores[0]).margin(1e-3));
}
