// experiments/policy_gradient_bias.cpp: is the mean of a sampled gradient of expected NDCG the gradient of expected NDCG?
// SPDX-License-Identifier: MIT
#include "support/experiment.hpp"
#include "support/sampled_gradients.hpp"

#include <fmt/format.h>

#include <functional>
#include <numeric>

namespace {

using namespace experiments;
using rankgrad::ListView, rankgrad::GradientSink, rankgrad::Contribution, rankgrad::Workspace;

constexpr const char* help =
    "Bias of sampled gradients of the expected NDCG under Plackett-Luce.\n\n"
    "Lists of 6 with random scores and labels, NDCG@4, 8 rankings an estimate. The mean of 3000 estimates against the exact\n"
    "gradient, a sum over all 720 rankings, in standard errors; of the six components the farthest (z). What is unbiased\n"
    "stays below 5. A seed is one list.\n\n"
    "REINFORCE; the same with the mean of the other samples off the reward (leave-one-out); PL-Rank-1, REINFORCE with the\n"
    "reward that follows a placement; PL-Rank-3, which also takes the direct reward of a placement in expectation.";

double theta(std::size_t place) { return 1 / std::log2(static_cast<double>(place) + 2); }

/// NDCG@k = sum over the first k places of theta times reward.
std::vector<double> rewards_of(std::span<const double> labels, std::size_t k) {
  std::vector<double> reward;
  for (const double y : labels) reward.push_back(std::exp2(y) - 1);
  std::vector<double> ideal = reward;
  std::sort(ideal.begin(), ideal.end(), std::greater<>());
  double best = 0;
  for (std::size_t p = 0; p < k; ++p) best += theta(p) * ideal[p];
  for (double& r : reward) r /= best;
  return reward;
}

enum class Mistake { reward_twice, no_direct_reward, no_tail };

/// PL-Rank with a mistake, by its formula.
struct WrongPlRank {
  Mistake mistake;
  std::size_t k, samples;
  std::uint64_t seed = 0;

  Contribution<double> value_and_gradient(ListView<double> list, GradientSink<double> out, Workspace& workspace) const {
    const std::size_t n = list.size();
    const std::vector<double> reward = rewards_of(list.labels, k);
    std::vector<std::uint32_t> order(n);
    rankgrad::Random random(seed);
    for (std::size_t i = 0; i < samples; ++i) {
      rankgrad::sample_ranking(list.scores, std::span(order), random, workspace);
      std::vector<double> to_go(k + 1), tail(n + 1);   // what is collected from a place on; the e^s from a place on
      for (std::size_t p = k; p-- > 0;) to_go[p] = to_go[p + 1] + theta(p) * reward[order[p]];
      for (std::size_t p = mistake == Mistake::no_tail ? k : n; p-- > 0;) tail[p] = tail[p + 1] + std::exp(list.scores[order[p]]);
      for (std::size_t q = 0; q < n; ++q) {
        double slope = q < k ? -to_go[mistake == Mistake::reward_twice ? q : q + 1] : 0;
        for (std::size_t p = 0; p <= q && p < k; ++p) {
          const double direct = mistake == Mistake::no_direct_reward ? 0 : theta(p) * reward[order[q]];
          slope += std::exp(list.scores[order[q]]) / tail[p] * (to_go[p] - direct);
        }
        out.add(order[q], slope / static_cast<double>(samples));
      }
    }
    return {0, true};   // nobody asks for the value
  }
};

/// Minus the gradient of the expected metric, summed over all rankings.
Vector exact_gradient(const List& list, std::size_t k) {
  const std::vector<double> reward = rewards_of(list.labels, k);
  std::vector<Eigen::Index> order(reward.size());
  std::iota(order.begin(), order.end(), Eigen::Index{0});
  const Vector e = Eigen::Map<const Vector>(list.scores.data(), static_cast<Eigen::Index>(order.size())).array().exp();
  Vector gradient = Vector::Zero(e.size());
  do {
    Vector log_slope = Vector::Zero(e.size()), left = e;   // left: 0 for what has been placed
    double probability = 1, metric = 0;
    for (std::size_t p = 0; p < order.size(); ++p) {
      const Eigen::Index item = order[p];
      log_slope -= left / left.sum();
      log_slope[item] += 1;
      probability *= e[item] / left.sum();
      if (p < k) metric += theta(p) * reward[static_cast<std::size_t>(item)];
      left[item] = 0;
    }
    gradient -= probability * metric * log_slope;
  } while (std::next_permutation(order.begin(), order.end()));
  return gradient;
}

void replicate(Replicate& run) {
  rankgrad::Random random(run.seed);
  List list;
  for (int i = 0; i < 6; ++i) {
    list.scores.push_back(random.normal());
    list.labels.push_back(i == 0 ? 3 : static_cast<double>(random.below(4)));
  }
  constexpr std::size_t k = 4, samples = 8;
  const Vector exact = exact_gradient(list, k);
  const auto arm = [&](const std::string& name, const auto& loss) {
    constexpr int estimates = 3000;
    const auto [mean, variance] = moments(loss, list, estimates);
    run.set(name, "z", ((mean - exact).array().abs() / (variance.array() / estimates).sqrt()).maxCoeff());
  };
  arm("REINFORCE", reinforce(k, samples));
  rankgrad::PgRank others = leave_one_out(k, samples);
  if (run.wrong == "own-baseline") others.baseline = rankgrad::Baseline::mean;
  arm("leave-one-out", others);
  arm("PL-Rank-1", pl_rank_1(k, samples));
  if (run.wrong == "reward-twice") arm("PL-Rank-3", WrongPlRank{Mistake::reward_twice, k, samples});
  else if (run.wrong == "no-direct-reward") arm("PL-Rank-3", WrongPlRank{Mistake::no_direct_reward, k, samples});
  else if (run.wrong == "no-tail") arm("PL-Rank-3", WrongPlRank{Mistake::no_tail, k, samples});
  else arm("PL-Rank-3", pl_rank_3(k, samples));
}

void judge(Report& report) {
  const std::vector<std::string> arms{"REINFORCE", "leave-one-out", "PL-Rank-1", "PL-Rank-3"};
  report.table("z", arms, "REINFORCE", 2);
  for (const std::string& arm : arms) {
    const double z = largest(report.values(arm, "z"));
    report.check(z < 5, fmt::format("{} is unbiased: the largest z is {:.1f}, asked for below 5", arm, z));
  }
}

}  // namespace

int main(int argc, char** argv) {
  return run(argc, argv, {.name = "policy_gradient_bias", .help = help,
                          .wrong = {{"own-baseline", "leave-one-out that does not leave the sample itself out"},
                                    {"reward-twice", "PL-Rank-3 that counts the direct reward twice"},
                                    {"no-direct-reward", "PL-Rank-3 without the expected direct reward"},
                                    {"no-tail", "PL-Rank-3 that forgets the items below place k"}}}, replicate, judge);
}
