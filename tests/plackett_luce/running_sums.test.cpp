#include "support/catch.hpp"

#include <rankgrad/core/workspace.hpp>
#include <rankgrad/plackett_luce/running_sums.hpp>

namespace rg = rankgrad;
namespace pl = rankgrad::plackett_luce;

TEST_CASE("running sums, around every remainder of a pack", "[plackett_luce]") {
  rg::Workspace workspace;
  for (std::size_t n = 0; n < 70; ++n) {
    const auto frame = workspace.frame();
    double *x = workspace.take<double>(n), *up = workspace.take<double>(n), *down = workspace.take<double>(n);
    for (std::size_t i = 0; i < n; ++i) x[i] = static_cast<double>(i * i + 1);   // small integers: sums are exact
    pl::prefix_sums(x, up, n);
    pl::suffix_sums(x, down, n);
    double before = 0, total = 0;
    for (std::size_t i = 0; i < n; ++i) total += x[i];
    for (std::size_t i = 0; i < n; ++i) {
      CHECK(down[i] == total - before);
      before += x[i];
      CHECK(up[i] == before);
    }
  }
}

TEST_CASE("log-sums do not lose the larger of two numbers far apart", "[plackett_luce]") {
  CHECK(pl::log_add(-1e8, -1e30) == -1e8);
  CHECK(pl::log_add(-1e30, -1e8) == -1e8);
  CHECK(pl::log_add(0, 0) == std::log(2.));
  const double s[] = {-1e30, 3, 3, 1e4};
  CHECK(pl::log_sum(s, 0, 3, false, 0) == Approx(3 + std::log(2.)));
  CHECK(pl::log_sum(s, 0, 3, true, 1e9) == 1e9);
  CHECK(pl::log_sum(s, 3, 4, false, 0) == 1e4);
}

TEST_CASE("a sum of logarithms by one logarithm", "[plackett_luce]") {
  rg::Workspace workspace;
  const auto frame = workspace.frame();
  double* x = workspace.take<double>(500);
  for (std::size_t n : {0u, 1u, 2u, 3u, 7u, 8u, 9u, 31u, 32u, 33u, 64u, 499u}) {
    long double sum = 0, size = 0;
    for (std::size_t k = 0; k < n; ++k) {
      x[k] = std::ldexp(1 + static_cast<double>(k % 10) / 11, static_cast<int>(37 * k % 399) - 199);
      sum += std::log(static_cast<long double>(x[k]));
      size += std::abs(std::log(static_cast<long double>(x[k])));
    }
    CHECK(pl::sum_of_logs(x, n) == Approx(static_cast<double>(sum)).margin(1e-15 * static_cast<double>(size)));
  }
}
