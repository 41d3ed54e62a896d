// rankgrad/contrastive/two_softmaxes.hpp: the softmax of a list in two parts, positives and negatives.
// SPDX-License-Identifier: MIT
//
//   S+ = sum over positives of w_j e^{d_j / tau},   d_j = s_j - highest positive <= 0;   S- over the negatives likewise
//   z  = log sum_{negatives} w e^{s / tau} - log sum_{positives} w e^{s / tau} = (top- - top+) / tau + log S- - log S+
//
// The positives together have the probability sigma(-z), the negatives sigma(z), and -log sigma(-z) = softplus(z): whichever
// part is the smaller one, and however small, keeps all its digits. Neither S can vanish, for its highest score has e^0.
#pragma once

#include <rankgrad/core/gradient_sink.hpp>
#include <rankgrad/core/workspace.hpp>
#include <rankgrad/simd/math.hpp>
#include <rankgrad/simd/rows.hpp>

#include <cmath>
#include <limits>

namespace rankgrad::inline RANKGRAD_ABI::contrastive {

using simd::sigmoid;
using simd::softplus;

/// One of the two parts. `distances` and `log_weights` are added up only where asked for.
struct Part {
  double top = 0;            ///< highest score
  double exponentials = 0;   ///< S
  double mass = 0;           ///< sum of weights; 0: the part is empty
  double distances = 0;      ///< sum of w d
};

template <Real T>
struct TwoSoftmaxes {
  Part positive, negative;
  double weight_logs = 0;      ///< sum of w log w, over both
  T* exponentials = nullptr;   ///< [n] w e^{d / tau}, each relative to its own part

  bool both() const { return positive.mass > 0 && negative.mass > 0; }
  double gap(double inverse_temperature) const {
    const double logs = std::log(negative.exponentials) - std::log(positive.exponentials);
    return (negative.top - positive.top) * inverse_temperature + logs;
  }
};

/// Positives are the items with a label above 0. Items with a weight below the smallest normal number are not there.
template <bool Weighted, Real T>
TwoSoftmaxes<T> two_softmaxes(const ListView<T>& list, double inverse_temperature, bool distances, Workspace& workspace) {
  using namespace simd;
  const std::size_t n = list.size();
  const T *const scores = list.scores.data(), *const labels = list.labels.data(), *const weights = list.weights.data();
  const Pack<T> zero(T(0)), smallest(std::numeric_limits<T>::min());
  const auto weight = [=](std::size_t i, auto at) RANKGRAD_INLINE {
    if constexpr (Weighted) return at.load(weights + i, T(0));
    else return at.load_ones();
  };

  Pack<T> top_positive[2], top_negative[2];
  for (auto* tops : {top_positive, top_negative}) tops[0] = tops[1] = Pack<T>(std::numeric_limits<T>::lowest());
  for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
    const Pack<T> s = at.load(scores + i, T(0)), y = at.load(labels + i, T(0)), w = weight(i, at);
    const auto present = w >= smallest;
    Pack<T>&p = top_positive[at.slot], &q = top_negative[at.slot];
    p = select(present & (y > zero) & (s > p), s, p);
    q = select(present & (y <= zero) & (s > q), s, q);
  });
  TwoSoftmaxes<T> both;
  const T highest_positive = highest(larger(top_positive[0], top_positive[1]));
  const T highest_negative = highest(larger(top_negative[0], top_negative[1]));
  both.positive.top = static_cast<double>(highest_positive);
  both.negative.top = static_cast<double>(highest_negative);

  T* const kept = both.exponentials = workspace.take<T>(n);
  const Pack<T> positive_top(highest_positive), negative_top(highest_negative);
  const ScaledExp<T> power(inverse_temperature);
  BlockedSum<T> e_positive, e_negative, w_positive, w_negative, d_positive, d_negative, logs;
  for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
    const Pack<T> s = at.load(scores + i, T(0)), all = weight(i, at);
    const auto present = all >= smallest, positive = at.load(labels + i, T(0)) > zero;
    const Pack<T> w = select(present, all, zero);
    const Pack<T> d = select(present, s - select(positive, positive_top, negative_top), zero), e = w * power(d);
    at.store(kept + i, e);
    e_positive.add(select(positive, e, zero), at);
    e_negative.add(select(positive, zero, e), at);
    w_positive.add(select(positive, w, zero), at);
    w_negative.add(select(positive, zero, w), at);
    if (!distances) return;
    d_positive.add(select(positive, w * d, zero), at);
    d_negative.add(select(positive, zero, w * d), at);
    if constexpr (Weighted) logs.add(w * log_positive<T>(max(all, smallest)), at);
  });
  both.positive.exponentials = e_positive.total(), both.negative.exponentials = e_negative.total();
  both.positive.mass = w_positive.total(), both.negative.mass = w_negative.total();
  both.positive.distances = d_positive.total(), both.negative.distances = d_negative.total();
  both.weight_logs = logs.total();
  return both;
}

}  // namespace rankgrad::contrastive
