// rankgrad/pointwise/engine.hpp: losses that are a sum over the items of a list.
// SPDX-License-Identifier: MIT
//
//   L = (1 / W) sum_i w_i c_i phi(s_i, y_i)
//
// with item weights w, factors c held constant in the gradient (1, or a curriculum's), and W = sum_i w_i for
// Normalize::mean, 1 for sum.
#pragma once

#include <rankgrad/core/concepts.hpp>
#include <rankgrad/core/validate.hpp>
#include <rankgrad/pairwise/phi.hpp>
#include <rankgrad/simd/rows.hpp>

namespace rankgrad::inline RANKGRAD_ABI::pointwise {

/// c_i = 1. A factor is a function of (i, at) that gives the pack c_i .. c_i+lanes-1.
template <class T>
struct Unit {
  template <class At>
  simd::Pack<T> operator()(std::size_t, At) const { return simd::Pack<T>(T(1)); }
};

template <Real T, class Phi, class Factor = Unit<T>>
Contribution<T> sum_over_items(const Phi& phi, Normalize normalize, const ListView<T>& list, const GradientSink<T>& out,
                               const Factor& factor = {}) {
  using namespace simd;
  const std::size_t n = checked_size(list);
  const bool weighted = !list.weights.empty();
  double total_weight = static_cast<double>(n);
  if (weighted) {
    BlockedSum<T> weights;
    for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE { weights.add(at.load(&list.weights[i], T(0)), at); });
    total_weight = weights.total();
  }
  if (!(total_weight > 0)) return {};

  const Pack<T> one(T(1)), inverse(T(normalize == Normalize::mean ? 1 / total_weight : 1)), scale(out.scale);
  T *const grad = out.grad, *const hess = out.hess;   // copies, which no store can change
  BlockedSum<T> value;
  for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
    // Lanes past the end repeat an item that exists, with weight 0.
    const Pack<T> present = at.load_ones();
    const Term<T> term =
        phi.template operator()<T>(at.load(&list.scores[i], list.scores[i]), at.load(&list.labels[i], list.labels[i]));
    const Pack<T> w = (weighted ? at.load(&list.weights[i], T(0)) : present) * factor(i, at) * inverse;
    value.add(w * term.value, at);
    at.accumulate(grad + i, scale * w * term.slope);
    if (hess) at.accumulate(hess + i, scale * w * term.curvature);
  });
  return {T(value.total()), true};
}

}  // namespace rankgrad::pointwise
