// rankgrad/embedding/in_batch_positives.hpp: the positives of in-batch softmaxes and, once the negatives of their anchors are
// summed, the losses of the anchors.
// SPDX-License-Identifier: MIT
//
// Read first: in_batch_softmax.hpp.
#pragma once

#include <rankgrad/embedding/in_batch_anchors.hpp>

namespace rankgrad::inline RANKGRAD_ABI::embedding {

template <Real T>
class SoftmaxPositives {
 public:
  SoftmaxPositives(const SoftmaxSettings& settings, const Relations& relations, Workspace& workspace)
      : logit(workspace.take<double>(relations.pairs())), settings_(settings), pairs_(relations),
        slope_(workspace.take<T>(relations.pairs(), T(0))) {}

  double* logit;             ///< [pairs] set by the caller before anything else
  double* apart = nullptr;   ///< [pairs] zeros: takes the derivatives by positives, and the tiles have none

  /// What the rows (by_row), or the columns, know of them.
  void open(SoftmaxAnchors<T>& anchors, bool by_row) const {
    if (!anchors.used) return;
    for_pairs(by_row, 0, pairs_.queries, [&](std::size_t k, std::size_t a) {
      anchors.positive_top[a] = std::max(anchors.positive_top[a], logit[k]);
      anchors.positive_logits[a] += logit[k];
      anchors.positive_mean[a] += share(k, anchors, a) * logit[k];
    });
    for_pairs(by_row, 0, pairs_.queries, [&](std::size_t k, std::size_t a) {
      anchors.positive_sum[a] += std::exp(logit[k] - anchors.positive_top[a]);
    });
  }

  /// Values and slopes of the anchors first .. last - 1, whose positives are those of the queries begin .. end - 1.
  void settle(SoftmaxAnchors<T>& anchors, bool by_row, std::size_t begin, std::size_t end, std::size_t first, std::size_t last) {
    if (!anchors.used) return;
    const double scale = settings_.scale, e = settings_.smoothing, gamma = settings_.focal_gamma, kept = 1 - e;
    const bool detach = settings_.detach_focal, together = settings_.together;
    const auto multiple = [&](std::size_t a) { return !together && gamma > 0 && anchors.positives[a] > 1; };
    const auto focal_of = [&](std::size_t k, std::size_t a, double l) {
      const double own = l + (anchors.positive_lse(a) - logit[k]);
      return contrastive::focal(own, -std::expm1(-own), gamma, detach);
    };
    if (gamma > 0 && !together)
      for_pairs(by_row, begin, end, [&](std::size_t k, std::size_t a) {
        if (!anchors.valid(a) || !multiple(a)) return;
        const auto focal = focal_of(k, a, contrastive::softplus(anchors.gap(a, scale)));
        const double part = share(k, anchors, a);
        anchors.focus[a] += focal.slope * part;
        value_ += anchors.weight[a] * kept * focal.value * part;
      });
    for (std::size_t a = first; a < last; ++a) {
      if (!anchors.valid(a)) continue;
      const double z = anchors.gap(a, scale), l = contrastive::softplus(z), lse = anchors.positive_lse(a) + l;
      const double weight = anchors.weight[a];
      double main = 0;
      if (!multiple(a)) {
        const auto focal = contrastive::focal(l, contrastive::sigmoid(z), gamma, detach);
        const bool mean = !together && anchors.positives[a] > 1;
        main = mean ? l + (anchors.positive_lse(a) - anchors.positive_mean[a]) : focal.value;
        anchors.focus[a] = mean ? 1 : focal.slope;
      }
      if (e > 0) {
        const double logits = scale * anchors.similarities[a] + anchors.positive_logits[a];
        main = kept * main + e * (lse - logits / anchors.candidates[a]);
      }
      value_ += weight * main;
      anchors.slope[a] = kept * anchors.focus[a] + e;
      anchors.level[a] = static_cast<T>(scale * weight * e / anchors.candidates[a]);
      const double highest = anchors.sum[a] == 0 ? 0 : std::exp(scale * static_cast<double>(anchors.top[a]) - lse);
      anchors.factor[a] = static_cast<T>(scale * weight * anchors.slope[a] * highest);
    }
    for_pairs(by_row, begin, end, [&](std::size_t k, std::size_t a) {
      if (!anchors.valid(a)) return;
      const double z = anchors.gap(a, scale), rest = contrastive::sigmoid(z), won = contrastive::sigmoid(-z);
      const double r = std::exp(logit[k] - anchors.positive_lse(a)), part = share(k, anchors, a);
      double slope = -e / anchors.candidates[a];
      if (multiple(a)) slope += anchors.slope[a] * r * won - kept * part * focal_of(k, a, contrastive::softplus(z)).slope;
      else if (together || anchors.positives[a] < 2) slope += r * (e * won - kept * anchors.focus[a] * rest);
      else slope += (r - part) - r * rest + e * part;
      slope *= scale * anchors.weight[a];
      if (apart) apart[k] += slope;
      else slope_[k] += static_cast<T>(slope);
    });
  }

  double value() const { return value_; }
  /// dL/ds.
  const T* slopes() const { return slope_; }

 private:
  /// body(pair, anchor) for the positives of the queries begin .. end - 1.
  template <class Body>
  void for_pairs(bool by_row, std::size_t begin, std::size_t end, const Body& body) const {
    for (std::size_t i = begin; i < end; ++i)
      for (std::size_t k = pairs_.offset[i]; k < pairs_.offset[i + 1]; ++k) body(k, by_row ? i : pairs_.document[k]);
  }

  /// How much of an anchor's target pair k has.
  double share(std::size_t k, const SoftmaxAnchors<T>& anchors, std::size_t a) const { return pairs_.target(k) / anchors.mass[a]; }

  SoftmaxSettings settings_;
  const Relations& pairs_;
  T* slope_;
  double value_ = 0;
};

}  // namespace rankgrad::embedding
