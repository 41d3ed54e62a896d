#include "support/catch.hpp"

#include <rankgrad/core/random.hpp>
#include <rankgrad/reweighting/loss_weights.hpp>

#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

namespace rg = rankgrad;

namespace {

template <class T, class Map>
std::vector<T> weights_of(const Map& map, const std::vector<T>& losses, const std::vector<T>& prior = {}) {
  std::vector<T> weights(losses.size(), T(9));
  rg::loss_weights(map, std::span<const T>(losses), weights, prior);
  return weights;
}

/// The definition in long double; f(h) as a function, losses all finite.
template <class F>
std::vector<long double> definition(const std::vector<double>& losses, long double r, long double delta, F f) {
  const long double low = *std::min_element(losses.begin(), losses.end()), high = *std::max_element(losses.begin(), losses.end());
  std::vector<long double> e;
  for (const double l : losses) e.push_back(expl(f(delta * (2 * l - (high + low)) / std::max(high - low, 1e-6L)) / r));
  const long double sum = std::accumulate(e.begin(), e.end(), 0.0L);
  for (long double& x : e) x /= sum;
  return e;
}

template <class T>
void check_near(const std::vector<T>& got, const std::vector<double>& expected, double margin) {
  REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) CHECK(static_cast<double>(got[i]) == Approx(expected[i]).margin(margin));
}

template <class T>
std::vector<T> some_losses(std::size_t n) {
  std::vector<T> losses;
  for (std::size_t i = 0; i < n; ++i) losses.push_back(static_cast<T>(static_cast<float>(2 + std::sin(0.7 * static_cast<double>(i * i)))));
  return losses;
}

}  // namespace

TEST_CASE("weights of the losses 1, 2, 3, 5", "[reweighting]") {
  // mid 3, half 2: h = (-1, -1/2, 0, 1). LinUpper: f = (0, 1/2, 1, 1), e^{f / 0.4} = (1, 3.4903, 12.1825, 12.1825), sum 28.855.
  const std::vector<double> losses{1, 2, 3, 5};
  check_near(weights_of(rg::LinUpper{.temperature = 0.4}, losses), {0.034656, 0.12096, 0.422192, 0.422192}, 1e-6);
  check_near(weights_of(rg::Quadratic{.temperature = 0.4}, losses), {0.048301, 0.314965, 0.588432, 0.048301}, 1e-6);
  check_near(weights_of(rg::Extremes{.temperature = 0.4}, losses), {0.422192, 0.12096, 0.034656, 0.422192}, 1e-6);
  check_near(weights_of(rg::Upper{.temperature = 0.4}, losses), {0.053934, 0.100763, 0.188249, 0.657054}, 1e-6);
  CHECK(weights_of(rg::UniformWeights{}, losses) == std::vector<double>(4, 0.25));
  // r = 1: the best and the worst differ by e^{delta / r} = e.
  const auto mild = weights_of(rg::LinUpper{.temperature = 1}, losses);
  CHECK(mild[3] / mild[0] == Approx(std::exp(1.0)).epsilon(1e-12));
}

TEMPLATE_TEST_CASE("weights follow their definition for any number of losses", "[reweighting]", float, double) {
  using T = TestType;
  const double tolerance = 64 * static_cast<double>(std::numeric_limits<T>::epsilon());
  for (const std::size_t n : {1u, 2u, 3u, 7u, 8u, 9u, 16u, 17u, 33u, 100u}) {
    const auto losses = some_losses<T>(n);
    const std::vector<double> wide(losses.begin(), losses.end());
    const auto check = [&](const auto& map, auto f) {
      const auto expected = definition(wide, map.temperature, map.delta, f);
      const auto got = weights_of(map, losses);
      double sum = 0;
      for (std::size_t i = 0; i < n; ++i) {
        CHECK(static_cast<double>(got[i]) == Approx(static_cast<double>(expected[i])).epsilon(tolerance));
        sum += static_cast<double>(got[i]);
      }
      CHECK(sum == Approx(1.0).epsilon(tolerance));
    };
    const long double d = 0.6L;
    check(rg::LinUpper{0.3, 0.6}, [&](long double h) { return std::min(h + d, d); });
    check(rg::Quadratic{0.3, 0.6}, [&](long double h) { return 1 - h * h / (d * d); });
    check(rg::Extremes{0.3, 0.6}, [&](long double h) { return fabsl(h); });
    check(rg::Upper{0.3, 0.6}, [&](long double h) { return h / 2 + d / 2; });
    check(rg::UniformWeights{}, [](long double) { return 0.0L; });
  }
}

TEMPLATE_TEST_CASE("the lowest and the highest loss are at -delta and delta, none beyond", "[reweighting]", float, double) {
  using T = TestType;
  rg::Random random(3);
  for (int round = 0; round < 2000; ++round) {
    const double scale = std::exp(10 * random.normal());
    std::vector<T> losses(5);
    for (T& loss : losses) loss = static_cast<T>(scale * (round % 2 ? random.uniform() : 1000 + random.uniform()));
    const auto range = rg::loss_range(std::span<const T>(losses));
    if (range.high - range.low <= 1e-6) continue;
    // Extremes is |h|, and the top is the highest of it.
    for (const double delta : {1.0, 0.7}) {
      CHECK(rg::exponent_sum(rg::Extremes{.delta = delta}, std::span<const T>(losses), range).top == static_cast<double>(T(delta)));
      for (const double end : {range.low, range.high}) {
        const std::vector<T> one{T(end)};
        CHECK(rg::exponent_sum(rg::Extremes{.delta = delta}, std::span<const T>(one), range).top == static_cast<double>(T(delta)));
      }
    }
  }
}

TEST_CASE("losses that are not numbers get no weight and do not move the range", "[reweighting]") {
  const double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();
  const std::vector<double> finite{1, 2, 3, 5}, broken{nan, 1, 2, infinity, 3, 5, -infinity};
  const auto expected = weights_of(rg::LinUpper{}, finite), got = weights_of(rg::LinUpper{}, broken);
  const std::vector<double> kept{got[1], got[2], got[4], got[5]};
  check_near(kept, expected, 1e-15);
  CHECK((got[0] == 0 && got[3] == 0 && got[6] == 0));
  CHECK(weights_of(rg::LinUpper{}, std::vector<double>{nan, infinity}) == std::vector<double>{0, 0});
  CHECK(weights_of(rg::LinUpper{}, std::vector<double>{}).empty());
}

TEST_CASE("equal losses and single losses have uniform weights", "[reweighting]") {
  for (const double level : {0.0, 1e-12, 3.0, -1e300}) {
    CHECK(weights_of(rg::LinUpper{}, std::vector<double>(5, level)) == std::vector<double>(5, 0.2));
    CHECK(weights_of(rg::Quadratic{}, std::vector<double>(5, level)) == std::vector<double>(5, 0.2));
    CHECK(weights_of(rg::Upper{}, std::vector<double>{level}) == std::vector<double>{1});
  }
  // A range below 1e-6 is taken as 1e-6: noise is not blown up to full contrast. h = +-1/2: f = (1/2, 1), 1 / 0.4 = 2.5.
  const auto close = weights_of(rg::LinUpper{.temperature = 0.4}, std::vector<double>{0, 0.5e-6});
  CHECK(close[0] == Approx(1 / (1 + std::exp(1.25))).epsilon(1e-9));
}

TEST_CASE("a cold temperature and losses of any size stay finite", "[reweighting]") {
  // Two losses: f = 0 for both in Quadratic, far below its highest value 1.
  CHECK(weights_of(rg::Quadratic{.temperature = 1e-6}, std::vector<double>{1, 4}) == std::vector<double>{0.5, 0.5});
  const float top = std::numeric_limits<float>::max();
  const auto wide = weights_of(rg::Upper{.temperature = 0.1}, std::vector<float>{-top, 0, top});
  check_near(wide, {std::exp(-10.0) / 1.0067832, std::exp(-5.0) / 1.0067832, 1 / 1.0067832}, 1e-6);
}

TEST_CASE("a loss of prior weight 2 is the loss twice, of weight 0 none", "[reweighting]") {
  const std::vector<double> losses{1, 2, 3, 5, 100}, prior{1, 2, 1, 0.5, 0};
  const auto got = weights_of(rg::Quadratic{}, losses, prior);
  const auto twice = weights_of(rg::Quadratic{}, std::vector<double>{1, 2, 2, 3, 5}, {1, 1, 1, 1, 0.5});
  check_near(got, {twice[0], twice[1] + twice[2], twice[3], twice[4], 0}, 1e-15);
}

TEST_CASE("before the end of the warm-up the weights are uniform", "[reweighting]") {
  const std::vector<double> losses{1, 2, 3, 5};
  rg::WarmedUp<rg::LinUpper> map{{.temperature = 0.7}};
  map.step = 999;
  CHECK(weights_of(map, losses) == std::vector<double>(4, 0.25));
  map.step = 1000;
  CHECK(weights_of(map, losses) == weights_of(rg::LinUpper{.temperature = 0.7}, losses));
}

TEMPLATE_TEST_CASE("statistics of parts of a batch merge to those of the whole", "[reweighting]", float, double) {
  using T = TestType;
  const auto losses = some_losses<T>(50);
  const rg::Quadratic map{.temperature = 0.1};
  const std::span<const T> all(losses), parts[] = {all.subspan(0, 7), all.subspan(7, 0), all.subspan(7, 20), all.subspan(27)};
  rg::LossRange range;
  for (const auto& part : parts) range.merge(rg::loss_range(part));
  CHECK(range.count == 50);
  rg::ExponentSum sum;
  for (const auto& part : parts) sum.merge(rg::exponent_sum(map, part, range));
  CHECK(sum.count == 50);
  const auto whole = weights_of(map, losses);
  std::vector<T> pieces;
  for (const auto& part : parts) {
    std::vector<T> weights(part.size());
    rg::loss_weights(map, part, range, sum, weights);
    pieces.insert(pieces.end(), weights.begin(), weights.end());
  }
  for (std::size_t i = 0; i < 50; ++i)
    CHECK(static_cast<double>(pieces[i]) ==
          Approx(static_cast<double>(whole[i])).epsilon(64 * static_cast<double>(std::numeric_limits<T>::epsilon())));
}

TEST_CASE("parameters and sizes of loss weights are checked", "[reweighting]") {
  const std::vector<double> losses{1, 2}, prior{1, -1};
  std::vector<double> weights(2), few(1);
  const std::span<const double> all(losses);
  CHECK_THROWS_WITH(rg::loss_weights(rg::LinUpper{.temperature = 0}, all, weights), contains("temperature"));
  CHECK_THROWS_WITH(rg::loss_weights(rg::LinUpper{.delta = -1}, all, weights), contains("delta"));
  CHECK_THROWS_WITH(rg::loss_weights(rg::LinUpper{}, all, few), contains("weights has 1"));
  CHECK_THROWS_WITH(rg::loss_weights(rg::LinUpper{}, all, weights, prior), contains("weights of the losses[1] is -1"));
}
