#include <rankgrad/bradley_terry/accuracy.hpp>

#include "support/catch.hpp"

#include <rankgrad/bradley_terry/davidson.hpp>
#include <rankgrad/bradley_terry/rao_kupper.hpp>

#include <vector>

namespace rg = rankgrad;
using rg::Outcome;

TEST_CASE("win-tie-lose accuracy: a threshold", "[bradley_terry]") {
  const std::vector<double> scores{2, 1.5, 0, 0};
  const std::vector<std::uint32_t> first{0, 0, 2, 2}, second{1, 2, 1, 3};   // d = .5, 2, -1.5, 0
  const std::vector<Outcome> outcome{Outcome::tie, Outcome::first, Outcome::second, Outcome::first};
  rg::ComparisonView<double> view{.scores = scores, .first = first, .second = second, .outcome = outcome};
  CHECK(rg::win_tie_lose_accuracy(rg::TieWithin{1}, view).value == 0.75);
  CHECK(rg::win_tie_lose_accuracy(rg::TieWithin{0.5}, view).value == 0.5);   // |d| = threshold is decided
  CHECK(rg::win_tie_lose_accuracy(rg::TieWithin{}, view).value == 0.5);      // d = 0 is a tie
  CHECK(rg::win_tie_lose_accuracy(rg::TieWithin{10}, view).value == 0.25);
  const std::vector<double> weights{1, 0, 0, 3};
  view.weights = weights;
  CHECK(rg::win_tie_lose_accuracy(rg::TieWithin{1}, view).value == 0.25);
  const std::vector<std::uint8_t> mask{1, 1, 1, 0};
  view.mask = mask;
  CHECK(rg::win_tie_lose_accuracy(rg::TieWithin{1}, view).value == 1.0);
}

TEST_CASE("win-tie-lose accuracy: the most probable outcome", "[bradley_terry]") {
  // Davidson: a tie is most probable where |d| / 2 < kappa; Rao-Kupper: where |d| < log(e^{2 eta} - 2) - eta.
  const rg::MostProbable<rg::Davidson> davidson{{.kappa = 0.5}};
  CHECK(davidson(0.99) == Outcome::tie);
  CHECK(davidson(1.01) == Outcome::first);
  CHECK(davidson(-1.01) == Outcome::second);
  const rg::MostProbable<rg::RaoKupper> kupper{{.eta = 1}};
  const double border = std::log(std::exp(2.0) - 2) - 1;
  CHECK(kupper(border - 0.01) == Outcome::tie);
  CHECK(kupper(border + 0.01) == Outcome::first);
  CHECK(kupper(-border - 0.01) == Outcome::second);
  const rg::MostProbable<rg::RaoKupper> narrow{{.eta = 0.1}};   // ties are never most probable, but equal scores decide nothing
  CHECK(narrow(1e-6) == Outcome::first);
  CHECK(narrow(0) == Outcome::tie);
  const rg::MostProbable<rg::BradleyTerry> two{};
  CHECK(two(-1e-6) == Outcome::second);
  CHECK(two(0) == Outcome::tie);
}

TEST_CASE("win-tie-lose accuracy: raters who disagree, and nobody", "[bradley_terry]") {
  const std::vector<float> scores{1, 0}, fractions{0.5f, 0.125f, 0.375f};
  const std::vector<std::uint32_t> first{0}, second{1};
  const rg::ComparisonView<float> view{.scores = scores, .first = first, .second = second, .soft_outcome = fractions};
  CHECK(rg::win_tie_lose_accuracy(rg::TieWithin{0.5}, view).value == 0.5);
  CHECK(rg::win_tie_lose_accuracy(rg::TieWithin{2}, view).value == 0.375);
  CHECK_FALSE(rg::win_tie_lose_accuracy(rg::TieWithin{}, rg::ComparisonView<float>{}).valid);
  CHECK_THROWS_AS(rg::win_tie_lose_accuracy(rg::TieWithin{-1}, view), std::invalid_argument);
}
