// rankgrad/contrastive/orthogonality.hpp: vectors of several views that should differ, and the scores that they give.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/evaluate.hpp>
#include <rankgrad/simd/dot.hpp>

#include <cmath>

namespace rankgrad::inline RANKGRAD_ABI {

/// Some vectors of one length, owned by somebody else: values [m d], row-major. The gradient has the same layout.
template <Real T>
struct VectorsView {
  using value_type = T;

  std::span<const T> values{};
  std::size_t width = 1;   ///< d

  constexpr std::size_t size() const noexcept { return width == 0 ? 0 : values.size() / width; }
  constexpr const T* row(std::size_t k) const noexcept { return values.data() + k * width; }
};

template <Real T>
constexpr std::size_t gradient_size(const VectorsView<T>& view) noexcept { return view.values.size(); }
template <Real T>
constexpr std::size_t checked_size(const VectorsView<T>& view) {
  RANKGRAD_EXPECTS(view.width > 0 && view.values.size() % view.width == 0, "the vectors are not whole rows of `width`");
  return view.size();
}
template <Real T>
Status validate(const VectorsView<T>& view) {
  if (view.width > 0 && view.values.size() % view.width == 0) return {};
  return Status::error("rankgrad: %zu values are not whole vectors of width %zu", view.values.size(), view.width);
}

/// Orthogonality of vectors a_1 .. a_m (anchors of the views of a query).
///
///   L(a)      = sum_{k != l} c_kl^2 = sum_{k,l} (c_kl - 1[k = l])^2      c_kl = <u_k, u_l>,  u_k = a_k / |a_k|
///   dL/da_k   = (4 / |a_k|) sum_{l != k} c_kl (u_l - c_kl u_k)
///   h_k       = (4 / |a_k|^2) sum_{l != k} (u_l - c_kl u_k)^2            elementwise
///
/// Curvature   Gauss-Newton (the cosines are the residuals), >= 0.
/// Shapes      values [m d]. Each pair counts twice, and there is no 1 / m^2, as in the source.
/// No signal   fewer than two vectors. A vector of length 0 has cosine 0 with all others, and no gradient.
/// Cost        O(m^2 d) time, m d scratch.
/// Parameters  smallest_norm: vectors are divided by at least that.
/// Source      MVP, arXiv 2509.07485, orthogonality term, and its code; the mean over a batch is the caller's.
struct Orthogonality {
  static constexpr std::string_view name = "orthogonality";
  static constexpr Curvature curvature = Curvature::gauss_newton;
  template <Real T>
  using View = VectorsView<T>;

  double smallest_norm = 1e-12;

  Status check() const { return check_parameter("Orthogonality.smallest_norm", smallest_norm, 0); }

  template <Real T>
  Contribution<T> value_and_gradient(VectorsView<T> view, GradientSink<T> out, Workspace& workspace) const {
    using namespace simd;
    const std::size_t m = checked_size(view), d = view.width;
    if (m < 2) return {};
    const auto frame = workspace.frame();
    double* const inverse_norms = workspace.take<double>(m);
    T* const units = workspace.take<T>(m * d);
    for (std::size_t k = 0; k < m; ++k) {
      const double norm = std::sqrt(dot(view.row(k), view.row(k), d));
      inverse_norms[k] = norm == 0 ? 0 : 1 / std::max(smallest_norm, norm);
      const Pack<T> inverse(static_cast<T>(inverse_norms[k]));
      for_each_pack<T>(d, [&](std::size_t i, auto at) RANKGRAD_INLINE {
        at.store(units + k * d + i, inverse * at.load(view.row(k) + i, T(0)));
      });
    }
    double value = 0;
    for (std::size_t k = 0; k < m; ++k)
      for (std::size_t l = 0; l < m; ++l) {
        if (l == k) continue;
        const T *const own = units + k * d, *const other = units + l * d;
        const double c = dot(own, other, d), slope = 4 * static_cast<double>(out.scale) * inverse_norms[k];
        value += c * c;
        const Pack<T> cosine(static_cast<T>(c)), pull(static_cast<T>(slope * c)), bend(static_cast<T>(slope * inverse_norms[k]));
        T* const grad = out.grad + k * d;
        T* const hess = out.hess ? out.hess + k * d : nullptr;
        for_each_pack<T>(d, [&](std::size_t i, auto at) RANKGRAD_INLINE {
          const Pack<T> across = fnma(cosine, at.load(own + i, T(0)), at.load(other + i, T(0)));
          at.store(grad + i, fma(pull, across, at.load(grad + i, T(0))));
          if (hess) at.store(hess + i, fma(bend, across * across, at.load(hess + i, T(0))));
        });
      }
    return {static_cast<T>(value), true};
  }
};

/// Anchor scores: s_i = (1/m) sum_k <a_k, e_ik> for anchors a [m d] and the vectors e [n m d] of n passages under m views.
/// Source: MVP, arXiv 2509.07485 (dot products, not cosines). O(n m d).
template <Real T>
void anchor_scores(const VectorsView<T>& anchors, std::span<const T> vectors, std::span<T> scores) {
  const std::size_t m = checked_size(anchors), size = anchors.values.size();
  RANKGRAD_EXPECTS(vectors.size() == scores.size() * size, "the vectors are not n rows of all views");
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const double sum = simd::dot(anchors.values.data(), vectors.data() + i * size, size);
    scores[i] = static_cast<T>(m == 0 ? 0 : sum / static_cast<double>(m));
  }
}

/// Adds what dL/ds = upstream [n] is to anchors and vectors (either may be empty: not wanted):
///   dL/da_k = (1/m) sum_i g_i e_ik,   dL/de_ik = g_i a_k / m
template <Real T>
void add_anchor_score_gradient(const VectorsView<T>& anchors, std::span<const T> vectors, std::span<const T> upstream,
                               std::span<T> anchor_gradient, std::span<T> vector_gradient) {
  using namespace simd;
  const std::size_t m = checked_size(anchors), size = anchors.values.size();
  RANKGRAD_EXPECTS(vectors.size() == upstream.size() * size, "the vectors are not n rows of all views");
  RANKGRAD_EXPECTS(anchor_gradient.empty() || anchor_gradient.size() == size, "gradient and anchors differ in size");
  RANKGRAD_EXPECTS(vector_gradient.empty() || vector_gradient.size() == vectors.size(), "gradient and vectors differ in size");
  for (std::size_t i = 0; i < upstream.size(); ++i) {
    const Pack<T> g(static_cast<T>(static_cast<double>(upstream[i]) / static_cast<double>(m)));
    const T *const e = vectors.data() + i * size, *const a = anchors.values.data();
    T* const to_anchor = anchor_gradient.empty() ? nullptr : anchor_gradient.data();
    T* const to_vector = vector_gradient.empty() ? nullptr : vector_gradient.data() + i * size;
    for_each_pack<T>(size, [&](std::size_t j, auto at) RANKGRAD_INLINE {
      if (to_anchor) at.store(to_anchor + j, fma(g, at.load(e + j, T(0)), at.load(to_anchor + j, T(0))));
      if (to_vector) at.store(to_vector + j, fma(g, at.load(a + j, T(0)), at.load(to_vector + j, T(0))));
    });
  }
}

}  // namespace rankgrad
