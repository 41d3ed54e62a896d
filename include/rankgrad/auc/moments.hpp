// rankgrad/auc/moments.hpp: all-pairs surrogates that need no pairs: square and exponential, O(n).
// SPDX-License-Identifier: MIT
//
// With positives v_i of weight a_i, negatives x_k of weight b_k (scores over temperature), A = sum a, B = sum b:
//
//   square        (1/AB) sum a_i b_k (m - (v_i - x_k))^2 = V+ + V- + e^2,    e = m - mean(v) + mean(x),
//                 V the weighted population variances
//   exponential   (1/AB) sum a_i b_k e^{-(v_i - x_k)} = (sum a e^{-v} / A) (sum b e^x / B)
//
// Each function returns the mean over pairs and leaves its derivatives by the scaled scores in the classes.
#pragma once

#include <rankgrad/auc/classes.hpp>

#include <cmath>

namespace rankgrad::inline RANKGRAD_ABI::auc {

/// Weight, mean and sum of weighted squared deviations of what has been added (Welford, West 1979): the variance never
/// is the difference of two large numbers. Weights are > 0.
struct Moments {
  double weight = 0, mean = 0, spread = 0;

  void add(double w, double x) {
    weight += w;
    const double before = x - mean;
    mean += w / weight * before;
    spread += w * before * (x - mean);
  }
};

template <Real S>
Moments moments_of(const ScoreClass<S>& part) {
  Moments moments;
  for (std::size_t r = 0; r < part.n; ++r) moments.add(static_cast<double>(part.weights[r]), static_cast<double>(part.scores[r]));
  return moments;
}

/// `beyond`: keep pushing once the means are more than the margin apart, as (m - z)^2 does; the AUC-margin loss stops.
inline double square(const Classes<double>& classes, double margin, bool beyond = true) {
  const Moments v = moments_of(classes.positive), x = moments_of(classes.negative);
  const double distance = margin - v.mean + x.mean;
  const bool push = beyond || !(distance <= 0);   // NaN pushes and stays visible
  const double e = push ? distance : 0;
  const auto derive = [&](const ScoreClass<double>& part, const Moments& moments, double pull) {
    for (std::size_t r = 0; r < part.n; ++r) {
      const double share = part.weights[r] / part.weight;
      part.slope[r] = 2 * share * (part.scores[r] - moments.mean + pull);
      part.curvature[r] = 2 * (push ? share : share * (1 - share));
    }
  };
  derive(classes.positive, v, -e);
  derive(classes.negative, x, e);
  return v.spread / v.weight + x.spread / x.weight + e * e;
}

/// log(sum_r w_r e^{sign z_r} / sum w).
inline double log_mean_exp(const ScoreClass<double>& part, double sign) {
  double top = sign * part.scores[0], sum = 0;
  for (std::size_t r = 1; r < part.n; ++r) top = sign * part.scores[r] > top ? sign * part.scores[r] : top;
  for (std::size_t r = 0; r < part.n; ++r) sum += part.weights[r] * std::exp(sign * part.scores[r] - top);
  return top + std::log(sum / part.weight);
}

/// Returns the logarithm of the mean. Each derivative is put together in the exponent, so that a huge mean times a
/// vanishing share is right, and never infinity times 0.
inline double exponential(const Classes<double>& classes) {
  const double low = log_mean_exp(classes.positive, -1), high = log_mean_exp(classes.negative, 1);
  const auto derive = [&](const ScoreClass<double>& part, double sign, double other) {
    for (std::size_t r = 0; r < part.n; ++r) {
      part.curvature[r] = std::exp(std::log(part.weights[r] / part.weight) + sign * part.scores[r] + other);
      part.slope[r] = sign * part.curvature[r];
    }
  };
  derive(classes.positive, -1, high);
  derive(classes.negative, 1, low);
  return low + high;
}

}  // namespace rankgrad::auc
