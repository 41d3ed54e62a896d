#include "support/catch.hpp"

#include <rankgrad/core/random.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace rg = rankgrad;

TEST_CASE("Philox4x32-10 gives the published vectors", "[core]") {
  using Block = std::array<std::uint32_t, 4>;
  constexpr std::uint32_t ones = 0xffffffff;
  CHECK(rg::philox({0, 0, 0, 0}, {0, 0}) == Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(rg::philox({ones, ones, ones, ones}, {ones, ones}) == Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(rg::philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
  static_assert(rg::philox({0, 0, 0, 0}, {0, 0})[0] == 0x6627e8d5);
}

TEST_CASE("a stream is a function of seed and stream", "[core]") {
  rg::Random a(7, 3), b(7, 3), other_seed(8, 3), other_stream(7, 4);
  std::size_t same_seed = 0, same_stream = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t bits = a.bits();
    REQUIRE(b.bits() == bits);
    same_seed += other_seed.bits() == bits;
    same_stream += other_stream.bits() == bits;
  }
  CHECK(same_seed == 0);
  CHECK(same_stream == 0);
  rg::Random zero(0);
  CHECK(zero.bits() == 0x6627e8d5e169c58d);
  CHECK(zero.bits() == 0xbc57ac4c9b00dbd8);
}

TEST_CASE("the distributions have their range and moments", "[core]") {
  rg::Random random(1);
  constexpr int n = 200000;
  double uniform = 0, exponential = 0, normal = 0, squares = 0;
  bool in_range = true;
  std::array<int, 7> counts{};
  for (int i = 0; i < n; ++i) {
    const double u = random.uniform(), e = random.exponential(), z = random.normal();
    in_range = in_range && u >= 0 && u < 1 && e >= 0 && std::isfinite(e) && std::isfinite(z);
    uniform += u;
    exponential += e;
    normal += z;
    squares += z * z;
    ++counts.at(random.below(7));
  }
  CHECK(in_range);
  CHECK(uniform / n == Approx(0.5).margin(0.003));
  CHECK(exponential / n == Approx(1).margin(0.01));
  CHECK(normal / n == Approx(0).margin(0.01));
  CHECK(squares / n == Approx(1).margin(0.015));
  for (const int count : counts) CHECK(count == Approx(n / 7.0).epsilon(0.03));
  CHECK(random.below(1) == 0);
}

TEST_CASE("a shuffle is a uniform permutation", "[core]") {
  rg::Random random(2);
  std::array<int, 6> counts{};
  int permutations = 0;
  for (int round = 0; round < 60000; ++round) {
    std::array<int, 3> items{0, 1, 2};
    random.shuffle(items.data(), 3);
    std::array<int, 3> sorted = items;
    std::sort(sorted.begin(), sorted.end());
    permutations += sorted == std::array<int, 3>{0, 1, 2};
    ++counts.at(static_cast<std::size_t>(2 * items[0] + (items[1] > items[2])));
  }
  CHECK(permutations == 60000);
  for (const int count : counts) CHECK(count == Approx(10000).epsilon(0.05));
}
