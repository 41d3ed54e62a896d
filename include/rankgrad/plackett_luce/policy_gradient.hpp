// rankgrad/plackett_luce/policy_gradient.hpp: the policy gradient (REINFORCE) of an expected ranking metric.
// SPDX-License-Identifier: MIT
//
// Read first: plackett_luce/expected_metric.hpp.
#pragma once

#include <rankgrad/plackett_luce/expected_metric.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// What is taken off the reward of a sample before it weighs the sample's log-probability.
enum class Baseline {
  none,
  leave_one_out,   ///< the mean of the other samples: unbiased (RLOO)
  mean,            ///< the mean of all samples, its own too: leave_one_out times (N - 1) / N
  greedy           ///< the reward of the ranking by score: unbiased
};

/// PG-Rank: minus the expected metric of a ranking drawn from Plackett-Luce, its gradient by N sampled rankings.
///
///   L(s, y)  = -E_{r ~ PL(s / tau)} [ metric(r) ],   estimated by -(1/N) sum_i metric(r_i)
///   dL/ds    ~ -(1/N) sum_i sum_{p <= K} A_ip d log P(item on p | places above p) / ds
///   A_ip     = metric(r_i) - b_i;  with reward_to_go: what r_i collects from place p on, less the same of the baseline
///
/// Only the first K places of a sample enter: nothing below them changes the metric.
///
/// Curvature   bound, estimated from the same samples: h_j = (best - worst metric) F_jj, F the Fisher information of the
///             first K places, F_jj = E[ sum_{p <= K} P_pj (1 - P_pj) ] / tau^2. From d2L/ds_j2 = -E[(metric - c)(g^2 - h)]
///             with g = d log P, h = -d2 log P, E[g^2] = E[h] = F_jj and c halfway between worst and best.
/// Shapes      scores, labels [n]; weights [n] or empty, multiply the items' rewards, in the ideal DCG too.
/// Units       those of the metric; per unit of score.
/// No signal   fewer than two items, or all rankings have the same metric (no relevant item, all equally relevant).
/// Cost        O(N n) after sampling at O(n + K log K) a sample; N K places and about 20 n doubles of scratch.
/// Numerics    plackett_luce/scan.hpp; scores of any size.
/// Parameters  metric, gain, discount: see TargetMetric. k: cut-off K, 0 = all places. samples N > 0. temperature
///             tau > 0. baseline: with one sample, leave_one_out is none and mean leaves no gradient. reward_to_go: less
///             variance, the same expectation. seed: move it every step, or every step sees the same noise; lists are told
///             apart by their index.
/// Source      Gao, Chang, Tang, Joachims, Policy-gradient training of language models for ranking (Neural PG-RANK), 2023,
///             reconstructed from its description; the position-wise leave-one-out of reward_to_go is our own.
///
/// The value is an average over random rankings: with the seed held it is constant where no sampled ranking changes, and
/// its differences say nothing about the gradient.
struct PgRank {
  static constexpr std::string_view name = "pg_rank";
  static constexpr Curvature curvature = Curvature::bound;

  TargetMetric metric = TargetMetric::ndcg;
  std::size_t k = 0;
  std::size_t samples = 16;
  double temperature = 1;
  Baseline baseline = Baseline::leave_one_out;
  bool reward_to_go = false;
  Gain gain = Gain::exponential;
  Discount discount = Discount::log2;
  std::uint64_t seed = 0;

  Status check() const {
    if (samples == 0) return Status::error("rankgrad: PgRank.samples is 0; it must be at least 1");
    return check_parameter("PgRank.temperature", temperature, 0);
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
    double *theta = workspace.take<double>(places), *offset = workspace.take<double>(places, 0.0);
    double* keys = workspace.take<double>(n);
    if (baseline == Baseline::greedy) {
      plackett_luce::top_by_key(scores, n, places, ranking, workspace);
      expected.collect(ranking, theta, offset);
    }

    // The rewards of all samples come first; the second pass draws the same rankings again instead of keeping them.
    double* to_go = workspace.take<double>(samples * places);
    double* mean = workspace.take<double>(places, 0.0);
    double value = 0;
    Random random(seed, list.index), again = random;
    for (std::size_t i = 0; i < samples; ++i) {
      plackett_luce::gumbel_keys(scores, n, random, keys);
      plackett_luce::top_by_key(keys, n, places, ranking, workspace);
      value += expected.collect(ranking, theta, to_go + i * places);
      for (std::size_t p = 0; p < places; ++p) mean[p] += to_go[i * places + p] / static_cast<double>(samples);
    }
    const double count = static_cast<double>(samples), others = samples > 1 ? count / (count - 1) : 1;
    plackett_luce::SampledGradient sum(n, places, out.hess != nullptr, workspace);
    double* c = workspace.take<double>(n, 0.0);
    for (std::size_t i = 0; i < samples; ++i) {
      plackett_luce::gumbel_keys(scores, n, again, keys);
      plackett_luce::top_by_key(keys, n, places, ranking, workspace);
      for (std::size_t p = 0; p < places; ++p) {
        const std::size_t from = reward_to_go ? p : 0;
        const double reward = to_go[i * places + from];
        switch (baseline) {
          case Baseline::none: c[p] = reward; break;
          case Baseline::leave_one_out: c[p] = samples > 1 ? (reward - mean[from]) * others : reward; break;
          case Baseline::mean: c[p] = reward - mean[from]; break;
          case Baseline::greedy: c[p] = reward - offset[from]; break;
        }
      }
      sum.add(scores, ranking, c, nullptr, expected);
    }
    return sum.finish(value, samples, expected.range(), scores, temperature, out);
  }
};

}  // namespace rankgrad
