// rankgrad/reweighting/loss_weights.hpp: from the losses of a batch to weights of its samples: which losses count more.
// SPDX-License-Identifier: MIT
//
// The samples of a batch (lists, pairs, items) have the losses l_i. Each is placed between the lowest and the highest,
//
//   h_i = delta (l_i - mid) / half,   mid = (l_max + l_min) / 2,   half = max(l_max - l_min, 1e-6) / 2,   |h_i| <= delta,
//
// a map f says how much a loss at that place is wanted, and the weights are
//
//   w_i = u_i exp(f(h_i) / r) / sum_j u_j exp(f(h_j) / r)
//
// which maximise sum w f - r KL(w || u) among all weights with sum 1; u is 1 for all or the weights that the samples had
// before (a sample of weight 2 is the sample twice). The weights are constants for the gradient of sum w_i l_i: nothing is
// differentiated through f, h, min or max.
//
// Maps        LinUpper, Quadratic, Extremes, Upper, UniformWeights, and any type with `temperature`, `delta` and
//             preference(h); WarmedUp<Map> around one of them.
// Left out    samples with a loss that is NaN or infinite, or with u = 0: weight 0, and they move neither min nor max.
// Equal       losses all the same, or one sample only: w = u / sum u.
// Cost        O(n), four passes, one exp per sample. No scratch.
// Processes   a batch that is spread over processes has one LossRange and one ExponentSum. Each process makes its own part,
//             merge() puts parts together in any order:
//               range = merge over all of loss_range(losses);  sum = merge over all of exponent_sum(map, losses, range);
//               loss_weights(map, losses, range, sum, weights)        weights of all processes together have the sum 1
//             Where gradients are averaged over N processes afterwards, multiply the weights by N.
// Source      Dynamic loss-based sample reweighting for improved large language model pretraining, ICLR 2025 (arXiv
//             2502.06733), as in its released code. Prior weights u are ours. The code subtracts two large quotients to get h.
#pragma once

#include <rankgrad/core/validate.hpp>
#include <rankgrad/simd/horizontal.hpp>
#include <rankgrad/simd/math.hpp>
#include <rankgrad/simd/rows.hpp>

#include <cmath>

namespace rankgrad::inline RANKGRAD_ABI {

/// How a map of this file looks. temperature r > 0: high = nearly uniform. delta > 0: the range of h.
template <class Map>
concept LossToWeight = requires(const Map map, simd::Pack<double> h) {
  { map.temperature } -> std::convertible_to<double>;
  { map.delta } -> std::convertible_to<double>;
  { map.template preference<double>(h) } -> std::convertible_to<simd::Pack<double>>;
};

namespace reweighting {
inline Status check_map(double temperature, double delta) {
  if (Status status = check_parameter("the temperature of a loss-to-weight map", temperature, 0); !status) return status;
  return check_parameter("the delta of a loss-to-weight map", delta, 0);
}
}  // namespace reweighting

/// f(h) = min(h + delta, delta): easy samples count less, from the middle of the range on all count the same. The paper's
/// choice. The highest weight is at most e^{delta / r} times the lowest. Temperatures of its experiments: 0.4 and 1.
struct LinUpper {
  static constexpr std::string_view name = "lin_upper";
  double temperature = 0.4;
  double delta = 1;

  Status check() const { return reweighting::check_map(temperature, delta); }
  template <class T>
  simd::Pack<T> preference(simd::Pack<T> h) const {
    const simd::Pack<T> d = simd::Pack<T>(T(delta));
    return simd::min(h + d, d);
  }
};

/// f(h) = 1 - h^2 / delta^2: the losses in the middle.
struct Quadratic {
  static constexpr std::string_view name = "quadratic";
  double temperature = 0.4;
  double delta = 1;

  Status check() const { return reweighting::check_map(temperature, delta); }
  template <class T>
  simd::Pack<T> preference(simd::Pack<T> h) const {
    const simd::Pack<T> x = h * simd::Pack<T>(T(1 / delta));
    return simd::fnma(x, x, simd::Pack<T>(T(1)));
  }
};

/// f(h) = |h|: the easiest and the hardest.
struct Extremes {
  static constexpr std::string_view name = "extremes";
  double temperature = 0.4;
  double delta = 1;

  Status check() const { return reweighting::check_map(temperature, delta); }
  template <class T>
  simd::Pack<T> preference(simd::Pack<T> h) const { return simd::abs(h); }
};

/// f(h) = (h + delta) / 2: the harder the more, without LinUpper's ceiling. In the released code only.
struct Upper {
  static constexpr std::string_view name = "upper";
  double temperature = 0.4;
  double delta = 1;

  Status check() const { return reweighting::check_map(temperature, delta); }
  template <class T>
  simd::Pack<T> preference(simd::Pack<T> h) const {
    const simd::Pack<T> half = simd::Pack<T>(T(0.5));
    return simd::fma(h, half, simd::Pack<T>(T(0.5 * delta)));
  }
};

/// f = 0: no reweighting, the mean over the samples (or their mean by the weights they had).
struct UniformWeights {
  static constexpr std::string_view name = "uniform_weights";
  double temperature = 1;
  double delta = 1;

  Status check() const { return reweighting::check_map(temperature, delta); }
  template <class T>
  simd::Pack<T> preference(simd::Pack<T>) const { return simd::Pack<T>(T(0)); }
};

/// Uniform before step `warm_up`, the map from then on: losses say little about samples while the model knows nothing.
///   WarmedUp<LinUpper> map{{.temperature = 0.4}};   map.step = step;
template <LossToWeight Map>
struct WarmedUp : Map {
  std::uint64_t step = 0;          ///< counted from 0, by the caller
  std::uint64_t warm_up = 1000;    ///< the source's "burnout"

  template <class T>
  simd::Pack<T> preference(simd::Pack<T> h) const {
    return step < warm_up ? simd::Pack<T>(T(0)) : Map::template preference<T>(h);
  }
};

/// The lowest and the highest of `count` losses, which say nothing where count is 0.
struct LossRange {
  double low = 0, high = 0;
  std::uint64_t count = 0;

  void merge(const LossRange& other) {
    if (other.count == 0) return;
    low = count ? std::min(low, other.low) : other.low;
    high = count ? std::max(high, other.high) : other.high;
    count += other.count;
  }
};

/// sum_i u_i exp((f_i - top) / r) over `count` samples, top = max f_i.
struct ExponentSum {
  double top = 0, sum = 0, temperature = 1;
  std::uint64_t count = 0;

  void merge(const ExponentSum& other) {
    if (other.count == 0) return;
    if (count == 0) {
      *this = other;
      return;
    }
    const double both = std::max(top, other.top);
    sum = sum * std::exp((top - both) / temperature) + other.sum * std::exp((other.top - both) / temperature);
    top = both;
    count += other.count;
  }
};

namespace reweighting {

/// The losses that count, as packs.
template <Real T>
struct Samples {
  using I = simd::Pack<simd::Bits<T>>;
  std::span<const T> losses, prior;

  struct Here {
    simd::Pack<T> loss, prior;
    /// x where the sample counts, `otherwise` elsewhere and past the end. By the bits, which -ffast-math leaves alone: a
    /// number above 0 is an integer above 0.
    RANKGRAD_INLINE simd::Pack<T> only(simd::Pack<T> x, T otherwise) const {
      const I exponent = I(simd::exponent_bits<T>), bits = simd::bit_cast<simd::Bits<T>>(loss);
      const auto counts = ((bits & exponent) != exponent) & (simd::bit_cast<simd::Bits<T>>(prior) > I(0));
      const simd::Pack<T> other(otherwise);
      return simd::bit_cast<T>(simd::select(counts, simd::bit_cast<simd::Bits<T>>(x), simd::bit_cast<simd::Bits<T>>(other)));
    }
  };
  template <class Reach>
  RANKGRAD_INLINE Here at(std::size_t i, Reach reach) const {
    return {reach.load(&losses[i], losses[i]), prior.empty() ? reach.load_ones() : reach.load(&prior[i], T(0))};
  }
};

/// f(h(l)) with l - mid as half of (l - low) - (high - l): at the ends, that is half the range to the bit, and mid, rounded, has
/// no part in it. All of it by halves, which do not overflow.
template <class Map, Real T>
struct Preference {
  const Map& map;
  T low, high, half, delta;

  Preference(const Map& m, const LossRange& range)
      : map(m), low(T(0.5 * range.low)), high(T(0.5 * range.high)), half(std::max(high - low, T(0.5e-6))), delta(T(m.delta)) {}
  template <class Here>
  RANKGRAD_INLINE simd::Pack<T> operator()(const Here& here) const {
    using simd::Pack;
    const Pack<T> loss = here.only(Pack<T>(T(0.5)) * here.loss, low), off = (loss - Pack<T>(low)) - (Pack<T>(high) - loss);
    return map.template preference<T>(Pack<T>(delta) * (off / Pack<T>(half)));
  }
};

template <Real T>
Status check_samples(std::span<const T> losses, std::span<const T> prior) {
  if (Status s = detail::check_optional_length("the weights of the losses", prior.size(), losses.size()); !s) return s;
  return detail::check_values<T>("the weights of the losses", prior, {}, T(0), std::numeric_limits<T>::max());
}

}  // namespace reweighting

/// Of the losses that count.
template <Real T>
LossRange loss_range(std::span<const T> losses, std::type_identity_t<std::span<const T>> prior = {}) {
  using namespace simd;
  require(reweighting::check_samples(losses, prior));
  constexpr T top = std::numeric_limits<T>::max();
  const reweighting::Samples<T> samples{losses, prior};
  Pack<T> low[2] = {Pack<T>(top), Pack<T>(top)}, high[2] = {Pack<T>(-top), Pack<T>(-top)};
  BlockedSum<T> count;
  for_each_pack<T>(losses.size(), [&](std::size_t i, auto at) RANKGRAD_INLINE {
    const auto here = samples.at(i, at);
    low[at.slot] = min(low[at.slot], here.only(here.loss, top));
    high[at.slot] = max(high[at.slot], here.only(here.loss, -top));
    count.add(here.only(Pack<T>(T(1)), T(0)), at);
  });
  const auto n = static_cast<std::uint64_t>(count.total());
  if (n == 0) return {};
  return {-static_cast<double>(highest_lane(max(-low[0], -low[1]))), static_cast<double>(highest_lane(max(high[0], high[1]))), n};
}

/// Of the losses that count, in the range of the whole batch.
template <LossToWeight Map, Real T>
ExponentSum exponent_sum(const Map& map, std::span<const T> losses, const LossRange& range,
                         std::type_identity_t<std::span<const T>> prior = {}) {
  using namespace simd;
  require(validate_parameters(map));
  require(reweighting::check_samples(losses, prior));
  constexpr T lowest = -std::numeric_limits<T>::max();
  const reweighting::Samples<T> samples{losses, prior};
  const reweighting::Preference<Map, T> preference(map, range);
  Pack<T> best[2] = {Pack<T>(lowest), Pack<T>(lowest)};
  BlockedSum<T> count, sum;
  for_each_pack<T>(losses.size(), [&](std::size_t i, auto at) RANKGRAD_INLINE {
    const auto here = samples.at(i, at);
    best[at.slot] = max(best[at.slot], here.only(preference(here), lowest));
    count.add(here.only(Pack<T>(T(1)), T(0)), at);
  });
  ExponentSum result{0, 0, map.temperature, static_cast<std::uint64_t>(count.total())};
  if (result.count == 0) return result;
  const T top = highest_lane(max(best[0], best[1]));
  const ScaledExp<T> exponential(1 / map.temperature);
  for_each_pack<T>(losses.size(), [&](std::size_t i, auto at) RANKGRAD_INLINE {
    const auto here = samples.at(i, at);
    sum.add(here.only(here.prior * exponential(min(preference(here) - Pack<T>(top), Pack<T>(T(0)))), T(0)), at);
  });
  result.top = static_cast<double>(top);
  result.sum = sum.total();
  return result;
}

/// Writes the weights of the losses, with the range and the sum of the whole batch.
template <LossToWeight Map, Real T>
void loss_weights(const Map& map, std::span<const T> losses, const LossRange& range, const ExponentSum& sum,
                  std::type_identity_t<std::span<T>> weights, std::type_identity_t<std::span<const T>> prior = {}) {
  using namespace simd;
  require(validate_parameters(map));
  require(reweighting::check_samples(losses, prior));
  require(rankgrad::detail::check_length("weights", weights.size(), losses.size()));
  const reweighting::Samples<T> samples{losses, prior};
  const reweighting::Preference<Map, T> preference(map, range);
  const Pack<T> top = Pack<T>(T(sum.top)), inverse = Pack<T>(T(sum.sum > 0 ? 1 / sum.sum : 0));
  const ScaledExp<T> exponential(1 / map.temperature);
  for_each_pack<T>(losses.size(), [&](std::size_t i, auto at) RANKGRAD_INLINE {
    const auto here = samples.at(i, at);
    const Pack<T> e = exponential(min(preference(here) - top, Pack<T>(T(0))));
    at.store(&weights[i], here.only(here.prior * e * inverse, T(0)));
  });
}

/// The same for a batch that is all here: the weights add up to 1, or to 0 where no loss counts.
template <LossToWeight Map, Real T>
void loss_weights(const Map& map, std::span<const T> losses, std::type_identity_t<std::span<T>> weights,
                  std::type_identity_t<std::span<const T>> prior = {}) {
  const LossRange range = loss_range(losses, prior);
  loss_weights(map, losses, range, exponent_sum(map, losses, range, prior), weights, prior);
}

}  // namespace rankgrad
