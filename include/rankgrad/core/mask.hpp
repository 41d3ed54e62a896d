// rankgrad/core/mask.hpp: masking is deletion: absent items are taken out before a loss runs, never multiplied by 0.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/concepts.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// Some of the items (tokens, pairs) of a view: the i-th stands at place at[i] of `whole`.
struct Kept {
  std::uint32_t* at = nullptr;
  std::size_t size = 0, whole = 0;

  /// Their entries of an array with `width` entries for each item, in the workspace; of no array, none.
  template <class V>
  std::span<const V> gather(std::span<const V> all, Workspace& workspace, std::size_t width = 1) const {
    if (all.empty()) return {};
    V* const part = workspace.take<V>(width * size);
    for (std::size_t i = 0; i < size; ++i)
      for (std::size_t k = 0; k < width; ++k) part[width * i + k] = all[width * at[i] + k];
    return {part, width * size};
  }
  /// The borders of runs of items once the others are gone; at[] rises. A run may be left empty.
  std::span<const std::uint32_t> offsets(std::span<const std::uint32_t> all, Workspace& workspace) const {
    std::uint32_t* const part = workspace.take<std::uint32_t>(all.size());
    std::uint32_t before = 0;   // of the border
    for (std::size_t q = 0; q < all.size(); ++q) {
      while (before < size && at[before] < all[q]) ++before;
      part[q] = before;
    }
    return {part, all.size()};
  }
};

/// What a mask leaves, in the order of the view.
inline Kept kept_by(std::span<const std::uint8_t> mask, Workspace& workspace) {
  Kept kept{workspace.take<std::uint32_t>(mask.size()), 0, mask.size()};
  for (std::size_t i = 0; i < mask.size(); ++i)
    if (mask[i]) kept.at[kept.size++] = static_cast<std::uint32_t>(i);
  return kept;
}

/// Those items of a list, its arrays in the workspace.
template <Real T>
ListView<T> compacted(const ListView<T>& list, const Kept& kept, Workspace& workspace) {
  const auto gather = [&](std::span<const T> all) { return kept.gather(all, workspace); };
  return {gather(list.scores), gather(list.labels), gather(list.weights), {}, gather(list.easiness), list.index};
}

/// Runs a loss on some items of a view, of which `part` was made. The others get no gradient and no curvature. A view may have
/// several scores for each item, [n] after [n].
template <class View, LossOn<View> L, class T = typename View::value_type>
Contribution<T> evaluate_part(const L& loss, const View& part, const Kept& kept, const GradientSink<T>& out,
                              Workspace& workspace) {
  const auto frame = workspace.frame();
  const std::size_t n = gradient_size(part);
  const GradientSink<T> inner{workspace.take<T>(n, T(0)), out.hess ? workspace.take<T>(n, T(0)) : nullptr, out.scale};
  const Contribution<T> result = loss.value_and_gradient(part, inner, workspace);
  for (std::size_t from = 0, to = 0; from < n; from += kept.size, to += kept.whole)
    for (std::size_t i = 0; i < kept.size; ++i) {
      out.grad[to + kept.at[i]] += inner.grad[from + i];
      if (out.hess) out.hess[to + kept.at[i]] += inner.hess[from + i];
    }
  return result;
}

/// Runs a loss on a list that may have a mask.
template <Real T, Loss<T> L>
RANKGRAD_INLINE inline Contribution<T> evaluate_unmasked(const L& loss, const ListView<T>& list, const GradientSink<T>& out,
                                                         Workspace& workspace) {
  if (list.mask.empty()) return loss.value_and_gradient(list, out, workspace);
  const auto frame = workspace.frame();
  const Kept kept = kept_by(list.mask, workspace);
  return evaluate_part(loss, compacted(list, kept, workspace), kept, out, workspace);
}

/// The same for a metric.
template <Real T, Metric<T> M>
Contribution<T> evaluate_unmasked(const M& metric, const ListView<T>& list, Workspace& workspace) {
  if (list.mask.empty()) return metric.value(list, workspace);
  const auto frame = workspace.frame();
  return metric.value(compacted(list, kept_by(list.mask, workspace), workspace), workspace);
}

}  // namespace rankgrad
