// rankgrad/listwise/attention_rank.hpp: softmax cross-entropy whose targets leave out what is not relevant.
// SPDX-License-Identifier: MIT
//
// Read first: listwise/softmax.hpp.
#pragma once

#include <rankgrad/listwise/softmax.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// AttentionRank: cross-entropy between an attention over the relevant items and the softmax of the scores.
///
///   L(s, y)   = -sum_i w_i t_i log p_i                 t_i = a(y_i) / sum_j a(y_j),   p = softmax(s / tau)
///   dL/ds_i   = ( Y p_i - w_i t_i ) / tau              Y = sum_i w_i t_i, = 1 without weights
///   d2L/ds_i2 = Y p_i (1 - p_i) / tau^2
///   a(y)      = e^y for y > 0, else 0                  the rectified exponential
///
/// Curvature   exact diagonal, >= 0.
/// Shapes      scores, labels [n]; weights [n] or empty, multiply the targets.
/// Units       nats; nats per unit of score.
/// No signal   no label above 0, or none of positive weight.
/// Cost        O(n) time, n scratch, two exps per item.
/// Parameters  temperature tau > 0 of the scores. normalize: as Softmax. unnormalized: the targets are a(y_i) themselves, as
///             in the released code; then labels must stay below log of the largest number, 88 in float.
/// Source      Ai, Bi, Guo, Croft, Learning a deep listwise context model for ranking refinement, SIGIR 2018.
struct AttentionRank {
  static constexpr std::string_view name = "attention_rank";
  static constexpr Curvature curvature = Curvature::diagonal;

  double temperature = 1;
  bool unnormalized = false;
  Normalize normalize = Normalize::sum;

  Status check() const { return check_parameter("AttentionRank.temperature", temperature, 0); }

  template <Real T>
  Contribution<T> value_and_gradient(ListView<T> list, GradientSink<T> out, Workspace& workspace) const {
    const std::size_t n = checked_size(list);
    if (n == 0) return {};
    const auto frame = workspace.frame();
    T* targets = workspace.take<T>(n);
    if (!fill(list.labels.data(), n, targets)) return {};
    list.labels = {targets, n};
    return listwise::SoftmaxFamily<false>{temperature, 0, normalize}.value_and_gradient(list, out, workspace);
  }

 private:
  template <Real T>
  bool fill(const T* labels, std::size_t n, T* targets) const {
    using namespace simd;
    const Pack<T> zero(T(0));
    const T top = highest(labels, n);
    if (!(top > T(0))) return false;
    const Pack<T> shift(unnormalized ? T(0) : top);
    BlockedSum<T> sum;
    for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
      const Pack<T> y = at.load(labels + i, T(0)), t = select(y > zero, exp<T>(y - shift), zero);
      sum.add(t, at);
      at.store(targets + i, t);
    });
    if (unnormalized) return true;
    const Pack<T> inverse(static_cast<T>(1 / sum.total()));
    for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
      at.store(targets + i, inverse * at.load(targets + i, T(0)));
    });
    return true;
  }
};

}  // namespace rankgrad
