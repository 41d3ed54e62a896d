// Literal definitions of the losses on a soft confusion matrix.
#pragma once

#include "properties/every_loss.hpp"

#include <rankgrad/pointwise/confusion_loss.hpp>

namespace test {

inline long double confusion_value(const rg::ConfusionLoss& loss, const Definition& list) {
  long double tp = 0, fn = 0, fp = 0, tn = 0;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const long double p = loss.probabilities ? list.scores[i] : sigmoid(list.scores[i]);
    const long double h = sigmoid(loss.amplification * (p - 0.5L)), rest = sigmoid(-loss.amplification * (p - 0.5L));
    (list.labels[i] > 0 ? tp : fp) += list.weights[i] * h;
    (list.labels[i] > 0 ? fn : tn) += list.weights[i] * rest;
  }
  const long double P = tp + fn, N = fp + tn, b2 = loss.beta * loss.beta;
  using enum rg::ConfusionMetric;
  // 1 - TP / P is FN / P, and so on: the definition, without its cancellation.
  if (!(P + N > 0)) return 0;
  if (loss.metric == accuracy) return (fn + fp) / (P + N);
  if (loss.metric == balanced_accuracy) return !(P > 0) ? fp / N : !(N > 0) ? fn / P : (fn / P + fp / N) / 2;
  if (!(P > 0)) return 0;
  if (loss.metric == f_beta) return (b2 * fn + fp) / ((1 + b2) * tp + b2 * fn + fp);
  if (loss.metric == precision) return fp / (tp + fp);
  if (loss.metric == recall) return fn / P;
  if (loss.metric == jaccard) return (fn + fp) / (tp + fn + fp);
  if (!(N > 0)) return 0;
  if (loss.metric == g_mean) return 1 - sqrtl(tp * tn / (P * N) + 1e-12L);
  return 1 - (tp * tn - fp * fn) / sqrtl(P * N * (tp + fp) * (tn + fn));
}

// Traits belong to a type: with and without a signal where all labels are equal.
struct AccuracyConfusion : rg::ConfusionLoss {};
struct PositiveConfusion : rg::ConfusionLoss {};

// x = a (p - 1/2) is known to a / 2 units in the last place, and so is a small h.
inline constexpr double amplified = 400;

template <>
struct Oracle<AccuracyConfusion> {
  static std::vector<AccuracyConfusion> instances() {
    using enum rg::ConfusionMetric;
    return {{{.metric = accuracy}}, {{.metric = balanced_accuracy, .amplification = 10}}, {{.metric = accuracy, .amplification = 2, .probabilities = true}}};
  }
  static constexpr Traits traits{.weights_duplicate = true, .constant_without_order = false, .needs_binary = true, .tolerance = amplified};
  static long double value(const rg::ConfusionLoss& loss, const Definition& list) { return confusion_value(loss, list); }
};

template <>
struct Oracle<PositiveConfusion> {
  static std::vector<PositiveConfusion> instances() {
    using enum rg::ConfusionMetric;
    return {{},
            {{.metric = f_beta, .beta = 2, .amplification = 5}},
            {{.metric = g_mean, .amplification = 20}},
            {{.metric = precision}},
            {{.metric = recall}},
            {{.metric = jaccard, .amplification = 30}},
            {{.metric = mcc}},
            {{.metric = mcc, .amplification = 4}}};
  }
  static constexpr Traits traits{.weights_duplicate = true, .needs_binary = true, .tolerance = amplified};
  static long double value(const rg::ConfusionLoss& loss, const Definition& list) { return confusion_value(loss, list); }
};

}  // namespace test
