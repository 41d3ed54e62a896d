// rankgrad/auc/moments.hpp: all-pairs surrogates that need no pairs: square and exponential, O(n).
// SPDX-License-Identifier: MIT
//
// With positives v_i of weight a_i, negatives x_k of weight b_k (scores over temperature), A = sum a, B = sum b:
//
//   square        (1/AB) sum a_i b_k (m - (v_i - x_k))^2 = V+ + V- + e^2,    e = m - mean(v) + mean(x),
//                 V the weighted population variances
//   exponential   (1/AB) sum a_i b_k e^{-(v_i - x_k)} = (sum a e^{-v} / A) (sum b e^x / B)
//
// Both work on the list as it stands: a label picks by select, not by branch, and nothing is moved.
#pragma once

#include <rankgrad/auc/classes.hpp>
#include <rankgrad/core/all_here.hpp>
#include <rankgrad/simd/horizontal.hpp>
#include <rankgrad/simd/math.hpp>
#include <rankgrad/simd/rows.hpp>
#include <rankgrad/simd/widen.hpp>

#include <cmath>

namespace rankgrad::inline RANKGRAD_ABI::auc {

/// Weight, mean and sum of weighted squared deviations of what has been added (Welford, West 1979), for sweeps that need
/// them after every item: the variance never is the difference of two large numbers. Weights are > 0.
struct Moments {
  double weight = 0, mean = 0, spread = 0;

  void add(double w, double x) {
    weight += w;
    const double before = x - mean;
    mean += w / weight * before;
    spread += w * before * (x - mean);
  }
};

/// Moments of one class about a pivot near its mean: the weights, and the sums of w d and w d^2, d = s - pivot.
struct PivotSums {
  double pivot = 0, weight = 0, first = 0, second = 0;

  double shift() const { return first / weight; }                              ///< mean - pivot
  double variance() const {
    const double v = second / weight - shift() * shift();
    return v < 0 ? 0 : v;   // below 0 only by rounding; NaN stays
  }
  /// Whether second / weight and shift^2 cancel more than two digits.
  bool far() const { return shift() * shift() > 100 * variance(); }
};
struct ClassMoments {
  PivotSums positive, negative;
};

/// One pass over the first n items of a list, about the pivots given. Sums in T that move to double every 64 packs.
template <Real T>
ClassMoments class_moments(const ListView<T>& list, std::size_t n, double positive_pivot, double negative_pivot) {
  using namespace simd;
  constexpr std::size_t block = packs_per_flush * lanes<T>;
  ClassMoments m;
  const T above = T(positive_pivot), below = T(negative_pivot);
  m.positive.pivot = static_cast<double>(above), m.negative.pivot = static_cast<double>(below);
  const Pack<T> zero(T(0)), pivot_above(above), pivot_below(below);
  const T* weights = list.weights.empty() ? nullptr : list.weights.data();
  for (std::size_t begin = 0; begin < n; begin += block) {
    Pack<T> sums[6] = {zero, zero, zero, zero, zero, zero};   // of weights, w d, w d^2: positives, then negatives
    for_each_pack<T>(std::min(block, n - begin), [&](std::size_t k, auto at) RANKGRAD_INLINE {
      const std::size_t i = begin + k;
      const auto positive = at.load(&list.labels[i], T(0)) > zero;
      const Pack<T> w = weights ? at.load(weights + i, T(0)) : at.load_ones();
      const Pack<T> d = at.load(&list.scores[i], T(0)) - select(positive, pivot_above, pivot_below), wd = w * d;
      const Pack<T> w_above = select(positive, w, zero), first = select(positive, wd, zero);
      const Pack<T> w_below = w - w_above, last = select(positive, zero, wd);
      sums[0] += w_above;
      sums[1] += first;
      sums[2] = fma(first, d, sums[2]);
      sums[3] += w_below;
      sums[4] += last;
      sums[5] = fma(last, d, sums[5]);
    });
    m.positive.weight += wide_sum(sums[0]), m.positive.first += wide_sum(sums[1]), m.positive.second += wide_sum(sums[2]);
    m.negative.weight += wide_sum(sums[3]), m.negative.first += wide_sum(sums[4]), m.negative.second += wide_sum(sums[5]);
  }
  return m;
}

/// Moments about pivots close to the means: the variance is then no difference of large numbers. The pivots come from the
/// beginning of the list, and from the whole of it only where that was a bad guess.
template <Real T>
ClassMoments class_moments(const ListView<T>& list) {
  constexpr std::size_t sample = 512;
  const auto mean_or = [](const PivotSums& sums, double other) { return sums.weight > 0 ? sums.pivot + sums.shift() : other; };
  const std::size_t n = list.size();
  const double somewhere = n ? static_cast<double>(list.scores[0]) : 0;
  ClassMoments m = class_moments(list, std::min(n, sample), somewhere, somewhere);
  for (int pass = 0; pass < 3; ++pass) {
    m = class_moments(list, n, mean_or(m.positive, somewhere), mean_or(m.negative, somewhere));
    if (!m.positive.far() && !m.negative.far()) break;
  }
  return m;
}

/// The square surrogate of a list with these moments, or of a part of it: derivatives are those of the items here. `beyond`:
/// keep pushing once the means are more than the margin apart, as (m - z)^2 does; the AUC-margin loss stops.
template <Real T>
Contribution<T> square(const ListView<T>& list, const ClassMoments& m, double temperature, double margin, bool beyond,
                       Normalize normalize, const GradientSink<T>& out) {
  using namespace simd;
  const PivotSums &v = m.positive, &x = m.negative;
  const double pair_weight = v.weight * x.weight;
  if (!(pair_weight > 0)) return {};
  const double distance = margin - ((v.pivot - x.pivot) + (v.shift() - x.shift())) / temperature;
  const bool push = beyond || !(distance <= 0);   // NaN pushes and stays visible
  const double e = push ? distance : 0, factor = normalize == Normalize::mean ? 1 : pair_weight;

  // 2 w / W (s - mean -+ e tau) / tau^2, the mean as pivot + shift
  struct Side {
    Pack<T> pivot, rest, scale, share;
  };
  const auto side = [&](const PivotSums& sums, double pull) {
    return Side{Pack<T>(T(sums.pivot)), Pack<T>(T(pull * temperature - sums.shift())),
                Pack<T>(T(2 * factor / (sums.weight * temperature * temperature))), Pack<T>(T(1 / sums.weight))};
  };
  const Side high = side(v, -e), low = side(x, e);
  const Pack<T> zero(T(0)), one(T(1)), scale(out.scale);
  for_each_pack<T>(list.size(), [&](std::size_t i, auto at) RANKGRAD_INLINE {
    const auto positive = at.load(&list.labels[i], T(0)) > zero;
    const Pack<T> w = list.weights.empty() ? one : at.load(&list.weights[i], T(0));
    const Pack<T> d =
        (at.load(&list.scores[i], T(0)) - select(positive, high.pivot, low.pivot)) + select(positive, high.rest, low.rest);
    const Pack<T> share = scale * w * select(positive, high.scale, low.scale);
    at.accumulate(out.grad + i, share * d);
    if (out.hess) at.accumulate(out.hess + i, push ? share : share * (one - w * select(positive, high.share, low.share)));
  });
  const double variances = v.variance() + x.variance();
  return {T(factor * (variances / (temperature * temperature) + e * e)), true};
}

template <Real T>
Contribution<T> square(const ListView<T>& list, double temperature, double margin, bool beyond, Normalize normalize,
                       const GradientSink<T>& out) {
  return square(list, class_moments(list), temperature, margin, beyond, normalize, out);
}

/// log(sum_r w_r e^{sign z_r} / sum w).
inline double log_mean_exp(const ScoreClass<double>& part, double sign) {
  double top = sign * part.scores[0], sum = 0;
  for (std::size_t r = 1; r < part.n; ++r) top = sign * part.scores[r] > top ? sign * part.scores[r] : top;
  for (std::size_t r = 0; r < part.n; ++r) sum += part.weights[r] * std::exp(sign * part.scores[r] - top);
  return top + std::log(sum / part.weight);
}

/// For scores so far apart that no common scale holds their exponentials. Returns the logarithm of the mean. Each derivative
/// is put together in the exponent, so that a huge mean times a vanishing share is right, and never infinity times 0.
inline double exponential(const Classes<double>& classes) {
  const double low = log_mean_exp(classes.positive, -1), high = log_mean_exp(classes.negative, 1);
  const auto derive = [&](const ScoreClass<double>& part, double sign, double other) {
    for (std::size_t r = 0; r < part.n; ++r) {
      part.curvature[r] = std::exp(std::log(part.weights[r] / part.weight) + sign * part.scores[r] + other);
      part.slope[r] = sign * part.curvature[r];
    }
  };
  derive(classes.positive, -1, high);
  derive(classes.negative, 1, low);
  return low + high;
}

/// Calls body(i, scores, labels, weights) in packs of double; the last pack may reach past the end, with weight 0 there.
template <Real T, class Body>
RANKGRAD_INLINE inline void for_each_wide(const ListView<T>& list, Body&& body) {
  using namespace simd;
  constexpr std::size_t lanes = simd::lanes<double>;
  const std::size_t n = list.size(), whole = n / lanes * lanes;
  const Pack<double> one(1.0);
  for (std::size_t i = 0; i < whole; i += lanes)
    body(i, load_wide(&list.scores[i]), load_wide(&list.labels[i]), list.weights.empty() ? one : load_wide(&list.weights[i]));
  if (whole == n) return;
  T scores[lanes] = {}, labels[lanes] = {}, weights[lanes] = {};
  for (std::size_t l = 0; l < lanes; ++l) {
    scores[l] = list.scores[std::min(whole + l, n - 1)];
    if (whole + l >= n) continue;
    labels[l] = list.labels[whole + l];
    weights[l] = list.weight(whole + l);
  }
  body(whole, load_wide(scores), load_wide(labels), load_wide(weights));
}

/// How far from their centre, in units of the temperature, scores may be for exponential(list) to need no second scale:
/// e^{2 * 300} times a small count is within double.
inline constexpr double one_scale_reach = 300;

/// The exponential surrogate of a list whose scores are within `radius` of `centre`. With E = e^{(-+(s - centre) - radius) / tau}
/// (- for positives), which is at most 1, the mean is e^{2 radius / tau} mean(E of positives) mean(E of negatives).
template <Real T, class AddUp = AllHere>
Contribution<T> exponential(const ListView<T>& list, double centre, double radius, double temperature, Normalize normalize,
                            const GradientSink<T>& out, Workspace& workspace, const AddUp& add_up = {}) {
  using namespace simd;
  const std::size_t n = list.size();
  double* pull = workspace.take<double>(n);   // w E, negative for positives
  const Pack<double> zero(0.0), middle(centre), far(radius), slope(1 / temperature);
  Pack<double> weight_high = zero, weight_low = zero, sum_high = zero, sum_low = zero;
  for_each_wide(list, [&](std::size_t i, Pack<double> s, Pack<double> y, Pack<double> w) RANKGRAD_INLINE {
    const auto positive = y > zero;
    const Pack<double> z = s - middle, e = w * exp_nonpositive<double>((select(positive, -z, z) - far) * slope);
    const Pack<double> w_high = select(positive, w, zero), e_high = select(positive, e, zero);
    weight_high += w_high;
    weight_low += w - w_high;
    sum_high += e_high;
    sum_low += e - e_high;
    store(pull + i, select(positive, -e, e));
  });
  double sums[4] = {sum(weight_high), sum(weight_low), sum(sum_high), sum(sum_low)};
  add_up(std::span<double>(sums));
  const double pairs = sums[0] * sums[1];
  if (!(pairs > 0)) return {};
  const double scale = std::exp(2 * radius / temperature) / (normalize == Normalize::mean ? pairs : 1);
  const double high = scale * sums[2], low = scale * sums[3];   // what an item of the other class multiplies
  T* derivative = workspace.take<T>(n + lanes<double>);
  const Pack<double> by_low(low / temperature), by_high(high / temperature);
  for (std::size_t i = 0; i < n; i += lanes<double>) {
    const Pack<double> p = load(pull + i);
    store_narrow(derivative + i, p * select(p < zero, by_low, by_high));
  }
  const Pack<T> by_grad(out.scale), by_hess(T(static_cast<double>(out.scale) / temperature));
  for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
    const Pack<T> g = load(derivative + i);
    at.accumulate(out.grad + i, by_grad * g);
    if (out.hess) at.accumulate(out.hess + i, by_hess * abs(g));
  });
  return {T(high * sums[3]), true};
}

/// The same for any list.
template <Real T>
Contribution<T> exponential(const ListView<T>& list, double temperature, Normalize normalize, const GradientSink<T>& out,
                            Workspace& workspace, double reach = one_scale_reach) {
  if (list.size() == 0) return {};
  const simd::Range<T> range = simd::range_of(list.scores.data(), list.size());
  const double radius = 0.5 * range.span();
  if (radius / temperature <= reach) return exponential(list, range.centre(), radius, temperature, normalize, out, workspace);
  const auto classes = split<double>(list, temperature, workspace);
  if (!(classes.pair_weight() > 0)) return {};
  const double factor = normalize == Normalize::mean ? 1 : classes.pair_weight();
  const double mean = std::exp(exponential(classes));
  scatter(classes, factor, temperature, out);
  return {T(factor * mean), true};
}

}  // namespace rankgrad::auc
