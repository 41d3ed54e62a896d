// rankgrad/contrastive/soft_label.hpp: softmax cross-entropy against soft labels.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/listwise/softmax.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// Cross-entropy against a distribution that the labels give as they are (their sum need not be 1):
///   L = -sum_i y_i log softmax(s / tau)_i,  dL/ds_i = (Y p_i - y_i) / tau
/// That is Softmax; over a batch with Reduction::mean it is the distribution cross-entropy of UnifyGeo (arXiv 2505.07622), but
/// that lists without any mass do not count in the mean.
using DistributionCrossEntropy = Softmax;

/// Soft-label InfoNCE: the labels above a threshold are the masses of the positives.
///
///   L(s, y)  = -(1/Y) sum_{i: y_i > b} w_i y_i log p_i          Y = sum_{i: y_i > b} w_i y_i,  p = softmax(s / tau)
///   dL/ds_i  = ( p_i - w_i y_i 1[y_i > b] / Y ) / tau           (normalize = sum: both times Y)
///   h_i      = p_i (1 - p_i) / tau^2
///
/// One normaliser for a whole batch, sum over lists of Y L / sum of Y: give the lists the weights that soft_label_mass() says,
/// as list_weights, and take the mean of the batch.
///
/// Curvature   exact diagonal, >= 0.
/// Shapes      scores, labels [n]; weights [n] or empty, multiply the labels.
/// No signal   no label above b, or no weight on them.
/// Cost        O(n) time, one exp per item, n scratch.
/// Numerics    as Softmax, which does the work.
/// Parameters  temperature tau > 0; positive_above b >= 0; normalize: mean (default) or sum.
/// Source      UnifyGeo, arXiv 2505.07622, and its code (match_infonce; tau 0.1, b 0.01), which takes raw exponentials and has
///             0 / 0 where a batch has no positive.
struct SoftLabelInfoNce {
  static constexpr std::string_view name = "soft_label_info_nce";
  static constexpr Curvature curvature = Curvature::diagonal;

  double temperature = 0.1;
  double positive_above = 0.01;
  Normalize normalize = Normalize::mean;

  Status check() const {
    if (Status status = check_parameter("SoftLabelInfoNce.temperature", temperature, 0); !status) return status;
    return check_parameter("SoftLabelInfoNce.positive_above", positive_above, 0, true);
  }

  template <Real T>
  Contribution<T> value_and_gradient(ListView<T> list, GradientSink<T> out, Workspace& workspace) const {
    const std::size_t n = checked_size(list);
    const auto frame = workspace.frame();
    T* const targets = workspace.take<T>(n);
    const simd::Pack<T> border(static_cast<T>(positive_above)), zero(T(0));
    const T* const labels = list.labels.data();
    simd::for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
      const simd::Pack<T> y = at.load(labels + i, T(0));
      at.store(targets + i, simd::select(y > border, y, zero));
    });
    list.labels = {targets, n};
    return Softmax{temperature, normalize}.value_and_gradient(list, out, workspace);
  }
};

/// Y of a list without a mask: what a list weighs where one normaliser serves a batch.
template <Real T>
double soft_label_mass(const ListView<T>& list, double positive_above = 0.01) {
  const simd::Pack<T> border(static_cast<T>(positive_above)), zero(T(0));
  simd::BlockedSum<T> mass;
  simd::for_each_pack<T>(checked_size(list), [&](std::size_t i, auto at) RANKGRAD_INLINE {
    const simd::Pack<T> y = at.load(list.labels.data() + i, T(0));
    simd::Pack<T> w = at.load_ones();
    if (!list.weights.empty()) w = at.load(list.weights.data() + i, T(0));
    mass.add(simd::select(y > border, y * w, zero), at);
  });
  return mass.total();
}

}  // namespace rankgrad
