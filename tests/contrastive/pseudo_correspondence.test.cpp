#include <rankgrad/local_features/pseudo_correspondence.hpp>

#include "support/catch.hpp"

#include <rankgrad/core/combinators.hpp>
#include <rankgrad/core/random.hpp>

#include <cmath>
#include <limits>
#include <vector>

namespace rg = rankgrad;

namespace {
std::vector<double> random_values(std::size_t n, std::uint64_t seed) {
  rg::Random random(seed);
  std::vector<double> v(n);
  for (double& x : v) x = static_cast<float>(random.normal());
  return v;
}
struct Images {
  // Two clusters. Patches 0, 1, 3, 4 of a are anchors, of the clusters 0, 1, 0, 0; the candidates of cluster 0 are
  // v = 0, 1, 2, of cluster 1 only v = 3.
  std::vector<double> importance{.5, .4, .1, .2, .3};
  std::vector<double> plan_a{.9, .2, .9, .8, .5,    // equal in the last: the first cluster
                             .1, .8, .1, .2, .5};
  std::vector<double> plan_b{.9, .5, .2, .1,
                             .1, .0, .1, .9};
  std::vector<double> similarity{.90, .40, .10, .99,    // .9 / .4 = 2.25; the .99 is of another cluster
                                 .10, .10, .10, .95,    // no rival
                                 .99, .00, .00, .00,    // not important
                                 .30, .90, .45, .00,    // .9 / .45 is not above 2
                                 .20, -.1, .85, .00};   // 4.25
};
std::vector<std::pair<int, int>> select(const rg::PseudoCorrespondences& rule, const Images& i) {
  std::vector<rg::Correspondence> found(5);
  found.resize(rule.select<double>(i.importance, i.plan_a, i.plan_b, i.similarity, found));
  std::vector<std::pair<int, int>> pairs;
  for (const auto& f : found) {
    pairs.emplace_back(f.u, f.v);
    CHECK(f.similarity == i.similarity[f.u * 4 + f.v]);
  }
  return pairs;
}
using Pairs = std::vector<std::pair<int, int>>;
}  // namespace

TEST_CASE("pseudo-correspondences by hand", "[contrastive]") {
  const Images images;
  CHECK(select({}, images) == Pairs{{0, 0}, {4, 2}});
  CHECK(select({.most = 1}, images) == Pairs{{0, 0}});
  CHECK(select({.skip_first_anchor = true}, images) == Pairs{{4, 2}});
  CHECK(select({.unrivalled = true}, images) == Pairs{{0, 0}, {1, 3}, {4, 2}});
  CHECK(select({.ratio_above = 1.9}, images) == Pairs{{0, 0}, {3, 1}, {4, 2}});
  CHECK(select({.importance_above = 0.3}, images) == Pairs{{0, 0}});
  CHECK(select({.importance_above = 0.05, .unrivalled = true}, images) == Pairs{{0, 0}, {1, 3}, {2, 0}, {4, 2}});
  CHECK(select({.similarity_above = 0.85}, images) == Pairs{{0, 0}});
  CHECK(select({.assignment_above = 0.2}, images) == Pairs{{0, 0}, {3, 1}});   // v = 2 is no candidate now: .9 / .3
  CHECK(select({.assignment_above = 0.6}, images).empty());
}

TEST_CASE("pseudo-correspondences: the ratio test never divides by nothing", "[contrastive]") {
  Images images;
  for (const double second : {0.0, -0.0, -0.5, -1e-300}) {
    images.similarity[1] = images.similarity[2] = second;
    CHECK(select({}, images) == Pairs{{4, 2}});
    CHECK(select({.unrivalled = true}, images) == Pairs{{0, 0}, {1, 3}, {4, 2}});
  }
  images.similarity[1] = 0.9;   // as similar as the best
  CHECK(select({.unrivalled = true}, images) == Pairs{{1, 3}, {4, 2}});
  images.similarity[0] = std::numeric_limits<double>::quiet_NaN();   // is nobody's neighbour: .9 against -1e-300
  CHECK(select({.unrivalled = true}, images) == Pairs{{0, 1}, {1, 3}, {4, 2}});
}

TEST_CASE("pseudo-correspondences: nothing, and the contract", "[contrastive]") {
  const Images i;
  std::vector<rg::Correspondence> found(5);
  CHECK(rg::PseudoCorrespondences{}.select<double>({}, {}, {}, {}, {}) == 0);
  const auto call = [&](auto... arguments) { return rg::PseudoCorrespondences{}.select<double>(arguments...); };
  CHECK_THROWS_AS(call(i.importance, std::span(i.plan_a).first(9), i.plan_b, i.similarity, found), std::invalid_argument);
  CHECK_THROWS_AS(call(i.importance, i.plan_a, std::span(i.plan_b).first(7), i.similarity, found), std::invalid_argument);
  CHECK_THROWS_AS(call(i.importance, i.plan_a, i.plan_b, std::span(i.similarity).first(19), found), std::invalid_argument);
  CHECK_THROWS_AS(call(i.importance, i.plan_a, i.plan_b, i.similarity, std::span(found).first(4)), std::invalid_argument);
  CHECK_FALSE(rg::PseudoCorrespondences{.ratio_above = 0}.check());
  CHECK_FALSE(rg::PseudoCorrespondences{.similarity_above = std::numeric_limits<double>::quiet_NaN()}.check());
  CHECK(rg::PseudoCorrespondences{}.check());
}

TEST_CASE("cosine of correspondences by hand", "[contrastive]") {
  // Pairs (3, 4), (1, 0): cosine .6; (0, 2), (0, 5): cosine 1. Weights .9, .5; mean over two.
  const std::vector<double> features{3, 4, 0, 2, 1, 0, 0, 5}, weights{.9, .5};
  const rg::MatchedFeaturesView<double> view{.features = features, .weights = weights, .width = 2};
  std::vector<double> gradient(8), curvature(8);
  CHECK(rg::value_gradient_and_curvature(rg::CorrespondenceCosine{}, view, gradient, curvature) == Approx(0.9 * 0.4 / 2));
  // -(b^ - .6 a^) / 5 * .45 with a^ = (.6, .8): -(1 - .36, -.48) * .09; for b: -((.6, .8) - .6 (1, 0)) * .45
  const std::vector<double> slopes{-.64 * .09, .48 * .09, 0, 0, 0, -.8 * .45, 0, 0};
  for (std::size_t k = 0; k < 8; ++k) CHECK(gradient[k] == Approx(slopes[k]).margin(1e-15));
  // a: |2 * .6 + .6 (1 - 3 * .36)| / 25, |.6 (1 - 3 * .64)| / 25, times .45
  CHECK(curvature[0] == Approx(.45 * 1.152 / 25));
  CHECK(curvature[1] == Approx(.45 * .552 / 25));
  CHECK(rg::value(rg::CorrespondenceCosine{.normalize = rg::Normalize::sum}, view) == Approx(0.36));
  CHECK(rg::value(0.01 * rg::CorrespondenceCosine{}, view) == Approx(0.0018));
}

TEMPLATE_TEST_CASE("cosine of correspondences: the derivatives are those of the definition", "[contrastive]", float, double) {
  using T = TestType;
  constexpr std::size_t n = 3, d = 19;
  const auto wide = random_values(2 * n * d, 1);
  const std::vector<T> features(wide.begin(), wide.end()), weights{T(.9), T(0), T(.5)};
  std::vector<T> gradient(2 * n * d), curvature(2 * n * d);
  const T value = rg::value_gradient_and_curvature(rg::CorrespondenceCosine{}, rg::MatchedFeaturesView<T>{features, weights, d}, gradient, curvature);
  std::vector<long double> x(wide.begin(), wide.end());
  const auto defined = [&] {
    long double loss = 0;
    for (std::size_t t = 0; t < n; ++t) {
      long double ab = 0, aa = 0, bb = 0;
      for (std::size_t i = 0; i < d; ++i) {
        const long double a = x[t * d + i], b = x[(n + t) * d + i];
        ab += a * b, aa += a * a, bb += b * b;
      }
      loss += static_cast<long double>(weights[t]) / n * (1 - ab / sqrtl(aa * bb));
    }
    return loss;
  };
  const double tolerance = sizeof(T) == 4 ? 1e-6 : 1e-12;
  CHECK(static_cast<double>(value) == Approx(static_cast<double>(defined())).epsilon(tolerance));
  for (std::size_t k = 0; k < x.size(); ++k) {
    const long double rest = x[k], h = 1e-3L;
    const auto f = [&](int steps) {
      x[k] = rest + steps * h;
      const long double at = defined();
      x[k] = rest;
      return at;
    };
    const long double centre = f(0);
    const long double slope = (45 * (f(1) - f(-1)) - 9 * (f(2) - f(-2)) + (f(3) - f(-3))) / (60 * h);
    const long double bend = (270 * (f(1) + f(-1) - 2 * centre) - 27 * (f(2) + f(-2) - 2 * centre) + 2 * (f(3) + f(-3) - 2 * centre)) / (180 * h * h);
    CHECK(static_cast<double>(gradient[k]) == Approx(static_cast<double>(slope)).margin(tolerance));
    CHECK(static_cast<double>(curvature[k]) == Approx(static_cast<double>(fabsl(bend))).margin(sizeof(T) == 4 ? 1e-6 : 1e-10));
  }

  // The sink is added to, scaled; nothing allocates.
  std::vector<T> filled(2 * n * d, T(1));
  rg::Workspace workspace;
  rg::evaluate_view(rg::CorrespondenceCosine{}, rg::MatchedFeaturesView<T>{features, weights, d}, rg::GradientSink<T>{filled.data(), nullptr, T(2)}, workspace);
  for (std::size_t k = 0; k < filled.size(); ++k)
    CHECK(static_cast<double>(filled[k]) == Approx(1 + 2 * static_cast<double>(gradient[k])).epsilon(1e-6));
  CHECK(workspace.growths() == 0);
}

TEST_CASE("cosine of correspondences: no pairs, no direction, extremes, NaN, the contract", "[contrastive]") {
  rg::Workspace workspace;
  std::vector<double> gradient(8), curvature(8);
  const rg::GradientSink<double> sink{gradient.data(), curvature.data()};
  const auto view = [](const std::vector<double>& features, const std::vector<double>& weights = {}) {
    return rg::MatchedFeaturesView<double>{.features = features, .weights = weights, .width = 2};
  };
  CHECK_FALSE(rg::CorrespondenceCosine{}.value_and_gradient(rg::MatchedFeaturesView<double>{}, sink, workspace).valid);
  const std::vector<double> zero{0, 0, 1, 0, 3, 4, 0, 0}, none{0, 0}, half{0, 0, 1, 0, 3, 4, 0, 1};
  CHECK_FALSE(rg::CorrespondenceCosine{}.value_and_gradient(view(zero), sink, workspace).valid);
  CHECK_FALSE(rg::CorrespondenceCosine{}.value_and_gradient(view(half, none), sink, workspace).valid);
  CHECK(gradient == std::vector<double>(8));
  CHECK(rg::value(rg::CorrespondenceCosine{}, view(half)) == Approx(0.5));   // the pair without a direction counts
  const std::vector<double> far{1e100, -1e100, 1e-8, 1e-8, 1e100, 1e100, 1e-8, -1e-8};
  CHECK(rg::value_gradient_and_curvature(rg::CorrespondenceCosine{}, view(far), gradient, curvature) == Approx(1));
  for (const double g : gradient) CHECK(rg::is_finite(g));
  for (const double h : curvature) CHECK((rg::is_finite(h) && h >= 0));
  auto broken = half;
  broken[2] = std::numeric_limits<double>::quiet_NaN();
  CHECK_FALSE(rg::is_finite(rg::value(rg::CorrespondenceCosine{}, view(broken))));
  const std::vector<double> odd{1, 2, 3, 4, 5, 6}, negative{-1, 1}, three{1, 1, 1};
  CHECK_THROWS_AS(rg::value(rg::CorrespondenceCosine{}, view(odd)), std::invalid_argument);
  CHECK_THROWS_AS(rg::value(rg::CorrespondenceCosine{}, view(half, negative)), std::invalid_argument);
  CHECK_THROWS_AS(rg::value(rg::CorrespondenceCosine{}, view(half, three)), std::invalid_argument);
}
