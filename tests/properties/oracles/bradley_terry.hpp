// Literal definitions of the losses of comparisons.
#pragma once

#include "properties/every_loss.hpp"

#include <rankgrad/bradley_terry/bradley_terry.hpp>
#include <rankgrad/bradley_terry/win_tie.hpp>
#include <rankgrad/bradley_terry/davidson.hpp>
#include <rankgrad/bradley_terry/rao_kupper.hpp>

namespace test {

/// Comparisons that own their arrays.
template <class T>
struct OwnedComparisons {
  std::vector<T> scores;
  std::vector<std::uint32_t> first, second;
  std::vector<rg::Outcome> outcome;
  std::vector<T> soft_outcome, weights;
  std::vector<std::uint8_t> mask;

  std::size_t size() const { return first.size(); }
  rg::ComparisonView<T> view() const {
    return {.scores = scores, .first = first, .second = second, .outcome = outcome, .soft_outcome = soft_outcome,
            .weights = weights, .mask = mask};
  }
  template <class U>
  OwnedComparisons<U> as() const {
    return {{scores.begin(), scores.end()}, first, second, outcome, {soft_outcome.begin(), soft_outcome.end()},
            {weights.begin(), weights.end()}, mask};
  }
  void append(const OwnedComparisons& other, std::size_t c) {
    first.push_back(other.first[c]);
    second.push_back(other.second[c]);
    if (!other.outcome.empty()) outcome.push_back(other.outcome[c]);
    for (std::size_t k = 0; k < 3 && !other.soft_outcome.empty(); ++k) soft_outcome.push_back(other.soft_outcome[3 * c + k]);
    if (!other.weights.empty()) weights.push_back(other.weights[c]);
  }
};

enum class Outcomes { none, hard, soft };

inline OwnedComparisons<double> make_comparisons(std::size_t items, std::size_t m, std::uint64_t seed, Outcomes kind = Outcomes::hard,
                                                 double spread = 1.5, bool weights = false) {
  rg::Random random(seed, m);
  OwnedComparisons<double> made;
  for (std::size_t i = 0; i < items; ++i) made.scores.push_back(static_cast<float>(spread * random.normal()));
  for (std::size_t c = 0; c < m; ++c) {
    const std::size_t i = random.below(items), j = (i + 1 + random.below(items - 1)) % items;
    made.first.push_back(static_cast<std::uint32_t>(i));
    made.second.push_back(static_cast<std::uint32_t>(j));
    if (kind == Outcomes::hard) made.outcome.push_back(static_cast<rg::Outcome>(random.below(3)));
    if (kind == Outcomes::soft) {   // sixteenths: exact in float, and their sum is exactly 1
      const std::size_t a = random.below(17), b = random.below(17 - a);
      for (const std::size_t part : {a, b, 16 - a - b}) made.soft_outcome.push_back(static_cast<double>(part) / 16);
    }
    if (weights) made.weights.push_back(static_cast<float>(0.5 + random.uniform()));
  }
  return made;
}

/// The negative log-likelihood, or loss, of the three outcomes at difference d, and the tie parameter's place.
template <class L>
struct ComparisonOracle;

template <class L, class T>
long double comparison_value(const L& loss, const OwnedComparisons<T>& made, const std::vector<long double>& scores) {
  long double total = 0, weight = 0;
  for (std::size_t c = 0; c < made.size(); ++c) {
    if (!made.mask.empty() && !made.mask[c]) continue;
    const long double w = made.weights.empty() ? 1 : static_cast<long double>(made.weights[c]);
    const auto losses = ComparisonOracle<L>::losses(loss, scores[made.first[c]] - scores[made.second[c]]);
    long double term = 0;
    if (!made.soft_outcome.empty())
      for (std::size_t k = 0; k < 3; ++k) term += static_cast<long double>(made.soft_outcome[3 * c + k]) * losses[k];
    else term = losses[made.outcome.empty() ? 0 : static_cast<std::size_t>(made.outcome[c])];
    total += w * term;
    weight += w;
  }
  if (!(weight > 0)) return 0;
  return loss.normalize == rg::Normalize::mean ? total / weight : total;
}

template <>
struct ComparisonOracle<rg::BradleyTerry> {
  static std::vector<rg::BradleyTerry> instances() {
    return {{}, {.margin = 1.5, .normalize = rg::Normalize::sum}, {.margin = 0.5, .label_smoothing = 0.1}};
  }
  static std::array<long double, 3> losses(const rg::BradleyTerry& loss, long double d) {
    const long double e = loss.label_smoothing, m = loss.margin;
    const auto f = [&](long double x) { return (1 - e) * softplus(-(x - m)) + e * softplus(x + m); };
    return {f(d), f(-d), (f(d) + f(-d)) / 2};
  }
};

template <>
struct ComparisonOracle<rg::WinTieBradleyTerry> {
  static std::vector<rg::WinTieBradleyTerry> instances() {
    return {{}, {.margin = 0.25, .label_smoothing = 0.1, .win_weight = 2, .tie_weight = 0.5, .normalize = rg::Normalize::sum}};
  }
  static std::array<long double, 3> losses(const rg::WinTieBradleyTerry& loss, long double d) {
    const long double e = loss.label_smoothing, m = loss.margin;
    const auto f = [&](long double x) { return loss.win_weight * ((1 - e) * softplus(-(x - m)) + e * softplus(x + m)); };
    return {f(d), f(-d), loss.tie_weight * (softplus(-(d - m)) + softplus(d + m))};
  }
};

template <>
struct ComparisonOracle<rg::RaoKupper> {
  static std::vector<rg::RaoKupper> instances() { return {{}, {.eta = 0.01, .normalize = rg::Normalize::sum}, {.eta = 8}}; }
  static auto tie(rg::RaoKupper& loss) { return &loss.eta; }
  static std::array<long double, 3> losses(const rg::RaoKupper& loss, long double d) {
    const long double eta = loss.eta;
    return {softplus(eta - d), softplus(eta + d), softplus(eta - d) + softplus(eta + d) - logl(expm1l(2 * eta))};
  }
};

template <>
struct ComparisonOracle<rg::Davidson> {
  static std::vector<rg::Davidson> instances() { return {{}, {.kappa = -3, .normalize = rg::Normalize::sum}, {.kappa = 2.5}}; }
  static auto tie(rg::Davidson& loss) { return &loss.kappa; }
  static std::array<long double, 3> losses(const rg::Davidson& loss, long double d) {
    const long double u[] = {d / 2, -d / 2, loss.kappa}, top = std::max({u[0], u[1], u[2]});
    const auto nll = [&](int k) {
      long double others = 0;   // log(1 + what the others weigh next to outcome k), from the largest of the three
      for (int j = 0; j < 3; ++j)
        if (j != k) others += expl(u[j] - top);
      return u[k] == top ? log1pl(others) : top - u[k] + logl(expl(u[k] - top) + others);
    };
    return {nll(0), nll(1), nll(2)};
  }
};

}  // namespace test
