// rankgrad/core/evaluate.hpp: the door for one list (or one set of comparisons, or one similarity matrix).
// SPDX-License-Identifier: MIT
//
//   value(loss, view)
//   value_and_gradient(loss, view, gradient)
//   value_gradient_and_curvature(loss, view, gradient, curvature, floor)
//
// Each takes a Workspace as an optional last argument; keep one to stop allocating. The gradient is overwritten. The
// input is checked, and what is wrong is raised before anything is written (core/contract.hpp). A view without signal
// gives value 0 and gradient 0.
#pragma once

#include <rankgrad/core/mask.hpp>
#include <rankgrad/core/validate.hpp>

#include <algorithm>

namespace rankgrad::inline RANKGRAD_ABI {

/// Calls the loss on the view as it is; lists lose their mask first. Inline, so that the sink stays in registers: written
/// to memory word by word and read back in one piece, it would make a short list wait.
template <class View, LossOn<View> L>
RANKGRAD_INLINE inline Contribution<typename View::value_type> evaluate_view(
    const L& loss, const View& view, const GradientSink<typename View::value_type>& out, Workspace& workspace) {
  if constexpr (requires { evaluate_unmasked(loss, view, out, workspace); }) return evaluate_unmasked(loss, view, out, workspace);
  else return loss.value_and_gradient(view, out, workspace);
}

/// The same over what stands in the sink's arrays.
template <class View, LossOn<View> L>
RANKGRAD_INLINE inline Contribution<typename View::value_type> overwrite_view(
    const L& loss, const View& view, const GradientSink<typename View::value_type>& out, Workspace& workspace) {
  if constexpr (OverwritingLoss<L, typename View::value_type> && std::same_as<View, ListView<typename View::value_type>>)
    if (view.mask.empty()) return loss.overwrite(view, out, workspace);
  // Where masks reach the losses of a view, they reach overwrite(), too.
  if constexpr (!requires { evaluate_unmasked(loss, view, out, workspace); })
    if constexpr (requires { loss.overwrite(view, out, workspace); }) return loss.overwrite(view, out, workspace);
  simd::clear(out.grad, out.hess, gradient_size(view));
  return evaluate_view(loss, view, out, workspace);
}

/// The curvature goes up to at least `floor` >= 0 after the loss has written it: boosters divide by it.
template <class View, LossOn<View> L>
typename View::value_type value_gradient_and_curvature(const L& loss, const View& view,
                                                       std::type_identity_t<std::span<typename View::value_type>> gradient,
                                                       std::type_identity_t<std::span<typename View::value_type>> curvature,
                                                       typename View::value_type floor, Workspace& workspace) {
  using T = typename View::value_type;
  check_at_the_door(loss, view);
  RANKGRAD_EXPECTS(gradient.size() == gradient_size(view), "gradient and scores differ in size");
  RANKGRAD_EXPECTS(curvature.empty() || curvature.size() == gradient.size(), "curvature and scores differ in size");
  RANKGRAD_EXPECTS(floor >= T(0), "the curvature floor is negative");
  const T value = overwrite_view(loss, view, {gradient.data(), curvature.empty() ? nullptr : curvature.data()}, workspace).value;
  for (T& h : curvature) h = std::max(h, floor);
  return value;
}
template <class View, LossOn<View> L>
typename View::value_type value_gradient_and_curvature(const L& loss, const View& view,
                                                       std::type_identity_t<std::span<typename View::value_type>> gradient,
                                                       std::type_identity_t<std::span<typename View::value_type>> curvature,
                                                       typename View::value_type floor = 0) {
  Workspace workspace;
  return value_gradient_and_curvature(loss, view, gradient, curvature, floor, workspace);
}

template <class View, LossOn<View> L>
typename View::value_type value_and_gradient(const L& loss, const View& view,
                                             std::type_identity_t<std::span<typename View::value_type>> gradient,
                                             Workspace& workspace) {
  return value_gradient_and_curvature(loss, view, gradient, {}, 0, workspace);
}
template <class View, LossOn<View> L>
typename View::value_type value_and_gradient(const L& loss, const View& view,
                                             std::type_identity_t<std::span<typename View::value_type>> gradient) {
  Workspace workspace;
  return value_and_gradient(loss, view, gradient, workspace);
}

/// The value alone. Losses are fused, so this costs the gradient too, into scratch.
template <class View, LossOn<View> L>
typename View::value_type value(const L& loss, const View& view, Workspace& workspace) {
  const auto frame = workspace.frame();
  const std::size_t n = gradient_size(view);
  return value_and_gradient(loss, view, {workspace.take<typename View::value_type>(n), n}, workspace);
}
template <class View, LossOn<View> L>
typename View::value_type value(const L& loss, const View& view) {
  Workspace workspace;
  return value(loss, view, workspace);
}

/// The value of a metric for one list; 0 where the metric leaves the list out.
template <Real T, Metric<T> M>
T value(const M& metric, const ListView<T>& list, Workspace& workspace) {
  check_at_the_door(metric, list);
  return evaluate_unmasked(metric, list, workspace).value;
}
template <Real T, Metric<T> M>
T value(const M& metric, const ListView<T>& list) {
  Workspace workspace;
  return value(metric, list, workspace);
}

}  // namespace rankgrad
