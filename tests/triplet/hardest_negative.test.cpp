#include <rankgrad/triplet/hardest_negative.hpp>

#include "properties/oracles/triplet.hpp"
#include "support/catch.hpp"

namespace rg = rankgrad;

TEST_CASE("hardest negative: by hand", "[triplet]") {
  // rows: .1 - .5 + .6 = .2; .1 - .7 + .55 < 0; .1 - .3 + .4 = .2
  // columns: .1 - .5 + .4 = 0 at the kink; .1 - .7 + .6 = 0; .1 - .3 + .55 = .35
  const std::vector<double> s{.5, .6, .2, .25, .7, .55, .4, .1, .3};
  const std::vector<std::int64_t> ids{1, 2, 3};
  const rg::SimilarityView<double> view{.similarity = s, .ids = ids};
  std::vector<double> gradient(9);
  CHECK(rg::value_and_gradient(rg::HardestNegativeTriplet{.direction = rg::Direction::rows}, view, gradient) == Approx(0.4));
  CHECK(gradient == std::vector<double>{-1, 1, 0, 0, 0, 0, 1, 0, -1});
  CHECK(rg::value_and_gradient(rg::HardestNegativeTriplet{.direction = rg::Direction::columns}, view, gradient) == Approx(0.35));
  CHECK(gradient[5] == 1.0);
  CHECK(gradient[8] == -1.0);
}

TEST_CASE("hardest negative: of equals the first", "[triplet]") {
  constexpr std::size_t n = 37;   // more than one pack in every instruction set
  std::vector<std::int64_t> ids(n);
  for (std::size_t i = 0; i < n; ++i) ids[i] = static_cast<std::int64_t>(i);
  const std::vector<float> s(n * n, 0.5f);
  const rg::SimilarityView<float> view{.similarity = s, .ids = ids};
  std::vector<float> gradient(n * n);
  rg::value_and_gradient(rg::HardestNegativeTriplet{.direction = rg::Direction::rows}, view, gradient);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) CHECK(gradient[i * n + j] == (i == j ? -1.0f : j == (i == 0 ? 1u : 0u) ? 1.0f : 0.0f));
  rg::value_and_gradient(rg::HardestNegativeTriplet{.direction = rg::Direction::columns}, view, gradient);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) CHECK(gradient[i * n + j] == (i == j ? -1.0f : i == (j == 0 ? 1u : 0u) ? 1.0f : 0.0f));
}

TEST_CASE("hardest negative: negatives below 0 are not beaten by an empty place", "[triplet]") {
  // A maximum over mask * similarity would find 0 in the place of the positive, and a loss of .1 - .05 + 0.
  const std::vector<double> s{.05, -.5, -.6, .05};
  const std::vector<std::int64_t> ids{1, 2};
  CHECK(rg::value(rg::HardestNegativeTriplet{}, rg::SimilarityView<double>{.similarity = s, .ids = ids}) == 0.0);
}

TEST_CASE("hardest negative: the log-sum-exp is never below it and meets it as the temperature falls", "[triplet]") {
  for (const std::uint64_t seed : {1u, 2u, 3u, 4u, 5u}) {
    const auto m = test::make_matrix(30, seed, 0.2, 2);
    std::vector<double> hard(30), soft(30);
    for (const double temperature : {0.3, 0.1, 0.015, 1e-3, 1e-5}) {
      rg::per_sample_losses(rg::HardestNegativeTriplet{.temperature = temperature}, m.view(), hard);
      rg::per_sample_losses(rg::TripletLogSumExp{.temperature = temperature}, m.view(), soft);
      for (std::size_t i = 0; i < 30; ++i) {
        CHECK(soft[i] >= hard[i] - 1e-14);
        CHECK(soft[i] <= hard[i] + 2 * temperature * std::log(30.0) + 1e-14);   // the log-sum-exp of 30 is at most log 30 above
      }
    }
  }
}
