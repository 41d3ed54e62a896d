// rankgrad/auc/sweeps.hpp: hinge and squared hinge over all mixed pairs in O(n log n): one sort, two sweeps.
// SPDX-License-Identifier: MIT
//
// With v_i, x_k, a_i, b_k as in auc/moments.hpp and the shortfall of a pair m - (v_i - x_k): the positives that fall
// short of negative k are those below x_k + m, so for rising x_k the set only grows. With its weight W, and the mean D
// and the sum of squared deviations M of d_i = m - v_i:
//
//   sum_i a_i shortfall   = W (D + x_k)               slope by x_k:    W
//   sum_i a_i shortfall^2 = W (D + x_k)^2 + M         slope by x_k:  2 W (D + x_k)
//
// A second sweep, from the highest positive down, gives the slopes by v_i. A pair exactly at the margin is inactive.
// Rust and Hocking, A log-linear gradient descent algorithm for unbalanced binary classification using the all pairs
// squared hinge loss, 2023 (arXiv 2302.11062), in a weighted form that is centred twice, so that nothing cancels.
#pragma once

#include <rankgrad/auc/moments.hpp>

namespace rankgrad::inline RANKGRAD_ABI::auc {

/// The mean over pairs; derivatives by the scaled scores go to the classes, which are sorted, highest score first. Which
/// pairs are active is decided by the scores as they came: centring must not move a pair across its kink.
template <bool Squared, Real T>
double hinge_sweep(const Classes<double>& classes, double margin, double temperature, std::span<const T> scores) {
  const ScoreClass<double>&high = classes.positive, &low = classes.negative;
  // Written so that NaN is active and stays visible.
  const auto falls_short = [&](std::size_t i, std::size_t k) {
    const double z = (static_cast<double>(scores[high.items[i]]) - static_cast<double>(scores[low.items[k]])) / temperature;
    return !(z >= margin);
  };
  double total = 0;
  Moments below;   // of margin - v over the positives that fall short
  for (std::size_t k = low.n, i = high.n; k-- > 0;) {
    for (; i > 0 && falls_short(i - 1, k); --i) below.add(high.weights[i - 1], margin - high.scores[i - 1]);
    double shortfall = below.mean + low.scores[k];
    if (below.weight == 0 || shortfall < 0) shortfall = 0;   // below 0 only by rounding
    const double b = low.weights[k], linear = b * below.weight;
    total += Squared ? linear * shortfall * shortfall + b * below.spread : linear * shortfall;
    low.slope[k] = Squared ? 2 * linear * shortfall : linear;
    low.curvature[k] = Squared ? 2 * linear : 0;
  }
  Moments above;   // of x over the negatives that the positive falls short of
  for (std::size_t i = 0, k = 0; i < high.n; ++i) {
    for (; k < low.n && falls_short(i, k); ++k) above.add(low.weights[k], low.scores[k]);
    double shortfall = margin - high.scores[i] + above.mean;
    if (above.weight == 0 || shortfall < 0) shortfall = 0;
    const double linear = high.weights[i] * above.weight;
    high.slope[i] = Squared ? -2 * linear * shortfall : -linear;
    high.curvature[i] = Squared ? 2 * linear : 0;
  }
  // A NaN that stands where no sweep passes: it is in the centre, and so in every centred score.
  const double all = classes.pair_weight() + (high.scores[0] - high.scores[0]);
  for (const ScoreClass<double>* part : {&high, &low})
    for (std::size_t r = 0; r < part->n; ++r) part->slope[r] /= all, part->curvature[r] /= all;
  return total / all;
}

}  // namespace rankgrad::auc
