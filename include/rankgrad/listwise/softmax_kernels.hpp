// rankgrad/listwise/softmax_kernels.hpp: softmax cross-entropy of one list, by its length: in registers, in cache, beyond.
// SPDX-License-Identifier: MIT
//
//   L = sum_i t_i (log sum_j e^{x_j} - x_i),   x_i = (s_i - top) / tau <= 0,   t_i = w_i y_i >= 0
//   dL/ds_i = (Y p_i - t_i) / tau,   p_i = e^{x_i} / S,   S = sum_j e^{x_j},   Y = sum_i t_i
//
// With top the highest score, S >= 1 and every term of L = Y log S - sum_i t_i x_i is >= 0: nothing cancels.
//
// In registers (up to 8 packs): all packs of the list are loaded once, the last one in part. What lies past its end reads
// as the first score, which cannot move the maximum; its exponential is multiplied by 0 and its label reads as 0. One
// instance per number of packs, so that the arrays of packs are registers and no loop waits for its counter.
//
// Longer lists go by blocks of 64 packs, which is also how long a sum may stay in T: the highest score of a block, then,
// the block still in the nearest cache, its exponentials and sums relative to the highest score so far, top_b. Only where
// the block has raised it are the sums so far moved,
//   S <- S e^{(top_old - top_new) / tau},   sum t x <- sum t x + Y (top_old - top_new) / tau       (both of one sign)
// which for scores in any order but the rising one is rare. The gradient needs e^{x_i} again: kept, with the top_b of its
// block, while list and scratch fit the cache; computed again beyond, where two streams less are worth an exp.
//
// Error: sums stay in T for 64 packs or fewer, in double beyond, and are of one sign: relative error of L about
// (64 + lanes) u / 2 at worst, u = 2^-24 or 2^-53; about u in practice. NaN in a score makes its own x NaN, whatever became
// of it in a maximum, and from there sum t x (also for t = 0) and S: the value is NaN.
#pragma once

#include <rankgrad/core/concepts.hpp>
#include <rankgrad/simd/horizontal.hpp>
#include <rankgrad/simd/math.hpp>
#include <rankgrad/simd/rows.hpp>

#include <cmath>

namespace rankgrad::inline RANKGRAD_ABI::listwise {

/// How many packs a list may have to be held in registers, and how many items to have its exponentials kept.
inline constexpr std::size_t packs_in_registers = 8;
template <Real T>
inline constexpr std::size_t kept_items = (std::size_t{4} << 20) / sizeof(T);

template <Real T>
struct Problem {
  const T *scores, *targets, *weights;   ///< weights: null for 1
  std::size_t n;
  double inverse_temperature;
  double label_scale = 0;                ///< above 0: the targets are w softmax(targets * label_scale)
  bool mean = false;                     ///< divided by Y
};

/// S, Y and sum t x.
struct Sums {
  double exponentials = 0, targets = 0, weighted = 0;
};

/// What the second half of every kernel multiplies by.
template <Real T>
struct Factors {
  simd::Pack<T> push, pull;       ///< gradient = push e - pull t
  simd::Pack<T> inverse, bend;    ///< p = inverse e, curvature = bend p (1 - p)
  Factors(const Problem<T>& list, const Sums& sums, double scale) {
    const double slope = scale * list.inverse_temperature * (list.mean ? 1 / sums.targets : 1);
    const double inverse_sum = 1 / sums.exponentials;
    push = simd::Pack<T>(static_cast<T>(slope * sums.targets * inverse_sum));
    pull = simd::Pack<T>(static_cast<T>(slope));
    inverse = simd::Pack<T>(static_cast<T>(inverse_sum));
    bend = simd::Pack<T>(static_cast<T>(slope * sums.targets * list.inverse_temperature));
  }
  template <class At>
  RANKGRAD_INLINE void add(T* grad, T* hess, std::size_t i, const At& at, simd::Pack<T> e, simd::Pack<T> t) const {
    using simd::Pack;
    at.store(grad + i, fma(push, e, fnma(pull, t, at.load(grad + i, T(0)))));
    if (hess) {
      const Pack<T> p = inverse * e;
      at.accumulate(hess + i, bend * (p * (Pack<T>(T(1)) - p)));
    }
  }
};

/// The list in `packs` registers, the last of them with 1 .. lanes items. `Plain`: no weights, no curvature.
template <std::size_t packs, bool Plain, bool Distribution, Real T>
Contribution<T> in_registers(const Problem<T>& list, const GradientSink<T>& out) {
  using namespace simd;
  constexpr std::size_t last = packs - 1, width = lanes<T>;
  const Part<T> part{list.n - last * width};
  const auto each = [&](auto&& body) RANKGRAD_INLINE {
    unrolled<last>([&](auto k) RANKGRAD_INLINE { body(k, Whole<T>{}); });
    body(std::integral_constant<std::size_t, last>{}, part);
  };
  const auto exponentials = [&](const T* from, double scale, Pack<T>(&x)[packs], Pack<T>(&e)[packs]) RANKGRAD_INLINE {
    each([&](auto k, const auto& at) RANKGRAD_INLINE { x[k] = at.load(from + k() * width, from[0]); });
    Pack<T> top[2] = {x[0], x[last]};
    unrolled<last>([&](auto k) RANKGRAD_INLINE { top[k() % 2] = max(x[k], top[k() % 2]); });
    const Pack<T> highest = highest_everywhere(max(top[0], top[1])), tau(static_cast<T>(scale));
    each([&](auto k, const auto& at) RANKGRAD_INLINE {
      x[k] = (x[k] - highest) * tau;
      e[k] = exp_nonpositive<T>(x[k]) * at.load_ones();
    });
  };

  Pack<T> x[packs], e[packs], t[packs];
  if constexpr (Distribution) {
    Pack<T> total(T(0));
    exponentials(list.targets, list.label_scale, x, t);
    unrolled<packs>([&](auto k) RANKGRAD_INLINE { total = total + t[k]; });
    const Pack<T> inverse(T(1) / sum(total));
    unrolled<packs>([&](auto k) RANKGRAD_INLINE { t[k] = t[k] * inverse; });
  } else {
    each([&](auto k, const auto& at) RANKGRAD_INLINE { t[k] = at.load(list.targets + k() * width, T(0)); });
  }
  if constexpr (!Plain)
    if (list.weights) each([&](auto k, const auto& at) RANKGRAD_INLINE { t[k] = t[k] * at.load(list.weights + k() * width, T(0)); });
  exponentials(list.scores, list.inverse_temperature, x, e);
  Pack<T> S = e[0], Y = t[0], tx = t[0] * x[0];
  unrolled<last>([&](auto k) RANKGRAD_INLINE {
    S = S + e[k() + 1];
    Y = Y + t[k() + 1];
    tx = fma(t[k() + 1], x[k() + 1], tx);
  });
  const ThreeSums<T> lane = three_sums(S, Y, tx);
  if (!(lane.b > T(0))) return {};
  const Sums sums{static_cast<double>(lane.a), static_cast<double>(lane.b), static_cast<double>(lane.c)};
  const Factors<T> factors(list, sums, static_cast<double>(out.scale));
  each([&](auto k, const auto& at) RANKGRAD_INLINE {
    factors.add(out.grad, Plain ? nullptr : out.hess, k() * width, at, e[k], t[k]);
  });
  const double value = sums.targets * std::log(sums.exponentials) - sums.weighted;
  return {static_cast<T>(list.mean ? value / sums.targets : value), true};
}

template <bool Plain, bool Distribution, Real T>
Contribution<T> in_registers(const Problem<T>& list, const GradientSink<T>& out) {
  switch ((list.n + simd::lanes<T> - 1) / simd::lanes<T>) {
    case 1: return in_registers<1, Plain, Distribution>(list, out);
    case 2: return in_registers<2, Plain, Distribution>(list, out);
    case 3: return in_registers<3, Plain, Distribution>(list, out);
    case 4: return in_registers<4, Plain, Distribution>(list, out);
    case 5: return in_registers<5, Plain, Distribution>(list, out);
    case 6: return in_registers<6, Plain, Distribution>(list, out);
    case 7: return in_registers<7, Plain, Distribution>(list, out);
    default: return in_registers<packs_in_registers, Plain, Distribution>(list, out);
  }
}

/// A long list by blocks: pass() makes the sums, then accumulate() the derivatives.
template <Real T>
class Blocks {
  using Pack = simd::Pack<T>;
  static constexpr std::size_t block = simd::packs_per_flush * simd::lanes<T>;

 public:
  /// `keep`: e^x stands in scratch, [n], relative to the highest score up to its block; else it is computed twice.
  Blocks(const T* x, std::size_t n, double scale, bool keep, Workspace& workspace)
      : x_(x), n_(n), scale_(scale), tau_(static_cast<T>(scale)), exponentials_(keep ? workspace.take<T>(n) : nullptr),
        tops_(keep ? workspace.take<T>((n + block - 1) / block) : nullptr) {}

  /// S, and with target(i, at) the other sums.
  template <class Target>
  Sums pass(const Target& target) {
    Sums sums;
    top_ = simd::highest(x_, std::min(n_, block));
    for (std::size_t b = 0; b < n_; b += block) {
      const std::size_t count = std::min(block, n_ - b);
      if (const T highest = b == 0 ? top_ : simd::highest(x_ + b, count); highest > top_) {
        const double move = (static_cast<double>(top_) - static_cast<double>(highest)) * scale_;
        sums.exponentials *= std::exp(move);
        sums.weighted += sums.targets * move;
        top_ = highest;
      }
      if (tops_) tops_[b / block] = top_;
      add_block(b, count, target, sums);
    }
    return sums;
  }

  /// body(i, at, e) with e = e^{x - top} of every pack.
  template <class Body>
  RANKGRAD_INLINE void for_each_exponential(Body&& body) const {
    if (!exponentials_) {
      const Pack top(top_);
      return simd::for_each_pack<T>(n_, [&](std::size_t i, auto at) RANKGRAD_INLINE {
        body(i, at, simd::exp_nonpositive<T>((at.load(x_ + i, top_) - top) * tau_));
      });
    }
    for (std::size_t b = 0; b < n_; b += block) {
      const double move = (static_cast<double>(tops_[b / block]) - static_cast<double>(top_)) * scale_;
      const Pack factor(static_cast<T>(move == 0 ? 1 : std::exp(move)));
      simd::for_each_pack<T>(std::min(block, n_ - b), [&](std::size_t i, auto at) RANKGRAD_INLINE {
        body(b + i, at, factor * simd::load(exponentials_ + b + i));
      });
    }
  }
  T* kept() { return exponentials_; }

 private:
  template <class Target>
  void add_block(std::size_t b, std::size_t count, const Target& target, Sums& sums) const {
    const Pack top(top_);
    Pack S[2] = {Pack(T(0)), Pack(T(0))}, Y[2] = {Pack(T(0)), Pack(T(0))}, tx[2] = {Pack(T(0)), Pack(T(0))};
    simd::for_each_pack<T>(count, [&](std::size_t i, auto at) RANKGRAD_INLINE {
      const Pack x = (at.load(x_ + b + i, top_) - top) * tau_, t = target(b + i, at);
      const Pack e = simd::exp_nonpositive<T>(x) * at.load_ones();
      if (exponentials_) simd::store(exponentials_ + b + i, e);   // the workspace is padded
      S[at.slot] = S[at.slot] + e;
      Y[at.slot] = Y[at.slot] + t;
      tx[at.slot] = fma(t, x, tx[at.slot]);
    });
    const auto lane = simd::three_sums(S[0] + S[1], Y[0] + Y[1], tx[0] + tx[1]);
    sums.exponentials += static_cast<double>(lane.a);
    sums.targets += static_cast<double>(lane.b);
    sums.weighted += static_cast<double>(lane.c);
  }

  const T* x_;
  std::size_t n_;
  double scale_;
  Pack tau_;
  T *exponentials_, *tops_, top_{};
};

template <bool Plain, Real T>
Contribution<T> by_blocks(const Problem<T>& list, const GradientSink<T>& out, bool keep, Workspace& workspace) {
  using namespace simd;
  const auto target = [&](std::size_t i, auto at) RANKGRAD_INLINE {
    const Pack<T> t = at.load(list.targets + i, T(0));
    if constexpr (!Plain)
      if (list.weights) return t * at.load(list.weights + i, T(0));
    return t;
  };
  Blocks<T> blocks(list.scores, list.n, list.inverse_temperature, keep, workspace);
  const Sums sums = blocks.pass(target);
  if (!(sums.targets > 0)) return {};
  const Factors<T> factors(list, sums, static_cast<double>(out.scale));
  T *const grad = out.grad, *const hess = Plain ? nullptr : out.hess;   // copies, which no store can change
  blocks.for_each_exponential([&](std::size_t i, auto at, Pack<T> e) RANKGRAD_INLINE {
    factors.add(grad, hess, i, at, e, target(i, at));
  });
  const double value = sums.targets * std::log(sums.exponentials) - sums.weighted;
  return {static_cast<T>(list.mean ? value / sums.targets : value), true};
}

/// softmax(x * scale), in padded scratch.
template <Real T>
const T* probabilities(const T* x, std::size_t n, double scale, Workspace& workspace) {
  using namespace simd;
  Blocks<T> blocks(x, n, scale, true, workspace);
  const Pack<T> inverse(static_cast<T>(1 / blocks.pass([](std::size_t, auto) RANKGRAD_INLINE { return Pack<T>(T(0)); }).exponentials));
  T* const values = blocks.kept();
  blocks.for_each_exponential([&](std::size_t i, auto, Pack<T> e) RANKGRAD_INLINE { store(values + i, inverse * e); });
  return values;
}

}  // namespace rankgrad::listwise
