// rankgrad/core/list_view.hpp: one query with its candidates, as arrays that somebody else owns.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/contract.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

namespace rankgrad::inline RANKGRAD_ABI {

template <class T>
concept Real = std::same_as<T, float> || std::same_as<T, double>;

/// One list. Every span is either empty or as long as `scores`; nothing is copied, no alignment is asked for.
///
///   scores    model outputs, higher is better
///   labels    relevance grades, clicks, targets; higher is better
///   weights   item weights >= 0; empty means 1 for all
///   mask      1 = present, 0 = absent. An absent item is as good as deleted, whatever its other values (NaN too).
///   easiness  difficulty of each item as seen by the first stage, in [0, 1], higher is easier (curriculum/); only
///             Curriculum reads it
///   index     which list of the batch this is; keys the random numbers of losses that sample
template <Real T>
struct ListView {
  using value_type = T;

  std::span<const T> scores{};
  std::span<const T> labels{};
  std::span<const T> weights{};
  std::span<const std::uint8_t> mask{};
  std::span<const T> easiness{};
  std::uint64_t index = 0;

  constexpr std::size_t size() const noexcept { return scores.size(); }
  constexpr T weight(std::size_t i) const noexcept { return weights.empty() ? T(1) : weights[i]; }

  /// The items first .. first + count - 1, as list `number`.
  constexpr ListView part(std::size_t first, std::size_t count, std::uint64_t number) const noexcept {
    const auto of = [&](auto all) { return all.empty() ? all : all.subspan(first, count); };
    return {of(scores), of(labels), of(weights), of(mask), of(easiness), number};
  }
};

/// How many scores a view has, which is how long its gradient is. Views other than lists provide their own overload.
template <Real T>
constexpr std::size_t gradient_size(const ListView<T>& list) noexcept { return list.size(); }

/// The length of a list that a loss is about to work on. Costs four comparisons.
template <Real T>
constexpr std::size_t checked_size(const ListView<T>& list) {
  RANKGRAD_EXPECTS(list.labels.size() == list.size(), "labels and scores differ in size");
  RANKGRAD_EXPECTS(list.weights.empty() || list.weights.size() == list.size(), "weights and scores differ in size");
  RANKGRAD_EXPECTS(list.easiness.empty() || list.easiness.size() == list.size(), "easiness and scores differ in size");
  RANKGRAD_EXPECTS(list.mask.empty(), "a loss was called with a mask: call it through value_and_gradient() or a BatchEvaluator");
  return list.size();
}

}  // namespace rankgrad
