#include "support/catch.hpp"

#include <rankgrad/pairwise/phi.hpp>

#include <cmath>
#include <limits>

namespace rg = rankgrad;
namespace simd = rankgrad::simd;

namespace {
struct Values {
  double value, slope, curvature;
};
template <class T, class Phi>
Values at(const Phi& phi, double d) {
  alignas(64) T value[simd::lanes<T>], slope[simd::lanes<T>], curvature[simd::lanes<T>];
  const rg::Term<T> term = phi.template operator()<T>(simd::Pack<T>(T(d)));
  simd::store(value, term.value);
  simd::store(slope, term.slope);
  simd::store(curvature, term.curvature);
  return {static_cast<double>(value[0]), static_cast<double>(slope[0]), static_cast<double>(curvature[0])};
}
}  // namespace

TEST_CASE("pair functions: value, slope and curvature by hand", "[pairwise]") {
  const auto logistic = at<double>(rg::pairwise::Logistic{.sigma = 2, .margin = 0.5}, 0.25);   // x = -0.5
  CHECK(logistic.value == Approx(std::log1p(std::exp(0.5))));
  CHECK(logistic.slope == Approx(-2 / (1 + std::exp(-0.5))));
  CHECK(logistic.curvature == Approx(4 * 0.2350037122));

  const auto hinge = at<double>(rg::pairwise::Hinge{.margin = 1}, 0.25);
  CHECK(hinge.value == 0.75);
  CHECK(hinge.slope == -1.0);
  CHECK(hinge.curvature == 0.0);

  const auto squared = at<double>(rg::pairwise::SquaredHinge{.margin = 1}, 0.25);
  CHECK(squared.value == 0.5625);
  CHECK(squared.slope == -1.5);
  CHECK(squared.curvature == 2.0);

  const auto square = at<double>(rg::pairwise::Square{.margin = 1}, 1.5);
  CHECK(square.value == 0.25);
  CHECK(square.slope == 1.0);
  CHECK(square.curvature == 2.0);

  const double u = 1 / (1 + std::exp(3.0));
  const auto zero_one = at<double>(rg::pairwise::SoftZeroOne{.sigma = 2}, 1.5);
  CHECK(zero_one.value == Approx(u));
  CHECK(zero_one.slope == Approx(-2 * u * (1 - u)));
  CHECK(zero_one.curvature == Approx(4 * u * (1 - u)));
}

TEST_CASE("the kink of a hinge is inactive", "[pairwise]") {
  CHECK(at<float>(rg::pairwise::Hinge{.margin = 1}, 1).slope == 0.0);
  CHECK(at<float>(rg::pairwise::SquaredHinge{.margin = 1}, 1).curvature == 0.0);
  CHECK(at<float>(rg::pairwise::Hinge{.margin = 1}, 0.999999).slope == -1.0);
}

TEST_CASE("a soft zero-one keeps its small side without cancellation", "[pairwise]") {
  for (const double d : {40.0, -40.0}) {
    const auto term = at<double>(rg::pairwise::SoftZeroOne{}, d);
    CHECK(term.slope == Approx(-std::exp(-40.0)).epsilon(1e-14));
    CHECK(term.value == Approx(d > 0 ? std::exp(-40.0) : 1.0).epsilon(1e-14));
  }
}

TEST_CASE("NaN shows in every pair function", "[pairwise]") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(std::isnan(at<float>(rg::pairwise::Logistic{}, nan).value));
  CHECK(std::isnan(at<float>(rg::pairwise::Hinge{}, nan).value));
  CHECK(std::isnan(at<float>(rg::pairwise::SquaredHinge{}, nan).value));
  CHECK(std::isnan(at<float>(rg::pairwise::Square{}, nan).value));
  CHECK(std::isnan(at<float>(rg::pairwise::SoftZeroOne{}, nan).value));
}
