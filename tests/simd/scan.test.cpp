#include "support/catch.hpp"

#include <rankgrad/simd/horizontal.hpp>
#include <rankgrad/simd/scan.hpp>

#include <array>

namespace rg = rankgrad;

TEMPLATE_TEST_CASE("running sums across the lanes of a pack", "[simd]", float, double) {
  using T = TestType;
  using Pack = rg::simd::Pack<T>;
  constexpr std::size_t width = rg::simd::lanes<T>;
  alignas(64) std::array<T, width> x{}, up{}, down{}, first{}, last{};
  for (std::size_t l = 0; l < width; ++l) x[l] = static_cast<T>(l * l + 1);   // small integers: sums are exact
  const Pack v = rg::simd::load(x.data());
  rg::simd::store(up.data(), rg::simd::prefix_sum(v));
  rg::simd::store(down.data(), rg::simd::suffix_sum(v));
  rg::simd::store(first.data(), rg::simd::first_everywhere(v));
  rg::simd::store(last.data(), rg::simd::last_everywhere(v));
  T total = 0, before = 0;
  for (const T value : x) total += value;
  for (std::size_t l = 0; l < width; ++l) {
    CHECK(down[l] == total - before);
    before += x[l];
    CHECK(up[l] == before);
    CHECK(first[l] == x[0]);
    CHECK(last[l] == x[width - 1]);
  }
}

TEMPLATE_TEST_CASE("three sums at once, and the highest lane everywhere", "[simd]", float, double) {
  using T = TestType;
  constexpr std::size_t width = rg::simd::lanes<T>;
  alignas(64) std::array<T, width> a{}, b{}, c{}, top{};
  T sums[3] = {};
  for (std::size_t l = 0; l < width; ++l) {
    a[l] = static_cast<T>(l + 1), b[l] = static_cast<T>(100 * l), c[l] = -static_cast<T>(l * l);
    sums[0] += a[l], sums[1] += b[l], sums[2] += c[l];
  }
  const auto got = rg::simd::three_sums(rg::simd::load(a.data()), rg::simd::load(b.data()), rg::simd::load(c.data()));
  CHECK(got.a == sums[0]);
  CHECK(got.b == sums[1]);
  CHECK(got.c == sums[2]);
  for (std::size_t where = 0; where < width; ++where) {
    std::array<T, width> x{};
    x.fill(T(-5));
    x[where] = T(-1);
    rg::simd::store(top.data(), rg::simd::highest_everywhere(rg::simd::load(x.data())));
    for (const T value : top) CHECK(value == T(-1));
  }
}
