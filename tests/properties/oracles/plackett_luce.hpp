// Literal definitions of the Plackett-Luce losses.
#pragma once

#include "properties/every_loss.hpp"

#include <rankgrad/plackett_luce/list_mle.hpp>

namespace test {

/// log of the sum of e^x.
inline long double log_sum_exp(const std::vector<long double>& x) {
  const long double top = *std::max_element(x.begin(), x.end());
  long double sum = 0;
  for (const long double v : x) sum += expl(v - top);
  return top + logl(sum);
}

/// log P(all of `group` come before all of the rest under Plackett-Luce): the integral over u in (0, 1) of
/// prod_j (1 - u^a_j), a_j = e^(s_j - log_rest), by the tanh-sinh rule u = 1 / (1 + exp(-pi sinh x)).
inline long double log_precedes(const std::vector<long double>& group, long double log_rest) {
  const long double pi = 3.14159265358979323846264338327950288L;
  if (group.size() == 1) return -softplus(log_rest - group[0]);
  std::vector<long double> rates;
  for (const long double s : group) rates.push_back(expl(s - log_rest));
  // 1 - P is what there is to see where P is near 1.
  std::vector<long double> log_products, logs;
  long double missing = 0;
  const long double step = 0.1L;
  for (long double x = -4.5L; x < 4.5L; x += step) {
    const long double log_u = -softplus(-pi * sinhl(x));
    const long double log_of_log = logl(-log_u);
    const long double log_slope = logl(pi * coshl(x)) - softplus(-pi * sinhl(x)) - softplus(pi * sinhl(x));
    long double product = 0, factors = 1;   // the log of the product, and what has not gone into it yet
    for (std::size_t j = 0; j < group.size(); ++j) {
      const long double log_y = group[j] - log_rest + log_of_log;
      if (log_y < -45) product += log_y;
      else if (log_y < 5) factors *= -expm1l(rates[j] * log_u);   // a long double holds 200 of them
    }
    product += logl(factors);
    logs.push_back(log_slope + product);
    missing += expl(log_slope) * -expm1l(product);
  }
  return missing * step < 0.5L ? log1pl(-missing * step) : log_sum_exp(logs) + logl(step);
}

inline long double position_weight(const rg::PositionWeight& weight, std::size_t place, std::size_t n) {
  const long double k = static_cast<long double>(place), left = static_cast<long double>(n - place);
  switch (weight.form) {
    case rg::PositionWeight::Form::uniform: return 1;
    case rg::PositionWeight::Form::p_list_mle: return (exp2l(left) - 1) / exp2l(static_cast<long double>(n) - 1);
    case rg::PositionWeight::Form::p_list_mle_raw: return exp2l(left) - 1;
    case rg::PositionWeight::Form::reciprocal: return 1 / k;
    case rg::PositionWeight::Form::log2: return 1 / log2l(1 + k);
    case rg::PositionWeight::Form::one_plus_log2: return 1 + 1 / log2l(1 + k);
    case rg::PositionWeight::Form::exponential: return expl(-k / weight.tau);
    case rg::PositionWeight::Form::custom: return place <= weight.values.size() ? weight.values[place - 1] : 0.0L;
  }
  return 0;
}

/// The formulas of ListMle's documentation, group by group.
inline long double list_mle_value(const rg::ListMle& loss, const Definition& list) {
  const std::size_t n = list.size();
  if (n < 2) return 0;
  std::vector<std::uint32_t> order(n);
  std::iota(order.begin(), order.end(), 0u);
  if (loss.ties == rg::TargetTies::shuffled) rg::Random(loss.seed, 0).shuffle(order.data(), n);
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return list.labels[a] > list.labels[b]; });
  const bool ordered = loss.ties == rg::TargetTies::stable || loss.ties == rg::TargetTies::shuffled;

  long double total = 0, weight = 0, log_rest = 0;   // log_rest: of the groups below, from the last group up
  for (std::size_t e = n, b; e > 0; e = b) {
    for (b = e - 1; !ordered && b > 0 && list.labels[order[b - 1]] == list.labels[order[b]]; --b) {}
    const long double m = static_cast<long double>(e - b);
    std::vector<long double> group, u;
    long double u_sum = 0, v_mean = 0, linear = 0;
    for (std::size_t k = b; k < e; ++k) {
      group.push_back(list.scores[order[k]] / static_cast<long double>(loss.temperature));
      u.push_back(loss.k != 0 && k >= loss.k ? 0 : position_weight(loss.position_weight, k + 1, n));
      u_sum += u.back();
      v_mean += list.weights[order[k]] / m;
      linear += list.weights[order[k]] * (group.back() - group[0]);
    }
    weight += u_sum * v_mean;
    if (loss.ties == rg::TargetTies::exact) {
      if (e < n) total -= u_sum / m * v_mean * log_precedes(group, log_rest);
    } else {
      // log(Z - f T) = log sum_j (1 - f [j in group]) e^s_j, relative to the first item of the group.
      long double top = e < n ? std::max(0.0L, log_rest - group[0]) : 0;
      for (const long double s : group) top = std::max(top, s - group[0]);
      const long double rest = e < n ? expl(log_rest - group[0] - top) : 0;
      long double others = 0;
      for (std::size_t j = 1; j < group.size(); ++j) others += expl(group[j] - group[0] - top);
      for (std::size_t l = 0; l < e - b; ++l) {
        const long double f = loss.ties == rg::TargetTies::efron ? static_cast<long double>(l) / m : 0;
        const long double sum = (1 - f) * others + rest;   // and (1 - f) e^-top of the first item, by log1p where it is 1
        total += u[l] * v_mean * (top > 0 ? top + logl((1 - f) * expl(-top) + sum) : log1pl(sum - f));
      }
      total -= u_sum / m * linear;
    }
    if (e < n) group.push_back(log_rest);
    log_rest = log_sum_exp(group);
  }
  if (!(weight > 0)) return 0;
  return loss.normalize == rg::Normalize::mean ? total / weight : total;
}

/// Every tie mode has traits of its own.
template <rg::TargetTies mode>
struct ListMleWith : rg::ListMle {};

template <rg::TargetTies mode>
struct Oracle<ListMleWith<mode>> {
  static std::vector<ListMleWith<mode>> instances() {
    std::vector<ListMleWith<mode>> all{{{.ties = mode}}};
    all.push_back({{.temperature = 0.6, .k = 6, .ties = mode, .seed = 3, .normalize = rg::Normalize::mean}});
    if (mode == rg::TargetTies::exact) return all;
    all.push_back({{.temperature = 1.7, .ties = mode, .position_weight = rg::PositionWeight::p_list_mle(), .seed = 4}});
    all.push_back({{.k = 20, .ties = mode, .position_weight = rg::PositionWeight::log2(), .normalize = rg::Normalize::mean}});
    all.push_back({{.ties = mode, .position_weight = rg::PositionWeight::one_plus_log2()}});
    return all;
  }
  static constexpr bool ordered = mode == rg::TargetTies::stable || mode == rg::TargetTies::shuffled;
  static constexpr Traits traits{.shift_invariant = true, .permutation = !ordered, .exact_curvature = true,
                                 .constant_without_order = mode == rg::TargetTies::exact};
  static long double value(const rg::ListMle& loss, const Definition& list) { return list_mle_value(loss, list); }
};

}  // namespace test
