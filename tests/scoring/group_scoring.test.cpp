#include <rankgrad/scoring/group_scoring.hpp>

#include "support/catch.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

namespace rg = rankgrad;
namespace scoring = rankgrad::scoring;
using Ids = std::vector<std::uint32_t>;

TEST_CASE("group scoring: every shuffle sees every item once", "[scoring]") {
  const std::size_t n = 47, size = 20;
  Ids order(n), other(n), again(n);
  scoring::shuffle_groups(7, 0, order);
  scoring::shuffle_groups(7, 1, other);
  scoring::shuffle_groups(7, 0, again);
  CHECK(order == again);
  CHECK(order != other);
  Ids seen;
  std::vector<std::size_t> sizes;
  for (std::size_t first = 0; first < n; first += size) {
    const auto group = scoring::group_of(order, first, size);
    sizes.push_back(group.size());
    seen.insert(seen.end(), group.begin(), group.end());
  }
  CHECK(sizes == std::vector<std::size_t>{20, 20, 7});
  std::sort(seen.begin(), seen.end());
  Ids all(n);
  std::iota(all.begin(), all.end(), 0u);
  CHECK(seen == all);
  CHECK(scoring::group_of(order, n, size).empty());
  CHECK_THROWS_WITH(scoring::group_of(order, n + 1, size), contains("a group starts behind the end"));
}

TEST_CASE("group scoring: the mean, failures included", "[scoring]") {
  std::vector<double> sums(4);
  Ids counts(4);
  scoring::GroupScoreMean mean(sums, counts);
  const std::vector<float> first{10, 4}, second{6};
  mean.add(Ids{0, 2}, std::span<const float>(first));
  mean.add(Ids{0}, std::span<const float>(second));
  mean.add_failure(Ids{2, 1});
  std::vector<double> scores(4, 99);
  mean.fill(std::span<double>(scores));
  CHECK(scores == std::vector<double>{0.8, 0, 0.2, 0});   // (1 + .6) / 2, a failure, (.4 + 0) / 2, never seen
  CHECK(counts == Ids{2, 1, 2, 0});

  CHECK_THROWS_WITH(mean.add(Ids{0, 4}, std::span<const float>(first)), contains("a group has item 4; there are 4"));
  CHECK_THROWS_WITH(mean.add(Ids{0}, std::span<const float>(first)), contains("scores has 2 elements where 1"));
  CHECK(counts == Ids{2, 1, 2, 0});
  CHECK_THROWS_WITH(scoring::GroupScoreMean(sums, counts, 0), contains("largest is 0"));
  scores.pop_back();
  CHECK_THROWS_WITH(mean.fill(std::span<double>(scores)), contains("scores has 3 elements where 4"));
}
