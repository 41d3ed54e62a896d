// Every kernel of the logistic pairs, forced, against the definition in long double.
#include "support/catch.hpp"
#include "support/lists.hpp"

#include <rankgrad/core/evaluate.hpp>
#include <rankgrad/pairwise/ranknet.hpp>

#include <cmath>
#include <limits>
#include <vector>

namespace rg = rankgrad;
using rg::pairwise::Logistic, rg::pairwise::PairKernel;

namespace {

struct Derivatives {
  long double value = 0;
  std::vector<long double> gradient, curvature;
};

template <class T>
Derivatives definition(const Logistic& phi, const test::OwnedList<T>& list) {
  const std::size_t n = list.size();
  Derivatives d{0, std::vector<long double>(n), std::vector<long double>(n)};
  const long double sigma = phi.sigma, margin = phi.margin;
  long double total = 0;
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) {
      if (!(list.labels[i] > list.labels[j])) continue;
      const long double w = list.weights.empty() ? 1 : static_cast<long double>(list.weights[i]) * list.weights[j];
      const long double x = sigma * (margin - (static_cast<long double>(list.scores[i]) - list.scores[j]));
      const long double s = x > 0 ? 1 / (1 + expl(-x)) : expl(x) / (1 + expl(x)), other = x > 0 ? expl(-x) / (1 + expl(-x)) : 1 / (1 + expl(x));
      total += w;
      d.value += w * (x > 0 ? x + log1pl(expl(-x)) : log1pl(expl(x)));
      d.gradient[i] -= w * sigma * s;
      d.gradient[j] += w * sigma * s;
      d.curvature[i] += w * sigma * sigma * s * other;
      d.curvature[j] += w * sigma * sigma * s * other;
    }
  if (total > 0) {
    d.value /= total;
    for (std::size_t i = 0; i < n; ++i) d.gradient[i] /= total, d.curvature[i] /= total;
  }
  return d;
}

template <class T>
struct Got {
  rg::Contribution<T> part;
  std::vector<T> gradient, curvature;
};

template <class T>
Got<T> run(const Logistic& phi, const test::OwnedList<T>& list, PairKernel kernel, bool with_curvature = true) {
  Got<T> got{{}, std::vector<T>(list.size()), std::vector<T>(list.size())};
  rg::Workspace workspace;
  const rg::GradientSink<T> out{got.gradient.data(), with_curvature ? got.curvature.data() : nullptr};
  got.part = rg::pairwise::comparable_pairs(phi, rg::Normalize::mean, list.view(), out, workspace, kernel);
  return got;
}

template <class T>
double worst(const std::vector<T>& got, const std::vector<long double>& expected) {
  long double error = 0, top = 1e-300L;
  for (std::size_t i = 0; i < got.size(); ++i) {
    error = std::max(error, fabsl(static_cast<long double>(got[i]) - expected[i]));
    top = std::max(top, fabsl(expected[i]));
  }
  return static_cast<double>(error / top);
}

template <class T>
void check(const Logistic& phi, const test::OwnedList<T>& list, PairKernel kernel, double tolerance) {
  const Derivatives expected = definition(phi, list);
  const Got<T> got = run(phi, list, kernel), plain = run(phi, list, kernel, false);
  if (!got.part.valid) {
    CHECK(static_cast<double>(expected.value) == 0.0);
    return;
  }
  CHECK(static_cast<double>(fabsl(static_cast<long double>(got.part.value) - expected.value) / expected.value) <= tolerance);
  CHECK(worst(got.gradient, expected.gradient) <= tolerance);
  CHECK(worst(got.curvature, expected.curvature) <= 2 * tolerance);
  CHECK(plain.part.value == got.part.value);
  CHECK(worst(plain.gradient, expected.gradient) <= tolerance);
}

constexpr PairKernel kernels[] = {PairKernel::automatic, PairKernel::generic, PairKernel::min_form, PairKernel::targets};

}  // namespace

TEMPLATE_TEST_CASE("every logistic kernel computes the definition", "[pairwise]", float, double) {
  using T = TestType;
  constexpr std::size_t lanes = rg::simd::lanes<T>;
  const double tolerance = sizeof(T) == 4 ? 1e-6 : 4e-15;
  for (const PairKernel kernel : kernels)
    for (const std::size_t n : {std::size_t{2}, std::size_t{3}, lanes - 1, lanes, lanes + 1, 2 * lanes + 1, std::size_t{63}, std::size_t{64}, std::size_t{65}, std::size_t{300}})
      for (const bool weights : {false, true})
        for (const std::size_t grades : {2u, 5u, 0u}) {
          INFO("kernel " << static_cast<int>(kernel) << ", n = " << n << ", weights " << weights << ", grades " << grades);
          check(Logistic{}, test::make_list<T>(n, 41, {.spread = 1.5, .grades = grades, .weights = weights}), kernel, tolerance);
          check(Logistic{.sigma = 2.5}, test::make_list<T>(n, 42, {.grades = grades, .weights = weights, .tied_scores = true}), kernel, tolerance);
          check(Logistic{.sigma = 0.7, .margin = 1.25}, test::make_list<T>(n, 43, {.grades = grades, .weights = weights}), kernel, tolerance);
          check(Logistic{}, test::make_list<T>(n, 44, {.spread = 2, .offset = 1e4, .grades = grades, .weights = weights}), kernel, tolerance);
        }
}

TEMPLATE_TEST_CASE("the logistic kernels keep the digits of separated classes and of wide ranges", "[pairwise]", float, double) {
  using T = TestType;
  for (const PairKernel kernel : kernels) {
    // The generic kernel rounds the difference, and e^x with it: |x| / 2 units in the last place.
    const double tolerance = (sizeof(T) == 4 ? 1e-6 : 4e-15) * (kernel == PairKernel::generic ? 4 : 1);
    INFO("kernel " << static_cast<int>(kernel));
    for (const std::size_t n : {40u, 600u}) {
      auto list = test::make_list<T>(n, 51, {.grades = 2});
      for (const T gap : {T(12), T(30), T(-30), T(60)}) {   // all pairs right, or wrong, by about the gap
        auto apart = list;
        for (std::size_t i = 0; i < n; ++i) apart.scores[i] += list.labels[i] * gap;
        check(Logistic{}, apart, kernel, tolerance);
      }
      // Two far camps, each with both labels: pairs at 0 and at +-160, beyond what one factor can hold in float.
      auto camps = list;
      for (std::size_t i = 0; i < n; ++i) camps.scores[i] = list.scores[i] + (i % 3 ? T(80) : T(-80));
      check(Logistic{}, camps, kernel, tolerance);
      check(Logistic{.sigma = 20}, camps, kernel, tolerance);   // out of the range in double too
    }
  }
}

TEMPLATE_TEST_CASE("the soft zero-one function in min-form is that of the generic kernel", "[pairwise]", float, double) {
  using T = TestType;
  const rg::pairwise::SoftZeroOne phi{.sigma = 1.5};
  for (const std::size_t n : {2u, 17u, 100u, 300u})
    for (const bool weights : {false, true})
      for (const double spread : {1.0, 12.0}) {   // 12: products may be denormal in float
        const auto list = test::make_list<T>(n, 81, {.spread = spread, .grades = 3, .weights = weights});
        const auto wide = list.template as<double>();
        std::vector<T> gradient(n), curvature(n);
        std::vector<double> expected(n), expected_curvature(n);
        rg::Workspace workspace;
        const auto a = rg::pairwise::comparable_pairs(phi, rg::Normalize::mean, list.view(), rg::GradientSink<T>{gradient.data(), curvature.data()},
                                                      workspace, PairKernel::min_form);
        const auto b = rg::pairwise::comparable_pairs(phi, rg::Normalize::mean, wide.view(),
                                                      rg::GradientSink<double>{expected.data(), expected_curvature.data()}, workspace, PairKernel::generic);
        const double tolerance = sizeof(T) == 4 ? 1e-6 : 1e-14;
        REQUIRE(a.valid == b.valid);
        if (!a.valid) continue;
        CHECK(static_cast<double>(a.value) == Approx(b.value).epsilon(tolerance));
        CHECK(worst(gradient, std::vector<long double>(expected.begin(), expected.end())) <= tolerance);
        CHECK(worst(curvature, std::vector<long double>(expected_curvature.begin(), expected_curvature.end())) <= tolerance);
      }
}

TEST_CASE("all weights equal are one factor, and unequal ones are not", "[pairwise]") {
  auto list = test::make_list<float>(100, 61, {.weights = true});
  std::fill(list.weights.begin(), list.weights.end(), 0.25f);
  check(Logistic{}, list, PairKernel::min_form, 1e-6);
  list.weights[7] = 0;
  check(Logistic{}, list, PairKernel::min_form, 1e-6);
}

TEST_CASE("a score that is not finite goes to the generic kernel and shows", "[pairwise]") {
  for (const PairKernel kernel : kernels)
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()})
      for (const std::size_t n : {5u, 33u, 100u})
        for (const std::size_t where : {std::size_t{0}, n / 2, n - 1}) {
          auto list = test::make_list<float>(n, 71, {.grades = 3});
          const auto good = run(Logistic{}, list, PairKernel::generic);
          list.scores[where] = bad;
          const auto got = run(Logistic{}, list, kernel), generic = run(Logistic{}, list, PairKernel::generic);
          REQUIRE(good.part.valid);
          CHECK(rg::is_finite(got.part.value) == rg::is_finite(generic.part.value));
          if (std::isnan(bad)) CHECK_FALSE(rg::is_finite(got.part.value));
        }
}

TEST_CASE("denormals as zero ends with its scope", "[simd]") {
  volatile float tiny = 1e-38f;
  const auto quarter = [&] { return tiny * 0.25f; };
  CHECK(quarter() > 0.0f);
  {
    const rg::simd::FlushDenormals flush(true);
#if defined(__SSE2__)
    CHECK(quarter() == 0.0f);
#endif
  }
  CHECK(quarter() > 0.0f);
  {
    const rg::simd::FlushDenormals flush(false);
    CHECK(quarter() > 0.0f);
  }
}
