// rankgrad/local_features/spatial_alignment.hpp: two maps of what matters in an image teach each other; foreground and
// background of two images of one place.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/contrastive/orthogonality.hpp>
#include <rankgrad/simd/math.hpp>
#include <rankgrad/simd/horizontal.hpp>
#include <rankgrad/simd/sorting.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// Spatial alignment of two maps c, e [U]: each is drawn to the softmax of the other, which stays constant.
///
///   c^ = softmax(flat(c)),  e^ = softmax(flat(e)),   L = KL(e^ || c^) + KL(c^ || e^) = sum_u (c^_u - e^_u) log(c^_u / e^_u)
///   gradient to c: c^ - e^,  to e: e^ - c^           cross-entropy only, not the slope of L: the targets are held constant
///   flat(x): the `flattened` largest entries become the entry on place floor(flattened_to U) of the descending order, counted
///            from 0; their gradient goes to that entry
///
/// Curvature   c^ (1 - c^) and e^ (1 - e^): exact with the targets held constant; 0 for replaced entries.
/// Shapes      a VectorsView of two rows, c then e, width U.
/// No signal   U < 2.
/// Cost        two sorts, O(U) scratch.
/// Parameters  flattened 3, flattened_to 0.05 (source); flattened = 0: none. The source weighs both halves 5e-3: see weighted().
/// Source      FoL, arXiv 2504.09881, spatial alignment loss, and its code.
struct SpatialAlignment {
  static constexpr std::string_view name = "spatial_alignment";
  static constexpr Curvature curvature = Curvature::gauss_newton;
  template <Real T>
  using View = VectorsView<T>;

  std::size_t flattened = 3;
  double flattened_to = 0.05;

  Status check() const {
    if (flattened_to >= 0 && flattened_to < 1) return {};
    return Status::error("rankgrad: SpatialAlignment.flattened_to is %g; it must be in [0, 1)", flattened_to);
  }
  template <Real T>
  Status check_input(const VectorsView<T>& view) const {
    if (view.values.empty() || view.size() == 2) return {};
    return Status::error("rankgrad: spatial alignment is of two maps; there are %zu", view.size());
  }

  template <Real T>
  Contribution<T> value_and_gradient(VectorsView<T> view, GradientSink<T> out, Workspace& workspace) const {
    using namespace simd;
    checked_size(view);
    const std::size_t n = view.width;
    if (view.size() != 2 || n < 2) return {};
    const auto frame = workspace.frame();
    Map<T> maps[2];
    for (std::size_t k = 0; k < 2; ++k) maps[k] = normalised(view.row(k), n, workspace);
    const Pack<T> apart(static_cast<T>((maps[0].top - maps[1].top) + (maps[0].log_sum - maps[1].log_sum))), one(T(1));
    BlockedSum<T> value;
    for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
      const Pack<T> difference = at.load(maps[0].p + i, T(0)) - at.load(maps[1].p + i, T(0));
      value.add(difference * ((at.load(maps[0].x + i, T(0)) - at.load(maps[1].x + i, T(0))) - apart), at);
    });
    for (std::size_t k = 0; k < 2; ++k) {
      const Map<T>&own = maps[k], &other = maps[1 - k];
      T* const grad = out.grad + k * n;
      double moved = 0;
      const auto replaced = [&](auto body) { for (std::size_t r = 0; r < own.replaced; ++r) body(own.order[r]); };
      replaced([&](std::uint32_t i) { moved += static_cast<double>(own.p[i]) - static_cast<double>(other.p[i]); });
      const Pack<T> scale(out.scale);
      T* const slope = workspace.take<T>(n);
      T* const bend = workspace.take<T>(n);
      for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
        const Pack<T> p = at.load(own.p + i, T(0));
        at.store(slope + i, p - at.load(other.p + i, T(0)));
        at.store(bend + i, p * (one - p));
      });
      replaced([&](std::uint32_t i) { slope[i] = bend[i] = T(0); });
      if (own.replaced > 0) slope[own.source] = static_cast<T>(static_cast<double>(slope[own.source]) + moved);
      for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
        at.store(grad + i, fma(scale, at.load(slope + i, T(0)), at.load(grad + i, T(0))));
        if (out.hess) at.store(out.hess + k * n + i, fma(scale, at.load(bend + i, T(0)), at.load(out.hess + k * n + i, T(0))));
      });
    }
    return {static_cast<T>(value.total()), true};
  }

 private:
  template <Real T>
  struct Map {
    T *x, *p;                    ///< flattened, and its softmax
    const std::uint32_t* order;  ///< the first `replaced` of it took the value of `source`
    std::size_t replaced;
    std::uint32_t source;
    double top, log_sum;
  };

  template <Real T>
  Map<T> normalised(const T* from, std::size_t n, Workspace& workspace) const {
    using namespace simd;
    Map<T> map{workspace.take<T>(n), workspace.take<T>(n), nullptr, 0, 0, 0, 0};
    std::copy_n(from, n, map.x);
    const std::size_t place = std::min(n - 1, static_cast<std::size_t>(flattened_to * static_cast<double>(n)));
    if (flattened > 0) {
      std::uint32_t* const order = workspace.take<std::uint32_t>(n);
      rank_descending(from, order, n, workspace);
      map.order = order;
      map.source = order[place];
      // The largest entries but for the source itself, whose value they take.
      map.replaced = std::min(flattened, n);
      for (std::size_t r = 0; r < map.replaced; ++r) map.x[order[r]] = from[map.source];
      if (place < map.replaced) {
        std::rotate(order + place, order + place + 1, order + map.replaced);
        --map.replaced;
      }
    }
    const T highest_entry = highest(map.x, n);
    const Pack<T> top(highest_entry);
    BlockedSum<T> sum;
    for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
      const Pack<T> e = exp_nonpositive<T>(at.load(map.x + i, highest_entry) - top) * at.load_ones();
      at.store(map.p + i, e);
      sum.add(e, at);
    });
    const double total = sum.total();
    const Pack<T> inverse(static_cast<T>(1 / total));
    for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE { at.store(map.p + i, inverse * at.load(map.p + i, T(0))); });
    map.top = static_cast<double>(highest_entry);
    map.log_sum = std::log(total);
    return map;
  }
};

/// The local features of two images of one place, and a soft mask of each:
///   features_a [U d], features_b [V d]   row-major, constants
///   masks [U + V]                        of a, then of b; what the gradient is of
template <Real T>
struct MaskedFeaturesView {
  using value_type = T;

  std::span<const T> features_a{}, features_b{}, masks{};
  std::size_t width = 1;   ///< d
};
template <Real T>
constexpr std::size_t gradient_size(const MaskedFeaturesView<T>& view) noexcept { return view.masks.size(); }
template <Real T>
Status validate(const MaskedFeaturesView<T>& view) {
  if (view.width > 0 && view.features_a.size() % view.width == 0 && view.features_b.size() % view.width == 0 &&
      view.masks.size() == (view.features_a.size() + view.features_b.size()) / view.width) return {};
  return Status::error("rankgrad: %zu mask entries do not fit %zu and %zu feature values of width %zu", view.masks.size(),
                       view.features_a.size(), view.features_b.size(), view.width);
}

/// Foreground with foreground, background with background: masks that cut two images of one place alike.
///
///   L = w_f (1 - cos(F_a, F_b)) + w_b (1 - cos(B_a, B_b))      F = sum_u M_u f_u,  B = sum_u (1 - M_u) f_u
///   dcos(F_a, F_b)/dM_u = (<F_b^, f_u> - cos <F_a^, f_u>) / |F_a|   for u of a, unit vectors with ^; likewise b; for B negated
///
/// Curvature   0 is written: the loss is not convex in the masks, and no bound is cheap.
/// No signal   a sum of length 0 has no direction: its term is left out; both: no signal.
/// Cost        O((U + V) d) time, O(d) scratch.
/// Parameters  foreground w_f 0.7, background w_b 0.3.
/// Source      FoL, arXiv 2504.09881, as its code has it: no repulsion between foreground and background. Masks sum to about 2
///             over all cells there, so that B is nearly the sum of all features.
struct ForegroundBackground {
  static constexpr std::string_view name = "foreground_background";
  template <Real T>
  using View = MaskedFeaturesView<T>;

  double foreground = 0.7;
  double background = 0.3;

  Status check() const {
    if (Status s = check_parameter("ForegroundBackground.foreground", foreground, 0, true); !s) return s;
    return check_parameter("ForegroundBackground.background", background, 0, true);
  }

  template <Real T>
  Contribution<T> value_and_gradient(MaskedFeaturesView<T> view, GradientSink<T> out, Workspace& workspace) const {
    const std::size_t d = view.width, u = view.features_a.size() / d, v = view.features_b.size() / d;
    const auto frame = workspace.frame();
    T* const sums = workspace.take<T>(2 * d);
    T *const sums_a = sums, *const sums_b = sums + d;
    double value = 0;
    bool any = false;
    for (const bool back : {false, true}) {
      add_up(view.features_a.data(), view.masks.data(), u, d, back, sums_a);
      add_up(view.features_b.data(), view.masks.data() + u, v, d, back, sums_b);
      const double a = std::sqrt(simd::dot(sums_a, sums_a, d)), b = std::sqrt(simd::dot(sums_b, sums_b, d));
      if (a == 0 || b == 0) continue;
      any = true;
      const double cosine = simd::dot(sums_a, sums_b, d) / (a * b), weight = back ? background : foreground;
      value += weight * (1 - cosine);
      const double slope = static_cast<double>(out.scale) * (back ? weight : -weight);
      const auto add = [&](const T* features, std::size_t n, const T* own, double own_norm, const T* other, double other_norm,
                           T* grad) {
        for (std::size_t k = 0; k < n; ++k) {
          const double to_other = simd::dot(other, features + k * d, d) / other_norm;
          const double to_own = simd::dot(own, features + k * d, d) / own_norm;
          grad[k] += static_cast<T>(slope * (to_other - cosine * to_own) / own_norm);
        }
      };
      add(view.features_a.data(), u, sums_a, a, sums_b, b, out.grad);
      add(view.features_b.data(), v, sums_b, b, sums_a, a, out.grad + u);
    }
    return {static_cast<T>(value), any};
  }

 private:
  template <Real T>
  static void add_up(const T* features, const T* mask, std::size_t n, std::size_t d, bool back, T* sum) {
    using namespace simd;
    clear(sum, d);
    for (std::size_t k = 0; k < n; ++k) {
      const Pack<T> m(back ? T(1) - mask[k] : mask[k]);
      for_each_pack<T>(d, [&](std::size_t i, auto at) RANKGRAD_INLINE {
        at.store(sum + i, fma(m, at.load(features + k * d + i, T(0)), at.load(sum + i, T(0))));
      });
    }
  }
};

}  // namespace rankgrad
