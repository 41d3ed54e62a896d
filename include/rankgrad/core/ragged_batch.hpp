// rankgrad/core/ragged_batch.hpp: many lists in the same four arrays, cut by offsets (CSR).
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/gradient_sink.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// Lists back to back: list q is the items offsets[q] .. offsets[q + 1] - 1.
///
///   scores, labels, weights, mask, easiness   as in ListView, over all items
///   list_weights   [lists] >= 0 or empty; weigh the lists against each other in a sum or mean
///   offsets        [lists + 1], starts at 0, never falls, ends at the number of items
template <Real T>
struct RaggedBatch {
  using value_type = T;

  std::span<const T> scores{};
  std::span<const T> labels{};
  std::span<const T> weights{};
  std::span<const std::uint8_t> mask{};
  std::span<const T> easiness{};
  std::span<const T> list_weights{};
  std::span<const std::uint32_t> offsets{};

  constexpr std::size_t lists() const noexcept { return offsets.empty() ? 0 : offsets.size() - 1; }
  constexpr std::size_t items() const noexcept { return scores.size(); }
  constexpr T list_weight(std::size_t q) const noexcept { return list_weights.empty() ? T(1) : list_weights[q]; }

  constexpr ListView<T> operator[](std::size_t q) const noexcept {
    return pooled().part(offsets[q], offsets[q + 1] - offsets[q], q);
  }

  /// All lists pooled into one, for losses over the whole batch.
  constexpr ListView<T> pooled() const noexcept { return {scores, labels, weights, mask, easiness, 0}; }
};

/// Where a loss writes the derivatives of many lists over what stands there.
///
///   grad    [items of the batch]
///   hess    [items of the batch] or null
///   parts   [lists], value and validity of each
template <Real T>
struct ListsSink {
  T *grad = nullptr, *hess = nullptr;
  Contribution<T>* parts = nullptr;
  double factor = 1;   ///< of every list, beside its list_weight

  constexpr T scale(const RaggedBatch<T>& batch, std::size_t q) const noexcept {
    return static_cast<T>(factor * static_cast<double>(batch.list_weight(q)));
  }
  constexpr GradientSink<T> list(const RaggedBatch<T>& batch, std::size_t q) const noexcept {
    return {grad + batch.offsets[q], hess ? hess + batch.offsets[q] : nullptr, scale(batch, q)};
  }
};

}  // namespace rankgrad
