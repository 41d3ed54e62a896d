// rankgrad/tokens/evaluator.hpp: a loss of tokens on any number of threads, to the same bits.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/evaluate.hpp>
#include <rankgrad/core/executor.hpp>

#include <vector>

namespace rankgrad::inline RANKGRAD_ABI {

/// The door core/evaluate.hpp with workers. Keep one per training loop: it owns their scratch.
///
///   TokenEvaluator evaluate;
///   float value = evaluate(TokenCrossEntropy{}, view, gradient);                 // serial
///   float value = evaluate(TokenCrossEntropy{}, view, gradient, pool);
///
/// Tokens are independent of each other; they are cut into pieces that depend on the view alone, and one thread adds the values
/// in their order. A loss that does not ask for the workers is none the worse.
class TokenEvaluator {
 public:
  /// Overwrites `gradient`; for a loss with overwrite() it may be the array of the logits.
  template <class L, class View, class E = Serial>
    requires LossOn<L, View>
  typename View::value_type operator()(const L& loss, const View& view, std::span<typename View::value_type> gradient,
                                       const E& executor = {}) {
    return with_curvature(loss, view, gradient, {}, 0, executor);
  }
  template <class L, class View, class E = Serial>
    requires LossOn<L, View>
  typename View::value_type with_curvature(const L& loss, const View& view, std::span<typename View::value_type> gradient,
                                           std::span<typename View::value_type> curvature, typename View::value_type floor,
                                           const E& executor = {}) {
    if (workspaces_.size() < executor.workers()) {
      ++growths_;
      workspaces_.resize(executor.workers());
    }
    const Team team(executor, workspaces_);
    const Workspace::TeamLoan loan(workspaces_[0], team);
    return value_gradient_and_curvature(loss, view, gradient, curvature, floor, workspaces_[0]);
  }

  /// How often scratch had to grow so far; constant once warm.
  std::size_t growths() const noexcept {
    std::size_t total = growths_;
    for (const Workspace& workspace : workspaces_) total += workspace.growths();
    return total;
  }

 private:
  std::vector<Workspace> workspaces_;
  std::size_t growths_ = 0;
};

}  // namespace rankgrad
