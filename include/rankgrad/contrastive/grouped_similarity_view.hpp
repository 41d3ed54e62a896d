// rankgrad/contrastive/grouped_similarity_view.hpp: queries against documents that came in groups, owned by somebody else.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/evaluate.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// B queries, each with a group of G documents, its positive first and G - 1 hard negatives behind, and all similarities.
///
///   similarity  [B B G], row-major: entry i B G + c compares query i with document c; its own positive is document i G
///   group       G, at least 1
///   weights     [B], of the queries, >= 0; empty means 1 for all
///
/// The gradient has the layout of `similarity`.
template <Real T>
struct GroupedSimilarityView {
  using value_type = T;

  std::span<const T> similarity{};
  std::size_t queries = 0;
  std::size_t group = 1;
  std::span<const T> weights{};

  constexpr std::size_t size() const noexcept { return queries; }
  constexpr std::size_t documents() const noexcept { return queries * group; }
  constexpr T weight(std::size_t i) const noexcept { return weights.empty() ? T(1) : weights[i]; }
};

template <Real T>
constexpr std::size_t gradient_size(const GroupedSimilarityView<T>& view) noexcept { return view.similarity.size(); }

/// The number of queries that a loss is about to work on.
template <Real T>
constexpr std::size_t checked_size(const GroupedSimilarityView<T>& view) {
  RANKGRAD_EXPECTS(view.group >= 1, "a group of documents has at least one, the positive");
  RANKGRAD_EXPECTS(view.similarity.size() == view.queries * view.documents(), "similarity is not a B x (B G) matrix");
  RANKGRAD_EXPECTS(view.weights.empty() || view.weights.size() == view.queries, "weights and queries differ in size");
  return view.queries;
}

/// Sizes agree, weights are finite and not negative. O(B): the similarities are not looked at.
template <Real T>
Status validate(const GroupedSimilarityView<T>& view) {
  if (view.group < 1) return Status::error("rankgrad: group is 0; a group of documents has at least one, the positive");
  if (Status s = detail::check_length("similarity", view.similarity.size(), view.queries * view.documents()); !s) return s;
  if (Status s = detail::check_optional_length("weights", view.weights.size(), view.queries); !s) return s;
  return detail::check_values<T>("weights", view.weights, {}, T(0), std::numeric_limits<T>::max());
}

}  // namespace rankgrad
