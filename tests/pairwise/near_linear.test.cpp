#include "support/catch.hpp"
#include "support/derivatives.hpp"
#include "support/lists.hpp"

#include <rankgrad/auc/mann_whitney.hpp>
#include <rankgrad/core/evaluate.hpp>
#include <rankgrad/pairwise/near_linear/logistic.hpp>
#include <rankgrad/pairwise/pairwise_softmax.hpp>

#include <cmath>
#include <limits>
#include <string>

namespace rg = rankgrad;
namespace near_linear = rg::pairwise::near_linear;
using near_linear::Path;
using near_linear::Target;

namespace {

using test::Defined;

/// The definition, pair by pair, in long double.
template <class T>
Defined defined(const rg::ListView<T>& list, double sigma, Target target, rg::Normalize normalize) {
  const std::size_t n = list.size();
  Defined d{0, std::vector<long double>(n), std::vector<long double>(n)};
  long double weight = 0;
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) {
      const bool above = target == Target::two_classes ? list.labels[i] > T(0) && !(list.labels[j] > T(0)) : list.labels[i] > list.labels[j];
      if (!above) continue;
      const long double w = static_cast<long double>(list.weight(i)) * static_cast<long double>(list.weight(j));
      const long double x = static_cast<long double>(sigma) * (static_cast<long double>(list.scores[i]) - static_cast<long double>(list.scores[j]));
      const long double e = expl(-fabsl(x)), pull = w * sigma * (x >= 0 ? e : 1.0L) / (1 + e), bend = w * sigma * sigma * e / ((1 + e) * (1 + e));
      weight += w;
      d.value += w * (fmaxl(-x, 0.0L) + log1pl(e));
      d.gradient[i] -= pull;
      d.gradient[j] += pull;
      d.curvature[i] += bend;
      d.curvature[j] += bend;
    }
  if (normalize == rg::Normalize::mean && weight > 0) {
    d.value /= weight;
    for (long double& g : d.gradient) g /= weight;
    for (long double& h : d.curvature) h /= weight;
  }
  return d;
}

/// The largest error over the largest value; 0 where all is below what T can hold.
template <class T>
double worst(const std::vector<T>& got, const std::vector<long double>& expected) {
  long double error = 0, top = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    error = std::max(error, fabsl(static_cast<long double>(got[i]) - expected[i]));
    top = std::max(top, fabsl(expected[i]));
    if (!rg::is_finite(got[i])) return std::numeric_limits<double>::infinity();
  }
  return top > static_cast<long double>(std::numeric_limits<T>::min()) * 1e6L ? static_cast<double>(error / top) : 0.0;
}

struct Errors {
  double value = 0, gradient = 0, curvature = 0;
  void include(const Errors& e) {
    value = std::max(value, e.value);
    gradient = std::max(gradient, e.gradient);
    curvature = std::max(curvature, e.curvature);
  }
};

/// One forced path against the definition; false where the path does not exist for this list.
template <class T>
bool compare(const rg::ListView<T>& list, const Defined& expected, double sigma, Target target, rg::Normalize normalize, Path path, Errors& errors) {
  const std::size_t n = list.size();
  std::vector<T> gradient(n), curvature(n), alone(n);
  rg::Workspace workspace;
  const auto got = near_linear::logistic<T>(list, sigma, target, normalize, {gradient.data(), curvature.data(), T(1)}, workspace, path);
  if (!got) return false;
  const auto again = near_linear::logistic<T>(list, sigma, target, normalize, {alone.data(), nullptr, T(1)}, workspace, path);
  CHECK(again->value == got->value);
  Errors e;
  const auto value = static_cast<long double>(got->value);
  if (expected.value > static_cast<long double>(std::numeric_limits<T>::min()) * 1e6L)
    e.value = static_cast<double>(fabsl(value - expected.value) / expected.value);
  if (!rg::is_finite(got->value)) e.value = std::numeric_limits<double>::infinity();
  e.gradient = std::max(worst(gradient, expected.gradient), worst(alone, expected.gradient));
  e.curvature = worst(curvature, expected.curvature);
  errors.include(e);
  return true;
}

enum class Kind { normal, ties, equal, separated, mixed_in, heavy_tails };
struct Stress {
  std::size_t n;
  Kind kind = Kind::normal;
  double spread = 1, offset = 0, temperature = 1;
  double positives = 0.5;   ///< share
  std::size_t grades = 2;
  bool weights = false;
};

template <class T>
test::OwnedList<T> make(const Stress& stress, std::uint64_t seed) {
  rg::Random random(seed, stress.n);
  test::OwnedList<T> list;
  for (std::size_t i = 0; i < stress.n; ++i) {
    double y = 0;
    if (stress.grades > 2) y = static_cast<double>(random.below(stress.grades));
    else y = random.uniform() < stress.positives ? 1 : 0;
    if (i == 0) y = static_cast<double>(stress.grades - 1);   // both classes are there
    if (i == 1) y = 0;
    double s = random.normal();
    const double other = random.normal(), wide = 2 * random.uniform() - 1, pick = random.uniform();
    if (stress.kind == Kind::heavy_tails) s /= std::max(0.05, std::abs(other));
    if (stress.kind == Kind::ties) s = std::round(2 * s) / 2;
    s *= stress.spread;
    if (stress.kind == Kind::equal) s = 0.3;
    if (stress.kind == Kind::separated) s += 40 * y;
    if (stress.kind == Kind::mixed_in && pick < 0.3) s = 1e4 * wide;
    list.scores.push_back(static_cast<T>(stress.offset + s));
    list.labels.push_back(static_cast<T>(y));
    const double w = std::pow(10.0, -2 * random.uniform());
    if (stress.weights) list.weights.push_back(static_cast<T>(i % 11 == 5 ? 0.0 : w));
  }
  return list;
}

std::vector<Stress> stress_set() {
  std::vector<Stress> set;
  for (const double spread : {1e-3, 0.1, 1.0, 3.0, 20.0, 200.0}) {
    set.push_back({.n = 300, .spread = spread});
    set.push_back({.n = 301, .kind = Kind::ties, .spread = spread, .weights = true});
    set.push_back({.n = 255, .kind = Kind::heavy_tails, .spread = spread, .offset = 1e5});
    set.push_back({.n = 400, .spread = spread, .positives = 0.01, .weights = true});
    set.push_back({.n = 320, .spread = spread, .grades = 5});
  }
  for (const double temperature : {0.01, 0.05, 0.3, 2.0, 7.3}) {
    set.push_back({.n = 300, .temperature = temperature});
    set.push_back({.n = 300, .kind = Kind::heavy_tails, .spread = 3, .offset = 1e5, .temperature = temperature, .weights = true});
    set.push_back({.n = 300, .spread = 0.02, .offset = -7, .temperature = temperature});
    set.push_back({.n = 300, .spread = 20, .temperature = temperature, .grades = 4, .weights = true});
    set.push_back({.n = 300, .kind = Kind::separated, .temperature = temperature});
  }
  set.push_back({.n = 1500, .spread = 2, .weights = true});
  set.push_back({.n = 1500, .kind = Kind::mixed_in, .spread = 1});
  set.push_back({.n = 700, .kind = Kind::mixed_in, .spread = 1, .grades = 3, .weights = true});
  set.push_back({.n = 300, .kind = Kind::equal});
  set.push_back({.n = 300, .kind = Kind::equal, .offset = 1e5, .temperature = 0.3, .weights = true});
  set.push_back({.n = 300, .kind = Kind::separated, .spread = 0.5});
  set.push_back({.n = 300, .kind = Kind::separated, .spread = 1, .offset = 1e5, .weights = true});
  set.push_back({.n = 200, .kind = Kind::separated, .spread = 1, .grades = 4});
  set.push_back({.n = 300, .spread = 0.7, .grades = 8});
  for (const std::size_t n : {2u, 3u, 4u, 7u, 8u, 9u, 15u, 16u, 17u, 31u, 33u})
    for (const bool weights : {false, true}) set.push_back({.n = n, .spread = 2, .weights = weights});
  return set;
}

std::string describe(const Stress& s) {
  return "n " + std::to_string(s.n) + ", kind " + std::to_string(static_cast<int>(s.kind)) + ", spread " + std::to_string(s.spread) +
         ", offset " + std::to_string(s.offset) + ", temperature " + std::to_string(s.temperature) + ", grades " +
         std::to_string(s.grades) + ", weights " + std::to_string(s.weights);
}

}  // namespace

TEMPLATE_TEST_CASE("near-linear pairs: every path against the definition", "[near_linear]", float, double) {
  const double bar = sizeof(TestType) == 4 ? 1e-6 : 1e-12;
  Errors over_all;
  int compared[2] = {};
  std::uint64_t seed = 40;
  for (const Stress& stress : stress_set()) {
    const auto list = make<TestType>(stress, ++seed);
    const double sigma = 1 / stress.temperature;
    const Target target = stress.grades > 2 ? Target::graded : Target::two_classes;
    const auto normalize = seed % 3 ? rg::Normalize::mean : rg::Normalize::sum;
    const Defined expected = defined(list.view(), sigma, target, normalize);
    INFO(describe(stress));
    for (const Path path : {Path::registers, Path::sorted, Path::streamed}) {
      INFO("path " << static_cast<int>(path));
      Errors e;
      compared[path != Path::registers] += compare(list.view(), expected, sigma, target, normalize, path, e);
      INFO("errors of value " << e.value << ", gradient " << e.gradient << ", curvature " << e.curvature);
      CHECK(e.value <= bar);
      CHECK(e.gradient <= bar);
      CHECK(e.curvature <= bar);
      over_all.include(e);
    }
  }
  WARN((sizeof(TestType) == 4 ? "float" : "double") << ": worst errors of value " << over_all.value << ", gradient " << over_all.gradient
                                                    << ", curvature " << over_all.curvature);
  CHECK(compared[0] > 50);
  CHECK(compared[1] == 2 * static_cast<int>(stress_set().size()));
}

TEMPLATE_TEST_CASE("near-linear pairs: bins so far out that their numbers have gaps", "[near_linear]", float, double) {
  using T = TestType;
  const double bar = sizeof(T) == 4 ? 1e-6 : 1e-12, gap = sizeof(T) == 4 ? 0x1p24 : 0x1p53;   // from here numbers are even
  std::uint64_t seed = 7;
  for (const Stress& stress : {Stress{.n = 700, .spread = gap}, Stress{.n = 700, .spread = 5 * gap, .weights = true},
                               Stress{.n = 700, .spread = 60 * gap, .grades = 4}, Stress{.n = 900, .spread = 1e20 * gap},
                               Stress{.n = 900, .spread = 1e3, .offset = 3 * gap}, Stress{.n = 900, .spread = 1e3, .offset = -6 * gap}})
    for (const Path path : {Path::sorted, Path::streamed}) {
      const auto list = make<T>(stress, ++seed);
      const Target target = stress.grades > 2 ? Target::graded : Target::two_classes;
      const Defined expected = defined(list.view(), 1, target, rg::Normalize::mean);
      Errors e;
      INFO(describe(stress) << ", path " << static_cast<int>(path));
      CHECK(compare(list.view(), expected, 1, target, rg::Normalize::mean, path, e));
      INFO("errors of value " << e.value << ", gradient " << e.gradient << ", curvature " << e.curvature);
      CHECK(e.value <= bar);
      CHECK(e.gradient <= bar);
      CHECK(e.curvature <= bar);
    }
}

TEMPLATE_TEST_CASE("near-linear pairs: what is left to the pairs", "[near_linear]", float, double) {
  using T = TestType;
  const auto list = make<T>({.n = 500, .spread = 2, .weights = true}, 3);
  std::vector<T> gradient(500, T(7));
  rg::Workspace workspace;
  const auto run = [&](const test::OwnedList<T>& l, double sigma, Target target, Path path) {
    return near_linear::logistic<T>(l.view(), sigma, target, rg::Normalize::mean, {gradient.data(), nullptr, T(1)}, workspace, path).has_value();
  };
  for (const Path path : {Path::registers, Path::sorted, Path::streamed}) {
    for (const double wild : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()})
      for (const std::size_t at : {std::size_t{0}, std::size_t{250}, std::size_t{499}}) {
        auto broken = list;
        broken.scores[at] = static_cast<T>(wild);
        CHECK_FALSE(run(broken, 1, Target::two_classes, path));
        broken = list;
        broken.labels[at] = static_cast<T>(wild);   // where nobody checked at the door
        CHECK_FALSE(run(broken, 1, Target::graded, path));
      }
    auto real = list;
    real.labels[77] = T(0.5);
    CHECK_FALSE(run(real, 1, Target::graded, path));
    real.labels[77] = T(40);
    CHECK_FALSE(run(real, 1, Target::graded, path));
    CHECK_FALSE(run(list, 1e-60, Target::two_classes, sizeof(T) == 4 ? path : Path::pairs));
    auto far = list;
    far.scores[5] = std::numeric_limits<T>::max() / 2;
    CHECK_FALSE(run(far, 0.3, Target::two_classes, path));
    auto one_class = list;
    std::fill(one_class.labels.begin(), one_class.labels.end(), T(2));
    CHECK_FALSE(run(one_class, 1, Target::graded, path));
  }
  CHECK_FALSE(run(list, 1, Target::two_classes, Path::pairs));
  auto wide = list;
  wide.scores[0] = T(1000);
  CHECK_FALSE(run(wide, 1, Target::two_classes, Path::registers));   // more bins than a register table holds
  for (const T g : gradient) CHECK(g == T(7));
}

TEMPLATE_TEST_CASE("near-linear pairs: through the losses", "[near_linear]", float, double) {
  using T = TestType;
  const double bar = sizeof(T) == 4 ? 4e-6 : 1e-12;   // the pairs, too, may be chosen: they round each difference
  rg::Workspace workspace;
  const auto check = [&](const auto& loss, const Stress& stress, Target target, double sigma) {
    const auto list = make<T>(stress, 9);
    std::vector<T> gradient(stress.n), curvature(stress.n);
    const T value = rg::value_gradient_and_curvature(loss, list.view(), gradient, curvature, T(0), workspace);
    const Defined expected = defined(list.view(), sigma, target, rg::Normalize::mean);
    CHECK(std::abs(static_cast<double>(value) - static_cast<double>(expected.value)) <= bar * static_cast<double>(expected.value));
    CHECK(worst(gradient, expected.gradient) <= bar);
    CHECK(worst(curvature, expected.curvature) <= bar);
    const std::size_t growths = workspace.growths();
    CHECK(rg::value_gradient_and_curvature(loss, list.view(), gradient, curvature, T(0), workspace) == value);
    CHECK(workspace.growths() == growths);   // warm
  };
  for (const double spread : {1.0, 30.0, 3000.0}) {
    check(rg::MannWhitney{.temperature = 0.7}, {.n = 1100, .spread = spread, .weights = true}, Target::two_classes, 1 / 0.7);
    check(rg::RankNet{.sigma = 1.3}, {.n = 900, .spread = spread, .grades = 5}, Target::graded, 1.3);
    check(rg::PairwiseCrossEntropy{}, {.n = 800, .spread = spread, .grades = 3, .weights = true}, Target::graded, 1.0);
  }
  // Labels -1 and 1, and a NaN that must be seen.
  auto list = make<T>({.n = 1000, .spread = 2}, 5);
  auto signs = list;
  for (T& y : signs.labels) y = T(2) * y - T(1);
  std::vector<T> a(1000), b(1000);
  CHECK(rg::value_and_gradient(rg::RankNet{}, signs.view(), a) == rg::value_and_gradient(rg::RankNet{}, list.view(), b));
  CHECK(a == b);
  list.scores[17] = std::numeric_limits<T>::quiet_NaN();
  CHECK_FALSE(rg::is_finite(rg::value_and_gradient(rg::MannWhitney{}, list.view(), a)));
  CHECK_FALSE(rg::is_finite(a[17]));
}

TEMPLATE_TEST_CASE("near-linear pairs: more than one piece, and far more bins than items", "[near_linear]", float, double) {
  using T = TestType;
  // Two values of the score, many times: the definition is a sum of four terms.
  const std::size_t n = 3 * near_linear::piece_size + 77;
  for (const double far : {1.0, 2e6})
    for (const Path path : {Path::registers, Path::sorted, Path::streamed}) {
      test::OwnedList<T> list;
      double count[2][2] = {};   // [label][score]
      rg::Random random(4, 1);
      for (std::size_t i = 0; i < n; ++i) {
        const std::size_t y = random.below(2), high = random.below(3) == 0;
        list.scores.push_back(static_cast<T>(high ? far : 0.25));
        list.labels.push_back(static_cast<T>(y));
        ++count[y][high];
      }
      const double score[2] = {0.25, far}, pairs = (count[0][0] + count[0][1]) * (count[1][0] + count[1][1]);
      double expected = 0, slope[2][2] = {};
      for (const std::size_t p : {0u, 1u})
        for (const std::size_t q : {0u, 1u}) {
          const double x = score[p] - score[q], e = std::exp(-std::abs(x)), f = (x < 0 ? 1 : e) / (1 + e);
          expected += count[1][p] * count[0][q] * (std::max(-x, 0.0) + std::log1p(e)) / pairs;
          slope[1][p] -= count[0][q] * f / pairs;
          slope[0][q] += count[1][p] * f / pairs;
        }
      std::vector<T> gradient(n);
      rg::Workspace workspace;
      const auto got = near_linear::logistic<T>(list.view(), 1, Target::two_classes, rg::Normalize::mean, {gradient.data(), nullptr, T(1)}, workspace, path);
      REQUIRE(got.has_value() == (path != Path::registers || far < 10));
      if (!got) continue;
      const double bar = sizeof(T) == 4 ? 1e-6 : 1e-12, top = std::max(std::abs(slope[1][0]), std::abs(slope[0][1]));
      CHECK(std::abs(static_cast<double>(got->value) - expected) <= bar * expected);
      double error = 0;
      for (std::size_t i = 0; i < n; ++i)
        error = std::max(error, std::abs(static_cast<double>(gradient[i]) - slope[list.labels[i] > T(0)][list.scores[i] != T(0.25)]));
      CHECK(error <= bar * top);
    }
}

TEMPLATE_TEST_CASE("near-linear pairs: at most 64 bytes of scratch for each score", "[near_linear][long]", float, double) {
  using T = TestType;
  // Does the loss fit into a workspace of so many bytes? It does where nothing more is asked for.
  const auto fits = [](const test::OwnedList<T>& list, Target target, Path path, bool curvature, double bytes) {
    rg::Workspace workspace;
    {
      const auto frame = workspace.frame();
      workspace.take<std::byte>(static_cast<std::size_t>(bytes));
    }
    const std::size_t growths = workspace.growths();
    std::vector<T> gradient(list.size()), bend(list.size());
    const auto got = near_linear::logistic<T>(list.view(), 1, target, rg::Normalize::mean, {gradient.data(), curvature ? bend.data() : nullptr, T(1)}, workspace, path);
    return got.has_value() && workspace.growths() == growths;
  };
  double most = 0;
  for (const std::size_t n : {std::size_t{10000}, std::size_t{100000}, std::size_t{1000000}})
    for (const double spread : {1e-3, 0.3, 3.0, 20.0, 200.0, 2e3, 2e4, 1e6})
      for (const Kind kind : {Kind::normal, Kind::mixed_in}) {
        if (n > 100000 && (kind != Kind::normal || (spread != 200.0 && spread != 1e-3))) continue;
        const bool graded = spread == 20.0, weights = kind == Kind::normal;
        const auto list = make<T>({.n = n, .kind = kind, .spread = spread, .grades = graded ? std::size_t{5} : std::size_t{2}, .weights = weights}, 3);
        INFO("n " << n << ", spread " << spread << ", kind " << static_cast<int>(kind));
        const Target target = graded ? Target::graded : Target::two_classes;
        CHECK(fits(list, target, Path::sorted, true, 64.0 * static_cast<double>(n)));
        double low = 1, high = 256;   // bytes for each score
        for (int i = 0; i < (n > 10000 ? 0 : 7); ++i) (fits(list, target, Path::sorted, true, (low + high) / 2 * static_cast<double>(n)) ? high : low) = (low + high) / 2;
        if (n == 10000) most = std::max(most, high);
      }
  WARN((sizeof(T) == 4 ? "float" : "double") << ": most bytes of scratch for a score, n = 10000: " << most);
}

TEST_CASE("near-linear pairs: the choice follows the costs", "[near_linear]") {
  for (const double n : {40.0, 200.0, 1e3, 1e5, 1e6})
    for (const double span : {1.0, 5.0, 16.0, 17.0, 100.0, 1e4}) {
      const near_linear::Shape shape{n, n * n / 4, 2, span, false};
      const Path chosen = near_linear::choose<float>(shape);
      for (const Path other : {Path::pairs, Path::registers, Path::sorted})
        if (other != Path::registers || near_linear::fits_registers(shape))
          CHECK(near_linear::predicted<float>(chosen, shape) <= near_linear::predicted<float>(other, shape));
      if (span > 16) CHECK(chosen != Path::registers);
    }
  CHECK(near_linear::choose<float>({1e6, 2.5e11, 2, 7, false}) != Path::pairs);
  CHECK(near_linear::choose<float>({32, 256, 2, 32, false}) == Path::pairs);
}
