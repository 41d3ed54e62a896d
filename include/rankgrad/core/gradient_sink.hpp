// rankgrad/core/gradient_sink.hpp: where a loss puts its derivatives.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/list_view.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// value_and_gradient() of a loss adds, scaled: a * L1 + b * L2 then needs no second buffer and no second pass, as with
/// beta = 1 in BLAS. The free function of that name writes over; so does a loss's own overwrite(), where it has one
/// (core/concepts.hpp, OverwritingLoss), into the same arrays.
///
///   grad    [n], += (or =) scale * dL/ds_i
///   hess    [n] or null, likewise scale * h_i with h_i >= 0; what h is, each loss states as Curvature
template <Real T>
struct GradientSink {
  T* grad = nullptr;
  T* hess = nullptr;
  T scale = T(1);

  constexpr void add(std::size_t i, T gradient, T curvature = T(0)) const noexcept {
    grad[i] += scale * gradient;
    if (hess) hess[i] += scale * curvature;
  }
  constexpr GradientSink scaled(T factor) const noexcept { return {grad, hess, scale * factor}; }
};

/// The value of one list. `valid` is false where the list carries no signal (no relevant item, no comparable pair,
/// nothing left after the mask): it then adds nothing and does not count in a mean over lists.
template <Real T>
struct Contribution {
  T value{};
  bool valid = false;
};

/// How the terms inside one list (items, comparable pairs, positions, comparisons, anchors) are put together: their
/// weighted sum, or that sum divided by the sum of their weights.
enum class Normalize { sum, mean };

}  // namespace rankgrad
