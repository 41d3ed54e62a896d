#include "support/catch.hpp"
#include "support/lists.hpp"

#include <rankgrad/exec/threads.hpp>
#include <rankgrad/simd/ranking.hpp>

#include <algorithm>
#include <cmath>
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
constexpr int kinds = 8;
template <class T>
std::vector<T> sample(std::size_t n, int kind) {
  rg::Random random(n, static_cast<std::uint64_t>(kind));
  std::vector<T> values;
  for (std::size_t i = 0; i < n; ++i) {
    const double z = random.normal(), u = random.uniform(), side = random.below(2) ? 1 : -1;
    switch (kind) {
      case 0: values.push_back(T(z)); break;
      case 1: values.push_back(T(random.below(5))); break;                   // many ties
      case 2: values.push_back(T(side * std::exp(80 * u - 40))); break;      // all magnitudes
      case 3: values.push_back(T(i)); break;                                 // wrong way round
      case 4: values.push_back(T(1e6 + 1e-4 * u)); break;                    // the high bits are constant
      case 5: values.push_back(T(side * (1 + 1e-9 * u))); break;             // two clusters: long runs of equal high bits
      case 6: values.push_back(T(static_cast<double>(random.below(20)) + 1e-12 * static_cast<double>(random.below(3)))); break;   // short runs, ties
      default: values.push_back(T(side * 0)); break;                         // all equal, with both signs
    }
  }
  return values;
}
std::vector<std::uint32_t> ranked(const rg::ListView<double>& list, rg::Ties ties, std::uint64_t seed = 0) {
  std::vector<std::uint32_t> order(list.size());
  rg::Workspace workspace;
  rg::rank_order(list, ties, seed, order.data(), workspace);
  return order;
}

}  // namespace

TEMPLATE_TEST_CASE("sorting agrees with std::stable_sort, whatever its way", "[simd]", float, double) {
  using T = TestType;
  using namespace rg::simd::detail;
  using rg::simd::AllItems, rg::simd::ListedItems;
  constexpr std::size_t counted = longest_counted<T>, bytes = longest_by_bytes;
  for (const std::size_t n : {std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{15}, std::size_t{16},
                              std::size_t{17}, std::size_t{33}, std::size_t{50}, counted - 1, counted, counted + 1, std::size_t{300},
                              bytes, bytes + 1, std::size_t{60000}}) {
    for (int kind = 0; kind < kinds; ++kind) {
      const std::vector<T> values = sample<T>(n, kind);
      INFO("n = " << n << ", kind " << kind);
      const std::vector<std::uint32_t> expected = reference(values);
      CHECK(sorted(values) == expected);
      std::vector<std::uint32_t> order(n);
      rg::Workspace workspace;
      rg::simd::rank_descending(values.data(), order.data(), n, workspace);
      CHECK(order == expected);
      const auto frame = workspace.frame();
      std::vector<T> along(n), in_order(n);
      for (std::size_t r = 0; r < n; ++r) in_order[r] = values[expected[r]];
      const auto check = [&](bool with_values) {
        CHECK(order == expected);
        if (with_values) CHECK(along == in_order);
        std::fill(along.begin(), along.end(), T(7));
      };
      for (const bool with_values : {false, true}) {
        T* sorted_values = with_values ? along.data() : nullptr;
        if (n <= 3000) {
          sort_by_counting(values.data(), AllItems{}, n, order.data(), sorted_values, workspace);
          check(with_values);
        }
        if (n > 0) {
          sort_by_digits(values.data(), AllItems{}, n, order.data(), sorted_values, workspace);
          check(with_values);
          std::iota(order.begin(), order.end(), 0u);
          sort_by_digits(values.data(), ListedItems{order.data()}, n, order.data(), sorted_values, workspace);   // in place
          check(with_values);
        }
      }
    }
  }
}

TEST_CASE("sorting: lists so long that their digits are short again", "[simd]") {
  const std::size_t n = rg::simd::detail::longest_by_elevens + 1;
  const std::vector<float> values = sample<float>(n, 0);
  const std::vector<std::uint32_t> expected = reference(values);
  std::vector<std::uint32_t> order(n);
  std::vector<float> in_order(n);
  rg::Workspace workspace;
  rg::simd::rank_descending(values.data(), order.data(), n, workspace, in_order.data());
  CHECK(order == expected);
  std::size_t off = 0;
  for (std::size_t r = 0; r < n; ++r) off += in_order[r] != values[order[r]];
  CHECK(off == 0);
}

TEMPLATE_TEST_CASE("sorting: a team finds the same order", "[simd]", float, double) {
  using T = TestType;
  const rg::exec::Threads pool(3);
  std::vector<rg::Workspace> scratch(3);
  const rg::Team team(pool, scratch);
  const rg::Workspace::TeamLoan loan(scratch[0], team);
  constexpr std::size_t bytes = rg::simd::detail::longest_by_elevens + 1;
  for (const std::size_t n : {std::size_t{1000}, std::size_t{2000}, std::size_t{40000}, std::size_t{140001}, bytes})
    for (int kind = 0; kind < kinds; ++kind) {
      if (n == bytes && kind != 1 && kind != 6) continue;
      INFO("n = " << n << ", kind " << kind);
      std::vector<T> values = sample<T>(n, kind);
      if (kind == 0) values[n / 2] = std::numeric_limits<T>::infinity(), values[n / 3] = -values[n / 2], values[n / 5] = T(-0.0);
      const std::vector<std::uint32_t> expected = reference(values);
      std::vector<std::uint32_t> order(n);
      std::vector<T> along(n), in_order(n);
      for (std::size_t r = 0; r < n; ++r) in_order[r] = values[expected[r]];
      rg::simd::rank_descending(values.data(), order.data(), n, scratch[0]);
      CHECK((order == expected));
      std::iota(order.begin(), order.end(), 0u);
      rg::simd::sort_descending(values.data(), order.data(), n, scratch[0], along.data());   // in place, with the values
      CHECK((order == expected));
      CHECK((along == in_order));
      if (n == bytes) continue;
      values[n / 7] = std::numeric_limits<T>::quiet_NaN(), values[n / 6] = -values[n / 7];   // wherever they go
      rg::Workspace alone;
      std::vector<std::uint32_t> by_one(n);
      rg::simd::rank_descending(values.data(), by_one.data(), n, alone);
      rg::simd::rank_descending(values.data(), order.data(), n, scratch[0]);
      CHECK((order == by_one));
    }
}

TEST_CASE("passes of 8 and of 11 bits sort alike, and stop where digits are constant", "[simd]") {
  using namespace rg::simd::detail;
  for (const std::size_t n : {1u, 2u, 100u, 5000u}) {
    for (const std::uint32_t mask : {0u, 0xffu, 0x7ffu, 0x3ff800u, 0xffc00000u, 0xffffffffu, 0x80000001u}) {
      rg::Random random(n, mask);
      std::vector<std::uint64_t> words;
      for (std::size_t i = 0; i < n; ++i) {
        const auto bits = static_cast<std::uint32_t>(random.below(1u << 16) << 16 | random.below(1u << 16));
        words.push_back(sort_word((bits & mask) | (0x12345678u & ~mask), static_cast<std::uint32_t>(i)));
      }
      std::vector<std::uint64_t> expected = words, other(n);
      std::sort(expected.begin(), expected.end());
      const auto check = [&](auto sort) {
        std::vector<std::uint64_t> copy = words;
        const std::uint64_t* result = sort(copy.data(), nullptr);
        CHECK(std::equal(expected.begin(), expected.end(), result));
        copy = words;
        std::vector<std::uint32_t> items(n);
        sort(copy.data(), items.data());
        CHECK(std::equal(expected.begin(), expected.end(), items.begin(), [](auto word, auto item) { return item_of(word) == item; }));
      };
      check([&](std::uint64_t* w, std::uint32_t* out) { return radix_sort<8>(w, other.data(), n, out); });
      check([&](std::uint64_t* w, std::uint32_t* out) { return radix_sort<11>(w, other.data(), n, out); });
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

TEST_CASE("tied items share the best of their ranks, or what is asked for", "[simd]") {
  const std::vector<double> values{3, 5, 3, 9, 3, -0.0, 0.0};
  std::vector<std::uint32_t> order = sorted(values);
  std::vector<int> best(7);
  rg::tie_ranks(values.data(), order.data(), 7, best.data());
  CHECK(best == std::vector<int>{3, 2, 3, 1, 3, 6, 6});
  std::vector<double> mean(7);
  const auto middle = [](std::size_t first, std::size_t last) { return 0.5 * static_cast<double>(first + last); };
  rg::tie_ranks(values.data(), order.data(), 7, mean.data(), middle);
  CHECK(mean == std::vector<double>{4, 2, 4, 1, 4, 6.5, 6.5});
  const std::vector<double> falling{7, 7, 2, 1, 1};
  std::vector<float> in_order(5);
  rg::tie_ranks(falling.data(), rg::InOrder{}, 5, in_order.data());
  CHECK(in_order == std::vector<float>{1, 1, 3, 4, 4});
  rg::tie_ranks(falling.data(), rg::InOrder{}, 0, in_order.data());   // of nothing, nothing
  // NaN is tied with nobody; an order of some items leaves the others alone.
  const std::vector<double> broken{NAN, 4, NAN, 4};
  std::vector<int> some{-1, -1, -1, -1};
  order = {0, 2, 3};
  rg::tie_ranks(broken.data(), order.data(), 3, some.data());
  CHECK(some == std::vector<int>{1, -1, 2, 3});
}

TEMPLATE_TEST_CASE("the rank of tied items is one more than how many are better", "[simd]", float, double) {
  using T = TestType;
  for (int kind = 0; kind < kinds; ++kind) {
    const std::vector<T> values = sample<T>(150, kind);
    const auto order = sorted(values);
    std::vector<std::size_t> ranks(values.size());
    rg::tie_ranks(values.data(), order.data(), values.size(), ranks.data());
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto better = std::count_if(values.begin(), values.end(), [&](T v) { return v > values[i]; });
      CHECK(ranks[i] == 1 + static_cast<std::size_t>(better));
    }
  }
}
