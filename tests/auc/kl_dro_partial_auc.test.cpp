#include "support/catch.hpp"
#include "support/lists.hpp"

#include <rankgrad/auc/kl_dro_partial_auc.hpp>
#include <rankgrad/check/gradient_check.hpp>

#include <algorithm>

namespace rg = rankgrad;
using rg::Surrogate;

namespace {

template <class L>
double value_of(const L& loss, const rg::ListView<double>& list) { return rg::value(loss, list); }

// Positives 1, 0; negatives 0.5, -1.
const std::vector<double> s{1, 0, 0.5, -1}, y{1, 1, 0, 0};
const rg::ListView<double> list{.scores = s, .labels = y};

}  // namespace

TEST_CASE("KL-DRO partial AUC: worked by hand", "[auc]") {
  // Hinge, margin 1: the losses are 0.5, 0 for positive 1 and 1.5, 0 for positive 0.
  const double lambda = 2, a = std::exp(0.25), b = std::exp(0.75), first = 2 * std::log((a + 1) / 2), second = 2 * std::log((b + 1) / 2);
  std::vector<double> gradient(4), curvature(4);

  SECTION("one-way") {
    const rg::KlDroPartialAuc loss{.lambda = lambda, .surrogate = Surrogate::hinge};
    CHECK(rg::value_gradient_and_curvature(loss, list, gradient, curvature) == Approx((first + second) / 2).epsilon(1e-14));
    CHECK(gradient[0] == Approx(-0.5 * a / (a + 1)));
    CHECK(gradient[1] == Approx(-0.5 * b / (b + 1)));
    CHECK(gradient[2] == Approx(0.5 * (a / (a + 1) + b / (b + 1))));
    // The second negative stands exactly at the margin of the second positive: inactive.
    CHECK(gradient[3] == 0.0);
    CHECK(curvature[0] == Approx(0.5 * a / ((a + 1) * (a + 1)) / lambda));
  }
  SECTION("two-way") {
    const double mu = 0.5, o = 1 / (1 + std::exp((second - first) / mu));   // softmax of the first row
    const rg::KlDroTwoWayPartialAuc loss{.lambda = lambda, .mu = mu, .surrogate = Surrogate::hinge};
    CHECK(rg::value_gradient_and_curvature(loss, list, gradient, curvature) ==
          Approx(mu * std::log((std::exp(first / mu) + std::exp(second / mu)) / 2)).epsilon(1e-14));
    CHECK(gradient[0] == Approx(-o * a / (a + 1)));
    CHECK(gradient[1] == Approx(-(1 - o) * b / (b + 1)));
    CHECK(gradient[0] + gradient[1] + gradient[2] + gradient[3] == Approx(0).margin(1e-15));
  }
  SECTION("temperature divides the differences") {
    const std::vector<double> twice{2, 0, 1, -2};
    std::vector<double> other(4);
    const rg::KlDroPartialAuc loss{.lambda = lambda};
    rg::KlDroPartialAuc warm = loss;
    warm.temperature = 2;
    CHECK(rg::value_and_gradient(warm, rg::ListView<double>{.scores = twice, .labels = y}, other) ==
          Approx(rg::value_and_gradient(loss, list, gradient)));
    for (std::size_t i = 0; i < 4; ++i) CHECK(2 * other[i] == Approx(gradient[i]).margin(1e-15));
  }
}

TEST_CASE("KL-DRO partial AUC: its limits", "[auc]") {
  const auto random = test::make_list<double>(37, 6, {.spread = 1.5, .grades = 2, .weights = true});
  for (const Surrogate surrogate : {Surrogate::logistic, Surrogate::hinge, Surrogate::squared_hinge, Surrogate::square}) {
    // lambda -> infinity: the mean over pairs. lambda -> 0: the hardest negative of each positive. mu likewise.
    const rg::KlDroPartialAuc soft{.lambda = 1e7, .surrogate = surrogate}, hard{.lambda = 1e-4, .surrogate = surrogate};
    CHECK(value_of(soft, random.view()) == Approx(value_of(soft.pairs(), random.view())).epsilon(1e-5));
    double hardest = -1e300, mean = 0, weight = 0, worst = 0;
    for (std::size_t i = 0; i < random.size(); ++i)
      if (!(random.labels[i] > 0)) hardest = std::max(hardest, random.scores[i]);
    double easiest = 1e300;
    for (std::size_t k = 0; k < random.size(); ++k)
      if (!(random.labels[k] > 0)) easiest = std::min(easiest, random.scores[k]);
    for (std::size_t i = 0; i < random.size(); ++i) {
      if (!(random.labels[i] > 0)) continue;
      const std::vector<double> pair{random.scores[i], hardest}, far{random.scores[i], easiest}, label{1, 0};
      // The square also punishes what is too far apart.
      const double loss = std::max(value_of(hard.pairs(), {.scores = pair, .labels = label}),
                                   surrogate == Surrogate::square ? value_of(hard.pairs(), {.scores = far, .labels = label}) : 0);
      mean += random.weights[i] * loss;
      weight += random.weights[i];
      worst = std::max(worst, loss);
    }
    CHECK(value_of(hard, random.view()) == Approx(mean / weight).epsilon(1e-3));
    CHECK(value_of(rg::KlDroTwoWayPartialAuc{.lambda = 0.7, .mu = 1e7, .surrogate = surrogate}, random.view()) ==
          Approx(value_of(rg::KlDroPartialAuc{.lambda = 0.7, .surrogate = surrogate}, random.view())).epsilon(1e-5));
    CHECK(value_of(rg::KlDroTwoWayPartialAuc{.lambda = 1e-4, .mu = 1e-4, .surrogate = surrogate}, random.view()) == Approx(worst).epsilon(1e-3));
    // In between, it rises as the choice gets harder.
    double before = 0;
    for (const double lambda : {100.0, 10.0, 1.0, 0.1}) {
      const double v = value_of(rg::KlDroPartialAuc{.lambda = lambda, .surrogate = surrogate}, random.view());
      CHECK(v > before);
      before = v;
    }
  }
}

TEST_CASE("KL-DRO partial AUC: gradients are slopes", "[auc]") {
  const auto random = test::make_list<double>(41, 4, {.spread = 2, .grades = 2, .weights = true});
  for (const Surrogate surrogate : {Surrogate::logistic, Surrogate::square}) {
    CHECK(rg::check_gradient(rg::KlDroPartialAuc{.lambda = 0.8, .temperature = 1.7, .surrogate = surrogate}, random.view()).max_relative_error < 1e-8);
    CHECK(rg::check_gradient(rg::KlDroTwoWayPartialAuc{.lambda = 0.8, .mu = 1.4, .temperature = 1.7, .surrogate = surrogate}, random.view()).max_relative_error < 1e-8);
  }
}

TEST_CASE("KL-DRO partial AUC: more rows than one block holds", "[auc]") {
  const auto wide = test::make_list<double>(1400, 12, {.spread = 1, .offset = 5, .grades = 2, .weights = true});
  const auto narrow = wide.as<float>();
  std::vector<double> g(wide.size()), h(wide.size());
  std::vector<float> gf(wide.size()), hf(wide.size());
  const rg::KlDroTwoWayPartialAuc loss{.lambda = 2, .mu = 3};
  const double value = rg::value_gradient_and_curvature(loss, wide.view(), g, h);
  CHECK(static_cast<double>(rg::value_gradient_and_curvature(loss, narrow.view(), gf, hf)) == Approx(value).epsilon(1e-6));
  double top = 0, sum = 0;
  for (const double x : g) top = std::max(top, std::abs(x)), sum += x;
  CHECK(std::abs(sum) < 1e-13);
  for (std::size_t i = 0; i < wide.size(); ++i) CHECK(std::abs(static_cast<double>(gf[i]) - g[i]) <= 3e-6 * top);
}

TEST_CASE("KL-DRO partial AUC: perfect separation costs nothing, no signal, parameters out of range", "[auc]") {
  std::vector<float> apart{9, 8, 7, 1, 0, 0.5f, 0.1f}, label{1, 1, 1, 0, 0, 0, 0}, weight{0.3f, 0.7f, 0.9f, 0.1f, 0.7f, 0.3f, 0.9f};
  const rg::ListView<float> view{.scores = apart, .labels = label, .weights = weight};
  CHECK(rg::value(rg::KlDroPartialAuc{}, view) == 0.0f);
  CHECK(rg::value(rg::KlDroTwoWayPartialAuc{}, view) == 0.0f);

  rg::Workspace workspace;
  std::vector<double> gradient(4);
  const std::vector<double> none{0, 0, 0, 0};
  const rg::GradientSink<double> out{gradient.data()};
  CHECK_FALSE(rg::KlDroPartialAuc{}.value_and_gradient(rg::ListView<double>{}, out, workspace).valid);
  CHECK_FALSE(rg::KlDroPartialAuc{}.value_and_gradient(rg::ListView<double>{.scores = s, .labels = none}, out, workspace).valid);
  CHECK_FALSE(rg::KlDroTwoWayPartialAuc{}.value_and_gradient(rg::ListView<double>{.scores = s, .labels = y, .weights = none}, out, workspace).valid);
  CHECK_FALSE(rg::KlDroPartialAuc{.lambda = 0}.check());
  CHECK_FALSE(rg::KlDroTwoWayPartialAuc{.mu = -1}.check());
  CHECK_FALSE(rg::KlDroPartialAuc{.surrogate = Surrogate::exponential}.check());
  CHECK(rg::KlDroTwoWayPartialAuc{}.check());
}
