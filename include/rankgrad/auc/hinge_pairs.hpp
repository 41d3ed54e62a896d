// rankgrad/auc/hinge_pairs.hpp: hinge and squared hinge of a short list, pair by pair: cheaper than to sort it.
// SPDX-License-Identifier: MIT
//
// Lanes are the items of one class that receive a derivative, the items of the other pass by as broadcasts; then the same
// with the classes exchanged. Each pair is visited twice, but sums stay in registers, and nothing is sorted or scattered
// more than once. A pair is active where the key of its positive is below the score of its negative (sweeps.hpp): both ways
// agree at every kink. Shortfalls are of type T, their sums move to double after 64 items.
#pragma once

#include <rankgrad/core/gradient_sink.hpp>
#include <rankgrad/core/workspace.hpp>
#include <rankgrad/simd/sorting.hpp>
#include <rankgrad/simd/widen.hpp>

namespace rankgrad::inline RANKGRAD_ABI::auc {

/// The items of one class; arrays may be read two packs past the end. `place` is what active pairs are found by: the key of
/// a positive, the score of a negative.
template <Real T>
struct HingeClass {
  std::size_t n = 0;
  const std::uint32_t* items = nullptr;   ///< with the flag of simd::FlaggedItems or without
  const T* place = nullptr;
  T *score = nullptr, *weight = nullptr;
  /// Sums over active pairs of the other's weight times 1, v, v^2.
  double *count = nullptr, *shortfall = nullptr, *square = nullptr;
};

template <Real T>
HingeClass<T> hinge_class(const ListView<T>& list, const std::uint32_t* items, const T* place, std::size_t n,
                          Workspace& workspace) {
  const std::size_t room = n + 2 * simd::lanes<T>;
  HingeClass<T> part{n, items, place, workspace.take<T>(room), workspace.take<T>(room), workspace.take<double>(room, 0.0),
                     workspace.take<double>(room, 0.0), workspace.take<double>(room, 0.0)};
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t item = simd::FlaggedItems<T>::number(items[i]);
    part.score[i] = list.scores[item];
    part.weight[i] = list.weight(item);
  }
  std::fill_n(part.score + n, room - n, T(0));
  return part;
}

/// What the items of one class feel. `positives`: they are the positives.
template <bool Squared, bool positives, Real T>
void hinge_targets(const HingeClass<T>& targets, const HingeClass<T>& sources, T shift) {
  using namespace simd;
  constexpr std::size_t packs = 2, together = 64;
  constexpr bool shortfalls = Squared || positives, squares = Squared && positives;   // the loss is counted once
  const Pack<T> zero(T(0)), margin(shift);
  for (std::size_t j = 0; j < targets.n; j += packs * lanes<T>) {
    Pack<T> place[packs], score[packs];
    for (std::size_t p = 0; p < packs; ++p) {
      place[p] = load(targets.place + j + p * lanes<T>);
      score[p] = load(targets.score + j + p * lanes<T>);
    }
    for (std::size_t i = 0; i < sources.n;) {
      Pack<T> count[packs], shortfall[packs], square[packs];
      for (std::size_t p = 0; p < packs; ++p) count[p] = shortfall[p] = square[p] = zero;
      for (const std::size_t end = std::min(sources.n, i + together); i < end; ++i) {
        const Pack<T> other(sources.place[i]), other_score(sources.score[i]), weight(sources.weight[i]);
        for (std::size_t p = 0; p < packs; ++p) {
          const Pack<T> active = select(positives ? place[p] < other : other < place[p], weight, zero);
          count[p] += active;
          if constexpr (shortfalls) {
            const Pack<T> v = (positives ? other_score - score[p] : score[p] - other_score) + margin, weighed = active * v;
            shortfall[p] += weighed;
            if constexpr (squares) square[p] = fma(weighed, v, square[p]);
          }
        }
      }
      for (std::size_t p = 0; p < packs; ++p) {
        const auto move = [&](double* sums, Pack<T> v) RANKGRAD_INLINE {
          alignas(64) T lane[lanes<T>];
          store(lane, v);
          for (std::size_t l = 0; l < lanes<T>; l += lanes<double>) accumulate(sums + j + p * lanes<T> + l, load_wide(lane + l));
        };
        move(targets.count, count[p]);
        if constexpr (shortfalls) move(targets.shortfall, shortfall[p]);
        if constexpr (squares) move(targets.square, square[p]);
      }
    }
  }
}

/// All pairs at temperature 1. `factor` times the derivatives goes to `out`, the sum over pairs is returned.
template <bool Squared, Real T>
double hinge_pairs(const HingeClass<T>& positives, const HingeClass<T>& negatives, double shift, double factor,
                   const GradientSink<T>& out) {
  hinge_targets<Squared, true>(positives, negatives, static_cast<T>(shift));
  hinge_targets<Squared, false>(negatives, positives, static_cast<T>(shift));
  double value = 0;
  for (const HingeClass<T>* part : {&positives, &negatives})
    for (std::size_t i = 0; i < part->n; ++i) {
      const double own = static_cast<double>(part->weight[i]), side = part == &positives ? -own : own;
      const std::size_t item = simd::FlaggedItems<T>::number(part->items[i]);
      out.grad[item] += static_cast<T>(factor * side * (Squared ? 2 * part->shortfall[i] : part->count[i]));
      if (Squared && out.hess) out.hess[item] += static_cast<T>(factor * own * 2 * part->count[i]);
    }
  for (std::size_t i = 0; i < positives.n; ++i)
    value += static_cast<double>(positives.weight[i]) * (Squared ? positives.square[i] : positives.shortfall[i]);
  return value;
}

}  // namespace rankgrad::auc
