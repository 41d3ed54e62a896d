#include "support/catch.hpp"

#include <rankgrad/metric/robustness.hpp>

#include <cmath>
#include <vector>

namespace rg = rankgrad;

namespace {
const std::vector<double> values{0.5, 0.25, 1, 0.25};   // mean 0.5, squares 0 + 1/16 + 1/4 + 1/16 = 3/8
const std::span<const double> x(values);
}  // namespace

TEST_CASE("the spread of effectiveness over queries", "[robustness]") {
  const auto spread = rg::effectiveness_spread(x);
  CHECK((spread.valid && spread.queries == 4));
  CHECK(spread.mean == 0.5);
  CHECK(spread.variance == 0.375 / 4);
  CHECK(spread.deviation() == Approx(std::sqrt(0.09375)));
  CHECK(spread.variation() == Approx(2 * std::sqrt(0.09375)));
  CHECK(rg::effectiveness_spread(x, {}, 1).variance == 0.375 / 3);
  // Against the best that each query admits: 1, 0.5, 1; the last query admits nothing and is left out.
  const std::vector<double> best{0.5, 0.5, 1, 0};
  const auto normalised = rg::effectiveness_spread(x, best);
  CHECK(normalised.queries == 3);
  CHECK(normalised.mean == Approx(2.5 / 3));
  CHECK(normalised.variance == Approx((2 * 1.0 / 36 + 4.0 / 36) / 3));
  // One query has no spread, and with ddof = 1 none that is defined. A large common level costs nothing.
  CHECK((rg::effectiveness_spread(x.first(1)).valid && rg::effectiveness_spread(x.first(1)).variance == 0));
  CHECK_FALSE(rg::effectiveness_spread(x.first(1), {}, 1).valid);
  CHECK_FALSE(rg::effectiveness_spread(x.first(0)).valid);
  CHECK(rg::EffectivenessSpread{}.variation() == 0);
  const std::vector<double> level{1e9, 1e9 + 1};
  CHECK(rg::effectiveness_spread(std::span<const double>(level)).variance == 0.25);
  CHECK_THROWS_WITH(rg::effectiveness_spread(x, x.first(2)), contains("best has 2"));
}

TEST_CASE("the worst queries", "[robustness]") {
  CHECK(rg::lower_tail_mean(x, 0.5).value == 0.25);
  CHECK(rg::lower_tail_mean(x, 0.625).value == Approx((0.25 + 0.25 + 0.5 * 0.5) / 2.5));   // the third of them by half
  CHECK(rg::lower_tail_mean(x).value == 0.25);
  CHECK(rg::lower_tail_mean(x, 1).value == 0.5);
  CHECK_FALSE(rg::lower_tail_mean(x.first(0)).valid);
  const std::vector<double> broken{0.5, std::nan(""), 0.2};
  CHECK_FALSE(std::isfinite(rg::lower_tail_mean(std::span<const double>(broken), 0.5).value));
  CHECK_THROWS_WITH(rg::lower_tail_mean(x, 0), contains("fraction"));
  CHECK(rg::share_below(x, 0.5).value == 0.5);
  CHECK(rg::share_below(x, 0.1).value == 0);
  CHECK_FALSE(rg::share_below(x.first(0), 0.5).valid);
}

TEST_CASE("drop rates are negative where something was lost", "[robustness]") {
  CHECK(rg::drop_rate(0.5, 0.4).value == Approx(-0.2));
  CHECK(rg::drop_rate(0.5, 0.6).value == Approx(0.2));
  CHECK_FALSE(rg::drop_rate(0, 0.3).valid);
}

TEST_CASE("attacks on documents", "[robustness]") {
  const std::vector<std::uint32_t> before{50, 20, 100, 7}, after{10, 25, 100, 1};
  const auto outcome = rg::attack_outcome(before, after);
  CHECK(outcome.success_rate == 0.5);
  CHECK(outcome.boosted_ranks == (40 - 5 + 0 + 6) / 4.0);
  CHECK(outcome.in_top == 0.5);
  CHECK(rg::attack_outcome(before, after, 5).in_top == 0.25);
  CHECK_FALSE(rg::attack_outcome({}, {}).valid);
}

TEST_CASE("the risk-sensitive reward counts losses more than wins", "[robustness]") {
  const std::vector<double> baseline{0.25, 0.5, 0.5, 0.25};   // differences 0.25, -0.25, 0.5, 0
  CHECK(rg::risk_sensitive_reward(x, baseline).value == Approx((0.75 - 2 * 0.25) / 4));
  CHECK(rg::risk_sensitive_reward(x, baseline, 0).value == Approx(0.5 / 4));   // the mean difference
  CHECK(rg::risk_sensitive_reward(x, baseline, 5).value == Approx((0.75 - 6 * 0.25) / 4));
  CHECK_FALSE(rg::risk_sensitive_reward(x.first(0), {}).valid);
  CHECK_THROWS_WITH(rg::risk_sensitive_reward(x, baseline, -1), contains("alpha"));
}
