// rankgrad/pairwise/short_list.hpp: the logistic loss of the comparable pairs of a short list, which is not sorted first.
// SPDX-License-Identifier: MIT
//
// Lanes are the items j that receive a gradient; all items i of the list, of any label, pass by as broadcasts. With the
// min-form of pairwise/min_form.hpp a pair adds to item j
//
//   + s(x_ij)   where i is the better one,  x_ij = -sigma (s_i - s_j)
//   - s(x_ji)   where i is the worse one,   x_ji = -x_ij
//   nothing     where the labels are equal
//
// so both directions are there, each pair is visited twice, and there are no row sums, no permutation and no scatter. Up
// to some thirty items that is cheaper than a sort by label and half the pairs. The product of the value meets each pair
// twice: half of its logarithm is the sum.
#pragma once

#include <rankgrad/core/gradient_sink.hpp>
#include <rankgrad/pairwise/min_form.hpp>

#include <optional>

namespace rankgrad::inline RANKGRAD_ABI::pairwise {

/// Up to which length lanes of targets beat the sorted rows: measured with batches of lists of 10 to 64 items, on packs of 16,
/// 32 and 64 bytes alike.
template <Real T>
inline constexpr std::size_t longest_short_list = sizeof(T) == 4 ? 32 : 16;

/// Per item: label, weight, and what the kernel leaves: slopes without the item's own weight and sigma, curvatures too.
template <Real T>
struct Targets {
  std::size_t n = 0;
  T *labels = nullptr, *weights = nullptr, *slope = nullptr, *curvature = nullptr;
};

/// The totals over the pairs: their weight, and their loss.
struct TargetTotals {
  double pair_weight = 0, value = 0;
};

/// Packs j .. j + packs * lanes of the targets against all items.
template <std::size_t packs, bool Weighted, bool WithCurvature, Real T>
RANKGRAD_INLINE inline void target_block(const ScoreFactors<T>& factors, const Targets<T>& list, std::size_t j, T sigma,
                                         ProductValue<T>& products, std::size_t first_product, TargetTotals& totals) {
  using namespace simd;
  const Pack<T> zero(T(0)), one(T(1));
  Pack<T> up[packs], down[packs], score[packs], label[packs], slope[packs], curvature[packs], value[packs], weight[packs];
  for (std::size_t p = 0; p < packs; ++p) {
    up[p] = load(factors.up + j + p * lanes<T>);
    down[p] = load(factors.down + j + p * lanes<T>);
    score[p] = load(factors.scores + j + p * lanes<T>);
    label[p] = load(list.labels + j + p * lanes<T>);
    slope[p] = curvature[p] = weight[p] = zero;
    value[p] = Weighted ? zero : products.product[first_product + p];
  }
  Pack<T> linear = products.linear;
  for (std::size_t i = 0; i < list.n; ++i) {
    const Pack<T> other_down(factors.down[i]), other_up(factors.up[i]), other_score(factors.scores[i]),
        other_label(list.labels[i]);
    const Pack<T> other_weight = Weighted ? Pack<T>(list.weights[i]) : one;
    for (std::size_t p = 0; p < packs; ++p) {
      const auto better = other_label > label[p], worse = other_label < label[p];
      const Pack<T> wrong = other_down * up[p], right = other_up * down[p];
      const Pack<T> m = select(better | worse, min(wrong, right), zero), y = one + m, inverse = one / y;
      const Pack<T> top = select(better, min(wrong, one), select(worse, -min(right, one), zero));
      const Pack<T> short_of = select(better, max(score[p] - other_score, zero), zero);
      if constexpr (Weighted) {
        const Pack<T> logarithm = log1p_polynomial<T>(select(better, m, zero));
        value[p] = fma(other_weight, fma(Pack<T>(sigma), short_of, logarithm), value[p]);
        slope[p] = fma(other_weight * top, inverse, slope[p]);
        if constexpr (WithCurvature) curvature[p] = fma(other_weight * m, inverse * inverse, curvature[p]);
      } else {
        value[p] = fma(value[p], y, m);
        linear += short_of;
        slope[p] = fma(top, inverse, slope[p]);
        if constexpr (WithCurvature) curvature[p] = fma(m, inverse * inverse, curvature[p]);
      }
      weight[p] += select(better, other_weight, zero);
    }
  }
  products.linear = linear;
  for (std::size_t p = 0; p < packs; ++p) {
    const std::size_t at = j + p * lanes<T>;
    store(list.slope + at, slope[p]);
    if constexpr (WithCurvature) store(list.curvature + at, curvature[p]);
    const Pack<T> own = load(list.weights + at);
    totals.pair_weight += wide_sum(own * weight[p]);
    if constexpr (Weighted) totals.value += wide_sum(own * value[p]);
    else products.product[first_product + p] = value[p];
  }
}

template <bool Weighted, bool WithCurvature, Real T>
TargetTotals all_targets(const Logistic& phi, const ScoreFactors<T>& factors, const Targets<T>& list) {
  constexpr std::size_t lanes = simd::lanes<T>;
  const simd::FlushDenormals flush(factors.denormals());
  ProductValue<T> products;
  TargetTotals totals;
  std::size_t j = 0, first_product = 0;
  for (; j + lanes < list.n; j += 2 * lanes, first_product ^= 2) {
    if (first_product == 0) products.reserve(list.n);
    target_block<2, Weighted, WithCurvature>(factors, list, j, T(phi.sigma), products, first_product, totals);
  }
  if (j < list.n) {
    if (first_product == 0) products.reserve(list.n);
    target_block<1, Weighted, WithCurvature>(factors, list, j, T(phi.sigma), products, first_product, totals);
  }
  if (!Weighted) totals.value = products.total(2 * phi.sigma) / 2;
  return totals;
}

/// The whole loss of a list. Nothing where the kernel does not apply: long lists, a margin, scores out of range.
template <Real T>
std::optional<Contribution<T>> target_pairs(const Logistic& phi, Normalize normalize, const ListView<T>& view, const T* labels,
                                            const GradientSink<T>& out, Workspace& workspace) {
  using namespace simd;
  const std::size_t n = view.size();
  if (n < 2 || n > ProductValue<T>::steps_per_flush || phi.margin != 0) return {};
  T* scores = workspace.take<T>(n);
  std::copy_n(view.scores.data(), n, scores);
  std::fill_n(scores + n, 64 / sizeof(T), scores[n - 1]);
  const ScoreFactors<T> factors = factorise(phi, static_cast<const T*>(scores), n, scores, workspace);
  if (!factors.usable()) return {};

  const Targets<T> list{n, workspace.take<T>(n + lanes<T>), workspace.take<T>(n + lanes<T>, T(0)),
                        workspace.take<T>(n + lanes<T>), workspace.take<T>(n + lanes<T>)};
  std::copy_n(labels, n, list.labels);
  std::fill_n(list.labels + n, 64 / sizeof(T), T(0));   // of no consequence: the factors there are 0
  bool weighted = false;
  for (std::size_t i = 0; i < n; ++i) {
    list.weights[i] = view.weight(i);
    weighted |= list.weights[i] != list.weights[0];
  }
  TargetTotals totals;
  if (weighted) totals = out.hess ? all_targets<true, true>(phi, factors, list) : all_targets<true, false>(phi, factors, list);
  else totals = out.hess ? all_targets<false, true>(phi, factors, list) : all_targets<false, false>(phi, factors, list);
  const double common = weighted ? 1 : static_cast<double>(list.weights[0]);   // each item's weight where they are equal
  if (!weighted) totals.value *= common * common, totals.pair_weight *= common;
  if (!(totals.pair_weight > 0)) return Contribution<T>{};

  const double factor = normalize == Normalize::mean ? 1 / totals.pair_weight : 1;
  const double by_slope = factor * phi.sigma * common * static_cast<double>(out.scale), by_curvature = by_slope * phi.sigma;
  for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
    const Pack<T> own = load(list.weights + i);
    at.accumulate(out.grad + i, Pack<T>(T(by_slope)) * own * load(list.slope + i));
    if (out.hess) at.accumulate(out.hess + i, Pack<T>(T(by_curvature)) * own * load(list.curvature + i));
  });
  return Contribution<T>{T(factor * totals.value), true};
}

}  // namespace rankgrad::pairwise
