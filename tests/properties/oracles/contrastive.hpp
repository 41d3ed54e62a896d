// Literal definitions of the contrastive losses of one list.
#pragma once

#include "properties/every_loss.hpp"

#include <rankgrad/contrastive/arcface.hpp>
#include <rankgrad/contrastive/distribution_alignment.hpp>
#include <rankgrad/contrastive/info_nce.hpp>
#include <rankgrad/contrastive/soft_label.hpp>

namespace test {

/// log sum_j w_j e^{s_j / tau}
inline long double log_partition(const Definition& list, long double temperature) {
  long double top = -HUGE_VALL, sum = 0;
  for (std::size_t i = 0; i < list.size(); ++i)
    if (list.weights[i] > 0) top = std::max(top, list.scores[i] / temperature + logl(list.weights[i]));
  for (std::size_t i = 0; i < list.size(); ++i)
    if (list.weights[i] > 0) sum += expl(list.scores[i] / temperature + logl(list.weights[i]) - top);
  return top + logl(sum);
}

inline bool both_kinds(const Definition& list) {
  bool positive = false, negative = false;
  for (std::size_t i = 0; i < list.size(); ++i) (list.labels[i] > 0 ? positive : negative) |= list.weights[i] > 0;
  return positive && negative;
}

/// -log of the probability of item i, without the cancellation of log sum - s_i where it is nearly the only one.
inline long double surprise(const Definition& list, std::size_t i, long double temperature) {
  long double others = 0, top = 0;
  for (std::size_t j = 0; j < list.size(); ++j) top = std::max(top, (list.scores[j] - list.scores[i]) / temperature);
  if (top > 1000) return log_partition(list, temperature) - list.scores[i] / temperature - logl(list.weights[i]);
  for (std::size_t j = 0; j < list.size(); ++j)
    if (j != i) others += list.weights[j] / list.weights[i] * expl((list.scores[j] - list.scores[i]) / temperature);
  return log1pl(others);
}

template <>
struct Oracle<rg::InfoNce> {
  static std::vector<rg::InfoNce> instances() {
    return {{.temperature = 1},
            {.temperature = 0.5, .positives = rg::Positives::together},
            {.temperature = 0.3, .smoothing = 0.1},
            {.temperature = 2, .focal_gamma = 0.5, .detach_focal = false},
            {.temperature = 1, .positives = rg::Positives::together, .smoothing = 0.2, .focal_gamma = 2, .detach_focal = false}};
  }
  static constexpr Traits traits{.shift_invariant = true, .tolerance = 128, .unit = 1};
  static long double value(const rg::InfoNce& loss, const Definition& list) {
    if (!both_kinds(list)) return 0;
    const long double tau = loss.temperature, gamma = loss.focal_gamma;
    const auto focal = [&](long double l) { return gamma == 0 ? l : powl(-expm1l(-l), gamma) * l; };
    long double mean = 0, together = 0, weight = 0, level = 0, mass = 0;
    for (std::size_t i = 0; i < list.size(); ++i) {
      const long double w = list.weights[i];
      if (!(w > 0)) continue;
      const long double l = surprise(list, i, tau);
      level += w * l, mass += w;
      if (list.labels[i] > 0) mean += w * focal(l), weight += w, together += expl(-l);
    }
    if (loss.positives == rg::Positives::together) {
      // -log of the sum of probabilities, from the odds against them.
      Definition positives = list, negatives = list;
      for (std::size_t i = 0; i < list.size(); ++i) (list.labels[i] > 0 ? negatives : positives).weights[i] = 0;
      const long double gap = log_partition(negatives, tau) - log_partition(positives, tau);
      mean = focal(softplus(gap)), weight = 1;
    }
    return (1 - loss.smoothing) * mean / weight + loss.smoothing * level / mass;
  }
};

template <>
struct Oracle<rg::SoftLabelInfoNce> {
  static std::vector<rg::SoftLabelInfoNce> instances() {
    return {{.temperature = 1}, {.temperature = 0.4, .positive_above = 0.5, .normalize = rg::Normalize::sum}};
  }
  static constexpr Traits traits{.shift_invariant = true, .exact_curvature = true, .unit = 1};
  static long double value(const rg::SoftLabelInfoNce& loss, const Definition& list) {
    Definition equal = list;
    equal.weights.assign(list.size(), 1);
    const long double normaliser = log_partition(equal, loss.temperature);
    long double total = 0, mass = 0;
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (!(list.labels[i] > loss.positive_above)) continue;
      mass += list.weights[i] * list.labels[i];
      total += list.weights[i] * list.labels[i] * (normaliser - list.scores[i] / loss.temperature);
    }
    if (!(mass > 0)) return 0;
    return loss.normalize == rg::Normalize::mean ? total / mass : total;
  }
};

template <>
struct Oracle<rg::DistributionAlignment> {
  static std::vector<rg::DistributionAlignment> instances() {
    return {{.temperature = 1, .label_temperature = 1},
            {.temperature = 0.5, .label_temperature = 2, .forward = 1, .backward = 0},
            {.temperature = 1, .label_temperature = 0.7, .forward = 0.2, .backward = 1.5},
            {.temperature = 1, .label_temperature = 1, .epsilon = 1e-3}};
  }
  static constexpr Traits traits{.shift_invariant = true, .weights_duplicate = true, .constant_without_order = false, .tolerance = 256, .unit = 1};
  static long double value(const rg::DistributionAlignment& loss, const Definition& list) {
    std::size_t present = 0;
    for (const long double w : list.weights) present += w > 0;
    if (present < 2) return 0;
    Definition judge = list;
    judge.scores = list.labels;
    const long double z = log_partition(list, loss.temperature), zq = log_partition(judge, loss.label_temperature), eps = loss.epsilon;
    long double forward = 0, backward = 0;
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (!(list.weights[i] > 0)) continue;
      const long double log_p = list.scores[i] / loss.temperature + logl(list.weights[i]) - z, p = expl(log_p);
      const long double log_q = list.labels[i] / loss.label_temperature + logl(list.weights[i]) - zq, q = expl(log_q);
      const long double copies = list.weights[i], log_copies = logl(copies);   // epsilon is added for every copy of an item
      forward += q * (log_q - (eps > 0 ? logl(p / copies + eps) + log_copies : log_p));
      backward += p * (log_p - (eps > 0 ? logl(q / copies + eps) + log_copies : log_q));
    }
    return loss.forward * forward + loss.backward * backward;
  }
};

template <>
struct Oracle<rg::ArcFace> {
  static std::vector<rg::ArcFace> instances() { return {{}, {.margin = 0.2, .scale = 4}}; }
  // The lists of the suite have scores beyond 1, where the margin has a corner; derivatives: contrastive/arcface.test.cpp.
  static constexpr Traits traits{.smooth = false, .tolerance = 256};
  static long double value(const rg::ArcFace& loss, const Definition& list) {
    Definition moved = list;
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (!(list.labels[i] > 0)) continue;
      const long double c = std::min(1.0L, std::max(-1.0L, list.scores[i])), m = loss.margin, pi = acosl(-1.0L), theta = acosl(c);
      moved.scores[i] = theta <= pi - m ? cosl(theta + m) : c - m * sinl(m);
    }
    return Oracle<rg::InfoNce>::value(rg::InfoNce{.temperature = 1 / loss.scale}, moved);
  }
};

}  // namespace test
