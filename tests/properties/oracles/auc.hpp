// Literal definitions of the AUC losses.
#pragma once

#include "properties/every_loss.hpp"

#include <rankgrad/auc/auc_margin.hpp>
#include <rankgrad/auc/kl_dro_partial_auc.hpp>
#include <rankgrad/auc/mann_whitney.hpp>
#include <rankgrad/auc/partial_auc.hpp>

namespace test {

inline long double surrogate_value(rg::Surrogate surrogate, long double margin, long double z) {
  const long double shortfall = std::max(0.0L, margin - z);
  switch (surrogate) {
    case rg::Surrogate::logistic: return softplus(-z);
    case rg::Surrogate::hinge: return shortfall;
    case rg::Surrogate::squared_hinge: return shortfall * shortfall;
    case rg::Surrogate::square: return (margin - z) * (margin - z);
    default: return expl(-z);
  }
}

/// sum over positives i and negatives k of a_i b_k phi((s_i - s_k) / tau); the mean divides by sum a sum b.
inline long double mixed_pairs(const rg::MannWhitney& loss, const Definition& list) {
  long double total = 0, weight = 0;
  for (std::size_t i = 0; i < list.size(); ++i)
    for (std::size_t k = 0; k < list.size(); ++k)
      if (list.labels[i] > 0 && !(list.labels[k] > 0)) {
        const long double w = list.weights[i] * list.weights[k];
        weight += w;
        total += w * surrogate_value(loss.surrogate, loss.margin, (list.scores[i] - list.scores[k]) / loss.temperature);
      }
  if (!(weight > 0)) return 0;
  return loss.normalize == rg::Normalize::mean ? total / weight : total;
}

// The traits belong to a type, so each kind of surrogate gets one.
struct SmoothMannWhitney : rg::MannWhitney {};
struct HingeMannWhitney : rg::MannWhitney {};
struct ExponentialMannWhitney : rg::MannWhitney {};
inline constexpr auto sum = rg::Normalize::sum;

template <>
struct Oracle<SmoothMannWhitney> {
  static std::vector<SmoothMannWhitney> instances() {
    using rg::Surrogate;
    return {{},
            {{.temperature = 0.3, .normalize = sum}},
            {{.surrogate = Surrogate::square}},
            {{.temperature = 2.5, .margin = 0.3, .surrogate = Surrogate::square, .normalize = sum}}};
  }
  static constexpr Traits traits{.shift_invariant = true, .weights_duplicate = true, .exact_curvature = true};
  static long double value(const rg::MannWhitney& loss, const Definition& list) { return mixed_pairs(loss, list); }
};

template <>
struct Oracle<HingeMannWhitney> {
  static std::vector<HingeMannWhitney> instances() {
    using rg::Surrogate;
    return {{{.surrogate = Surrogate::hinge}},
            {{.temperature = 0.7, .margin = 0, .surrogate = Surrogate::hinge, .normalize = sum}},
            {{.surrogate = Surrogate::squared_hinge}},
            {{.temperature = 3, .margin = 0.2, .surrogate = Surrogate::squared_hinge, .normalize = sum}}};
  }
  static constexpr Traits traits{.shift_invariant = true, .smooth = false, .weights_duplicate = true};
  static long double value(const rg::MannWhitney& loss, const Definition& list) { return mixed_pairs(loss, list); }
};

template <>
struct Oracle<ExponentialMannWhitney> {
  static std::vector<ExponentialMannWhitney> instances() {
    return {{{.surrogate = rg::Surrogate::exponential}}, {{.temperature = 2, .surrogate = rg::Surrogate::exponential, .normalize = sum}}};
  }
  static constexpr Traits traits{.shift_invariant = true, .weights_duplicate = true, .exact_curvature = true, .survives_extremes = false};
  static long double value(const rg::MannWhitney& loss, const Definition& list) { return mixed_pairs(loss, list); }
};

template <>
struct Oracle<rg::AucMargin> {
  static std::vector<rg::AucMargin> instances() { return {{}, {.margin = 0.1, .temperature = 2}, {.margin = 4}}; }
  static constexpr Traits traits{.shift_invariant = true, .smooth = false, .weights_duplicate = true};
  static long double value(const rg::AucMargin& loss, const Definition& list) {
    long double weight[2] = {}, mean[2] = {}, variance[2] = {};
    for (std::size_t i = 0; i < list.size(); ++i) {
      weight[list.labels[i] > 0] += list.weights[i];
      mean[list.labels[i] > 0] += list.weights[i] * list.scores[i] / loss.temperature;
    }
    if (!(weight[0] > 0 && weight[1] > 0)) return 0;
    for (const int c : {0, 1}) mean[c] /= weight[c];
    for (std::size_t i = 0; i < list.size(); ++i) {
      const long double off = list.scores[i] / loss.temperature - mean[list.labels[i] > 0];
      variance[list.labels[i] > 0] += list.weights[i] * off * off;
    }
    const long double e = std::max(0.0L, loss.margin - mean[1] + mean[0]);
    return variance[0] / weight[0] + variance[1] / weight[1] + e * e;
  }
};

template <>
struct Oracle<rg::PartialAuc> {
  static std::vector<rg::PartialAuc> instances() {
    using rg::Surrogate;
    return {{.max_fpr = 0.3},
            {.max_fpr = 0.25, .surrogate = Surrogate::logistic},
            {.max_fpr = 0.9, .min_fpr = 0.15, .min_tpr = 0.4, .surrogate = Surrogate::hinge, .normalize = sum},
            {.max_fpr = 0.5, .min_tpr = 0.5, .temperature = 2, .surrogate = Surrogate::square}};
  }
  static constexpr Traits traits{.shift_invariant = true, .smooth = false, .weights_duplicate = true};
  static long double value(const rg::PartialAuc& loss, const Definition& list) {
    long double total[2] = {};
    for (std::size_t i = 0; i < list.size(); ++i) total[list.labels[i] > 0] += list.weights[i];
    Definition inside = list;
    for (std::size_t i = 0; i < list.size(); ++i) {
      const bool positive = list.labels[i] > 0;
      long double above = 0, tied = 0;
      for (std::size_t j = 0; j < list.size(); ++j)
        if ((list.labels[j] > 0) == positive) {
          if (list.scores[j] > list.scores[i]) above += list.weights[j];
          if (list.scores[j] == list.scores[i]) tied += list.weights[j];
        }
      const long double low = total[positive] * (positive ? loss.min_tpr : loss.min_fpr), high = total[positive] * (positive ? 1 : loss.max_fpr);
      inside.weights[i] *= std::max(0.0L, std::min(above + tied, high) - std::max(above, low)) / tied;
    }
    return mixed_pairs(loss.pairs(), inside);
  }
};

/// log-sum-exp by definition, in a range where long double can hold the exponentials.
inline long double row_value(const rg::MannWhitney& pairs, long double lambda, const Definition& list, std::size_t i) {
  long double top = 0, weight = 0, sum_of_exponentials = 0;
  const auto loss = [&](std::size_t k) { return surrogate_value(pairs.surrogate, pairs.margin, (list.scores[i] - list.scores[k]) / pairs.temperature); };
  for (std::size_t k = 0; k < list.size(); ++k)
    if (!(list.labels[k] > 0)) top = std::max(top, loss(k));
  for (std::size_t k = 0; k < list.size(); ++k)
    if (!(list.labels[k] > 0)) {
      weight += list.weights[k];
      sum_of_exponentials += list.weights[k] * expl((loss(k) - top) / lambda);
    }
  return weight > 0 ? top + lambda * logl(sum_of_exponentials / weight) : 0;
}
template <class Outer>
long double over_positives(const Definition& list, Outer outer) {
  long double weight = 0, total = 0, negatives = 0;
  for (std::size_t i = 0; i < list.size(); ++i)
    if (list.labels[i] > 0) {
      weight += list.weights[i];
      total += list.weights[i] * outer(i);
    } else {
      negatives += list.weights[i];
    }
  return weight > 0 && negatives > 0 ? total / weight : 0;
}

struct SmoothKlDro : rg::KlDroPartialAuc {};
struct SmoothKlDroTwoWay : rg::KlDroTwoWayPartialAuc {};
struct HingeKlDro : rg::KlDroPartialAuc {};
struct HingeKlDroTwoWay : rg::KlDroTwoWayPartialAuc {};

struct OneWayOracle {
  static long double value(const rg::KlDroPartialAuc& loss, const Definition& list) {
    return over_positives(list, [&](std::size_t i) { return row_value(loss.pairs(), loss.lambda, list, i); });
  }
};
struct TwoWayOracle {
  static long double value(const rg::KlDroTwoWayPartialAuc& loss, const Definition& list) {
    long double top = 0;
    std::vector<long double> rows(list.size());
    for (std::size_t i = 0; i < list.size(); ++i)
      if (list.labels[i] > 0) top = std::max(top, rows[i] = row_value(loss.pairs(), loss.lambda, list, i));
    const long double mean = over_positives(list, [&](std::size_t i) { return expl((rows[i] - top) / loss.mu); });
    return mean > 0 ? top + loss.mu * logl(mean) : 0;
  }
};
inline constexpr Traits smooth_kl_dro{.shift_invariant = true, .weights_duplicate = true, .exact_curvature = true};
inline constexpr Traits hinge_kl_dro{.shift_invariant = true, .smooth = false, .weights_duplicate = true};

template <>
struct Oracle<SmoothKlDro> : OneWayOracle {
  static std::vector<SmoothKlDro> instances() {
    return {{{.surrogate = rg::Surrogate::logistic}}, {{.lambda = 0.4, .temperature = 2, .surrogate = rg::Surrogate::logistic}}, {{.lambda = 3, .surrogate = rg::Surrogate::square}}};
  }
  static constexpr Traits traits = smooth_kl_dro;
};
template <>
struct Oracle<SmoothKlDroTwoWay> : TwoWayOracle {
  static std::vector<SmoothKlDroTwoWay> instances() {
    return {{{.surrogate = rg::Surrogate::logistic}}, {{.lambda = 0.7, .mu = 0.3, .temperature = 2, .surrogate = rg::Surrogate::logistic}}, {{.lambda = 3, .mu = 5, .surrogate = rg::Surrogate::square}}};
  }
  static constexpr Traits traits = smooth_kl_dro;
};
template <>
struct Oracle<HingeKlDro> : OneWayOracle {
  static std::vector<HingeKlDro> instances() { return {{}, {{.lambda = 0.4, .temperature = 2, .margin = 0.5, .surrogate = rg::Surrogate::hinge}}}; }
  static constexpr Traits traits = hinge_kl_dro;
};
template <>
struct Oracle<HingeKlDroTwoWay> : TwoWayOracle {
  static std::vector<HingeKlDroTwoWay> instances() { return {{}, {{.lambda = 0.4, .mu = 2, .margin = 0.5, .surrogate = rg::Surrogate::hinge}}}; }
  static constexpr Traits traits = hinge_kl_dro;
};

}  // namespace test
