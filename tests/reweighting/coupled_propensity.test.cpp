#include "support/catch.hpp"
#include "support/lists.hpp"

#include <rankgrad/core/batch_evaluator.hpp>
#include <rankgrad/reweighting/coupled_propensity.hpp>

#include <cmath>
#include <limits>
#include <vector>

namespace rg = rankgrad;

namespace {

long double sigmoid(long double x) { return x > 0 ? 1 / (1 + expl(-x)) : expl(x) / (1 + expl(x)); }
std::vector<long double> propensities(rg::Propensity kind, const std::vector<long double>& x) {
  std::vector<long double> p;
  long double total = 0;
  for (const long double v : x) p.push_back(kind == rg::Propensity::sigmoid ? sigmoid(v) : expl(v)), total += p.back();
  if (kind == rg::Propensity::softmax)
    for (long double& v : p) v /= total;
  return p;
}

/// One side of the definition: weights from (f, g) at rest, the loss at `moved`, which stands for f.
long double side(const rg::CoupledPropensity& loss, const std::vector<long double>& f, const std::vector<long double>& g,
                 const std::vector<long double>& moved, const std::vector<double>& labels, const std::vector<double>& weights) {
  const auto rho = propensities(loss.propensity, f), omega = propensities(loss.propensity, g);
  const std::size_t n = f.size();
  const auto floored = [&](long double p) { return loss.propensity == rg::Propensity::sigmoid ? std::max<long double>(p, loss.lowest) : p; };
  std::size_t reference = 0;
  if (loss.reference == rg::ReferenceCandidate::highest) reference = static_cast<std::size_t>(std::max_element(g.begin(), g.end()) - g.begin());
  else
    while (reference + 1 < n && !(labels[reference] > 0)) ++reference;
  const bool ratio = loss.coupling == rg::Coupling::inverse_ratio;
  long double total = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (!(labels[i] > 0)) continue;
    long double denominator = ratio ? 0 : expl(moved[i]), negatives = 0;
    for (std::size_t j = 0; j < n; ++j) {
      if (ratio) denominator += expl(moved[j]);
      if (ratio || labels[j] > 0) continue;
      long double v = loss.unlabelled == rg::UnlabelledWeight::seen ? omega[j] : (1 - rho[j]) / std::max(1 - rho[j] * omega[j], 1e-6L);
      if (loss.warm_up) v = 1;
      negatives += weights[j] * v;
      denominator += weights[j] * v * expl(moved[j]);
    }
    if (!ratio && negatives == 0) continue;
    long double c = std::min<long double>((ratio ? floored(omega[reference]) : 1) / floored(omega[i]), loss.cap);
    if (loss.warm_up) c = 1;
    total += weights[i] * c * (logl(denominator) - moved[i]);
  }
  return total;
}

const rg::CoupledPropensity settings[] = {
    {},
    {.unlabelled = rg::UnlabelledWeight::seen, .lowest = 0.2, .cap = 3},
    {.propensity = rg::Propensity::softmax},
    {.propensity = rg::Propensity::softmax, .unlabelled = rg::UnlabelledWeight::seen, .cap = 100},
    {.warm_up = true},
    {.coupling = rg::Coupling::inverse_ratio},
    {.coupling = rg::Coupling::inverse_ratio, .reference = rg::ReferenceCandidate::highest, .lowest = 0, .cap = 2},
    {.coupling = rg::Coupling::inverse_ratio, .propensity = rg::Propensity::softmax, .cap = 50},
    {.coupling = rg::Coupling::inverse_ratio, .warm_up = true},
};

template <class T>
void check_definition(const rg::CoupledPropensity& loss) {
  const double tolerance = 512 * static_cast<double>(std::numeric_limits<T>::epsilon());
  for (const std::size_t n : {2u, 3u, 7u, 8u, 9u, 17u, 40u})
    for (const bool weighted : {false, true}) {
      const auto first = test::make_list<T>(n, 4, {.spread = 1.2, .grades = 2, .weights = weighted});
      const auto second = test::make_list<T>(n, 5, {.spread = 1.5});
      const rg::CoupledView<T> view{.relevance = first.scores, .selection = second.scores, .labels = first.labels, .weights = first.weights};
      const std::vector<long double> f(first.scores.begin(), first.scores.end()), g(second.scores.begin(), second.scores.end());
      const std::vector<double> y(first.labels.begin(), first.labels.end());
      std::vector<double> u(first.weights.begin(), first.weights.end());
      if (u.empty()) u.assign(n, 1);
      std::vector<T> gradient(2 * n), curvature(2 * n);
      const T value = rg::value_gradient_and_curvature(loss, view, gradient, curvature);
      const long double expected = side(loss, f, g, f, y, u) + side(loss, g, f, g, y, u);
      CHECK(static_cast<double>(value) == Approx(static_cast<double>(expected)).epsilon(tolerance));
      double top = 0.1;
      for (const T v : gradient) top = std::max(top, std::abs(static_cast<double>(v)));
      for (std::size_t k = 0; k < 2 * n; ++k) {
        // The weights stay at rest: nothing is differentiated through them, not even where f moves its own negatives' weights.
        const auto at = [&](long double step) {
          auto moved = k < n ? f : g;
          moved[k % n] += step;
          return k < n ? side(loss, f, g, moved, y, u) : side(loss, g, f, moved, y, u);
        };
        const long double h = 1e-3L;
        const long double slope = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h), bend = (at(h) - 2 * at(0) + at(-h)) / (h * h);
        CHECK(static_cast<double>(gradient[k]) == Approx(static_cast<double>(slope)).margin(top * (tolerance + 1e-10)));
        CHECK(static_cast<double>(curvature[k]) == Approx(static_cast<double>(bend)).margin(top * (tolerance + 1e-5)));
        CHECK(curvature[k] >= T(0));
      }
    }
}

}  // namespace

TEMPLATE_TEST_CASE("coupled propensities follow their definition", "[reweighting]", float, double) {
  for (const auto& loss : settings) check_definition<TestType>(loss);
}

TEST_CASE("coupled propensities by hand", "[reweighting]") {
  // rho = 3/4 and 1/2, omega = 1/4 and 2/3. Item 0 is positive: c = min(1 / (1/4), 10) = 4 for L_R and 4/3 for L_S.
  // Item 1: 1 - rho omega = 2/3, v = (1/2) / (2/3) = 3/4 for L_R and (1/3) / (2/3) = 1/2 for L_S.
  const std::vector<double> f{std::log(3.0), 0}, g{-std::log(3.0), std::log(2.0)}, y{1, 0};
  const rg::CoupledView<double> view{.relevance = f, .selection = g, .labels = y};
  std::vector<double> gradient(4), weights(2);
  rg::Workspace workspace;
  const rg::CoupledPropensity loss;
  loss.weigh(view.of_relevance(), g, weights, workspace);
  CHECK(weights[0] == Approx(4.0).epsilon(1e-14));
  CHECK(weights[1] == Approx(0.75).epsilon(1e-14));
  loss.weigh(view.of_selection(), f, weights, workspace);
  CHECK(weights[0] == Approx(4.0 / 3).epsilon(1e-14));
  CHECK(weights[1] == Approx(0.5).epsilon(1e-14));
  // L_R = 4 (log(3 + 3/4) - log 3) = 4 log(5/4);  L_S = (4/3) (log(1/3 + 1) - log(1/3)) = (4/3) log 4.
  CHECK(rg::value_and_gradient(loss, view, gradient) == Approx(4 * std::log(1.25) + 4.0 / 3 * std::log(4.0)).epsilon(1e-14));
  CHECK(gradient[0] == Approx(-4 * 0.2).epsilon(1e-13));
  CHECK(gradient[1] == Approx(4 * 0.2).epsilon(1e-13));
  CHECK(gradient[2] == Approx(-1.0).epsilon(1e-13));
  CHECK(gradient[3] == Approx(1.0).epsilon(1e-13));
}

TEST_CASE("caps, floors and the reference candidate", "[reweighting]") {
  const std::vector<double> f{0, 0, 0}, g{-20, 1, 3}, y{1, 1, 0};
  rg::Workspace workspace;
  std::vector<double> w(3);
  const rg::ListView<double> list{.scores = f, .labels = y};
  rg::CoupledPropensity{.lowest = 0.2}.weigh(list, g, w, workspace);
  CHECK(w[0] == 5);
  rg::CoupledPropensity{}.weigh(list, g, w, workspace);
  CHECK(w[0] == 10);
  rg::CoupledPropensity{.coupling = rg::Coupling::inverse_ratio, .propensity = rg::Propensity::softmax}.weigh(list, g, w, workspace);
  CHECK(w[0] == 1);
  CHECK(w[1] == Approx(std::exp(-21.0)).epsilon(1e-13));
  CHECK(w[2] == 0);
  rg::CoupledPropensity{.coupling = rg::Coupling::inverse_ratio, .propensity = rg::Propensity::softmax, .reference = rg::ReferenceCandidate::highest}
      .weigh(list, g, w, workspace);
  CHECK(w[0] == 10);
  CHECK(w[1] == Approx(std::exp(2.0)).epsilon(1e-13));
}

TEST_CASE("coupled propensities without signal, with masks and at extremes", "[reweighting]") {
  rg::Workspace workspace;
  for (const auto& loss : settings) {
    std::vector<double> gradient(6, 9);
    const std::vector<double> f{1, 2, 3}, g{0, 1, 0}, none{0, 0, 0};
    CHECK(rg::value_and_gradient(loss, rg::CoupledView<double>{.relevance = f, .selection = g, .labels = none}, gradient) == 0);
    CHECK(gradient == std::vector<double>(6, 0));
    CHECK(rg::value(loss, rg::CoupledView<double>{}) == 0);
    const std::vector<double> one{1};
    std::vector<double> pair(2);
    CHECK(rg::value_and_gradient(loss, rg::CoupledView<double>{.relevance = one, .selection = one, .labels = one}, pair) == 0);
    CHECK(pair == std::vector<double>(2, 0));

    const double nan = std::numeric_limits<double>::quiet_NaN();
    const std::vector<double> y{1, 0, 1}, fm{1, nan, 2, 3}, gm{0, nan, 1, 0}, ym{1, nan, 0, 1};
    const std::vector<std::uint8_t> mask{1, 0, 1, 1};
    std::vector<double> masked(8), curvature(8), bend(6);
    const rg::CoupledView<double> plain{.relevance = f, .selection = g, .labels = y};
    const double value = rg::value_gradient_and_curvature(loss, plain, gradient, bend, 0, workspace);
    CHECK(rg::value_gradient_and_curvature(loss, rg::CoupledView<double>{.relevance = fm, .selection = gm, .labels = ym, .mask = mask},
                                           masked, curvature, 0, workspace) == value);
    CHECK(masked == std::vector<double>{gradient[0], 0, gradient[1], gradient[2], gradient[3], 0, gradient[4], gradient[5]});
    CHECK(curvature == std::vector<double>{bend[0], 0, bend[1], bend[2], bend[3], 0, bend[4], bend[5]});
    const std::size_t growths = workspace.growths();
    rg::value_gradient_and_curvature(loss, plain, gradient, bend, 0, workspace);
    CHECK(workspace.growths() == growths);

    const std::vector<float> wild{1e4f, -1e4f, 3e4f, 0, -1e8f}, other{-1e4f, 1e4f, -1e8f, 0, 2e4f}, labels{1, 0, 0, 1, 0};
    std::vector<float> gw(10), hw(10);
    CHECK(rg::is_finite(rg::value_gradient_and_curvature(loss, rg::CoupledView<float>{.relevance = wild, .selection = other, .labels = labels}, gw, hw)));
    for (const float v : gw) CHECK(rg::is_finite(v));
  }
  CHECK_FALSE(rg::validate_parameters(rg::CoupledPropensity{.cap = 0.5}));
  CHECK_FALSE(rg::validate_parameters(rg::CoupledPropensity{.lowest = 1}));
}

TEST_CASE("coupled weights of a batch, self-normalised, feed the plain losses", "[reweighting]") {
  auto owned = test::make_batch<double>(6, 2, 9, 4, {.grades = 2});
  const auto other = test::make_list<double>(owned.items.size(), 9);
  rg::RaggedBatch<double> batch = owned.view();
  std::vector<double> weights(batch.items()), gradient(batch.items());
  rg::Workspace workspace;
  const rg::CoupledPropensity loss;
  loss.weigh(batch, other.scores, weights, workspace);
  batch.weights = weights;
  rg::BatchEvaluator<double> evaluate;
  evaluate(rg::PairwiseCrossEntropy{.negatives = rg::Negatives::joint, .normalize = rg::Normalize::sum}, batch, gradient, rg::Reduction::sum);
  for (std::size_t q = 0; q < batch.lists(); ++q) {
    const std::size_t first = batch.offsets[q], n = batch.offsets[q + 1] - first;
    const rg::CoupledView<double> view{.relevance = batch.scores.subspan(first, n), .selection = std::span(other.scores).subspan(first, n),
                                       .labels = batch.labels.subspan(first, n)};
    std::vector<double> both(2 * n);
    rg::value_and_gradient(loss, view, both);
    for (std::size_t i = 0; i < n; ++i) CHECK(gradient[first + i] == Approx(both[i]).epsilon(1e-12).margin(1e-15));
  }
  const auto before = weights;
  const double factor = rg::self_normalise(batch.labels, weights);
  CHECK(factor < 1);
  double sum = 0, count = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (batch.labels[i] > 0) sum += weights[i], count += 1;
    else CHECK(weights[i] == before[i]);
  }
  CHECK(sum == Approx(count).epsilon(1e-13));
}

TEST_CASE("coupled weights of a batch: masked is deleted, and weighs nothing", "[reweighting]") {
  auto owned = test::make_batch<double>(5, 3, 20, 7, {.grades = 2, .weights = true});
  auto other = test::make_list<double>(owned.items.size(), 8).scores;
  std::vector<std::uint8_t> mask(other.size(), std::uint8_t{1});
  for (std::size_t i = 0; i < mask.size(); i += 1 + i % 3) mask[i] = 0;   // first places among them: no reference candidate
  const auto firsts = owned.offsets;
  std::vector<double> scores, labels, item_weights, kept_other;
  std::vector<std::uint32_t> offsets{0};
  for (std::size_t q = 0; q + 1 < firsts.size(); ++q) {
    for (std::size_t i = firsts[q]; i < firsts[q + 1]; ++i)
      if (mask[i]) {
        scores.push_back(owned.items.scores[i]);
        labels.push_back(owned.items.labels[i]);
        item_weights.push_back(owned.items.weights[i]);
        kept_other.push_back(other[i]);
      }
    offsets.push_back(static_cast<std::uint32_t>(scores.size()));
  }
  for (std::size_t i = 0; i < mask.size(); ++i)   // would be the reference candidate, or take all of a softmax
    if (!mask[i]) owned.items.scores[i] = other[i] = i % 2 ? 50 : std::numeric_limits<double>::quiet_NaN();
  rg::RaggedBatch<double> masked = owned.view();
  masked.mask = mask;
  const rg::RaggedBatch<double> left{.scores = scores, .labels = labels, .weights = item_weights, .offsets = offsets};
  rg::Workspace workspace;
  for (const auto& loss : settings) {
    std::vector<double> got(mask.size(), 9), expected(scores.size());
    loss.weigh(masked, other, got, workspace);
    loss.weigh(left, kept_other, expected, workspace);
    for (const bool normalised : {false, true}) {
      if (normalised) CHECK(rg::self_normalise(masked.labels, got, mask) == rg::self_normalise(left.labels, expected));
      for (std::size_t i = 0, k = 0; i < mask.size(); ++i) CHECK(got[i] == (mask[i] ? expected[k++] : 0.0));
    }
  }
  std::vector<double> wild(mask.size(), 2);   // what stands at masked places counts for nothing and stays
  for (std::size_t i = 0; i < mask.size(); ++i)
    if (!mask[i]) wild[i] = 1e6;
  CHECK(rg::self_normalise(masked.labels, wild, mask) == 0.5);
  for (std::size_t i = 0; i < mask.size(); ++i) CHECK(wild[i] == (!mask[i] ? 1e6 : masked.labels[i] > 0 ? 1.0 : 2.0));
}

TEST_CASE("coupled weights of a batch: offsets and sizes are checked before anything is written", "[reweighting]") {
  const std::vector<double> scores(5), labels{1, 0, 1, 0, 0}, few(4);
  const std::vector<std::uint32_t> good{0, 2, 5}, late{1, 5}, falling{0, 4, 2, 5}, beyond{0, 9};
  const std::vector<std::uint8_t> mask(4, std::uint8_t{1});
  std::vector<double> out(5, 7);
  rg::Workspace workspace;
  const auto weigh = [&](rg::RaggedBatch<double> batch, const std::vector<double>& other, const rg::CoupledPropensity& loss = {}) {
    batch.scores = scores;
    loss.weigh(batch, other, out, workspace);
  };
  CHECK_THROWS_WITH(weigh({.labels = labels}, scores), contains("offsets is empty"));
  CHECK_THROWS_WITH(weigh({.labels = labels, .offsets = late}, scores), contains("offsets[0] is 1"));
  CHECK_THROWS_WITH(weigh({.labels = labels, .offsets = falling}, scores), contains("offsets[2] is 2"));
  CHECK_THROWS_WITH(weigh({.labels = labels, .offsets = beyond}, scores), contains("offsets is 9; there are 5 scores"));
  CHECK_THROWS_WITH(weigh({.labels = few, .offsets = good}, scores), contains("labels has 4"));
  CHECK_THROWS_WITH(weigh({.labels = labels, .mask = mask, .offsets = good}, scores), contains("mask has 4"));
  CHECK_THROWS_WITH(weigh({.labels = labels, .offsets = good}, few), contains("differ in size"));
  CHECK_THROWS_WITH(weigh({.labels = labels, .offsets = good}, scores, {.cap = 0}), contains("CoupledPropensity.cap is 0"));
  CHECK_THROWS_WITH(rg::self_normalise<double>(labels, out, mask), contains("mask and labels differ in size"));
  CHECK(out == std::vector<double>(5, 7));
}
