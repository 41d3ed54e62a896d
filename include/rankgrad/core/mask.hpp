// rankgrad/core/mask.hpp: masking is deletion: absent items are taken out before a loss runs, never multiplied by 0.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/concepts.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// The view without its absent items, its arrays in the workspace; `kept[i]` is where item i of the result came from.
template <Real T>
ListView<T> compacted(const ListView<T>& list, std::uint32_t* kept, Workspace& workspace) {
  std::size_t n = 0;
  for (std::size_t i = 0; i < list.size(); ++i)
    if (list.mask[i]) kept[n++] = static_cast<std::uint32_t>(i);
  const auto gather = [&](std::span<const T> all) -> std::span<const T> {
    if (all.empty()) return {};
    T* part = workspace.take<T>(n);
    for (std::size_t i = 0; i < n; ++i) part[i] = all[kept[i]];
    return {part, n};
  };
  return {gather(list.scores), gather(list.labels), gather(list.weights), {}, gather(list.easiness), list.index};
}

/// Runs a loss on some items of a list: item i of `part` stands at kept[i] there. The others get no gradient and no curvature.
template <Real T, Loss<T> L>
Contribution<T> evaluate_part(const L& loss, const ListView<T>& part, const std::uint32_t* kept, const GradientSink<T>& out,
                              Workspace& workspace) {
  const auto frame = workspace.frame();
  const std::size_t n = part.size();
  const GradientSink<T> inner{workspace.take<T>(n, T(0)), out.hess ? workspace.take<T>(n, T(0)) : nullptr, out.scale};
  const Contribution<T> result = loss.value_and_gradient(part, inner, workspace);
  for (std::size_t i = 0; i < n; ++i) {
    out.grad[kept[i]] += inner.grad[i];
    if (out.hess) out.hess[kept[i]] += inner.hess[i];
  }
  return result;
}

/// Runs a loss on a list that may have a mask.
template <Real T, Loss<T> L>
RANKGRAD_INLINE inline Contribution<T> evaluate_unmasked(const L& loss, const ListView<T>& list, const GradientSink<T>& out,
                                                         Workspace& workspace) {
  if (list.mask.empty()) return loss.value_and_gradient(list, out, workspace);
  const auto frame = workspace.frame();
  std::uint32_t* kept = workspace.take<std::uint32_t>(list.size());
  return evaluate_part(loss, compacted(list, kept, workspace), kept, out, workspace);
}

/// The same for a metric.
template <Real T, Metric<T> M>
Contribution<T> evaluate_unmasked(const M& metric, const ListView<T>& list, Workspace& workspace) {
  if (list.mask.empty()) return metric.value(list, workspace);
  const auto frame = workspace.frame();
  return metric.value(compacted(list, workspace.take<std::uint32_t>(list.size()), workspace), workspace);
}

}  // namespace rankgrad
