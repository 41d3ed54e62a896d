// rankgrad/plackett_luce/pl_rank.hpp: PL-Rank: low-variance gradients of an expected ranking metric.
// SPDX-License-Identifier: MIT
//
// Read first: plackett_luce/expected_metric.hpp.
#pragma once

#include <rankgrad/plackett_luce/expected_metric.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

enum class PlRankVariant {
  pl_rank_1,   ///< the reward that follows a placement, O(N n)
  pl_rank_2,   ///< the direct reward of a placement in expectation instead of sampled; O(N n K), as published
  pl_rank_3    ///< the same numbers as pl_rank_2 in O(N n)
};

/// PL-Rank: minus the expected metric of a ranking drawn from Plackett-Luce, with the structure of the metric used.
///
///   L(s, y)      = -E_{r ~ PL(s / tau)} [ sum_{p <= K} theta_p rho_{r_p} ],   estimated by the mean of N rankings
///   With P_pd = e^{s_d} / sum_{j not above p} e^{s_j}, R_p = sum_{x >= p} theta_x rho_{r_x}, q = the place of d:
///   PL-Rank-1    dL/ds_d = -R_q [q <= K] + sum_{p <= min(q, K)} P_pd R_p
///   PL-Rank-2    dL/ds_d = -R_{q+1} [q < K] + sum_{p <= min(q, K)} P_pd (R_p - theta_p rho_d)
///   PL-Rank-3    PL-Rank-2 as the difference of two ListMLE gradients g: dL/ds_d = g(w = R)_d - rho_d g(w = theta)_d
///   (means over the N rankings, divided by tau).
///
/// PL-Rank-1 is REINFORCE with reward to go and no baseline. g(w = theta)_d has the mean 0, so that its multiple is a
/// control variate of d: this is all that 2 and 3 add. With it, the gradient of a list sums to 0 in expectation only.
///
/// Curvature   bound, as PgRank: h_j = (best - worst metric) F_jj, estimated from the same samples.
/// Shapes      scores, labels [n]; weights [n] or empty, multiply the items' rewards, in the ideal DCG too.
/// Units       those of the metric; per unit of score.
/// No signal   fewer than two items, or all rankings have the same metric.
/// Cost        O(N n) after sampling at O(n + K log K) a sample (pl_rank_2: O(N n K)); about 20 n doubles of scratch.
/// Numerics    plackett_luce/scan.hpp: no exponent is positive and nothing is subtracted from a sum of exponentials.
/// Parameters  variant. metric, gain, discount: see TargetMetric; reciprocal_rank works in all variants, since its theta
///             depends on the places above only. k: cut-off K, 0 = all. samples N > 0. temperature tau > 0. seed: move it
///             every step; lists are told apart by their index.
/// Source      Oosterhuis, Computationally efficient optimization of Plackett-Luce ranking models, SIGIR 2021 (1 and 2);
///             Learning-to-rank at the speed of sampling, SIGIR 2022 (3). There: the direction of ascent; here: of a loss.
struct PlRank {
  static constexpr std::string_view name = "pl_rank";
  static constexpr Curvature curvature = Curvature::bound;

  PlRankVariant variant = PlRankVariant::pl_rank_3;
  TargetMetric metric = TargetMetric::ndcg;
  std::size_t k = 0;
  std::size_t samples = 16;
  double temperature = 1;
  Gain gain = Gain::exponential;
  Discount discount = Discount::log2;
  std::uint64_t seed = 0;

  Status check() const {
    if (samples == 0) return Status::error("rankgrad: PlRank.samples is 0; it must be at least 1");
    return check_parameter("PlRank.temperature", temperature, 0);
  }
  template <class View>
  Status check_input(const View& view) const { return plackett_luce::check_labels(metric, gain, view); }

  template <Real T>
  Contribution<T> value_and_gradient(ListView<T> list, GradientSink<T> out, Workspace& workspace) const {
    const std::size_t n = checked_size(list);
    if (n < 2) return {};
    const auto frame = workspace.frame();
    const plackett_luce::ExpectedMetric expected(list, {metric, k, gain, discount}, workspace);
    if (!(expected.range() > 0)) return {};
    const std::size_t places = expected.places();
    const double* scores = plackett_luce::tempered(list.scores, temperature, workspace);
    std::uint32_t* ranking = workspace.take<std::uint32_t>(n);
    double *theta = workspace.take<double>(n, 0.0), *to_go = workspace.take<double>(n, 0.0);
    double *keys = workspace.take<double>(n), *nothing = workspace.take<double>(n, 0.0);
    plackett_luce::SampledGradient sum(n, places, out.hess != nullptr, workspace);
    double value = 0;
    Random random(seed, list.index);
    for (std::size_t i = 0; i < samples; ++i) {
      plackett_luce::gumbel_keys(scores, n, random, keys);
      plackett_luce::top_by_key(keys, n, places, ranking, workspace);
      value += expected.collect(ranking, theta, to_go);
      if (variant == PlRankVariant::pl_rank_2) {
        marginalised(scores, n, places, ranking, theta, to_go, expected, sum.gradient(), workspace);
        if (out.hess) sum.add(scores, ranking, nothing, nullptr, expected);
      } else {
        sum.add(scores, ranking, to_go, variant == PlRankVariant::pl_rank_3 ? theta : nullptr, expected);
      }
    }
    return sum.finish(value, samples, expected.range(), scores, temperature, out);
  }

 private:
  /// PL-Rank-2 of one sample, term by term.
  static void marginalised(const double* scores, std::size_t n, std::size_t places, const std::uint32_t* ranking,
                           const double* theta, const double* to_go, const plackett_luce::ExpectedMetric& expected,
                           double* gradient, Workspace& workspace) {
    const auto frame = workspace.frame();
    double* log_z = workspace.take<double>(n);   // log of the sum of e^s over the places from p on
    log_z[n - 1] = scores[ranking[n - 1]];
    for (std::size_t p = n - 1; p-- > 0;) log_z[p] = plackett_luce::log_add(scores[ranking[p]], log_z[p + 1]);
    for (std::size_t q = 0; q < n; ++q) {
      const std::uint32_t item = ranking[q];
      double slope = q + 1 < places ? -to_go[q + 1] : 0;
      for (std::size_t p = 0; p < places && p <= q; ++p)
        slope += std::exp(scores[item] - log_z[p]) * (to_go[p] - theta[p] * expected.reward(item));
      gradient[item] += slope;
    }
  }
};

}  // namespace rankgrad
