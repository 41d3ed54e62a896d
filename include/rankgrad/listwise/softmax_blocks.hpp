// rankgrad/listwise/softmax_blocks.hpp: softmax cross-entropy of long lists, in cache and beyond.
// SPDX-License-Identifier: MIT
//
// Formulas and error: listwise/softmax_sums.hpp.
//
// Lists go by blocks of 64 packs: the highest score of a block, then, the block still in the nearest cache, its
// exponentials and sums relative to the highest score so far, top_b. Only where the block has raised it are the sums so far
// moved,
//   S <- S e^{(top_old - top_new) / tau},   sum t d <- sum t d + Y (top_old - top_new)       (both of one sign)
// which for scores in any order but the rising one is rare. The gradient needs e^{x_i} again: kept, with the top_b of its
// block, while list and scratch fit the cache; computed again beyond, where two streams less are worth an exp. Every 16
// blocks are a piece with sums of its own, which a team may share out (core/executor.hpp); pieces are joined by the same
// move, in their order.
#pragma once

#include <rankgrad/core/executor.hpp>
#include <rankgrad/listwise/softmax_sums.hpp>

#include <algorithm>

namespace rankgrad::inline RANKGRAD_ABI::listwise {

/// How many items a list may have to have its exponentials kept.
template <Real T>
inline constexpr std::size_t kept_items = (std::size_t{4} << 20) / sizeof(T);

/// A long list by blocks and pieces: pass() makes the sums, then for_each_exponential() visits the derivatives.
template <Real T>
class Blocks {
  using Pack = simd::Pack<T>;
  static constexpr std::size_t block = packs_in_block * simd::lanes<T>, piece = 16 * block;

 public:
  /// `kept`: null, or where e^x stands from one pass to the next, [n], relative to the highest score up to its block. Without
  /// it is computed twice.
  Blocks(const T* x, std::size_t n, double scale, T* kept, Workspace& workspace)
      : x_(x), n_(n), scale_(scale), workspace_(workspace), exponentials_(kept),
        tops_(kept ? workspace.take<T>((n + block - 1) / block) : nullptr), sums_(workspace.take<Sums>(pieces())),
        piece_tops_(workspace.take<T>(pieces())) {}

  /// S, and with target(i, at) the other sums.
  template <class Target>
  Sums pass(const Target& target) {
    for_each_piece(pieces(), workspace_, [&](std::size_t p, Workspace&) { pass_piece(p, target); });
    Sums sums = sums_[0];
    top_ = piece_tops_[0];
    for (std::size_t p = 1; p < pieces(); ++p) {
      Sums next = sums_[p];
      if (const T top = piece_tops_[p]; top > top_) {
        move(sums, top_, top);
        top_ = top;
      } else {
        move(next, top, top_);
      }
      sums.exponentials += next.exponentials;
      sums.targets += next.targets;
      sums.weighted += next.weighted;
    }
    return sums;
  }

  /// body(i, at, e) with e = e^{x - top} of every pack.
  template <class Body>
  void for_each_exponential(const Body& body) const {
    for_each_piece(pieces(), workspace_, [&](std::size_t p, Workspace&) {
      const std::size_t begin = p * piece, end = std::min(n_, begin + piece);
      for (std::size_t b = begin; b < end; b += block) visit_block(b, std::min(block, end - b), body);
    });
  }

 private:
  std::size_t pieces() const { return (n_ + piece - 1) / piece; }

  /// What is relative to `from` becomes relative to `to`, which is higher.
  void move(Sums& sums, T from, T to) const {
    const double step = static_cast<double>(from) - static_cast<double>(to);
    sums.exponentials *= std::exp(step * scale_);
    sums.weighted += sums.targets * step;
  }

  template <class Target>
  void pass_piece(std::size_t p, const Target& target) {
    Sums sums;
    const std::size_t begin = p * piece, end = std::min(n_, begin + piece);
    T top{};
    for (std::size_t b = begin; b < end; b += block) {
      const std::size_t count = std::min(block, end - b);
      if (const T highest = simd::highest(x_ + b, count); b == begin) {
        top = highest;
      } else if (highest > top) {
        move(sums, top, highest);
        top = highest;
      }
      if (tops_) tops_[b / block] = top;
      add_block(b, count, top, target, sums);
    }
    sums_[p] = sums;
    piece_tops_[p] = top;
  }

  // These two work on copies: a store of a pack may change whatever `this` reaches, for all the compiler knows.

  template <class Body>
  void visit_block(std::size_t b, std::size_t count, const Body body) const {
    if (!exponentials_) {
      const T *const scores = x_ + b, fill = top_;
      const Pack top(fill);
      const simd::ScaledExp<T> power(scale_);
      return simd::for_each_pack<T>(count, [&](std::size_t i, auto at) RANKGRAD_INLINE {
        body(b + i, at, power(at.load(scores + i, fill) - top));
      });
    }
    const T* const kept = exponentials_ + b;
    const double step = (static_cast<double>(tops_[b / block]) - static_cast<double>(top_)) * scale_;
    const Pack factor(static_cast<T>(step == 0 ? 1 : std::exp(step)));
    simd::for_each_pack<T>(count, [&](std::size_t i, auto at) RANKGRAD_INLINE {
      body(b + i, at, factor * at.load(kept + i, T(0)));
    });
  }

  template <class Target>
  void add_block(std::size_t b, std::size_t count, T highest, const Target target, Sums& sums) const {
    const T* const scores = x_ + b;
    T* const kept = exponentials_ ? exponentials_ + b : nullptr;
    const Pack top(highest);
    const simd::ScaledExp<T> power(scale_);
    Pack S[2] = {Pack(T(0)), Pack(T(0))}, Y[2] = {Pack(T(0)), Pack(T(0))}, td[2] = {Pack(T(0)), Pack(T(0))};
    simd::for_each_pack<T>(count, [&](std::size_t i, auto at) RANKGRAD_INLINE {
      const Pack d = at.load(scores + i, highest) - top, t = target(b + i, at);
      const Pack e = power(d) * at.load_ones();
      if (kept) at.store(kept + i, e);
      S[at.slot] = S[at.slot] + e;
      Y[at.slot] = Y[at.slot] + t;
      td[at.slot] = fma(t, d, td[at.slot]);
    });
    const auto lane = simd::three_sums(S[0] + S[1], Y[0] + Y[1], td[0] + td[1]);
    sums.exponentials += static_cast<double>(lane.a);
    sums.targets += static_cast<double>(lane.b);
    sums.weighted += static_cast<double>(lane.c);
  }

  const T* x_;
  std::size_t n_;
  double scale_;
  Workspace& workspace_;
  T *exponentials_, *tops_;
  Sums* sums_;
  T *piece_tops_, top_{};
};

/// `keep`: exponentials are kept, where the gradient will stand or else in scratch. `fresh`: over what stands in the sink's
/// arrays.
template <bool Plain, bool fresh, Real T>
Contribution<T> by_blocks(const Problem<T>& list, const GradientSink<T>& out, bool keep, Workspace& workspace) {
  using namespace simd;
  const T* const targets = list.targets;
  [[maybe_unused]] const T* const weights = list.weights;
  const auto target = [=](std::size_t i, auto at) RANKGRAD_INLINE {
    const Pack<T> t = at.load(targets + i, T(0));
    if constexpr (!Plain)
      if (weights) return t * at.load(weights + i, T(0));
    return t;
  };
  T* const kept = !keep ? nullptr : fresh ? out.grad : workspace.take<T>(list.n);
  Blocks<T> blocks(list.scores, list.n, list.inverse_temperature, kept, workspace);
  const Sums sums = blocks.pass(target);
  if (!(sums.targets > 0)) return no_signal<fresh>(out.grad, out.hess, list.n);
  const Factors<T> factors(list, sums, static_cast<double>(out.scale));
  T *const grad = out.grad, *const hess = Plain ? nullptr : out.hess;   // copies, which no store can change
  blocks.for_each_exponential([=](std::size_t i, auto at, Pack<T> e) RANKGRAD_INLINE {
    factors.template add<fresh>(grad, hess, i, at, e, target(i, at));
  });
  return {static_cast<T>(value_of(list, sums, std::log(sums.exponentials))), true};
}

/// softmax(x * scale), in scratch.
template <Real T>
const T* probabilities(const T* x, std::size_t n, double scale, Workspace& workspace) {
  using namespace simd;
  T* const values = workspace.take<T>(n);
  Blocks<T> blocks(x, n, scale, values, workspace);
  const auto no_target = [](std::size_t, auto) RANKGRAD_INLINE { return Pack<T>(T(0)); };
  const Pack<T> inverse(static_cast<T>(1 / blocks.pass(no_target).exponentials));
  blocks.for_each_exponential([=](std::size_t i, auto at, Pack<T> e) RANKGRAD_INLINE { at.store(values + i, inverse * e); });
  return values;
}

}  // namespace rankgrad::listwise
