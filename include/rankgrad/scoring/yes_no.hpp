// rankgrad/scoring/yes_no.hpp: scores from the logits of two answers, "true" and "false" or "yes" and "no".
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/list_view.hpp>
#include <rankgrad/simd/math.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

namespace scoring {

/// A score of the difference d = z_yes - z_no, and its slope: dscore/dz_yes = dscore/dd = -dscore/dz_no.
template <class T>
struct ScoreSlope {
  simd::Pack<T> score, slope;
};

/// log s(d) = -softplus(-d), s(d) = 1 / (1 + e^-d); slope s(-d).
struct LogSigmoid {
  template <class T>
  RANKGRAD_INLINE static ScoreSlope<T> at(simd::Pack<T> d) {
    const auto s = simd::softplus_sigmoid<T>(d);
    return {-s.other_softplus, s.other};
  }
};
/// s(d); slope s(d) s(-d).
struct Sigmoid {
  template <class T>
  RANKGRAD_INLINE static ScoreSlope<T> at(simd::Pack<T> d) {
    const auto s = simd::softplus_sigmoid<T>(d);
    return {s.sigmoid, s.sigmoid * s.other};
  }
};

}  // namespace scoring

/// One score per candidate from z_yes and z_no, [n] each.
template <class Of>
struct YesNoScore {
  /// Overwrites `out`.
  template <Real T>
  void scores(std::span<const T> yes, std::type_identity_t<std::span<const T>> no, std::type_identity_t<std::span<T>> out) const {
    RANKGRAD_EXPECTS(yes.size() == out.size() && no.size() == out.size(), "yes, no and scores differ in size");
    const T *const a = yes.data(), *const b = no.data();
    T* const to = out.data();
    simd::for_each_pack<T>(out.size(), [&](std::size_t i, auto at) RANKGRAD_INLINE {
      at.store(to + i, Of::template at<T>(at.load(a + i, T(0)) - at.load(b + i, T(0))).score);
    });
  }
  /// The chain back: adds to the gradients of both logits.
  template <Real T>
  void add_gradient(std::span<const T> yes, std::type_identity_t<std::span<const T>> no,
                    std::type_identity_t<std::span<const T>> score_gradient, std::type_identity_t<std::span<T>> yes_gradient,
                    std::type_identity_t<std::span<T>> no_gradient) const {
    const std::size_t n = score_gradient.size();
    RANKGRAD_EXPECTS(yes.size() == n && no.size() == n, "yes, no and score_gradient differ in size");
    RANKGRAD_EXPECTS(yes_gradient.size() == n && no_gradient.size() == n, "the gradients of yes, no and scores differ in size");
    const T *const a = yes.data(), *const b = no.data(), *const g = score_gradient.data();
    T *const up = yes_gradient.data(), *const down = no_gradient.data();
    simd::for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
      const simd::Pack<T> d = at.load(a + i, T(0)) - at.load(b + i, T(0));
      const simd::Pack<T> slope = at.load(g + i, T(0)) * Of::template at<T>(d).slope;
      at.accumulate(up + i, slope);
      at.accumulate(down + i, -slope);
    });
  }
};

/// The log-probability of "true" between the two: log softmax([z_yes, z_no])_yes = -softplus(z_no - z_yes), finite wherever the
/// difference is. Nogueira et al., Findings of EMNLP 2020, arXiv 2003.06713; as the sentence reranker of arXiv 2212.05276.
using MonoT5Score = YesNoScore<scoring::LogSigmoid>;

/// The probability of "yes" between the two: s(z_yes - z_no), in [0, 1]. The judge's score of UniME-V2, arXiv 2510.13515.
using JudgeScore = YesNoScore<scoring::Sigmoid>;

}  // namespace rankgrad
