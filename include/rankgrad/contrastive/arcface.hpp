// rankgrad/contrastive/arcface.hpp: softmax over cosines with an angular margin on the true class (ArcFace).
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/contrastive/info_nce.hpp>

#include <algorithm>
#include <utility>

namespace rankgrad::inline RANKGRAD_ABI {

/// Margin softmax: the class must win although its angle counts as m larger.
///
///   z_j  = S c_j for j != y,   z_y = S t,   L = log sum_j e^{z_j} - z_y          c: cosines, the scores of the list
///   t    = cos(theta + m) = c cos m - sqrt(1 - c^2) sin m    for theta = acos c <= pi - m, that is c >= -cos m
///        = c - m sin m                                        beyond, where cos(theta + m) would rise again
///   dL/dc_j = S p_j,   dL/dc_y = -S (1 - p_y) dt,   dt = cos m + c sin m / sqrt(1 - c^2), 1 beyond
///   h_j  = S^2 p_j (1 - p_j) dt_j^2                                              dt_j = 1 for j != y
///
/// Curvature   Gauss-Newton: dt held constant; exact for all classes but y.
/// Shapes      scores, labels [n], the class is the item with a label above 0; several classes have a margin each, and the loss
///             is the mean of theirs (InfoNce). weights as InfoNce.
/// Units       nats; nats per unit of cosine.
/// No signal   no class, or no other class.
/// Cost        O(n) time, one exp per item, 5 n scratch, most of which is touched at the classes only.
/// Numerics    no acos: t and dt are algebraic in c, taken in double for the class. c beyond [-1, 1] counts as the border; dt
///             grows as theta -> 0 and is held from 1 - c^2 = 1e-12 on.
/// Parameters  margin m in [0, pi/2], radians (source: 0.5); scale S > 0 (source: 64). Retrieval heads take 0.15 to 0.3 and
///             30 to 45.
/// Source      Deng, Guo, Xue, Zafeiriou, ArcFace, CVPR 2019 (arXiv 1801.07698), eq. (3); the branch beyond pi - m from its code
///             and pytorch-metric-learning. Training loss of the backbone of SuperGlobal, arXiv 2308.06954, whose own m and S
///             were not checked.
struct ArcFace {
  static constexpr std::string_view name = "arcface";
  static constexpr Curvature curvature = Curvature::gauss_newton;

  double margin = 0.5;
  double scale = 64;

  Status check() const {
    if (Status s = check_parameter_between("ArcFace.margin", margin, 0, 1.5707963267948966); !s) return s;
    return check_parameter("ArcFace.scale", scale, 0);
  }

  template <Real T>
  Contribution<T> value_and_gradient(ListView<T> list, GradientSink<T> out, Workspace& workspace) const {
    const std::size_t n = checked_size(list);
    const auto frame = workspace.frame();
    const T *const cosines = list.scores.data(), *const labels = list.labels.data();
    const auto for_classes = [&](const auto& body) {
      simd::for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
        if (!simd::any(at.load(labels + i, T(0)) > simd::Pack<T>(T(0)))) return;
        for (std::size_t j = i; j < std::min(n, i + simd::lanes<T>); ++j)
          if (labels[j] > T(0)) body(j);
      });
    };
    // The softmax adds to the others what is theirs. What stands at a class is put aside until its part has the factor dt.
    T *const moved = workspace.take<T>(n), *const slope = workspace.take<T>(n), *const grad = workspace.take<T>(n);
    T* const hess = out.hess ? workspace.take<T>(n) : nullptr;
    simd::for_each_pack<T>(n, [=](std::size_t i, auto at) RANKGRAD_INLINE { at.store(moved + i, at.load(cosines + i, T(0))); });
    for_classes([&](std::size_t j) {
      const Moved with = with_margin(static_cast<double>(cosines[j]));
      moved[j] = static_cast<T>(with.t);
      slope[j] = static_cast<T>(with.slope);
      grad[j] = std::exchange(out.grad[j], T(0));
      if (hess) hess[j] = std::exchange(out.hess[j], T(0));
    });
    list.scores = {moved, n};
    const auto result = InfoNce{.temperature = 1 / scale}.value_and_gradient(list, out, workspace);
    for_classes([&](std::size_t j) {
      out.grad[j] = result.valid ? grad[j] + slope[j] * out.grad[j] : grad[j];
      if (hess) out.hess[j] = result.valid ? hess[j] + slope[j] * slope[j] * out.hess[j] : hess[j];
    });
    return result;
  }

  /// t and dt/dc.
  struct Moved {
    double t, slope;
  };
  Moved with_margin(double raw) const {
    const double c = raw > 1 ? 1 : raw < -1 ? -1 : raw;
    if (c < -std::cos(margin)) return {c - margin * std::sin(margin), 1};
    const double sine2 = (1 - c) * (1 + c);
    return {c * std::cos(margin) - std::sqrt(sine2) * std::sin(margin),
            std::cos(margin) + c * std::sin(margin) / std::sqrt(std::max(sine2, 1e-12))};
  }
};

}  // namespace rankgrad
