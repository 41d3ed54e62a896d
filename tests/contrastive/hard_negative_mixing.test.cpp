#include <rankgrad/contrastive/hard_negative_mixing.hpp>

#include "support/catch.hpp"

#include <cmath>
#include <vector>

namespace rg = rankgrad;
using Terms = std::vector<rg::MixingTerm>;

TEST_CASE("two negatives mixed by hand", "[contrastive]") {
  const std::vector<double> negatives{1, 0, 9, 9, 0, 1};
  std::vector<double> mixed(2), gradient(6, 1.0);
  const Terms terms{{0, 0.6}, {2, 0.4}};
  const double norm = rg::mix_negatives<double>(negatives, terms, mixed);
  CHECK(norm == Approx(std::sqrt(0.52)));
  CHECK(mixed[0] == Approx(0.6 / norm));
  CHECK(mixed[1] == Approx(0.4 / norm));
  // g = (1, 0): g - h <h, g> = (1 - .36 / .52, -.24 / .52).
  const std::vector<double> upstream{1, 0};
  rg::add_mixing_gradient<double>(mixed, norm, terms, upstream, gradient);
  CHECK(gradient[0] == Approx(1 + 0.6 / norm * (0.16 / 0.52)));
  CHECK(gradient[1] == Approx(1 - 0.6 / norm * (0.24 / 0.52)));
  CHECK(gradient[2] == 1.0);
  CHECK(gradient[4] == Approx(1 + 0.4 / norm * (0.16 / 0.52)));
}

TEMPLATE_TEST_CASE("the gradient of a mixture is its slope", "[contrastive]", float, double) {
  using T = TestType;
  constexpr std::size_t k = 4, d = 21;
  rg::Random random(8);
  std::vector<double> negatives(k * d), upstream(d);
  for (double& v : negatives) v = static_cast<float>(random.normal());
  for (double& v : upstream) v = static_cast<float>(random.normal());
  std::vector<double> scores{0.1, 0.3, -0.2, 0.05};
  Terms terms(k);
  rg::softmax_terms<double>(scores, 0.2, terms);
  const auto product = [&](const std::vector<double>& at) {
    std::vector<double> mixed(d);
    rg::mix_negatives<double>(at, terms, mixed);
    double sum = 0;
    for (std::size_t i = 0; i < d; ++i) sum += mixed[i] * upstream[i];
    return sum;
  };
  const std::vector<T> narrow(negatives.begin(), negatives.end()), g(upstream.begin(), upstream.end());
  std::vector<T> mixed(d), gradient(k * d);
  const double norm = rg::mix_negatives<T>(narrow, terms, mixed);
  rg::add_mixing_gradient<T>(mixed, norm, terms, g, gradient);
  double length = 0;
  for (const T h : mixed) length += static_cast<double>(h * h);
  CHECK(length == Approx(1.0).epsilon(1e-6));
  for (std::size_t i = 0; i < k * d; ++i) {
    const double rest = negatives[i], h = 1e-3;
    const auto f = [&](int steps) {
      negatives[i] = rest + steps * h;
      const double value = product(negatives);
      negatives[i] = rest;
      return value;
    };
    CHECK(static_cast<double>(gradient[i]) == Approx((8 * (f(1) - f(-1)) - (f(2) - f(-2))) / (12 * h)).margin(sizeof(T) == 4 ? 1e-6 : 1e-10));
  }
}

TEST_CASE("opposite negatives have no mixture", "[contrastive]") {
  const std::vector<float> negatives{0.6f, 0.8f, -0.6f, -0.8f, 0, 0};
  std::vector<float> mixed(2), gradient(6);
  const Terms opposite{{0, 0.5}, {1, 0.5}}, zero{{2, 1.0}};
  for (const Terms& terms : {opposite, zero}) {
    CHECK(rg::mix_negatives<float>(negatives, terms, mixed) == 0.0);
    CHECK(mixed == std::vector<float>{0, 0});
    rg::add_mixing_gradient<float>(mixed, 0, terms, std::vector<float>{1, 1}, gradient);
    CHECK(gradient == std::vector<float>(6));
  }
  CHECK_THROWS_AS(rg::mix_negatives<float>(negatives, Terms{{3, 1.0}}, mixed), std::invalid_argument);
}

TEST_CASE("weights of mixtures: Beta(2, 2) of pairs, softmax and the simplex of lists", "[contrastive]") {
  rg::Random random(11);
  double mean = 0, square = 0;
  std::vector<int> seen(9);
  constexpr int draws = 30000;
  for (int d = 0; d < draws; ++d) {
    const auto [a, b] = rg::random_pair(3, random);
    REQUIRE(a.negative != b.negative);
    REQUIRE(a.weight + b.weight == Approx(1.0));
    ++seen[3 * a.negative + b.negative];
    mean += a.weight / draws;
    square += a.weight * a.weight / draws;
  }
  CHECK(mean == Approx(0.5).margin(0.006));
  CHECK(square - mean * mean == Approx(1 / 20.0).margin(0.002));   // the variance of Beta(2, 2)
  for (const std::size_t pair : {1u, 2u, 3u, 5u, 6u, 7u}) CHECK(seen[pair] / double(draws) == Approx(1 / 6.0).margin(0.01));
  CHECK_THROWS_AS(rg::random_pair(1, random), std::invalid_argument);

  Terms terms(3);
  const std::vector<double> scores{0, std::log(2.0), std::log(5.0)}, far{-1e300, 0, 1e300};
  rg::softmax_terms<double>(scores, 1, terms);
  CHECK(terms[1].weight == Approx(0.25));
  CHECK(terms[2].negative == 2);
  rg::softmax_terms<double>(far, 0.01, terms);
  CHECK(terms[2].weight == 1.0);
  double sum = 0, first = 0;
  for (int d = 0; d < draws; ++d) {
    rg::random_terms(terms, random);
    sum += (terms[0].weight + terms[1].weight + terms[2].weight) / draws;
    first += terms[0].weight * terms[0].weight / draws;
  }
  CHECK(sum == Approx(1.0));
  CHECK(first == Approx(1 / 6.0).margin(0.005));   // 2 / (k (k + 1))
}
