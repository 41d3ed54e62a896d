// rankgrad/triplet/consensus_division.hpp: which pairs of a data set are wrongly matched? Two losses, two mixtures, one
// answer (consensus clean/noisy division, CCD).
// SPDX-License-Identifier: MIT
//
// Run once per epoch: per_sample_losses() of each of two branches over the whole data set, consensus_division(), and the
// result as SimilarityView::weights. Reader's map: GaussianMixture (the fit), clean_samples (one branch),
// consensus_division (both).
#pragma once

#include <rankgrad/core/random.hpp>
#include <rankgrad/core/validate.hpp>
#include <rankgrad/core/workspace.hpp>

#include <algorithm>
#include <cmath>

namespace rankgrad::inline RANKGRAD_ABI {

/// When expectation maximisation stops, and what is added to every variance so that no component collapses.
struct MixtureSettings {
  std::size_t iterations = 10;
  double tolerance = 1e-2;        ///< of the change of the mean log-likelihood
  double variance_floor = 5e-4;   ///< for values scaled to [0, 1]

  Status check() const {
    if (iterations == 0) return Status::error("rankgrad: MixtureSettings.iterations is 0; it must be at least 1");
    if (Status status = check_parameter("MixtureSettings.tolerance", tolerance, 0, true); !status) return status;
    return check_parameter("MixtureSettings.variance_floor", variance_floor, 0);
  }
};
/// The source's settings for usual data (the defaults), and for noise rates above 0.4.
inline constexpr MixtureSettings usual_noise{};
inline constexpr MixtureSettings high_noise{.iterations = 100, .tolerance = 1e-4, .variance_floor = 1e-6};

/// Two normal distributions on the line, low.mean <= high.mean after fit().
///
///   E step   g_ik = w_k N(x_i; mu_k, v_k) / sum over both k
///   M step   w_k = mean_i g_ik,  mu_k = sum_i g_ik x_i / sum_i g_ik,  v_k = sum_i g_ik (x_i - mu_k)^2 / sum_i g_ik + floor
///
/// Starts from mu = (min, max), v = var / 4, w = 1/2: no random numbers. Densities are compared as logarithms.
struct GaussianMixture {
  struct Component {
    double mean = 0, variance = 1, weight = 0.5;
    double log_density(double x) const {
      const double away = x - mean;
      return std::log(weight) - 0.5 * (std::log(6.283185307179586477 * variance) + away * away / variance);
    }
  };
  Component low, high;

  /// log of the odds that x comes from `low`; the posterior of `low` is above 1/2 where this is above 0.
  double log_odds(double x) const { return low.log_density(x) - high.log_density(x); }
  double posterior_of_low(double x) const { return 1 / (1 + std::exp(-log_odds(x))); }

  /// `values`: at least one, finite.
  static GaussianMixture fit(std::span<const double> values, const MixtureSettings& settings) {
    const double n = static_cast<double>(values.size());
    const auto [least, most] = std::minmax_element(values.begin(), values.end());
    double mean = 0, variance = 0, likelihood = 0;
    for (const double x : values) mean += x / n;
    for (const double x : values) variance += (x - mean) * (x - mean) / n;
    variance = std::max(variance / 4, settings.variance_floor);
    GaussianMixture mixture{{*least, variance, 0.5}, {*most, variance, 0.5}};
    for (std::size_t iteration = 0; iteration < settings.iterations; ++iteration) {
      const GaussianMixture old = mixture;
      double seen = 0, share[2] = {}, sum[2] = {}, squares[2] = {};
      for (const double x : values) {
        const double a = old.low.log_density(x), b = old.high.log_density(x), g = 1 / (1 + std::exp(b - a));
        seen += (std::max(a, b) + std::log1p(std::exp(-std::abs(a - b)))) / n;
        share[0] += g, share[1] += 1 - g;
        sum[0] += g * x, sum[1] += (1 - g) * x;
      }
      Component* const components[2] = {&mixture.low, &mixture.high};
      for (int k = 0; k < 2; ++k)
        if (share[k] > 0) components[k]->mean = sum[k] / share[k];
      for (const double x : values) {
        const double g = old.posterior_of_low(x), to_low = x - mixture.low.mean, to_high = x - mixture.high.mean;
        squares[0] += g * to_low * to_low, squares[1] += (1 - g) * to_high * to_high;
      }
      for (int k = 0; k < 2; ++k) {
        if (!(share[k] > 0)) continue;   // nothing is left of it: it keeps its place
        components[k]->variance = squares[k] / share[k] + settings.variance_floor;
        components[k]->weight = std::max(share[k] / n, std::numeric_limits<double>::min());   // its logarithm is taken
      }
      if (iteration > 0 && std::abs(seen - likelihood) < settings.tolerance) break;
      likelihood = seen;
    }
    if (mixture.low.mean > mixture.high.mean) std::swap(mixture.low, mixture.high);
    return mixture;
  }
};

/// Clean samples by one branch: losses are scaled to [0, 1], a mixture is fitted, and clean is what belongs to its lower
/// component with a probability above 1/2. Where that is every sample, the sample on place N / 100 (counted from 0, least
/// clean first) and those less clean are called noisy: about 1 %. All losses equal: all are clean.
///
/// The order in the last rule is that of the log odds: posteriors reach 1 exactly, and a threshold at 1 would call
/// everything noisy. Errors: sizes, settings, a loss that is not finite. Writes 1 and 0.
template <Real T>
Status clean_samples(std::span<const T> losses, const MixtureSettings& settings, std::span<std::uint8_t> clean,
                     Workspace& workspace) {
  const std::size_t n = losses.size();
  if (Status s = settings.check(); !s) return s;
  if (Status s = detail::check_length("clean", clean.size(), n); !s) return s;
  constexpr T limit = std::numeric_limits<T>::max();
  if (Status s = detail::check_values<T>("losses", losses, {}, -limit, limit); !s) return s;
  if (n == 0) return {};

  const auto [least, most] = std::minmax_element(losses.begin(), losses.end());
  const double low = static_cast<double>(*least), range = static_cast<double>(*most) - low;
  if (!(range > 0)) {
    std::fill(clean.begin(), clean.end(), std::uint8_t{1});
    return {};
  }
  const auto frame = workspace.frame();
  double *scaled = workspace.take<double>(n), *odds = workspace.take<double>(n), *sorted = workspace.take<double>(n);
  for (std::size_t i = 0; i < n; ++i) scaled[i] = (static_cast<double>(losses[i]) - low) / range;
  const GaussianMixture mixture = GaussianMixture::fit({scaled, n}, settings);
  for (std::size_t i = 0; i < n; ++i) sorted[i] = odds[i] = mixture.log_odds(scaled[i]);
  double threshold = 0;
  if (*std::min_element(odds, odds + n) > 0) {
    std::nth_element(sorted, sorted + n / 100, sorted + n);
    threshold = sorted[n / 100];
  }
  for (std::size_t i = 0; i < n; ++i) clean[i] = odds[i] > threshold;
  return {};
}

/// Sample weights 1 (clean) or 0 (noisy) from the losses of two branches: what both call clean is clean, what both call
/// noisy is noisy, and where they disagree a fair coin decides, one toss per sample and epoch. A weight is never a
/// probability. `losses` are of the whole data set, all [N]. Nothing is written unless the Status is fine.
///
/// Cost     O(N) per iteration, 26 N bytes of scratch.
/// Source   Qin et al., Noisy-correspondence learning for text-to-image person re-identification, CVPR 2024
///          (arXiv 2308.09911), and its code, where the mixture starts from k-means.
template <Real T>
Status consensus_division(std::span<const T> first_losses, std::span<const T> second_losses, const MixtureSettings& settings,
                          std::uint64_t seed, std::uint64_t epoch, std::span<T> weights, Workspace& workspace) {
  const std::size_t n = first_losses.size();
  if (Status s = detail::check_length("second_losses", second_losses.size(), n); !s) return s;
  if (Status s = detail::check_length("weights", weights.size(), n); !s) return s;
  const auto frame = workspace.frame();
  const std::span<std::uint8_t> first{workspace.take<std::uint8_t>(n), n}, second{workspace.take<std::uint8_t>(n), n};
  if (Status s = clean_samples(first_losses, settings, first, workspace); !s) return s;
  if (Status s = clean_samples(second_losses, settings, second, workspace); !s) return s;
  Random random(seed, epoch);
  for (std::size_t i = 0; i < n; ++i) {
    const bool heads = random.bits() >> 63;   // tossed for every sample, so that a toss is a function of seed, epoch and sample
    weights[i] = T(first[i] == second[i] ? first[i] : heads);
  }
  return {};
}

}  // namespace rankgrad
