#include "support/catch.hpp"
#include "support/lists.hpp"

#include <rankgrad/exec/threads.hpp>
#include <rankgrad/simd/range_by_pieces.hpp>

#include <algorithm>
#include <limits>
#include <optional>
#include <vector>

namespace rg = rankgrad;

TEMPLATE_TEST_CASE("the range of a list is the same in one piece and in many, alone and in a team", "[simd]", float, double) {
  using T = TestType;
  std::vector<rg::Workspace> scratch(3);
  const rg::exec::Threads pool(3);
  const rg::Team team(pool, scratch);
  for (const std::size_t n : {std::size_t{1}, std::size_t{32768}, std::size_t{32769}, std::size_t{50001}}) {
    const std::vector<T> scores = test::make_list<T>(n, 9).scores;
    const auto [low, high] = std::minmax_element(scores.begin(), scores.end());
    for (const bool shared : {false, true}) {
      std::optional<rg::Workspace::TeamLoan> loan;
      if (shared) loan.emplace(scratch[0], team);
      const auto range = rg::simd::range_by_pieces(scores.data(), n, scratch[0]);
      CHECK((range.low == *low && range.high == *high && range.finite));
      // What is not finite is found wherever it stands: first, last, at a border.
      for (const std::size_t at : {std::size_t{0}, std::size_t{8191}, std::size_t{32768}, n - 1}) {
        if (at >= n) continue;
        std::vector<T> broken = scores;
        broken[at] = at % 2 ? std::numeric_limits<T>::infinity() : std::numeric_limits<T>::quiet_NaN();
        const auto found = rg::simd::range_by_pieces(broken.data(), n, scratch[0]);
        CHECK_FALSE(found.finite);
        CHECK(found.span() == std::numeric_limits<double>::infinity());
      }
    }
  }
}
