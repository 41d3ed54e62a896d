#include <rankgrad/triplet/consensus_division.hpp>

#include "support/catch.hpp"

#include <limits>
#include <vector>

namespace rg = rankgrad;

namespace {

struct Synthetic {
  std::vector<double> losses;
  std::vector<int> clean;
};
/// A share of losses around 2, the others around 0.5.
Synthetic mixture(std::size_t n, double noisy_share, std::uint64_t seed, double spread = 0.15) {
  rg::Random random(seed, n);
  Synthetic s;
  for (std::size_t i = 0; i < n; ++i) {
    s.clean.push_back(random.uniform() >= noisy_share);
    s.losses.push_back((s.clean.back() ? 0.5 : 2.0) + spread * random.normal());
  }
  return s;
}
std::vector<std::uint8_t> clean_of(const std::vector<double>& losses, const rg::MixtureSettings& settings = {}) {
  std::vector<std::uint8_t> clean(losses.size(), 77);
  rg::Workspace workspace;
  REQUIRE(rg::clean_samples<double>(losses, settings, clean, workspace));
  return clean;
}

}  // namespace

TEST_CASE("the mixture finds means, variances and weights", "[triplet]") {
  rg::Random random(3);
  std::vector<double> x;
  for (int i = 0; i < 4000; ++i) x.push_back(random.uniform() < 0.25 ? 0.8 + 0.1 * random.normal() : 0.2 + 0.05 * random.normal());
  const auto fitted = rg::GaussianMixture::fit(x, rg::high_noise);
  CHECK(fitted.low.mean == Approx(0.2).margin(0.005));
  CHECK(fitted.high.mean == Approx(0.8).margin(0.01));
  CHECK(std::sqrt(fitted.low.variance) == Approx(0.05).epsilon(0.05));
  CHECK(std::sqrt(fitted.high.variance) == Approx(0.1).epsilon(0.05));
  CHECK(fitted.high.weight == Approx(0.25).margin(0.02));
  CHECK(fitted.low.weight + fitted.high.weight == Approx(1.0));
  CHECK(fitted.posterior_of_low(0.2) > 0.999);
  CHECK(fitted.posterior_of_low(0.8) < 0.001);
}

TEST_CASE("one step of expectation maximisation, by hand", "[triplet]") {
  // Values 0 0 1 1: start mu = (0, 1), v = 0.25 / 4 = 1/16, w = 1/2. g of 0 in the lower one: 1 / (1 + e^-8).
  const std::vector<double> x{0, 0, 1, 1};
  const auto fitted = rg::GaussianMixture::fit(x, {.iterations = 1, .tolerance = 0, .variance_floor = 1e-3});
  const double g = 1 / (1 + std::exp(-8.0));
  CHECK(fitted.low.mean == Approx(1 - g).epsilon(1e-9));
  CHECK(fitted.high.mean == Approx(g).epsilon(1e-9));
  CHECK(fitted.low.weight == Approx(0.5));
  CHECK(fitted.low.variance == Approx(g * (1 - g) + 1e-3).epsilon(1e-9));
}

TEST_CASE("clean samples of a mixture that is known", "[triplet]") {
  for (const double share : {0.2, 0.5, 0.7}) {
    const Synthetic s = mixture(2000, share, 11);
    const auto clean = clean_of(s.losses, share > 0.4 ? rg::high_noise : rg::usual_noise);
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < 2000; ++i) wrong += clean[i] != s.clean[i];
    INFO("noisy share " << share << ", wrong " << wrong);
    CHECK(wrong <= 4);   // the two are five standard deviations from their middle
  }
}

TEST_CASE("clean samples do not depend on scale and place of the losses", "[triplet]") {
  const Synthetic s = mixture(300, 0.3, 5, 0.5);
  auto moved = s.losses;
  for (double& x : moved) x = 1024 * x - 4096;
  CHECK(clean_of(s.losses) == clean_of(moved));
}

TEST_CASE("where every sample seems clean, about one in a hundred is called noisy", "[triplet]") {
  // After one step with so high a floor both components are as wide as can be and the lower one, with all losses but one
  // near its mean, has the larger weight: it is the more probable one everywhere.
  for (const std::size_t n : {5u, 99u, 100u, 500u, 2000u}) {
    std::vector<double> losses;
    for (std::size_t i = 0; i < n; ++i) losses.push_back(i == 0 ? 1.0 : 1e-3 * static_cast<double>(i) / static_cast<double>(n));
    const rg::MixtureSettings wide{.iterations = 1, .tolerance = 0, .variance_floor = 100};
    const auto clean = clean_of(losses, wide);
    std::vector<double> scaled;
    for (const double x : losses) scaled.push_back((x - losses[1]) / (1 - losses[1]));
    const auto fitted = rg::GaussianMixture::fit(scaled, wide);
    std::size_t above = 0, noisy = 0;
    for (std::size_t i = 0; i < n; ++i) above += fitted.log_odds(scaled[i]) > 0, noisy += clean[i] == 0;
    INFO("n " << n << ", above " << above << ", noisy " << noisy);
    REQUIRE(above == n);
    CHECK(noisy == n / 100 + 1);
    CHECK(clean[0] == 0);   // the largest loss is the least clean
  }
}

TEST_CASE("clean samples: nothing, one, all the same", "[triplet]") {
  CHECK(clean_of({}).empty());
  CHECK(clean_of({3.5}) == std::vector<std::uint8_t>{1});
  CHECK(clean_of(std::vector<double>(20, -2.0)) == std::vector<std::uint8_t>(20, 1));
  const auto two = clean_of({1.0, 2.0});
  CHECK(two == std::vector<std::uint8_t>{1, 0});
}

TEST_CASE("clean samples: extreme losses", "[triplet]") {
  for (const double unit : {1e-300, 1e-30, 1e30, 1e150}) {
    INFO("unit " << unit);
    CHECK(clean_of({unit, 1.1 * unit, 9 * unit, 1.2 * unit, 10 * unit, 0.9 * unit}) == std::vector<std::uint8_t>{1, 1, 0, 1, 0, 1});
  }
  std::vector<double> outlier(10000, 1.0);   // a variance of almost nothing
  outlier[17] = 1e6;
  const auto clean = clean_of(outlier);
  CHECK(clean[17] == 0);
  CHECK(clean[18] == 1);
}

TEST_CASE("clean samples: what is wrong is said, and nothing is written", "[triplet]") {
  rg::Workspace workspace;
  std::vector<double> losses{1, 2, std::numeric_limits<double>::quiet_NaN()}, fine{1, 2, 3}, weights(3, 7.0);
  std::vector<std::uint8_t> clean(3, 7);
  CHECK_FALSE(rg::clean_samples<double>(losses, {}, clean, workspace));
  losses[2] = std::numeric_limits<double>::infinity();
  CHECK_FALSE(rg::clean_samples<double>(losses, {}, clean, workspace));
  CHECK(clean == std::vector<std::uint8_t>(3, 7));
  CHECK_FALSE(rg::consensus_division<double>(fine, losses, {}, 1, 1, weights, workspace));
  CHECK_FALSE(rg::consensus_division<double>(losses, fine, {}, 1, 1, weights, workspace));
  fine.pop_back();
  CHECK_FALSE(rg::consensus_division<double>(fine, fine, {}, 1, 1, weights, workspace));
  fine.push_back(3);
  CHECK_FALSE(rg::consensus_division<double>(fine, fine, {.iterations = 0}, 1, 1, weights, workspace));
  CHECK_FALSE(rg::consensus_division<double>(fine, fine, {.variance_floor = 0}, 1, 1, weights, workspace));
  CHECK(weights == std::vector<double>(3, 7.0));
}

TEST_CASE("consensus: agreement decides, a coin where there is none", "[triplet]") {
  const std::size_t n = 4000;
  std::vector<float> first, second, weights(n), again(n), next(n), other(n);
  for (std::size_t i = 0; i < n; ++i) {
    first.push_back(i % 4 < 2 ? 0.1f : 0.9f);
    second.push_back(i % 2 ? 0.9f : 0.1f);
  }
  rg::Workspace workspace;
  REQUIRE(rg::consensus_division<float>(first, second, {}, 42, 0, weights, workspace));
  REQUIRE(rg::consensus_division<float>(first, second, {}, 42, 0, again, workspace));
  REQUIRE(rg::consensus_division<float>(first, second, {}, 42, 1, next, workspace));
  REQUIRE(rg::consensus_division<float>(first, second, {}, 43, 0, other, workspace));
  std::size_t heads = 0, changed = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (i % 4 == 0) CHECK(weights[i] == 1.0f);
    else if (i % 4 == 3) CHECK(weights[i] == 0.0f);
    else {
      CHECK((weights[i] == 0.0f || weights[i] == 1.0f));
      heads += weights[i] == 1.0f;
      changed += weights[i] != next[i];
    }
  }
  CHECK(weights == again);
  CHECK(weights != other);
  CHECK(heads > 900);     // of 2000; five standard deviations are 112
  CHECK(heads < 1100);
  CHECK(changed > 900);
  CHECK(changed < 1100);

  // The toss of a sample does not depend on what the others do.
  std::vector<float> agreed = first, alone(n);
  agreed[1] = second[1];
  REQUIRE(rg::consensus_division<float>(first, agreed, {}, 42, 0, alone, workspace));
  CHECK(alone[1] == weights[1]);
  const std::size_t growths = workspace.growths();
  REQUIRE(rg::consensus_division<float>(first, second, {}, 42, 0, again, workspace));
  CHECK(workspace.growths() == growths);
}
