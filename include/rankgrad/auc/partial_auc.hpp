// rankgrad/auc/partial_auc.hpp: the part of the ROC curve that matters: the hardest negatives, the hardest positives.
// SPDX-License-Identifier: MIT
//
// Read first: auc/mann_whitney.hpp. Soft versions of the selection: auc/kl_dro.hpp.
#pragma once

#include <rankgrad/auc/mann_whitney.hpp>
#include <rankgrad/core/mask.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

namespace auc {

/// FPR in [min_fpr, max_fpr] and TPR >= min_tpr, as parts of the classes: going down the ranking, the negatives between
/// min_fpr and max_fpr of the weight of all negatives, and the positives after min_tpr of theirs.
struct RocRegion {
  double min_fpr, max_fpr, min_tpr;
};

/// The share of [begin, begin + length] that lies in [low, high].
inline double share_inside(double begin, double length, double low, double high) {
  const double inside = std::min(begin + length, high) - std::max(begin, low);
  return length > 0 && inside > 0 ? std::min(inside / length, 1.0) : 0;
}

/// The items inside the region, each with the part of its weight that lies inside; `kept[r]` is where item r came from.
/// Items of the same class and score share what their group has inside, so their order does not matter.
template <Real T>
ListView<T> select(const ListView<T>& list, const RocRegion& region, std::uint32_t* kept, Workspace& workspace) {
  const std::size_t n = list.size();
  double positives = 0, negatives = 0;
  for (std::size_t i = 0; i < n; ++i) (list.labels[i] > T(0) ? positives : negatives) += static_cast<double>(list.weight(i));
  std::uint32_t* order = workspace.take<std::uint32_t>(n);
  rank_order(list, Ties::stable, 0, order, workspace);
  T* scores = workspace.take<T>(n);
  T* labels = workspace.take<T>(n);
  T* weights = workspace.take<T>(n);
  std::size_t size = 0;
  double positives_above = 0, negatives_above = 0;
  for (std::size_t r = 0; r < n;) {
    double tied_positives = 0, tied_negatives = 0;
    std::size_t end = r;
    for (; end < n && list.scores[order[end]] == list.scores[order[r]]; ++end)
      (list.labels[order[end]] > T(0) ? tied_positives : tied_negatives) += static_cast<double>(list.weight(order[end]));
    const double positive_share = share_inside(positives_above, tied_positives, region.min_tpr * positives, positives);
    const double negative_share =
        share_inside(negatives_above, tied_negatives, region.min_fpr * negatives, region.max_fpr * negatives);
    for (; r < end; ++r) {
      const std::uint32_t i = order[r];
      const double share = list.labels[i] > T(0) ? positive_share : negative_share;
      if (!(share > 0)) continue;
      scores[size] = list.scores[i];
      labels[size] = list.labels[i];
      weights[size] = static_cast<T>(share * static_cast<double>(list.weight(i)));
      kept[size++] = i;
    }
    positives_above += tied_positives;
    negatives_above += tied_negatives;
  }
  return {.scores = {scores, size}, .labels = {labels, size}, .weights = {weights, size}, .index = list.index};
}

}  // namespace auc

/// Partial AUC: Mann-Whitney on the pairs that make up a part of the ROC curve.
///
///   L(s, y) = (1 / A'B') sum_{i in P'} sum_{k in N'} a_i b_k phi(z_ik),   z_ik = (s_i - s_k) / tau
///   P'  the lowest-scored 1 - min_tpr of the positives
///   N'  of the negatives, by falling score, the part from min_fpr to max_fpr
///   The gradient is that of MannWhitney on P' x N'; the selection is held constant, which is exact wherever the
///   scores are not tied at its borders.
///
/// One-way     min_tpr = 0: FPR in [min_fpr, max_fpr]. With min_fpr = 0 and phi falling, this is the mean over the
///             positives of the mean of their K = max_fpr B largest pair losses (conditional value at risk).
/// Two-way     min_tpr > 0 as well: TPR >= min_tpr.
/// K           need not be whole: the border item counts with the part of its weight that is inside, and equal scores
///             at the border share that part. Weights are parts of the whole: weight 2 is the item twice.
/// Curvature   exact diagonal for a fixed selection, >= 0.
/// Shapes, units, numerics, surrogates, temperature, margin, scope, normalize: as MannWhitney. The square does not fall
///             beyond its margin; for it the selection is by score all the same.
/// No signal   no positive or no negative of positive weight, or nothing inside.
/// Cost        one sort, then MannWhitney on what was selected.
/// Parameters  0 <= min_fpr < max_fpr <= 1, 0 <= min_tpr < 1.
/// Errors      a parameter out of range, at the door. With a NaN score nothing is selected away: it shows in the value.
/// Source      Zhu et al., When AUC meets DRO, ICML 2022 (SOPA: top K negatives); Yang et al., When all we need is a
///             piece of the pie, ICML 2021 (two-way). LibAUC rounds K to whole items.
struct PartialAuc {
  static constexpr std::string_view name = "partial_auc";
  static constexpr Curvature curvature = Curvature::diagonal;

  double max_fpr = 0.2;
  double min_fpr = 0;
  double min_tpr = 0;
  double temperature = 1;
  double margin = 1;
  Surrogate surrogate = Surrogate::squared_hinge;
  Scope scope = Scope::list;
  Normalize normalize = Normalize::mean;

  MannWhitney pairs() const { return {temperature, margin, surrogate, scope, normalize}; }
  Status check() const {
    if (Status status = check_parameter_between("PartialAuc.min_fpr", min_fpr, 0, 1); !status) return status;
    if (Status status = check_parameter_between("PartialAuc.max_fpr", max_fpr, 0, 1); !status) return status;
    if (!(min_fpr < max_fpr))
      return Status::error("rankgrad: PartialAuc.max_fpr is %g; it must be above min_fpr, %g", max_fpr, min_fpr);
    if (!(min_tpr >= 0 && min_tpr < 1))
      return Status::error("rankgrad: PartialAuc.min_tpr is %g; it must be at least 0 and below 1", min_tpr);
    return pairs().check();
  }

  template <Real T>
  Contribution<T> value_and_gradient(ListView<T> list, GradientSink<T> out, Workspace& workspace) const {
    const std::size_t n = checked_size(list);
    for (const T score : list.scores)
      if (!is_finite(score)) return pairs().value_and_gradient(list, out, workspace);
    const auto frame = workspace.frame();
    std::uint32_t* kept = workspace.take<std::uint32_t>(n);
    const ListView<T> inside = auc::select(list, auc::RocRegion{min_fpr, max_fpr, min_tpr}, kept, workspace);
    return evaluate_part(pairs(), inside, Kept{kept, inside.size(), n}, out, workspace);
  }
};

}  // namespace rankgrad
