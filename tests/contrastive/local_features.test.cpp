#include <rankgrad/local_features/mutual_nearest.hpp>
#include <rankgrad/local_features/spatial_alignment.hpp>

#include "support/catch.hpp"

#include <rankgrad/core/combinators.hpp>
#include <rankgrad/core/random.hpp>

#include <cmath>
#include <limits>
#include <vector>

namespace rg = rankgrad;

namespace {
std::vector<double> random_values(std::size_t n, std::uint64_t seed) {
  rg::Random random(seed);
  std::vector<double> v(n);
  for (double& x : v) x = static_cast<float>(random.normal());
  return v;
}
template <class T>
std::vector<std::pair<int, int>> matches(const std::vector<T>& m, std::size_t columns, std::optional<double> above = {}) {
  rg::Workspace workspace;
  std::vector<rg::Match> found(std::min(columns, m.size() / columns));
  found.resize(rg::mutual_nearest<T>(m, columns, found, workspace, above));
  std::vector<std::pair<int, int>> pairs;
  for (const auto& f : found) pairs.emplace_back(f.u, f.v);
  return pairs;
}
using Pairs = std::vector<std::pair<int, int>>;
}  // namespace

TEST_CASE("mutual nearest neighbours by hand", "[contrastive]") {
  const std::vector<double> m{.9, .8, .1,    // row 0 likes column 0, which likes it
                              .7, .85, .2,   // row 1 likes column 1, which likes it
                              .6, .5, .3,    // row 2 likes column 0
                              .1, .2, .25};  // row 3 likes column 2, which likes row 2
  CHECK(matches(m, 3) == Pairs{{0, 0}, {1, 1}});
  CHECK(matches(m, 3, 0.85) == Pairs{{0, 0}});
  CHECK(matches(m, 3, 0.9).empty());
  CHECK(matches(std::vector<float>(12, 0.5f), 4) == Pairs{{0, 0}});   // ties: the first
  CHECK(matches(std::vector<float>{}, 3).empty());
}

TEMPLATE_TEST_CASE("mutual nearest neighbours are those of the definition", "[contrastive]", float, double) {
  using T = TestType;
  for (const std::size_t columns : {std::size_t{1}, std::size_t{5}, std::size_t{37}}) {
    const auto wide = random_values(23 * columns, columns);
    const std::vector<T> m(wide.begin(), wide.end());
    Pairs expected;
    for (std::size_t u = 0; u < 23; ++u)
      for (std::size_t v = 0; v < columns; ++v) {
        bool best = true;
        for (std::size_t k = 0; k < columns; ++k) best = best && m[u * columns + k] <= m[u * columns + v];
        for (std::size_t k = 0; k < 23; ++k) best = best && m[k * columns + v] <= m[u * columns + v];
        if (best) expected.emplace_back(u, v);
      }
    CHECK(matches(m, columns) == expected);
    CHECK(!expected.empty());
  }
}

TEST_CASE("mutual nearest neighbours: rows beyond 2^24 are told apart in float", "[contrastive]") {
  constexpr std::size_t rows = (std::size_t{1} << 24) + 2;   // in float the last but one rounds to 2^24
  std::vector<float> column(rows, 0.25f);
  column[rows - 1] = column[rows - 2] = 0.5f;
  CHECK(matches(column, 1) == Pairs{{static_cast<int>(rows - 2), 0}});
}

TEST_CASE("triplets of mutual nearest neighbours", "[contrastive]") {
  // Positive: matches (0,0) .5 and (1,1) .7, mean .6. Negative: only (1,0) .8.
  const std::vector<double> s{.5, .1, .2, .7, .6, .2, .8, .75};
  const rg::LocalTripletView<double> view{.similarity = s, .columns = 2};
  std::vector<double> gradient(8);
  CHECK(rg::value_and_gradient(rg::MutualNearestTriplet{}, view, gradient) == Approx(0.2));
  CHECK(gradient == std::vector<double>{-.5, 0, 0, -.5, 0, 0, 1, 0});
  CHECK(rg::value_and_gradient(rg::MutualNearestTriplet{.margin = -0.3}, view, gradient) == 0.0);
  CHECK(gradient == std::vector<double>(8));
  // Above .7 only the match of the negative survives; above .9 none: similarity 0 on both sides.
  CHECK(rg::value_and_gradient(rg::MutualNearestTriplet{.above = 0.7}, view, gradient) == Approx(0.8));
  CHECK(gradient == std::vector<double>{0, 0, 0, 0, 0, 0, 1, 0});
  CHECK(rg::value_and_gradient(rg::MutualNearestTriplet{.margin = 0.1, .above = 0.9}, view, gradient) == Approx(0.1));
  CHECK(gradient == std::vector<double>(8));
  // The source averages the diagonal where there is a single match: (.6 + .75) / 2.
  CHECK(rg::value_and_gradient(rg::MutualNearestTriplet{.aligned_below_two = true}, view, gradient) == Approx(0.075));
  CHECK(gradient == std::vector<double>{-.5, 0, 0, -.5, .5, 0, 0, .5});
  // The same image twice: a loss of 0 has no gradient.
  const std::vector<double> same{.5, .1, .2, .7, .5, .1, .2, .7};
  CHECK(rg::value_and_gradient(rg::MutualNearestTriplet{}, rg::LocalTripletView<double>{.similarity = same, .columns = 2}, gradient) == 0.0);
  CHECK(gradient == std::vector<double>(8));
  CHECK(rg::value(rg::MutualNearestTriplet{}, rg::LocalTripletView<double>{}) == 0.0);
  CHECK_THROWS_AS(rg::value(rg::MutualNearestTriplet{}, rg::LocalTripletView<double>{.similarity = std::span(s).first(7), .columns = 2}), std::invalid_argument);
  rg::Workspace workspace;
  rg::MutualNearestTriplet{}.value_and_gradient(view, rg::GradientSink<double>{gradient.data()}, workspace);
  const std::size_t warm = workspace.growths();
  rg::MutualNearestTriplet{}.value_and_gradient(view, rg::GradientSink<double>{gradient.data(), nullptr, 0.5}, workspace);
  CHECK(workspace.growths() == warm);
  CHECK(gradient == std::vector<double>{-.75, 0, 0, -.75, 0, 0, 1.5, 0});
}

TEST_CASE("spatial alignment by hand, without flattening", "[contrastive]") {
  // c^ = 1/4, 3/4; e^ = 4/5, 1/5.
  const std::vector<double> maps{0, std::log(3.0), std::log(4.0), 0};
  std::vector<double> gradient(4), curvature(4);
  const double expected = (0.25 - 0.8) * std::log(0.25 / 0.8) + (0.75 - 0.2) * std::log(0.75 / 0.2);
  CHECK(rg::value_gradient_and_curvature(rg::SpatialAlignment{.flattened = 0}, rg::VectorsView<double>{maps, 2}, gradient, curvature) == Approx(expected));
  const std::vector<double> slopes{-0.55, 0.55, 0.55, -0.55};
  for (std::size_t i = 0; i < 4; ++i) CHECK(gradient[i] == Approx(slopes[i]));
  CHECK(curvature[0] == Approx(3 / 16.0));
  CHECK(curvature[3] == Approx(4 / 25.0));
}

TEST_CASE("spatial alignment: outliers take the value of a lower entry and pass their gradient to it", "[contrastive]") {
  // 40 cells, floor(0.05 * 40) = 2: the three largest become the third largest, which is one of them.
  constexpr std::size_t n = 40;
  auto maps = random_values(2 * n, 3);
  maps[5] = 9, maps[17] = 7, maps[20] = 5;
  auto flat = maps;
  flat[5] = flat[17] = 5;
  std::vector<double> second(maps.begin() + n, maps.end());
  std::sort(second.rbegin(), second.rend());
  std::size_t top[3] = {};
  for (std::size_t r = 0; r < 3; ++r) top[r] = static_cast<std::size_t>(std::find(maps.begin() + n, maps.end(), second[r]) - maps.begin());
  flat[top[0]] = flat[top[1]] = second[2];
  std::vector<double> a(2 * n), b(2 * n);
  CHECK(rg::value_and_gradient(rg::SpatialAlignment{}, rg::VectorsView<double>{maps, n}, a) ==
        Approx(rg::value_and_gradient(rg::SpatialAlignment{.flattened = 0}, rg::VectorsView<double>{flat, n}, b)));
  CHECK(a[5] == 0.0);
  CHECK(a[17] == 0.0);
  CHECK(a[20] == Approx(b[5] + b[17] + b[20]));
  CHECK(a[3] == Approx(b[3]));
  CHECK(a[top[2]] == Approx(b[top[0]] + b[top[1]] + b[top[2]]));

  // 529 cells as the source has: place 26, beyond the three.
  auto large = random_values(2 * 529, 4);
  std::vector<double> sorted(large.begin(), large.begin() + 529), g(2 * 529);
  std::sort(sorted.rbegin(), sorted.rend());
  rg::value_and_gradient(rg::SpatialAlignment{}, rg::VectorsView<double>{large, 529}, g);
  double sum = 0;
  for (std::size_t i = 0; i < 529; ++i) {
    sum += g[i];
    if (large[i] >= sorted[2]) CHECK(g[i] == 0.0);
  }
  CHECK(sum == Approx(0.0).margin(1e-14));
}

TEST_CASE("spatial alignment: extremes, small maps, the contract", "[contrastive]") {
  const std::vector<float> far{-1e4f, 0, 1e4f, 1e4f, -1e4f, 0};
  std::vector<float> gradient(6), curvature(6);
  CHECK(rg::is_finite(rg::value_gradient_and_curvature(rg::SpatialAlignment{.flattened = 0}, rg::VectorsView<float>{far, 3}, gradient, curvature)));
  for (const float g : gradient) CHECK(rg::is_finite(g));
  for (const float h : curvature) CHECK(h >= 0.0f);
  rg::Workspace workspace;
  CHECK_FALSE(rg::SpatialAlignment{}.value_and_gradient(rg::VectorsView<float>{std::span(far).first(2), 1}, rg::GradientSink<float>{gradient.data()}, workspace).valid);
  CHECK(rg::value(rg::SpatialAlignment{}, rg::VectorsView<float>{}) == 0.0f);
  CHECK_THROWS_AS(rg::value(rg::SpatialAlignment{}, rg::VectorsView<float>{far, 2}), std::invalid_argument);
  CHECK_THROWS_AS(rg::value(rg::SpatialAlignment{.flattened_to = 1}, rg::VectorsView<float>{far, 3}), std::invalid_argument);
}

TEST_CASE("foreground and background by hand", "[contrastive]") {
  // a: F = (1, 0) .5 + (0, 1) .5, B the same; b: F = (1, 0), B = (0, 1): cosines 1 / sqrt 2 both.
  const std::vector<double> a{1, 0, 0, 1}, b{1, 0, 0, 1}, masks{.5, .5, 1, 0};
  const rg::MaskedFeaturesView<double> view{.features_a = a, .features_b = b, .masks = masks, .width = 2};
  CHECK(rg::value(rg::ForegroundBackground{}, view) == Approx(1 - std::sqrt(0.5)));
}

TEMPLATE_TEST_CASE("foreground and background: the gradient is the slope", "[contrastive]", float, double) {
  using T = TestType;
  constexpr std::size_t u = 7, v = 5, d = 11;
  const auto a = random_values(u * d, 1), b = random_values(v * d, 2);
  auto masks = random_values(u + v, 3);
  for (double& m : masks) m = static_cast<float>(0.3 + 0.1 * m);
  const std::vector<T> na(a.begin(), a.end()), nb(b.begin(), b.end()), nm(masks.begin(), masks.end());
  std::vector<T> gradient(u + v);
  const T value = rg::value_and_gradient(rg::ForegroundBackground{}, rg::MaskedFeaturesView<T>{.features_a = na, .features_b = nb, .masks = nm, .width = d}, gradient);
  const auto defined = [&] {
    double loss = 0;
    for (const bool back : {false, true}) {
      std::vector<double> x(d), y(d);
      for (std::size_t i = 0; i < d; ++i) {
        for (std::size_t k = 0; k < u; ++k) x[i] += (back ? 1 - masks[k] : masks[k]) * a[k * d + i];
        for (std::size_t k = 0; k < v; ++k) y[i] += (back ? 1 - masks[u + k] : masks[u + k]) * b[k * d + i];
      }
      double xy = 0, xx = 0, yy = 0;
      for (std::size_t i = 0; i < d; ++i) xy += x[i] * y[i], xx += x[i] * x[i], yy += y[i] * y[i];
      loss += (back ? 0.3 : 0.7) * (1 - xy / std::sqrt(xx * yy));
    }
    return loss;
  };
  CHECK(static_cast<double>(value) == Approx(defined()).epsilon(sizeof(T) == 4 ? 1e-5 : 1e-12));
  for (std::size_t k = 0; k < u + v; ++k) {
    const double rest = masks[k], h = 1e-3;
    const auto f = [&](int steps) {
      masks[k] = rest + steps * h;
      const double at = defined();
      masks[k] = rest;
      return at;
    };
    CHECK(static_cast<double>(gradient[k]) == Approx((8 * (f(1) - f(-1)) - (f(2) - f(-2))) / (12 * h)).margin(sizeof(T) == 4 ? 1e-5 : 1e-9));
  }
}

TEST_CASE("foreground and background: no direction, no term; the contract", "[contrastive]") {
  const std::vector<double> a{1, 0}, b{0, 1}, masks{0, 1}, full{1, 1};
  std::vector<double> gradient(2);
  rg::Workspace workspace;
  // F_a = 0 and B_b = 0: neither term has two directions.
  const rg::MaskedFeaturesView<double> view{.features_a = a, .features_b = b, .masks = masks, .width = 2};
  CHECK_FALSE(rg::ForegroundBackground{}.value_and_gradient(view, rg::GradientSink<double>{gradient.data()}, workspace).valid);
  CHECK(gradient == std::vector<double>(2));
  CHECK(rg::value(rg::ForegroundBackground{}, rg::MaskedFeaturesView<double>{.features_a = a, .features_b = b, .masks = full, .width = 2}) == Approx(0.7));
  CHECK_THROWS_AS(rg::value(rg::ForegroundBackground{}, rg::MaskedFeaturesView<double>{.features_a = a, .features_b = b, .masks = full, .width = 1}), std::invalid_argument);
}
