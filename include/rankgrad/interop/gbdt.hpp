// rankgrad/interop/gbdt.hpp: what gradient boosting libraries hand over and want back. Includes none of them.
// SPDX-License-Identifier: MIT
//
//   LightGBM   scores double, labels float, int32 boundaries; gradient and curvature float
//   XGBoost    scores float, labels float, uint32 group sizes or group_ptr; gradient and curvature float
//
// Boosters add an absolute lambda and minimum child weight to sums of curvature, so use Reduction::sum: a mean over
// lists changes the trees. A curvature that is all 0 grows no tree and reports no error: give a floor.
#pragma once

#include <rankgrad/core/batch_evaluator.hpp>

#include <algorithm>

namespace rankgrad::inline RANKGRAD_ABI::gbdt {

/// Offsets [lists + 1] from group sizes of any integer type; a negative size, or more than 2^32 - 1 items, is refused.
template <class Sizes>
std::vector<std::uint32_t> offsets_from_sizes(const Sizes& sizes) {
  std::vector<std::uint32_t> offsets{0};
  std::uint64_t total = 0;
  for (const auto size : sizes) {
    RANKGRAD_EXPECTS(size >= decltype(size)(0), "a group size is negative");
    total += static_cast<std::uint64_t>(size);
    RANKGRAD_EXPECTS(total <= 0xffffffffu, "the groups hold more than 2^32 - 1 items");
    offsets.push_back(static_cast<std::uint32_t>(total));
  }
  return offsets;
}

/// A custom objective: keeps labels, groups and scratch, and fills gradient and curvature from raw scores each round.
///
///   gbdt::Objective objective(LambdaRank{.k = 20}, labels, gbdt::offsets_from_sizes(group_sizes));
///   objective(scores, gradient, hessian);        // each round; scores float or double
///
/// Computes in the type of the labels' T; scores of the other type are converted once per call.
template <class L, Real T = float>
class Objective {
 public:
  Objective(const L& loss, std::span<const T> labels, std::vector<std::uint32_t> offsets, T floor = T(1e-6))
      : loss_(loss), labels_(labels.begin(), labels.end()), offsets_(std::move(offsets)), scores_(labels.size()), floor_(floor) {
    require(validate_parameters(loss_));
    require(validate(batch()));
  }

  /// Sum over lists; returns the sum of the losses.
  template <Real S, class E = Serial>
  T operator()(std::span<const S> scores, std::span<T> gradient, std::span<T> hessian, const E& executor = {}) {
    RANKGRAD_EXPECTS(scores.size() == labels_.size(), "scores and labels differ in size");
    std::transform(scores.begin(), scores.end(), scores_.begin(), [](S s) { return static_cast<T>(s); });
    return evaluate_.with_curvature(loss_, batch(), gradient, hessian, floor_, Reduction::sum, executor);
  }

 private:
  RaggedBatch<T> batch() const { return {.scores = scores_, .labels = labels_, .offsets = offsets_}; }

  L loss_;
  std::vector<T> labels_;
  std::vector<std::uint32_t> offsets_;
  std::vector<T> scores_;
  T floor_;
  BatchEvaluator<T> evaluate_;
};

}  // namespace rankgrad::gbdt
