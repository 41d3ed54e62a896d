// rankgrad/listwise/softmax_sums.hpp: what the softmax cross-entropy of a list consists of, whatever its length.
// SPDX-License-Identifier: MIT
//
//   L = sum_i t_i (log sum_j e^{x_j} - x_i),   x_i = d_i / tau,   d_i = s_i - top <= 0,   t_i = w_i y_i >= 0
//   dL/ds_i = (Y p_i - t_i) / tau,   p_i = e^{x_i} / S,   S = sum_j e^{x_j},   Y = sum_i t_i
//
// With top the highest score, S >= 1 and every term of L = Y log S - sum_i t_i d_i / tau is >= 0: nothing cancels.
// The rounding of d and of 1 / tau (and, where it is not fused, of their product) adds |x| u e^x each to the error of an
// exponential, which is below 0.4 u of the largest.
//
// Lists are read twice, for the sums and for the derivatives: short ones by listwise/softmax_short.hpp, longer ones by
// listwise/softmax_blocks.hpp.
//
// Error: sums stay in T for 64 packs or fewer, in double beyond, and are of one sign: relative error of L about
// (64 + lanes) u / 2 at worst, u = 2^-24 or 2^-53; about u in practice. NaN in a score makes its own d NaN, whatever became
// of it in a maximum, and from there sum t d (also for t = 0) and S: the value is NaN.
#pragma once

#include <rankgrad/core/gradient_sink.hpp>
#include <rankgrad/simd/horizontal.hpp>
#include <rankgrad/simd/math.hpp>
#include <rankgrad/simd/rows.hpp>

#include <cmath>

namespace rankgrad::inline RANKGRAD_ABI::listwise {

/// How many packs may stand in one sum of T.
inline constexpr std::size_t packs_in_block = simd::packs_per_flush;

template <Real T>
struct Problem {
  const T *scores, *targets, *weights;   ///< weights: null for 1
  std::size_t n;
  double inverse_temperature;
  double label_scale = 0;                ///< above 0: the targets are w softmax(targets * label_scale)
  bool mean = false;                     ///< divided by Y

  Problem part(std::size_t first, std::size_t count) const {
    return {scores + first, targets + first, weights ? weights + first : nullptr, count, inverse_temperature, label_scale, mean};
  }
};

/// S, Y and sum t d.
struct Sums {
  double exponentials = 0, targets = 0, weighted = 0;
};

/// L, from the sums over all items and log S.
template <Real T>
double value_of(const Problem<T>& list, const Sums& sums, double log_sum) {
  const double value = sums.targets * log_sum - sums.weighted * list.inverse_temperature;
  return list.mean ? value / sums.targets : value;
}

/// What the second half of every kernel multiplies by; the targets that it is given are `target_scale` too small.
template <Real T>
struct Factors {
  simd::Pack<T> push, pull;       ///< gradient = push e - pull t
  simd::Pack<T> inverse, bend;    ///< p = inverse e, curvature = bend p (1 - p)
  Factors(const Problem<T>& list, const Sums& sums, double scale, double target_scale = 1) {
    const double slope = scale * list.inverse_temperature * (list.mean ? 1 / sums.targets : 1);
    const double inverse_sum = 1 / sums.exponentials;
    push = simd::Pack<T>(static_cast<T>(slope * sums.targets * inverse_sum));
    pull = simd::Pack<T>(static_cast<T>(slope * target_scale));
    inverse = simd::Pack<T>(static_cast<T>(inverse_sum));
    bend = simd::Pack<T>(static_cast<T>(slope * sums.targets * list.inverse_temperature));
  }
  /// To what stands in grad and hess; `fresh`: over it.
  template <bool fresh, class At>
  RANKGRAD_INLINE void add(T* grad, T* hess, std::size_t i, const At& at, simd::Pack<T> e, simd::Pack<T> t) const {
    using simd::Pack;
    const auto before = [&](const T* there) RANKGRAD_INLINE { return fresh ? Pack<T>(T(0)) : at.load(there + i, T(0)); };
    at.store(grad + i, fma(push, e, fnma(pull, t, before(grad))));
    if (hess) {
      const Pack<T> p = inverse * e;
      at.store(hess + i, fma(bend, p * (Pack<T>(T(1)) - p), before(hess)));
    }
  }
};

/// What remains to be done for a list without signal.
template <bool fresh, Real T>
Contribution<T> no_signal(T* grad, T* hess, std::size_t n) {
  if (fresh) simd::clear(grad, hess, n);
  return {};
}

}  // namespace rankgrad::listwise
