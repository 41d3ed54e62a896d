// rankgrad/listwise/softmax.hpp: softmax cross-entropy over one list, and ListNet.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/validate.hpp>
#include <rankgrad/listwise/softmax_kernels.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

namespace listwise {

/// Cross-entropy of softmax(s / tau) against unnormalised targets t_i >= 0 (weighted by w):
///   L = sum_i w_i t_i (log sum_j e^{s_j / tau} - s_i / tau),  gradient (Y p_i - w_i t_i) / tau,  Y = sum w t.
/// The targets are the labels or, where label_temperature > 0, softmax(labels / label_temperature).
template <Real T, bool Distribution>
RANKGRAD_INLINE inline Contribution<T> softmax_cross_entropy(const ListView<T>& list, double temperature, double label_temperature, Normalize normalize,
                                      const GradientSink<T>& out, Workspace& workspace) {
  const std::size_t n = checked_size(list);
  if (n == 0) return {};
  Problem<T> problem{list.scores.data(), list.labels.data(), list.weights.empty() ? nullptr : list.weights.data(), n,
                     1 / temperature, Distribution ? 1 / label_temperature : 0, normalize == Normalize::mean};
  const bool plain = !problem.weights && !out.hess;
  if (n <= packs_in_block * simd::lanes<T>)
    return plain ? held<true, Distribution>(problem, out) : held<false, Distribution>(problem, out);
  const auto frame = workspace.frame();
  if constexpr (Distribution) problem.targets = probabilities(problem.targets, n, problem.label_scale, workspace);
  const bool keep = n <= kept_items<T>;
  return plain ? by_blocks<true>(problem, out, keep, workspace) : by_blocks<false>(problem, out, keep, workspace);
}

}  // namespace listwise

/// Softmax cross-entropy with the labels as unnormalised targets.
///
///   L(s, y)   = sum_i w_i y_i ( log sum_j e^{s_j / tau} - s_i / tau )
///   dL/ds_i   = ( Y p_i - w_i y_i ) / tau              Y = sum_i w_i y_i,  p = softmax(s / tau)
///   d2L/ds_i2 = Y p_i (1 - p_i) / tau^2
///
/// Curvature   exact diagonal, >= 0. H <= 2 diag(H).
/// Shapes      scores, labels [n], labels >= 0; weights [n] or empty, multiply the labels (as rax).
/// Units       nats; nats per unit of score.
/// No signal   the list is empty, or sum w y is not positive.
/// Cost        O(n) time, n scratch, one exp per item.
/// Numerics    the highest score is subtracted before anything else.
/// Parameters  temperature tau > 0. normalize: sum (default), or mean = divided by Y, which makes the targets a
///             distribution.
/// Source      Bruch et al., An analysis of the softmax cost function for learning to rank, ICTIR 2019, eq. (2); top-1
///             ListNet of Cao et al., ICML 2007, with given targets.
struct Softmax {
  static constexpr std::string_view name = "softmax";
  static constexpr Curvature curvature = Curvature::diagonal;

  double temperature = 1;
  Normalize normalize = Normalize::sum;

  Status check() const { return check_parameter("Softmax.temperature", temperature, 0); }

  template <Real T>
  RANKGRAD_INLINE inline Contribution<T> value_and_gradient(ListView<T> list, GradientSink<T> out, Workspace& workspace) const {
    return listwise::softmax_cross_entropy<T, false>(list, temperature, 0, normalize, out, workspace);
  }
};

/// ListNet (top one): cross-entropy between softmax(labels) and softmax(scores / tau).
///
///   L(s, y)   = -sum_i w_i t_i log p_i                 t = softmax(y),  p = softmax(s / tau)
///   dL/ds_i   = ( Y p_i - w_i t_i ) / tau              Y = sum_i w_i t_i, = 1 without weights
///   d2L/ds_i2 = Y p_i (1 - p_i) / tau^2
///
/// Curvature   exact diagonal, >= 0.
/// No signal   the list is empty. (All labels equal still pulls the scores together.)
/// Cost        O(n) time, 2 n scratch, two exps per item.
/// Parameters  temperature tau > 0 of the scores; label_temperature > 0 divides the labels. normalize as Softmax.
/// Source      Cao, Qin, Liu, Tsai, Li, Learning to rank: from pairwise approach to listwise approach, ICML 2007.
struct ListNet {
  static constexpr std::string_view name = "listnet";
  static constexpr Curvature curvature = Curvature::diagonal;

  double temperature = 1;
  double label_temperature = 1;
  Normalize normalize = Normalize::sum;

  Status check() const {
    if (Status status = check_parameter("ListNet.temperature", temperature, 0); !status) return status;
    return check_parameter("ListNet.label_temperature", label_temperature, 0);
  }

  template <Real T>
  RANKGRAD_INLINE inline Contribution<T> value_and_gradient(ListView<T> list, GradientSink<T> out, Workspace& workspace) const {
    return listwise::softmax_cross_entropy<T, true>(list, temperature, label_temperature, normalize, out, workspace);
  }
};

}  // namespace rankgrad
