// rankgrad/scoring/logit_difference.hpp: a relevance score from the logits of two answers, "1" and "0", or yes and no.
// SPDX-License-Identifier: MIT
//
// Training on it: the score is a logit, so SigmoidCrossEntropy (pointwise/sigmoid_cross_entropy.hpp) of it with labels in [0, 1]
// is the soft cross-entropy softplus(s) - y s of the two answers' softmax; RankNet and Softmax are its pairwise and listwise
// companions. There is nothing to add here. dL/dz_1 = dL/ds, dL/dz_0 = -dL/ds.
#pragma once

#include <rankgrad/core/validate.hpp>
#include <rankgrad/simd/math.hpp>

namespace rankgrad::inline RANKGRAD_ABI::scoring {

/// s = z_1 - z_0, the log-odds of "1" among the two; "1" is the more probable where s > 0. `scores` is overwritten.
///
/// Source   ProRank (arXiv 2506.03487), and the code of the models released with it.
template <Real T>
void fill_logit_differences(std::span<const T> positive_logits, std::type_identity_t<std::span<const T>> negative_logits,
                            std::type_identity_t<std::span<T>> scores) {
  require(rankgrad::detail::check_length("negative_logits", negative_logits.size(), positive_logits.size()));
  require(rankgrad::detail::check_length("scores", scores.size(), positive_logits.size()));
  const T *const positive = positive_logits.data(), *const negative = negative_logits.data();
  T* const out = scores.data();
  simd::for_each_pack<T>(scores.size(), [=](std::size_t i, auto at) RANKGRAD_INLINE {
    at.store(out + i, at.load(positive + i, T(0)) - at.load(negative + i, T(0)));
  });
}

/// Scores to look at: 1 / (1 + e^{-(s - largest / 2)}), for scores expected within 0 .. largest. Monotone: no ranking changes.
///
/// Parameters  largest: what a score is estimated to reach at most: 12 (large model, and default), 9 (base model).
/// Source      the code of the models released with ProRank (arXiv 2506.03487).
struct DisplayScale {
  double largest = 12;

  double operator()(double score) const { return simd::sigmoid(score - largest / 2); }
};

}  // namespace rankgrad::scoring
