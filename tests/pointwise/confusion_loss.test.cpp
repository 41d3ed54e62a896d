#include "support/catch.hpp"
#include "support/lists.hpp"

#include <rankgrad/core/batch_evaluator.hpp>
#include <rankgrad/pointwise/confusion_loss.hpp>

#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

namespace rg = rankgrad;
using enum rg::ConfusionMetric;

namespace {

constexpr rg::ConfusionMetric all_metrics[] = {accuracy, f_beta, balanced_accuracy, g_mean, precision, recall, jaccard, mcc};

}  // namespace

TEST_CASE("losses of a confusion matrix by hand", "[confusion]") {
  const rg::SoftConfusion c{.tp = 3, .fn = 1, .fp = 2, .tn = 4};   // P = 4, N = 6
  const auto value = [&](rg::ConfusionMetric metric, double beta = 1) {
    const auto part = rg::ConfusionLoss{.metric = metric, .beta = beta}.value(c);
    CHECK(part.valid);
    return part.value;
  };
  CHECK(value(accuracy) == Approx(0.3).epsilon(1e-14));                                  // 1 - 7 / 10
  CHECK(value(f_beta) == Approx(1 - 6.0 / 9).epsilon(1e-14));                            // 2 TP / (2 TP + FN + FP)
  CHECK(value(f_beta, 2) == Approx(1 - 15.0 / 21).epsilon(1e-14));                       // 5 TP / (5 TP + 4 FN + FP)
  CHECK(value(balanced_accuracy) == Approx(1 - (0.75 + 2.0 / 3) / 2).epsilon(1e-14));
  CHECK(value(g_mean) == Approx(1 - std::sqrt(0.5)).epsilon(1e-11));                     // 12 / 24, and the 1e-12
  CHECK(value(precision) == Approx(0.4).epsilon(1e-14));
  CHECK(value(recall) == Approx(0.25).epsilon(1e-14));
  CHECK(value(jaccard) == Approx(0.5).epsilon(1e-14));                                   // 3 / 6
  CHECK(value(mcc) == Approx(1 - 10 / std::sqrt(600.0)).epsilon(1e-14));                 // (12 - 2) / sqrt(4 6 5 5)
}

TEST_CASE("the soft counts of probabilities", "[confusion]") {
  // a = 73: at p = 0.5 -+ log(3) / 73, h = 1/4 and 3/4. F1 = 2 TP / (2 TP + FN + FP) with TP = 3/4, FN = 1/4, FP = 1/4: 3/4.
  const double step = std::log(3.0) / 73;
  const std::vector<double> p{0.5 + step, 0.5 - step}, y{1, 0};
  const rg::ListView<double> list{.scores = p, .labels = y};
  const rg::ConfusionLoss loss{.probabilities = true};
  std::vector<double> gradient(2);
  CHECK(rg::value_and_gradient(loss, list, gradient) == Approx(0.25).epsilon(1e-12));
  // D = P + TP + FP = 2; dL/dTP = -2 (2 - 3/4) / 4, dL/dFP = 2 (3/4) / 4, dh/dp = 73 * 3/16.
  CHECK(gradient[0] == Approx(-0.625 * 73 * 3 / 16).epsilon(1e-12));
  CHECK(gradient[1] == Approx(0.375 * 73 * 3 / 16).epsilon(1e-12));
  // From logits the same counts, and a factor p (1 - p).
  const std::vector<double> s{std::log(p[0] / p[1]), std::log(p[1] / p[0])};
  CHECK(rg::value_and_gradient(rg::ConfusionLoss{}, rg::ListView<double>{.scores = s, .labels = y}, gradient) == Approx(0.25).epsilon(1e-12));
  CHECK(gradient[0] == Approx(-0.625 * 73 * 3 / 16 * p[0] * p[1]).epsilon(1e-12));
}

TEST_CASE("the source's own g_mean gradient is 4 times the derivative", "[confusion]") {
  const auto list = test::make_list<double>(20, 3, {.spread = 0.1, .grades = 2});
  std::vector<double> plain(20), compat(20);
  const double a = rg::value_and_gradient(rg::ConfusionLoss{.metric = g_mean}, list.view(), plain);
  const double b = rg::value_and_gradient(rg::ConfusionLoss{.metric = g_mean, .compat = true}, list.view(), compat);
  CHECK(a == b);
  for (std::size_t i = 0; i < 20; ++i) CHECK(compat[i] == Approx(4 * plain[i]).epsilon(1e-14));
}

TEST_CASE("one class alone", "[confusion]") {
  const std::vector<double> s{0.1, -0.2, 0.3}, ones{1, 1, 1}, zeros{0, 0, 0};
  rg::Workspace workspace;
  for (const auto metric : all_metrics) {
    const rg::ConfusionLoss loss{.metric = metric, .amplification = 10};
    std::vector<double> gradient(3);
    const auto positives = rg::evaluate_view(loss, rg::ListView<double>{.scores = s, .labels = ones}, {gradient.data()}, workspace);
    CHECK(positives.valid == (metric != g_mean && metric != mcc));
    const auto negatives = rg::evaluate_view(loss, rg::ListView<double>{.scores = s, .labels = zeros}, {gradient.data()}, workspace);
    CHECK(negatives.valid == (metric == accuracy || metric == balanced_accuracy));
    for (const double g : gradient) CHECK(std::isfinite(g));
  }
  // Balanced accuracy is that of the class which is there.
  const rg::ListView<double> list{.scores = s, .labels = ones};
  CHECK(rg::value(rg::ConfusionLoss{.metric = balanced_accuracy}, list) == rg::value(rg::ConfusionLoss{.metric = recall}, list));
}

TEMPLATE_TEST_CASE("nothing called positive, or everything: finite", "[confusion]", float, double) {
  using T = TestType;
  const std::vector<T> low(6, T(-30)), high(6, T(30)), y{1, 0, 1, 0, 0, 0};
  for (const double steep : {73.0, 5000.0})   // h is 1e-16 or 0
    for (const auto metric : all_metrics)
      for (const auto& s : {low, high}) {
        std::vector<T> gradient(6), curvature(6);
        const T value = rg::value_gradient_and_curvature(rg::ConfusionLoss{.metric = metric, .amplification = steep},
                                                         rg::ListView<T>{.scores = s, .labels = y}, gradient, curvature);
        CHECK((value >= T(0) && value <= T(1.0001)));
        for (const T g : gradient) CHECK(rg::is_finite(g));
        for (const T h : curvature) CHECK((rg::is_finite(h) && h >= T(0)));
      }
}

namespace {

/// P positives and N negatives, all with p = 0, which a sigmoid of a (p - 1/2) calls positive by h = 1 / (1 + e^{a/2}).
template <class T>
void check_far_below(rg::ConfusionMetric metric, double a, std::size_t P, std::size_t N) {
  const std::size_t n = P + N;
  std::vector<T> s(n, T(0)), y(n, T(0)), gradient(n), curvature(n);
  std::fill_n(y.begin(), P, T(1));
  const rg::ConfusionLoss loss{.metric = metric, .amplification = a, .probabilities = true};
  const T value = rg::value_gradient_and_curvature(loss, rg::ListView<T>{.scores = s, .labels = y}, gradient, curvature);
  // h' = a h up to h itself, which is nothing. precision: TP / R is P / n, so dL/dTP = -(N / n) / (n h), dL/dFP = (P / n) / (n h),
  // and the second ones are twice those over n h. mcc: M = 0, dM/dTP = N / d, dM/dFP = -P / d with d = n sqrt(P N h), and the
  // second ones are dM / (n h).
  const long double p = static_cast<long double>(P), q = static_cast<long double>(N), all = p + q, steep = a, h = 1 / (1 + expl(steep / 2));
  for (std::size_t i = 0; i < n; ++i) {
    long double by = (i < P ? -q : p) / all / all, second = 2 * fabsl(by) / all;   // times 1 / h and 1 / h^2
    if (metric == mcc) {
      by = (i < P ? -sqrtl(q / p) : sqrtl(p / q)) / all * sqrtl(h);
      second = fabsl(by) / all;
    }
    const double tolerance = 64 * a * static_cast<double>(std::numeric_limits<T>::epsilon()), smallest = std::numeric_limits<T>::min();
    CHECK(static_cast<double>(gradient[i]) == Approx(static_cast<double>(by * steep)).epsilon(tolerance).margin(10 * smallest));
    const double expected = static_cast<double>(fabsl(by) * steep * steep + second * steep * steep);
    CHECK(static_cast<double>(curvature[i]) == Approx(expected).epsilon(tolerance).margin(1e3 * smallest));
  }
  CHECK(static_cast<double>(value) == Approx(metric == mcc ? 1 : static_cast<double>(q / all)).epsilon(1e-5));
}

}  // namespace

TEMPLATE_TEST_CASE("next to nothing called positive: derivatives as far as h goes", "[confusion]", float, double) {
  const bool narrow = std::is_same_v<TestType, float>;
  for (const double a : {80.0, 150.0, 170.0, 700.0, 1400.0})   // h is e^{-a/2}: from 4e-18 to 1e-304
    for (const auto metric : {precision, mcc})
      for (const std::size_t positives : {1u, 3u, 9u})
        if (a < 174 || !narrow) check_far_below<TestType>(metric, a, positives, 10 - positives);
}

TEMPLATE_TEST_CASE("curvature is finite for any amplification, weights of any size, on either side", "[confusion]", float, double) {
  using T = TestType;
  for (const double steep : {150.0, 172.0, 180.0, 200.0, 206.0, 210.0, 1000.0, 1416.0, 1480.0, 1489.0, 1492.0})
    for (const T weight : {T(1), std::numeric_limits<T>::min(), std::numeric_limits<T>::denorm_min(), T(1e30f)})
      for (const T p : {T(0), T(1)})
        for (const auto metric : all_metrics) {
          const std::vector<T> s(5, p), y{1, 0, 1, 0, 0}, w(5, weight);
          std::vector<T> gradient(5), curvature(5);
          const rg::ConfusionLoss loss{.metric = metric, .beta = 1e-3, .amplification = steep, .probabilities = true};
          const T value = rg::value_gradient_and_curvature(loss, rg::ListView<T>{.scores = s, .labels = y, .weights = w}, gradient, curvature);
          INFO("metric " << static_cast<int>(metric) << ", amplification " << steep << ", weight " << weight << ", p " << p);
          CHECK((value >= T(0) && value <= T(1.0001)));
          for (const T g : gradient) CHECK(rg::is_finite(g));
          for (const T h : curvature) CHECK((rg::is_finite(h) && h >= T(0)));
        }
}

TEST_CASE("the counts of parts make the loss of the whole", "[confusion]") {
  const auto list = test::make_list<double>(53, 4, {.spread = 0.3, .grades = 2, .weights = true});
  rg::Workspace workspace;
  for (const auto metric : all_metrics) {
    const rg::ConfusionLoss loss{.metric = metric, .amplification = 20};
    std::vector<double> whole(53), bend(53), parts(53), part_bend(53);
    const double value = rg::value_gradient_and_curvature(loss, list.view(), whole, bend);
    rg::SoftConfusion all;
    const std::size_t cuts[] = {0, 10, 10, 40, 53};
    for (std::size_t k = 0; k < 4; ++k) all.merge(loss.count(list.view().part(cuts[k], cuts[k + 1] - cuts[k], 0)));
    CHECK(loss.value(all).value == Approx(value).epsilon(1e-13));
    for (std::size_t k = 0; k < 4; ++k)
      loss.add_gradient(list.view().part(cuts[k], cuts[k + 1] - cuts[k], 0), all,
                        rg::GradientSink<double>{parts.data() + cuts[k], part_bend.data() + cuts[k]}, workspace);
    for (std::size_t i = 0; i < 53; ++i) {
      CHECK(parts[i] == Approx(whole[i]).epsilon(1e-11));
      CHECK(part_bend[i] == Approx(bend[i]).epsilon(1e-11));
    }
  }
}

TEST_CASE("the curvature bounds the second derivative, and does not vanish at the threshold", "[confusion]") {
  auto list = test::make_list<double>(17, 6, {.spread = 0.2, .grades = 2, .weights = true});
  list.scores[3] = 0;
  for (const auto metric : all_metrics) {
    const rg::ConfusionLoss loss{.metric = metric, .amplification = 8};
    std::vector<double> gradient(17), bound(17), up(17), down(17);
    rg::value_gradient_and_curvature(loss, list.view(), gradient, bound);
    for (std::size_t i = 0; i < 17; ++i) {
      constexpr double step = 1e-5;
      auto moved = list;
      moved.scores[i] += step;
      rg::value_and_gradient(loss, moved.view(), up);
      moved.scores[i] -= 2 * step;
      rg::value_and_gradient(loss, moved.view(), down);
      CHECK(std::abs(up[i] - down[i]) / (2 * step) <= bound[i] * (1 + 1e-6) + 1e-9);
    }
    if (gradient[3] != 0) CHECK(bound[3] > 0);
  }
}

TEST_CASE("batch scope pools the lists", "[confusion]") {
  auto owned = test::make_batch<double>(5, 0, 7, 2, {.spread = 0.2, .grades = 2});
  const auto batch = owned.view();
  const rg::ConfusionLoss loss{.metric = mcc, .amplification = 20, .scope = rg::Scope::batch};
  std::vector<double> gradient(batch.items()), pooled(batch.items());
  rg::BatchEvaluator<double> evaluate;
  CHECK(evaluate(loss, batch, gradient) == rg::value_and_gradient(loss, batch.pooled(), pooled));
  CHECK(gradient == pooled);
}

TEST_CASE("parameters of a confusion loss are checked", "[confusion]") {
  CHECK_FALSE(rg::validate_parameters(rg::ConfusionLoss{.beta = 0}));
  CHECK_FALSE(rg::validate_parameters(rg::ConfusionLoss{.amplification = -1}));
}
