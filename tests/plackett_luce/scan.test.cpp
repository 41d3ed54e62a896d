#include "support/catch.hpp"
#include "support/lists.hpp"

#include <rankgrad/plackett_luce/scan.hpp>

#include <cmath>
#include <limits>

namespace rg = rankgrad;
namespace pl = rankgrad::plackett_luce;

TEST_CASE("log(d / e) keeps its digits where d and e are close, and NaN", "[plackett_luce]") {
  using Pack = rg::simd::Pack<double>;
  for (const double rest : {1e-300, 1e-17, 1e-9, 0.3, 0.999, 1.001, 7., 1e30, -0.3, -0.9})
    CHECK(rg::simd::highest(pl::log_ratio(Pack(2 + 2 * rest), Pack(2.0), Pack(2 * rest))) == Approx(std::log1p(rest)).epsilon(1e-15));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(std::isnan(rg::simd::highest(pl::log_ratio(Pack(nan), Pack(1.0), Pack(nan)))));
  CHECK(std::isnan(rg::simd::highest(pl::log_ratio(Pack(nan), Pack(nan), Pack(1.0)))));
}

TEST_CASE("a scan serves any weights of places: the derivatives are linear in them", "[plackett_luce]") {
  rg::Workspace workspace;
  const auto frame = workspace.frame();
  const auto list = test::make_list<double>(37, 3, {.spread = 2});
  const std::size_t n = list.size();
  double *s = workspace.take<double>(n), *c = workspace.take<double>(n), *g = workspace.take<double>(n), *sum = workspace.take<double>(n, 0.0);
  std::copy(list.scores.begin(), list.scores.end(), s);
  const pl::Scan scan({n, s, nullptr, n, false}, workspace);
  std::vector<double> rewards;
  for (std::size_t k = 0; k < n; ++k) rewards.push_back(list.labels[k] - 2);   // of both signs
  double value = 0;
  for (std::size_t k = 0; k < n; ++k) {
    std::fill(c, c + n, 0.0);
    c[k] = rewards[k];
    value += scan.value(c, c);
    scan.derivatives(c, c, g);
    for (std::size_t i = 0; i < n; ++i) sum[i] += g[i];
    // One place: the softmax of all items from it on.
    double total = 0;
    for (std::size_t i = k; i < n; ++i) total += std::exp(s[i]);
    for (std::size_t i = 0; i < n; ++i)
      CHECK(g[i] == Approx(i < k ? 0 : rewards[k] * (std::exp(s[i]) / total - (i == k ? 1 : 0))).margin(1e-14));
  }
  std::copy(rewards.begin(), rewards.end(), c);
  CHECK(scan.value(c, c) == Approx(value).epsilon(1e-13));
  scan.derivatives(c, c, g);
  for (std::size_t i = 0; i < n; ++i) CHECK(g[i] == Approx(sum[i]).margin(1e-13));
}
