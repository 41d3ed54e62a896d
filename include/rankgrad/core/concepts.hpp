// rankgrad/core/concepts.hpp: what a loss, a metric and an executor are.
// SPDX-License-Identifier: MIT
//
// Read first: core/list_view.hpp, core/gradient_sink.hpp, core/ragged_batch.hpp, core/workspace.hpp.
#pragma once

#include <rankgrad/core/ragged_batch.hpp>
#include <rankgrad/core/workspace.hpp>

#include <concepts>
#include <cstddef>
#include <string_view>

namespace rankgrad::inline RANKGRAD_ABI {

/// A loss over `View` (ListView<T>, ComparisonView<T>, SimilarityView<T>): one fused primitive, from which all else
/// is derived. The function
///   - adds scale * dL/ds_i to out.grad[i], and, where out.hess is set, scale * h_i (h_i >= 0) to out.hess[i];
///   - returns {value, true}, or {0, false} and touches nothing where the view carries no signal;
///   - takes scratch from the workspace inside a frame and allocates nothing else;
///   - never sees a mask: the door (core/evaluate.hpp, core/batch_evaluator.hpp) has removed masked items.
template <class L, class View>
concept LossOn = std::copyable<L> && requires(const L loss, View view, GradientSink<typename View::value_type> out,
                                              Workspace& scratch) {
  { loss.value_and_gradient(view, out, scratch) } -> std::same_as<Contribution<typename View::value_type>>;
};

/// A loss over one list of scores and labels.
template <class L, class T>
concept Loss = Real<T> && LossOn<L, ListView<T>>;

/// A loss that is bound by memory may offer to write over what stands in gradient and curvature instead of adding to it, so
/// that nobody has to clear and read them: overwrite(list, out, scratch) for one list, overwrite(batch, begin, end, out,
/// scratch) for the lists begin .. end - 1 of a batch, which it may work on together. Values and derivatives are those of
/// value_and_gradient() but for rounding; without signal the derivatives become 0. Neither ever sees a mask.
template <class L, class T>
concept OverwritingLoss = Loss<L, T> &&
    requires(const L loss, const ListView<T>& list, const GradientSink<T>& out, const RaggedBatch<T>& batch, std::size_t q,
             const ListsSink<T>& all, Workspace& scratch) {
  { loss.overwrite(list, out, scratch) } -> std::same_as<Contribution<T>>;
  loss.overwrite(batch, q, q, all, scratch);
};

/// A metric of one list: {value, true}, or {0, false} where the list is to be left out of the mean.
template <class M, class T>
concept Metric = Real<T> && std::copyable<M> && requires(const M metric, ListView<T> list, Workspace& scratch) {
  { metric.value(list, scratch) } -> std::same_as<Contribution<T>>;
};

/// Runs task(index, worker) once for every index in [0, tasks), in any order, worker < workers().
template <class E>
concept Executor = requires(const E& executor, std::size_t tasks, void (*task)(std::size_t, std::size_t)) {
  { executor.workers() } -> std::convertible_to<std::size_t>;
  executor(tasks, task);
};

/// What a loss writes to GradientSink::hess. Never negative.
enum class Curvature {
  diagonal,      ///< the exact second derivative d2L/ds_i2, which is non-negative for this loss
  gauss_newton,  ///< the part that stays when weights and ranks are held constant
  bound,         ///< an upper bound of |d2L/ds_i2|, for losses that are not convex in the scores
  unstated       ///< the loss does not say (a user's loss without `static constexpr Curvature curvature`)
};

template <class L>
constexpr Curvature curvature_of() {
  if constexpr (requires { { L::curvature } -> std::convertible_to<Curvature>; }) return L::curvature;
  else return Curvature::unstated;
}

/// The field's name of a loss for logs and tables: its static member `name`, or "loss".
template <class L>
constexpr std::string_view name_of() {
  if constexpr (requires { { L::name } -> std::convertible_to<std::string_view>; }) return L::name;
  else return "loss";
}

}  // namespace rankgrad
