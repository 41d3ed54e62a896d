// rankgrad/pairwise/rank_margin.hpp: a hinge whose margin grows with the distance of the two items in the target ranking.
// SPDX-License-Identifier: MIT
//
// With u_i = s_i + i lambda, i the place in the target ranking, s_j - s_i + (j - i) lambda = u_j - u_i: the loss is a hinge
// without margin over u. So sum and mean are pairwise/hinge_sweep.hpp; the mean for each gap is the pair engine with a weight
// for each gap. u is relative to the middle of the scores, so that a common offset costs no digits.
//
// Read first: pairwise/engine.hpp, pairwise/hinge_sweep.hpp.
#pragma once

#include <rankgrad/pairwise/hinge_sweep.hpp>
#include <rankgrad/simd/widen.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// What the sum over pairs of a RankMargin is divided by.
enum class GapReduction {
  sum,          ///< nothing
  mean,         ///< the number of pairs
  mean_per_gap  ///< for each gap j - i by itself the number of its pairs; then the gaps are added up
};

namespace pairwise {

/// omega_ij = by_gap[j - i] of a list in label order; padded.
template <Real T>
struct GapWeight {
  const T* by_gap;

  template <class>
  auto row(std::size_t i) const {
    return [this, i](std::size_t j) RANKGRAD_INLINE { return simd::load(by_gap + (j - i)); };
  }
};

/// by_gap[d] = 1 / sum of w_i w_{i + d} over the comparable pairs of that gap; 0 where there is none.
template <Real T>
GapWeight<T> gap_weights(const PairList<T>& pairs, Workspace& workspace) {
  using namespace simd;
  double* weight = workspace.take<double>(pairs.n + lanes<double>, 0.0);
  for (std::size_t i = 0, first_worse = pairs.worse_than(0); first_worse < pairs.n;) {
    for (; i < first_worse; ++i) {
      const Pack<double> own(static_cast<double>(pairs.weights[i]));
      for (std::size_t j = first_worse; j < pairs.n; j += lanes<double>)   // 0 past the end
        accumulate(weight + (j - i), own * load_wide(pairs.weights + j));
    }
    first_worse = pairs.worse_than(i);
  }
  T* by_gap = workspace.take<T>(pairs.n, T(0));
  for (std::size_t d = 1; d < pairs.n; ++d)
    if (weight[d] > 0) by_gap[d] = static_cast<T>(1 / weight[d]);
  return {by_gap};
}

}  // namespace pairwise

/// Rank-scaled margin loss (BRIO): candidates in the order of their quality, and the further apart two of them stand there,
/// the further apart their scores should be.
///
///   L(s, y)   = sum_{i < j} c_{j-i} w_i w_j max(0, s_j - s_i + (j - i) lambda)      i, j: places by falling label
///   dL/ds_i   = sum_{j < i} c_{i-j} w_i w_j 1[pair active] - sum_{j > i} c_{j-i} w_i w_j 1[pair active]
///   c_d       = 1 (sum), 1 / W (mean), 1 / W_d (mean_per_gap); W, W_d: the sum of w_i w_j over all pairs, or those with gap d
///   gold      + gold_weight (1 / V) sum_i w_i max(0, s_i - s_gold + gold_margin),   V = sum_i w_i, i: all but the gold
///
/// Curvature   exact diagonal, which is 0 almost everywhere: boosters need the floor of value_gradient_and_curvature().
/// Shapes      scores, labels [n]; weights [n] or empty, multiply pairs from both sides. An item of weight 0 still takes a
///             place. Labels give the order: equal ones keep their order in the list.
/// Units       of the score: length-normalised log-likelihoods in the source.
/// No signal   fewer than two items, no pair of positive weight and no gold term.
/// Cost        sum, mean: O(n^2) pairs for short lists, then O(n log n). mean_per_gap: O(n^2) pairs. O(n) scratch.
/// Numerics    a pair exactly at its margin is inactive (subgradient 0), as far as s + i lambda is exact in T.
/// Parameters  margin lambda >= 0, for one place. reduction: mean_per_gap (default, the released code), or mean, or sum (the
///             paper). Per gap, the one pair of the best and the worst weighs as much as all pairs of neighbours together.
///             skip_ties: equal labels are no pair, though they take their places; off as in the source. gold: the first item
///             by label is a reference, say the summary that a person wrote: it takes no place and is in no pair, but every
///             other item should stay gold_margin >= 0 below it; gold_weight >= 0.
/// Source      Liu, Liu, Radev, Neubig, BRIO: bringing order to abstractive summarization, ACL 2022 (sum); released code:
///             mean_per_gap, lambda = 0.001, no gold. Adams, Fabbri, Ladhak, Elhadad, McKeown, Generating EDU extracts for
///             plan-guided summary re-ranking, ACL 2023, train their re-ranker with it.
struct RankMargin {
  static constexpr std::string_view name = "rank_margin";
  static constexpr Curvature curvature = Curvature::diagonal;

  double margin = 0.001;
  GapReduction reduction = GapReduction::mean_per_gap;
  bool skip_ties = false;
  bool gold = false;
  double gold_margin = 0;
  double gold_weight = 1;

  Status check() const {
    if (Status status = check_parameter("RankMargin.margin", margin, 0, true); !status) return status;
    if (Status status = check_parameter("RankMargin.gold_margin", gold_margin, 0, true); !status) return status;
    return check_parameter("RankMargin.gold_weight", gold_weight, 0, true);
  }

  template <Real T>
  Contribution<T> value_and_gradient(ListView<T> list, GradientSink<T> out, Workspace& workspace) const {
    if (checked_size(list) < 2) return {};
    const auto frame = workspace.frame();
    const auto sorted = pairwise::sort_by_label(list, list.labels.data(), workspace);
    const std::size_t first = gold ? 1 : 0, n = sorted.n - first;
    const simd::Range<T> range = simd::range_of(sorted.scores, sorted.n);
    const double middle = range.finite ? range.centre() : 0;
    T *u = workspace.take<T>(n), *place = workspace.take<T>(n), *grad = workspace.take<T>(n, T(0));
    for (std::size_t i = 0; i < n; ++i) {
      u[i] = static_cast<T>((static_cast<double>(sorted.scores[first + i]) - middle) + static_cast<double>(i) * margin);
      place[i] = skip_ties ? sorted.labels[first + i] : static_cast<T>(n - i);
    }
    ListView<T> ranking{.scores = {u, n}, .labels = {place, n}};
    if (!list.weights.empty()) ranking.weights = {sorted.weights + first, n};
    Contribution<T> result = over_pairs(ranking, GradientSink<T>{grad, nullptr, out.scale}, workspace);
    if (gold) below_gold(sorted, GradientSink<T>{grad, nullptr, out.scale}, out, result);
    for (std::size_t i = 0; i < n; ++i) out.grad[sorted.order[first + i]] += grad[i];
    return result;
  }

 private:
  /// A list in target order, margins in its scores.
  template <Real T>
  Contribution<T> over_pairs(const ListView<T>& list, const GradientSink<T>& out, Workspace& workspace) const {
    using namespace pairwise;
    if (reduction != GapReduction::mean_per_gap) {
      const Normalize normalize = reduction == GapReduction::mean ? Normalize::mean : Normalize::sum;
      return hinge_sweep::evaluate(pairwise::Hinge{0}, hinge_sweep::Path::automatic, normalize, list, out, workspace);
    }
    const auto pairs = sort_by_label(list, list.labels.data(), workspace);
    return comparable_pairs(pairwise::Hinge{0}, gap_weights(pairs, workspace), Normalize::sum, pairs, out, workspace);
  }

  /// Every item of a sorted list against its first. `others`: the sink of the items behind it.
  template <Real T>
  void below_gold(const pairwise::PairList<T>& sorted, const GradientSink<T>& others, const GradientSink<T>& out,
                  Contribution<T>& result) const {
    using namespace simd;
    double total = 0;
    for (std::size_t i = 1; i < sorted.n; ++i) total += static_cast<double>(sorted.weights[i]);
    if (!(total > 0) || !(sorted.weights[0] > T(0)) || gold_weight == 0) return;
    const double factor = gold_weight / total;
    const pairwise::Hinge phi{gold_margin};
    BlockedSum<T> value, pull;
    const Pack<T> best(sorted.scores[0]), scale(out.scale * static_cast<T>(factor));
    for_each_pack<T>(sorted.n - 1, [&](std::size_t i, auto at) RANKGRAD_INLINE {
      const Pack<T> w = at.load(sorted.weights + 1 + i, T(0));
      const auto term = phi.template operator()<T>(best - at.load(sorted.scores + 1 + i, T(0)));
      value.add(w * term.value, at);
      pull.add(w * term.slope, at);
      at.accumulate(others.grad + i, -(scale * w * term.slope));
    });
    out.grad[sorted.order[0]] += out.scale * static_cast<T>(factor * pull.total());
    result = {static_cast<T>(static_cast<double>(result.value) + factor * value.total()), true};
  }
};

}  // namespace rankgrad
