#include <rankgrad/contrastive/orthogonality.hpp>

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
double defined(const std::vector<double>& a, std::size_t m, std::size_t d) {
  long double value = 0;
  for (std::size_t k = 0; k < m; ++k)
    for (std::size_t l = 0; l < m; ++l) {
      long double dot = 0, kk = 0, ll = 0;
      for (std::size_t i = 0; i < d; ++i) dot += a[k * d + i] * a[l * d + i], kk += a[k * d + i] * a[k * d + i], ll += a[l * d + i] * a[l * d + i];
      const long double c = dot / sqrtl(kk * ll) - (k == l);
      value += c * c;
    }
  return static_cast<double>(value);
}
}  // namespace

TEST_CASE("orthogonality by hand", "[contrastive]") {
  // Cosine 0.6 of (1, 0) and (3, 4): 2 * 0.36.
  const std::vector<double> a{1, 0, 3, 4};
  std::vector<double> gradient(4), curvature(4);
  CHECK(rg::value_gradient_and_curvature(rg::Orthogonality{}, rg::VectorsView<double>{a, 2}, gradient, curvature) == Approx(0.72));
  // 4 c (u_l - c u_k) / |a_k|
  CHECK(gradient[0] == Approx(0.0).margin(1e-15));
  CHECK(gradient[1] == Approx(4 * 0.6 * 0.8));
  CHECK(gradient[2] == Approx(4 * 0.6 * (1 - 0.36) / 5));
  CHECK(gradient[3] == Approx(4 * 0.6 * (-0.48) / 5));
  CHECK(curvature[1] == Approx(4 * 0.64));
  CHECK(curvature[2] == Approx(4 * 0.64 * 0.64 / 25));
}

TEMPLATE_TEST_CASE("orthogonality is its definition, and its gradient the slope", "[contrastive]", float, double) {
  using T = TestType;
  for (const std::size_t m : {std::size_t{2}, std::size_t{4}})
    for (const std::size_t d : {std::size_t{1}, std::size_t{7}, std::size_t{33}}) {
      auto a = random_values(m * d, m + d);
      const std::vector<T> narrow(a.begin(), a.end());
      std::vector<T> gradient(m * d);
      const T value = rg::value_and_gradient(rg::Orthogonality{}, rg::VectorsView<T>{narrow, d}, gradient);
      INFO("m " << m << ", d " << d);
      CHECK(static_cast<double>(value) == Approx(defined(a, m, d)).epsilon(sizeof(T) == 4 ? 1e-5 : 1e-12));
      for (std::size_t i = 0; i < m * d; ++i) {
        const double rest = a[i], h = 1e-4;
        const auto f = [&](int steps) {
          a[i] = rest + steps * h;
          const double v = defined(a, m, d);
          a[i] = rest;
          return v;
        };
        if (d > 1) CHECK(static_cast<double>(gradient[i]) == Approx((8 * (f(1) - f(-1)) - (f(2) - f(-2))) / (12 * h)).margin(sizeof(T) == 4 ? 1e-5 : 1e-8));
      }
    }
}

TEST_CASE("orthogonality: zero vectors, one vector, none, extremes, the sink", "[contrastive]") {
  const std::vector<float> zero{0, 0, 3, 4, 4, 3}, far{1e15f, 0, 1e15f, 1e-15f};
  std::vector<float> gradient(6), extreme(4);
  CHECK(rg::value_and_gradient(rg::Orthogonality{}, rg::VectorsView<float>{zero, 2}, gradient) == Approx(2 * 0.96 * 0.96));
  CHECK(gradient[0] == 0.0f);
  CHECK(gradient[1] == 0.0f);
  CHECK(gradient[2] != 0.0f);
  CHECK(rg::value_and_gradient(rg::Orthogonality{}, rg::VectorsView<float>{far, 2}, extreme) == 2.0f);
  for (const float g : extreme) CHECK(rg::is_finite(g));
  rg::Workspace workspace;
  CHECK_FALSE(rg::Orthogonality{}.value_and_gradient(rg::VectorsView<float>{std::span(zero).first(2), 2}, rg::GradientSink<float>{gradient.data()}, workspace).valid);
  CHECK(rg::value(rg::Orthogonality{}, rg::VectorsView<float>{}) == 0.0f);
  CHECK_THROWS_AS(rg::value(rg::Orthogonality{}, rg::VectorsView<float>{zero, 4}), std::invalid_argument);

  const auto a = random_values(20, 1);
  const rg::VectorsView<double> view{a, 5};
  std::vector<double> base(20), sum(20, 1.0);
  const double value = rg::value_and_gradient(rg::Orthogonality{}, view, base);
  rg::Orthogonality{}.value_and_gradient(view, rg::GradientSink<double>{sum.data(), nullptr, 0.5}, workspace);
  for (std::size_t i = 0; i < 20; ++i) CHECK(sum[i] == Approx(1 + base[i] / 2));
  const std::size_t warm = workspace.growths();
  rg::Orthogonality{}.value_and_gradient(view, rg::GradientSink<double>{sum.data(), nullptr, 0.5}, workspace);
  CHECK(workspace.growths() == warm);
  CHECK(rg::value(0.25 * rg::Orthogonality{}, view) == Approx(0.25 * value));
}

TEST_CASE("anchor scores and their gradients", "[contrastive]") {
  // Two views, two passages: ((1, 2).(1, 0) + (0, 1).(3, 4)) / 2 = 2.5, ((1, 2).(0, 1) + (0, 1).(2, 2)) / 2 = 2.
  const std::vector<double> anchors{1, 2, 0, 1}, vectors{1, 0, 3, 4, 0, 1, 2, 2}, upstream{2, -4};
  std::vector<double> scores(2), to_anchors(4, 1.0), to_vectors(8, 0.0);
  const rg::VectorsView<double> view{anchors, 2};
  rg::anchor_scores<double>(view, vectors, scores);
  CHECK(scores == std::vector<double>{2.5, 2});
  rg::add_anchor_score_gradient<double>(view, vectors, upstream, to_anchors, to_vectors);
  CHECK(to_anchors == std::vector<double>{2, -1, 1 + 3 - 4, 1 + 4 - 4});
  CHECK(to_vectors == std::vector<double>{1, 2, 0, 1, -2, -4, 0, -2});
  rg::add_anchor_score_gradient<double>(view, vectors, upstream, {}, to_vectors);
  CHECK(to_vectors[1] == 4.0);
  CHECK_THROWS_AS(rg::anchor_scores<double>(view, std::span(vectors).first(7), scores), std::invalid_argument);
}
