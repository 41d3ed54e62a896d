#include "support/catch.hpp"

#include <rankgrad/core/random.hpp>
#include <rankgrad/simd/horizontal.hpp>
#include <rankgrad/simd/rows.hpp>

#include <cmath>
#include <limits>
#include <vector>

namespace rg = rankgrad;
namespace simd = rankgrad::simd;

TEMPLATE_TEST_CASE("a blocked sum is the sum, at every length", "[simd]", float, double) {
  using T = TestType;
  std::vector<T> values(4 * simd::packs_per_flush * simd::lanes<T> + 3);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = T(i % 100);   // exact in float
  for (std::size_t n = 0; n <= values.size(); n += n < 100 ? 1 : 37) {
    double expected = 0;
    for (std::size_t i = 0; i < n; ++i) expected += static_cast<double>(values[i]);
    simd::BlockedSum<T> interleaved, single;
    simd::for_each_pack<T>(n, [&](std::size_t i, auto at) {
      interleaved.add(at.load(&values[i], T(0)), at);
      single.add(at.load(&values[i], T(0)));
    });
    INFO("n = " << n);
    CHECK(interleaved.total() == expected);
    CHECK(single.total() == expected);
  }
}

TEST_CASE("a blocked sum of floats stays accurate where a plain one does not", "[simd]") {
  rg::Random random(3);
  std::vector<float> values(10000000);
  double exact = 0;
  float plain = 0;
  for (float& v : values) {
    v = static_cast<float>(random.uniform());
    exact += static_cast<double>(v);
    plain += v;
  }
  simd::BlockedSum<float> sum;
  simd::for_each_pack<float>(values.size(), [&](std::size_t i, auto at) { sum.add(at.load(&values[i], 0.0f), at); });
  CHECK(std::abs(sum.total() / exact - 1) < 1e-8);
  CHECK(std::abs(static_cast<double>(plain) / exact - 1) > 1e-6);
}

TEMPLATE_TEST_CASE("the highest of a row, wherever it stands", "[simd]", float, double) {
  using T = TestType;
  for (std::size_t n = 1; n < 4 * simd::lanes<T> + 2; ++n)
    for (std::size_t where = 0; where < n; ++where) {
      std::vector<T> values(n, T(-3));
      values[where] = T(-2);
      CHECK(simd::highest(values.data(), n) == T(-2));
    }
  std::vector<T> values(3 * simd::lanes<T>, T(1));
  values[simd::lanes<T>] = std::numeric_limits<T>::quiet_NaN();
  values[2] = T(4);
  CHECK(simd::highest(values.data(), values.size()) == T(4));
}

TEMPLATE_TEST_CASE("the range of a row, and whether it has one, wherever its ends stand", "[simd]", float, double) {
  using T = TestType;
  constexpr T infinity = std::numeric_limits<T>::infinity();
  for (std::size_t n = 2; n < 4 * simd::lanes<T> + 2; ++n)
    for (std::size_t where = 0; where < n; ++where) {
      std::vector<T> values(n, T(1));
      values[where] = T(-3);
      values[(where + 1) % n] = std::numeric_limits<T>::max();
      const auto range = simd::range_of(values.data(), n);
      CHECK((range.finite && range.low == T(-3) && range.high == std::numeric_limits<T>::max()));
      for (const T wild : {infinity, -infinity, std::numeric_limits<T>::quiet_NaN()}) {
        values[where] = wild;
        CHECK(simd::range_of(values.data(), n).span() == std::numeric_limits<double>::infinity());
      }
    }
  const T pair[2] = {T(5), T(-1)};
  CHECK(simd::range_of(pair, 2).centre() == 2);
  CHECK(simd::range_of(pair, 2).span() == 6);
  CHECK(simd::range_of(pair, 1).span() == 0);
}

TEST_CASE("sums of columns move to double and leave zeros", "[simd]") {
  float sums[3] = {1, 2, 3};
  double wide[3] = {10, 20, 30};
  simd::move_sums(sums, 2, wide);
  CHECK((wide[0] == 11 && wide[1] == 22 && wide[2] == 30));
  CHECK((sums[0] == 0 && sums[1] == 0 && sums[2] == 3));
}
