#include <rankgrad/policy/group_advantage.hpp>

#include "support/catch.hpp"

#include <rankgrad/core/random.hpp>

#include <cmath>
#include <vector>

namespace rg = rankgrad;

namespace {
std::vector<double> advantages(const std::vector<double>& rewards, const rg::GroupAdvantage& advantage = {},
                               const std::vector<std::uint32_t>& groups = {}) {
  std::vector<double> out(rewards.size(), 99);
  rg::fill_group_advantages(advantage, rewards, groups, out);
  return out;
}
}  // namespace

TEST_CASE("group advantage: numbers by hand", "[policy]") {
  // 2 of 8 solved: mean 1/4, std sqrt(2 * 6 / (8 * 7)) = 0.46291005; (1 - .25) / (std + 1e-4), (0 - .25) / (std + 1e-4).
  const double std = std::sqrt(12.0 / 56);
  const std::vector<double> a = advantages({1, 0, 0, 1, 0, 0, 0, 0});
  CHECK(a[0] == Approx(1.619835).margin(5e-7));
  CHECK(a[1] == Approx(-0.539945).margin(5e-7));
  for (const std::size_t g : {0u, 3u}) CHECK(a[g] == Approx(0.75 / (std + 1e-4)).epsilon(1e-14));
  for (const std::size_t g : {1u, 2u, 4u, 5u, 6u, 7u}) CHECK(a[g] == Approx(-0.25 / (std + 1e-4)).epsilon(1e-14));

  // mean .5, std sqrt((.25 + .25) / 3)
  const std::vector<double> b = advantages({1, 0.5, 0.5, 0});
  CHECK(b[0] == Approx(1.22444494486).epsilon(1e-11));
  CHECK(b[1] == 0.0);
  CHECK(b[3] == Approx(-1.22444494486).epsilon(1e-11));

  CHECK(advantages({1, 0.5, 0.5, 0}, {.scale_by_std = false}) == std::vector<double>{0.5, 0, 0, -0.5});
  CHECK(advantages({1, 0}, {.epsilon = 0})[0] == Approx(std::sqrt(0.5)).epsilon(1e-14));
}

TEST_CASE("group advantage: equal rewards are exactly 0", "[policy]") {
  for (const double r : {0.1, 1.0 / 3, -1e30, 0.0})
    for (const double epsilon : {0.0, 1e-4})
      for (const double a : advantages(std::vector<double>(7, r), {.epsilon = epsilon})) CHECK(a == 0.0);
}

TEST_CASE("group advantage: a rollout alone", "[policy]") {
  CHECK(advantages({0.7}) == std::vector<double>{0});
  CHECK(advantages({0.7}, {.scale_by_std = false}) == std::vector<double>{0});
  // mean 0 and standard deviation 1 (verl)
  CHECK(advantages({0.7}, {.epsilon = 1e-6, .lone = rg::LoneRollout::reward})[0] == Approx(0.7 / (1 + 1e-6)).epsilon(1e-15));
  CHECK(advantages({0.7}, {.scale_by_std = false, .lone = rg::LoneRollout::reward}) == std::vector<double>{0.7});
  CHECK(advantages({}).empty());
  // The option is for groups of one only.
  CHECK(advantages({1, 0}, {.lone = rg::LoneRollout::reward}) == advantages({1, 0}));
}

TEST_CASE("group advantage: groups do not see each other", "[policy]") {
  const std::vector<double> all = advantages({1, 0, 5, 5, 5, 2, 3, 4}, {}, {0, 2, 5, 5, 8});
  CHECK(std::vector<double>(all.begin(), all.begin() + 2) == advantages({1, 0}));
  CHECK(std::vector<double>(all.begin() + 2, all.begin() + 5) == std::vector<double>{0, 0, 0});
  CHECK(std::vector<double>(all.begin() + 5, all.end()) == advantages({2, 3, 4}));
}

TEST_CASE("group statistics: merged over processes as in one", "[policy]") {
  rg::Random random(3);
  std::vector<double> rewards;
  for (int g = 0; g < 37; ++g) rewards.push_back(1e6 + random.normal());
  long double mean = 0, squares = 0;
  for (const double r : rewards) mean += r / 37.0L;
  for (const double r : rewards) squares += (r - mean) * (r - mean);
  const double deviation = static_cast<double>(sqrtl(squares / 36));
  const auto whole = rg::GroupStatistics::of(std::span<const double>(rewards));
  rg::GroupStatistics merged;
  rg::ShiftedSums sums;
  for (std::size_t first = 0; first < rewards.size(); first += 10) {
    const std::size_t count = std::min<std::size_t>(10, rewards.size() - first);
    merged.merge(rg::GroupStatistics::of(std::span<const double>(rewards).subspan(first, count)));
    merged.merge({});   // a process without rollouts of this group
  }
  for (const double r : rewards) sums.add(r, rewards[0]);
  for (const auto& statistics : {whole, merged, sums.statistics(rewards[0])}) {
    CHECK(statistics.count == 37);
    CHECK(statistics.mean == Approx(static_cast<double>(mean)).epsilon(1e-15));
    CHECK(statistics.standard_deviation() == Approx(deviation).epsilon(1e-9));   // digits of 1e6 + x
  }

  rg::GroupStatistics equal;
  rg::ShiftedSums same;
  for (int process = 0; process < 3; ++process) {
    rg::GroupStatistics part;
    for (int g = 0; g < 3; ++g) part.add(0.1), same.add(0.1, 0.1);
    equal.merge(part);
  }
  CHECK(rg::GroupAdvantage{}(0.1, equal) == 0.0);
  CHECK(rg::GroupAdvantage{}(0.1, same.statistics(0.1)) == 0.0);
  CHECK(equal.standard_deviation() == 0.0);
  CHECK(rg::ShiftedSums{}.statistics(1).count == 0);
}

TEST_CASE("group advantage: what is said at the door", "[policy]") {
  std::vector<float> out(3);
  const std::vector<float> rewards{1, 0, 1}, broken{1, std::nanf(""), 0};
  using Offsets = std::vector<std::uint32_t>;
  CHECK_THROWS_WITH(rg::fill_group_advantages({.epsilon = -1}, rewards, {}, out), contains("GroupAdvantage.epsilon is -1"));
  CHECK_THROWS_WITH(rg::fill_group_advantages({}, broken, {}, out), contains("rewards[1]"));
  CHECK_THROWS_WITH(rg::fill_group_advantages({}, rewards, Offsets{0, 2}, out), contains("the last of group_offsets is 2; there are 3 rewards"));
  CHECK_THROWS_WITH(rg::fill_group_advantages({}, rewards, Offsets{1, 3}, out), contains("group_offsets[0] is 1"));
  CHECK_THROWS_WITH(rg::fill_group_advantages({}, rewards, Offsets{0, 2, 1, 3}, out), contains("group_offsets[2] is 1"));
  out.pop_back();
  CHECK_THROWS_WITH(rg::fill_group_advantages({}, rewards, {}, out), contains("advantages has 2 elements where 3"));
}
