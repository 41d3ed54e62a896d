// rankgrad/triplet/euclidean_triplet.hpp: triplet margin loss on Euclidean distances of vectors.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/evaluate.hpp>
#include <rankgrad/simd/rows.hpp>

#include <cmath>

namespace rankgrad::inline RANKGRAD_ABI {

/// Anchors, each with one positive and as many negatives as every other:
///   anchors [n d], positives [n d], negatives [n m d]   row-major; the m negatives of an anchor stand together
///   weights [n]                                         of the anchors, >= 0; empty means 1 for all
///   width                                               d
/// The gradient is [n d + n d + n m d]: that of the anchors, of the positives, of the negatives.
template <Real T>
struct TripletVectorsView {
  using value_type = T;

  std::span<const T> anchors{}, positives{}, negatives{};
  std::span<const T> weights{};
  std::size_t width = 1;

  constexpr std::size_t size() const noexcept { return width == 0 ? 0 : anchors.size() / width; }
  constexpr std::size_t negatives_each() const noexcept { return anchors.empty() ? 0 : negatives.size() / anchors.size(); }
  constexpr T weight(std::size_t i) const noexcept { return weights.empty() ? T(1) : weights[i]; }
  constexpr bool is_whole() const noexcept {
    return width > 0 && anchors.size() == size() * width && positives.size() == anchors.size() &&
           negatives.size() == negatives_each() * anchors.size();
  }
};
template <Real T>
constexpr std::size_t gradient_size(const TripletVectorsView<T>& view) noexcept {
  return view.anchors.size() + view.positives.size() + view.negatives.size();
}
template <Real T>
constexpr std::size_t checked_size(const TripletVectorsView<T>& view) {
  RANKGRAD_EXPECTS(view.is_whole(), "anchors, positives and negatives are not whole rows that belong together");
  RANKGRAD_EXPECTS(view.weights.empty() || view.weights.size() == view.size(), "weights and anchors differ in number");
  return view.size();
}
template <Real T>
Status validate(const TripletVectorsView<T>& view) {
  if (!view.is_whole())
    return Status::error("rankgrad: %zu values of anchors, %zu of positives and %zu of negatives are not triplets of width %zu",
                         view.anchors.size(), view.positives.size(), view.negatives.size(), view.width);
  if (Status s = detail::check_optional_length("weights", view.weights.size(), view.size()); !s) return s;
  return detail::check_values<T>("weights", view.weights, {}, T(0), std::numeric_limits<T>::max());
}

/// Triplet margin loss on Euclidean distances.
///
///   L          = (1/W) sum_i w_i sum_j [ m + D(a_i, p_i) - D(a_i, n_ij) ]_+      D(x, y) = |x - y + eps|_2, eps on each element
///   to a       (w_i / W) (u - v)     u = (a - p + eps) / D(a, p),  v = (a - n + eps) / D(a, n)
///   to p, n    -(w_i / W) u,  (w_i / W) v               of the triplets whose bracket is positive
///   h          (w_i / W) ( (1 - u^2) / D(a, p) + (1 - v^2) / D(a, n) ) for a, its first part for p, its second for n
///              elementwise
///
/// Curvature   bound: distances are convex, that to the negative is subtracted; h has the absolute values of both parts (for the
///             positive it is the exact diagonal).
/// Shapes      a TripletVectorsView of n anchors with m negatives each.
/// Units       those of the vectors.
/// No signal   there are no triplets, or all weights are 0.
/// Cost        O(n m d) time, no scratch.
/// Numerics    a distance of 0 has gradient and curvature 0; a bracket of exactly 0 is inactive.
/// Parameters  margin m 0.1. epsilon 1e-6: without it equal vectors have no direction. normalize: sum (default, source: W = 1;
///             it divides by the batch times the negatives of a query outside), or mean, W = m sum_i w_i.
/// Source      SelaVPR, arXiv 2402.14505, and its code (global features). Schroff, Kalenichenko, Philbin, FaceNet, CVPR 2015
///             (arXiv 1503.03832), have squared distances.
struct EuclideanTriplet {
  static constexpr std::string_view name = "euclidean_triplet";
  static constexpr Curvature curvature = Curvature::bound;
  template <Real T>
  using View = TripletVectorsView<T>;

  double margin = 0.1;
  double epsilon = 1e-6;
  Normalize normalize = Normalize::sum;

  Status check() const {
    if (!is_finite(margin)) return Status::error("rankgrad: EuclideanTriplet.margin is %g; it must be finite", margin);
    return check_parameter("EuclideanTriplet.epsilon", epsilon, 0, true);
  }

  template <Real T>
  Contribution<T> value_and_gradient(TripletVectorsView<T> view, GradientSink<T> out, Workspace&) const {
    const std::size_t n = checked_size(view), d = view.width, each = view.negatives_each();
    double total_weight = 0;
    for (std::size_t i = 0; i < n; ++i) total_weight += static_cast<double>(view.weight(i));
    if (each == 0 || !(total_weight > 0)) return {};
    const double share = normalize == Normalize::mean ? 1 / (total_weight * static_cast<double>(each)) : 1;
    const std::size_t to_positives = n * d, to_negatives = 2 * n * d;
    double value = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const double weight = share * static_cast<double>(view.weight(i));
      if (weight == 0) continue;
      const T *const a = view.anchors.data() + i * d, *const p = view.positives.data() + i * d;
      const double to_positive = distance(a, p, d), slope = weight * static_cast<double>(out.scale);
      std::size_t active = 0;
      for (std::size_t j = i * each; j < (i + 1) * each; ++j) {
        const T* const negative = view.negatives.data() + j * d;
        const double to_negative = distance(a, negative, d), violation = margin + (to_positive - to_negative);
        if (violation <= 0) continue;   // written so that NaN stays visible
        value += weight * violation;
        ++active;
        add(a, negative, to_negative, -slope, d, out, i * d, to_negatives + j * d);
      }
      if (active > 0) add(a, p, to_positive, slope * static_cast<double>(active), d, out, i * d, to_positives + i * d);
    }
    return {static_cast<T>(value), true};
  }

 private:
  template <Real T>
  double distance(const T* x, const T* y, std::size_t d) const {
    using namespace simd;
    const Pack<T> shift(static_cast<T>(epsilon));
    BlockedSum<T> sum;
    for_each_pack<T>(d, [&](std::size_t c, auto at) RANKGRAD_INLINE {
      const Pack<T> z = (at.load(x + c, T(0)) - at.load(y + c, T(0)) + shift) * at.load_ones();
      sum.add(z * z, at);
    });
    return std::sqrt(sum.total());
  }

  /// Adds slope dD/dx, slope dD/dy and |slope| d2D at the places x_at, y_at of the sink.
  template <Real T>
  void add(const T* x, const T* y, double distance, double slope, std::size_t d, const GradientSink<T>& out, std::size_t x_at,
           std::size_t y_at) const {
    using namespace simd;
    if (distance == 0) return;
    const Pack<T> shift(static_cast<T>(epsilon)), inverse(static_cast<T>(1 / distance)), factor(static_cast<T>(slope));
    const Pack<T> bend(static_cast<T>(std::abs(slope) / distance)), one(T(1)), zero(T(0));
    for_each_pack<T>(d, [&](std::size_t c, auto at) RANKGRAD_INLINE {
      const Pack<T> unit = inverse * (at.load(x + c, T(0)) - at.load(y + c, T(0)) + shift), g = factor * unit;
      at.accumulate(out.grad + x_at + c, g);
      at.accumulate(out.grad + y_at + c, -g);
      if (!out.hess) return;
      const Pack<T> h = bend * max(zero, one - unit * unit);
      at.accumulate(out.hess + x_at + c, h);
      at.accumulate(out.hess + y_at + c, h);
    });
  }
};

}  // namespace rankgrad
