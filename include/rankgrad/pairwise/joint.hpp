// rankgrad/pairwise/joint.hpp: every item against all less relevant items at once.
// SPDX-License-Identifier: MIT
//
//   L = (1 / W) sum_i w_i c_i phi(s_i - N_i),   N_i = log sum_{y_j < y_i} w_j e^{s_j}
//
// over the anchors i: the items that have a less relevant one. W = sum of the anchors' w for Normalize::mean, 1 for sum;
// c is held constant in the gradient (1, or a curriculum's). The probability of i in the softmax over i and everything
// less relevant is p_i = s(s_i - N_i), so phi = softplus(-d) gives -log p_i and phi = s(-d) gives 1 - p_i.
// The weight of an item counts it as an anchor and as a negative: 2 is the same as listing it twice, 0 as leaving it out.
//
//   dL/ds_j   = (1/W) [ w_j c_j phi'_j - sum_{y_a > y_j} w_a c_a phi'_a q_aj ]                    q_aj = w_j e^{s_j - N_a}
//   d2L/ds_j2 = (1/W) [ w_j c_j phi''_j + sum_{y_a > y_j} w_a c_a (phi''_a q_aj^2 - phi'_a q_aj (1 - q_aj)) ]
//
// O(n) after the sort by label. Items with equal labels (a group) share N. Upwards from the worst group, N is carried as
// its highest score and the sum relative to it; downwards, the sums over anchors are carried relative to the N of the
// group at hand. N falls on the way down, so every factor is at most 1 and nothing overflows.
//
// Read first: pairwise/engine.hpp.
#pragma once

#include <rankgrad/pairwise/engine.hpp>

#include <cmath>

namespace rankgrad::inline RANKGRAD_ABI {

/// What an item is compared with: each less relevant item on its own, or all of them in one softmax.
enum class Negatives { each, joint };

namespace pairwise {

/// The sorted list without its items of weight 0. In place.
template <Real T>
PairList<T> without_weightless(PairList<T> pairs) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < pairs.n; ++i) {
    if (pairs.weights[i] == T(0)) continue;
    pairs.scores[kept] = pairs.scores[i];
    pairs.labels[kept] = pairs.labels[i];
    pairs.weights[kept] = pairs.weights[i];
    pairs.order[kept++] = pairs.order[i];
  }
  pairs.n = kept;
  return pairs;
}

/// How many items of a sorted list are anchors: all but the last group.
template <Real T>
std::size_t anchors(const PairList<T>& pairs) {
  std::size_t i = pairs.n;
  while (i > 0 && pairs.labels[i - 1] == pairs.labels[pairs.n - 1]) --i;
  return i;
}

/// The groups of a sorted list; entry g speaks of group g and everything below it.
template <Real T>
struct Groups {
  std::size_t count = 0;
  std::uint32_t* begin;   ///< [count + 1]
  double* sum;            ///< sum of w e^{s - highest}
  double* fall;           ///< e^{N of the next group's suffix - N of this one}, at most 1
  T* exponential;         ///< per item: w e^{s - highest of its group's suffix}
  T* difference;          ///< per anchor: s_i - N_i
};

template <Real T>
Groups<T> group_by_label(const PairList<T>& pairs, Workspace& workspace) {
  using namespace simd;
  const std::size_t n = pairs.n;
  Groups<T> groups{0, workspace.take<std::uint32_t>(n + 1), workspace.take<double>(n + 1), workspace.take<double>(n + 1),
                   workspace.take<T>(n), workspace.take<T>(n)};
  for (std::size_t i = 0; i < n; ++i)
    if (i == 0 || pairs.labels[i] != pairs.labels[i - 1]) groups.begin[groups.count++] = static_cast<std::uint32_t>(i);
  groups.begin[groups.count] = static_cast<std::uint32_t>(n);

  T* highest = workspace.take<T>(n);   // per item: the highest score of its group and all below
  T top = pairs.scores[n - 1];
  for (std::size_t g = groups.count; g-- > 0;) {
    for (std::size_t i = groups.begin[g]; i < groups.begin[g + 1]; ++i) top = pairs.scores[i] > top ? pairs.scores[i] : top;
    std::fill(highest + groups.begin[g], highest + groups.begin[g + 1], top);
  }
  for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
    const Pack<T> above = at.load(pairs.scores + i, T(0)) - at.load(highest + i, T(0));
    at.store(groups.exponential + i, at.load(pairs.weights + i, T(0)) * exp_nonpositive<T>(above));
  });

  double below = 0, log_below = 0, top_below = static_cast<double>(highest[n - 1]);
  for (std::size_t g = groups.count; g-- > 0;) {
    const double here = static_cast<double>(highest[groups.begin[g]]);
    const double carried = below > 0 ? below * std::exp(top_below - here) : below;   // NaN stays
    double sum = carried;
    for (std::size_t i = groups.begin[g]; i < groups.begin[g + 1]; ++i) {
      sum += static_cast<double>(groups.exponential[i]);
      groups.difference[i] = T(static_cast<double>(pairs.scores[i]) - top_below - log_below);   // unused in the last group
    }
    groups.sum[g] = sum;
    groups.fall[g] = carried / sum;
    below = sum;
    log_below = std::log(sum);
    top_below = here;
  }
  return groups;
}

/// The joint loss of a sorted list without weightless items. `factors`: c in label order, padded like the list; or null.
template <Real T, class Phi>
Contribution<T> joint_negatives(const Phi& phi, Normalize normalize, const PairList<T>& pairs, const T* factors,
                                const GradientSink<T>& out, Workspace& workspace) {
  using namespace simd;
  const std::size_t n = pairs.n, m = anchors(pairs);
  if (m == 0) return {};
  const auto frame = workspace.frame();
  const Groups<T> groups = group_by_label(pairs, workspace);

  T* slope = workspace.take<T>(n, T(0));
  T* curvature = workspace.take<T>(n, T(0));
  BlockedSum<T> values, weights;
  for_each_pack<T>(m, [&](std::size_t i, auto at) RANKGRAD_INLINE {
    const Term<T> term = phi.template operator()<T>(at.load(groups.difference + i, T(0)));
    Pack<T> w = at.load(pairs.weights + i, T(0));
    weights.add(w, at);
    if (factors) w = w * at.load(factors + i, T(0));
    values.add(w * term.value, at);
    at.store(slope + i, w * term.slope);
    at.store(curvature + i, w * term.curvature);
  });

  const double factor = normalize == Normalize::mean ? 1 / weights.total() : 1;
  double pull = 0, bend = 0;   // sums over the anchors above of w c phi' and of w c (phi'' + phi'), relative to the N at hand
  for (std::size_t g = 0; g < groups.count; ++g) {
    double own_pull = 0, own_bend = 0;
    for (std::size_t i = groups.begin[g]; i < groups.begin[g + 1]; ++i) {
      const double s = static_cast<double>(slope[i]), c = static_cast<double>(curvature[i]);
      const double q = static_cast<double>(groups.exponential[i]) / groups.sum[g];
      const double h = c + q * (q * bend - pull);
      out.add(pairs.order[i], T(factor * (s - q * pull)), h > 0 ? T(factor * h) : T(0));
      own_pull += s;
      own_bend += s + c;
    }
    const double fall = groups.fall[g];
    pull = pull * fall + own_pull;
    bend = bend * fall * fall + own_bend;
  }
  return {T(factor * values.total()), true};
}

/// What a loss with `negatives`, `normalize` and phi() calls.
template <class L, Real T>
Contribution<T> each_or_joint(const L& loss, const ListView<T>& list, const GradientSink<T>& out, Workspace& workspace) {
  if (loss.negatives == Negatives::each) return comparable_pairs(loss.phi(), loss.normalize, list, out, workspace);
  checked_size(list);
  const auto frame = workspace.frame();
  const auto pairs = without_weightless(sort_by_label(list, list.labels.data(), workspace));
  return joint_negatives(loss.phi(), loss.normalize, pairs, static_cast<const T*>(nullptr), out, workspace);
}

}  // namespace pairwise
}  // namespace rankgrad
