// Literal definitions of the pointwise losses.
#pragma once

#include "properties/every_loss.hpp"

#include <rankgrad/pointwise/mean_squared_error.hpp>
#include <rankgrad/pointwise/sigmoid_cross_entropy.hpp>

namespace test {

template <class Phi>
long double item_sum(const Definition& list, rg::Normalize normalize, Phi phi) {
  long double total = 0, weight = 0;
  for (std::size_t i = 0; i < list.size(); ++i) {
    weight += list.weights[i];
    total += list.weights[i] * phi(list.scores[i], list.labels[i]);
  }
  if (!(weight > 0)) return 0;
  return normalize == rg::Normalize::mean ? total / weight : total;
}

template <>
struct Oracle<rg::SigmoidCrossEntropy> {
  static std::vector<rg::SigmoidCrossEntropy> instances() { return {{}, {.normalize = rg::Normalize::sum}}; }
  static constexpr Traits traits{.weights_duplicate = true, .exact_curvature = true, .constant_without_order = false};
  static long double value(const rg::SigmoidCrossEntropy& loss, const Definition& list) {
    return item_sum(list, loss.normalize, [](long double s, long double y) {
      y = std::clamp(y, 0.0L, 1.0L);
      return y * softplus(-s) + (1 - y) * softplus(s);
    });
  }
};

template <>
struct Oracle<rg::MeanSquaredError> {
  static std::vector<rg::MeanSquaredError> instances() { return {{}, {.normalize = rg::Normalize::sum}}; }
  static constexpr Traits traits{.weights_duplicate = true, .exact_curvature = true, .constant_without_order = false};
  static long double value(const rg::MeanSquaredError& loss, const Definition& list) {
    return item_sum(list, loss.normalize, [](long double s, long double y) { return (s - y) * (s - y); });
  }
};

}  // namespace test
