// rankgrad/bradley_terry/engine.hpp: losses that are a sum over comparisons of a function of the score difference.
// SPDX-License-Identifier: MIT
//
//   L = (1 / W) sum_c w_c phi(s_first(c) - s_second(c), outcome of c)
//
// with weights w of the comparisons and W = sum_c w_c for Normalize::mean, 1 for sum. Differences are gathered into
// contiguous scratch, chunk by chunk, worked on in packs, and scattered back by one thread in the order of the
// comparisons, in double: an item may be in thousands of comparisons, and the result is the same in every run.
//
// Read first: bradley_terry/comparisons.hpp. Reader's map: OutcomeTerm and OutcomePacks (what a phi takes and gives),
// sum_over_comparisons (the kernel), the value_and_gradient() that also gives the slope of a tie parameter.
#pragma once

#include <rankgrad/bradley_terry/comparisons.hpp>
#include <rankgrad/core/concepts.hpp>
#include <rankgrad/simd/math.hpp>
#include <rankgrad/simd/rows.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

namespace bradley_terry {

using simd::Pack;

/// The outcomes of a pack of comparisons: fractions that add up to 1, mostly 0 and 1.
template <class T>
struct OutcomePacks {
  Pack<T> first, second, tie;
};

/// phi(d, outcome) and its derivatives by d; `tie_slope` is that by the tie parameter of models that have one.
template <class T>
struct OutcomeTerm {
  Pack<T> value, slope, curvature, tie_slope;
};

/// The outcomes of a chunk: fractions of the three, or in `first` alone the number of the one that happened. (Outcomes are as
/// good as random: nothing here branches on them.)
template <Real T>
class OutcomeChunk {
 public:
  OutcomeChunk(bool soft, std::size_t size, Workspace& workspace)
      : soft_(soft), first_(workspace.take<T>(size)), second_(soft ? workspace.take<T>(size) : nullptr),
        tie_(soft ? workspace.take<T>(size) : nullptr) {}

  /// Comparisons begin .. begin + count - 1, and outcomes of no consequence for a pack past them.
  void read(const ComparisonView<T>& view, std::size_t begin, std::size_t count) {
    if (soft_) {
      const T* fractions = &view.soft_outcome[3 * begin];
      for (std::size_t k = 0; k < count; ++k) {
        first_[k] = fractions[3 * k];
        second_[k] = fractions[3 * k + 1];
        tie_[k] = fractions[3 * k + 2];
      }
      for (T* array : {second_, tie_}) std::fill_n(array + count, simd::lanes<T>, T(0));
    } else if (view.outcome.empty()) {
      simd::clear(first_, count);
    } else {
      const Outcome* outcome = &view.outcome[begin];
      for (std::size_t k = 0; k < count; ++k) first_[k] = static_cast<T>(static_cast<int>(outcome[k]));
    }
    std::fill_n(first_ + count, simd::lanes<T>, T(0));
  }

  RANKGRAD_INLINE inline OutcomePacks<T> at(std::size_t k) const {
    using simd::load;
    if (soft_) return {load(first_ + k), load(second_ + k), load(tie_ + k)};
    const Pack<T> number = load(first_ + k), one(T(1)), zero(T(0));
    const auto is = [&](Outcome o) RANKGRAD_INLINE { return select(number == Pack<T>(T(static_cast<int>(o))), one, zero); };
    return {is(Outcome::first), is(Outcome::second), is(Outcome::tie)};
  }

 private:
  bool soft_;
  T *first_, *second_, *tie_;
};

inline constexpr std::size_t chunk = 512;   // comparisons at a time: six arrays of them stay in the first-level cache

/// Adds the tie parameter's slope, scaled as the gradient, to *tie_slope where that is given. `phi` is a copy, so that no
/// store of the loop can be taken for a change of its parameters.
template <Real T, class Phi>
Contribution<T> sum_over_comparisons(const Phi phi, Normalize normalize, const ComparisonView<T>& view,
                                     const GradientSink<T>& out, T* tie_slope, Workspace& workspace) {
  using namespace simd;
  const std::size_t m = checked_size(view), n = view.scores.size();
  double total_weight = static_cast<double>(m);
  if (!view.weights.empty()) {
    BlockedSum<T> weights;
    for_each_pack<T>(m, [&](std::size_t c, auto at) RANKGRAD_INLINE { weights.add(at.load(&view.weights[c], T(0)), at); });
    total_weight = weights.total();
  }
  if (!(total_weight > 0)) return {};

  const auto frame = workspace.frame();
  T* const d = workspace.take<T>(chunk);
  OutcomeChunk<T> outcomes(!view.soft_outcome.empty(), chunk, workspace);
  T *slope = workspace.take<T>(chunk), *curvature = workspace.take<T>(chunk);
  double* item_slope = workspace.take<double>(n, 0.0);
  double* item_curvature = out.hess ? workspace.take<double>(n, 0.0) : nullptr;
  BlockedSum<T> value, tie;
  for (std::size_t begin = 0; begin < m; begin += chunk) {
    const std::size_t count = std::min(chunk, m - begin);
    for (std::size_t k = 0; k < count; ++k) d[k] = view.scores[view.first[begin + k]] - view.scores[view.second[begin + k]];
    outcomes.read(view, begin, count);
    std::fill_n(d + count, lanes<T>, T(0));   // the last pack runs past the end
    for (std::size_t k = 0; k < count; k += lanes<T>) {
      const OutcomeTerm<T> term = phi.template operator()<T>(load(d + k), outcomes.at(k));
      const std::size_t left = count - k;
      const Pack<T> w = view.weights.empty() ? left < lanes<T> ? Part<T>{left}.load_ones() : Pack<T>(T(1))
                                             : load_up_to(&view.weights[begin + k], left, T(0));
      value.add(w * term.value);
      tie.add(w * term.tie_slope);
      store(slope + k, w * term.slope);
      if (out.hess) store(curvature + k, w * term.curvature);
    }
    for (std::size_t k = 0; k < count; ++k) {
      const std::uint32_t i = view.first[begin + k], j = view.second[begin + k];
      item_slope[i] += static_cast<double>(slope[k]);
      item_slope[j] -= static_cast<double>(slope[k]);
      if (!out.hess) continue;
      item_curvature[i] += static_cast<double>(curvature[k]);
      item_curvature[j] += static_cast<double>(curvature[k]);
    }
  }
  const double factor = normalize == Normalize::mean ? 1 / total_weight : 1;
  for (std::size_t i = 0; i < n; ++i) out.add(i, T(factor * item_slope[i]), out.hess ? T(factor * item_curvature[i]) : T(0));
  if (tie_slope) *tie_slope += out.scale * T(factor * tie.total());
  return {T(factor * value.total()), true};
}

/// A loss with a tie parameter, seen as one that leaves its slope in `tie_slope`.
template <Real T, class L>
struct WithTieSlope {
  L loss;
  T* tie_slope;

  Status check() const { return validate_parameters(loss); }
  Contribution<T> value_and_gradient(ComparisonView<T> view, GradientSink<T> out, Workspace& workspace) const {
    return loss.value_and_gradient(view, out, *tie_slope, workspace);
  }
};

}  // namespace bradley_terry

/// The door for models with a tie parameter (RaoKupper, Davidson): overwrites `gradient` [n] and, with the derivative by
/// that parameter, `tie_gradient`.
template <class L, Real T>
T value_and_gradient(const L& loss, const ComparisonView<T>& view, std::type_identity_t<std::span<T>> gradient,
                     std::type_identity_t<T>& tie_gradient, Workspace& workspace) {
  tie_gradient = T(0);
  return value_and_gradient(bradley_terry::WithTieSlope<T, L>{loss, &tie_gradient}, view, gradient, workspace);
}
template <class L, Real T>
T value_and_gradient(const L& loss, const ComparisonView<T>& view, std::type_identity_t<std::span<T>> gradient,
                     std::type_identity_t<T>& tie_gradient) {
  Workspace workspace;
  return value_and_gradient(loss, view, gradient, tie_gradient, workspace);
}

}  // namespace rankgrad
