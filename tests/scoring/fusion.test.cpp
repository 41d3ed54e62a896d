#include <rankgrad/scoring/fusion.hpp>

#include "support/catch.hpp"

#include <cmath>
#include <limits>
#include <vector>

namespace rg = rankgrad;
namespace scoring = rankgrad::scoring;
using List = std::vector<double>;

namespace {
template <class N>
List normalized(const N& normalization, const List& scores) {
  List out(scores.size());
  normalization(std::span<const double>(scores), out.data());
  return out;
}
template <class N>
List fused(const N& normalization, const List& a, const List& b, double weight) {
  List out(a.size(), 99);
  rg::Workspace workspace;
  scoring::fuse(normalization, std::span<const double>(a), b, weight, out, workspace);
  const std::size_t growths = workspace.growths();
  scoring::fuse(normalization, std::span<const double>(a), b, weight, out, workspace);
  CHECK(workspace.growths() == growths);
  return out;
}
void check_near(const List& got, const List& expected) {
  REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) CHECK(got[i] == Approx(expected[i]).margin(1e-14).epsilon(1e-13));
}
}  // namespace

TEST_CASE("fusion: standardised scores", "[scoring]") {
  const double d = std::sqrt(2.0 / 3);   // 1 2 3: squares 1 + 0 + 1
  check_near(normalized(scoring::Standardize{}, {1, 2, 3}), {-1 / d, 0, 1 / d});
  check_near(normalized(scoring::Standardize{.unbiased = true}, {1, 2, 3}), {-1, 0, 1});
  check_near(normalized(scoring::Standardize{}, {1e308, -1e308}), {1, -1});
  check_near(normalized(scoring::Standardize{}, {1e9 + 1, 1e9 + 2, 1e9 + 3}), {-1 / d, 0, 1 / d});
  for (const double same : {0.0, 0.1, -3e300}) {
    CHECK(normalized(scoring::Standardize{}, {same, same, same}) == List{0, 0, 0});
    CHECK(normalized(scoring::Standardize{.unbiased = true}, {same}) == List{0});
  }
  CHECK(normalized(scoring::Standardize{}, {}).empty());
  // 0.2 BM25, 0.8 reranker
  check_near(fused(scoring::Standardize{}, {10, 20, 30}, {3, 1, 2}, 0.2), {(-0.2 + 0.8) / d, -0.8 / d, 0.2 / d});
  check_near(fused(scoring::Standardize{}, {5, 5, 5}, {3, 1, 2}, 0.2), {0.8 / d, -0.8 / d, 0});
}

TEST_CASE("fusion: scores between 0 and 1", "[scoring]") {
  check_near(normalized(scoring::MinMax{}, {2, 4, 3}), {0, 1, 0.5});
  check_near(normalized(scoring::MinMax{}, {1e308, -1e308, 0}), {1, 0, 0.5});
  CHECK(normalized(scoring::MinMax{}, {7, 7}) == List{0.5, 0.5});
  CHECK(normalized(scoring::MinMax{}, {7}) == List{0.5});
  CHECK(normalized(scoring::MinMax{}, {}).empty());
  check_near(fused(scoring::MinMax{}, {2, 4, 3}, {10, 0, 5}, 0.5), {0.5, 0.5, 0.5});
  check_near(fused(scoring::MinMax{}, {2, 4, 3}, {10, 0, 5}, 1), {0, 1, 0.5});
}

TEST_CASE("fusion: by ranks", "[scoring]") {
  rg::Workspace workspace;
  const auto ranks = [&](const List& a, const List& b, double weight) {
    List out(a.size());
    scoring::fuse_ranks(std::span<const double>(a), b, weight, out, workspace);
    return out;
  };
  // Ranks 1 2 3 and 3 1 2
  const double two = std::log(2), three = std::log(3);
  check_near(ranks({0.9, 0.8, 0.1}, {10, 30, 20}, 0.5), {-three / 2, -two / 2, -(three + two) / 2});
  check_near(ranks({0.9, 0.8, 0.1}, {10, 30, 20}, 0.6), {-0.4 * three, -0.6 * two, -0.6 * three - 0.4 * two});
  check_near(ranks({5, 5}, {1, 2}, 1), {0, -two});   // ties: the first in the list
  CHECK(ranks({}, {}, 0.5).empty());
  const std::size_t growths = workspace.growths();
  ranks({0.9, 0.8, 0.1}, {10, 30, 20}, 0.5);
  CHECK(workspace.growths() == growths);
}

TEST_CASE("fusion: what is said at the door", "[scoring]") {
  CHECK_THROWS_WITH(fused(scoring::MinMax{}, {1, 2}, {1}, 0.5), contains("second has 1 elements where 2"));
  CHECK_THROWS_WITH(fused(scoring::MinMax{}, {1, 2}, {1, 2}, 1.5), contains("weight is 1.5"));
  CHECK_THROWS_WITH(fused(scoring::MinMax{}, {1, std::numeric_limits<double>::infinity()}, {1, 2}, 0.5), contains("first[1]"));
  CHECK_THROWS_WITH(fused(scoring::Standardize{}, {1, 2}, {std::numeric_limits<double>::quiet_NaN(), 2}, 0.5), contains("second[0]"));
}
