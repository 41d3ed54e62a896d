// rankgrad/auc/sweeps.hpp: hinge and squared hinge over all mixed pairs in O(n log n): one sort, one pass.
// SPDX-License-Identifier: MIT
//
// Positives with weights a_i stand at w_i = s_i - m tau, negatives with weights b_k at x_k = s_k. A pair is active where
// w_i < x_k, and falls short by x_k - w_i. In the merged order from the highest down, the negatives that positive i falls
// short of are those that came before, and the positives that fall short of negative k are those to come. With sums B,
// SN = sum b x over the negatives so far, and A, SP = sum a w over the positives to come, everything over tau:
//
//   hinge      slope_k =  b_k A                      slope_i = -a_i B
//   squared    slope_k =  2 b_k (x_k A - SP)         slope_i = -2 a_i (SN - w_i B)        curvature 2 b_k A,  2 a_i B
//
// so that running sums in packs do it all. The value comes with them: the loss is a homogeneous function of the w and x,
// of degree 1 or 2, hence (Euler) it is sum slope * position, over the degree.
//
// Active pairs lie between the lowest positive and the highest negative. The centre of that range is the origin, and what
// lies outside is not touched: the terms of the sums are then no larger than the largest shortfall of a pair, so that
// offsets and far-away items cost no digits.
//
// A pair exactly at the margin is inactive. The keys of the sort decide that as the exact numbers would: w is rounded
// down to a T, which keeps its place relative to every score, and among equal keys the positives come first.
// Rust and Hocking, A log-linear gradient descent algorithm for unbalanced binary classification using the all pairs
// squared hinge loss, 2023 (arXiv 2302.11062), with one pass for its two.
#pragma once

#include <rankgrad/core/concepts.hpp>
#include <rankgrad/core/validate.hpp>
#include <rankgrad/simd/prefix.hpp>
#include <rankgrad/simd/ranking.hpp>
#include <rankgrad/simd/rows.hpp>

namespace rankgrad::inline RANKGRAD_ABI::auc {

/// The largest T that is not above score - shift.
template <Real T>
T shifted_down(T score, double shift) {
  using Key = simd::Bits<T>;
  const double s = static_cast<double>(score), w = s - shift, back = w - s, rest = (s - (w - back)) - (shift + back);
  const T near = static_cast<T>(w);
  const double got = static_cast<double>(near);
  const Key bits = std::bit_cast<Key>(near);
  const Key below = static_cast<Key>(got > w) | static_cast<Key>((got == w) & (rest < 0));
  const Key step = bits < 0 ? Key(1) : bits == 0 ? std::numeric_limits<Key>::min() + 1 : Key(-1);   // 0: to the first below
  return std::bit_cast<T>(static_cast<Key>(bits + (below ? step : Key(0))));
}

/// The items of positive weight in the merged order; negatives carry the flag.
struct MergedOrder {
  std::uint32_t* order = nullptr;
  std::size_t n = 0;
  double positive_weight = 0, negative_weight = 0;

  bool negative(std::size_t r) const { return (order[r] & simd::FlaggedItems::flag) != 0; }
  std::size_t item(std::size_t r) const { return simd::FlaggedItems::number(order[r]); }
};

template <Real T>
MergedOrder merge_order(const ListView<T>& list, double shift, Workspace& workspace) {
  const std::size_t n = list.size();
  MergedOrder merged{workspace.take<std::uint32_t>(n)};
  const auto frame = workspace.frame();
  T* keys = workspace.take<T>(n);
  std::uint32_t *positives = workspace.take<std::uint32_t>(n), *negatives = workspace.take<std::uint32_t>(n);
  for (std::size_t i = 0; i < n; ++i) keys[i] = list.labels[i] > T(0) ? shifted_down(list.scores[i], shift) : list.scores[i];
  std::size_t p = 0, q = 0;
  for (std::size_t i = 0; i < n; ++i) {   // without branches: the classes come in random order
    const bool positive = list.labels[i] > T(0), present = list.weights.empty() || list.weights[i] > T(0);
    positives[p] = static_cast<std::uint32_t>(i);
    negatives[q] = static_cast<std::uint32_t>(i) | simd::FlaggedItems::flag;
    p += positive & present;
    q += !positive & present;
  }
  const auto weight_of = [&](const std::uint32_t* items, std::size_t size) {
    double sum = 0;
    for (std::size_t r = 0; r < size; ++r) sum += static_cast<double>(list.weights[simd::FlaggedItems::number(items[r])]);
    return sum;
  };
  merged.positive_weight = list.weights.empty() ? static_cast<double>(p) : weight_of(positives, p);
  merged.negative_weight = list.weights.empty() ? static_cast<double>(q) : weight_of(negatives, q);
  merged.n = p + q;
  if (p == 0 || q == 0) return merged;
  std::copy_n(negatives, q, positives + p);
  simd::sort_items(keys, simd::FlaggedItems{positives}, merged.order, merged.n, workspace);
  return merged;
}

/// The running sums, from pack to pack of the merged order.
template <bool Squared>
class HingeScan {
  using Pack = simd::Pack<double>;

 public:
  /// The positives of the whole range: their weight and sum of weight * position.
  HingeScan(double weight, double sum) : all_(weight), all_sum_(sum) {}

  /// Positions, and weights of positives and of negatives, one of which is 0 in each lane.
  RANKGRAD_INLINE void step(const double* position, const double* a, const double* b, double* slope, double* curvature) {
    const Pack u = simd::load(position), wa = simd::load(a), wb = simd::load(b), zero(0.0), two(2.0);
    const Pack passed = passed_ + simd::running_sum(wa), B = B_ + simd::running_sum(wb), rest = all_ - passed;
    const Pack A = simd::select(rest < zero, zero, rest);   // below 0 only by rounding
    passed_ = simd::last_lane(passed);
    B_ = simd::last_lane(B);
    Pack s = wb * A - wa * B;
    if constexpr (Squared) {
      const Pack sp = passed_sum_ + simd::running_sum(wa * u), sn = SN_ + simd::running_sum(wb * u);
      passed_sum_ = simd::last_lane(sp);
      SN_ = simd::last_lane(sn);
      simd::store(curvature, two * (wb * A + wa * B));
      s = two * (wb * (u * A - (all_sum_ - sp)) - wa * (sn - u * B));
    }
    simd::store(slope, s);
    value_ += s * u;
  }
  double value() const { return simd::sum(value_) / (Squared ? 2 : 1); }

 private:
  Pack all_, all_sum_;
  Pack passed_ = Pack(0.0), passed_sum_ = Pack(0.0), B_ = Pack(0.0), SN_ = Pack(0.0), value_ = Pack(0.0);
};

/// Where the active items stand: places first .. last of the merged order, and the origin of positions.
template <Real T>
struct ActiveRange {
  std::size_t first, last;
  double centre, shift, inverse_temperature;
  bool empty() const { return first > last; }
  double position(T score, bool negative) const {
    return (static_cast<double>(score) - centre - (negative ? 0.0 : shift)) * inverse_temperature;
  }
};

template <Real T>
ActiveRange<T> active_range(const MergedOrder& merged, std::span<const T> scores, double shift, double temperature) {
  std::size_t first = 0, last = merged.n - 1;
  while (!merged.negative(first)) ++first;
  while (merged.negative(last)) --last;
  const double highest = static_cast<double>(scores[merged.item(first)]), lowest = static_cast<double>(scores[merged.item(last)]) - shift;
  return {first, last, 0.5 * highest + 0.5 * lowest, shift, 1 / temperature};
}

/// Value, gradient and curvature of the mean or sum over pairs of max(0, m - z)^degree, z = (s_i - s_k) / tau.
template <bool Squared, Real T>
Contribution<T> hinge_sweep(const ListView<T>& list, double margin, double temperature, Normalize normalize,
                            const GradientSink<T>& out, Workspace& workspace) {
  const auto frame = workspace.frame();
  const MergedOrder merged = merge_order(list, margin * temperature, workspace);
  if (!(merged.positive_weight * merged.negative_weight > 0)) return {};
  const auto range = active_range(merged, list.scores, margin * temperature, temperature);
  const auto weight = [&](std::size_t i) { return list.weights.empty() ? 1.0 : static_cast<double>(list.weights[i]); };

  double left_out = 0, sum[4] = {};
  for (std::size_t r = 0; r < range.first; ++r) left_out += weight(merged.item(r));   // positives above all negatives
  if constexpr (Squared)
    for (std::size_t r = range.first; r <= range.last && !range.empty(); ++r) {
      const std::size_t i = merged.item(r);
      const bool negative = merged.negative(r);
      sum[r % 4] += (negative ? 0.0 : weight(i)) * range.position(list.scores[i], negative);
    }

  simd::Pack<T> poison(T(0));   // NaN, if any score is NaN or infinite, wherever the sort has put it
  simd::for_each_pack<T>(list.size(), [&](std::size_t i, auto at) RANKGRAD_INLINE {
    const simd::Pack<T> s = at.load(list.scores.data() + i, T(0));
    poison += s - s;
  });
  const double pairs = normalize == Normalize::mean ? merged.positive_weight * merged.negative_weight : 1;
  const double factor = 1 / pairs + simd::wide_sum(poison), by_score = factor / temperature, twice = by_score / temperature;

  HingeScan<Squared> scan(merged.positive_weight - left_out, (sum[0] + sum[1]) + (sum[2] + sum[3]));
  constexpr std::size_t block = 128;   // gathered, computed and scattered together: more would leave the first cache
  alignas(64) double position[block], a[block], b[block], slope[block], curvature[block];
  for (std::size_t r = range.first; r <= range.last; r += block) {
    const std::size_t size = std::min(block, range.last + 1 - r), padded = (size + simd::lanes<double> - 1) / simd::lanes<double> * simd::lanes<double>;
    for (std::size_t j = 0; j < size; ++j) {
      const std::size_t i = merged.item(r + j);
      const bool negative = merged.negative(r + j);
      const double w = weight(i);
      position[j] = range.position(list.scores[i], negative);
      b[j] = negative ? w : 0.0;
      a[j] = negative ? 0.0 : w;
    }
    for (std::size_t j = size; j < padded; ++j) position[j] = a[j] = b[j] = 0;
    for (std::size_t j = 0; j < padded; j += simd::lanes<double>) scan.step(position + j, a + j, b + j, slope + j, curvature + j);
    for (std::size_t j = 0; j < size; ++j)
      out.add(merged.item(r + j), static_cast<T>(by_score * slope[j]), Squared ? static_cast<T>(twice * curvature[j]) : T(0));
  }
  return {static_cast<T>(factor * scan.value()), true};
}

}  // namespace rankgrad::auc
