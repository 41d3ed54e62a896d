#include <rankgrad/scoring/yes_no.hpp>

#include "support/catch.hpp"

#include <cmath>
#include <vector>

namespace rg = rankgrad;

TEST_CASE("yes and no: monoT5 and judge scores by hand", "[scoring]") {
  const std::vector<double> yes{std::log(3.0), 0, 1}, no{0, 0, 1};
  std::vector<double> scores(3);
  rg::MonoT5Score{}.scores<double>(yes, no, scores);
  CHECK(scores[0] == Approx(std::log(0.75)).epsilon(1e-12));
  CHECK(scores[1] == Approx(-std::log(2.0)).epsilon(1e-12));
  rg::JudgeScore{}.scores<double>(yes, no, scores);
  CHECK(scores[0] == Approx(0.75).epsilon(1e-12));
  CHECK(scores[2] == Approx(0.5).epsilon(1e-12));
  std::vector<double> up(3, 1), down(3, 1);
  const std::vector<double> g{2, 4, 0};
  rg::MonoT5Score{}.add_gradient<double>(yes, no, g, up, down);
  CHECK(up[0] == Approx(1 + 2 * 0.25).epsilon(1e-12));
  CHECK(down[0] == Approx(1 - 2 * 0.25).epsilon(1e-12));
  CHECK(up[2] == 1.0);
  rg::JudgeScore{}.add_gradient<double>(yes, no, g, up, down);
  CHECK(up[0] == Approx(1.5 + 2 * 0.75 * 0.25).epsilon(1e-12));
  CHECK(down[1] == Approx(1 - 4 * 0.5 - 4 * 0.25).epsilon(1e-12));
}

TEMPLATE_TEST_CASE("yes and no: every length, and extremes", "[scoring]", float, double) {
  using T = TestType;
  for (std::size_t n = 0; n < 40; ++n) {
    std::vector<T> yes(n), no(n), mono(n), judge(n), g(n, T(1)), up(n), down(n);
    for (std::size_t i = 0; i < n; ++i) {
      yes[i] = T(3) * T(std::sin(double(i)));
      no[i] = T(std::cos(double(i) * 2));
    }
    if (n > 20) yes[17] = T(1e4), no[18] = T(1e4);
    rg::MonoT5Score{}.scores<T>(yes, no, mono);
    rg::JudgeScore{}.scores<T>(yes, no, judge);
    rg::MonoT5Score{}.add_gradient<T>(yes, no, g, up, down);
    for (std::size_t i = 0; i < n; ++i) {
      const double d = static_cast<double>(yes[i]) - static_cast<double>(no[i]), e = std::exp(-std::abs(d));
      CHECK(static_cast<double>(mono[i]) == Approx(std::min(d, 0.0) - std::log1p(e)).epsilon(1e-6).margin(1e-30));
      CHECK(static_cast<double>(judge[i]) == Approx((d < 0 ? e : 1) / (1 + e)).epsilon(1e-6).margin(1e-30));
      CHECK(static_cast<double>(up[i]) == Approx((d < 0 ? 1 : e) / (1 + e)).epsilon(1e-6).margin(1e-30));
      CHECK(down[i] == -up[i]);
    }
  }
  std::vector<T> two(2), three(3);
  CHECK_THROWS_AS(rg::JudgeScore{}.scores<T>(two, three, two), std::invalid_argument);
}
