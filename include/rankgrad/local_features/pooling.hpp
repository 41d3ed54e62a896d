// rankgrad/local_features/pooling.hpp: from a feature map to one descriptor, with gradients.
// SPDX-License-Identifier: MIT
//
// Maps are [U C] or [H W C], row-major: C channels at every place. Every gradient is added to what stands there.
//
// Source: SuperGlobal, arXiv 2308.06954, sec. 3, and its code, in this order: RegionalMean, GeneralizedMean, L2 norm, whitening,
// ScaleMean over the scales of the image; clamp_from_below() within the backbone. Generalised mean: Radenovic, Tolias, Chum,
// arXiv 1711.02512, eq. (3).
#pragma once

#include <rankgrad/core/validate.hpp>
#include <rankgrad/core/workspace.hpp>
#include <rankgrad/simd/dot.hpp>
#include <rankgrad/simd/math.hpp>

#include <cmath>

namespace rankgrad::inline RANKGRAD_ABI {

namespace local_features {
/// max(v, low); NaN stays.
template <class T>
RANKGRAD_INLINE inline simd::Pack<T> at_least(simd::Pack<T> v, double low) {
  const simd::Pack<T> border(static_cast<T>(low));
  return simd::select(v <= border, border, v);
}
}  // namespace local_features

/// ReLU-P: y = max(x, floor), a clamp and not a shifted ReLU.
template <Real T>
void clamp_from_below(std::span<const T> x, std::span<T> y, double floor = 0.014) {
  RANKGRAD_EXPECTS(x.size() == y.size(), "input and output differ in size");
  simd::for_each_pack<T>(x.size(), [&](std::size_t i, auto at) RANKGRAD_INLINE {
    at.store(y.data() + i, local_features::at_least<T>(at.load(x.data() + i, T(0)), floor));
  });
}
/// dL/dx = dL/dy where x > floor.
template <Real T>
void add_clamp_gradient(std::span<const T> x, std::span<const T> upstream, std::span<T> gradient, double floor = 0.014) {
  RANKGRAD_EXPECTS(x.size() == upstream.size() && x.size() == gradient.size(), "input and gradients differ in size");
  const simd::Pack<T> low(static_cast<T>(floor)), zero(T(0));
  simd::for_each_pack<T>(x.size(), [&](std::size_t i, auto at) RANKGRAD_INLINE {
    const simd::Pack<T> g = simd::select(at.load(x.data() + i, T(0)) > low, at.load(upstream.data() + i, T(0)), zero);
    at.store(gradient.data() + i, at.load(gradient.data() + i, T(0)) + g);
  });
}

/// Generalised mean over the places of a map, per channel.
///
///   y = ( (1/U) sum_u x_u^p )^(1/p),  x_u = max(map_u, smallest)
///   dy/dmap_u = (1/U) (x_u / y)^(p - 1), 0 where the map is at `smallest` or below
///   dy/dp     = (y / p) ( sum x^p log x / sum x^p - log y )
///
/// Numerics    p log(x / highest) before any exponential: no power overflows, and the highest place never underflows.
/// Parameters  power p > 0 (4.6; 3 for training heads); smallest > 0 (1e-8; 1e-6 there).
struct GeneralizedMean {
  double power = 4.6;
  double smallest = 1e-8;

  Status check() const {
    if (Status s = check_parameter("GeneralizedMean.power", power, 0); !s) return s;
    return check_parameter("GeneralizedMean.smallest", smallest, 0);
  }

  /// map [U C], pooled [C], U > 0. O(U C), C scratch.
  template <Real T>
  void pool(std::span<const T> map, std::span<T> pooled, Workspace& workspace) const {
    using namespace simd;
    const std::size_t channels = pooled.size(), places = checked_places(map.size(), channels);
    const auto frame = workspace.frame();
    T *const tops = workspace.take<T>(channels, T(0)), *const sums = workspace.take<T>(channels, T(0));
    const Pack<T> p(static_cast<T>(power)), inverse(static_cast<T>(1 / power));
    const Pack<T> share(static_cast<T>(1 / static_cast<double>(places)));
    for (std::size_t u = 0; u < places; ++u)
      for_each_pack<T>(channels, [&](std::size_t c, auto at) RANKGRAD_INLINE {
        at.store(tops + c, larger(at.load(tops + c, T(1)), clamped(at.load(map.data() + u * channels + c, T(1)))));
      });
    for (std::size_t u = 0; u < places; ++u)
      for_each_pack<T>(channels, [&](std::size_t c, auto at) RANKGRAD_INLINE {
        const Pack<T> x = clamped(at.load(map.data() + u * channels + c, T(1))), top = at.load(tops + c, T(1));
        at.store(sums + c, at.load(sums + c, T(0)) + exp_nonpositive<T>(p * below(x, top)));
      });
    for_each_pack<T>(channels, [&](std::size_t c, auto at) RANKGRAD_INLINE {
      const Pack<T> mean = share * at.load(sums + c, T(1));
      at.store(pooled.data() + c, at.load(tops + c, T(1)) * exp<T>(inverse * log_positive<T>(mean)));
    });
  }

  /// Adds dL/dmap for upstream = dL/dy [C]; returns dL/dp. `pooled` from pool().
  template <Real T>
  double add_gradient(std::span<const T> map, std::span<const T> pooled, std::span<const T> upstream,
                      std::span<T> gradient) const {
    using namespace simd;
    const std::size_t channels = pooled.size(), places = checked_places(map.size(), channels);
    RANKGRAD_EXPECTS(upstream.size() == channels && gradient.size() == map.size(), "gradients do not fit map and descriptor");
    const Pack<T> less(static_cast<T>(power - 1)), share(static_cast<T>(1 / static_cast<double>(places)));
    const Pack<T> low(static_cast<T>(smallest)), zero(T(0));
    BlockedSum<T> by_power;
    for (std::size_t u = 0; u < places; ++u)
      for_each_pack<T>(channels, [&](std::size_t c, auto at) RANKGRAD_INLINE {
        const Pack<T> v = at.load(map.data() + u * channels + c, T(1)), x = clamped(v), y = at.load(pooled.data() + c, T(1));
        const Pack<T> log_ratio = log_positive<T>(x) - log_positive<T>(y), g = at.load(upstream.data() + c, T(0));
        const Pack<T> slope = share * exp<T>(less * log_ratio);
        // sum x^p log x / sum x^p - log y = sum_u (1/U) (x/y)^p log(x/y), and y (x/y)^p = x (x/y)^(p-1).
        by_power.add(g * (slope * (x * log_ratio)), at);
        T* const to = gradient.data() + u * channels + c;
        at.store(to, at.load(to, T(0)) + select(v <= low, zero, g * slope));
      });
    return by_power.total() / power;
  }

 private:
  std::size_t checked_places(std::size_t size, std::size_t channels) const {
    require(check());
    RANKGRAD_EXPECTS(channels > 0 && size > 0 && size % channels == 0, "the map does not have the channels of the descriptor");
    return size / channels;
  }
  template <class T>
  RANKGRAD_INLINE simd::Pack<T> clamped(simd::Pack<T> v) const {
    return local_features::at_least<T>(v, smallest);
  }
  /// log(x / top) <= 0.
  template <class T>
  RANKGRAD_INLINE static simd::Pack<T> below(simd::Pack<T> x, simd::Pack<T> top) {
    const simd::Pack<T> d = simd::log_positive<T>(x) - simd::log_positive<T>(top), zero(T(0));
    return simd::select(d > zero, zero, d);
  }
};

/// Regional generalised mean: every place mixed with the mean of its window, padded by reflection.
///
///   y_u = (1 - b) x_u + b m_u,   m_u = ( (1/k^2) sum_{v in k x k window of u} x_v^p )^(1/p),  x = max(map, smallest)
///   dy_u/dx_v = (1 - b) 1[u = v] + b (1/k^2) (x_v / m_u)^(p - 1) per occurrence of v in the padded window
///
/// Numerics    x^p is formed as it is: p = 2.5 spans 1e-8 to 1e15 in float.
/// Parameters  window k, odd (5); power p (2.5); mix b (0.5); smallest (1e-8).
struct RegionalMean {
  std::size_t window = 5;
  double power = 2.5;
  double mix = 0.5;
  double smallest = 1e-8;

  Status check() const {
    if (window % 2 == 0) return Status::error("rankgrad: RegionalMean.window is %zu; it must be odd", window);
    if (Status s = check_parameter("RegionalMean.power", power, 0); !s) return s;
    if (Status s = check_parameter_between("RegionalMean.mix", mix, 0, 1); !s) return s;
    return check_parameter("RegionalMean.smallest", smallest, 0);
  }

  /// map, pooled [H W C]; H, W > window / 2. O(H W C window), 2 H W C scratch.
  template <Real T>
  void pool(std::span<const T> map, std::size_t height, std::size_t width, std::span<T> pooled, Workspace& workspace) const {
    using namespace simd;
    const std::size_t size = map.size(), channels = checked_channels(size, height, width);
    RANKGRAD_EXPECTS(pooled.size() == size, "input and output differ in size");
    const auto frame = workspace.frame();
    const T* const sums = window_sums(map.data(), height, width, channels, workspace);
    const Pack<T> own(static_cast<T>(1 - mix)), other(static_cast<T>(mix));
    const Pack<T> inverse(static_cast<T>(1 / power)), share(cell_share<T>());
    for_each_pack<T>(size, [&](std::size_t i, auto at) RANKGRAD_INLINE {
      const Pack<T> m = exp<T>(inverse * log_positive<T>(share * at.load(sums + i, T(1))));
      at.store(pooled.data() + i, fma(own, clamped(at.load(map.data() + i, T(1))), other * m));
    });
  }

  /// Adds dL/dmap for upstream = dL/dy [H W C].
  template <Real T>
  void add_gradient(std::span<const T> map, std::size_t height, std::size_t width, std::span<const T> upstream,
                    std::span<T> gradient, Workspace& workspace) const {
    using namespace simd;
    const std::size_t size = map.size(), channels = checked_channels(size, height, width);
    RANKGRAD_EXPECTS(upstream.size() == size && gradient.size() == size, "gradients do not fit the map");
    const auto frame = workspace.frame();
    T* const sums = window_sums(map.data(), height, width, channels, workspace);
    const Pack<T> share(cell_share<T>()), down(static_cast<T>(1 / power - 1)), up(static_cast<T>(power - 1));
    for_each_pack<T>(size, [&](std::size_t i, auto at) RANKGRAD_INLINE {   // g m^(1 - p)
      at.store(sums + i, at.load(upstream.data() + i, T(0)) * exp<T>(down * log_positive<T>(share * at.load(sums + i, T(1)))));
    });
    T* const back = workspace.take<T>(size);
    along<true>(sums, back, width, channels, height, width * channels);
    along<true>(back, sums, height, width * channels, 1, 0);
    const Pack<T> own(static_cast<T>(1 - mix)), other(static_cast<T>(mix)), low(static_cast<T>(smallest)), zero(T(0));
    for_each_pack<T>(size, [&](std::size_t i, auto at) RANKGRAD_INLINE {
      const Pack<T> v = at.load(map.data() + i, T(1)), power_of_x = exp<T>(up * log_positive<T>(clamped(v)));
      const Pack<T> g = fma(own, at.load(upstream.data() + i, T(0)), other * (share * (power_of_x * at.load(sums + i, T(0)))));
      at.store(gradient.data() + i, at.load(gradient.data() + i, T(0)) + select(v <= low, zero, g));
    });
  }

 private:
  template <Real T>
  T cell_share() const { return static_cast<T>(1 / static_cast<double>(window * window)); }

  std::size_t checked_channels(std::size_t size, std::size_t height, std::size_t width) const {
    require(check());
    RANKGRAD_EXPECTS(height > window / 2 && width > window / 2, "the map is too small to be reflected");
    RANKGRAD_EXPECTS(size % (height * width) == 0, "the map is not height x width places");
    return size / (height * width);
  }
  template <class T>
  RANKGRAD_INLINE simd::Pack<T> clamped(simd::Pack<T> v) const {
    return local_features::at_least<T>(v, smallest);
  }

  /// sum of x^p over the window of every place: first along the rows, then along the columns.
  template <Real T>
  T* window_sums(const T* map, std::size_t height, std::size_t width, std::size_t channels, Workspace& workspace) const {
    using namespace simd;
    const std::size_t size = height * width * channels;
    T *const powers = workspace.take<T>(size), *const rows = workspace.take<T>(size);
    const Pack<T> p(static_cast<T>(power));
    for_each_pack<T>(size, [&](std::size_t i, auto at) RANKGRAD_INLINE {
      at.store(powers + i, exp<T>(p * log_positive<T>(clamped(at.load(map + i, T(1))))));
    });
    along<false>(powers, rows, width, channels, height, width * channels);
    along<false>(rows, powers, height, width * channels, 1, 0);
    return powers;
  }

  /// to[i] = sum of from[j] over the window of i along one axis of n steps, each of `step` numbers; `lines` of them, `stride`
  /// apart. Transposed: what i holds goes to all j of its window.
  template <bool transposed, Real T>
  void along(const T* from, T* to, std::size_t n, std::size_t step, std::size_t lines, std::size_t stride) const {
    using namespace simd;
    const std::size_t radius = window / 2;
    for (std::size_t line = 0; line < lines; ++line) {
      clear(to + line * stride, n * step);
      for (std::size_t i = 0; i < n; ++i)
        for (std::size_t o = 0; o < window; ++o) {
          const std::size_t k = i + o, j = k < radius ? radius - k : k - radius < n ? k - radius : 2 * (n - 1) - (k - radius);
          const T* const source = from + line * stride + (transposed ? i : j) * step;
          T* const target = to + line * stride + (transposed ? j : i) * step;
          for_each_pack<T>(step, [&](std::size_t c, auto at) RANKGRAD_INLINE {
            at.accumulate(target + c, at.load(source + c, T(0)));
          });
        }
    }
  }
};

/// One descriptor from those of several scales [S d].
///
///   power = 0   the maximum: y_i = max_s x^_si, x^ = x / |x|; gradient to the first scale that has it, through the norm
///   power = p   y_i = ( (1/S) sum_s (x_si - g)^p )^(1/p) + g,  g = the lowest entry of this descriptor, held constant; p >= 1,
///               for the lowest entry is at 0, where a lower power has an infinite slope
///
/// The source takes g over the whole batch, which makes a descriptor depend on its neighbours; here it is its own.
struct ScaleMean {
  double power = 0;   ///< the source: maximum, or 10

  Status check() const {
    if (power == 0 || (power >= 1 && is_finite(power))) return {};
    return Status::error("rankgrad: ScaleMean.power is %g; it must be 0, for the maximum, or finite and at least 1", power);
  }

  /// scales [S d], pooled [d]. O(S d).
  template <Real T>
  void pool(std::span<const T> scales, std::span<T> pooled, Workspace& workspace) const {
    const std::size_t d = pooled.size(), count = checked_scales(scales.size(), d);
    const auto frame = workspace.frame();
    const double* const inverse = inverse_norms(scales, d, workspace);
    const double low = lowest(scales);
    for (std::size_t i = 0; i < d; ++i) {
      const auto entry = [&](std::size_t s) { return static_cast<double>(scales[s * d + i]); };
      if (power == 0) {
        const std::size_t s = best(scales, inverse, d, i);
        pooled[i] = static_cast<T>(entry(s) * inverse[s]);
        continue;
      }
      double top = 0, sum = 0;
      for (std::size_t s = 0; s < count; ++s) top = std::max(top, entry(s) - low);
      for (std::size_t s = 0; s < count; ++s) sum += top > 0 ? std::pow((entry(s) - low) / top, power) : 1;
      pooled[i] = static_cast<T>(top * std::pow(sum / static_cast<double>(count), 1 / power) + low);
    }
  }

  /// Adds dL/dscales for upstream = dL/dy [d]; `pooled` from pool().
  template <Real T>
  void add_gradient(std::span<const T> scales, std::span<const T> pooled, std::span<const T> upstream, std::span<T> gradient,
                    Workspace& workspace) const {
    const std::size_t d = pooled.size(), count = checked_scales(scales.size(), d);
    RANKGRAD_EXPECTS(upstream.size() == d && gradient.size() == scales.size(), "gradients do not fit the descriptors");
    const auto frame = workspace.frame();
    if (power > 0) {
      const double low = lowest(scales);
      for (std::size_t i = 0; i < d; ++i)
        for (std::size_t s = 0; s < count; ++s) {
          const double y = static_cast<double>(pooled[i]) - low, x = static_cast<double>(scales[s * d + i]) - low;
          const double slope = y > 0 ? std::pow(x / y, power - 1) : 1;
          gradient[s * d + i] += static_cast<T>(static_cast<double>(upstream[i]) * slope / static_cast<double>(count));
        }
      return;
    }
    const double* const inverse = inverse_norms(scales, d, workspace);
    double* const along = workspace.take<double>(count, 0.0);   // <x^, g> of what each scale gets
    std::uint32_t* const owner = workspace.take<std::uint32_t>(d);
    for (std::size_t i = 0; i < d; ++i) {
      owner[i] = static_cast<std::uint32_t>(best(scales, inverse, d, i));
      along[owner[i]] += static_cast<double>(upstream[i]) * static_cast<double>(scales[owner[i] * d + i]) * inverse[owner[i]];
    }
    for (std::size_t s = 0; s < count; ++s)
      for (std::size_t i = 0; i < d; ++i) {
        const double own = owner[i] == s ? static_cast<double>(upstream[i]) : 0;
        const double unit = static_cast<double>(scales[s * d + i]) * inverse[s];
        gradient[s * d + i] += static_cast<T>((own - along[s] * unit) * inverse[s]);
      }
  }

 private:
  std::size_t checked_scales(std::size_t size, std::size_t d) const {
    require(check());
    RANKGRAD_EXPECTS(d > 0 && size > 0 && size % d == 0, "the scales are not whole descriptors");
    return size / d;
  }
  template <Real T>
  static double lowest(std::span<const T> values) {
    T low = values[0];
    for (const T v : values) low = std::min(low, v);
    return static_cast<double>(low);
  }
  template <Real T>
  static std::size_t best(std::span<const T> scales, const double* inverse, std::size_t d, std::size_t i) {
    std::size_t first = 0;
    const auto entry = [&](std::size_t s) { return static_cast<double>(scales[s * d + i]) * inverse[s]; };
    for (std::size_t s = 1; s < scales.size() / d; ++s)
      if (entry(s) > entry(first)) first = s;
    return first;
  }
  template <Real T>
  static double* inverse_norms(std::span<const T> scales, std::size_t d, Workspace& workspace) {
    double* const inverse = workspace.take<double>(scales.size() / d);
    for (std::size_t s = 0; s < scales.size() / d; ++s) {
      const double square = simd::dot(scales.data() + s * d, scales.data() + s * d, d);
      inverse[s] = square > 0 ? 1 / std::sqrt(square) : 0;
    }
    return inverse;
  }
};

}  // namespace rankgrad
