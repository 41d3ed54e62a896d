// rankgrad/metric/auc.hpp: the area under the ROC curve, whole or in part.
// SPDX-License-Identifier: MIT
//
// Read first: metric/ranked.hpp. As a loss: auc/mann_whitney.hpp, auc/partial_auc.hpp.
#pragma once

#include <rankgrad/metric/ranked.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// What the area inside a region of the ROC square is turned into: left as it is; divided by the region, so that 1 is
/// perfect; or mapped so that 1 is perfect and chance is 1/2 (McClish). The three are one for the whole square.
enum class RocScale { area, fraction, mcclish };

/// AUC: the probability that a positive stands above a negative, ties counting half.
///
///   AUC = (1 / AB) sum_{i positive} sum_{k negative} a_i b_k ( [s_i > s_k] + [s_i = s_k] / 2 ),   A = sum a, B = sum b
///
/// the trapezoid area under TPR against FPR, and so also by mid-ranks: (sum of the positives' ranks - P (P + 1) / 2) / (P N).
/// Partial: the area where min_fpr <= FPR <= max_fpr and above TPR = min_tpr, under the curve with straight lines within
/// ties; then by `scale`. As `fraction` it is the AUC of what PartialAuc selects, as long as no border cuts a group in
/// which positives and negatives are tied.
///
/// Positive    label > relevant_above.
/// Weights     multiply pairs from both sides: weight 2 is the item twice.
/// Ties        `expected` (default): half; of the whole area that is the mean over all orders. optimistic, pessimistic:
///             1 or 0. stable, shuffled: by place.
/// No signal   no positive or no negative of positive weight: the list is left out.
/// Cost        one sort, O(n) scratch.
/// Parameters  0 <= min_fpr < max_fpr <= 1, 0 <= min_tpr < 1. seed: of Ties::shuffled.
/// Errors      a parameter out of range, at the door. A NaN score is returned as the value.
/// Source      Hanley, McNeil, The meaning and use of the area under a ROC curve, Radiology 1982; McClish, Analyzing a
///             portion of the ROC curve, Medical Decision Making 1989.
struct Auc {
  static constexpr std::string_view name = "auc";

  double max_fpr = 1;
  double min_fpr = 0;
  double min_tpr = 0;
  RocScale scale = RocScale::fraction;
  double relevant_above = 0;
  Ties ties = Ties::expected;
  std::uint64_t seed = 0;

  Status check() const {
    if (Status status = check_parameter_between("Auc.min_fpr", min_fpr, 0, 1); !status) return status;
    if (Status status = check_parameter_between("Auc.max_fpr", max_fpr, 0, 1); !status) return status;
    if (!(min_fpr < max_fpr)) return Status::error("rankgrad: Auc.max_fpr is %g; it must be above min_fpr, %g", max_fpr, min_fpr);
    if (min_tpr >= 0 && min_tpr < 1) return {};
    return Status::error("rankgrad: Auc.min_tpr is %g; it must be at least 0 and below 1", min_tpr);
  }

  template <Real T>
  Contribution<T> value(ListView<T> list, Workspace& workspace) const {
    const std::size_t n = checked_size(list);
    const auto positive = [&](std::size_t i) { return static_cast<double>(list.labels[i]) > relevant_above; };
    double A = 0, B = 0;
    for (std::size_t i = 0; i < n; ++i) (positive(i) ? A : B) += static_cast<double>(list.weight(i));
    if (!(A > 0 && B > 0)) return {};
    if (const T* nan = metric::first_nan(list)) return {*nan, true};

    double area = 0, a_above = 0, b_above = 0;
    metric::for_each_group(list, list.labels.data(), ties, seed, workspace,
                           [&](std::size_t first, std::size_t last, const std::uint32_t* order) {
      double a = 0, b = 0;
      for (std::size_t r = first; r < last; ++r) (positive(order[r]) ? a : b) += static_cast<double>(list.weight(order[r]));
      area += inside(b_above / B, a_above / A, (b_above + b) / B, (a_above + a) / A);
      a_above += a;
      b_above += b;
      return true;
    });
    return {T(scaled(area)), true};
  }

  /// The area of the region under the line from (f0, t0) to (f1, t1), both rising.
  double inside(double f0, double t0, double f1, double t1) const {
    const double width = f1 - f0, rise = t1 - t0;
    double low = std::max(f0, min_fpr), high = std::min(f1, max_fpr);
    if (!(width > 0) || t1 <= min_tpr) return 0;
    if (t0 < min_tpr) low = std::max(low, f0 + width * ((min_tpr - t0) / rise));
    if (!(high > low)) return 0;
    const double middle = t0 + rise * ((low + high) / 2 - f0) / width;
    return (high - low) * std::max(middle - min_tpr, 0.0);
  }
  /// The value, from the area inside the region.
  double scaled(double area) const {
    const double best = (max_fpr - min_fpr) * (1 - min_tpr), chance = inside(0, 0, 1, 1);
    if (scale == RocScale::fraction) return area / best;
    return scale == RocScale::mcclish ? 0.5 + 0.5 * (area - chance) / (best - chance) : area;
  }
};

}  // namespace rankgrad
