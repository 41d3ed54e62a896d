// experiments/win_tie.cpp: do ties between equally good items keep a reward model from inflating some of them?
// SPDX-License-Identifier: MIT
#include "support/experiment.hpp"
#include "support/lists.hpp"

#include <rankgrad/bradley_terry/bradley_terry.hpp>
#include <rankgrad/bradley_terry/win_tie.hpp>
#include <rankgrad/metric/auc.hpp>

#include <fmt/format.h>

namespace {

using namespace experiments;

constexpr const char* help =
    "Win-tie Bradley-Terry: a reward model that also learns that good answers tie with each other.\n\n"
    "Data: 1000 answers to train, 1000 to test, good or bad with probability 1/2; 8 features, three of which shift with\n"
    "quality and one is a style that half of the good and a tenth of the bad have, sometimes strongly. 400 steps of Adam on\n"
    "256 wins (good, bad) and 256 ties (good, good). ReLU network 8-16-1, or linear. Labels right, or 10 % flipped.\n\n"
    "Measured: the accuracy of wins; inflation, how far the top 5 % of the good stand above the good, in units of the gap\n"
    "between good and bad; best of 16, the quality of the answer with the highest reward where style says nothing.";

constexpr Eigen::Index features = 8, style = features - 1, on_quality = 3, pool = 4000, choices = 16;
constexpr std::size_t answers = 1000, drawn = 256;

/// One list of answers, labels 1 (good) and 0.
Lists made_up(rankgrad::Random& random) {
  Lists made(1, answers, features);
  made.features = normal(random, static_cast<Eigen::Index>(answers), features);
  for (std::size_t i = 0; i < answers; ++i) {
    auto x = made.features.row(static_cast<Eigen::Index>(i));
    made.labels[i] = random.uniform() < 0.5;
    x.head(on_quality).array() += (2 * made.labels[i] - 1) * 1.2 / std::sqrt(3.0);
    x[style] = random.uniform() < (made.labels[i] > 0 ? 0.5 : 0.1) ? 2 * random.exponential() : 0;
  }
  return made;
}

struct Arm {
  std::string name;
  double margin, tie_weight, decay;
};
const std::string base = "BT, margin 3", decay = "BT, no margin, L2", tested = "tie weight 0.1";
const std::vector<Arm> arms{{base, 3, 0, 0},   {"BT, no margin", 0, 0, 0},   {decay, 0, 0, 0.02},
                            {"tie weight 0.03", 3, 0.03, 0}, {tested, 3, 0.1, 0}, {"tie weight 1", 3, 1, 0}};

/// Gradient of the mean over the wins plus tie_weight times the mean over the ties. Controls: margin, weight decay alone.
Vector slope(const Arm& arm, const rankgrad::ComparisonView<double>& wins_and_ties, rankgrad::Workspace& workspace) {
  Vector gradient = Vector::Zero(static_cast<Eigen::Index>(wins_and_ties.scores.size()));
  const rankgrad::GradientSink<double> out{gradient.data(), nullptr, 1.0 / drawn};
  using enum rankgrad::Normalize;
  if (arm.margin > 0) {   // past the door, which would refuse the negative weight of the wrong arm
    const rankgrad::WinTieBradleyTerry loss{.margin = arm.margin, .tie_weight = arm.tie_weight, .normalize = sum};
    loss.value_and_gradient(wins_and_ties, out, workspace);
  } else {
    rankgrad::ComparisonView<double> wins = wins_and_ties;
    wins.first = wins.first.first(drawn), wins.second = wins.second.first(drawn), wins.outcome = {};
    rankgrad::BradleyTerry{.normalize = sum}.value_and_gradient(wins, out, workspace);
  }
  return gradient;
}

void compare(Replicate& run, const std::string& suffix, bool linear, double flipped) {
  rankgrad::Random random(run.seed);
  const Lists training = made_up(random), test = made_up(random);
  Matrix candidates = normal(random, pool, features);
  const Vector quality = candidates.leftCols(on_quality).rowwise().sum() / std::sqrt(3.0);
  for (Eigen::Index i = 0; i < pool; ++i) candidates(i, style) = random.uniform() < 0.3 ? 2 * random.exponential() : 0;
  std::vector<std::uint32_t> good, bad;
  for (std::uint32_t i = 0; i < answers; ++i)
    ((training.labels[i] > 0) != (random.uniform() < flipped) ? good : bad).push_back(i);
  const Scorer start = linear ? Scorer::linear(normal(random, features, 0.1))
                              : Scorer::hidden_layer(features, 16, random, Scorer::Activation::relu);

  for (Arm arm : arms) {
    if (arm.name == tested && run.wrong == "flipped") arm.tie_weight *= -1;
    if (arm.name == tested && run.wrong == "ignored") arm.tie_weight = 0;
    Scorer scorer = start;
    examples::Adam<double> adam(scorer.parameters.size(), 0.03);
    rankgrad::Random draws(run.seed, 1);   // the same for all arms
    rankgrad::Workspace workspace;
    std::vector<std::uint32_t> first(2 * drawn), second(2 * drawn);
    std::vector<rankgrad::Outcome> outcome(2 * drawn, rankgrad::Outcome::first);
    std::fill(outcome.begin() + drawn, outcome.end(), rankgrad::Outcome::tie);
    for (int step = 0; step < 400; ++step) {
      for (std::size_t c = 0; c < 2 * drawn; ++c) {
        const std::vector<std::uint32_t>& other = c < drawn ? bad : good;
        first[c] = good[draws.below(good.size())];
        do second[c] = other[draws.below(other.size())];
        while (second[c] == first[c]);
      }
      const Vector scores = scorer.forward(training.features);
      rankgrad::ComparisonView<double> view;
      view.scores = {scores.data(), answers};
      view.first = first, view.second = second, view.outcome = outcome;
      const Vector gradient = scorer.backward(training.features, slope(arm, view, workspace)) + 2 * arm.decay * scorer.parameters;
      adam.step(scorer.parameters, gradient);
    }

    const Vector scores = scorer.forward(test.features), rewards = scorer.forward(candidates);
    std::vector<double> ups, downs;
    for (std::size_t i = 0; i < answers; ++i) (test.labels[i] > 0 ? ups : downs).push_back(scores[static_cast<Eigen::Index>(i)]);
    std::sort(ups.begin(), ups.end(), std::greater<>());
    const double mean = summary(ups).mean, top = summary({ups.data(), ups.data() + ups.size() / 20}).mean;
    run.set(arm.name, "accuracy" + suffix, test.mean(rankgrad::Auc{}, scores));
    run.set(arm.name, "inflation" + suffix, (top - mean) / (mean - summary(downs).mean));
    double total = 0;
    for (Eigen::Index from = 0, best = 0; from < pool; from += choices) {
      rewards.segment(from, choices).maxCoeff(&best);
      total += quality[from + best];
    }
    run.set(arm.name, "best of 16" + suffix, total * choices / pool);
  }
}

const std::string clean = ", right labels", noisy = ", 10 % flipped", straight = ", linear";

void replicate(Replicate& run) {
  compare(run, clean, false, 0);
  compare(run, noisy, false, 0.1);
  compare(run, straight, true, 0);
}

void judge(Report& report) {
  std::vector<std::string> names;
  for (const Arm& arm : arms) names.push_back(arm.name);
  for (const std::string& world : {clean, noisy, straight})
    for (const std::string metric : {"accuracy", "inflation", "best of 16"}) report.table(metric + world, names, base);
  report.at_most("inflation" + clean, tested, base, -0.30);
  report.at_least("accuracy" + clean, tested, base, -0.006);
  report.at_most("inflation" + noisy, tested, base, -0.08);
  report.at_least("accuracy" + noisy, tested, base, -0.006);
  const auto change = [&](const auto& metric, const auto& arm) { return report.mean_difference(metric, arm, base); };
  report.remark(fmt::format(
      "What does not show: better accuracy (tie weight 1, the default, has {:+.3f}), or a better best of 16 with a network\n"
      "({:+.2f}; linear, tie weight 1: {:+.2f}). With flipped labels plain weight decay does more for accuracy, {:+.3f} against\n"
      "{:+.3f}, and for the best of 16, {:+.2f} against {:+.2f}.",
      change("accuracy" + clean, "tie weight 1"), change("best of 16" + clean, tested),
      change("best of 16" + straight, "tie weight 1"), change("accuracy" + noisy, decay), change("accuracy" + noisy, tested),
      change("best of 16" + noisy, decay), change("best of 16" + noisy, tested)));
}

}  // namespace

int main(int argc, char** argv) {
  return run(argc, argv, {.name = "win_tie", .help = help,
                          .wrong = {{"flipped", "ties push apart"}, {"ignored", "ties weigh nothing"}}}, replicate, judge);
}
