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
// so that running sums do it all (hinge_scan.hpp). The value comes with them: the loss is a homogeneous function of the w and x,
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
//
// Short lists: hinge_pairs.hpp.
#pragma once

#include <rankgrad/auc/hinge_pairs.hpp>
#include <rankgrad/auc/hinge_scan.hpp>
#include <rankgrad/core/validate.hpp>
#include <rankgrad/simd/compress.hpp>
#include <rankgrad/simd/horizontal.hpp>
#include <rankgrad/simd/ranking.hpp>
#include <rankgrad/simd/rows.hpp>

#include <limits>

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

/// The items of positive weight, class by class; negatives carry the flag.
template <Real T>
struct HingeItems {
  std::uint32_t* items;    ///< first the positives
  T *keys, *key_of_item;   ///< in the order of `items`, and of the list
  std::size_t n = 0, positives = 0;
  double positive_weight = 0, negative_weight = 0;
};

/// Appends the present items of one class, flagged if asked for, to `items` and their keys to `keys`; returns how many.
/// Writes up to a pack past the last one.
template <Real T>
std::size_t take_out_class(const ListView<T>& list, bool positives, const T* all_keys, std::uint32_t* items, T* keys) {
  using namespace simd;
  const T* weights = list.weights.empty() ? nullptr : list.weights.data();
  const std::uint32_t flag = positives ? 0 : FlaggedItems<T>::flag;
  std::size_t count = 0;
  for (std::size_t i = 0; i < list.size(); i += lanes<T>) {
    const std::size_t left = list.size() - i;
    const auto read = [&](const T* from) RANKGRAD_INLINE { return load_up_to(from + i, left, T(0)); };
    std::uint32_t bits = lane_bits<T>(read(list.labels.data()) > Pack<T>(T(0)));
    bits = (positives ? bits : ~bits) & first_bits<T>(left);
    if (weights) bits &= lane_bits<T>(read(weights) > Pack<T>(T(0)));
    store_selected_numbers<lanes<T>>(items + count, bits, static_cast<std::uint32_t>(i) | flag);
    compress_store(keys + count, load(all_keys + i), bits);
    count += static_cast<std::size_t>(std::popcount(bits));
  }
  return count;
}

template <Real T>
HingeItems<T> hinge_items(const ListView<T>& list, double shift, Workspace& workspace) {
  const std::size_t n = list.size();
  HingeItems<T> all{workspace.take<std::uint32_t>(n), workspace.take<T>(n + 2 * simd::lanes<T>), workspace.take<T>(n)};
  const T *labels = list.labels.data(), *scores = list.scores.data(),
          *weights = list.weights.empty() ? nullptr : list.weights.data();
  for (std::size_t i = 0; i < n; ++i) all.key_of_item[i] = shifted_down(scores[i], only_if(labels[i] > T(0), shift));
  const std::size_t p = take_out_class(list, true, all.key_of_item, all.items, all.keys);
  const std::size_t q = take_out_class(list, false, all.key_of_item, all.items + p, all.keys + p);
  const auto weight_of = [&](const std::uint32_t* of, std::size_t size) {
    double sum = 0;
    for (std::size_t r = 0; r < size; ++r) sum += static_cast<double>(weights[simd::FlaggedItems<T>::number(of[r])]);
    return sum;
  };
  all.positive_weight = weights ? weight_of(all.items, p) : static_cast<double>(p);
  all.negative_weight = weights ? weight_of(all.items + p, q) : static_cast<double>(q);
  all.n = p + q;
  all.positives = p;
  return all;
}

/// The items by falling key.
template <Real T>
struct MergedOrder {
  const std::uint32_t* order;
  const T* key_of_item;
  std::size_t n, positives;

  std::size_t negative(std::size_t r) const { return order[r] >> 31; }   // 0 or 1
  std::size_t item(std::size_t r) const { return simd::FlaggedItems<T>::number(order[r]); }
};

/// Where the active items stand: places first .. last of the merged order, and the centre of their scores.
struct ActiveRange {
  std::size_t first, last;
  double centre;
};

template <Real T>
ActiveRange active_range(const MergedOrder<T>& merged, std::span<const T> scores, double shift) {
  std::size_t first = 0, last = merged.n - 1;
  while (!merged.negative(first)) ++first;
  while (merged.negative(last)) --last;
  const double highest = static_cast<double>(scores[merged.item(first)]),
               lowest = static_cast<double>(scores[merged.item(last)]) - shift;
  return {first, last, 0.5 * highest + 0.5 * lowest};
}

/// Sets the weight of the active positives, and their sum of weight * position.
template <Real T>
void add_active_positives(const ListView<T>& list, const MergedOrder<T>& merged, T highest, HingeStart& start) {
  using namespace simd;
  const T* weights = list.weights.empty() ? nullptr : list.weights.data();
  constexpr std::size_t w = lanes<double>;
  Pack<double> weight(0.0), sum_of(0.0), centre(start.centre), shift(start.shift), scale(start.inverse_temperature);
  for (std::size_t i = 0; i < list.size(); i += lanes<T>) {
    const std::size_t left = list.size() - i;
    const auto read = [&](const T* from, T fill) RANKGRAD_INLINE { return load_up_to(from + i, left, fill); };
    const auto active = (read(list.labels.data(), T(0)) > Pack<T>(T(0))) & (load(merged.key_of_item + i) < Pack<T>(highest));
    alignas(64) T a[lanes<T>], s[lanes<T>];
    store(a, select(active, weights ? read(weights, T(0)) : Pack<T>(T(1)), Pack<T>(T(0))));
    store(s, read(list.scores.data(), T(0)));
    for (std::size_t l = 0; l < lanes<T>; l += w) {
      const Pack<double> own = load_wide(a + l);
      weight += own;
      sum_of = fma(own, (load_wide(s + l) - centre - shift) * scale, sum_of);
    }
  }
  start.weight = sum(weight);
  start.sum = sum(sum_of);
}

/// Derivatives go to `out`, the sum over pairs is returned.
template <bool Squared, Real T>
double scan_range(const ListView<T>& list, const MergedOrder<T>& merged, const ActiveRange& range, HingeScan<Squared, T> scan,
                  const GradientSink<T>& out) {
  using Block = HingeBlock<T>;
  constexpr T one_if[2] = {T(0), T(1)};
  Block block;
  std::fill_n(block.weight, Block::size, T(1));
  const T *scores = list.scores.data(), *weights = list.weights.empty() ? nullptr : list.weights.data();
  for (std::size_t first = range.first; first <= range.last; first += Block::size) {
    const std::size_t size = std::min(Block::size, range.last + 1 - first);
    const std::uint32_t* order = merged.order + first;
    const auto item = [order](std::size_t j) RANKGRAD_INLINE { return simd::FlaggedItems<T>::number(order[j]); };
    if (size < Block::size) {   // the last one
      for (T* array : {block.weight, block.score, block.negative}) std::fill_n(array, Block::size, T(0));
      if (!weights) Block::for_each(size, [&](std::size_t, std::size_t at) RANKGRAD_INLINE { block.weight[at] = T(1); });
    }
    Block::for_each(size, [&](std::size_t j, std::size_t at) RANKGRAD_INLINE {
      block.score[at] = scores[item(j)];
      block.negative[at] = one_if[order[j] >> 31];
    });
    if (weights)
      Block::for_each(size, [&](std::size_t j, std::size_t at) RANKGRAD_INLINE { block.weight[at] = weights[item(j)]; });
    scan.run(block);
    Block::for_each(size, [&](std::size_t j, std::size_t at) RANKGRAD_INLINE { out.grad[item(j)] += block.slope[at]; });
    if (Squared && out.hess)
      Block::for_each(size, [&](std::size_t j, std::size_t at) RANKGRAD_INLINE { out.hess[item(j)] += block.curvature[at]; });
  }
  return scan.value();
}

/// pairs: one by one, for short lists. sweep: sorted. automatic: the one that is predicted to be the fastest.
enum class HingePath { automatic, pairs, sweep };

/// How many pairs per item take as long as the sweep. Measured: much the same for both types and for packs of 32 and 64 bytes.
template <bool Squared>
inline constexpr std::size_t hinge_pairs_per_item = Squared ? 20 : 30;

/// The sweep. Returns the sum over pairs.
template <bool Squared, Real T>
double sweep_hinge(const ListView<T>& list, const HingeItems<T>& all, double margin, double temperature, double by_score,
                   const GradientSink<T>& out, Workspace& workspace) {
  std::uint32_t* order = workspace.take<std::uint32_t>(all.n);
  simd::sort_items(static_cast<const T*>(all.key_of_item), simd::FlaggedItems<T>{all.items, all.keys}, order, all.n, workspace);
  const MergedOrder<T> merged{order, all.key_of_item, all.n, all.positives};
  const ActiveRange range = active_range(merged, list.scores, margin * temperature);
  HingeStart start{range.centre, margin * temperature, 1 / temperature, static_cast<double>(merged.positives - range.first), 0};
  if (Squared || !list.weights.empty()) add_active_positives(list, merged, list.scores[merged.item(range.first)], start);
  return scan_range(list, merged, range, HingeScan<Squared, T>(start, by_score, by_score / temperature), out);
}

/// Value, gradient and curvature of the mean or sum over pairs of max(0, m - z)^degree, z = (s_i - s_k) / tau.
template <bool Squared, Real T>
Contribution<T> hinge_sweep(const ListView<T>& list, double margin, double temperature, Normalize normalize,
                            const GradientSink<T>& out, Workspace& workspace, HingePath path = HingePath::automatic) {
  const auto frame = workspace.frame();
  const double shift = margin * temperature;
  const HingeItems<T> all = hinge_items(list, shift, workspace);
  if (!(all.positive_weight * all.negative_weight > 0)) return {};
  const double pairs = normalize == Normalize::mean ? all.positive_weight * all.negative_weight : 1;
  // NaN, if any score is NaN or infinite, wherever the sort has put it.
  const bool finite = simd::range_of(list.scores.data(), list.size()).finite;
  const double factor = finite ? 1 / pairs : std::numeric_limits<double>::quiet_NaN(),
               by_score = factor * static_cast<double>(out.scale) / temperature;

  const std::size_t p = all.positives, q = all.n - p;
  if (path == HingePath::automatic) path = p * q <= hinge_pairs_per_item<Squared> * all.n ? HingePath::pairs : HingePath::sweep;
  if (path == HingePath::sweep)
    return {static_cast<T>(factor * sweep_hinge<Squared>(list, all, margin, temperature, by_score, out, workspace)), true};
  const HingeClass<T> positives = hinge_class(list, all.items, static_cast<const T*>(all.keys), p, workspace);
  const HingeClass<T> negatives = hinge_class(list, all.items + p, static_cast<const T*>(all.keys + p), q, workspace);
  const double per_degree = 1 / (Squared ? temperature * temperature : temperature),
               slope = factor * static_cast<double>(out.scale) * per_degree;
  return {static_cast<T>(factor * per_degree * hinge_pairs<Squared>(positives, negatives, shift, slope, out)), true};
}

}  // namespace rankgrad::auc
