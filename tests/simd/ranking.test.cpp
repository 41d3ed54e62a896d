#include "support/catch.hpp"
#include "support/lists.hpp"

#include <rankgrad/simd/ranking.hpp>

#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>

namespace rg = rankgrad;

namespace {

template <class T>
std::vector<std::uint32_t> sorted(const std::vector<T>& values) {
  std::vector<std::uint32_t> order(values.size());
  std::iota(order.begin(), order.end(), 0u);
  rg::Workspace workspace;
  rg::simd::sort_descending(values.data(), order.data(), values.size(), workspace);
  return order;
}
template <class T>
std::vector<std::uint32_t> reference(const std::vector<T>& values) {
  std::vector<std::uint32_t> order(values.size());
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return values[a] > values[b]; });
  return order;
}
std::vector<std::uint32_t> ranked(const rg::ListView<double>& list, rg::Ties ties, std::uint64_t seed = 0) {
  std::vector<std::uint32_t> order(list.size());
  rg::Workspace workspace;
  rg::rank_order(list, ties, seed, order.data(), workspace);
  return order;
}

}  // namespace

TEMPLATE_TEST_CASE("sorting agrees with std::stable_sort", "[simd]", float, double) {
  using T = TestType;
  // 48 is where insertion gives way to counting.
  for (const std::size_t n : {0u, 1u, 2u, 3u, 17u, 46u, 47u, 48u, 49u, 50u, 100u, 257u, 3000u, 100000u}) {
    for (const int kind : {0, 1, 2, 3}) {
      rg::Random random(n, static_cast<std::uint64_t>(kind));
      std::vector<T> values;
      for (std::size_t i = 0; i < n; ++i) {
        const double z = random.normal();
        values.push_back(kind == 0   ? T(z)
                         : kind == 1 ? T(random.below(5))                                        // many ties
                         : kind == 2 ? T((random.below(2) ? 1 : -1) * std::exp(80 * random.uniform() - 40))   // all magnitudes
                                     : T(i));                                                    // wrong way round
      }
      INFO("n = " << n << ", kind " << kind);
      CHECK(sorted(values) == reference(values));
    }
  }
}

TEMPLATE_TEST_CASE("zeros are equal whatever their sign; infinities and denormals have their place", "[simd]", float, double) {
  using T = TestType;
  const T infinity = std::numeric_limits<T>::infinity(), tiny = std::numeric_limits<T>::denorm_min();
  CHECK(sorted(std::vector<T>{-T(0), T(0), -T(0), T(0)}) == std::vector<std::uint32_t>{0, 1, 2, 3});
  CHECK(sorted(std::vector<T>{-tiny, T(0), tiny, -infinity, infinity, -T(0)}) == std::vector<std::uint32_t>{4, 2, 1, 5, 0, 3});
  std::vector<T> many(60, -T(0));
  for (std::size_t i = 0; i < 60; i += 3) many[i] = T(0);
  CHECK(sorted(many) == reference(many));
}

TEMPLATE_TEST_CASE("NaN has one fixed place and disturbs nobody else's order", "[simd]", float, double) {
  using T = TestType;
  for (const std::size_t n : {10u, 200u}) {
    auto values = test::make_list<T>(n, 4).scores;
    values[3] = values[7] = std::numeric_limits<T>::quiet_NaN();
    const auto order = sorted(values);
    CHECK(order == sorted(values));
    auto rest = order;
    rest.erase(std::remove_if(rest.begin(), rest.end(), [](auto i) { return i == 3 || i == 7; }), rest.end());
    REQUIRE(rest.size() == n - 2);
    CHECK(std::is_sorted(rest.begin(), rest.end(), [&](auto a, auto b) { return values[a] > values[b]; }));
    std::vector<std::uint32_t> all = order;
    std::sort(all.begin(), all.end());
    for (std::uint32_t i = 0; i < n; ++i) CHECK(all[i] == i);
  }
}

TEST_CASE("a sort keeps what stood first among equals, also of a part of the items", "[simd]") {
  const std::vector<float> values{1, 2, 1, 2, 3};
  std::vector<std::uint32_t> order{3, 2, 1, 0};   // without item 4, and not in order
  rg::Workspace workspace;
  rg::simd::sort_descending(values.data(), order.data(), 4, workspace);
  CHECK(order == std::vector<std::uint32_t>{3, 1, 2, 0});
}

TEST_CASE("ties are broken as asked", "[simd]") {
  const std::vector<double> scores{1, 1, 2, 1}, labels{0, 2, 0, 1};
  const rg::ListView<double> list{.scores = scores, .labels = labels};
  CHECK(ranked(list, rg::Ties::stable) == std::vector<std::uint32_t>{2, 0, 1, 3});
  CHECK(ranked(list, rg::Ties::expected) == ranked(list, rg::Ties::stable));
  CHECK(ranked(list, rg::Ties::optimistic) == std::vector<std::uint32_t>{2, 1, 3, 0});
  CHECK(ranked(list, rg::Ties::pessimistic) == std::vector<std::uint32_t>{2, 0, 3, 1});
}

TEST_CASE("shuffled ties depend on seed and list alone, and every order occurs", "[simd]") {
  const std::vector<double> scores{1, 1, 2, 1}, labels{0, 2, 0, 1};
  rg::ListView<double> list{.scores = scores, .labels = labels, .index = 5};
  std::size_t orders = 0, moved = 0;
  std::vector<std::vector<std::uint32_t>> seen;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const auto order = ranked(list, rg::Ties::shuffled, seed);
    CHECK(order[0] == 2);
    CHECK(order == ranked(list, rg::Ties::shuffled, seed));
    if (std::find(seen.begin(), seen.end(), order) == seen.end()) seen.push_back(order), ++orders;
    auto elsewhere = list;
    elsewhere.index = 6;
    moved += ranked(elsewhere, rg::Ties::shuffled, seed) != order;
  }
  CHECK(orders == 6);
  CHECK(moved > 50);
}

TEST_CASE("positions invert an order", "[simd]") {
  const std::vector<std::uint32_t> order{2, 0, 3, 1};
  std::vector<std::uint32_t> position(4);
  rg::invert_order(order.data(), 4, position.data());
  CHECK(position == std::vector<std::uint32_t>{1, 3, 0, 2});
}
