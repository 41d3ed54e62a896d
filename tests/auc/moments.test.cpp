// The vectorised moments and exponentials against long double, on the lists that are hard for them.
#include "support/catch.hpp"
#include "support/lists.hpp"

#include <rankgrad/auc/moments.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace rg = rankgrad;

namespace {
template <class T>
struct Class {
  long double weight = 0, mean = 0, variance = 0;
};
template <class T>
Class<T> by_definition(const test::OwnedList<T>& list, bool positive) {
  Class<T> c;
  const auto w = [&](std::size_t i) { return (list.labels[i] > T(0)) == positive ? static_cast<long double>(list.view().weight(i)) : 0; };
  for (std::size_t i = 0; i < list.size(); ++i) c.weight += w(i), c.mean += w(i) * list.scores[i];
  c.mean /= c.weight;
  for (std::size_t i = 0; i < list.size(); ++i) c.variance += w(i) * (list.scores[i] - c.mean) * (list.scores[i] - c.mean) / c.weight;
  return c;
}
double error(double a, long double b) { return static_cast<double>(fabsl((a - b) / b)); }
}  // namespace

TEMPLATE_TEST_CASE("moments of classes: offsets, sorted lists and outliers in front", "[auc]", float, double) {
  using T = TestType;
  const double tolerance = sizeof(T) == 4 ? 1e-6 : 1e-13;
  for (const std::size_t n : {7u, 512u, 513u, 3000u})
    for (const bool weights : {false, true})
      for (const double offset : {0.0, 1e4}) {
        auto list = test::make_list<T>(n, 5, {.spread = 2, .offset = offset, .grades = 2, .weights = weights});
        list.labels[0] = T(1), list.labels[1] = T(0), list.labels[2] = T(1), list.labels[3] = T(0);
        for (const int shape : {0, 1, 2}) {
          INFO("n " << n << ", weights " << weights << ", offset " << offset << ", shape " << shape);
          if (shape == 1) std::sort(list.scores.begin(), list.scores.end(), std::greater<>());
          if (shape == 2) list.scores[0] = T(1e6), list.scores[1] = T(-1e6);
          const auto m = rg::auc::class_moments(list.view());
          for (const bool positive : {true, false}) {
            const auto& got = positive ? m.positive : m.negative;
            const auto expected = by_definition(list, positive);
            CHECK(error(got.weight, expected.weight) <= tolerance);
            CHECK(std::abs(got.pivot + got.shift() - static_cast<double>(expected.mean)) <= tolerance * std::sqrt(static_cast<double>(expected.variance)) + 1e-15 * std::abs(offset));
            CHECK(error(got.variance(), expected.variance) <= tolerance);
          }
        }
      }
}

TEMPLATE_TEST_CASE("the exponential surrogate on one scale and on two", "[auc]", float, double) {
  using T = TestType;
  for (const std::size_t n : {2u, 5u, 8u, 9u, 100u})
    for (const bool weights : {false, true}) {
      auto list = test::make_list<T>(n, 9, {.spread = 3, .offset = 50, .grades = 2, .weights = weights});
      list.labels[0] = T(1), list.labels[1] = T(0);
      std::vector<T> a(n), a_curvature(n), b(n), b_curvature(n);
      rg::Workspace workspace;
      const auto one = rg::auc::exponential(list.view(), 1.5, rg::Normalize::sum, rg::GradientSink<T>{a.data(), a_curvature.data()}, workspace);
      const auto two = rg::auc::exponential(list.view(), 1.5, rg::Normalize::sum, rg::GradientSink<T>{b.data(), b_curvature.data()}, workspace, -1.0);
      const double tolerance = sizeof(T) == 4 ? 3e-7 : 1e-13;
      CHECK(static_cast<double>(one.value) == Approx(static_cast<double>(two.value)).epsilon(tolerance));
      for (std::size_t i = 0; i < n; ++i) {
        CHECK(static_cast<double>(a[i]) == Approx(static_cast<double>(b[i])).epsilon(tolerance));
        CHECK(static_cast<double>(a_curvature[i]) == Approx(static_cast<double>(b_curvature[i])).epsilon(tolerance));
      }
    }
}
