#include <rankgrad/scoring/max_cell.hpp>

#include "support/catch.hpp"

#include <rankgrad/core/random.hpp>

#include <cmath>
#include <limits>
#include <vector>

namespace rg = rankgrad;

TEST_CASE("max-cell score by hand", "[scoring]") {
  const std::vector<double> query{3, 4}, cells{1, 0, 0, 2, 6, 8, 0.3, 0.4};
  const auto best = rg::max_cell<double>(query, cells);
  CHECK(best.score == Approx(1.0));
  CHECK(best.cell == 2);   // the first of two of the same direction
  const std::vector<double> two(cells.begin(), cells.begin() + 4);
  const auto second = rg::max_cell<double>(query, two);
  CHECK(second.score == Approx(0.8));
  CHECK(second.cell == 1);
  // dr/dg = ((0, 1) - .8 (.6, .8)) / 5, dr/dF = ((.6, .8) - .8 (0, 1)) / 2.
  std::vector<double> g(2, 1.0), f(4, 0.0);
  rg::add_max_cell_gradient<double>(query, two, second, 10.0, g, f);
  CHECK(g[0] == Approx(1 - 10 * 0.48 / 5));
  CHECK(g[1] == Approx(1 + 10 * 0.36 / 5));
  CHECK(f[0] == 0.0);
  CHECK(f[2] == Approx(10 * 0.3));
  CHECK(f[3] == Approx(0.0).margin(1e-15));
}

TEMPLATE_TEST_CASE("max-cell score: the gradient is its slope", "[scoring]", float, double) {
  using T = TestType;
  constexpr std::size_t d = 19, cells = 6;
  rg::Random random(2);
  std::vector<double> query(d), map(cells * d);
  for (double& v : query) v = static_cast<float>(random.normal());
  for (double& v : map) v = static_cast<float>(random.normal());
  const std::vector<T> narrow_query(query.begin(), query.end()), narrow_map(map.begin(), map.end());
  std::vector<T> g(d), f(cells * d);
  const auto best = rg::max_cell<T>(narrow_query, narrow_map);
  rg::add_max_cell_gradient<T>(narrow_query, narrow_map, best, T(2), g, f);
  const auto slope = [&](double& x) {
    const double rest = x, h = 1e-3;
    const auto at = [&](int steps) {
      x = rest + steps * h;
      const double v = 2 * rg::max_cell<double>(query, map).score;
      x = rest;
      return v;
    };
    return (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * h);
  };
  const double margin = sizeof(T) == 4 ? 1e-6 : 1e-10;
  for (std::size_t i = 0; i < d; ++i) CHECK(static_cast<double>(g[i]) == Approx(slope(query[i])).margin(margin));
  for (std::size_t i = 0; i < cells * d; ++i) CHECK(static_cast<double>(f[i]) == Approx(slope(map[i])).margin(margin));
}

TEST_CASE("max-cell score: zero vectors, no cells, NaN", "[scoring]") {
  const std::vector<float> query{1, 2}, zero{0, 0}, cells{-1, -2, 0, 0};
  CHECK(rg::max_cell<float>(query, cells).score == 0.0);   // the zero cell beats the opposite one
  CHECK(rg::max_cell<float>(query, cells).cell == 1);
  CHECK(rg::max_cell<float>(query, {}).score == 0.0);
  std::vector<float> g(2), f(4);
  rg::add_max_cell_gradient<float>(query, cells, rg::max_cell<float>(query, cells), 1.0f, g, f);
  rg::add_max_cell_gradient<float>(zero, cells, rg::max_cell<float>(zero, cells), 1.0f, g, f);
  CHECK(g == std::vector<float>(2));
  CHECK(f == std::vector<float>(4));
  const std::vector<float> broken{0.5f, 1, std::numeric_limits<float>::quiet_NaN(), 1, 1, 2};
  CHECK(std::isnan(rg::max_cell<float>(query, broken).score));
  CHECK_THROWS_AS(rg::max_cell<float>(query, std::span(broken).first(3)), std::invalid_argument);
}

TEST_CASE("the top is re-ranked by the sum of both scores, the rest stays", "[scoring]") {
  const std::vector<double> global{.5, .9, .8, .7, .6, .1}, local{9, .1, .2, .5, .3, 9};
  std::vector<std::uint32_t> ranking(6);
  rg::Workspace workspace;
  // Order by global: 1 2 3 4 0 5. Sums of the first four: 1.0, 1.0, 1.2, .9; the tie keeps 1 before 2.
  rg::rerank_top<double>(global, local, 4, ranking, workspace);
  CHECK(ranking == std::vector<std::uint32_t>{3, 1, 2, 4, 0, 5});
  rg::rerank_top<double>(global, local, 4, ranking, workspace, 0);
  CHECK(ranking == std::vector<std::uint32_t>{1, 2, 3, 4, 0, 5});
  rg::rerank_top<double>(global, local, 99, ranking, workspace);
  CHECK(ranking == std::vector<std::uint32_t>{0, 5, 3, 1, 2, 4});
  rg::rerank_top<double>({}, {}, 5, {}, workspace);
}
