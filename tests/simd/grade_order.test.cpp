#include "support/catch.hpp"

#include <rankgrad/core/random.hpp>
#include <rankgrad/simd/grade_order.hpp>

#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>

namespace rg = rankgrad;

TEMPLATE_TEST_CASE("grades are sorted by counting, descending and stable", "[simd]", float, double) {
  using T = TestType;
  rg::Random random(4, 0);
  for (std::size_t n = 0; n < 70; ++n)
    for (const std::size_t grades : {1u, 2u, 5u, 32u}) {
      std::vector<T> labels(n);
      for (T& y : labels) y = static_cast<T>(random.below(grades));
      if (n > 3) labels[3] = T(-0.0);   // the grade 0
      std::vector<std::uint32_t> order(n), expected(n), starts(33, 77);
      std::iota(expected.begin(), expected.end(), 0u);
      std::stable_sort(expected.begin(), expected.end(), [&](auto a, auto b) { return labels[a] > labels[b]; });
      const std::size_t groups = rg::simd::order_by_grade(labels.data(), n, order.data(), starts.data());
      CHECK(order == expected);
      std::vector<std::uint32_t> borders;
      for (std::size_t k = 0; k < n; ++k)
        if (k == 0 || labels[order[k]] != labels[order[k - 1]]) borders.push_back(static_cast<std::uint32_t>(k));
      CHECK(groups == borders.size());
      borders.push_back(static_cast<std::uint32_t>(n));
      CHECK(std::equal(borders.begin(), borders.end(), starts.begin()));
      CHECK(rg::simd::order_by_grade(labels.data(), n, order.data()) == groups);
    }
}

TEMPLATE_TEST_CASE("what is not a grade is left to a sort", "[simd]", float, double) {
  using T = TestType;
  std::vector<std::uint32_t> order(40, 9u);
  for (const T other : {T(32), T(-1), T(0.5), T(1e30), std::numeric_limits<T>::infinity(), std::numeric_limits<T>::quiet_NaN()})
    for (std::size_t where = 0; where < 40; where += 13) {
      std::vector<T> labels(40, T(2));
      labels[where] = other;
      CHECK(rg::simd::order_by_grade(labels.data(), labels.size(), order.data()) == 0);
    }
  CHECK(order == std::vector<std::uint32_t>(40, 9u));
}
