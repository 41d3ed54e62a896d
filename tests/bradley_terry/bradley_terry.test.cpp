#include <rankgrad/bradley_terry/bradley_terry.hpp>
#include <rankgrad/bradley_terry/win_tie.hpp>

#include "support/catch.hpp"

#include <rankgrad/bradley_terry/rao_kupper.hpp>
#include <rankgrad/core/combinators.hpp>
#include <rankgrad/pointwise/sigmoid_cross_entropy.hpp>

#include <cmath>
#include <vector>

namespace rg = rankgrad;

namespace {
/// One comparison at difference d.
struct Duel {
  std::vector<double> scores, gradient = {0, 0};
  std::vector<std::uint32_t> first{0}, second{1};
  std::vector<rg::Outcome> outcome;
  Duel(double d, rg::Outcome o) : scores{d, 0}, outcome{o} {}
  rg::ComparisonView<double> view() const { return {.scores = scores, .first = first, .second = second, .outcome = outcome}; }
};
double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }
}  // namespace

TEST_CASE("Bradley-Terry: one comparison", "[bradley_terry]") {
  Duel win(std::log(3.0), rg::Outcome::first);   // s(d) = 3/4
  CHECK(rg::value_and_gradient(rg::BradleyTerry{}, win.view(), win.gradient) == Approx(-std::log(0.75)));
  CHECK(win.gradient[0] == Approx(-0.25));
  CHECK(win.gradient[1] == Approx(0.25));
  Duel loss(std::log(3.0), rg::Outcome::second);
  CHECK(rg::value_and_gradient(rg::BradleyTerry{}, loss.view(), loss.gradient) == Approx(-std::log(0.25)));
  CHECK(loss.gradient[0] == Approx(0.75));
  Duel tie(std::log(3.0), rg::Outcome::tie);     // half of each
  CHECK(rg::value_and_gradient(rg::BradleyTerry{}, tie.view(), tie.gradient) == Approx(-0.5 * std::log(0.75 * 0.25)));
  CHECK(tie.gradient[0] == Approx(0.25));
  CHECK(rg::BradleyTerry{}.probabilities(std::log(3.0)).first == Approx(0.75));
}

TEST_CASE("Bradley-Terry: margin and label smoothing are subtracted on both sides", "[bradley_terry]") {
  const double d = 0.7, m = 0.4, e = 0.1;
  Duel win(d, rg::Outcome::first);
  CHECK(rg::value_and_gradient(rg::BradleyTerry{.margin = m, .label_smoothing = e}, win.view(), win.gradient) ==
        Approx((1 - e) * softplus(-(d - m)) + e * softplus(d + m)));
  CHECK(win.gradient[0] == Approx(-(1 - e) / (1 + std::exp(d - m)) + e / (1 + std::exp(-d - m))));
}

TEST_CASE("Bradley-Terry: items gather the slopes of all their comparisons", "[bradley_terry]") {
  const std::vector<float> scores{0, 0, 0, 0};
  const std::vector<std::uint32_t> first{0, 0, 0, 1}, second{1, 2, 3, 2};
  const rg::ComparisonView<float> view{.scores = scores, .first = first, .second = second};
  std::vector<float> gradient(4), curvature(4);
  CHECK(rg::value_gradient_and_curvature(rg::BradleyTerry{.normalize = rg::Normalize::sum}, view, gradient, curvature) == Approx(4 * std::log(2.0)));
  CHECK(gradient == std::vector<float>{-1.5f, 0, 1, 0.5f});
  CHECK(curvature == std::vector<float>{0.75f, 0.5f, 0.5f, 0.25f});
}

TEST_CASE("win-tie Bradley-Terry: the tie loss is smallest at 0 and flat inside the margin", "[bradley_terry]") {
  const rg::WinTieBradleyTerry loss{.margin = 12};
  Duel equal(0, rg::Outcome::tie), inside(3, rg::Outcome::tie), outside(30, rg::Outcome::tie);
  CHECK(rg::value_and_gradient(loss, equal.view(), equal.gradient) == Approx(2 * softplus(12)));
  CHECK(equal.gradient[0] == 0.0);
  rg::value_and_gradient(loss, inside.view(), inside.gradient);
  CHECK(inside.gradient[0] == Approx(std::sinh(3.0) / (std::cosh(3.0) + std::cosh(12.0))).epsilon(1e-9));
  CHECK(inside.gradient[0] < 2e-4);
  rg::value_and_gradient(loss, outside.view(), outside.gradient);
  CHECK(outside.gradient[0] == Approx(1.0).margin(1e-7));
}

TEST_CASE("win-tie Bradley-Terry: its ties are those of Rao-Kupper up to a constant, its wins are those of Bradley-Terry", "[bradley_terry]") {
  for (const double m : {0.1, 1.0, 3.0}) {
    const double constant = std::log(std::expm1(2 * m));
    for (const double d : {-5.0, -0.3, 0.0, 0.01, 2.0}) {
      Duel tie(d, rg::Outcome::tie), same = tie, win(d, rg::Outcome::first), won = win;
      CHECK(rg::value_and_gradient(rg::WinTieBradleyTerry{.margin = m}, tie.view(), tie.gradient) - constant ==
            Approx(rg::value_and_gradient(rg::RaoKupper{.eta = m}, same.view(), same.gradient)).epsilon(1e-12).margin(1e-13));
      CHECK(tie.gradient[0] == Approx(same.gradient[0]).margin(1e-15));
      CHECK(rg::value_and_gradient(rg::WinTieBradleyTerry{.margin = m}, win.view(), win.gradient) ==
            rg::value_and_gradient(rg::BradleyTerry{.margin = m}, won.view(), won.gradient));
      CHECK(win.gradient == won.gradient);
    }
  }
}

TEST_CASE("win-tie Bradley-Terry: the mean is over wins and ties together, weighted by kind", "[bradley_terry]") {
  const std::vector<double> scores{1, 0, -1};
  const std::vector<std::uint32_t> first{0, 1}, second{1, 2};
  const std::vector<rg::Outcome> outcome{rg::Outcome::first, rg::Outcome::tie};
  const rg::ComparisonView<double> view{.scores = scores, .first = first, .second = second, .outcome = outcome};
  const rg::WinTieBradleyTerry loss{.margin = 2, .win_weight = 3, .tie_weight = 0.5};
  CHECK(rg::value(loss, view) == Approx((3 * softplus(1) + 0.5 * (softplus(1) + softplus(3))) / 2));
}

TEST_CASE("win-tie Bradley-Terry and the cross-entropy of the items share a gradient", "[bradley_terry]") {
  Duel win(0.5, rg::Outcome::first);
  const std::vector<double> labels{1, 0};
  const rg::ListView<double> items{.scores = win.scores, .labels = labels};
  std::vector<double> together(2), comparisons(2), absolute(2);
  rg::Workspace workspace;
  rg::WinTieBradleyTerry{}.value_and_gradient(win.view(), rg::GradientSink<double>{together.data()}, workspace);
  rg::SigmoidCrossEntropy{}.value_and_gradient(items, rg::GradientSink<double>{together.data(), nullptr, 0.1}, workspace);
  rg::value_and_gradient(rg::WinTieBradleyTerry{}, win.view(), comparisons);
  rg::value_and_gradient(rg::SigmoidCrossEntropy{}, items, absolute);
  for (std::size_t i = 0; i < 2; ++i) CHECK(together[i] == Approx(comparisons[i] + 0.1 * absolute[i]));
}

TEST_CASE("Bradley-Terry: parameters and input are checked at the door", "[bradley_terry]") {
  Duel win(1, rg::Outcome::first);
  CHECK_FALSE(rg::BradleyTerry{.margin = -1}.check());
  CHECK_FALSE(rg::BradleyTerry{.label_smoothing = 0.6}.check());
  CHECK_FALSE(rg::WinTieBradleyTerry{.margin = 0}.check());
  CHECK_FALSE(rg::WinTieBradleyTerry{.tie_weight = -1}.check());
  CHECK_FALSE(rg::WinTieBradleyTerry{.win_weight = -1}.check());
  CHECK_THROWS_AS(rg::value_and_gradient(rg::BradleyTerry{.margin = -1}, win.view(), win.gradient), std::invalid_argument);
  win.second[0] = 0;
  CHECK_THROWS_AS(rg::value_and_gradient(rg::BradleyTerry{}, win.view(), win.gradient), std::invalid_argument);
  win.second[0] = 1;
  std::vector<double> too_long(3);
  CHECK_THROWS_AS(rg::value_and_gradient(rg::BradleyTerry{}, win.view(), too_long), std::invalid_argument);
}

TEST_CASE("mixtures of losses of comparisons by operators", "[bradley_terry]") {
  const Duel win(0.3, rg::Outcome::first);
  const auto mixture = 0.5 * rg::BradleyTerry{} + 2.0 * rg::WinTieBradleyTerry{} + rg::RaoKupper{};
  CHECK(rg::value(mixture, win.view()) == Approx(0.5 * rg::value(rg::BradleyTerry{}, win.view()) +
                                                 2 * rg::value(rg::WinTieBradleyTerry{}, win.view()) + rg::value(rg::RaoKupper{}, win.view())));
  CHECK(rg::parts(mixture)[1].weight == 2.0);
  CHECK(rg::parts(mixture)[2].name == "rao_kupper");
  CHECK_FALSE((-1.0 * rg::BradleyTerry{}).check());
  // The mask is taken off once, before the parts of a mixture see the comparisons.
  const std::vector<std::uint8_t> mask{0};
  rg::ComparisonView<double> masked = win.view();
  masked.mask = mask;
  CHECK(rg::value(mixture, masked) == 0.0);
}
