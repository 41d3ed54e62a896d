// rankgrad/listwise/entropy.hpp: the entropy of a softmax policy over one list, as a bonus beside another loss.
// SPDX-License-Identifier: MIT
//
// With x_i = (s_i - top) / tau <= 0, S = sum_j w_j e^{x_j}, p_i = w_i e^{x_i} / S and the mean m = sum_i p_i x_i,
// log(p_i / w_i) = x_i - log S, so that
//
//   -H = sum_i p_i log(p_i / w_i) = m - log S                without weights two terms of one sign: nothing cancels
//   dp_i/ds_i = p_i (1 - p_i) / tau,   log(p_i / w_i) + H = x_i - m: the gradient needs no logarithm
//
// S is kept as (items at the top) + (the others), which leaves log S its digits where one item holds nearly all of p.
#pragma once

#include <rankgrad/core/concepts.hpp>
#include <rankgrad/core/validate.hpp>
#include <rankgrad/simd/horizontal.hpp>
#include <rankgrad/simd/math.hpp>
#include <rankgrad/simd/rows.hpp>

#include <cmath>
#include <limits>

namespace rankgrad::inline RANKGRAD_ABI {

/// The negative entropy of p = softmax(s / tau). Mixed with a loss, `PgRank{} + 0.01 * NegativeEntropy{}`, it keeps a
/// policy from settling too early; its weight is usually lowered as training goes.
///
///   L(s)      = sum_i p_i log p_i                      in [-log n, 0]
///   dL/ds_i   = p_i (x_i - m) / tau                    x = s / tau, m = sum_i p_i x_i
///   d2L/ds_i2 = p_i ( (1 - 2 p_i) (x_i - m) + 1 - p_i ) / tau^2
///
/// Curvature   bound: |d2L/ds_i2|, which is negative for items far below the others.
/// Shapes      scores, labels [n], the labels are not looked at; weights [n] or empty: how many times an item is there,
///             p_i = w_i e^{x_i} / S and L = sum p_i log(p_i / w_i).
/// Units       nats; nats per unit of score.
/// No signal   no item weighs anything.
/// Cost        O(n), one exp per item; 2 n scratch.
/// Numerics    scores of any size; the relative error of an entropy near 0 is that of e^x, |x| times the rounding.
/// Parameters  temperature tau > 0.
/// Source      Williams, Peng, Function optimization using connectionist reinforcement learning algorithms, 1991; for
///             ranking policies Singh, Joachims, Policy learning for fairness in ranking, NeurIPS 2019, and its code.
struct NegativeEntropy {
  static constexpr std::string_view name = "negative_entropy";
  static constexpr Curvature curvature = Curvature::bound;

  double temperature = 1;

  Status check() const { return check_parameter("NegativeEntropy.temperature", temperature, 0); }

  template <Real T>
  Contribution<T> value_and_gradient(ListView<T> list, GradientSink<T> out, Workspace& workspace) const {
    return list.weights.empty() ? of_list<false>(list, out, workspace) : of_list<true>(list, out, workspace);
  }

 private:
  template <bool Weighted, Real T>
  Contribution<T> of_list(const ListView<T>& list, const GradientSink<T>& out, Workspace& workspace) const {
    using namespace simd;
    const std::size_t n = checked_size(list);
    if (n == 0) return {};
    const auto frame = workspace.frame();
    const Pack<T> zero(T(0)), one(T(1)), lowest(std::numeric_limits<T>::lowest());
    const T *scores = list.scores.data(), *const weights = list.weights.data();
    if constexpr (Weighted) {   // the top is that of the items that are there
      T* const heavy = workspace.take<T>(n);
      for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
        at.store(heavy + i, select(at.load(weights + i, T(0)) > zero, at.load(scores + i, T(0)), lowest));
      });
      scores = heavy;
    }
    const Pack<T> top(highest(scores, n)), inverse(static_cast<T>(1 / temperature)), least(T(-1000));
    const auto x_of = [&](Pack<T> s) RANKGRAD_INLINE {   // e^-1000 is 0; 0 times infinity would not be
      const Pack<T> x = (s - top) * inverse;
      return select(x < least, least, x);
    };
    T* const masses = workspace.take<T>(n);
    BlockedSum<T> tops, others, weighted;
    for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
      const Pack<T> x = x_of(at.load(scores + i, std::numeric_limits<T>::lowest())), e = exp_nonpositive<T>(x);
      const Pack<T> mass = Weighted ? at.load(weights + i, T(0)) * e : e * at.load_ones();
      const auto below = x < zero;
      at.store(masses + i, mass);
      others.add(select(below, mass, zero), at);
      tops.add(select(below, zero, mass), at);
      weighted.add(mass * x, at);
    });
    const double first = tops.total(), rest = others.total(), sum = first + rest, mean = weighted.total() / sum;
    if (sum == 0) return {};
    const double slope = static_cast<double>(out.scale) / temperature, bend = slope / temperature;
    const Pack<T> share(static_cast<T>(1 / sum)), middle(static_cast<T>(mean));
    for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
      const Pack<T> p = at.load(masses + i, T(0)) * share, beyond = x_of(at.load(scores + i, T(0))) - middle;
      at.accumulate(out.grad + i, Pack<T>(static_cast<T>(slope)) * (p * beyond));
      if (out.hess) at.accumulate(out.hess + i, Pack<T>(static_cast<T>(bend)) * abs(p * fma(one - p - p, beyond, one - p)));
    });
    return {static_cast<T>(mean - std::log(first) - std::log1p(rest / first)), true};
  }
};

}  // namespace rankgrad
