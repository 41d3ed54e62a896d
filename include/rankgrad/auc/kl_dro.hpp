// rankgrad/auc/kl_dro.hpp: the kernel of soft partial AUC losses: log-sum-exp over the pairs of each positive.
// SPDX-License-Identifier: MIT
//
//   row value   L_i = lambda log( (1/B) sum_k b_k e^{l_ik / lambda} ),   l_ik = phi(v_i - x_k)
//   one-way     L = (1/A) sum_i a_i L_i
//   two-way     L = mu log( (1/A) sum_i a_i e^{L_i / mu} )
//
// with v, x the scores over temperature. In both, dL/dl_ik = o_i q_ik: q the softmax of l_ik / lambda over k (with b),
// o_i = a_i / A, or the softmax of L_i / mu over i (with a).
//
// Two passes over the pairs, rows computed again in the second, so O(n) memory. Sums move to double as in
// pairwise/engine.hpp.
#pragma once

#include <rankgrad/auc/classes.hpp>
#include <rankgrad/pairwise/phi.hpp>
#include <rankgrad/simd/rows.hpp>

#include <cmath>

namespace rankgrad::inline RANKGRAD_ABI::auc {

/// `inverse_mu` = 1 / mu; 0 is the one-way form, to which the two-way form goes as mu grows.
struct KlDro {
  double lambda, inverse_mu;
};

/// What the second pass needs to know of a row: q_ik = b_k e^{(l_ik - highest) / lambda} / sum.
template <Real T>
struct Row {
  T highest;
  double sum, value, outer;
};

template <Real T, class Phi>
Row<T> row_value(const Phi& phi, T score, const ScoreClass<T>& negatives, double lambda, T* losses) {
  using namespace simd;
  const Pack<T> v = Pack<T>(score);
  Pack<T> best = phi.template operator()<T>(v - load(negatives.scores)).value;
  for (std::size_t k = 0; k < negatives.n; k += lanes<T>) {
    const Pack<T> l = phi.template operator()<T>(v - load(negatives.scores + k)).value;
    store(losses + k, l);
    best = larger(best, l);
  }
  const T top = highest(best);
  const Pack<T> highest_loss = Pack<T>(top), steep = Pack<T>(static_cast<T>(1 / lambda)), one = Pack<T>(T(1));
  BlockedSum<T> sum, missing;   // sum + missing = B, but the small one of the two knows its own digits
  for (std::size_t k = 0; k < negatives.n; k += lanes<T>) {
    const Pack<T> b = load(negatives.weights + k), e = exp_nonpositive<T>((load(losses + k) - highest_loss) * steep);
    sum.add(b * e);
    missing.add(b * (one - e));
  }
  const double total = sum.total(), rest = missing.total() / negatives.weight;
  const double log_mean = rest < 0.5 ? std::log1p(-rest) : std::log(total / negatives.weight);
  return {top, total, static_cast<double>(top) + lambda * log_mean, 0};
}

/// Fills Row::outer and returns the value of the loss.
template <Real T>
double combine_rows(const KlDro& dro, const ScoreClass<T>& positives, Row<T>* rows) {
  double top = rows[0].value, sum = 0, mean = 0;
  for (std::size_t i = 0; i < positives.n; ++i) top = rows[i].value > top ? rows[i].value : top;
  for (std::size_t i = 0; i < positives.n; ++i) {
    const double a = static_cast<double>(positives.weights[i]);
    rows[i].outer = a * std::exp((rows[i].value - top) * dro.inverse_mu);
    sum += rows[i].outer;
    mean += a / positives.weight * rows[i].value;
  }
  for (std::size_t i = 0; i < positives.n; ++i) rows[i].outer /= sum;
  return dro.inverse_mu > 0 ? top + std::log(sum / positives.weight) / dro.inverse_mu : mean;
}

/// Column sums over the rows of a block, in T, and those of all rows, in double.
template <Real T>
struct Columns {
  T *slope, *curvature, *square;
  double* wide_square;
};

template <bool WithCurvature, Real T, class Phi>
void row_derivatives(const Phi& phi, const KlDro& dro, std::size_t i, const Row<T>& row, const Classes<T>& classes,
                     const Columns<T>& columns) {
  using namespace simd;
  const auto all = [](double x) { return Pack<T>(static_cast<T>(x)); };
  const ScoreClass<T>& negatives = classes.negative;
  const Pack<T> v = Pack<T>(classes.positive.scores[i]), top = Pack<T>(row.highest), one = Pack<T>(T(1)), outer = all(row.outer);
  const Pack<T> steep = all(1 / dro.lambda), inverse_sum = all(1 / row.sum);
  BlockedSum<T> slopes, squares, bends;   // sums over k of q l', q l'^2, q l''
  for (std::size_t k = 0; k < negatives.n; k += lanes<T>) {
    const Term<T> l = phi.template operator()<T>(v - load(negatives.scores + k));
    // The loss of the first pass may differ in the last place: no exponent may rise above 0.
    const Pack<T> gap = l.value - top, zero = Pack<T>(T(0));
    const Pack<T> q = load(negatives.weights + k) * exp_nonpositive<T>(select(gap > zero, zero, gap) * steep) * inverse_sum;
    const Pack<T> slope = q * l.slope;
    slopes.add(slope);
    accumulate(columns.slope + k, -outer * slope);
    if constexpr (WithCurvature) {
      squares.add(slope * l.slope);
      bends.add(q * l.curvature);
      accumulate(columns.curvature + k, outer * fma(slope * l.slope * (one - q), steep, q * l.curvature));
      accumulate(columns.square + k, outer * slope * slope);
    }
  }
  const double slope = slopes.total();
  classes.positive.slope[i] = row.outer * slope;
  if constexpr (WithCurvature) {
    const double spread = std::max(squares.total() - slope * slope, 0.0);
    classes.positive.curvature[i] =
        row.outer * (bends.total() + spread / dro.lambda + dro.inverse_mu * (1 - row.outer) * slope * slope);
  }
}

/// The value; derivatives by the scaled scores go to the classes.
template <bool WithCurvature, Real T, class Phi>
double kl_dro(const Phi& phi, const KlDro& dro, const Classes<T>& classes, Workspace& workspace) {
  constexpr std::size_t rows_per_flush = 256;
  const auto frame = workspace.frame();
  const std::size_t P = classes.positive.n, N = classes.negative.n;
  Row<T>* rows = workspace.take<Row<T>>(P);
  T* losses = workspace.take<T>(N);
  for (std::size_t i = 0; i < P; ++i) rows[i] = row_value(phi, classes.positive.scores[i], classes.negative, dro.lambda, losses);
  const double value = combine_rows(dro, classes.positive, rows);

  const Columns<T> columns{workspace.take<T>(N, T(0)), workspace.take<T>(N, T(0)), workspace.take<T>(N, T(0)),
                           workspace.take<double>(N, 0.0)};
  for (std::size_t i = 0; i < P;) {
    for (const std::size_t end = std::min(P, i + rows_per_flush); i < end; ++i)
      row_derivatives<WithCurvature>(phi, dro, i, rows[i], classes, columns);
    simd::move_sums(columns.slope, N, classes.negative.slope);
    simd::move_sums(columns.curvature, N, classes.negative.curvature);
    simd::move_sums(columns.square, N, columns.wide_square);
  }
  if constexpr (WithCurvature)   // the variance over i of dL_i/dx_k, which only the two-way form has
    for (std::size_t k = 0; k < N; ++k) {
      const double spread = columns.wide_square[k] - classes.negative.slope[k] * classes.negative.slope[k];
      classes.negative.curvature[k] += dro.inverse_mu * std::max(spread, 0.0);
    }
  return value;
}

}  // namespace rankgrad::auc
