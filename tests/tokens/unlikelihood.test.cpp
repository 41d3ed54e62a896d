#include <rankgrad/tokens/unlikelihood.hpp>

#include "support/catch.hpp"
#include "tokens/token_batch.hpp"

#include <rankgrad/core/combinators.hpp>
#include <rankgrad/exec/threads.hpp>
#include <rankgrad/tokens/cross_entropy.hpp>
#include <rankgrad/tokens/evaluator.hpp>

#include <limits>

namespace rg = rankgrad;
using test::Logits;

namespace {
/// Mean over the tokens of the mask.
long double defined(double e, const rg::TokenView<double>& view, const Logits& z) {
  const std::size_t V = view.vocabulary;
  long double sum = 0, count = 0;
  for (std::size_t t = 0; t < view.size(); ++t) {
    if (!view.mask.empty() && !view.mask[t]) continue;
    const long double all = test::log_sum_exp(&z[t * V], V);
    for (std::size_t v = 0; v < V; ++v) {
      Logits others(z.begin() + static_cast<std::ptrdiff_t>(t * V), z.begin() + static_cast<std::ptrdiff_t>(t * V + V));
      others.erase(others.begin() + static_cast<std::ptrdiff_t>(v));
      const long double q = (v == view.targets[t] ? 1 - static_cast<long double>(e) : 0) + static_cast<long double>(e) / V;
      sum += q * (all - test::log_sum_exp(others.data(), V - 1));   // log sum - log sum of the others = -log(1 - p_v)
    }
    count += 1;
  }
  return sum / count;
}
}  // namespace

TEST_CASE("unlikelihood: a token worked by hand", "[tokens]") {
  // p = (1, 2, 5) / 8, the target is the last: l = -log(3/8), o = 5/3, r = (1, 2) / 3.
  const std::vector<double> logits{0, std::log(2.0), std::log(5.0)};
  const std::vector<std::uint32_t> targets{2};
  const rg::TokenView<double> view{.logits = logits, .vocabulary = 3, .targets = targets};
  std::vector<double> gradient(3), curvature(3);
  CHECK(rg::value_gradient_and_curvature(rg::Unlikelihood{}, view, gradient, curvature) == Approx(-std::log(3.0 / 8)).epsilon(1e-12));
  CHECK(gradient[2] == Approx(5.0 / 8).epsilon(1e-12));   // 5/3 (1 - 5/8)
  CHECK(gradient[0] == Approx(-5.0 / 24).epsilon(1e-12));   // -5/3 1/8
  CHECK(gradient[1] == Approx(-10.0 / 24).epsilon(1e-12));
  CHECK(curvature[2] == Approx(15.0 / 64).epsilon(1e-12));
  CHECK(curvature[0] == Approx(2.0 / 9 - 7.0 / 64).epsilon(1e-12));   // |p(1 - p) - r(1 - r)|
  // 0.3 of smoothing: q = (.1, .1, .8), -log(1 - p) = (log 8/7, log 4/3, log 8/3).
  CHECK(rg::value_and_gradient(rg::Unlikelihood{.label_smoothing = 0.3}, view, gradient) ==
        Approx(0.1 * std::log(8.0 / 7) + 0.1 * std::log(4.0 / 3) + 0.8 * std::log(8.0 / 3)).epsilon(1e-12));
}

TEST_CASE("unlikelihood: value, gradient and curvature are those of the definition", "[tokens]") {
  for (const std::size_t V : {2u, 3u, 9u, 70u}) {
    test::TokenBatch<double> batch({0, 3, 7}, V, static_cast<unsigned>(V));
    batch.mask = {1, 1, 0, 1, 1, 1, 1};
    const auto view = batch.view();
    for (const double e : {0.0, 0.1, 0.8}) {
      const auto definition = [&](const Logits& z) { return defined(e, view, z); };
      std::vector<double> gradient(batch.logits.size(), 7), curvature(batch.logits.size(), 7);
      const double value = rg::value_gradient_and_curvature(rg::Unlikelihood{.label_smoothing = e}, view, gradient, curvature);
      CHECK(value == Approx(static_cast<double>(test::moved(definition, batch.logits, 0, 0))).epsilon(1e-12));
      for (std::size_t k = 0; k < gradient.size(); k += 1 + V / 8) {
        CHECK(gradient[k] == Approx(static_cast<double>(test::first_derivative(definition, batch.logits, k))).margin(1e-9));
        const double second = std::abs(static_cast<double>(test::second_derivative(definition, batch.logits, k)));
        if (e == 0) CHECK(curvature[k] == Approx(second).margin(1e-7));
        else CHECK(curvature[k] >= second - 1e-7);
        CHECK(curvature[k] <= 1);
      }
    }
  }
}

TEST_CASE("unlikelihood: float is the rounded double, rows longer than a block", "[tokens]") {
  test::TokenBatch<double> batch({0, 3}, 2500, 6, 3);
  for (auto& z : batch.logits) z = static_cast<double>(static_cast<float>(z));
  batch.logits[batch.targets[0]] = 15;
  const auto narrow = batch.as<float>();
  for (const double e : {0.0, 0.1}) {
    const rg::Unlikelihood loss{.label_smoothing = e};
    std::vector<double> g(7500), h(7500);
    std::vector<float> gf(7500), hf(7500);
    const double value = rg::value_gradient_and_curvature(loss, batch.view(), g, h);
    CHECK(rg::value_gradient_and_curvature(loss, narrow.view(), gf, hf) == Approx(value).epsilon(1e-6));
    double worst = 0;
    for (std::size_t k = 0; k < 7500; ++k)
      worst = std::max({worst, std::abs(g[k] - static_cast<double>(gf[k])), std::abs(h[k] - static_cast<double>(hf[k]))});
    CHECK(worst < 2e-7);
  }
}

TEST_CASE("unlikelihood: a token that is certain has a finite loss and a gradient", "[tokens]") {
  const std::vector<float> logits{1e4f, 0, -1e4f, 1e4f, 0, -1e4f};
  const std::vector<std::uint32_t> targets{0, 2};
  const rg::TokenView<float> view{.logits = logits, .vocabulary = 3, .targets = targets};
  for (const double e : {0.0, 0.3}) {
    std::vector<float> gradient(6), curvature(6);
    const rg::Unlikelihood loss{.label_smoothing = e, .reduction = rg::SequenceReduction::sum};
    const float value = rg::value_gradient_and_curvature(loss, view, gradient, curvature);
    CHECK(value == Approx((1 - e + 2 * e / 3) * 1e4));   // q_0 = 1 - e + e / 3 in the first, e / 3 in the second
    CHECK(gradient[0] == Approx(1 - e + e / 3));
    CHECK(gradient[1] == Approx(-(1 - e + e / 3)));
    for (const float h : curvature) CHECK((std::isfinite(h) && h >= 0));
  }
}

TEST_CASE("unlikelihood: probabilities of 1e-12 keep their relative accuracy", "[tokens]") {
  const std::vector<double> logits{0, -30};
  const std::vector<std::uint32_t> targets{1};
  std::vector<double> gradient(2);
  const rg::TokenView<double> view{.logits = logits, .vocabulary = 2, .targets = targets};
  CHECK(rg::value_and_gradient(rg::Unlikelihood{}, view, gradient) == Approx(std::log1p(std::exp(-30.0))).epsilon(1e-12).margin(0));
  CHECK(gradient[1] == Approx(std::exp(-30.0)).epsilon(1e-10).margin(0));
}

TEST_CASE("unlikelihood of log-probabilities, and its floor", "[tokens]") {
  const std::vector<double> logs{std::log(0.25), -1e-9, 0, -60};
  std::vector<double> gradient(4), curvature(4);
  const rg::LogProbabilityView<double> view{.log_probabilities = logs};
  const rg::Unlikelihood loss{.reduction = rg::SequenceReduction::sum};
  const double value = rg::value_gradient_and_curvature(loss, view, gradient, curvature);
  CHECK(value == Approx(-std::log(0.75) - std::log(1e-9) - std::log(1e-20) + std::exp(-60.0)).epsilon(1e-9));
  CHECK(gradient[0] == Approx(1.0 / 3).epsilon(1e-12));
  CHECK(curvature[0] == Approx(4.0 / 9).epsilon(1e-12));
  CHECK(gradient[1] == Approx(1e9).epsilon(1e-8));
  CHECK(gradient[2] == 0.0);
  CHECK(gradient[3] == Approx(std::exp(-60.0)).epsilon(1e-12).margin(0));
  const double exact = -std::log(-std::expm1(-1e-9));
  CHECK(rg::tokens::log1mexp(-1e-9) == Approx(-exact).epsilon(1e-14));
  CHECK(rg::tokens::log1mexp(-40) == Approx(-std::exp(-40.0)).epsilon(1e-14).margin(0));
  CHECK_THROWS_WITH(rg::value(rg::Unlikelihood{.label_smoothing = 0.1}, view), contains("needs the logits of all tokens"));
}

TEST_CASE("unlikelihood: the plan-guided objective is a mixture over three views", "[tokens]") {
  // The reference under the plain input, under the right plan and under a corrupted plan: three rows of logits of the same
  // targets, one gradient array each, weights 1, 0.7, 0.4.
  test::TokenBatch<double> plain({0, 4}, 12, 1), right({0, 4}, 12, 2), corrupted({0, 4}, 12, 3);
  right.targets = corrupted.targets = plain.targets;
  const rg::TokenCrossEntropy likely{.label_smoothing = 0.1};
  const rg::Unlikelihood unlikely{.label_smoothing = 0.1};
  const auto like = 0.7 * likely;
  const auto unlike = 0.4 * unlikely;
  std::vector<double> a(48), b(48), c(48);
  const double total = rg::value_and_gradient(likely, plain.view(), a) + rg::value_and_gradient(like, right.view(), b) +
                       rg::value_and_gradient(unlike, corrupted.view(), c);
  const auto definition = [&](const Logits& z) {   // of all three in a row
    const auto part = [&](std::size_t k) { return Logits(z.begin() + static_cast<std::ptrdiff_t>(48 * k), z.begin() + static_cast<std::ptrdiff_t>(48 * k + 48)); };
    long double sum = 0;
    for (std::size_t k = 0; k < 2; ++k)
      for (std::size_t t = 0; t < 4; ++t) {
        const Logits rows = part(k);
        const long double all = test::log_sum_exp(&rows[12 * t], 12);
        for (std::size_t v = 0; v < 12; ++v)
          sum += (k == 0 ? 1.0L : 0.7L) / 4 * ((v == plain.targets[t] ? 0.9L : 0) + 0.1L / 12) * (all - rows[12 * t + v]);
      }
    return sum + 0.4L * defined(0.1, corrupted.view(), part(2));
  };
  std::vector<double> all = plain.logits;
  all.insert(all.end(), right.logits.begin(), right.logits.end());
  all.insert(all.end(), corrupted.logits.begin(), corrupted.logits.end());
  CHECK(total == Approx(static_cast<double>(test::moved(definition, all, 0, 0))).epsilon(1e-12));
  std::vector<double> gradient = a;
  gradient.insert(gradient.end(), b.begin(), b.end());
  gradient.insert(gradient.end(), c.begin(), c.end());
  for (std::size_t k = 0; k < all.size(); k += 5)
    CHECK(gradient[k] == Approx(static_cast<double>(test::first_derivative(definition, all, k))).margin(1e-9));
}

TEST_CASE("unlikelihood: no signal, weights, masks, NaN, threads", "[tokens]") {
  test::TokenBatch<float> batch({0, 40, 200}, 401, 4);
  batch.decorate();
  rg::TokenEvaluator evaluate;
  const rg::exec::Threads pool(2);
  for (const double e : {0.0, 0.2}) {
    const rg::Unlikelihood loss{.label_smoothing = e};
    std::vector<float> alone(batch.logits.size(), 3), together(alone), added(batch.logits.size(), 0);
    const float value = evaluate(loss, batch.view(), alone);
    CHECK(evaluate(loss, batch.view(), together, pool) == value);
    CHECK(alone == together);
    rg::Workspace workspace;
    CHECK(loss.value_and_gradient(batch.view(), rg::GradientSink<float>{added.data()}, workspace).value == value);
    CHECK(alone == added);
    for (std::size_t v = 0; v < 401; ++v) CHECK(alone[2 * 401 + v] == 0.0f);   // masked
    auto bad = batch;
    bad.logits[2 * 401] = bad.logits[401 + 9] = std::numeric_limits<float>::quiet_NaN();
    CHECK(std::isnan(evaluate(loss, bad.view(), alone)));
    CHECK(std::isnan(alone[401]));
    CHECK(std::isfinite(alone[3 * 401]));
    const std::size_t warm = evaluate.growths();
    evaluate(loss, batch.view(), together, pool);
    CHECK(evaluate.growths() == warm);
    CHECK_FALSE(loss.value_and_gradient(rg::TokenView<float>{}, rg::GradientSink<float>{}, workspace).valid);
  }
  const std::vector<double> one{3};
  const std::vector<std::uint32_t> targets{0};
  CHECK_THROWS_WITH(rg::value(rg::Unlikelihood{}, rg::TokenView<double>{.logits = one, .vocabulary = 1, .targets = targets}),
                    contains("a vocabulary of two tokens or more"));
  CHECK_FALSE(rg::Unlikelihood{.label_smoothing = 1}.check());
  CHECK_FALSE(rg::Unlikelihood{.smallest = 0}.check());
}
