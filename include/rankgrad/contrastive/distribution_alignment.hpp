// rankgrad/contrastive/distribution_alignment.hpp: Kullback-Leibler divergences between a judge's and a model's softmax.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/concepts.hpp>
#include <rankgrad/core/validate.hpp>
#include <rankgrad/simd/horizontal.hpp>
#include <rankgrad/simd/math.hpp>
#include <rankgrad/simd/rows.hpp>

#include <cmath>

namespace rankgrad::inline RANKGRAD_ABI {

/// Aligns the softmax of the scores with that of the labels (judge or teacher scores) by a mixture of both divergences.
///
///   q = softmax(y / tau_q) (constant),  p = softmax(s / tau),  both with weights: w_i e^{x_i} / sum_j w_j e^{x_j}
///   L(s, y)  = a KL(q || p) + b KL(p || q) = sum_i (b p_i - a q_i) r_i         r_i = log(p_i / q_i)
///   dL/ds_i  = ( a (p_i - q_i) + b p_i (r_i - KL(p || q)) ) / tau
///   h_i      = (a + b) p_i (1 - p_i) / tau^2
///
///   a = b = 1/2   half of Jeffreys' divergence, (1/2) sum (p - q) log(p / q); not Jensen-Shannon's, which has a mixture
///   a = 1, b = 0  KL(teacher || student) of distillation: ListNet less the teacher's entropy, same gradient
///   a = 0, b = 1  the reverse divergence, which seeks one mode
///
/// Curvature   Gauss-Newton (Fisher information of both divergences): exact where p = q, and everywhere for b = 0.
/// Shapes      scores, labels [n]; weights [n] or empty: an item of weight w counts w times, in both softmaxes.
/// Units       nats; nats per unit of score.
/// No signal   fewer than two items of weight above 0.
/// Cost        O(n) time, two exps per item (epsilon > 0: four logarithms besides), 2 n scratch.
/// Numerics    r is a difference of log-softmaxes and never a logarithm of a probability: gaps of thousands of nats are exact.
///             For a = b every term of the value is >= 0.
/// Parameters  temperature tau, label_temperature tau_q > 0. forward a, backward b >= 0, not both 0. epsilon: 0 for the
///             mathematics; 1e-8 for the source's code, which has log(p + epsilon) and log(q + epsilon) as the second operand of
///             its divergences: floors r at about 18.4 and changes the gradient where p or q are small.
/// Source      UniME-V2, arXiv 2510.13515, sec. 3, and its code (tau = 0.02 for both). Distillation term: KaLM-Embedding-V2,
///             arXiv 2506.20923.
struct DistributionAlignment {
  static constexpr std::string_view name = "distribution_alignment";
  static constexpr Curvature curvature = Curvature::gauss_newton;

  double temperature = 0.02;
  double label_temperature = 0.02;
  double forward = 0.5;
  double backward = 0.5;
  double epsilon = 0;

  Status check() const {
    if (Status s = check_parameter("DistributionAlignment.temperature", temperature, 0); !s) return s;
    if (Status s = check_parameter("DistributionAlignment.label_temperature", label_temperature, 0); !s) return s;
    if (Status s = check_parameter("DistributionAlignment.forward", forward, 0, true); !s) return s;
    if (Status s = check_parameter("DistributionAlignment.backward", backward, 0, true); !s) return s;
    if (Status s = check_parameter("DistributionAlignment.epsilon", epsilon, 0, true); !s) return s;
    if (forward + backward > 0) return {};
    return Status::error("rankgrad: DistributionAlignment.forward and .backward are both 0");
  }

  template <Real T>
  Contribution<T> value_and_gradient(ListView<T> list, GradientSink<T> out, Workspace& workspace) const {
    using namespace simd;
    const std::size_t n = checked_size(list);
    const auto frame = workspace.frame();
    T *const p = workspace.take<T>(n), *const q = workspace.take<T>(n);
    const T* const weights = list.weights.empty() ? nullptr : list.weights.data();
    if (!several(weights, n)) return {};
    const Normalised<T> model = softmax(list.scores.data(), weights, n, 1 / temperature, p);
    const Normalised<T> judge = softmax(list.labels.data(), weights, n, 1 / label_temperature, q);

    const T *const scores = list.scores.data(), *const labels = list.labels.data();
    const Pack<T> zero(T(0)), one(T(1)), smallest(std::numeric_limits<T>::min());
    const Pack<T> top(model.top), inverse(static_cast<T>(1 / temperature)), scale_p(model.scale);
    const Pack<T> judge_top(judge.top), judge_inverse(static_cast<T>(1 / label_temperature)), scale_q(judge.scale);
    const Pack<T> apart(static_cast<T>(model.log_sum - judge.log_sum)), eps(static_cast<T>(epsilon));
    const Pack<T> a(static_cast<T>(forward)), b(static_cast<T>(backward));
    const bool shifted = epsilon > 0;
    // Over q: what p_i is multiplied by in the gradient, v_i = dL/dp_i but for a constant.
    BlockedSum<T> value, mean;
    for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
      const Pack<T> pi = scale_p * at.load(p + i, T(0)), qi = scale_q * at.load(q + i, T(0));
      const Pack<T> w = weights ? at.load(weights + i, T(0)) : at.load_ones();
      const auto present = w > zero;
      at.store(p + i, pi);
      if (!shifted) {
        const Pack<T> d = (at.load(scores + i, T(0)) - top) * inverse;
        const Pack<T> dq = (at.load(labels + i, T(0)) - judge_top) * judge_inverse;
        const Pack<T> r = select(present, (d - dq) - apart, zero);
        value.add(fma(b, pi, -(a * qi)) * r, at);
        mean.add(pi * r, at);
        at.store(q + i, fma(a, pi - qi, b * pi * r));
      } else {
        const auto log_of = [&](Pack<T> x) RANKGRAD_INLINE { return log_positive<T>(select(x > smallest, x, smallest)); };
        const Pack<T> copies = select(present, w, one), p1 = pi / copies, q1 = qi / copies;   // of one copy of the item
        const Pack<T> log_p = log_of(p1), log_q = log_of(q1), near_p = log_of(p1 + eps), near_q = log_of(q1 + eps);
        value.add(select(present, fma(a * qi, log_q - near_p, b * pi * (log_p - near_q)), zero), at);
        const Pack<T> v = select(present, fma(b, log_p - near_q, -(a * (q1 / (p1 + eps)))), zero);
        mean.add(pi * v, at);
        at.store(q + i, pi * v);
      }
    });
    const double unit = static_cast<double>(out.scale) / temperature;
    const Pack<T> slope(static_cast<T>(unit)), centre(static_cast<T>(mean.total() * (shifted ? 1 : backward)));
    const Pack<T> bend(static_cast<T>(unit / temperature * (forward + backward)));
    T *const grad = out.grad, *const hess = out.hess;
    for_each_pack<T>(n, [=](std::size_t i, auto at) RANKGRAD_INLINE {
      const Pack<T> pi = at.load(p + i, T(0));
      at.store(grad + i, fma(slope, fnma(centre, pi, at.load(q + i, T(0))), at.load(grad + i, T(0))));
      if (hess) at.store(hess + i, fma(bend, pi * select(pi > one, zero, one - pi), at.load(hess + i, T(0))));
    });
    return {static_cast<T>(value.total()), true};
  }

 private:
  template <Real T>
  struct Normalised {
    T top, scale;      ///< probability = scale times what is kept
    double log_sum;
  };

  template <Real T>
  static bool several(const T* weights, std::size_t n) {
    std::size_t present = 0;
    for (std::size_t i = 0; i < n && present < 2; ++i) present += !weights || weights[i] > T(0);
    return present == 2;
  }

  /// kept[i] = w_i e^{(x_i - top) / tau}.
  template <Real T>
  static Normalised<T> softmax(const T* x, const T* weights, std::size_t n, double inverse_temperature, T* kept) {
    using namespace simd;
    const Pack<T> zero(T(0));
    const auto weight = [=](std::size_t i, auto at) RANKGRAD_INLINE {
      return weights ? at.load(weights + i, T(0)) : at.load_ones();
    };
    Pack<T> tops[2] = {Pack<T>(std::numeric_limits<T>::lowest()), Pack<T>(std::numeric_limits<T>::lowest())};
    for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
      const Pack<T> v = at.load(x + i, T(0));
      tops[at.slot] = select((weight(i, at) > zero) & (v > tops[at.slot]), v, tops[at.slot]);
    });
    const T highest = simd::highest(larger(tops[0], tops[1]));
    const Pack<T> top(highest);
    const ScaledExp<T> power(inverse_temperature);
    BlockedSum<T> sum;
    for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
      const Pack<T> w = weight(i, at), e = w * power(select(w > zero, at.load(x + i, T(0)) - top, zero));
      at.store(kept + i, e);
      sum.add(e, at);
    });
    const double total = sum.total();
    return {highest, static_cast<T>(1 / total), std::log(total)};
  }
};

}  // namespace rankgrad
