#include <rankgrad/bradley_terry/rao_kupper.hpp>

#include "support/catch.hpp"

#include <cmath>
#include <vector>

namespace rg = rankgrad;

TEST_CASE("Rao-Kupper: probabilities add up to 1, and a tie at 0 has tanh(eta / 2)", "[bradley_terry]") {
  for (const double eta : {1e-6, 0.1, 1.0, 5.0, 40.0, 800.0}) {
    const rg::RaoKupper model{.eta = eta};
    for (const double d : {-1000.0, -30.0, -1.0, 0.0, 1e-8, 0.5, 6.0, 700.0}) {
      const auto p = model.probabilities(d);
      INFO("eta " << eta << ", d " << d);
      CHECK(p.first + p.second + p.tie == Approx(1.0).epsilon(1e-14));
      CHECK(p.first == model.probabilities(-d).second);
    }
    CHECK(model.probabilities(0).tie == Approx(std::tanh(eta / 2)).epsilon(1e-13));
  }
}

TEST_CASE("Rao-Kupper: the loss is the logarithm of the probability", "[bradley_terry]") {
  const std::vector<std::uint32_t> first{0}, second{1};
  for (const double eta : {0.01, 1.0, 4.0})
    for (const double d : {-3.0, 0.0, 0.2, 8.0}) {
      const std::vector<double> scores{d, 0};
      const rg::RaoKupper model{.eta = eta};
      const auto p = model.probabilities(d);
      for (const auto& [outcome, probability] : {std::pair{rg::Outcome::first, p.first}, {rg::Outcome::second, p.second}, {rg::Outcome::tie, p.tie}}) {
        const std::vector<rg::Outcome> outcomes{outcome};
        const rg::ComparisonView<double> view{.scores = scores, .first = first, .second = second, .outcome = outcomes};
        CHECK(rg::value(model, view) == Approx(-std::log(probability)).epsilon(1e-12));
      }
    }
}

TEST_CASE("Rao-Kupper: derivatives by hand", "[bradley_terry]") {
  // eta = log 2, d = log 2: A = s(0) = 1/2, B = s(log 4) = 4/5, 2 / (1 - e^{-2 eta}) = 8/3.
  const double ln2 = std::log(2.0);
  const std::vector<double> scores{ln2, 0};
  const std::vector<std::uint32_t> first{0}, second{1};
  const rg::RaoKupper model{.eta = ln2};
  const double slope[3] = {-0.5, 0.8, 0.3}, tie[3] = {0.5, 0.8, 0.5 + 0.8 - 8.0 / 3}, bend[3] = {0.25, 0.16, 0.41};
  for (const rg::Outcome outcome : {rg::Outcome::first, rg::Outcome::second, rg::Outcome::tie}) {
    const std::size_t k = static_cast<std::size_t>(outcome);
    const std::vector<rg::Outcome> outcomes{outcome};
    const rg::ComparisonView<double> view{.scores = scores, .first = first, .second = second, .outcome = outcomes};
    std::vector<double> gradient(2), curvature(2);
    double tie_gradient = 99;
    rg::value_and_gradient(model, view, gradient, tie_gradient);
    CHECK(gradient[0] == Approx(slope[k]));
    CHECK(gradient[1] == Approx(-slope[k]));
    CHECK(tie_gradient == Approx(tie[k]));
    rg::value_gradient_and_curvature(model, view, gradient, curvature);
    CHECK(curvature[0] == Approx(bend[k]));
    CHECK(curvature[1] == Approx(bend[k]));
  }
}

TEST_CASE("Rao-Kupper: an all but certain tie keeps its relative accuracy in float", "[bradley_terry]") {
  const std::vector<float> scores{0.5f, 0};
  const std::vector<std::uint32_t> first{0}, second{1};
  const std::vector<rg::Outcome> tie{rg::Outcome::tie};
  const rg::ComparisonView<float> view{.scores = scores, .first = first, .second = second, .outcome = tie};
  for (const double eta : {20.0, 60.0}) {   // 2 eta - 2 eta + what counts, in the textbook form
    const double expected = std::log1p((2 + 2 * std::exp(eta) * std::cosh(0.5)) / std::expm1(2 * eta));
    CHECK(static_cast<double>(rg::value(rg::RaoKupper{.eta = eta}, view)) == Approx(expected).epsilon(1e-6));
  }
}

TEST_CASE("Rao-Kupper: the tie parameter's slope is scaled, added to, and 0 without signal", "[bradley_terry]") {
  const std::vector<double> scores{0.5, 0}, weights{3};
  const std::vector<std::uint32_t> first{0}, second{1};
  rg::ComparisonView<double> view{.scores = scores, .first = first, .second = second};
  rg::Workspace workspace;
  std::vector<double> gradient(2);
  double once = 0, more = 10;
  rg::value_and_gradient(rg::RaoKupper{}, view, gradient, once, workspace);
  rg::RaoKupper{}.value_and_gradient(view, rg::GradientSink<double>{gradient.data(), nullptr, 2}, more, workspace);
  CHECK(more == Approx(10 + 2 * once));
  view.weights = weights;
  double sum = 0;
  rg::value_and_gradient(rg::RaoKupper{.normalize = rg::Normalize::sum}, view, gradient, sum);
  CHECK(sum == Approx(3 * once));
  const std::vector<std::uint8_t> mask{0};
  view.mask = mask;
  rg::value_and_gradient(rg::RaoKupper{}, view, gradient, sum);
  CHECK(sum == 0.0);
}

TEST_CASE("Rao-Kupper: eta = 0 leaves no room for ties and is refused", "[bradley_terry]") {
  CHECK_FALSE(rg::RaoKupper{.eta = 0}.check());
  CHECK_FALSE(rg::RaoKupper{.eta = -1}.check());
  CHECK(rg::RaoKupper{.eta = 1e-6}.check());
  const std::vector<double> scores{1, 0};
  const std::vector<std::uint32_t> first{0}, second{1};
  const rg::ComparisonView<double> view{.scores = scores, .first = first, .second = second};
  std::vector<double> gradient(2);
  double tie_gradient;
  CHECK_THROWS_AS(rg::value_and_gradient(rg::RaoKupper{.eta = 0}, view, gradient, tie_gradient), std::invalid_argument);
}
