// ApproxNDCG: numbers worked by hand, long lists, the paths that the property suite's short lists do not take, the bound.
#include "properties/oracles/listwise.hpp"

namespace rg = rankgrad;

namespace {

/// Value, gradient and the bound of the curvature in long double, straight from the formulas.
struct Defined {
  long double value = 0;
  std::vector<long double> gradient, bound;
};

template <class T>
Defined define(const rg::ApproxNdcg& loss, const test::OwnedList<T>& list) {
  const std::size_t n = list.size();
  const long double tau = static_cast<long double>(loss.temperature);
  std::vector<long double> gains(n), ranks(n, 1), slopes(n), bends(n), columns(n), bells(n);
  const auto z = [&](std::size_t j, std::size_t i) { return (static_cast<long double>(list.scores[j]) - static_cast<long double>(list.scores[i])) / tau; };
  for (std::size_t i = 0; i < n; ++i) {
    gains[i] = exp2l(std::max(static_cast<long double>(list.labels[i]), 0.0L)) - 1;
    for (std::size_t j = 0; j < n; ++j)
      if (j != i) ranks[i] += test::sigmoid(z(j, i));
  }
  std::vector<long double> sorted = gains;
  std::sort(sorted.rbegin(), sorted.rend());
  long double ideal = 0;
  for (std::size_t r = 0; r < n; ++r) ideal += sorted[r] / log2l(2 + static_cast<long double>(r));
  Defined d;
  for (std::size_t i = 0; i < n; ++i) {
    const long double y = 1 + ranks[i], log = logl(y), ln2 = logl(2);
    d.value -= gains[i] / ideal * ln2 / log;
    slopes[i] = gains[i] / ideal * ln2 / (y * log * log);
    bends[i] = slopes[i] * (1 + 2 / log) / y;
  }
  for (std::size_t k = 0; k < n; ++k)
    for (std::size_t i = 0; i < n; ++i)
      if (i != k) {
        const long double bell = test::sigmoid(z(k, i)) * test::sigmoid(z(i, k));
        columns[k] += slopes[i] * bell;
        bells[k] += bell;
      }
  for (std::size_t k = 0; k < n; ++k) {
    d.gradient.push_back((columns[k] - slopes[k] * bells[k]) / tau);
    d.bound.push_back((1.5L * columns[k] + slopes[k] * bells[k] + bends[k] * bells[k] * bells[k]) / (tau * tau));
  }
  return d;
}

template <class T>
void check_long(const rg::ApproxNdcg& loss, const test::OwnedList<T>& list, double tolerance) {
  const Defined expected = define(loss, list);
  const test::Result<T> got = test::run(loss, list);
  CHECK(static_cast<double>(got.value) == Approx(static_cast<double>(expected.value)).epsilon(tolerance));
  const double unit = tolerance / static_cast<double>(std::numeric_limits<T>::epsilon());
  test::check_close(got.gradient, expected.gradient, unit, test::largest(expected.gradient), "gradient");
  test::check_close(got.curvature, expected.bound, unit, test::largest(expected.bound), "curvature");
}

}  // namespace

TEST_CASE("ApproxNdcg by hand", "[approx_ndcg]") {
  // Two items one apart at T = 1, the relevant one below: r = 1 + sigma(1), y = 1 + r, L = -ln 2 / ln y.
  const double scores[] = {1, 0}, labels[] = {0, 1};
  double gradient[2];
  const double s = 1 / (1 + std::exp(-1.0)), y = 2 + s;
  const double value = rg::value_and_gradient(rg::ApproxNdcg{.temperature = 1}, rg::ListView<double>{.scores = scores, .labels = labels}, gradient);
  CHECK(value == Approx(-std::log(2) / std::log(y)).epsilon(1e-14));
  CHECK(gradient[0] == Approx(std::log(2) / (y * std::log(y) * std::log(y)) * s * (1 - s)).epsilon(1e-13));
  CHECK(gradient[1] == Approx(-gradient[0]).epsilon(1e-13));
}

TEST_CASE("ApproxNdcg tends to -NDCG as the temperature falls", "[approx_ndcg]") {
  const auto list = test::make_list<double>(50, 3);
  CHECK(rg::value(rg::ApproxNdcg{.temperature = 1e-6}, list.view()) == Approx(-rg::value(rg::Ndcg{}, list.view())).epsilon(1e-6));
}

TEST_CASE("ApproxNdcg on one item, and without relevant items", "[approx_ndcg]") {
  const float scores[] = {3}, relevant[] = {2}, not_relevant[] = {-1};
  float gradient[] = {7};
  CHECK(rg::value_and_gradient(rg::ApproxNdcg{}, rg::ListView<float>{.scores = scores, .labels = relevant}, gradient) == -1.0f);
  CHECK(gradient[0] == 0.0f);
  CHECK(rg::value_and_gradient(rg::ApproxNdcg{}, rg::ListView<float>{.scores = scores, .labels = not_relevant}, gradient) == 0.0f);
}

TEMPLATE_TEST_CASE("ApproxNdcg on long lists, by pairs and by the grid", "[approx_ndcg][long]", float, double) {
  using Path = rg::listwise::RankPath;
  const double tolerance = sizeof(TestType) == 4 ? 1e-6 : 1e-13;
  const auto heavy_tails = [](std::size_t n) {   // Cauchy: most bins of the grid hold one item or none
    auto list = test::make_list<TestType>(n, 8);
    rg::Random random(9);
    for (TestType& s : list.scores) s = static_cast<TestType>(static_cast<float>(static_cast<double>(s) / std::max(0.01, std::abs(random.normal()))));
    return list;
  };
  for (const auto path : {Path::pairs, Path::grid})
    for (const double temperature : {1.0, 0.1, 0.01, 7.3}) {
      for (const auto& options : {test::ListOptions{}, test::ListOptions{.tied_scores = true}, test::ListOptions{.offset = 1000},
                                  test::ListOptions{.spread = 30}, test::ListOptions{.spread = 1e-3}}) {
        INFO("T " << temperature << ", spread " << options.spread << ", offset " << options.offset << ", ties " << options.tied_scores
                  << (path == Path::grid ? ", grid" : ", pairs"));
        check_long(rg::ApproxNdcg{.temperature = temperature, .path = path}, test::make_list<TestType>(501, 5, options), tolerance);
      }
      INFO("T " << temperature << ", heavy tails" << (path == Path::grid ? ", grid" : ", pairs"));
      check_long(rg::ApproxNdcg{.temperature = temperature, .path = path}, heavy_tails(500), tolerance);
    }
}

TEMPLATE_TEST_CASE("the grid on the shortest lists, and across its pieces", "[approx_ndcg][long]", float, double) {
  using Path = rg::listwise::RankPath;
  for (const std::size_t n : {2u, 3u, 7u, 8u, 9u, 33u})
    check_long(rg::ApproxNdcg{.temperature = 0.3, .path = Path::grid}, test::make_list<TestType>(n, 2), sizeof(TestType) == 4 ? 1e-6 : 1e-13);
  const auto list = test::make_list<TestType>(40000, 4, {.grades = 2});   // three pieces; the definition would take minutes
  const auto wide = test::run(rg::ApproxNdcg{.temperature = 0.2, .path = Path::pairs}, list.template as<double>());
  for (const double temperature : {0.2})
    for (const auto path : {Path::grid, Path::automatic}) {
      const auto got = test::run(rg::ApproxNdcg{.temperature = temperature, .path = path}, list);
      CHECK(static_cast<double>(got.value) == Approx(wide.value).epsilon(1e-6));
      test::check_close(got.gradient, wide.gradient, sizeof(TestType) == 4 ? 8 : 1e3, test::largest(wide.gradient), "gradient");
      test::check_close(got.curvature, wide.curvature, sizeof(TestType) == 4 ? 8 : 1e3, test::largest(wide.curvature), "curvature");
    }
}

TEST_CASE("the curvature of ApproxNdcg bounds the second derivative", "[approx_ndcg]") {
  for (const double temperature : {0.3, 1.0, 4.0}) {
    const rg::ApproxNdcg loss{.temperature = temperature};
    for (const std::uint64_t seed : {1u, 2u, 3u}) {
      const auto list = test::make_list<double>(30, seed);
      const auto bound = test::run(loss, list).curvature;
      const auto second = test::definition_curvature(loss, test::Definition::of(list));
      for (std::size_t i = 0; i < bound.size(); ++i) CHECK(bound[i] >= static_cast<double>(fabsl(second[i])) - 1e-9);
    }
  }
}
