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
#include <rankgrad/simd/scan.hpp>
#include <rankgrad/simd/ranking.hpp>
#include <rankgrad/simd/rows.hpp>

namespace rankgrad::inline RANKGRAD_ABI::auc {

// Classes come in random order, and so do signs: no loop below branches on them.

/// x or 0, by a mask.
inline double only_if(bool keep, double x) {
  return std::bit_cast<double>(std::bit_cast<std::uint64_t>(x) & (std::uint64_t{0} - static_cast<std::uint64_t>(keep)));
}

/// The largest T that is not above score - shift.
template <Real T>
T shifted_down(T score, double shift) {
  using Key = simd::Bits<T>;
  const double s = static_cast<double>(score), w = s - shift, back = w - s, rest = (s - (w - back)) - (shift + back);
  const T near = static_cast<T>(w);
  const double got = static_cast<double>(near);
  const Key bits = std::bit_cast<Key>(near), sign = bits >> (8 * sizeof(T) - 1);   // -1 or 0
  const Key above = static_cast<Key>(got > w) | (static_cast<Key>(got == w) & static_cast<Key>(rest < 0));
  return std::bit_cast<T>(static_cast<Key>(bits - above * (2 * sign + 1)));   // negative zero is what a tiny w < 0 becomes
}

/// The items of positive weight in the merged order; negatives carry the flag.
template <Real T>
struct MergedOrder {
  std::uint32_t* order;
  T* keys;   ///< of all items of the list
  std::size_t n = 0, positives = 0;
  double positive_weight = 0, negative_weight = 0;

  std::size_t negative(std::size_t r) const { return order[r] >> 31; }   // 0 or 1
  std::size_t item(std::size_t r) const { return simd::FlaggedItems::number(order[r]); }
};

template <Real T>
MergedOrder<T> merge_order(const ListView<T>& list, double shift, Workspace& workspace) {
  const std::size_t n = list.size();
  MergedOrder<T> merged{workspace.take<std::uint32_t>(n), workspace.take<T>(n)};
  const auto frame = workspace.frame();
  std::uint32_t *positives = workspace.take<std::uint32_t>(n), *negatives = workspace.take<std::uint32_t>(n);
  const T *labels = list.labels.data(), *scores = list.scores.data(), *weights = list.weights.empty() ? nullptr : list.weights.data();
  for (std::size_t i = 0; i < n; ++i) merged.keys[i] = shifted_down(scores[i], only_if(labels[i] > T(0), shift));
  std::size_t p = 0, q = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t positive = labels[i] > T(0), present = weights ? weights[i] > T(0) : true;
    positives[p] = static_cast<std::uint32_t>(i);
    negatives[q] = static_cast<std::uint32_t>(i) | simd::FlaggedItems::flag;
    p += positive & present;
    q += (positive ^ 1) & present;
  }
  const auto weight_of = [&](const std::uint32_t* items, std::size_t size) {
    double sum = 0;
    for (std::size_t r = 0; r < size; ++r) sum += static_cast<double>(weights[simd::FlaggedItems::number(items[r])]);
    return sum;
  };
  merged.positive_weight = weights ? weight_of(positives, p) : static_cast<double>(p);
  merged.negative_weight = weights ? weight_of(negatives, q) : static_cast<double>(q);
  merged.n = p + q;
  merged.positives = p;
  if (p == 0 || q == 0) return merged;
  std::copy_n(negatives, q, positives + p);
  simd::sort_items(merged.keys, simd::FlaggedItems{positives}, merged.order, merged.n, workspace);
  return merged;
}

/// Where the active items stand: places first .. last of the merged order, and the origin of positions.
struct ActiveRange {
  std::size_t first, last;
  double centre, shift, inverse_temperature;   ///< position = (s - centre - shift) / tau, without the shift for negatives
};

template <Real T>
ActiveRange active_range(const MergedOrder<T>& merged, std::span<const T> scores, double shift, double temperature) {
  std::size_t first = 0, last = merged.n - 1;
  while (!merged.negative(first)) ++first;
  while (merged.negative(last)) --last;
  const double highest = static_cast<double>(scores[merged.item(first)]), lowest = static_cast<double>(scores[merged.item(last)]) - shift;
  return {first, last, 0.5 * highest + 0.5 * lowest, shift, 1 / temperature};
}

/// The positives of the range: their weight, and their sum of weight * position.
struct ActivePositives {
  double weight = 0, sum = 0;
};
template <Real T>
ActivePositives active_positives(const ListView<T>& list, const MergedOrder<T>& merged, const ActiveRange& range) {
  constexpr std::size_t lanes = 8;   // sums that do not wait for each other
  double weight[lanes] = {}, sum[lanes] = {};
  const T highest = list.scores[merged.item(range.first)], *weights = list.weights.empty() ? nullptr : list.weights.data();
  const auto add = [&](std::size_t i, std::size_t l) RANKGRAD_INLINE {
    const bool active = (list.labels[i] > T(0)) & (merged.keys[i] < highest);
    const double a = only_if(active, weights ? static_cast<double>(weights[i]) : 1.0);
    weight[l] += a;
    sum[l] += a * ((static_cast<double>(list.scores[i]) - range.centre - range.shift) * range.inverse_temperature);
  };
  std::size_t i = 0;
  for (; i + lanes <= list.size(); i += lanes)
    for (std::size_t l = 0; l < lanes; ++l) add(i + l, l);
  for (; i < list.size(); ++i) add(i, 0);
  ActivePositives total;
  for (std::size_t l = 0; l < lanes; ++l) total.weight += weight[l], total.sum += sum[l];
  return total;
}

/// The running sums, from pack to pack of the merged order.
template <bool Squared>
class HingeScan {
  using Pack = simd::Pack<double>;

 public:
  HingeScan(const ActiveRange& range, const ActivePositives& positives)
      : centre_(range.centre), shift_(range.shift), inverse_temperature_(range.inverse_temperature),
        all_(positives.weight), all_sum_(positives.sum) {}

  /// Scores and weights, and 1 for negatives, 0 for positives; weight 0 where there is no item.
  RANKGRAD_INLINE void step(const double* scores, const double* weights, const double* negative, double* slope, double* curvature) {
    const Pack f = simd::load(negative), w = simd::load(weights), zero(0.0), two(2.0);
    const Pack u = (simd::load(scores) - centre_ - (shift_ - shift_ * f)) * inverse_temperature_, wb = w * f, wa = w - wb;
    const Pack passed = passed_ + simd::prefix_sum(wa), B = B_ + simd::prefix_sum(wb), rest = all_ - passed;
    const Pack A = simd::select(rest < zero, zero, rest);   // below 0 only by rounding
    passed_ = simd::last_everywhere(passed);
    B_ = simd::last_everywhere(B);
    Pack s = wb * A - wa * B;
    if constexpr (Squared) {
      const Pack sp = passed_sum_ + simd::prefix_sum(wa * u), sn = SN_ + simd::prefix_sum(wb * u);
      passed_sum_ = simd::last_everywhere(sp);
      SN_ = simd::last_everywhere(sn);
      simd::store(curvature, two * (wb * A + wa * B));
      s = two * (wb * (u * A - (all_sum_ - sp)) - wa * (sn - u * B));
    }
    simd::store(slope, s);
    value_ += s * u;
  }
  double value() const { return simd::sum(value_) / (Squared ? 2 : 1); }

 private:
  Pack centre_, shift_, inverse_temperature_, all_, all_sum_;
  Pack passed_ = Pack(0.0), passed_sum_ = Pack(0.0), B_ = Pack(0.0), SN_ = Pack(0.0), value_ = Pack(0.0);
};

/// Derivatives go to `out`, the sum over pairs is returned. `by_score` and `twice` turn slopes and curvatures into what
/// is added.
template <bool Squared, Real T>
double scan_range(const ListView<T>& list, const MergedOrder<T>& merged, const ActiveRange& range, HingeScan<Squared> scan,
                  double by_score, double twice, const GradientSink<T>& out) {
  constexpr std::size_t block = 128;   // gathered, computed and scattered together: more would leave the first cache
  constexpr double one_if[2] = {0, 1};
  alignas(64) double score[block], weight[block], negative[block], slope[block], curvature[block];
  std::fill_n(weight, block, 1.0);
  const T *scores = list.scores.data(), *weights = list.weights.empty() ? nullptr : list.weights.data();
  for (std::size_t r = range.first; r <= range.last; r += block) {
    const std::size_t size = std::min(block, range.last + 1 - r);
    for (std::size_t j = 0; j < size; ++j) {
      score[j] = static_cast<double>(scores[merged.item(r + j)]);
      negative[j] = one_if[merged.negative(r + j)];
    }
    if (weights)
      for (std::size_t j = 0; j < size; ++j) weight[j] = static_cast<double>(weights[merged.item(r + j)]);
    std::size_t padded = size;
    for (; padded % simd::lanes<double> != 0; ++padded) score[padded] = weight[padded] = negative[padded] = 0;
    for (std::size_t j = 0; j < padded; j += simd::lanes<double>) scan.step(score + j, weight + j, negative + j, slope + j, curvature + j);
    for (std::size_t j = 0; j < size; ++j) out.grad[merged.item(r + j)] += static_cast<T>(by_score * slope[j]);
    if (Squared && out.hess)
      for (std::size_t j = 0; j < size; ++j) out.hess[merged.item(r + j)] += static_cast<T>(twice * curvature[j]);
  }
  return scan.value();
}

/// Value, gradient and curvature of the mean or sum over pairs of max(0, m - z)^degree, z = (s_i - s_k) / tau.
template <bool Squared, Real T>
Contribution<T> hinge_sweep(const ListView<T>& list, double margin, double temperature, Normalize normalize,
                            const GradientSink<T>& out, Workspace& workspace) {
  const auto frame = workspace.frame();
  const MergedOrder<T> merged = merge_order(list, margin * temperature, workspace);
  if (!(merged.positive_weight * merged.negative_weight > 0)) return {};
  const ActiveRange range = active_range(merged, list.scores, margin * temperature, temperature);
  const ActivePositives active = Squared || !list.weights.empty()
                                     ? active_positives(list, merged, range)
                                     : ActivePositives{static_cast<double>(merged.positives - range.first), 0};

  simd::Pack<T> poison(T(0));   // NaN, if any score is NaN or infinite, wherever the sort has put it
  simd::for_each_pack<T>(list.size(), [&](std::size_t i, auto at) RANKGRAD_INLINE {
    const simd::Pack<T> s = at.load(list.scores.data() + i, T(0));
    poison += s - s;
  });
  const double pairs = normalize == Normalize::mean ? merged.positive_weight * merged.negative_weight : 1;
  const double factor = 1 / pairs + simd::wide_sum(poison), by_score = factor * static_cast<double>(out.scale) / temperature;
  const HingeScan<Squared> scan(range, active);
  return {static_cast<T>(factor * scan_range(list, merged, range, scan, by_score, by_score / temperature, out)), true};
}

}  // namespace rankgrad::auc
