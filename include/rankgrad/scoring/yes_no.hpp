// rankgrad/scoring/yes_no.hpp: scores from the logits of two answers, "true" and "false" or "yes" and "no".
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/list_view.hpp>
#include <rankgrad/simd/math.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

namespace scoring {

/// One score per candidate of the difference d = z_yes - z_no, and dscore/dd; dscore/dz_yes = dscore/dd = -dscore/dz_no.
template <class T>
struct ScoreSlope {
  simd::Pack<T> score, slope;
};

template <Real T, class Of>
void scores(const Of& of, std::span<const T> yes, std::span<const T> no, std::span<T> scores) {
  RANKGRAD_EXPECTS(yes.size() == scores.size() && no.size() == scores.size(), "yes, no and scores differ in size");
  const T *const a = yes.data(), *const b = no.data();
  T* const to = scores.data();
  simd::for_each_pack<T>(scores.size(), [&](std::size_t i, auto at) RANKGRAD_INLINE {
    at.store(to + i, of(at.load(a + i, T(0)) - at.load(b + i, T(0))).score);
  });
}
template <Real T, class Of>
void add_gradient(const Of& of, std::span<const T> yes, std::span<const T> no, std::span<const T> score_gradient,
                  std::span<T> yes_gradient, std::span<T> no_gradient) {
  const std::size_t n = score_gradient.size();
  RANKGRAD_EXPECTS(yes.size() == n && no.size() == n, "yes, no and score_gradient differ in size");
  RANKGRAD_EXPECTS(yes_gradient.size() == n && no_gradient.size() == n, "the gradients of yes, no and scores differ in size");
  const T *const a = yes.data(), *const b = no.data(), *const g = score_gradient.data();
  T *const up = yes_gradient.data(), *const down = no_gradient.data();
  simd::for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
    const simd::Pack<T> slope = at.load(g + i, T(0)) * of(at.load(a + i, T(0)) - at.load(b + i, T(0))).slope;
    at.accumulate(up + i, slope);
    at.accumulate(down + i, -slope);
  });
}

}  // namespace scoring

/// The log-probability of "true" between the two: r = log softmax([z_yes, z_no])_yes = -softplus(z_no - z_yes);
/// dr/dz_yes = s(z_no - z_yes) = -dr/dz_no, s(x) = 1 / (1 + e^-x). Finite wherever the difference is.
///
/// Source      monoT5, Nogueira et al., Findings of EMNLP 2020, arXiv 2003.06713; as the sentence reranker of arXiv 2212.05276.
struct MonoT5Score {
  template <Real T>
  void scores(std::span<const T> yes, std::type_identity_t<std::span<const T>> no, std::type_identity_t<std::span<T>> out) const {
    scoring::scores<T>(Of<T>{}, yes, no, out);
  }
  /// Adds to the gradients of both logits.
  template <Real T>
  void add_gradient(std::span<const T> yes, std::type_identity_t<std::span<const T>> no,
                    std::type_identity_t<std::span<const T>> score_gradient, std::type_identity_t<std::span<T>> yes_gradient,
                    std::type_identity_t<std::span<T>> no_gradient) const {
    scoring::add_gradient<T>(Of<T>{}, yes, no, score_gradient, yes_gradient, no_gradient);
  }

 private:
  template <class T>
  struct Of {
    RANKGRAD_INLINE scoring::ScoreSlope<T> operator()(simd::Pack<T> d) const {
      const auto s = simd::softplus_sigmoid<T>(d);
      return {-s.other_softplus, s.other};
    }
  };
};

/// The probability of "yes" between the two: s(z_yes - z_no), in [0, 1]; its slope s (1 - s).
///
/// Source      the judge's score of UniME-V2, arXiv 2510.13515.
struct JudgeScore {
  template <Real T>
  void scores(std::span<const T> yes, std::type_identity_t<std::span<const T>> no, std::type_identity_t<std::span<T>> out) const {
    scoring::scores<T>(Of<T>{}, yes, no, out);
  }
  /// Adds to the gradients of both logits.
  template <Real T>
  void add_gradient(std::span<const T> yes, std::type_identity_t<std::span<const T>> no,
                    std::type_identity_t<std::span<const T>> score_gradient, std::type_identity_t<std::span<T>> yes_gradient,
                    std::type_identity_t<std::span<T>> no_gradient) const {
    scoring::add_gradient<T>(Of<T>{}, yes, no, score_gradient, yes_gradient, no_gradient);
  }

 private:
  template <class T>
  struct Of {
    RANKGRAD_INLINE scoring::ScoreSlope<T> operator()(simd::Pack<T> d) const {
      const auto s = simd::softplus_sigmoid<T>(d);
      return {s.sigmoid, s.sigmoid * s.other};
    }
  };
};

}  // namespace rankgrad
