#include <rankgrad/triplet/euclidean_triplet.hpp>

#include "support/catch.hpp"

#include <rankgrad/core/combinators.hpp>
#include <rankgrad/core/random.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace rg = rankgrad;

namespace {
template <class T>
struct Triplets {
  std::vector<T> anchors, positives, negatives, weights;
  std::size_t width;
  auto view() const { return rg::TripletVectorsView<T>{anchors, positives, negatives, weights, width}; }
  template <class U>
  Triplets<U> as() const {
    const auto copy = [](const std::vector<T>& v) { return std::vector<U>(v.begin(), v.end()); };
    return {copy(anchors), copy(positives), copy(negatives), copy(weights), width};
  }
  T& at(std::size_t k) {
    if (k < anchors.size()) return anchors[k];
    k -= anchors.size();
    return k < positives.size() ? positives[k] : negatives[k - positives.size()];
  }
};
Triplets<double> make(std::size_t n, std::size_t each, std::size_t d, double spread = 1) {
  rg::Random random(d, n);
  Triplets<double> t{std::vector<double>(n * d), std::vector<double>(n * d), std::vector<double>(n * each * d), {}, d};
  for (std::size_t k = 0; k < (2 + each) * n * d; ++k) t.at(k) = static_cast<float>(spread * random.normal());
  for (std::size_t i = 0; i < n; ++i) t.weights.push_back(static_cast<float>(0.5 + random.uniform()));
  return t;
}
/// Only the triplets `active` count, if given: the kink held still; `negative_sign` +1 turns h's bound into a slope's slope.
long double defined(const rg::EuclideanTriplet& loss, const Triplets<long double>& t, double negative_sign = -1,
                    const std::vector<bool>* active = nullptr, std::vector<bool>* found = nullptr) {
  const std::size_t n = t.weights.size(), d = t.width, each = t.negatives.size() / t.anchors.size();
  long double sum = 0, weights = 0;
  for (std::size_t i = 0; i < n; ++i) {
    weights += t.weights[i];
    for (std::size_t j = 0; j < each; ++j) {
      long double p = 0, q = 0;
      for (std::size_t c = 0; c < d; ++c) {
        const long double a = t.anchors[i * d + c] + loss.epsilon;
        p += powl(a - t.positives[i * d + c], 2);
        q += powl(a - t.negatives[(i * each + j) * d + c], 2);
      }
      const bool on = loss.margin + sqrtl(p) - sqrtl(q) > 0;
      if (found) found->push_back(on);
      if (active ? (*active)[i * each + j] : on) sum += t.weights[i] * (loss.margin + sqrtl(p) + negative_sign * sqrtl(q));
    }
  }
  return loss.normalize == rg::Normalize::mean ? sum / (weights * static_cast<long double>(each)) : sum;
}
}  // namespace

TEST_CASE("Euclidean triplet by hand", "[triplet]") {
  // Distances 5 and 13; 5 and 3: with margin 1 the first triplet is inactive, the second has 1 + 5 - 3 = 3.
  const std::vector<double> a{0, 0}, p{3, 4}, n{5, 12, 0, -3};
  const rg::TripletVectorsView<double> view{.anchors = a, .positives = p, .negatives = n, .width = 2};
  const rg::EuclideanTriplet loss{.margin = 1, .epsilon = 0};
  std::vector<double> gradient(8), curvature(8);
  CHECK(rg::value_gradient_and_curvature(loss, view, gradient, curvature) == Approx(3));
  // u = (-.6, -.8), v = (0, 1)
  const std::vector<double> slopes{-.6, -1.8, .6, .8, 0, 0, 0, 1}, bends{.64 / 5 + 1 / 3.0, .36 / 5, .64 / 5, .36 / 5, 0, 0, 1 / 3.0, 0};
  for (std::size_t k = 0; k < 8; ++k) {
    CHECK(gradient[k] == Approx(slopes[k]).margin(1e-15));
    CHECK(curvature[k] == Approx(bends[k]).margin(1e-15));
  }
  CHECK(rg::value(rg::EuclideanTriplet{.margin = 1, .epsilon = 0, .normalize = rg::Normalize::mean}, view) == Approx(1.5));
  CHECK(rg::value(rg::EuclideanTriplet{.margin = -2, .epsilon = 0}, view) == 0.0);   // at the kink
  CHECK(rg::value_and_gradient(rg::EuclideanTriplet{.margin = -2, .epsilon = 0}, view, gradient) == 0.0);
  CHECK(gradient == std::vector<double>(8));
}

TEST_CASE("Euclidean triplet: epsilon gives equal vectors a direction", "[triplet]") {
  const std::vector<double> a{1, 2, 3, 4};
  const rg::TripletVectorsView<double> view{.anchors = a, .positives = a, .negatives = a, .width = 4};
  std::vector<double> gradient(12), curvature(12);
  CHECK(rg::value_gradient_and_curvature(rg::EuclideanTriplet{}, view, gradient, curvature) == Approx(0.1));
  for (std::size_t c = 0; c < 4; ++c) {
    CHECK(gradient[c] == Approx(0).margin(1e-9));
    CHECK(gradient[4 + c] == Approx(-0.5));
    CHECK(gradient[8 + c] == Approx(0.5));
  }
  CHECK(rg::value_gradient_and_curvature(rg::EuclideanTriplet{.epsilon = 0}, view, gradient, curvature) == Approx(0.1));
  CHECK(gradient == std::vector<double>(12));
  CHECK(curvature == std::vector<double>(12));
}

TEMPLATE_TEST_CASE("Euclidean triplet: the derivatives are those of the definition", "[triplet]", float, double) {
  using T = TestType;
  for (const auto& loss : {rg::EuclideanTriplet{}, rg::EuclideanTriplet{.margin = 1, .epsilon = 0.01, .normalize = rg::Normalize::mean}})
    for (const std::size_t d : {std::size_t{1}, std::size_t{3}, std::size_t{17}}) {
      const auto wide = make(5, 2, d);
      const auto t = wide.as<T>();
      auto exact = wide.as<long double>();
      const std::size_t size = rg::gradient_size(t.view());
      std::vector<T> gradient(size), curvature(size), alone(size);
      const T value = rg::value_gradient_and_curvature(loss, t.view(), gradient, curvature);
      CHECK(rg::value_and_gradient(loss, t.view(), alone) == value);
      CHECK(alone == gradient);
      std::vector<bool> active;
      const double tolerance = sizeof(T) == 4 ? 1e-5 : 1e-9;
      CHECK(static_cast<double>(value) == Approx(static_cast<double>(defined(loss, exact, -1, nullptr, &active))).epsilon(tolerance));
      CHECK(std::find(active.begin(), active.end(), true) != active.end());
      for (std::size_t k = 0; k < size; ++k) {
        const long double rest = exact.at(k), h = 1e-3L;
        const auto f = [&](int steps, double sign) {
          exact.at(k) = rest + steps * h;
          const long double at = defined(loss, exact, sign, &active);
          exact.at(k) = rest;
          return at;
        };
        const long double slope = (45 * (f(1, -1) - f(-1, -1)) - 9 * (f(2, -1) - f(-2, -1)) + (f(3, -1) - f(-3, -1))) / (60 * h);
        CHECK(static_cast<double>(gradient[k]) == Approx(static_cast<double>(slope)).epsilon(1e-6).margin(tolerance));
        const long double centre = f(0, 1), bend = (270 * (f(1, 1) + f(-1, 1) - 2 * centre) - 27 * (f(2, 1) + f(-2, 1) - 2 * centre) +
                                                    2 * (f(3, 1) + f(-3, 1) - 2 * centre)) / (180 * h * h);
        CHECK(static_cast<double>(curvature[k]) == Approx(static_cast<double>(bend)).epsilon(1e-4).margin(1e2 * tolerance));
      }

      // The sink is added to, scaled; nothing allocates.
      std::vector<T> filled(size, T(1));
      rg::Workspace workspace;
      rg::evaluate_view(loss, t.view(), rg::GradientSink<T>{filled.data(), nullptr, T(2)}, workspace);
      for (std::size_t k = 0; k < size; ++k)
        CHECK(static_cast<double>(filled[k]) == Approx(1 + 2 * static_cast<double>(gradient[k])).epsilon(1e-5).margin(1e-5));
      CHECK(workspace.growths() == 0);
    }
}

TEST_CASE("Euclidean triplet: weights, nothing, extremes, NaN, the contract", "[triplet]") {
  auto t = make(4, 2, 5);
  auto one = t, none = t;
  one.weights.assign(4, 1.0);
  none.weights.clear();
  CHECK(rg::value(rg::EuclideanTriplet{}, one.view()) == rg::value(rg::EuclideanTriplet{}, none.view()));
  CHECK(rg::value(0.5 * rg::EuclideanTriplet{}, t.view()) == Approx(0.5 * rg::value(rg::EuclideanTriplet{}, t.view())));
  one.weights.assign(4, 0.0);
  rg::Workspace workspace;
  std::vector<double> gradient(80), curvature(80);
  const rg::GradientSink<double> sink{gradient.data(), curvature.data()};
  CHECK_FALSE(rg::EuclideanTriplet{}.value_and_gradient(one.view(), sink, workspace).valid);
  CHECK_FALSE(rg::EuclideanTriplet{}.value_and_gradient(rg::TripletVectorsView<double>{}, sink, workspace).valid);
  CHECK_FALSE(rg::EuclideanTriplet{}.value_and_gradient(rg::TripletVectorsView<double>{.anchors = t.anchors, .positives = t.positives, .width = 5}, sink, workspace).valid);
  CHECK(gradient == std::vector<double>(80));
  for (const double spread : {1e4, 1e15, 1e-30}) {
    const auto far = make(4, 2, 5, spread).as<float>();
    std::vector<float> g(80), h(80);
    CHECK(rg::is_finite(rg::value_gradient_and_curvature(rg::EuclideanTriplet{}, far.view(), g, h)));
    for (std::size_t k = 0; k < 80; ++k) CHECK((rg::is_finite(g[k]) && rg::is_finite(h[k]) && h[k] >= 0.0f));
  }
  t.negatives[7] = std::numeric_limits<double>::quiet_NaN();
  CHECK_FALSE(rg::is_finite(rg::value(rg::EuclideanTriplet{}, t.view())));
  t.weights[1] = -1;
  CHECK_THROWS_AS(rg::value(rg::EuclideanTriplet{}, t.view()), std::invalid_argument);
  none.negatives.pop_back();
  CHECK_THROWS_AS(rg::value(rg::EuclideanTriplet{}, none.view()), std::invalid_argument);
  CHECK_FALSE(rg::EuclideanTriplet{.epsilon = -1}.check());
  CHECK_FALSE(rg::EuclideanTriplet{.margin = std::numeric_limits<double>::infinity()}.check());
}
