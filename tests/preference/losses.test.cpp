#include "preference/pairs.hpp"
#include "support/catch.hpp"

#include <rankgrad/core/combinators.hpp>
#include <rankgrad/preference/dpo.hpp>
#include <rankgrad/preference/ipo.hpp>
#include <rankgrad/preference/simpo.hpp>
#include <rankgrad/preference/slic_hinge.hpp>

#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

namespace rg = rankgrad;
using test::make_pairs;
using test::OwnedPairs;

namespace {

long double softplus(long double x) { return x > 0 ? x + log1pl(expl(-x)) : log1pl(expl(x)); }
long double smoothed(long double h, long double e) { return (1 - e) * softplus(-h) + e * softplus(h); }

/// One pair, as the papers write it: a, b the policy's log-probabilities, x, y those of the reference.
struct Pair {
  long double a, b, x, y, na, nb;
};
long double defined(const rg::Dpo& l, const Pair& p) { return smoothed(l.beta * ((p.a - p.b) - l.gamma * (p.x - p.y)), l.label_smoothing); }
long double defined(const rg::Ipo& l, const Pair& p) {
  const long double off = (p.a - p.b) - (p.x - p.y) - 1 / (2 * static_cast<long double>(l.tau));
  return off * off;
}
long double defined(const rg::SlicHinge& l, const Pair& p) { return std::max(0.0L, 1 - l.beta * ((p.a - p.b) - l.gamma * (p.x - p.y))); }
long double defined(const rg::SimPo& l, const Pair& p) { return smoothed(l.beta * (p.a / p.na - p.b / p.nb) - l.margin, l.label_smoothing); }

template <class L, class T>
struct Definition {
  std::vector<Pair> pairs;
  std::vector<long double> weights;
  const L& loss;

  Definition(const L& l, const OwnedPairs<T>& own) : loss(l) {
    for (std::size_t i = 0; i < own.size(); ++i) {
      pairs.push_back({own.chosen[i], own.rejected[i], own.reference_chosen[i], own.reference_rejected[i], own.chosen_lengths[i], own.rejected_lengths[i]});
      weights.push_back(own.weights.empty() ? 1 : own.weights[i]);
    }
  }
  long double value() const {
    long double total = 0;
    for (std::size_t i = 0; i < pairs.size(); ++i) total += weights[i] * defined(loss, pairs[i]);
    return total * factor();
  }
  long double factor() const {
    return loss.normalize == rg::Normalize::mean ? 1 / std::accumulate(weights.begin(), weights.end(), 0.0L) : 1;
  }
  /// First and second difference in one log-probability.
  std::pair<long double, long double> differences(std::size_t k) const {
    const std::size_t i = k % pairs.size();
    const long double step = 1e-3L;
    const auto at = [&](long double d) {
      Pair moved = pairs[i];
      (k < pairs.size() ? moved.a : moved.b) += d * step;
      return weights[i] * factor() * defined(loss, moved);
    };
    const long double slope = (45 * (at(1) - at(-1)) - 9 * (at(2) - at(-2)) + (at(3) - at(-3))) / (60 * step);
    const long double bend = (at(1) - 2 * at(0) + at(-1)) / (step * step);
    return {slope, bend};
  }
};

template <class T>
double tolerance() { return 256 * static_cast<double>(std::numeric_limits<T>::epsilon()); }

template <class L, class T>
void check_definition(const L& loss, bool smooth = true) {
  for (const std::size_t m : {1u, 2u, 3u, 7u, 8u, 9u, 16u, 17u, 33u, 70u})
    for (const bool weights : {false, true}) {
      const auto own = make_pairs<T>(m, 7, weights);
      const Definition<L, T> definition(loss, own);
      std::vector<T> gradient(2 * m), curvature(2 * m);
      const T value = rg::value_gradient_and_curvature(loss, own.view(), gradient, curvature);
      CHECK(static_cast<double>(value) == Approx(static_cast<double>(definition.value())).epsilon(tolerance<T>()));
      double top = 1e-6, top_bend = 1e-6;
      for (const T g : gradient) top = std::max(top, std::abs(static_cast<double>(g)));
      for (const T h : curvature) top_bend = std::max(top_bend, std::abs(static_cast<double>(h)));
      if (!smooth) continue;
      for (std::size_t k = 0; k < 2 * m; ++k) {
        const auto [slope, bend] = definition.differences(k);
        CHECK(static_cast<double>(gradient[k]) == Approx(static_cast<double>(slope)).margin(top * tolerance<T>() + 1e-13));
        CHECK(static_cast<double>(curvature[k]) == Approx(static_cast<double>(bend)).margin(top_bend * (tolerance<T>() + 1e-5)));
        CHECK(curvature[k] >= T(0));
      }
    }
}

/// Masks, weights, prefilled sinks, extremes, empty input, allocation: what every loss of this view must do.
template <class L, class T>
void check_properties(const L& loss) {
  const auto own = make_pairs<T>(29, 3, true);
  const std::size_t m = own.size();
  std::vector<T> base(2 * m), bend(2 * m);
  rg::Workspace workspace;
  const T value = rg::value_gradient_and_curvature(loss, own.view(), base, bend, T(0), workspace);

  OwnedPairs<T> masked;
  std::vector<std::size_t> place;
  for (std::size_t i = 0; i < m; ++i) {
    if (i % 4 == 2) {
      masked.append(own, i);
      const T nan = std::numeric_limits<T>::quiet_NaN();
      masked.chosen.back() = masked.reference_chosen.back() = masked.chosen_lengths.back() = masked.weights.back() = nan;
      masked.mask.push_back(0);
    }
    masked.append(own, i);
    masked.mask.push_back(1);
    place.push_back(masked.size() - 1);
  }
  std::vector<T> gradient(2 * masked.size(), T(5)), curvature(2 * masked.size(), T(5));
  CHECK(rg::value_gradient_and_curvature(loss, masked.view(), gradient, curvature, T(0), workspace) == value);
  T rest = T(0);
  for (std::size_t i = 0; i < masked.size(); ++i)
    if (!masked.mask[i]) rest += std::abs(gradient[i]) + std::abs(gradient[masked.size() + i]) + curvature[i];
  CHECK(rest == T(0));
  for (std::size_t i = 0; i < m; ++i) {
    CHECK(gradient[place[i]] == base[i]);
    CHECK(gradient[masked.size() + place[i]] == base[m + i]);
    CHECK(curvature[masked.size() + place[i]] == bend[m + i]);
  }
  masked.mask.assign(masked.size(), 0);
  CHECK(rg::value_and_gradient(loss, masked.view(), gradient) == T(0));
  CHECK(gradient == std::vector<T>(gradient.size(), T(0)));

  const std::size_t growths = workspace.growths();
  rg::value_gradient_and_curvature(loss, own.view(), base, bend, T(0), workspace);
  CHECK(workspace.growths() == growths);

  auto ones = own, twice = own;
  ones.weights.assign(m, T(1));
  ones.weights[1] = T(2);
  twice.weights.assign(m, T(1));
  twice.append(own, 1);
  twice.weights.back() = T(1);
  CHECK(static_cast<double>(rg::value(loss, ones.view())) == Approx(static_cast<double>(rg::value(loss, twice.view()))).epsilon(tolerance<T>()));

  std::vector<T> filled(2 * m, T(1));
  rg::evaluate_view(loss, own.view(), rg::GradientSink<T>{filled.data(), nullptr, T(0.5)}, workspace);
  for (std::size_t k = 0; k < 2 * m; ++k)
    CHECK(static_cast<double>(filled[k]) == Approx(1 + 0.5 * static_cast<double>(base[k])).epsilon(tolerance<T>()));

  for (const double spread : {1e4, 1e6, 1e-30}) {
    const auto extreme = make_pairs<T>(19, 5, false, spread);
    std::vector<T> g(38), h(38);
    CHECK(rg::is_finite(rg::value_gradient_and_curvature(loss, extreme.view(), g, h)));
    for (std::size_t k = 0; k < 38; ++k) CHECK((rg::is_finite(g[k]) && rg::is_finite(h[k]) && h[k] >= T(0)));
  }
  auto broken = own;
  broken.rejected[4] = std::numeric_limits<T>::quiet_NaN();
  CHECK_FALSE(rg::is_finite(rg::value(loss, broken.view())));
  CHECK(rg::value(loss, rg::PreferenceView<T>{}) == T(0));
  auto weightless = own;
  weightless.weights.assign(m, T(0));
  CHECK_FALSE(rg::evaluate_view(loss, weightless.view(), rg::GradientSink<T>{filled.data()}, workspace).valid);

  const auto wide = make_pairs<double>(29, 3, true);
  std::vector<double> g(2 * m);
  CHECK(static_cast<double>(value) == Approx(rg::value_and_gradient(loss, wide.view(), g)).epsilon(tolerance<T>()));
  const double top = *std::max_element(g.begin(), g.end());
  for (std::size_t k = 0; k < 2 * m; ++k) CHECK(static_cast<double>(base[k]) == Approx(g[k]).margin(top * tolerance<T>()));
}

}  // namespace

TEMPLATE_TEST_CASE("preference losses follow their definitions", "[preference]", float, double) {
  check_definition<rg::Dpo, TestType>({});
  check_definition<rg::Dpo, TestType>({.beta = 0.3, .gamma = 0.4, .label_smoothing = 0.1, .normalize = rg::Normalize::sum});
  check_definition<rg::Dpo, TestType>({.beta = 0.05, .gamma = 2});
  check_definition<rg::Ipo, TestType>({});
  check_definition<rg::Ipo, TestType>({.tau = 0.7, .normalize = rg::Normalize::sum});
  check_definition<rg::SlicHinge, TestType>({}, false);
  check_definition<rg::SlicHinge, TestType>({.beta = 0.5, .gamma = 0, .normalize = rg::Normalize::sum}, false);
  check_definition<rg::SimPo, TestType>({});
  check_definition<rg::SimPo, TestType>({.beta = 0.5, .margin = 0.2, .label_smoothing = 0.25, .normalize = rg::Normalize::sum});
}

TEMPLATE_TEST_CASE("preference losses have the properties of losses", "[preference]", float, double) {
  check_properties<rg::Dpo, TestType>({});
  check_properties<rg::Dpo, TestType>({.beta = 0.2, .gamma = 0.5, .label_smoothing = 0.2});
  check_properties<rg::Ipo, TestType>({});
  check_properties<rg::SlicHinge, TestType>({});
  check_properties<rg::SimPo, TestType>({});
}

TEST_CASE("DPO by hand", "[preference]") {
  // D = -10 + 14 = 4, R = -11 + 13 = 2, beta = log(3) / 2: h = log 3, s(-h) = 1/4, L = log(4/3).
  const std::vector<double> a{-10}, b{-14}, x{-11}, y{-13};
  const rg::PreferenceView<double> pair{.chosen = a, .rejected = b, .reference_chosen = x, .reference_rejected = y};
  const double beta = std::log(3.0) / 2;
  std::vector<double> gradient(2), curvature(2);
  CHECK(rg::value_gradient_and_curvature(rg::Dpo{.beta = beta}, pair, gradient, curvature) == Approx(std::log(4.0 / 3)).epsilon(1e-14));
  CHECK(gradient[0] == Approx(-beta / 4).epsilon(1e-14));
  CHECK(gradient[1] == -gradient[0]);
  CHECK(curvature[0] == Approx(beta * beta * 3 / 16).epsilon(1e-14));
  // gamma = 2: h = 0.  gamma = 0: h = 2 log 3, s(-h) = 1/10.
  CHECK(rg::value_and_gradient(rg::Dpo{.beta = beta, .gamma = 2}, pair, gradient) == Approx(std::log(2.0)).epsilon(1e-14));
  CHECK(rg::value_and_gradient(rg::Dpo{.beta = beta, .gamma = 0}, pair, gradient) == Approx(std::log(10.0 / 9)).epsilon(1e-14));
  CHECK(gradient[0] == Approx(-beta / 10).epsilon(1e-13));
  // Smoothed by e = 1/4 the loss is at its lowest where s(h) = 3/4: here.
  rg::value_and_gradient(rg::Dpo{.beta = beta, .label_smoothing = 0.25}, pair, gradient);
  CHECK(gradient[0] == Approx(0).margin(1e-16));
  // Without a reference: gamma has nothing to multiply.
  const rg::PreferenceView<double> alone{.chosen = a, .rejected = b};
  CHECK(rg::value(rg::Dpo{.beta = beta}, alone) == rg::value(rg::Dpo{.beta = beta, .gamma = 0}, pair));
}

TEST_CASE("equal answers: half of beta", "[preference]") {
  const std::vector<double> same{-7};
  const rg::PreferenceView<double> pair{.chosen = same, .rejected = same, .reference_chosen = same, .reference_rejected = same};
  std::vector<double> gradient(2);
  CHECK(rg::value_and_gradient(rg::Dpo{}, pair, gradient) == Approx(std::log(2.0)).epsilon(1e-15));
  CHECK(gradient[0] == Approx(-0.05).epsilon(1e-14));
}

TEST_CASE("IPO, SLiC and SimPO by hand", "[preference]") {
  const std::vector<double> a{-10}, b{-14}, x{-11}, y{-13}, na{5}, nb{2};
  const rg::PreferenceView<double> pair{.chosen = a, .rejected = b, .reference_chosen = x, .reference_rejected = y,
                                        .chosen_lengths = na, .rejected_lengths = nb};
  std::vector<double> gradient(2);
  CHECK(rg::value_and_gradient(rg::Ipo{.tau = 0.1}, pair, gradient) == Approx(9.0).epsilon(1e-14));   // (2 - 5)^2
  CHECK(gradient[0] == Approx(-6.0).epsilon(1e-14));
  CHECK(rg::value_and_gradient(rg::SlicHinge{.beta = 0.25}, pair, gradient) == Approx(0.5).epsilon(1e-14));
  CHECK(gradient[0] == Approx(-0.25).epsilon(1e-14));
  CHECK(rg::value_and_gradient(rg::SlicHinge{.beta = 0.5}, pair, gradient) == 0);   // exactly at the margin
  CHECK(gradient[0] == 0);
  // Per token: -2 and -7, so 5 beta - margin = log 3 for beta = 0.4, margin = 2 - log 3.
  const double margin = 2 - std::log(3.0);
  CHECK(rg::value_and_gradient(rg::SimPo{.beta = 0.4, .margin = margin}, pair, gradient) == Approx(std::log(4.0 / 3)).epsilon(1e-13));
  CHECK(gradient[0] == Approx(-0.4 / 4 / 5).epsilon(1e-13));
  CHECK(gradient[1] == Approx(0.4 / 4 / 2).epsilon(1e-13));
}

TEST_CASE("preference losses mix", "[preference]") {
  const auto own = make_pairs<double>(9, 1, false);
  std::vector<double> gradient(18), a(18), b(18);
  const double value = rg::value_and_gradient(0.5 * rg::Dpo{} + 2.0 * rg::SimPo{}, own.view(), gradient);
  CHECK(value == Approx(0.5 * rg::value_and_gradient(rg::Dpo{}, own.view(), a) + 2 * rg::value_and_gradient(rg::SimPo{}, own.view(), b)).epsilon(1e-14));
  for (std::size_t k = 0; k < 18; ++k) CHECK(gradient[k] == Approx(0.5 * a[k] + 2 * b[k]).epsilon(1e-12));
}

TEST_CASE("what is wrong with pairs is said", "[preference]") {
  auto own = make_pairs<double>(3, 1, true);
  std::vector<double> gradient(6);
  own.chosen_lengths[1] = 0;
  CHECK_THROWS_WITH(rg::value_and_gradient(rg::Dpo{}, own.view(), gradient), contains("chosen_lengths[1] is 0"));
  own = make_pairs<double>(3, 1, true);
  own.reference_rejected[2] = std::numeric_limits<double>::infinity();
  CHECK_THROWS_WITH(rg::value_and_gradient(rg::Dpo{}, own.view(), gradient), contains("reference_rejected[2]"));
  own = make_pairs<double>(3, 1, true);
  own.reference_rejected.clear();
  CHECK_THROWS_WITH(rg::value_and_gradient(rg::Dpo{}, own.view(), gradient), contains("reference_rejected has 0"));
  own = make_pairs<double>(3, 1, true);
  own.chosen_lengths.clear();
  own.rejected_lengths.clear();
  CHECK_THROWS_WITH(rg::value_and_gradient(rg::SimPo{}, own.view(), gradient), contains("SimPo needs"));
  own.rejected.pop_back();
  CHECK_THROWS_WITH(rg::value_and_gradient(rg::Dpo{}, own.view(), gradient), contains("rejected has 2"));
  CHECK_FALSE(rg::validate_parameters(rg::Dpo{.beta = 0}));
  CHECK_FALSE(rg::validate_parameters(rg::Dpo{.label_smoothing = 0.6}));
  CHECK_FALSE(rg::validate_parameters(rg::Dpo{.gamma = -1}));
  CHECK_FALSE(rg::validate_parameters(rg::Ipo{.tau = 0}));
  CHECK_FALSE(rg::validate_parameters(rg::SlicHinge{.beta = -1}));
  CHECK_FALSE(rg::validate_parameters(rg::SimPo{.margin = -1}));
}
