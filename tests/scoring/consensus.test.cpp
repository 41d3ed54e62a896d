#include <rankgrad/scoring/consensus.hpp>

#include "support/catch.hpp"

#include <limits>
#include <vector>

namespace scoring = rankgrad::scoring;

TEST_CASE("consensus rollout", "[scoring]") {
  const auto of = [](const std::vector<double>& scores, const std::vector<std::uint8_t>& parsed = {}) {
    return scoring::consensus_rollout(std::span<const double>(scores), parsed);
  };
  CHECK(of({9, 4, 6}) == 2);      // mean 6.33
  CHECK(of({10, 0, 8}) == 2);     // mean 6
  CHECK(of({3, 5, 5, 3}) == 0);   // as near: the first
  CHECK(of({7}) == 0);
  CHECK(of({9, 4, 6, 0}, {1, 1, 0, 1}) == 1);   // mean 4.33
  CHECK(of({std::numeric_limits<double>::quiet_NaN(), 4}, {0, 1}) == 1);
  CHECK(of({1, 2}, {0, 0}) == 2);
  CHECK(of({}) == 0);
  CHECK_THROWS_WITH(of({1, std::numeric_limits<double>::infinity()}), contains("scores[1]"));
  CHECK_THROWS_WITH(of({1, 2}, {1}), contains("parsed has 1"));
}
