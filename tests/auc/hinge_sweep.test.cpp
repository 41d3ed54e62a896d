// The hinges of Mann-Whitney: pairs and sweep against the literal definition in long double, both paths forced.
#include "support/catch.hpp"
#include "support/lists.hpp"

#include <rankgrad/auc/mann_whitney.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace rg = rankgrad;
using rg::auc::HingePath;

namespace {

struct Setting {
  double margin = 1, temperature = 1;
  rg::Normalize normalize = rg::Normalize::mean;
};

template <class T>
struct Result {
  rg::Contribution<T> part;
  std::vector<T> gradient, curvature;
};

template <bool squared, class T>
Result<T> run(const Setting& s, HingePath path, const rg::ListView<T>& list, T scale = T(1)) {
  rg::Workspace workspace;
  Result<T> r{{}, std::vector<T>(list.size()), std::vector<T>(list.size())};
  r.part = rg::auc::hinge_sweep<squared>(list, s.margin, s.temperature, s.normalize,
                                         rg::GradientSink<T>{r.gradient.data(), r.curvature.data(), scale}, workspace, path);
  return r;
}

template <bool squared, class T>
void check_against_definition(const Setting& s, HingePath path, const rg::ListView<T>& list, long double tolerance) {
  const std::size_t n = list.size();
  const long double tau = s.temperature, shift = s.margin * s.temperature;
  long double value = 0, weight = 0, top = 0, top_curvature = 0, off = 0, off_curvature = 0;
  std::vector<long double> gradient(n), curvature(n);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t k = 0; k < n; ++k) {
      if (!(list.labels[i] > T(0)) || list.labels[k] > T(0)) continue;
      const long double w = static_cast<long double>(list.weight(i)) * static_cast<long double>(list.weight(k));
      const long double v = (shift - (static_cast<long double>(list.scores[i]) - static_cast<long double>(list.scores[k]))) / tau;
      weight += w;
      if (v <= 0) continue;
      const long double slope = (squared ? 2 * w * v : w) / tau, bend = squared ? 2 * w / (tau * tau) : 0;
      value += squared ? w * v * v : w * v;
      gradient[i] -= slope, gradient[k] += slope;
      curvature[i] += bend, curvature[k] += bend;
    }
  const Result<T> r = run<squared>(s, path, list);
  REQUIRE(r.part.valid == (weight > 0));
  if (!(weight > 0)) return;
  const long double factor = s.normalize == rg::Normalize::mean ? 1 / weight : 1;
  for (std::size_t i = 0; i < n; ++i) {
    top = std::max(top, std::abs(factor * gradient[i]));
    top_curvature = std::max(top_curvature, factor * curvature[i]);
    off = std::max(off, std::abs(static_cast<long double>(r.gradient[i]) - factor * gradient[i]));
    off_curvature = std::max(off_curvature, std::abs(static_cast<long double>(r.curvature[i]) - factor * curvature[i]));
  }
  CHECK(std::abs(static_cast<long double>(r.part.value) - factor * value) <= tolerance * factor * value);
  CHECK(off <= tolerance * top);
  CHECK(off_curvature <= tolerance * top_curvature);
}

template <class T>
test::OwnedList<T> make(std::size_t n, double positives, bool weights, double grid, double offset) {
  auto list = test::make_list<T>(n, 3 * n + 1, {.spread = 1.5, .grades = 2, .weights = weights});
  rg::Random random(n, 5);
  for (std::size_t i = 0; i < n; ++i) {
    list.labels[i] = T(i == 0 || (i > 1 && random.uniform() < positives));
    const double s = static_cast<double>(list.scores[i]);
    list.scores[i] = static_cast<T>(offset + (grid > 0 ? grid * std::round(s / grid) : s));
    if (weights) list.weights[i] = i < 2 ? T(1) : static_cast<T>(0.5) * static_cast<T>(random.below(4));   // some 0
  }
  return list;
}

}  // namespace

TEMPLATE_TEST_CASE("Mann-Whitney hinges: pairs and sweep against the definition", "[auc][hinge]", float, double) {
  using T = TestType;
  constexpr bool narrow = sizeof(T) == 4;
  constexpr std::size_t block = rg::auc::HingeBlock<T>::size, rows = rg::auc::HingeBlock<T>::rows;
  for (const std::size_t n : {std::size_t{2}, std::size_t{3}, rows, rows + 1, std::size_t{33}, block - 1, block, block + 1, 3 * block + rows + 5, std::size_t{1100}})
    for (const double positives : {0.02, 0.5, 0.97})
      for (const bool weights : {false, true})
        for (const double grid : {0.0, 0.125, 100.0})
          for (const Setting& s : {Setting{}, Setting{0.25, 0.5, rg::Normalize::sum}, Setting{0, 2}, Setting{40, 0.25}}) {
            const auto list = make<T>(n, positives, weights, grid, grid > 1 ? 0 : 64);
            INFO("n " << n << ", positives " << positives << ", weights " << weights << ", grid " << grid << ", margin " << s.margin);
            for (const HingePath path : {HingePath::pairs, HingePath::sweep, HingePath::automatic}) {
              check_against_definition<false>(s, path, list.view(), narrow ? 4e-7L : 1e-12L);
              check_against_definition<true>(s, path, list.view(), narrow ? 4e-7L : 1e-12L);
            }
          }
}

TEMPLATE_TEST_CASE("Mann-Whitney hinges: pairs and sweep decide alike at every kink", "[auc][hinge]", float, double) {
  // Multiples of 0.1 and margins of 0.1: differences that round to the margin, on either side of it.
  using T = TestType;
  for (const double margin : {0.0, 0.1, 0.3, 1.0})
    for (const double offset : {0.0, 17.3, 1e4}) {
      const auto list = make<T>(300, 0.4, false, 0.1, offset);
      const Setting s{margin, 1, rg::Normalize::sum};
      INFO("margin " << margin << ", offset " << offset);
      CHECK(run<false>(s, HingePath::pairs, list.view()).gradient == run<false>(s, HingePath::sweep, list.view()).gradient);   // whole numbers
      CHECK(run<true>(s, HingePath::pairs, list.view()).curvature == run<true>(s, HingePath::sweep, list.view()).curvature);
    }
}

TEMPLATE_TEST_CASE("Mann-Whitney hinges: scores that are not finite, no signal, scale", "[auc][hinge]", float, double) {
  using T = TestType;
  for (const HingePath path : {HingePath::pairs, HingePath::sweep, HingePath::automatic})
    for (const std::size_t n : {20u, 500u}) {
      auto list = make<T>(n, 0.4, false, 0, 0);
      const auto once = run<true>({}, path, list.view()), twice = run<true>({}, path, list.view(), T(2));
      for (std::size_t i = 0; i < n; ++i) {
        CHECK(twice.gradient[i] == 2 * once.gradient[i]);
        CHECK(twice.curvature[i] == 2 * once.curvature[i]);
      }
      for (const T bad : {std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::infinity()})
        for (const std::size_t where : {std::size_t{0}, std::size_t{1}, n - 1}) {
          auto broken = list;
          broken.scores[where] = bad;
          CHECK(std::isnan(run<false>({}, path, broken.view()).part.value));
          CHECK(std::isnan(run<true>({}, path, broken.view()).part.value));
        }
      for (T& y : list.labels) y = T(1);
      CHECK_FALSE(run<true>({}, path, list.view()).part.valid);
      CHECK_FALSE(run<true>({}, path, rg::ListView<T>{}).part.valid);
    }
}
