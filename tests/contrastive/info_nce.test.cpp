#include <rankgrad/contrastive/info_nce.hpp>

#include "support/catch.hpp"
#include "support/lists.hpp"

#include <rankgrad/core/evaluate.hpp>
#include <rankgrad/listwise/softmax.hpp>

#include <cmath>
#include <limits>
#include <vector>

namespace rg = rankgrad;

namespace {
// Exponentials 1, 2, 5: probabilities 1/8, 2/8, 5/8 at temperature 1.
const std::vector<double> scores{0, std::log(2.0), std::log(5.0)};
const std::vector<double> last{0, 0, 1}, two{0, 2, 1};

rg::ListView<double> list(const std::vector<double>& labels, const std::vector<double>& weights = {}) {
  return {.scores = scores, .labels = labels, .weights = weights};
}
void check(const std::vector<double>& got, const std::vector<double>& expected) {
  REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    INFO("item " << i);
    CHECK(got[i] == Approx(expected[i]).epsilon(1e-12).margin(1e-14));
  }
}
}  // namespace

TEST_CASE("InfoNCE by hand", "[contrastive]") {
  std::vector<double> gradient(3), curvature(3);
  CHECK(rg::value_gradient_and_curvature(rg::InfoNce{.temperature = 1}, list(last), gradient, curvature) == Approx(std::log(1.6)));
  check(gradient, {0.125, 0.25, -0.375});
  check(curvature, {7 / 64.0, 12 / 64.0, 15 / 64.0});
  CHECK(rg::value_and_gradient(rg::InfoNce{.temperature = 1}, list(two), gradient) == Approx((std::log(4) + std::log(1.6)) / 2));
  check(gradient, {0.125, -0.25, 0.125});
  // Together: 7/8. Shares of the positives 2/7 and 5/7.
  const rg::InfoNce together{.temperature = 1, .positives = rg::Positives::together};
  CHECK(rg::value_and_gradient(together, list(two), gradient) == Approx(std::log(8 / 7.0)));
  check(gradient, {0.125, 0.25 - 2 / 7.0, 0.625 - 5 / 7.0});
}

TEST_CASE("InfoNCE with label smoothing by hand", "[contrastive]") {
  std::vector<double> gradient(3);
  const double all = (std::log(8) + std::log(4) + std::log(1.6)) / 3;
  CHECK(rg::value_and_gradient(rg::InfoNce{.temperature = 1, .smoothing = 0.1}, list(last), gradient) ==
        Approx(0.9 * std::log(1.6) + 0.1 * all));
  check(gradient, {0.125 - 0.1 / 3, 0.25 - 0.1 / 3, 0.625 - 0.9 - 0.1 / 3});
}

TEST_CASE("focal InfoNCE: the factor detached and not", "[contrastive]") {
  // q = 3/8, l = log 1.6; the slope of q^g l is q^g (1 + g p l / q) times p - 1[positive].
  const double l = std::log(1.6), factor = std::sqrt(0.375), slope = factor * (1 + 0.5 * 0.625 * l / 0.375);
  std::vector<double> gradient(3);
  CHECK(rg::value_and_gradient(rg::InfoNce{.temperature = 1, .focal_gamma = 0.5}, list(last), gradient) == Approx(factor * l));
  check(gradient, {0.125 * factor, 0.25 * factor, -0.375 * factor});
  const rg::InfoNce through{.temperature = 1, .focal_gamma = 0.5, .detach_focal = false};
  CHECK(rg::value_and_gradient(through, list(last), gradient) == Approx(factor * l));
  check(gradient, {0.125 * slope, 0.25 * slope, -0.375 * slope});
}

TEST_CASE("focal InfoNCE where the positive has nearly all, and all", "[contrastive]") {
  // q = e^-60 / (1 + e^-60), l = q to first order: q^(1/2) l and slope 1.5 q^(1/2). 1 - p in double would be 0.
  const std::vector<double> far{0, 60}, labels{0, 1}, farther{0, 1e5};
  std::vector<double> gradient(2);
  const rg::InfoNce loss{.temperature = 1, .focal_gamma = 0.5, .detach_focal = false};
  CHECK(rg::value_and_gradient(loss, rg::ListView<double>{.scores = far, .labels = labels}, gradient) == Approx(std::exp(-90.0)).epsilon(1e-12));
  CHECK(gradient[0] == Approx(1.5 * std::exp(-90.0)).epsilon(1e-12));
  CHECK(gradient[1] == Approx(-1.5 * std::exp(-90.0)).epsilon(1e-12));
  CHECK(rg::value_and_gradient(loss, rg::ListView<double>{.scores = farther, .labels = labels}, gradient) == 0.0);
  check(gradient, {0, 0});
}

TEST_CASE("a small InfoNCE keeps its digits in float", "[contrastive]") {
  const std::vector<float> s{0, 0, 20}, y{0, 0, 1};
  std::vector<float> gradient(3);
  const float value = rg::value_and_gradient(rg::InfoNce{.temperature = 1}, rg::ListView<float>{.scores = s, .labels = y}, gradient);
  CHECK(static_cast<double>(value) == Approx(2 * std::exp(-20.0)).epsilon(1e-6));
  CHECK(static_cast<double>(gradient[2]) == Approx(-2 * std::exp(-20.0)).epsilon(1e-6));
}

namespace {
/// The gradient of the header's formula, in long double: ((1 - e) (C p_c - a_c C_c) + e (p_c - u_c)) / tau, with 1 - p as the sum
/// of the others and C p_c - a_c C_c = sum_j (p_c a_j C_j - p_j a_c C_c), which leaves out what cancels.
std::vector<long double> definition(const rg::InfoNce& loss, const std::vector<long double>& s, const std::vector<long double>& y,
                                    const std::vector<long double>& w) {
  const std::size_t n = s.size();
  std::vector<long double> e(n), gradient(n);
  long double all = 0, mass = 0, positive_mass = 0;
  for (std::size_t i = 0; i < n; ++i) e[i] = w[i] * expl((s[i] - s[0]) / loss.temperature), all += e[i], mass += w[i], positive_mass += y[i] > 0 ? w[i] : 0;
  const auto pull = [&](std::size_t i) {   // a_i C_i
    long double others = 0;
    for (std::size_t j = 0; j < n; ++j) others += j == i ? 0 : e[j];
    const long double q = others / all, l = -log1pl(-q), gamma = loss.focal_gamma;
    if (!(y[i] > 0) || w[i] == 0) return 0.0L;
    return w[i] / positive_mass * powl(q, gamma) * (loss.detach_focal ? 1 : 1 + gamma * (1 - q) * l / q);
  };
  for (std::size_t i = 0; i < n; ++i) {
    long double apart = 0;
    for (std::size_t j = 0; j < n; ++j) apart += e[i] * pull(j) - e[j] * pull(i);
    gradient[i] = ((1 - loss.smoothing) * apart / all + loss.smoothing * (e[i] / all - w[i] / mass)) / loss.temperature;
  }
  return gradient;
}
}  // namespace

TEMPLATE_TEST_CASE("InfoNCE: a lone positive keeps its digits, with weights and focal factors", "[contrastive]", float, double) {
  using T = TestType;
  const double tolerance = 300 * static_cast<double>(std::numeric_limits<T>::epsilon());
  for (const double weight : {1.0, 3.0, 0.7, 0.1, 1e-6})
    for (const double gamma : {0.0, 0.5, 2.0})
      for (const bool detach : {true, false})
        for (const double gap : {0.5, 7.0, 20.0})
          for (const std::size_t positives : {1u, 3u}) {   // three: of one score, which the mean does not tell apart
            if (positives > 1 && gamma > 0) continue;
            auto items = test::make_list<T>(21, 6, {.weights = true});
            for (std::size_t i = 0; i < 21; ++i) {
              const bool positive = i == 4 || (positives > 1 && (i == 9 || i == 20));
              items.labels[i] = positive || i == 11 ? T(1) : T(0);
              if (positive) items.scores[i] = static_cast<T>(gap + 3), items.weights[i] = static_cast<T>(weight * (i == 4 ? 1 : i == 9 ? 2 : 8));
            }
            items.weights[11] = T(0);   // a positive that is not there
            const rg::InfoNce loss{.temperature = 0.8, .focal_gamma = gamma, .detach_focal = detach};
            std::vector<T> gradient(21);
            rg::value_and_gradient(loss, items.view(), gradient);
            const auto expected = definition(loss, {items.scores.begin(), items.scores.end()}, {items.labels.begin(), items.labels.end()},
                                             {items.weights.begin(), items.weights.end()});
            INFO("weight " << weight << ", gamma " << gamma << ", detached " << detach << ", gap " << gap << ", positives " << positives);
            for (std::size_t i = 0; i < 21; ++i)
              CHECK(static_cast<double>(gradient[i]) == Approx(static_cast<double>(expected[i])).epsilon(tolerance).margin(1e-37));
          }
}

TEMPLATE_TEST_CASE("InfoNCE follows its formula where positives differ in score or weight", "[contrastive]", float, double) {
  using T = TestType;
  for (const double gamma : {0.0, 0.5})
    for (const double smoothing : {0.0, 0.1})
      for (const bool tied : {true, false}) {
        auto items = test::make_list<T>(21, 7, {.grades = 2, .weights = true});
        for (std::size_t i = 0; i < 21; ++i)
          if (tied && items.labels[i] > T(0)) items.scores[i] = T(1);   // equal scores, other weights: focal factors differ
        const rg::InfoNce loss{.temperature = 0.8, .smoothing = smoothing, .focal_gamma = gamma, .detach_focal = false};
        std::vector<T> gradient(21);
        rg::value_and_gradient(loss, items.view(), gradient);
        const auto expected = definition(loss, {items.scores.begin(), items.scores.end()}, {items.labels.begin(), items.labels.end()},
                                         {items.weights.begin(), items.weights.end()});
        for (std::size_t i = 0; i < 21; ++i)
          CHECK(static_cast<double>(gradient[i]) == Approx(static_cast<double>(expected[i])).margin(32 * static_cast<double>(std::numeric_limits<T>::epsilon())));
      }
}

TEST_CASE("InfoNCE is softmax cross-entropy where it has one positive, or the mean of several", "[contrastive]") {
  auto items = test::make_list<double>(41, 3, {.grades = 2});
  std::vector<double> a(41), b(41), ha(41), hb(41);
  CHECK(rg::value_gradient_and_curvature(rg::InfoNce{.temperature = 0.2}, items.view(), a, ha) ==
        Approx(rg::value_gradient_and_curvature(rg::Softmax{.temperature = 0.2, .normalize = rg::Normalize::mean}, items.view(), b, hb)));
  check(a, b);
  check(ha, hb);
}

TEST_CASE("InfoNCE: weights 1 / Q, corrected scores and the formula are one", "[contrastive]") {
  const auto items = test::make_list<double>(33, 5, {.grades = 2});
  rg::Random random(8);
  std::vector<double> log_q, inverse_q, corrected(33), a(33), b(33);
  for (std::size_t i = 0; i < 33; ++i) {
    log_q.push_back(-3 * random.uniform());
    inverse_q.push_back(std::exp(-log_q.back()));
  }
  rg::correct_for_sampling<double>(items.scores, log_q, 0.5, corrected);
  for (std::size_t i = 0; i < 33; ++i) CHECK(corrected[i] / 0.5 == Approx(items.scores[i] / 0.5 - log_q[i]));
  const rg::InfoNce loss{.temperature = 0.5, .positives = rg::Positives::together};
  const rg::ListView<double> weighted{.scores = items.scores, .labels = items.labels, .weights = inverse_q};
  const rg::ListView<double> moved{.scores = corrected, .labels = items.labels};
  CHECK(rg::value_and_gradient(loss, weighted, a) == Approx(rg::value_and_gradient(loss, moved, b)));
  check(a, b);
}

TEST_CASE("InfoNCE: an item of weight 0 is not there, whatever its score", "[contrastive]") {
  const std::vector<double> s{0, 1e6, std::log(2.0), std::log(5.0)}, y{0, 0, 0, 1}, w{1, 0, 1, 1};
  std::vector<double> gradient(4), curvature(4);
  for (const double smoothing : {0.0, 0.1}) {
    const rg::InfoNce loss{.temperature = 1, .smoothing = smoothing};
    CHECK(rg::value_gradient_and_curvature(loss, rg::ListView<double>{.scores = s, .labels = y, .weights = w}, gradient, curvature) ==
          Approx(rg::value(loss, list(last))));
    CHECK(gradient[1] == 0.0);
    CHECK(curvature[1] == 0.0);
  }
}

TEST_CASE("InfoNCE needs a positive and a negative", "[contrastive]") {
  std::vector<double> gradient(3);
  rg::Workspace workspace;
  const auto valid = [&](const std::vector<double>& labels, const std::vector<double>& weights) {
    return rg::InfoNce{.smoothing = 0.1}.value_and_gradient(list(labels, weights), rg::GradientSink<double>{gradient.data()}, workspace).valid;
  };
  CHECK(valid(last, {}));
  CHECK_FALSE(valid({0, 0, -1}, {}));
  CHECK_FALSE(valid({1, 1, 1}, {}));
  CHECK_FALSE(valid(last, {1, 1, 0}));
  CHECK_FALSE(valid(last, {0, 0, 1}));
  CHECK(gradient[2] != 0.0);
}

TEST_CASE("InfoNCE parameters are checked", "[contrastive]") {
  CHECK_THAT(rg::InfoNce{.temperature = 0}.check().message(), contains("InfoNce.temperature"));
  CHECK_THAT(rg::InfoNce{.smoothing = 1}.check().message(), contains("InfoNce.smoothing is 1; it must be in [0, 1)"));
  CHECK_THAT(rg::InfoNce{.focal_gamma = -1}.check().message(), contains("InfoNce.focal_gamma"));
}
