#include <rankgrad/scoring/feature_refining.hpp>

#include "support/catch.hpp"

#include <rankgrad/core/random.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace rg = rankgrad;

namespace {
/// The two steps, literally.
std::vector<double> defined(const rg::FeatureRefining& how, const std::vector<double>& q, const std::vector<double>& x, std::size_t m) {
  const std::size_t d = q.size(), k = std::min(how.neighbours + 1, m);
  const auto dot = [&](const double* a, const double* b) { return std::inner_product(a, a + d, b, 0.0); };
  std::vector<double> refined(m * d), a(m), scores(m);
  const auto order_by = [&](auto key) {
    std::vector<std::size_t> order(m);
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) { return key(i) != key(j) ? key(i) > key(j) : i < j; });
    return order;
  };
  for (std::size_t i = 0; i < m; ++i) {
    auto order = order_by([&](std::size_t j) { return dot(&x[i * d], &x[j * d]); });
    if (!how.most_similar_is_self) std::rotate(order.begin(), std::find(order.begin(), order.end(), i), std::find(order.begin(), order.end(), i) + 1);
    double total = 1;
    for (std::size_t c = 0; c < d; ++c) refined[i * d + c] = x[order[0] * d + c];
    for (std::size_t r = 1; r < k; ++r) {
      const double w = how.beta * dot(&x[i * d], &x[order[r] * d]);
      total += w;
      for (std::size_t c = 0; c < d; ++c) refined[i * d + c] += w * x[order[r] * d + c];
    }
    for (std::size_t c = 0; c < d; ++c) refined[i * d + c] /= total;
    a[i] = dot(q.data(), &refined[i * d]);
  }
  const auto order = order_by([&](std::size_t i) { return a[i]; });
  std::vector<double> expanded(&refined[order[0] * d], &refined[order[0] * d] + d);
  for (std::size_t r = 1; r < k; ++r)
    for (std::size_t c = 0; c < d; ++c) expanded[c] = std::max(expanded[c], refined[order[r] * d + c]);
  for (std::size_t i = 0; i < m; ++i) scores[i] = (a[i] + dot(expanded.data(), &refined[i * d])) / 2;
  return scores;
}
}  // namespace

TEST_CASE("refined descriptors by hand: two items", "[scoring]") {
  // <x_1, x_2> = .6: x'_1 = ((1, 0) + .09 (.6, .8)) / 1.09, x'_2 = ((.6, .8) + .09 (1, 0)) / 1.09; q' is the larger of each entry.
  const std::vector<double> q{1, 0}, x{1, 0, .6, .8};
  std::vector<double> refined(4), scores(2);
  rg::Workspace workspace;
  rg::FeatureRefining{}.rescore<double>(q, x, refined, scores, workspace);
  const double a = 1.054 / 1.09, b = 0.072 / 1.09, c = 0.69 / 1.09, e = 0.8 / 1.09;
  CHECK(refined[0] == Approx(a));
  CHECK(refined[1] == Approx(b));
  CHECK(scores[0] == Approx((a + a * a + e * b) / 2));
  CHECK(scores[1] == Approx((c + a * c + e * e) / 2));
}

TEMPLATE_TEST_CASE("refined descriptors are those of the definition", "[scoring]", float, double) {
  using T = TestType;
  constexpr std::size_t m = 23, d = 37;
  rg::Random random(5);
  std::vector<double> q(d), x(m * d);
  for (double& v : q) v = static_cast<float>(random.normal() / 6);
  for (double& v : x) v = static_cast<float>(random.normal() / 6);
  std::copy_n(x.begin(), d, x.begin() + 7 * d);   // item 7 is item 0 again, a little longer: more similar to it than itself
  for (std::size_t c = 0; c < d; ++c) x[7 * d + c] *= 1.25;
  const std::vector<T> nq(q.begin(), q.end()), nx(x.begin(), x.end());
  std::vector<T> refined(m * d), scores(m);
  rg::Workspace workspace;
  for (const bool quirk : {false, true})
    for (const std::size_t neighbours : {std::size_t{0}, std::size_t{4}, std::size_t{9}, std::size_t{50}}) {
      const rg::FeatureRefining how{.neighbours = neighbours, .most_similar_is_self = quirk};
      how.rescore<T>(nq, nx, refined, scores, workspace);
      const auto expected = defined(how, q, x, m);
      for (std::size_t i = 0; i < m; ++i) CHECK(static_cast<double>(scores[i]) == Approx(expected[i]).margin(sizeof(T) == 4 ? 1e-6 : 1e-12));
      CHECK((refined[0] == nx[0]) == (neighbours == 0 && !quirk));
    }
  rg::FeatureRefining{}.rescore<T>(nq, {}, {}, {}, workspace);
  CHECK_THROWS_AS(rg::FeatureRefining{}.rescore<T>(nq, nx, refined, std::span<T>(scores).first(3), workspace), std::invalid_argument);
}
