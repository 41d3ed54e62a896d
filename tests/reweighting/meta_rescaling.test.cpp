#include "support/catch.hpp"

#include <rankgrad/reweighting/meta_rescaling.hpp>

#include <cmath>
#include <vector>

namespace rg = rankgrad;

TEMPLATE_TEST_CASE("rescaling leaves the sum of the losses, and its factor is a constant", "[reweighting]", float, double) {
  using T = TestType;
  const std::vector<T> losses{1, 2, 5}, weights{T(0.5), 1, T(0.1)};   // sum 8, weighted 3: c = 8/3
  std::vector<T> by_loss(3), by_weight(3);
  CHECK(static_cast<double>(rg::rescaled_loss(std::span<const T>(losses), weights, by_loss, by_weight)) == Approx(8.0).epsilon(1e-6));
  double held = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(static_cast<double>(by_loss[i]) == Approx(8.0 / 3 * static_cast<double>(weights[i])).epsilon(1e-6));
    CHECK(static_cast<double>(by_weight[i]) == Approx(8.0 / 3 * static_cast<double>(losses[i])).epsilon(1e-6));
    held += static_cast<double>(by_weight[i] * weights[i]);
  }
  // Were c differentiated, moving all weights by the same factor would change nothing, and this sum would be 0.
  CHECK(held == Approx(8.0).epsilon(1e-6));
  // No weighted loss: c = 1, not infinity.
  const std::vector<T> none(3, T(0));
  CHECK(rg::rescaled_loss(std::span<const T>(losses), none, {}, by_weight) == T(0));
  CHECK(by_weight == losses);
  CHECK(rg::rescaled_loss(std::span<const T>(), {}, {}, {}) == T(0));
}

TEST_CASE("the weight hypergradient is the derivative through one inner step", "[reweighting]") {
  // l_i(theta) = (a_i . theta - b_i)^2 / 2 on two parameters; the meta loss is sum_j w_j l_j(theta') over the first three samples.
  const double a[5][2] = {{1, 0.5}, {-0.3, 2}, {0.7, -1}, {1.5, 0.2}, {0.1, 0.9}}, b[5] = {1, -0.5, 0.3, 2, 0.7}, eta = 0.05;
  const auto residual = [&](std::size_t i, const double* theta) { return a[i][0] * theta[0] + a[i][1] * theta[1] - b[i]; };
  const double start[2] = {0.4, -0.8};
  const auto step = [&](const std::vector<double>& w, double* theta) {
    theta[0] = start[0], theta[1] = start[1];
    for (std::size_t i = 0; i < 5; ++i)
      for (std::size_t k = 0; k < 2; ++k) theta[k] -= eta * w[i] * residual(i, start) * a[i][k];
  };
  const auto meta = [&](const std::vector<double>& w) {
    double theta[2], sum = 0;
    step(w, theta);
    for (std::size_t j = 0; j < 3; ++j) sum += w[j] * residual(j, theta) * residual(j, theta) / 2;
    return sum;
  };
  std::vector<double> w{0.5, 1.2, 0.8, 0.3, 0.9}, products(5), direct(5), gradient(5);
  double theta[2], slope[2] = {0, 0};
  step(w, theta);
  for (std::size_t j = 0; j < 3; ++j) {
    direct[j] = residual(j, theta) * residual(j, theta) / 2;
    for (std::size_t k = 0; k < 2; ++k) slope[k] += w[j] * residual(j, theta) * a[j][k];
  }
  for (std::size_t i = 0; i < 5; ++i) products[i] = residual(i, start) * (a[i][0] * slope[0] + a[i][1] * slope[1]);
  rg::weight_hypergradient(eta, std::span<const double>(products), direct, gradient);
  for (std::size_t i = 0; i < 5; ++i) {
    auto up = w, down = w;
    up[i] += 1e-5, down[i] -= 1e-5;
    CHECK(gradient[i] == Approx((meta(up) - meta(down)) / 2e-5).epsilon(1e-7));
  }
  rg::weight_hypergradient(eta, std::span<const double>(products), {}, gradient);
  CHECK(gradient[4] == Approx(-eta * products[4]).epsilon(1e-15));
  CHECK_THROWS_WITH(rg::weight_hypergradient(0, std::span<const double>(products), {}, gradient), contains("eta"));
}

TEMPLATE_TEST_CASE("learning to reweight keeps what lowers the meta loss", "[reweighting]", float, double) {
  using T = TestType;
  const std::vector<T> gradient{-1, 2, 0, -3};
  std::vector<T> weights(4);
  rg::reweighted_by_gradient(std::span<const T>(gradient), weights);
  CHECK(weights == std::vector<T>{T(0.25), 0, 0, T(0.75)});
  const std::vector<T> harmful{1, 2, 0, 3};
  rg::reweighted_by_gradient(std::span<const T>(harmful), weights);
  CHECK(weights == std::vector<T>(4, T(0)));
}
