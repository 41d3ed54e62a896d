// rankgrad/triplet/similarity_view.hpp: one batch of pairs as the matrix of all similarities, owned by somebody else.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/evaluate.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// K samples in two modalities (image i and its text i, query i and its passage i) and all K x K similarities.
///
///   similarity  [K K], row-major: entry i K + j compares sample i of the first modality with sample j of the second
///   ids         [K], whom or what a sample shows. Samples with the same id are positives of each other, a sample always
///               is one of itself, all others are negatives.
///   weights     [K], of the samples, >= 0 (0 and 1 from consensus_division()); empty means 1 for all
///   mask        [K], 1 = present, 0 = absent; an absent sample is as good as deleted, its row and its column with it
///
/// The gradient has the layout of `similarity`. Masks do reach the losses of this view: taking the absent samples out
/// beforehand would copy the matrix.
template <Real T>
struct SimilarityView {
  using value_type = T;

  std::span<const T> similarity{};
  std::span<const std::int64_t> ids{};
  std::span<const T> weights{};
  std::span<const std::uint8_t> mask{};

  constexpr std::size_t size() const noexcept { return ids.size(); }
  constexpr const T* row(std::size_t i) const noexcept { return similarity.data() + i * size(); }
  constexpr bool present(std::size_t i) const noexcept { return mask.empty() || mask[i] != 0; }
  constexpr T weight(std::size_t i) const noexcept { return weights.empty() ? T(1) : weights[i]; }
};

/// Which samples look for their partner: those of the rows among the columns, those of the columns among the rows, or
/// both. The loss of a sample is the sum over the directions.
enum class Direction { both, rows, columns };

template <Real T>
constexpr std::size_t gradient_size(const SimilarityView<T>& view) noexcept { return view.similarity.size(); }

/// The number of samples that a loss is about to work on.
template <Real T>
constexpr std::size_t checked_size(const SimilarityView<T>& view) {
  RANKGRAD_EXPECTS(view.similarity.size() == view.size() * view.size(), "similarity is not a K x K matrix for K ids");
  RANKGRAD_EXPECTS(view.weights.empty() || view.weights.size() == view.size(), "weights and ids differ in size");
  RANKGRAD_EXPECTS(view.mask.empty() || view.mask.size() == view.size(), "mask and ids differ in size");
  return view.size();
}

/// Sizes agree, weights are finite and not negative. O(K): the similarities are not looked at.
template <Real T>
Status validate(const SimilarityView<T>& view) {
  const std::size_t n = view.size();
  if (Status s = detail::check_length("similarity", view.similarity.size(), n * n); !s) return s;
  if (Status s = detail::check_optional_length("weights", view.weights.size(), n); !s) return s;
  if (Status s = detail::check_optional_length("mask", view.mask.size(), n); !s) return s;
  return detail::check_values<T>("weights", view.weights, view.mask, T(0), std::numeric_limits<T>::max());
}

}  // namespace rankgrad
