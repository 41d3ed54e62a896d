#include <rankgrad/listwise/jensen_shannon.hpp>

#include "support/catch.hpp"

#include <rankgrad/core/evaluate.hpp>
#include <rankgrad/core/random.hpp>

#include <cmath>
#include <vector>

namespace rg = rankgrad;

TEST_CASE("Jensen-Shannon: numbers by hand", "[listwise]") {
  // P = (7, 10, 2, 3) / 22 as a softmax of logarithms, Q = (8, 9, 1, 4) / 22.
  const std::vector<double> scores{std::log(7), std::log(10), std::log(2), std::log(3)}, labels{8, 9, 1, 4};
  const rg::ListView<double> list{.scores = scores, .labels = labels};
  CHECK(rg::value(rg::JensenShannon{}, list) == Approx(0.00684679).margin(5e-9));
  CHECK(rg::value(rg::JensenShannon{.base = rg::LogBase::two}, list) == Approx(0.00987782).margin(5e-9));

  // dL/ds_i = P_i (log(P_i / M_i) - KL(P || M)) / 2, P / M = 2 P / (P + Q) = 14/15, 20/19, 4/3, 6/7
  const std::vector<double> p{7.0 / 22, 10.0 / 22, 2.0 / 22, 3.0 / 22}, ratio{14.0 / 15, 20.0 / 19, 4.0 / 3, 6.0 / 7};
  double kl = 0;
  for (std::size_t i = 0; i < 4; ++i) kl += p[i] * std::log(ratio[i]);
  std::vector<double> gradient(4), bits(4);
  rg::value_and_gradient(rg::JensenShannon{}, list, gradient);
  rg::value_and_gradient(rg::JensenShannon{.base = rg::LogBase::two}, list, bits);
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(gradient[i] == Approx(p[i] * (std::log(ratio[i]) - kl) / 2).epsilon(1e-12));
    CHECK(bits[i] == Approx(gradient[i] / std::log(2.0)).epsilon(1e-13));
  }
}

TEST_CASE("Jensen-Shannon: the curvature", "[listwise]") {
  // At P = Q it is the second derivative, P_i (1 - P_i) / 4: of P log(P / M) / 2 + Q log(Q / M) / 2, (dP)^2 / 4 P.
  const std::vector<double> scores{std::log(1), std::log(2), std::log(5)}, labels{1, 2, 5};
  const rg::ListView<double> list{.scores = scores, .labels = labels};
  std::vector<double> gradient(3), curvature(3);
  CHECK(rg::value_gradient_and_curvature(rg::JensenShannon{}, list, gradient, curvature) == Approx(0).margin(1e-16));
  for (std::size_t i = 0; i < 3; ++i) {
    const double p = labels[i] / 8;
    CHECK(gradient[i] == Approx(0).margin(1e-16));
    CHECK(curvature[i] == Approx(p * (1 - p) / 4).epsilon(1e-13));
  }
  // Elsewhere J^T D J with D = Q / (2 P (P + Q)), written out.
  const std::vector<double> far{0.5, -1, 2}, p0{std::exp(0.5), std::exp(-1), std::exp(2)};
  const double sum = p0[0] + p0[1] + p0[2], temperature = 0.5;
  std::vector<double> scaled(far);
  for (double& s : scaled) s *= temperature;
  const rg::ListView<double> other{.scores = scaled, .labels = labels};
  rg::value_gradient_and_curvature(rg::JensenShannon{.temperature = temperature}, other, gradient, curvature);
  for (std::size_t i = 0; i < 3; ++i) {
    double h = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      const double p = p0[j] / sum, q = labels[j] / 8, slope = p * ((i == j) - p0[i] / sum) / temperature;
      h += q / (2 * p * (p + q)) * slope * slope;
    }
    CHECK(curvature[i] == Approx(h).epsilon(1e-13));
  }
}

TEST_CASE("Jensen-Shannon: bounds and edges", "[listwise]") {
  std::vector<double> scores{1e4, 0, -1e4}, labels{0, 0, 3}, gradient(3);
  const rg::ListView<double> list{.scores = scores, .labels = labels};
  CHECK(rg::value_and_gradient(rg::JensenShannon{}, list, gradient) == Approx(std::log(2.0)).epsilon(1e-15));   // apart: no gradient
  CHECK(rg::value(rg::JensenShannon{.base = rg::LogBase::two}, list) == Approx(1).epsilon(1e-15));
  for (const double g : gradient) CHECK(g == Approx(0).margin(1e-15));
  labels = {-1, 0, 3};   // below 0 counts as 0
  CHECK(rg::value(rg::JensenShannon{}, list) == Approx(std::log(2.0)).epsilon(1e-15));

  rg::Workspace workspace;
  const auto valid = [&](const rg::JensenShannon& loss) {
    return loss.value_and_gradient(list, rg::GradientSink<double>{gradient.data(), nullptr}, workspace).valid;
  };
  labels = {0, 0, 0};
  CHECK_FALSE(valid({}));
  CHECK(valid({.shares = rg::Shares::softmax}));   // uniform
  CHECK(rg::value(rg::JensenShannon{}, rg::ListView<double>{.scores = std::span(scores).first(1), .labels = std::span(labels).first(1)}) == 0.0);
  CHECK_FALSE(rg::JensenShannon{.temperature = 0}.check());
  CHECK_FALSE(rg::JensenShannon{.label_temperature = -1}.check());
}

TEMPLATE_TEST_CASE("Jensen-Shannon: near P = Q the value keeps its digits", "[listwise]", float, double) {
  // One score moved by x: JS = x^2 p (1 - p) / 8 + O(x^3). Scores 0 and labels 1 are exact, x a power of two.
  using T = TestType;
  const T x = sizeof(T) == 4 ? T(0x1p-8) : T(0x1p-20);
  const std::vector<T> scores{x, 0, 0, 0}, labels{1, 1, 1, 1};
  const double expected = static_cast<double>(x) * static_cast<double>(x) * 0.25 * 0.75 / 8;
  const double value = static_cast<double>(rg::value(rg::JensenShannon{}, rg::ListView<T>{.scores = scores, .labels = labels}));
  // d is a difference of shares: an error of u / x
  CHECK(value == Approx(expected).epsilon(4 * static_cast<double>(x)));
}

TEMPLATE_TEST_CASE("Jensen-Shannon: the terms of an item", "[listwise]", float, double) {
  using T = TestType;
  using P = rg::simd::Pack<T>;
  const double epsilon = static_cast<double>(std::numeric_limits<T>::epsilon());
  rg::Random random(9);
  for (int k = 0; k < 4000; ++k) {
    const T p = static_cast<T>(std::pow(10.0, -6 * random.uniform()));
    const T near = p * static_cast<T>(1 + 0.5 * random.uniform()), any = static_cast<T>(std::pow(10.0, -30 * random.uniform()));
    const T q = k % 5 == 0 ? T(0) : k % 5 == 1 ? near : any;
    const auto term = rg::listwise::divergence_term<T>(P(p), P(q));
    const long double a = static_cast<long double>(p), b = static_cast<long double>(q), m = (a + b) / 2, d = (a - b) / (a + b);
    const long double value = 2 * (a * log1pl(d) + (b > 0 ? b * logl(b / m) : 0));
    INFO("p " << p << ", q " << q);
    CHECK(rg::simd::highest(term.log_p) == Approx(static_cast<double>(log1pl(d))).epsilon(8 * epsilon).margin(epsilon));
    CHECK(rg::simd::highest(term.value) == Approx(static_cast<double>(value)).epsilon(16 * epsilon).margin(4 * epsilon * static_cast<double>(m)));
    CHECK(rg::simd::highest(term.shared) == Approx(static_cast<double>(a * b / (a + b))).epsilon(8 * epsilon));
  }
  for (const T none : {T(0)}) CHECK(rg::simd::highest(rg::listwise::divergence_term<T>(P(none), P(none)).value) == T(0));
}
