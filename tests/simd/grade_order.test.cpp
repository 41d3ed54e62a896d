#include "support/catch.hpp"

#include <rankgrad/core/random.hpp>
#include <rankgrad/exec/threads.hpp>
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

TEMPLATE_TEST_CASE("a team counts grades like one", "[simd]", float, double) {
  using T = TestType;
  const rg::exec::Threads pool(3);
  std::vector<rg::Workspace> scratch(3);
  const rg::Team team(pool, scratch);
  const rg::Workspace::TeamLoan loan(scratch[0], team);
  for (const std::size_t n : {std::size_t{100}, std::size_t{16384}, std::size_t{50001}}) {
    rg::Random random(5, n);
    std::vector<T> labels(n);
    for (T& y : labels) y = static_cast<T>(random.below(7));
    std::vector<std::uint32_t> order(n, 9u), expected(n), starts(33, 77), expected_starts(33, 77);
    const std::size_t groups = rg::simd::order_by_grade(labels.data(), n, expected.data(), expected_starts.data());
    CHECK(rg::simd::order_by_grade(labels.data(), n, order.data(), starts.data(), scratch[0]) == groups);
    CHECK((order == expected));
    CHECK(starts == expected_starts);
    labels[n - 1] = T(0.5);
    CHECK(rg::simd::order_by_grade(labels.data(), n, order.data(), starts.data(), scratch[0]) == 0);
  }
}
