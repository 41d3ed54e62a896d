// The exponential loss over pairs: by hand, against the pair engine, wide lists.
#include "properties/oracles/pairwise.hpp"

#include <rankgrad/auc/mann_whitney.hpp>

namespace rg = rankgrad;
using rg::PairwiseExponential;

namespace {
template <class T>
test::Result<T> by_engine(const PairwiseExponential& loss, const test::OwnedList<T>& list) {
  test::Result<T> r;
  r.gradient.assign(list.size(), T(0));
  r.curvature.assign(list.size(), T(0));
  rg::Workspace workspace;
  r.value = rg::pairwise::comparable_pairs(loss.phi(), loss.normalize, list.view(), rg::GradientSink<T>{r.gradient.data(), r.curvature.data()}, workspace).value;
  return r;
}
}  // namespace

TEST_CASE("exponential loss by hand", "[pairwise]") {
  // Two pairs, both in the wrong order: by ln 2 and by ln 6.
  const std::vector<double> scores{0, std::log(2.), std::log(6.)}, labels{1, 0, 0};
  std::vector<double> gradient(3), curvature(3);
  const rg::ListView<double> list{.scores = scores, .labels = labels};
  CHECK(rg::value_gradient_and_curvature(PairwiseExponential{}, list, gradient, curvature) == Approx((2 + 6) / 2.));
  CHECK(gradient[0] == Approx(-4));
  CHECK(gradient[1] == Approx(1));
  CHECK(gradient[2] == Approx(3));
  CHECK(curvature[0] == Approx(4));
  CHECK(rg::value(PairwiseExponential{.sigma = 2, .normalize = rg::Normalize::sum}, list) == Approx(4 + 36));
}

TEMPLATE_TEST_CASE("exponential loss without pairs, against the pairs", "[pairwise]", float, double) {
  for (const auto& options : {test::ListOptions{.weights = true}, test::ListOptions{.spread = 8}, test::ListOptions{.offset = 1000, .grades = 0}}) {
    const auto list = test::make_list<TestType>(150, 3, options);
    const PairwiseExponential loss{.sigma = 0.5};
    const auto a = test::run(loss, list), b = by_engine(loss, list);
    const double tolerance = 256;   // the engine's differences are rounded to T
    CHECK(static_cast<double>(a.value) == Approx(static_cast<double>(b.value)).epsilon(sizeof(TestType) == 4 ? 1e-5 : 1e-13));
    test::check_close(a.gradient, b.gradient, tolerance, test::largest(b.gradient), "gradient");
    test::check_close(a.curvature, b.curvature, tolerance, test::largest(b.curvature), "curvature");
  }
}

TEST_CASE("two classes: the exponential surrogate of Mann-Whitney", "[pairwise]") {
  auto list = test::make_list<double>(40, 3, {.grades = 2, .weights = true});
  std::vector<double> a(40), b(40);
  CHECK(rg::value_and_gradient(PairwiseExponential{.sigma = 2}, list.view(), a) ==
        Approx(rg::value_and_gradient(rg::MannWhitney{.temperature = 0.5, .surrogate = rg::Surrogate::exponential}, list.view(), b)).epsilon(1e-13));
  for (std::size_t i = 0; i < 40; ++i) CHECK(a[i] == Approx(b[i]).epsilon(1e-12));
}

TEST_CASE("wide lists: only what is too large overflows", "[pairwise]") {
  // Scores 2000 apart, yet every pair in the right order or nearly so: 700 in the wrong order, which a double holds.
  const std::vector<double> scores{1000, 200, 900, -1000}, labels{3, 2, 1, 0};
  std::vector<double> gradient(4), curvature(4);
  const double worst = std::exp(700.);
  CHECK(rg::value_gradient_and_curvature(PairwiseExponential{.normalize = rg::Normalize::sum}, rg::ListView<double>{.scores = scores, .labels = labels}, gradient,
                                         curvature) == Approx(worst).epsilon(1e-12));
  CHECK(gradient[1] == Approx(-worst).epsilon(1e-12));
  CHECK(gradient[2] == Approx(worst).epsilon(1e-12));
  CHECK(gradient[0] == Approx(-std::exp(-100.)).epsilon(1e-12));   // nothing of the huge pair
  CHECK(gradient[3] == 0.0);
  // The two ways agree where both apply: one far item in the last place makes the list wide.
  auto near = test::make_list<double>(60, 5, {.weights = true}), wide = near;
  wide.scores.push_back(-1e4), wide.labels.push_back(-1), wide.weights.push_back(1), wide.easiness.push_back(1);
  const auto sum = PairwiseExponential{.normalize = rg::Normalize::sum};
  const auto a = test::run(sum, near), b = test::run(sum, wide);
  CHECK(b.value == Approx(a.value).epsilon(1e-13));
  for (std::size_t i = 0; i < 60; ++i) CHECK(b.gradient[i] == Approx(a.gradient[i]).epsilon(1e-12));
}

TEST_CASE("hopeless scores: infinite values, never NaN", "[pairwise]") {
  const auto list = test::make_list<double>(30, 5, {.spread = 1e4});
  const auto r = test::run(PairwiseExponential{}, list);
  CHECK_FALSE(std::isnan(r.value));
  for (std::size_t i = 0; i < 30; ++i) CHECK_FALSE((std::isnan(r.gradient[i]) || std::isnan(r.curvature[i])));
}

TEST_CASE("PairwiseExponential checks its sigma", "[pairwise]") {
  CHECK_THAT(PairwiseExponential{.sigma = 0}.check().message(), contains("PairwiseExponential.sigma is 0"));
}
