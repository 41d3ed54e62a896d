// The graded hinges: pairs and sweeps against the literal definition in long double, every path forced.
#include "support/catch.hpp"
#include "support/derivatives.hpp"
#include "support/lists.hpp"

#include <rankgrad/pairwise/hinge.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace rg = rankgrad;
namespace hinge = rankgrad::pairwise::hinge_sweep;
using hinge::Path;

namespace {

using test::check_against;
using test::Result;
using Reference = test::Defined;

/// Pairs whose difference, rounded to T, reaches the margin are inactive: that is what the loss promises at a kink.
template <class Loss, class T>
Reference definition(const Loss& loss, const rg::ListView<T>& list) {
  constexpr bool squared = std::is_same_v<Loss, rg::SquaredHinge>;
  const std::size_t n = list.size();
  Reference out{0, std::vector<long double>(n), std::vector<long double>(n)};
  long double total = 0;
  const T margin = static_cast<T>(loss.margin);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) {
      if (!(list.labels[i] > list.labels[j])) continue;
      const long double w = static_cast<long double>(list.weight(i)) * static_cast<long double>(list.weight(j));
      total += w;
      const T rounded = list.scores[i] - list.scores[j];
      if (!(rounded < margin)) continue;
      const long double v = static_cast<long double>(margin) - (static_cast<long double>(list.scores[i]) - static_cast<long double>(list.scores[j]));
      const long double slope = squared ? 2 * w * v : w;
      out.value += squared ? w * v * v : w * v;
      out.gradient[i] -= slope;
      out.gradient[j] += slope;
      if (!squared) continue;
      out.curvature[i] += 2 * w;
      out.curvature[j] += 2 * w;
    }
  const long double factor = loss.normalize == rg::Normalize::mean ? 1 / total : 1;
  out.value *= factor;
  for (std::size_t i = 0; i < n; ++i) out.gradient[i] *= factor, out.curvature[i] *= factor;
  return out;
}

template <class Loss, class T>
Result<T> run(const Loss& loss, Path path, const rg::ListView<T>& list, bool with_curvature = true) {
  return test::result_of<T>(list.size(), with_curvature, [&](const rg::GradientSink<T>& out, rg::Workspace& workspace) {
    return hinge::evaluate(loss.phi(), path, loss.normalize, list, out, workspace);
  });
}

enum class Shape { spread, grid, tied, separated, inverted, offset, outliers, two_ends };
constexpr Shape shapes[] = {Shape::spread, Shape::grid, Shape::tied, Shape::separated, Shape::inverted, Shape::offset, Shape::outliers, Shape::two_ends};

/// Labels 0 .. grades - 1, or halves of them below 0, so that they are not whole.
template <class T>
test::OwnedList<T> make(Shape shape, std::size_t n, std::size_t grades, bool weights, std::uint64_t seed) {
  rg::Random random(seed, n);
  test::OwnedList<T> list;
  for (std::size_t i = 0; i < n; ++i) {
    const double y = static_cast<double>(i < 2 ? i * (grades - 1) : random.below(static_cast<std::uint32_t>(grades))), z = random.normal();
    double s = z + y / static_cast<double>(grades);
    if (shape == Shape::grid) s = std::round(8 * s) / 8;
    if (shape == Shape::tied) s = 0.25;
    if (shape == Shape::separated) s = 0.1 * z + 20 * y;
    if (shape == Shape::inverted) s = 0.1 * z - 20 * y;
    if (shape == Shape::offset) s += 1e5;
    if (shape == Shape::outliers && i % 9 == 4) s = i % 2 ? 1e4 : -1e4;
    if (shape == Shape::two_ends) s = 0.1 * z + (y < static_cast<double>(grades) / 2 ? -1e4 : 1e4);
    list.scores.push_back(static_cast<T>(s));
    list.labels.push_back(static_cast<T>(seed % 2 ? y : y / 2 - 3));
    if (weights) list.weights.push_back(i < 2 ? T(1) : static_cast<T>(0.25) * static_cast<T>(random.below(5)));
  }
  return list;
}

}  // namespace

TEMPLATE_TEST_CASE("graded hinges: pairs and sweeps against the definition", "[pairwise][hinge]", float, double) {
  using T = TestType;
  const auto check = [](const auto& loss, const rg::ListView<T>& list) {
    const Reference expected = definition(loss, list);
    check_against(expected, run(loss, Path::sorted, list), sizeof(T) == 4 ? 1.2e-7L : 1e-13L);   // one rounding, and that of 1 / W
    check_against(expected, run(loss, Path::automatic, list), sizeof(T) == 4 ? 1e-6L : 1e-12L);
  };
  for (const Shape shape : shapes)
    for (const std::size_t n : {2u, 9u, 31u, 32u, 33u, 64u, 97u, 130u, 600u})
      for (const std::size_t grades : {2u, 5u, 8u, 9u, 64u, 65u, 513u}) {
        const auto list = make<T>(shape, n, grades, n % 2 == 0, n + grades);
        INFO("shape " << static_cast<int>(shape) << ", n " << n << ", grades " << grades);
        check(rg::Hinge{}, list.view());
        check(rg::Hinge{.margin = 0.3, .normalize = rg::Normalize::sum}, list.view());
        check(rg::SquaredHinge{}, list.view());
        check(rg::SquaredHinge{.margin = 2.5, .normalize = rg::Normalize::sum}, list.view());
      }
}

TEMPLATE_TEST_CASE("graded hinges: pairs and sweeps agree at every kink", "[pairwise][hinge]", float, double) {
  // Slopes of the hinge are whole numbers, exact in both ways: one pair decided otherwise would show. On a grid every
  // eighth difference is the margin; 0.1 is no number of a float, and its multiples differ by it but for rounding.
  using T = TestType;
  for (const double unit : {0.125, 0.1, 0.3})
    for (const double offset : {0.0, 17.3, 1e5})
      for (const double margin : {0.0, 0.125, 0.1, 0.3, 1.0}) {
        auto list = make<T>(Shape::spread, 500, 6, false, 3);
        for (T& s : list.scores) s = static_cast<T>(offset + unit * std::round(10 * static_cast<double>(s)));
        const rg::Hinge loss{.margin = margin, .normalize = rg::Normalize::sum};
        INFO("unit " << unit << ", offset " << offset << ", margin " << margin);
        CHECK(run(loss, Path::sorted, list.view()).gradient == run(loss, Path::pairs, list.view()).gradient);
        const rg::SquaredHinge squared{.margin = margin, .normalize = rg::Normalize::sum};
        CHECK(run(squared, Path::sorted, list.view()).curvature == run(squared, Path::pairs, list.view()).curvature);
      }
}

TEMPLATE_TEST_CASE("graded hinges: a long list of many grades, and one of few", "[pairwise][hinge]", float, double) {
  using T = TestType;
  for (const std::size_t grades : {4u, 5000u}) {
    const auto list = make<T>(Shape::spread, 3000, grades, true, grades);
    const long double tolerance = sizeof(T) == 4 ? 5e-7L : 1e-13L;
    check_against(definition(rg::Hinge{}, list.view()), run(rg::Hinge{}, Path::automatic, list.view()), tolerance);
    check_against(definition(rg::SquaredHinge{}, list.view()), run(rg::SquaredHinge{}, Path::automatic, list.view()), tolerance);
  }
}

TEST_CASE("graded hinges: which way", "[pairwise][hinge]") {
  rg::Workspace workspace;
  const auto frame = workspace.frame();
  const auto way = [&](std::size_t n) {
    const auto list = make<float>(Shape::spread, n, 5, false, n);
    return hinge::cheapest(rg::pairwise::sort_by_label(list.view(), list.labels.data(), workspace));
  };
  CHECK(way(30) == Path::pairs);
  CHECK(way(20000) == Path::sorted);
}

TEMPLATE_TEST_CASE("graded hinges: a score that is not finite shows, whatever the path", "[pairwise][hinge]", float, double) {
  using T = TestType;
  for (const Path path : {Path::automatic, Path::sorted, Path::pairs})
    for (const std::size_t where : {0u, 7u, 999u}) {
      auto list = make<T>(Shape::spread, 1000, 5, false, 5);
      list.scores[where] = std::numeric_limits<T>::quiet_NaN();
      CHECK(std::isnan(run(rg::Hinge{}, path, list.view()).value));
      CHECK(std::isnan(run(rg::SquaredHinge{}, path, list.view()).value));
      list = make<T>(Shape::spread, 1000, 5, false, 5);
      for (T& s : list.scores) s *= std::numeric_limits<T>::max() / 16;   // the differences overflow, or their squares
      const T value = run(rg::SquaredHinge{}, path, list.view()).value;
      CHECK_FALSE(std::isfinite(value));
    }
}

TEST_CASE("graded hinges: no signal on any path", "[pairwise][hinge]") {
  for (const Path path : {Path::automatic, Path::sorted, Path::pairs}) {
    auto list = make<double>(Shape::spread, 2000, 5, true, 7), flat = list, weightless = list;
    for (std::size_t i = 0; i < 2000; ++i) {
      flat.labels[i] = 2;
      if (list.labels[i] > 0) weightless.weights[i] = 0;
    }
    CHECK_FALSE(run(rg::Hinge{}, path, flat.view()).valid);
    CHECK_FALSE(run(rg::SquaredHinge{}, path, weightless.view()).valid);
    CHECK(run(rg::SquaredHinge{}, path, weightless.view()).gradient == std::vector<double>(2000));
    CHECK_FALSE(run(rg::Hinge{}, path, rg::ListView<double>{}).valid);
  }
}

TEST_CASE("graded hinges: the sweeps add, scale, repeat to the bit and stop allocating", "[pairwise][hinge]") {
  const auto list = make<float>(Shape::grid, 3000, 6, true, 8);
  test::check_sink<float>(3000, [&](const rg::GradientSink<float>& out, rg::Workspace& workspace) {
    return hinge::evaluate(rg::pairwise::SquaredHinge{1}, Path::sorted, rg::Normalize::mean, list.view(), out, workspace);
  });
  CHECK(run(rg::SquaredHinge{}, Path::sorted, list.view(), false).gradient == run(rg::SquaredHinge{}, Path::sorted, list.view(), true).gradient);
}
