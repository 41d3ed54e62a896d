// rankgrad/listwise/softmax.hpp: softmax cross-entropy over one list, and ListNet.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/concepts.hpp>
#include <rankgrad/core/validate.hpp>
#include <rankgrad/simd/math.hpp>
#include <rankgrad/simd/rows.hpp>

#include <cmath>

namespace rankgrad::inline RANKGRAD_ABI {

namespace listwise {

/// probabilities[i] = softmax(x / tau)_i, in padded scratch.
template <Real T>
T* probabilities(std::span<const T> x, double temperature, Workspace& workspace) {
  using namespace simd;
  const std::size_t n = x.size();
  const T highest_x = highest(x.data(), n);
  const Pack<T> top(highest_x), tau(static_cast<T>(1 / temperature));
  T* values = workspace.take<T>(n);
  BlockedSum<T> sum;
  for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
    const Pack<T> e = exp_nonpositive<T>((at.load(&x[i], highest_x) - top) * tau) * at.load_ones();
    store(values + i, e);   // the workspace is padded
    sum.add(e);
  });
  const Pack<T> inverse(T(1 / sum.total()));
  for (std::size_t i = 0; i < n; i += lanes<T>) store(values + i, inverse * load(values + i));
  return values;
}

/// Cross-entropy of softmax(s / tau) against unnormalised targets t_i >= 0 (weighted by w):
///   L = sum_i w_i t_i (log sum_j e^{s_j / tau} - s_i / tau),  gradient (Y p_i - w_i t_i) / tau,  Y = sum w t.
template <Real T>
Contribution<T> softmax_cross_entropy(const ListView<T>& list, std::span<const T> targets, double temperature,
                                      Normalize normalize, const GradientSink<T>& out, Workspace& workspace) {
  using namespace simd;
  const std::size_t n = checked_size(list);
  if (n == 0) return {};
  const auto frame = workspace.frame();
  const T* scores = list.scores.data();
  const T* weights = list.weights.empty() ? nullptr : list.weights.data();
  const auto target = [&](std::size_t i, auto at) RANKGRAD_INLINE {
    const Pack<T> t = at.load(&targets[i], T(0));
    return weights ? t * at.load(weights + i, T(0)) : t;
  };

  // x_i = (s_i - highest) / tau <= 0. One pass for the exponentials and all sums: of e^x, w t, and w t x for the value.
  const T highest_score = highest(scores, n);
  const double inverse_temperature = 1 / temperature;
  const Pack<T> top(highest_score), tau(static_cast<T>(inverse_temperature));
  T* exponentials = workspace.take<T>(n);
  BlockedSum<T> exponential_sum, target_sum, weighted_sum;
  for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
    const Pack<T> x = (at.load(scores + i, highest_score) - top) * tau, t = target(i, at);
    const Pack<T> e = exp_nonpositive<T>(x) * at.load_ones();
    store(exponentials + i, e);   // the workspace is padded
    exponential_sum.add(e);
    target_sum.add(t);
    weighted_sum.add(t * x);
  });
  const double sum = exponential_sum.total(), inverse = 1 / sum, Y = target_sum.total();
  if (!(Y > 0)) return {};

  const double normalizer = normalize == Normalize::mean ? 1 / Y : 1;
  const auto all = [](double x) { return Pack<T>(static_cast<T>(x)); };
  const double scale = static_cast<double>(out.scale) * normalizer * inverse_temperature;
  const Pack<T> pull = all(scale), push = all(scale * Y * inverse), inverse_sum = all(inverse), bend = all(scale * Y * inverse_temperature);
  T *const grad = out.grad, *const hess = out.hess;   // copies, which no store can change
  for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
    const Pack<T> e = load(exponentials + i);
    at.accumulate(grad + i, push * e - pull * target(i, at));
    if (hess) {
      const Pack<T> p = inverse_sum * e;
      at.accumulate(hess + i, bend * (p * (Pack<T>(T(1)) - p)));
    }
  });
  return {T(normalizer * (Y * std::log(sum) - weighted_sum.total())), true};
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
  Contribution<T> value_and_gradient(ListView<T> list, GradientSink<T> out, Workspace& workspace) const {
    return listwise::softmax_cross_entropy(list, list.labels, temperature, normalize, out, workspace);
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
  Contribution<T> value_and_gradient(ListView<T> list, GradientSink<T> out, Workspace& workspace) const {
    const std::size_t n = checked_size(list);
    if (n == 0) return {};
    const auto frame = workspace.frame();
    const T* targets = listwise::probabilities(list.labels, label_temperature, workspace);
    return listwise::softmax_cross_entropy(list, {targets, n}, temperature, normalize, out, workspace);
  }
};

}  // namespace rankgrad
