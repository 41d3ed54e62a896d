// rankgrad/tokens/rows.hpp: the softmax of one token over the vocabulary, its target apart; and loops over tokens.
// SPDX-License-Identifier: MIT
//
// Everything that a row of logits z is asked for follows from its target's logit z_y and the sums over the others:
//
//   m = log sum_{v != y} e^{z_v} - z_y,    1 - p_y = s(m),    -log p_y = softplus(m),    -log(1 - p_y) = softplus(-m)
//   r_v = e^{z_v} / sum_{u != y} e^{z_u},  p_v = (1 - p_y) r_v                            s(x) = 1 / (1 + e^-x)
//
// so nothing cancels, neither where p_y is near 1 nor where it is near 0. A row is read twice: for the sums, by blocks of 64
// packs (the highest logit of a block, then, the block still in the nearest cache, its exponentials relative to the highest
// so far; only where a block has raised that are the sums moved), and for the derivatives, with the exponentials computed
// again: a row of a vocabulary is as large as the nearest caches, and a second array of that size would cost more than they do.
//
// Error: the sums of a block are in T, the others in double; see listwise/softmax_sums.hpp.
#pragma once

#include <rankgrad/core/executor.hpp>
#include <rankgrad/simd/horizontal.hpp>
#include <rankgrad/simd/math.hpp>
#include <rankgrad/simd/rows.hpp>
#include <rankgrad/tokens/reduction.hpp>

#include <cmath>

namespace rankgrad::inline RANKGRAD_ABI::tokens {

/// Of some logits: the highest, sum e^{z - top}, and, where asked for, sum (top - z).
template <Real T>
struct RowSums {
  std::size_t count = 0;
  T top{};
  double exponentials = 0, below = 0;

  void move_to(T higher) {
    const double step = static_cast<double>(higher) - static_cast<double>(top);
    exponentials *= std::exp(-step);
    below += static_cast<double>(count) * step;
    top = higher;
  }
  /// With those of other logits.
  RowSums joined(RowSums other) const {
    if (count == 0) return other;
    if (other.count == 0) return *this;
    RowSums mine = *this;
    if (other.top > mine.top) mine.move_to(other.top);
    else other.move_to(mine.top);
    return {mine.count + other.count, mine.top, mine.exponentials + other.exponentials, mine.below + other.below};
  }
};

template <bool with_below, Real T>
RowSums<T> sums_of(const T* z, std::size_t n) {
  using namespace simd;
  constexpr std::size_t block = packs_per_flush * lanes<T>;
  const ScaledExp<T> power(1);
  RowSums<T> sums;
  for (std::size_t b = 0; b < n; b += block) {
    const std::size_t count = std::min(block, n - b);
    // Where all logits are -inf, which forbids a token, they are as far below this as can be.
    const T highest_here = std::max(highest(z + b, count), std::numeric_limits<T>::lowest());
    if (b == 0) sums.top = highest_here;
    else if (highest_here > sums.top) sums.move_to(highest_here);
    const Pack<T> top(sums.top);
    Pack<T> S[2] = {Pack<T>(T(0)), Pack<T>(T(0))}, D[2] = {Pack<T>(T(0)), Pack<T>(T(0))};
    for_each_pack<T>(count, [&](std::size_t i, auto at) RANKGRAD_INLINE {
      const Pack<T> d = at.load(z + b + i, sums.top) - top;
      S[at.slot] = S[at.slot] + power(d) * at.load_ones();
      if constexpr (with_below) D[at.slot] = D[at.slot] - d;
    });
    sums.exponentials += wide_sum(S[0] + S[1]);
    if constexpr (with_below) sums.below += wide_sum(D[0] + D[1]);
    sums.count += count;
  }
  return sums;
}

/// A row, its item y (the target) apart.
template <Real T>
struct Row {
  RowSums<T> others;
  double log_sum = 0;        ///< log sum_{v != y} e^{z_v - top}, top the highest of the others
  double margin = 0;         ///< m: -inf where nothing stands against y
  double probability = 1;    ///< p_y
  double other = 0;          ///< 1 - p_y

  double negative_log() const { return simd::softplus(margin); }                      ///< -log p_y
  double negative_log_of_other() const { return simd::softplus(-margin); }            ///< -log(1 - p_y)
  double log_sum_above_top() const { return log_sum + negative_log_of_other(); }  ///< log sum_v e^{z_v} - top, >= 0
  double inverse() const { return others.exponentials > 0 ? 1 / others.exponentials : 0; }
};
template <bool with_below = false, Real T>
Row<T> read_row(const T* z, std::size_t vocabulary, std::size_t y) {
  Row<T> row;
  row.others = sums_of<with_below>(z, y).joined(sums_of<with_below>(z + y + 1, vocabulary - y - 1));
  row.log_sum = std::log(row.others.exponentials);
  row.margin = static_cast<double>(row.others.top) - static_cast<double>(z[y]) + row.log_sum;
  row.probability = simd::sigmoid(-row.margin);
  row.other = simd::sigmoid(row.margin);
  return row;
}

/// What the entries of a row get: push r_v - pull for v != y, and at the target; curvature |r_v (bend - bow r_v)|.
struct RowDerivatives {
  double push = 0, pull = 0, bend = 0, bow = 0;
  double target = 0, target_curvature = 0;
};

/// Adds them to what stands there; `fresh`: writes over it. `grad` may be `z` where it is fresh.
template <bool fresh, Real T>
void write_row(const T* z, std::size_t vocabulary, std::size_t y, const Row<T>& row, const RowDerivatives& d, T* grad, T* hess) {
  using namespace simd;
  const T top_value = row.others.top;
  const double inverse = row.inverse();
  const Pack<T> top(top_value), push(static_cast<T>(d.push * inverse)), pull(static_cast<T>(d.pull));
  const Pack<T> bend(static_cast<T>(d.bend)), bow(static_cast<T>(d.bow)), r_of(static_cast<T>(inverse));
  const ScaledExp<T> power(1);
  const auto part = [&](std::size_t first, std::size_t n) RANKGRAD_INLINE {
    const T* const from = z + first;
    T *const to = grad + first, *const bent = hess ? hess + first : nullptr;
    for_each_pack<T>(n, [=](std::size_t i, auto at) RANKGRAD_INLINE {
      const auto before = [&](const T* there) RANKGRAD_INLINE { return fresh ? Pack<T>(T(0)) : at.load(there + i, T(0)); };
      const Pack<T> e = power(at.load(from + i, top_value) - top);
      at.store(to + i, fma(push, e, before(to) - pull));
      if (bent) {
        const Pack<T> r = r_of * e;
        at.store(bent + i, before(bent) + abs(r * fnma(bow, r, bend)));
      }
    });
  };
  part(0, y);
  part(y + 1, vocabulary - y - 1);
  grad[y] = (fresh ? T(0) : grad[y]) + static_cast<T>(d.target);
  if (hess) hess[y] = (fresh ? T(0) : hess[y]) + static_cast<T>(d.target_curvature);
}

/// body(t) for every token, in pieces that a team may share out; they depend on the view alone.
template <Real T, class Body>
void for_each_token(const TokenView<T>& view, Workspace& workspace, const Body& body) {
  constexpr std::size_t logits_per_piece = 32768;
  const std::size_t n = view.size();
  const std::size_t rows = std::max<std::size_t>(1, logits_per_piece / std::max<std::size_t>(1, view.vocabulary));
  for_each_piece((n + rows - 1) / rows, workspace, [&](std::size_t piece, Workspace&) {
    for (std::size_t t = piece * rows, end = std::min(n, t + rows); t < end; ++t) body(t);
  });
}

/// sum_t coefficient_t l_t and its derivatives, over all tokens whose coefficient is not 0. The rule gives
///   row<fresh>(z, V, y, c, grad, hess) -> l     with c times the derivatives of l added to (or written over) grad and hess
template <bool fresh, Real T, class Rule>
double sum_over_tokens(const Rule& rule, const TokenView<T>& view, const double* coefficient, const GradientSink<T>& out,
                       Workspace& workspace) {
  const auto frame = workspace.frame();
  double* const losses = workspace.take<double>(view.size());
  const std::size_t V = view.vocabulary;
  for_each_token(view, workspace, [&](std::size_t t) {
    T *const grad = out.grad + t * V, *const hess = out.hess ? out.hess + t * V : nullptr;
    losses[t] = 0;
    if (coefficient[t] == 0) {
      if (fresh) simd::clear(grad, hess, V);
      return;
    }
    const double c = coefficient[t] * static_cast<double>(out.scale);
    losses[t] = coefficient[t] * rule.template row<fresh>(view.row(t), V, view.targets[t], c, grad, hess);
  });
  double total = 0;
  for (std::size_t t = 0; t < view.size(); ++t) total += losses[t];
  return total;
}

/// The same for a loss with `reduction` and `normalizer`.
template <bool fresh, Real T, class Rule>
Contribution<T> reduced_over_tokens(const Rule& rule, SequenceReduction reduction, TokenNormalizer kind, const TokenView<T>& view,
                                    const GradientSink<T>& out, Workspace& workspace) {
  const auto frame = workspace.frame();
  double* const coefficient = workspace.take<double>(checked_size(view));
  if (!coefficients(view, reduction, kind, coefficient)) {
    if (fresh) simd::clear(out.grad, out.hess, view.logits.size());
    return {};
  }
  return {static_cast<T>(sum_over_tokens<fresh>(rule, view, coefficient, out, workspace)), true};
}

/// And for log-probabilities, where the rule gives term(log p) -> {value, slope, curvature}.
struct TokenTerm {
  double value, slope, curvature;
};
template <Real T, class Rule>
Contribution<T> reduced_over_tokens(const Rule& rule, SequenceReduction reduction, TokenNormalizer kind,
                                    const LogProbabilityView<T>& view, const GradientSink<T>& out, Workspace& workspace) {
  const auto frame = workspace.frame();
  double* const coefficient = workspace.take<double>(checked_size(view));
  if (!coefficients(view, reduction, kind, coefficient)) return {};
  double total = 0;
  for (std::size_t t = 0; t < view.size(); ++t) {
    if (coefficient[t] == 0) continue;
    const TokenTerm term = rule.term(static_cast<double>(view.log_probabilities[t]));
    total += coefficient[t] * term.value;
    out.add(t, static_cast<T>(coefficient[t] * term.slope), static_cast<T>(coefficient[t] * term.curvature));
  }
  return {static_cast<T>(total), true};
}

}  // namespace rankgrad::tokens
