#include <rankgrad/local_features/pooling.hpp>

#include "support/catch.hpp"

#include <rankgrad/core/random.hpp>

#include <cmath>
#include <limits>
#include <vector>

namespace rg = rankgrad;

namespace {
std::vector<double> positive_values(std::size_t n, std::uint64_t seed) {
  rg::Random random(seed);
  std::vector<double> v(n);
  for (double& x : v) x = static_cast<float>(std::exp(0.7 * random.normal()));
  return v;
}
template <class F>
double slope(double& x, const F& f) {
  const double rest = x, h = 1e-3 * std::abs(rest);
  const auto at = [&](int steps) {
    x = rest + steps * h;
    const double v = f();
    x = rest;
    return v;
  };
  return (45 * (at(1) - at(-1)) - 9 * (at(2) - at(-2)) + (at(3) - at(-3))) / (60 * h);
}
template <class T>
constexpr double margin = sizeof(T) == 4 ? 2e-6 : 1e-10;
}  // namespace

TEST_CASE("ReLU-P is a clamp", "[contrastive]") {
  const std::vector<double> x{-1, 0.014, 0.02, 3}, g{1, 2, 3, 4};
  std::vector<double> y(4), gradient(4, 1.0);
  rg::clamp_from_below<double>(x, y);
  CHECK(y == std::vector<double>{0.014, 0.014, 0.02, 3});
  rg::add_clamp_gradient<double>(x, g, gradient);
  CHECK(gradient == std::vector<double>{1, 1, 4, 5});
}

TEST_CASE("generalised mean of 1, 2, 3", "[contrastive]") {
  const std::vector<double> map{1, 2, 3}, g{1};
  std::vector<double> y(1), gradient(3);
  rg::Workspace workspace;
  rg::GeneralizedMean{}.pool<double>(map, y, workspace);
  CHECK(y[0] == Approx(2.440700045940355).epsilon(1e-13));
  rg::GeneralizedMean{}.add_gradient<double>(map, y, g, gradient);
  CHECK(gradient[0] == Approx(std::pow(1 / y[0], 3.6) / 3));
  // Power 1 is the mean; extremes neither overflow nor underflow.
  rg::GeneralizedMean{.power = 1}.pool<double>(map, y, workspace);
  CHECK(y[0] == Approx(2.0));
  const std::vector<float> far{1e30f, 1e-30f, 1e30f, 0.0f};
  std::vector<float> pooled(2);
  rg::GeneralizedMean{.power = 10}.pool<float>(far, pooled, workspace);
  CHECK(static_cast<double>(pooled[0]) == Approx(1e30).epsilon(1e-5));
  CHECK(static_cast<double>(pooled[1]) == Approx(1e-8).epsilon(1e-5));
}

TEMPLATE_TEST_CASE("generalised mean: gradients are slopes, by the map and by the power", "[contrastive]", float, double) {
  using T = TestType;
  constexpr std::size_t places = 6, channels = 19;
  auto map = positive_values(places * channels, 1), g = positive_values(channels, 2);
  map[3] = -0.5;   // clamped: no gradient
  rg::GeneralizedMean mean{};
  rg::Workspace workspace;
  const auto loss = [&] {
    std::vector<double> y(channels);
    mean.pool<double>(map, y, workspace);
    double sum = 0;
    for (std::size_t c = 0; c < channels; ++c) sum += g[c] * y[c];
    return sum;
  };
  const std::vector<T> narrow(map.begin(), map.end()), up(g.begin(), g.end());
  std::vector<T> y(channels), gradient(places * channels);
  mean.pool<T>(narrow, y, workspace);
  const double by_power = mean.add_gradient<T>(narrow, y, up, gradient);
  for (std::size_t i = 0; i < map.size(); ++i)
    CHECK(static_cast<double>(gradient[i]) == Approx(i == 3 ? 0.0 : slope(map[i], loss)).epsilon(margin<T> * 10).margin(margin<T>));
  CHECK(by_power == Approx(slope(mean.power, loss)).epsilon(margin<T> * 10));
}

TEST_CASE("regional mean: the window is reflected at the border", "[contrastive]") {
  // A window of 3 over 2 x 2: row indices -1 0 1 are 1 0 1, so a corner sees itself once, its neighbours twice, the other 4 times.
  const std::vector<double> map{1, 2, 3, 4};
  std::vector<double> y(4);
  rg::Workspace workspace;
  const auto powered = [](double x) { return std::pow(x, 2.5); };
  rg::RegionalMean{.window = 3}.pool<double>(map, 2, 2, y, workspace);
  CHECK(y[0] == Approx(0.5 + 0.5 * std::pow((powered(1) + 2 * powered(2) + 2 * powered(3) + 4 * powered(4)) / 9, 0.4)));
  CHECK(y[3] == Approx(2 + 0.5 * std::pow((powered(4) + 2 * powered(3) + 2 * powered(2) + 4 * powered(1)) / 9, 0.4)));
  const std::vector<double> flat(5 * 4 * 3, 0.7);
  std::vector<double> same(60);
  rg::RegionalMean{}.pool<double>(flat, 5, 4, same, workspace);
  for (const double v : same) CHECK(v == Approx(0.7));
  CHECK_THROWS_AS(rg::RegionalMean{}.pool<double>(map, 2, 2, y, workspace), std::invalid_argument);
  CHECK_THAT(rg::RegionalMean{.window = 4}.check().message(), contains("RegionalMean.window is 4"));
}

TEMPLATE_TEST_CASE("regional mean: the gradient is the slope", "[contrastive]", float, double) {
  using T = TestType;
  constexpr std::size_t height = 4, width = 5, channels = 3, size = height * width * channels;
  auto map = positive_values(size, 3);
  map[7] = 0;
  const auto g = positive_values(size, 4);
  const rg::RegionalMean mean{};
  rg::Workspace workspace;
  const auto loss = [&] {
    std::vector<double> y(size);
    mean.pool<double>(map, height, width, y, workspace);
    double sum = 0;
    for (std::size_t i = 0; i < size; ++i) sum += g[i] * y[i];
    return sum;
  };
  const std::vector<T> narrow(map.begin(), map.end()), up(g.begin(), g.end());
  std::vector<T> gradient(size);
  mean.add_gradient<T>(narrow, height, width, up, gradient, workspace);
  const std::size_t warm = workspace.growths();
  for (std::size_t i = 0; i < size; ++i)
    CHECK(static_cast<double>(gradient[i]) == Approx(i == 7 ? 0.0 : slope(map[i], loss)).epsilon(margin<T> * 10).margin(margin<T>));
  mean.add_gradient<T>(narrow, height, width, up, gradient, workspace);
  CHECK(workspace.growths() == warm);
}

TEST_CASE("scales by their maximum, by hand", "[contrastive]") {
  const std::vector<double> scales{3, 4, 0, 2}, g{1, 10};   // unit: .6 .8, 0 1
  std::vector<double> y(2), gradient(4);
  rg::Workspace workspace;
  rg::ScaleMean{}.pool<double>(scales, y, workspace);
  CHECK(y[0] == Approx(0.6));
  CHECK(y[1] == Approx(1.0));
  rg::ScaleMean{}.add_gradient<double>(scales, y, g, gradient, workspace);
  CHECK(gradient[0] == Approx((1 - 0.36) / 5));
  CHECK(gradient[1] == Approx(-0.48 / 5));
  CHECK(gradient[2] == Approx(0.0).margin(1e-15));
  CHECK(gradient[3] == Approx(0.0).margin(1e-15));
}

TEST_CASE("scales by a power: the gradient is the slope, the lowest entry held", "[contrastive]") {
  constexpr std::size_t count = 3, d = 9;
  auto scales = positive_values(count * d, 5);
  scales[4] = -2;   // the lowest
  const auto g = positive_values(d, 6);
  const rg::ScaleMean mean{.power = 10};
  rg::Workspace workspace;
  const auto loss = [&] {
    std::vector<double> y(d);
    mean.pool<double>(scales, y, workspace);
    double sum = 0;
    for (std::size_t i = 0; i < d; ++i) sum += g[i] * y[i];
    return sum;
  };
  std::vector<double> y(d), gradient(count * d);
  mean.pool<double>(scales, y, workspace);
  mean.add_gradient<double>(scales, y, g, gradient, workspace);
  for (std::size_t i = 0; i < count * d; ++i)
    if (i != 4) CHECK(gradient[i] == Approx(slope(scales[i], loss)).margin(1e-9));
  CHECK(gradient[4] == 0.0);
  const std::vector<float> equal(6, 0.3f);
  std::vector<float> pooled(3), slopes(6);
  mean.pool<float>(equal, pooled, workspace);
  mean.add_gradient<float>(equal, pooled, std::vector<float>{2, 2, 2}, slopes, workspace);
  CHECK(pooled == std::vector<float>(3, 0.3f));
  CHECK(slopes == std::vector<float>(6, 1.0f));   // half of 2 each
}

TEST_CASE("pooling refuses its parameters at the door, before anything is written", "[contrastive]") {
  const std::vector<double> map{1, 2, 3, 4}, pooled{3, 4}, g{1, 1}, wide(4, 1);
  std::vector<double> y(2, 7), same(4, 7), gradient(4, 7);
  rg::Workspace workspace;
  const rg::GeneralizedMean flat{.power = 0}, negative{.smallest = -1};
  CHECK_THROWS_WITH(flat.pool<double>(map, y, workspace), contains("GeneralizedMean.power is 0"));
  CHECK_THROWS_WITH(negative.add_gradient<double>(map, pooled, g, gradient), contains("GeneralizedMean.smallest is -1"));
  const rg::RegionalMean even{.window = 2}, steep{.window = 3, .power = -1};
  CHECK_THROWS_WITH(even.pool<double>(map, 2, 2, same, workspace), contains("RegionalMean.window is 2"));
  CHECK_THROWS_WITH(steep.add_gradient<double>(map, 2, 2, wide, gradient, workspace), contains("RegionalMean.power is -1"));
  // The lowest entry is at 0, where x^p with p below 1 has an infinite slope.
  for (const double power : {0.5, -1.0, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    const rg::ScaleMean mean{.power = power};
    CHECK_THAT(mean.check().message(), contains("it must be 0, for the maximum, or finite and at least 1"));
    CHECK_THROWS_WITH(mean.pool<double>(map, y, workspace), contains("ScaleMean.power is"));
    CHECK_THROWS_WITH(mean.add_gradient<double>(map, pooled, g, gradient, workspace), contains("ScaleMean.power is"));
  }
  CHECK((y == std::vector<double>(2, 7) && same == std::vector<double>(4, 7) && gradient == std::vector<double>(4, 7)));
  const rg::ScaleMean mean{.power = 1};   // and 1 is the mean
  mean.pool<double>(map, y, workspace);
  CHECK((y[0] == Approx(2) && y[1] == Approx(3)));
}
