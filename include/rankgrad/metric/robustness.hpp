// rankgrad/metric/robustness.hpp: how evenly a ranker does over queries, and how much it loses under shift and attack.
// SPDX-License-Identifier: MIT
//
// Inputs are arrays with one number per query (the value of a metric such as ndcg.hpp's, in [0, 1]) or one per attacked target.
// As something to minimise: reweighting/risk.hpp.
//
// Source      Wu, Zhang, Guo, Fan, Cheng, Are neural ranking models robust?, ACM TOIS 2022 (arXiv 2108.05018). Reconstructed from
//             the abstract and the literature; not checked against the source: its normaliser, its sign of the drop rate and
//             its share of poorly done queries are parameters or said below.
#pragma once

#include <rankgrad/core/validate.hpp>

#include <cmath>

namespace rankgrad::inline RANKGRAD_ABI {

/// Mean and spread of effectiveness over queries.
struct EffectivenessSpread {
  double mean = 0;
  double variance = 0;    ///< the lower the more robust; of normalised average precision it is known as VNAP
  std::size_t queries = 0;
  bool valid = false;     ///< enough queries: one, or for ddof = 1 two

  double deviation() const { return std::sqrt(variance); }
  /// deviation / mean; 0 where the mean is 0.
  double variation() const { return mean != 0 ? deviation() / mean : 0; }
};

/// Of n_q = x_q / best_q, where best_q is the highest value that query q admits (the best system's, or that of an oracle);
/// without `best` of x itself. Queries with best_q = 0 are left out: nothing can be got there.
///   V = (1 / (Q - ddof)) sum_q (n_q - mean n)^2, in two passes
template <Real T>
EffectivenessSpread effectiveness_spread(std::span<const T> x, std::type_identity_t<std::span<const T>> best = {},
                                         std::size_t ddof = 0) {
  require(detail::check_optional_length("best", best.size(), x.size()));
  const auto each = [&](const auto& body) {
    for (std::size_t q = 0; q < x.size(); ++q)
      if (best.empty()) body(static_cast<double>(x[q]));
      else if (best[q] != T(0)) body(static_cast<double>(x[q]) / static_cast<double>(best[q]));
  };
  EffectivenessSpread spread;
  double sum = 0, squares = 0;
  each([&](double n) { sum += n, ++spread.queries; });
  if (spread.queries == 0) return spread;
  spread.mean = sum / static_cast<double>(spread.queries);
  spread.valid = spread.queries > ddof;
  if (!spread.valid) return spread;
  each([&](double n) { squares += (n - spread.mean) * (n - spread.mean); });
  spread.variance = squares / static_cast<double>(spread.queries - ddof);
  return spread;
}

/// The mean over the worst `fraction` of the queries: the lowest fraction Q values, the last of them in part where that is no
/// whole number. {0, false} without queries; a value that is not finite is returned.
template <Real T>
Contribution<double> lower_tail_mean(std::span<const T> x, double fraction, Workspace& workspace) {
  require(check_parameter("the fraction of lower_tail_mean()", fraction, 0));
  require(check_parameter_between("the fraction of lower_tail_mean()", fraction, 0, 1));
  if (x.empty()) return {};
  const auto frame = workspace.frame();
  T* sorted = workspace.take<T>(x.size());
  for (std::size_t q = 0; q < x.size(); ++q) {
    if (!is_finite(x[q])) return {static_cast<double>(x[q]), true};
    sorted[q] = x[q];
  }
  std::sort(sorted, sorted + x.size(), [](T a, T b) { return a < b; });
  const double mass = fraction * static_cast<double>(x.size());
  double sum = 0, left = mass;
  for (std::size_t q = 0; q < x.size() && left > 0; ++q, left -= 1) sum += std::min(left, 1.0) * static_cast<double>(sorted[q]);
  return {sum / mass, true};
}
template <Real T>
Contribution<double> lower_tail_mean(std::span<const T> x, double fraction = 0.1) {
  Workspace workspace;
  return lower_tail_mean(x, fraction, workspace);
}

/// The share of the queries with a value below `threshold`.
template <Real T>
Contribution<double> share_below(std::span<const T> x, double threshold) {
  std::size_t below = 0;
  for (const T value : x) below += static_cast<double>(value) < threshold;
  if (x.empty()) return {};
  return {static_cast<double>(below) / static_cast<double>(x.size()), true};
}

/// Drop rate: (changed - clean) / clean, negative where effectiveness was lost; others publish it with the opposite sign.
///   out of distribution   clean: trained and tested on the same kind of queries or corpus; changed: trained elsewhere, same test
///   under attack          clean: the test as it is; changed: with perturbed queries or documents
/// {0, false} where clean is 0: nothing can be lost.
inline Contribution<double> drop_rate(double clean, double changed) {
  if (clean == 0) return {};
  return {(changed - clean) / clean, true};
}

/// What an attack on single documents did; ranks begin at 1.
struct AttackOutcome {
  double success_rate = 0;    ///< the share of targets that rose
  double boosted_ranks = 0;   ///< by how many ranks, in the mean; falls count against it
  double in_top = 0;          ///< the share of targets within the first k afterwards
  bool valid = false;
};
inline AttackOutcome attack_outcome(std::span<const std::uint32_t> before, std::span<const std::uint32_t> after,
                                    std::size_t k = 10) {
  require(detail::check_length("the ranks after the attack", after.size(), before.size()));
  if (before.empty()) return {};
  std::size_t rose = 0, top = 0;
  double boost = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    rose += after[i] < before[i];
    top += after[i] <= k;
    boost += static_cast<double>(before[i]) - static_cast<double>(after[i]);
  }
  const double n = static_cast<double>(before.size());
  return {static_cast<double>(rose) / n, boost / n, static_cast<double>(top) / n, true};
}

/// Risk-sensitive reward of a ranker against a baseline, query by query:
///   U_risk = (1/Q) [ sum_{wins} d_q - (1 + alpha) sum_{losses} |d_q| ],   d_q = model_q - baseline_q
/// alpha = 0 is the mean difference.
/// Source: Wang, Bennett, Collins-Thompson, Robust ranking models via risk-sensitive optimization, SIGIR 2012.
template <Real T>
Contribution<double> risk_sensitive_reward(std::span<const T> model, std::type_identity_t<std::span<const T>> baseline,
                                           double alpha = 1) {
  require(check_parameter("alpha of risk_sensitive_reward()", alpha, 0, true));
  require(detail::check_length("baseline", baseline.size(), model.size()));
  if (model.empty()) return {};
  double sum = 0;
  for (std::size_t q = 0; q < model.size(); ++q) {
    const double d = static_cast<double>(model[q]) - static_cast<double>(baseline[q]);
    sum += d > 0 ? d : (1 + alpha) * d;
  }
  return {sum / static_cast<double>(model.size()), true};
}

}  // namespace rankgrad
