// rankgrad/preference/engine.hpp: losses that are a function of how much more probable the chosen answer is, summed over pairs.
// SPDX-License-Identifier: MIT
//
//   L     = (1 / W) sum_i w_i phi(d_i),   d_i = (a_i - gamma a'_i) - (b_i - gamma b'_i)
//   dL/da =  (1 / W) w_i phi'(d_i) da_i,   dL/db = -(1 / W) w_i phi'(d_i) db_i
//
// with a, b the policy's log-probabilities of the chosen and the rejected answer (divided by their lengths where per_token),
// a', b' those of the reference, W = sum w for Normalize::mean, 1 for sum. Each answer is compared with its own reference first:
// the two are close, and their difference loses no digits.
#pragma once

#include <rankgrad/pairwise/phi.hpp>
#include <rankgrad/preference/preference_view.hpp>
#include <rankgrad/simd/rows.hpp>

namespace rankgrad::inline RANKGRAD_ABI::preference {

/// phi(d) = (1 - e) softplus(-x) + e softplus(x),  phi' = sigma (e s(x) - (1 - e) s(-x)),  phi'' = sigma^2 s(x) s(-x),
/// x = sigma (d - margin): pairwise::Logistic where a share e of the labels is believed to be wrong.
struct SmoothedLogistic {
  double sigma = 1, margin = 0, smoothing = 0;

  template <class T>
  RANKGRAD_INLINE Term<T> operator()(simd::Pack<T> d) const {
    using simd::Pack;
    const Pack<T> scale = Pack<T>(T(sigma)), e = Pack<T>(T(smoothing)), rest = Pack<T>(T(1 - smoothing));
    const auto s = simd::softplus_sigmoid<T>(scale * (d - Pack<T>(T(margin))));
    return {rest * s.other_softplus + e * s.softplus, scale * (e * s.sigmoid - rest * s.other),
            scale * scale * (s.sigmoid * s.other)};
  }
};

/// phi(d) = max(0, 1 - sigma d),  phi' = -sigma where sigma d < 1 and 0 at the kink,  phi'' = 0.
struct UnitHinge {
  double sigma = 1;

  template <class T>
  RANKGRAD_INLINE Term<T> operator()(simd::Pack<T> d) const {
    const simd::Pack<T> scale = simd::Pack<T>(T(sigma));
    const Term<T> unit = pairwise::Hinge{1}.template operator()<T>(scale * d);
    return {unit.value, scale * unit.slope, unit.curvature};
  }
};

template <class Phi, Real T>
Contribution<T> sum_over_pairs(const Phi& phi, double gamma, bool per_token, Normalize normalize, const PreferenceView<T>& view,
                               const GradientSink<T>& out) {
  using namespace simd;
  const std::size_t m = checked_size(view);
  RANKGRAD_EXPECTS(!per_token || m == 0 || !view.chosen_lengths.empty(), "this loss needs the lengths of the answers");
  const bool weighted = !view.weights.empty(), referenced = gamma != 0 && !view.reference_chosen.empty();
  double total_weight = static_cast<double>(m);
  if (weighted) {
    BlockedSum<T> weights;
    for_each_pack<T>(m, [&](std::size_t i, auto at) RANKGRAD_INLINE { weights.add(at.load(&view.weights[i], T(0)), at); });
    total_weight = weights.total();
  }
  if (!(total_weight > 0)) return {};

  const Pack<T> one(T(1)), share = Pack<T>(T(gamma)), scale(out.scale),
      inverse = Pack<T>(T(normalize == Normalize::mean ? 1 / total_weight : 1));
  T *const to_chosen = out.grad, *const to_rejected = out.grad + m, *const hess = out.hess;
  BlockedSum<T> value;
  for_each_pack<T>(m, [&](std::size_t i, auto at) RANKGRAD_INLINE {
    // Lanes past the end repeat a pair that exists, with weight 0.
    const auto load = [&](std::span<const T> values) RANKGRAD_INLINE { return at.load(&values[i], values[i]); };
    const Pack<T> w = (weighted ? at.load(&view.weights[i], T(0)) : at.load_ones()) * inverse;
    Pack<T> a = load(view.chosen), b = load(view.rejected), da = one, db = one;
    if (per_token) {
      da = one / load(view.chosen_lengths);
      db = one / load(view.rejected_lengths);
      a = a * da;
      b = b * db;
    }
    if (referenced) {
      a = fnma(share, load(view.reference_chosen), a);
      b = fnma(share, load(view.reference_rejected), b);
    }
    const Term<T> term = phi.template operator()<T>(a - b);
    value.add(w * term.value, at);
    const Pack<T> slope = scale * w * term.slope;
    at.accumulate(to_chosen + i, slope * da);
    at.accumulate(to_rejected + i, -(slope * db));
    if (!hess) return;
    const Pack<T> bend = scale * w * term.curvature;
    at.accumulate(hess + i, bend * da * da);
    at.accumulate(hess + m + i, bend * db * db);
  });
  return {T(value.total()), true};
}

/// For check() of the losses with a beta and a smoothed label.
inline Status check_logistic(double beta, double smoothing) {
  if (Status status = check_parameter("beta of a preference loss", beta, 0); !status) return status;
  return check_parameter_between("label_smoothing of a preference loss", smoothing, 0, 0.5);
}

}  // namespace rankgrad::preference
