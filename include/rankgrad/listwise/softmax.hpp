// rankgrad/listwise/softmax.hpp: softmax cross-entropy over one list, and ListNet.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/validate.hpp>
#include <rankgrad/listwise/softmax_blocks.hpp>
#include <rankgrad/listwise/softmax_short.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

namespace listwise {

/// Cross-entropy of softmax(s / tau) against unnormalised targets t_i >= 0 (weighted by w):
///   L = sum_i w_i t_i (log sum_j e^{s_j / tau} - s_i / tau),  gradient (Y p_i - w_i t_i) / tau,  Y = sum w t.
/// The targets are the labels or, where label_temperature > 0, softmax(labels / label_temperature).
/// `fresh`: over what stands in the sink's arrays.
template <bool Distribution, bool fresh, Real T>
RANKGRAD_INLINE inline Contribution<T> softmax_cross_entropy(Problem<T> list, const GradientSink<T>& out, Workspace& workspace) {
  if (list.n == 0) return {};
  const bool plain = !list.weights && !out.hess;
  if (list.n <= longest_short_list<T>)
    return plain ? short_list<true, Distribution, fresh>(list, out) : short_list<false, Distribution, fresh>(list, out);
  const auto frame = workspace.frame();
  if constexpr (Distribution) list.targets = probabilities(list.targets, list.n, list.label_scale, workspace);
  const bool keep = list.n <= kept_items<T>;
  return plain ? by_blocks<true, fresh>(list, out, keep, workspace) : by_blocks<false, fresh>(list, out, keep, workspace);
}

/// The same for the lists begin .. end - 1 of a batch; `all`: all its lists as one.
template <bool Plain, bool Distribution, Real T>
void softmax_cross_entropies(const Problem<T>& all, const RaggedBatch<T>& batch, std::size_t begin, std::size_t end,
                             const ListsSink<T>& out, Workspace& workspace) {
  const auto frame = workspace.frame();
  T* const distribution = Distribution ? workspace.take<T>(batch.offsets[end] - batch.offsets[begin]) : nullptr;
  ShortLists<Plain, Distribution, T> together(batch, out, begin, distribution);
  for (std::size_t q = begin; q < end; ++q) {
    const Problem<T> list = all.part(batch.offsets[q], batch.offsets[q + 1] - batch.offsets[q]);
    if (list.n > 0 && list.n <= longest_short_list<T>) {
      together.add(q, list);
      if (together.full()) together.finish();
    } else {
      out.parts[q] = softmax_cross_entropy<Distribution, true>(list, out.list(batch, q), workspace);
    }
  }
  together.finish();
}

/// A loss of this family, for one list and for many: what the loss passes on.
template <bool Distribution>
struct SoftmaxFamily {
  double temperature, label_temperature;
  Normalize normalize;

  template <class View>
  auto problem(const View& view) const {
    using T = typename View::value_type;
    const T* const weights = view.weights.empty() ? nullptr : view.weights.data();
    return Problem<T>{view.scores.data(), view.labels.data(), weights, view.scores.size(), 1 / temperature,
                      Distribution ? 1 / label_temperature : 0, normalize == Normalize::mean};
  }
  template <Real T>
  RANKGRAD_INLINE inline Contribution<T> value_and_gradient(const ListView<T>& list, const GradientSink<T>& out,
                                                            Workspace& workspace) const {
    checked_size(list);
    return softmax_cross_entropy<Distribution, false>(problem(list), out, workspace);
  }
  template <Real T>
  RANKGRAD_INLINE inline Contribution<T> overwrite(const ListView<T>& list, const GradientSink<T>& out,
                                                   Workspace& workspace) const {
    checked_size(list);
    return softmax_cross_entropy<Distribution, true>(problem(list), out, workspace);
  }
  template <Real T>
  void overwrite(const RaggedBatch<T>& batch, std::size_t begin, std::size_t end, const ListsSink<T>& out,
                 Workspace& workspace) const {
    const Problem<T> all = problem(batch);
    if (!all.weights && !out.hess) softmax_cross_entropies<true, Distribution>(all, batch, begin, end, out, workspace);
    else softmax_cross_entropies<false, Distribution>(all, batch, begin, end, out, workspace);
  }
};

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
/// Cost        O(n) time, one exp per item. Scratch only for long lists inside a mixture or with a mask: n.
/// Numerics    the highest score is subtracted before anything else; sum w y (highest - s_i), before it is divided by tau,
///             must not overflow T, or the value does (the gradient does not). Absent items belong into the mask: a
///             score of -inf has the right gradient, 0, but makes the value NaN.
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
    return family().value_and_gradient(list, out, workspace);
  }
  template <Real T>
  RANKGRAD_INLINE inline Contribution<T> overwrite(const ListView<T>& list, const GradientSink<T>& out,
                                                   Workspace& workspace) const {
    return family().overwrite(list, out, workspace);
  }
  template <Real T>
  void overwrite(const RaggedBatch<T>& batch, std::size_t begin, std::size_t end, const ListsSink<T>& out,
                 Workspace& workspace) const {
    family().overwrite(batch, begin, end, out, workspace);
  }

 private:
  listwise::SoftmaxFamily<false> family() const { return {temperature, 0, normalize}; }
};

/// ListNet (top one): cross-entropy between softmax(labels) and softmax(scores / tau).
///
///   L(s, y)   = -sum_i w_i t_i log p_i                 t = softmax(y),  p = softmax(s / tau)
///   dL/ds_i   = ( Y p_i - w_i t_i ) / tau              Y = sum_i w_i t_i, = 1 without weights
///   d2L/ds_i2 = Y p_i (1 - p_i) / tau^2
///
/// Curvature   exact diagonal, >= 0.
/// No signal   the list is empty. (All labels equal still pulls the scores together.)
/// Cost        O(n) time, n scratch (inside a mixture or with a mask 2 n), two exps per item.
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
    return family().value_and_gradient(list, out, workspace);
  }
  template <Real T>
  RANKGRAD_INLINE inline Contribution<T> overwrite(const ListView<T>& list, const GradientSink<T>& out,
                                                   Workspace& workspace) const {
    return family().overwrite(list, out, workspace);
  }
  template <Real T>
  void overwrite(const RaggedBatch<T>& batch, std::size_t begin, std::size_t end, const ListsSink<T>& out,
                 Workspace& workspace) const {
    family().overwrite(batch, begin, end, out, workspace);
  }

 private:
  listwise::SoftmaxFamily<true> family() const { return {temperature, label_temperature, normalize}; }
};

}  // namespace rankgrad
