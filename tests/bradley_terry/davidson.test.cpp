#include <rankgrad/bradley_terry/davidson.hpp>

#include "support/catch.hpp"

#include <rankgrad/bradley_terry/rao_kupper.hpp>

#include <cmath>
#include <vector>

namespace rg = rankgrad;

TEST_CASE("Davidson: probabilities add up to 1, and a tie at 0 has nu / (2 + nu)", "[bradley_terry]") {
  for (const double kappa : {-700.0, -3.0, 0.0, 1.0, 30.0, 700.0}) {
    const rg::Davidson model{.kappa = kappa};
    for (const double d : {-1e4, -1.0, 0.0, 0.5, 700.0}) {
      const auto p = model.probabilities(d);
      CHECK(p.first + p.second + p.tie == Approx(1.0).epsilon(1e-14));
      CHECK(p.first == model.probabilities(-d).second);
    }
    const double nu = std::exp(kappa);
    CHECK(model.probabilities(0).tie == Approx(nu / (2 + nu)).epsilon(1e-13));
  }
}

TEST_CASE("Davidson: derivatives by hand", "[bradley_terry]") {
  // d = 2 log 2, nu = 3/2: weights 2, 1/2, 3/2, probabilities 1/2, 1/8, 3/8.
  const std::vector<double> scores{2 * std::log(2.0), 0};
  const std::vector<std::uint32_t> first{0}, second{1};
  const rg::Davidson model{.kappa = std::log(1.5)};
  const double p[3] = {0.5, 0.125, 0.375};
  for (const rg::Outcome outcome : {rg::Outcome::first, rg::Outcome::second, rg::Outcome::tie}) {
    const std::size_t k = static_cast<std::size_t>(outcome);
    const std::vector<rg::Outcome> outcomes{outcome};
    const rg::ComparisonView<double> view{.scores = scores, .first = first, .second = second, .outcome = outcomes};
    std::vector<double> gradient(2), curvature(2);
    double tie_gradient;
    CHECK(rg::value_and_gradient(model, view, gradient, tie_gradient) == Approx(-std::log(p[k])));
    CHECK(gradient[0] == Approx(((p[0] - (k == 0)) - (p[1] - (k == 1))) / 2).margin(1e-15));
    CHECK(tie_gradient == Approx(p[2] - (k == 2)));
    rg::value_gradient_and_curvature(model, view, gradient, curvature);
    CHECK(curvature[0] == Approx(p[0] * p[1] + p[2] * (p[0] + p[1]) / 4));
  }
}

TEST_CASE("Davidson: without ties it is Bradley-Terry", "[bradley_terry]") {
  const std::vector<double> scores{1.3, 0, -0.4};
  const std::vector<std::uint32_t> first{0, 1, 2}, second{1, 2, 0};
  const rg::ComparisonView<double> view{.scores = scores, .first = first, .second = second};
  std::vector<double> a(3), b(3);
  CHECK(rg::value_and_gradient(rg::Davidson{.kappa = -100}, view, a) == Approx(rg::value_and_gradient(rg::BradleyTerry{}, view, b)).epsilon(1e-14));
  for (std::size_t i = 0; i < 3; ++i) CHECK(a[i] == Approx(b[i]).epsilon(1e-13));
  CHECK(rg::Davidson{.kappa = -100}.probabilities(1.3).first == Approx(rg::BradleyTerry{}.probabilities(1.3).first));
}

TEST_CASE("Davidson: far ties fall half as fast as those of Rao-Kupper", "[bradley_terry]") {
  const auto odds = [](const auto& model, double d) { return std::log(model.probabilities(d).tie / model.probabilities(d).first); };
  CHECK(odds(rg::Davidson{}, 40) - odds(rg::Davidson{}, 60) == Approx(10.0).epsilon(1e-9));
  CHECK(odds(rg::RaoKupper{}, 40) - odds(rg::RaoKupper{}, 60) == Approx(20.0).epsilon(1e-9));
}

TEST_CASE("Davidson: raters who disagree mix the three losses", "[bradley_terry]") {
  const std::vector<float> scores{0.25f, -0.5f}, fractions{0.5f, 0.125f, 0.375f};
  const std::vector<std::uint32_t> first{0}, second{1};
  const rg::ComparisonView<float> view{.scores = scores, .first = first, .second = second, .soft_outcome = fractions};
  const auto p = rg::Davidson{.kappa = 0.5}.probabilities(0.75);
  CHECK(rg::value(rg::Davidson{.kappa = 0.5}, view) == Approx(-0.5 * std::log(p.first) - 0.125 * std::log(p.second) - 0.375 * std::log(p.tie)));
}

TEST_CASE("Davidson: kappa is any finite number", "[bradley_terry]") {
  CHECK(rg::Davidson{.kappa = -1e8}.check());
  CHECK_FALSE(rg::Davidson{.kappa = std::numeric_limits<double>::infinity()}.check());
  CHECK_FALSE(rg::Davidson{.kappa = std::numeric_limits<double>::quiet_NaN()}.check());
}
