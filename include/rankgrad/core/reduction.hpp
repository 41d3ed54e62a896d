// rankgrad/core/reduction.hpp: how the values of lists become the value of a batch.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/concepts.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// Over the lists that have a signal, with the list weights u_q (1 where none are given):
///   mean   sum u_q L_q / sum u_q      gradients scaled alike
///   sum    sum u_q L_q                what boosters want: gradient and curvature of order 1 per item
///   none   the same as sum for the gradient; the values stand in BatchEvaluator::per_list()
enum class Reduction { mean, sum, none };

/// Added in list order by one thread, in double: the same bits whoever computed the parts.
template <Real T>
struct Total {
  double value = 0, weight = 0;

  void add(const Contribution<T>& part, T list_weight) {
    if (!part.valid) return;
    value += static_cast<double>(list_weight) * static_cast<double>(part.value);
    weight += static_cast<double>(list_weight);
  }
  /// What value and gradient are multiplied by.
  double factor(Reduction reduction) const { return reduction == Reduction::mean ? (weight > 0 ? 1 / weight : 0) : 1; }
};

}  // namespace rankgrad
