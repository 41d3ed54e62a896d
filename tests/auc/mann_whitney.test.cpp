#include "support/catch.hpp"
#include "support/lists.hpp"

#include <rankgrad/auc/mann_whitney.hpp>
#include <rankgrad/check/gradient_check.hpp>
#include <rankgrad/core/batch_evaluator.hpp>
#include <rankgrad/metric/auc.hpp>
#include <rankgrad/pairwise/ranknet.hpp>

#include <algorithm>
#include <array>
#include <cmath>

namespace rg = rankgrad;
using rg::Surrogate;

namespace {

/// phi(d) = e^-d, for the pair engine.
struct Exponential {
  template <class T>
  rg::Term<T> operator()(rg::simd::Pack<T> d) const {
    alignas(64) T lane[rg::simd::lanes<T>];
    rg::simd::store(lane, d);
    for (T& x : lane) x = std::exp(-x);
    const rg::simd::Pack<T> e = rg::simd::load(lane);
    return {e, -e, e};
  }
};

struct Outcome {
  double value = 0;
  bool valid = false;
  std::vector<double> gradient, curvature;
};

Outcome outcome_of(const rg::MannWhitney& loss, const rg::ListView<double>& list) {
  Outcome o{0, false, std::vector<double>(list.size()), std::vector<double>(list.size())};
  rg::Workspace workspace;
  const auto part = loss.value_and_gradient(list, rg::GradientSink<double>{o.gradient.data(), o.curvature.data()}, workspace);
  o.value = part.value;
  o.valid = part.valid;
  return o;
}

/// The same by enumeration of the pairs, through the pair engine, at temperature 1.
Outcome by_pairs(const rg::MannWhitney& loss, const rg::ListView<double>& list) {
  Outcome o{0, false, std::vector<double>(list.size()), std::vector<double>(list.size())};
  std::vector<double> binary;
  for (const double y : list.labels) binary.push_back(y > 0 ? 1 : 0);
  rg::ListView<double> view = list;
  view.labels = binary;
  rg::Workspace workspace;
  const rg::GradientSink<double> out{o.gradient.data(), o.curvature.data()};
  const auto run = [&](const auto& phi) {
    const auto part = rg::pairwise::comparable_pairs(phi, loss.normalize, view, out, workspace);
    o.value = part.value;
    o.valid = part.valid;
  };
  switch (loss.surrogate) {
    case Surrogate::logistic: run(rg::pairwise::Logistic{}); break;
    case Surrogate::hinge: run(rg::pairwise::Hinge{loss.margin}); break;
    case Surrogate::squared_hinge: run(rg::pairwise::SquaredHinge{loss.margin}); break;
    case Surrogate::square: run(rg::pairwise::Square{loss.margin}); break;
    case Surrogate::exponential: run(Exponential{}); break;
  }
  return o;
}

constexpr std::array surrogates{Surrogate::logistic, Surrogate::hinge, Surrogate::squared_hinge, Surrogate::square, Surrogate::exponential};

void check_same(const Outcome& a, const Outcome& b, double tolerance) {
  REQUIRE(a.valid == b.valid);
  CHECK(std::abs(a.value - b.value) <= tolerance * std::max(std::abs(b.value), 1e-300));
  double top = 1e-300, top_curvature = 1e-300;
  for (std::size_t i = 0; i < b.gradient.size(); ++i) {
    top = std::max(top, std::abs(b.gradient[i]));
    top_curvature = std::max(top_curvature, b.curvature[i]);
  }
  for (std::size_t i = 0; i < b.gradient.size(); ++i) {
    INFO("item " << i << ": " << a.gradient[i] << " and " << b.gradient[i]);
    CHECK(std::abs(a.gradient[i] - b.gradient[i]) <= tolerance * top);
    CHECK(std::abs(a.curvature[i] - b.curvature[i]) <= tolerance * top_curvature);
  }
}

}  // namespace

TEST_CASE("Mann-Whitney: worked by hand", "[auc]") {
  // Positives 1, 0; negatives 0, -1 (the label -3 is a negative too): z = 1, 2, 0, 1.
  const std::vector<double> s{1, 0, 0, -1}, y{1, 2, 0, -3};
  const rg::ListView<double> list{.scores = s, .labels = y};
  const auto softplus = [](double x) { return std::log1p(std::exp(x)); };
  const auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };

  SECTION("logistic, which is the default") {
    const Outcome o = outcome_of(rg::MannWhitney{.temperature = 0.5}, list);
    CHECK(o.value == Approx((2 * softplus(-2) + softplus(-4) + std::log(2.0)) / 4).epsilon(1e-14));
    CHECK(o.gradient[0] == Approx(-(sigmoid(-2) + sigmoid(-4)) / 2).epsilon(1e-14));
    CHECK(o.gradient[1] == Approx(-(0.5 + sigmoid(-2)) / 2).epsilon(1e-14));
    CHECK(o.gradient[2] == Approx((sigmoid(-2) + 0.5) / 2).epsilon(1e-14));
    CHECK(o.curvature[3] == Approx(sigmoid(4) * sigmoid(-4) + sigmoid(2) * sigmoid(-2)).epsilon(1e-14));
  }
  SECTION("hinge: the two pairs exactly at the margin are inactive") {
    const Outcome o = outcome_of(rg::MannWhitney{.surrogate = Surrogate::hinge}, list);
    CHECK(o.value == 0.25);
    CHECK(o.gradient == std::vector<double>{0, -0.25, 0.25, 0});
    CHECK(o.curvature == std::vector<double>{0, 0, 0, 0});
  }
  SECTION("squared hinge, margin 2: shortfalls 1, 0, 2, 1") {
    const Outcome o = outcome_of(rg::MannWhitney{.margin = 2, .surrogate = Surrogate::squared_hinge}, list);
    CHECK(o.value == Approx(6.0 / 4));
    CHECK(o.gradient[0] == Approx(-2.0 / 4));
    CHECK(o.gradient[1] == Approx(-6.0 / 4));
    CHECK(o.gradient[2] == Approx(6.0 / 4));
    CHECK(o.gradient[3] == Approx(2.0 / 4));
    CHECK(o.curvature == std::vector<double>{0.5, 1, 1, 0.5});
  }
  SECTION("square: (1 - z)^2 = 0, 1, 1, 0") {
    const Outcome o = outcome_of(rg::MannWhitney{.surrogate = Surrogate::square}, list);
    CHECK(o.value == Approx(0.5));
    CHECK(o.gradient[0] == Approx(0.5));
    CHECK(o.gradient[1] == Approx(-0.5));
    CHECK(o.curvature == std::vector<double>{1, 1, 1, 1});
  }
  SECTION("exponential, as a sum") {
    const Outcome o = outcome_of(rg::MannWhitney{.surrogate = Surrogate::exponential, .normalize = rg::Normalize::sum}, list);
    CHECK(o.value == Approx(1 + 2 * std::exp(-1.0) + std::exp(-2.0)));
    CHECK(o.gradient[1] == Approx(-(1 + std::exp(-1.0))));
    CHECK(o.gradient[3] == Approx(std::exp(-2.0) + std::exp(-1.0)));
    CHECK(o.curvature[3] == Approx(std::exp(-2.0) + std::exp(-1.0)));
  }
}

TEST_CASE("Mann-Whitney: the sweeps and moments agree with the pairs", "[auc]") {
  for (const Surrogate surrogate : surrogates) {
    for (const auto normalize : {rg::Normalize::mean, rg::Normalize::sum}) {
      for (const std::size_t n : {2u, 3u, 5u, 17u, 64u, 301u}) {
        for (const bool weights : {false, true}) {
          INFO("surrogate " << static_cast<int>(surrogate) << ", n " << n << ", weights " << weights);
          const auto list = test::make_list<double>(n, 7 + n, {.spread = 2, .offset = 1e3, .grades = 2, .weights = weights});
          const rg::MannWhitney loss{.margin = 0.7, .surrogate = surrogate, .normalize = normalize};
          check_same(outcome_of(loss, list.view()), by_pairs(loss, list.view()), 1e-12);
        }
      }
    }
  }
}

TEST_CASE("Mann-Whitney: hinges with ties and pairs exactly at the margin", "[auc]") {
  // Scores on a grid of 1/2 and margins on the same grid: every second pair stands at a kink. No rounding may move it,
  // although the centre, a mean, is not on the grid.
  for (const Surrogate surrogate : {Surrogate::hinge, Surrogate::squared_hinge}) {
    for (const double margin : {0.0, 0.5, 1.0, 2.5}) {
      for (const double offset : {0.0, 1e5}) {
        auto list = test::make_list<double>(75, 3, {.spread = 2, .grades = 2, .weights = true});
        for (double& s : list.scores) s = offset + std::round(2 * s) / 2;
        INFO("margin " << margin << ", offset " << offset);
        const rg::MannWhitney loss{.margin = margin, .surrogate = surrogate};
        check_same(outcome_of(loss, list.view()), by_pairs(loss, list.view()), 1e-12);
      }
    }
  }
}

TEMPLATE_TEST_CASE("Mann-Whitney: a shifted score is rounded down, and keeps its place", "[auc]", float, double) {
  using T = TestType;
  rg::Random random(11, 3);
  for (int round = 0; round < 20000; ++round) {
    // Of such sizes that a long double holds the difference exactly.
    const double side = random.below(2) ? 1 : -1;
    const T score = T(side * std::exp(4 * random.uniform() - 2));
    const double shift = round % 3 == 0 ? static_cast<double>(T(random.uniform())) : random.uniform();
    const long double exact = static_cast<long double>(score) - static_cast<long double>(shift);
    const T got = rg::auc::shifted_down(score, shift), next = std::nextafter(got, std::numeric_limits<T>::infinity());
    REQUIRE(static_cast<long double>(got) <= exact);
    REQUIRE(static_cast<long double>(next) > exact);
  }
  CHECK(rg::auc::shifted_down(T(0.5), 0.5) == T(0));
  CHECK(rg::auc::shifted_down(T(0), 1e-320) <= T(0));
  CHECK(rg::auc::shifted_down(T(-3), 0.0) == T(-3));
}

TEST_CASE("Mann-Whitney: the hinges of float lists at the margin, on every way of the sort", "[auc]") {
  // Multiples of 1/8 with margins and temperatures on the grid: in double, and so in the pairs, everything is exact.
  for (const Surrogate surrogate : {Surrogate::hinge, Surrogate::squared_hinge}) {
    for (const std::size_t n : {2u, 31u, 150u, 700u, 4000u}) {
      for (const double temperature : {1.0, 0.5, 4.0}) {
        auto list = test::make_list<float>(n, n, {.spread = 2, .grades = 2, .weights = n % 2 == 0});
        for (float& s : list.scores) s = std::round(8 * s) / 8 + 100;
        const auto wide = list.as<double>();
        auto divided = wide;
        for (double& s : divided.scores) s /= temperature;
        INFO("surrogate " << static_cast<int>(surrogate) << ", n " << n << ", temperature " << temperature);
        const rg::MannWhitney loss{.temperature = temperature, .margin = 0.25, .surrogate = surrogate};
        std::vector<float> gradient(n), curvature(n);
        rg::Workspace workspace;
        const auto part = loss.value_and_gradient(list.view(), rg::GradientSink<float>{gradient.data(), curvature.data()}, workspace);
        Outcome exact = by_pairs(loss, divided.view());
        REQUIRE(part.valid == exact.valid);
        CHECK(static_cast<double>(part.value) == Approx(exact.value).epsilon(1e-6));
        double top = 0;
        for (double& g : exact.gradient) top = std::max(top, std::abs(g /= temperature));
        std::size_t off = 0;
        for (std::size_t i = 0; i < n; ++i) {
          off += !(std::abs(static_cast<double>(gradient[i]) - exact.gradient[i]) <= 3e-7 * top);
          off += !(std::abs(static_cast<double>(curvature[i]) - exact.curvature[i] / (temperature * temperature)) <=
                   1e-6 * exact.curvature[i] / (temperature * temperature) + 1e-12);
        }
        CHECK(off == 0);
      }
    }
  }
}

TEST_CASE("Mann-Whitney: temperature divides the differences of all surrogates", "[auc]") {
  const auto list = test::make_list<double>(40, 5, {.spread = 2, .grades = 2, .weights = true});
  auto halved = list;
  for (double& s : halved.scores) s /= 2;
  for (const Surrogate surrogate : surrogates) {
    const Outcome a = outcome_of(rg::MannWhitney{.temperature = 2, .surrogate = surrogate}, list.view());
    Outcome b = outcome_of(rg::MannWhitney{.surrogate = surrogate}, halved.view());
    for (double& g : b.gradient) g /= 2;
    for (double& h : b.curvature) h /= 4;
    check_same(a, b, 1e-13);
  }
}

TEST_CASE("Mann-Whitney: gradients are slopes", "[auc]") {
  const auto list = test::make_list<double>(23, 9, {.spread = 2, .grades = 3, .weights = true});
  for (const Surrogate surrogate : {Surrogate::logistic, Surrogate::squared_hinge, Surrogate::square, Surrogate::exponential}) {
    const auto report = rg::check_gradient(rg::MannWhitney{.temperature = 1.5, .surrogate = surrogate}, list.view());
    INFO("surrogate " << static_cast<int>(surrogate) << ", error " << report.max_relative_error);
    CHECK(report.max_relative_error < (surrogate == Surrogate::squared_hinge ? 1e-3 : 1e-9));
    CHECK(report.accumulates);
  }
}

TEST_CASE("Mann-Whitney: large scores and offsets cost no digits", "[auc]") {
  for (const Surrogate surrogate : {Surrogate::logistic, Surrogate::hinge, Surrogate::squared_hinge, Surrogate::square}) {
    for (const auto& options : {test::ListOptions{.spread = 1e4, .grades = 2}, test::ListOptions{.spread = 1, .offset = 1e5, .grades = 2}}) {
      const auto list = test::make_list<float>(90, 1, options);
      const auto wide = list.as<double>();
      const rg::MannWhitney loss{.surrogate = surrogate};
      std::vector<float> gradient(list.size());
      const float value = rg::value_and_gradient(loss, list.view(), gradient);
      const Outcome exact = by_pairs(loss, wide.view());
      INFO("surrogate " << static_cast<int>(surrogate) << ", spread " << options.spread);
      CHECK(static_cast<double>(value) == Approx(exact.value).epsilon(2e-7));
      double top = 0, sum = 0;
      for (const double g : exact.gradient) top = std::max(top, std::abs(g));
      for (std::size_t i = 0; i < list.size(); ++i) {
        CHECK(std::abs(static_cast<double>(gradient[i]) - exact.gradient[i]) <= 1e-6 * top);
        sum += static_cast<double>(gradient[i]);
      }
      CHECK(std::abs(sum) <= 1e-5 * top);
    }
  }
}

TEST_CASE("Mann-Whitney: the exponential overflows only where the true numbers do", "[auc]") {
  // The mean of e^-z is e^800 / 2: no float. The derivative by item 2 is e^-200 / 2 of that, and by item 3 nothing.
  const std::vector<double> s{0, 800, 600, -900}, y{1, 0, 0, 0};
  const Outcome o = outcome_of(rg::MannWhitney{.surrogate = Surrogate::exponential}, {.scores = s, .labels = y});
  CHECK(o.value > 1e308);
  CHECK(o.gradient[2] == Approx(std::exp(600.0) / 3));
  CHECK(o.gradient[3] == 0.0);
  for (const double g : o.gradient) CHECK_FALSE(std::isnan(g));
  for (const double h : o.curvature) CHECK_FALSE(std::isnan(h));
  std::vector<float> f{0, 80}, label{1, 0}, gradient(2);
  CHECK(static_cast<double>(rg::value_and_gradient(rg::MannWhitney{.surrogate = Surrogate::exponential},
                                                   rg::ListView<float>{.scores = f, .labels = label}, gradient)) ==
        Approx(std::exp(80.0)).epsilon(1e-6));
}

TEST_CASE("Mann-Whitney: the area over the curve is bounded by the loss", "[auc]") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    auto list = test::make_list<double>(4 + seed, seed, {.spread = 0.3 + static_cast<double>(seed % 5), .grades = 2, .weights = seed % 2 == 0, .tied_scores = seed % 3 == 0});
    rg::Workspace workspace;
    const auto auc = rg::Auc{}.value(list.view(), workspace);
    if (!auc.valid) continue;
    for (const Surrogate surrogate : surrogates) {
      for (const double temperature : {0.05, 1.0, 20.0}) {
        const rg::MannWhitney loss{.temperature = temperature, .margin = 0.6, .surrogate = surrogate};
        const double value = outcome_of(loss, list.view()).value;
        INFO("seed " << seed << ", surrogate " << static_cast<int>(surrogate) << ", temperature " << temperature);
        CHECK(1 - auc.value <= rg::area_over_curve_bound(loss, value) * (1 + 1e-12));
      }
    }
  }
  // It is reached: one tied pair costs exactly phi(0), and its area over the curve is counted as a whole.
  const std::vector<double> s{3, 3}, y{1, 0};
  for (const Surrogate surrogate : surrogates) {
    const rg::MannWhitney loss{.margin = 0.6, .surrogate = surrogate};
    CHECK(rg::area_over_curve_bound(loss, outcome_of(loss, {.scores = s, .labels = y}).value) == Approx(1));
  }
  CHECK(std::isinf(rg::area_over_curve_bound(rg::MannWhitney{.margin = 0, .surrogate = Surrogate::hinge}, 0.5)));
}

TEST_CASE("Mann-Whitney: offsets of single lists move the batch scope and nothing else", "[auc]") {
  auto batch = test::make_batch<double>(9, 3, 12, 4, {.grades = 2, .weights = true});
  auto moved = batch;
  for (std::size_t q = 0; q + 1 < batch.offsets.size(); ++q)
    for (std::size_t i = batch.offsets[q]; i < batch.offsets[q + 1]; ++i) moved.items.scores[i] += static_cast<double>(q % 4) - 1;
  const std::size_t n = batch.items.size();
  std::vector<double> gradient(n), moved_gradient(n);
  rg::BatchEvaluator<double> evaluate;
  for (const Surrogate surrogate : surrogates) {
    rg::MannWhitney loss{.surrogate = surrogate};
    CHECK(evaluate(loss, moved.view(), moved_gradient) == Approx(evaluate(loss, batch.view(), gradient)).epsilon(1e-12));
    loss.scope = rg::Scope::batch;
    const double pooled = evaluate(loss, batch.view(), gradient);
    CHECK(std::abs(evaluate(loss, moved.view(), moved_gradient) - pooled) > 0.01 * pooled);

    // The pooled loss is that of the pooled list; its gradient sums to 0 over the batch, not over each list.
    const Outcome direct = outcome_of(loss, batch.view().pooled());
    CHECK(pooled == Approx(direct.value).epsilon(1e-14));
    double sum = 0, of_one_list = 0;
    for (std::size_t i = 0; i < n; ++i) {
      CHECK(gradient[i] == Approx(direct.gradient[i]).margin(1e-15));
      sum += gradient[i];
      if (i < batch.offsets[1]) of_one_list += gradient[i];
    }
    CHECK(std::abs(sum) < 1e-13);
    CHECK(std::abs(of_one_list) > 1e-4);
  }
  rg::RankNet ranknet;
  CHECK(evaluate(ranknet, moved.view(), moved_gradient) == Approx(evaluate(ranknet, batch.view(), gradient)).epsilon(1e-12));
}

TEST_CASE("Mann-Whitney: no signal, and parameters out of range", "[auc]") {
  const std::vector<double> s{1, 2, 3}, all{1, 1, 2}, some{1, 0, 0}, first_only{0, 1, 1}, nothing{0, 0, 0};
  for (const Surrogate surrogate : surrogates) {
    const rg::MannWhitney loss{.surrogate = surrogate};
    CHECK_FALSE(outcome_of(loss, {}).valid);
    CHECK_FALSE(outcome_of(loss, {.scores = s, .labels = all}).valid);
    CHECK_FALSE(outcome_of(loss, {.scores = s, .labels = nothing}).valid);
    CHECK_FALSE(outcome_of(loss, {.scores = s, .labels = some, .weights = first_only}).valid);
    CHECK_FALSE(outcome_of(loss, {.scores = s, .labels = some, .weights = nothing}).valid);
  }
  CHECK_FALSE(rg::MannWhitney{.temperature = 0}.check());
  CHECK_FALSE(rg::MannWhitney{.margin = -1}.check());
  CHECK(rg::MannWhitney{.margin = 0}.check());
}
