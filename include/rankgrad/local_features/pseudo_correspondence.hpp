// rankgrad/local_features/pseudo_correspondence.hpp: patches of two images of one place that the model itself finds to be the
// same, and a loss that draws their local features together.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/evaluate.hpp>
#include <rankgrad/simd/dot.hpp>

#include <cmath>
#include <utility>

namespace rankgrad::inline RANKGRAD_ABI {

/// Patch u of one image, patch v of the other and their similarity, which is the weight of the pair.
struct Correspondence {
  std::uint32_t u = 0, v = 0;
  double similarity = 0;
};

/// Pseudo-correspondences: an important patch of one image and the patch of the other that is its nearest neighbour within the
/// same cluster, where it is so clearly.
///
///   anchors         u of a with importance_u > importance_above, in the order of the patches
///   candidates of u v of b with plan_b[k, v] > assignment_above, k = the cluster argmax plan_a[., u] (the first of equal ones)
///   kept            s1 > similarity_above and s1 / s2 > ratio_above, s1 >= s2 the two highest similarities of u to candidates
///   The first `most` pairs that are kept are returned.
///
/// Shapes      importance [U]; plan_a [K U] and plan_b [K V], row-major, one row for each cluster; similarity [U V].
/// Cost        O(U K + A V) for A anchors, and no scratch.
/// Parameters  importance_above 0.1, assignment_above 0.1, similarity_above 0.8, ratio_above 2, most 5 (source).
///             unrivalled: what the ratio cannot judge, a single candidate or s2 <= 0, is kept (true) or left out (false, as the
///             source does: there a missing rival has the similarity -10, which makes the ratio negative). Nothing is divided by
///             s2. skip_first_anchor: the source leaves out the first anchor of an image; false here.
/// Source      FoL, arXiv 2504.09881, and its code.
struct PseudoCorrespondences {
  double importance_above = 0.1;
  double assignment_above = 0.1;
  double similarity_above = 0.8;
  double ratio_above = 2;
  std::size_t most = 5;
  bool unrivalled = false;
  bool skip_first_anchor = false;

  Status check() const {
    for (const double x : {importance_above, assignment_above, similarity_above})
      if (!is_finite(x)) return Status::error("rankgrad: a threshold of PseudoCorrespondences is %g; it must be finite", x);
    return check_parameter("PseudoCorrespondences.ratio_above", ratio_above, 0);
  }

  /// Writes to `found`, which has room for `most` (or for all U) pairs, and returns how many there are.
  template <Real T>
  std::size_t select(std::span<const T> importance, std::span<const T> plan_a, std::span<const T> plan_b,
                     std::span<const T> similarity, std::span<Correspondence> found) const {
    const std::size_t rows = importance.size(), clusters = rows == 0 ? 0 : plan_a.size() / rows;
    const std::size_t columns = rows == 0 ? 0 : similarity.size() / rows;
    RANKGRAD_EXPECTS(clusters * rows == plan_a.size(), "plan_a has not one row of all patches for each cluster");
    RANKGRAD_EXPECTS(rows == 0 || clusters * columns == plan_b.size(), "plan_b has not one row of all patches for each cluster");
    RANKGRAD_EXPECTS(columns * rows == similarity.size(), "the similarities are not whole rows");
    RANKGRAD_EXPECTS(found.size() >= std::min(most, rows), "there is no room for all correspondences");
    std::size_t count = 0;
    bool skip = skip_first_anchor;
    for (std::size_t u = 0; u < rows && clusters > 0 && count < most; ++u) {
      if (!(static_cast<double>(importance[u]) > importance_above)) continue;
      if (std::exchange(skip, false)) continue;
      std::size_t cluster = 0;
      for (std::size_t k = 1; k < clusters; ++k)
        if (plan_a[k * rows + u] > plan_a[cluster * rows + u]) cluster = k;
      const T *const row = similarity.data() + u * columns, *const assigned = plan_b.data() + cluster * columns;
      std::size_t best = columns;
      T second = T(0);   // what is not above 0 is no rival
      for (std::size_t v = 0; v < columns; ++v) {
        if (!(static_cast<double>(assigned[v]) > assignment_above) || !is_finite(row[v])) continue;
        if (best == columns || row[v] > row[best]) {
          if (best < columns) second = row[best];
          best = v;
        } else if (row[v] > second) {
          second = row[v];
        }
      }
      if (best == columns) continue;
      const double s1 = static_cast<double>(row[best]), s2 = static_cast<double>(second);
      if (s1 > similarity_above && (s2 > 0 ? s1 > ratio_above * s2 : unrivalled))
        found[count++] = {static_cast<std::uint32_t>(u), static_cast<std::uint32_t>(best), s1};
    }
    return count;
  }
};

/// The local features of matched places:
///   features [2 T d]   row-major: the T features of one image, then those of the other that belong to them
///   weights [T]        >= 0, constants (the similarities of the correspondences); empty means 1 for all
///   width              d
/// The gradient has the layout of `features`.
template <Real T>
struct MatchedFeaturesView {
  using value_type = T;

  std::span<const T> features{};
  std::span<const T> weights{};
  std::size_t width = 1;

  constexpr std::size_t size() const noexcept { return width == 0 ? 0 : features.size() / (2 * width); }
  constexpr T weight(std::size_t t) const noexcept { return weights.empty() ? T(1) : weights[t]; }
};
template <Real T>
constexpr std::size_t gradient_size(const MatchedFeaturesView<T>& view) noexcept { return view.features.size(); }
template <Real T>
constexpr std::size_t checked_size(const MatchedFeaturesView<T>& view) {
  RANKGRAD_EXPECTS(view.features.size() == 2 * view.size() * view.width, "the features are not two equal sets of whole rows");
  RANKGRAD_EXPECTS(view.weights.empty() || view.weights.size() == view.size(), "weights and pairs of features differ in number");
  return view.size();
}
template <Real T>
Status validate(const MatchedFeaturesView<T>& view) {
  if (view.width == 0 || view.features.size() != 2 * view.size() * view.width)
    return Status::error("rankgrad: %zu values are not pairs of features of width %zu", view.features.size(), view.width);
  if (Status s = detail::check_optional_length("weights", view.weights.size(), view.size()); !s) return s;
  return detail::check_values<T>("weights", view.weights, {}, T(0), std::numeric_limits<T>::max());
}

/// Weighted cosine distance of matched features.
///
///   L          = (1/T) sum_t w_t (1 - c_t)       c_t = <a_t, b_t> / (|a_t| |b_t|)
///   dL/da_t    = -(w_t / T) (b^ - c a^) / |a|     unit vectors with ^; likewise b
///   h          = (w_t / T) |2 a^ b^ + c (1 - 3 a^^2)| / |a|^2     elementwise; likewise b
///
/// Curvature   bound: h is the absolute value of the exact diagonal; the loss is not convex.
/// Shapes      a MatchedFeaturesView of T pairs.
/// Units       1 at a right angle.
/// No signal   there are no pairs, all have weight 0, or none has two directions. A pair with a feature no longer than
///             smallest_norm has no cosine; it is left out of the sum, and counted in T.
/// Cost        O(T d) time, no scratch.
/// Parameters  normalize: mean (default) divides by the number T of pairs, whatever they weigh, as the source does; sum by
///             nothing. smallest_norm 1e-12. The source weighs this loss 0.01: see weighted(). Its features are means of 3 x 3
///             cells of the up-sampled local features around the patch; those means are the caller's.
/// Source      FoL, arXiv 2504.09881, and its code, which takes the similarities of the correspondences for weights.
struct CorrespondenceCosine {
  static constexpr std::string_view name = "correspondence_cosine";
  static constexpr Curvature curvature = Curvature::bound;
  template <Real T>
  using View = MatchedFeaturesView<T>;

  Normalize normalize = Normalize::mean;
  double smallest_norm = 1e-12;

  Status check() const { return check_parameter("CorrespondenceCosine.smallest_norm", smallest_norm, 0, true); }

  template <Real T>
  Contribution<T> value_and_gradient(MatchedFeaturesView<T> view, GradientSink<T> out, Workspace&) const {
    using namespace simd;
    const std::size_t n = checked_size(view), d = view.width;
    const double share = normalize == Normalize::mean && n > 0 ? 1 / static_cast<double>(n) : 1;
    double value = 0;
    bool any_pair = false;
    for (std::size_t t = 0; t < n; ++t) {
      const double weight = share * static_cast<double>(view.weight(t));
      if (weight == 0) continue;
      const std::size_t at_a = t * d, at_b = (n + t) * d;
      const T *const a = view.features.data() + at_a, *const b = view.features.data() + at_b;
      const double norm_a = std::sqrt(dot(a, a, d)), norm_b = std::sqrt(dot(b, b, d));
      if (norm_a <= smallest_norm || norm_b <= smallest_norm) continue;   // written so that NaN stays visible
      const double cosine = dot(a, b, d) / norm_a / norm_b;
      value += weight * (1 - cosine);
      any_pair = true;
      const double slope = weight * static_cast<double>(out.scale);
      add(a, norm_a, b, norm_b, cosine, slope, d, out.grad + at_a, out.hess ? out.hess + at_a : nullptr);
      add(b, norm_b, a, norm_a, cosine, slope, d, out.grad + at_b, out.hess ? out.hess + at_b : nullptr);
    }
    return {static_cast<T>(value), any_pair};
  }

 private:
  template <Real T>
  static void add(const T* own, double own_norm, const T* other, double other_norm, double cosine, double slope, std::size_t d,
                  T* grad, T* hess) {
    using namespace simd;
    const Pack<T> own_inverse(static_cast<T>(1 / own_norm)), other_inverse(static_cast<T>(1 / other_norm));
    const Pack<T> c(static_cast<T>(cosine)), to_slope(static_cast<T>(slope / own_norm));
    const Pack<T> to_bend(static_cast<T>(slope / own_norm / own_norm)), one(T(1)), two(T(2)), three(T(3));
    for_each_pack<T>(d, [&](std::size_t i, auto at) RANKGRAD_INLINE {
      const Pack<T> x = own_inverse * at.load(own + i, T(0)), y = other_inverse * at.load(other + i, T(0));
      at.accumulate(grad + i, to_slope * (c * x - y));
      if (hess) at.accumulate(hess + i, to_bend * abs(two * x * y + c * (one - three * x * x)));
    });
  }
};

}  // namespace rankgrad
