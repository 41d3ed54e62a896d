// experiments/pooling_bias.cpp: is what nobody judged irrelevant, or can two models tell from where it stood in the pool?
// SPDX-License-Identifier: MIT
#include "support/experiment.hpp"
#include "support/lists.hpp"

#include <rankgrad/metric/ndcg.hpp>
#include <rankgrad/pointwise/sigmoid_cross_entropy.hpp>
#include <rankgrad/reweighting/coupled_propensity.hpp>

#include <fmt/format.h>

namespace {
using namespace experiments;

constexpr const char* help =
    "Pooling bias: relevant candidates deep in the first stage's list were never judged and pass for negatives. Coupled\n"
    "propensities (CET): a relevance model and a selection model weigh each other's candidates. Positives that were unlikely\n"
    "to be judged count more, unlabelled candidates less where they may be relevant and unseen.\n\n"
    "Data: 80 queries to train, 300 to test; 30 candidates of 10 features, the best 6 by a noisy utility are relevant. The\n"
    "first stage ranks by a correlated direction; its rank r is judged with probability r^-eta. Relevance model: linear,\n"
    "softmax of each positive against the unlabelled. Selection model: a sigmoid of a + b log r, cross-entropy on expected\n"
    "judgements, unlabelled candidates weighed by their relevance. 300 steps of Adam, weights after 60. P(relevant) is a\n"
    "sigmoid of the score minus that of the sixth: how many there are is taken for known. This is one reading of the method,\n"
    "whose source was not at hand. Positives, negatives only: one half of the weights.";

constexpr std::size_t candidates = 30, relevant = 6, steps = 300, warm_up = 60;
constexpr Eigen::Index columns = 10;
const std::vector<double> etas{0.5, 1.0, 0.0};
std::string name_of(double eta) { return fmt::format("NDCG@10, eta {}", eta); }
double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
struct World {
  Lists lists;                  ///< labels: the truth
  Lists selection;              ///< features 1, log rank of the first stage
  std::vector<double> labels;   ///< 1 for what is relevant and was judged

  World(std::size_t queries, double eta, const Vector& w, const Vector& first, rankgrad::Random& random)
      : lists(queries, candidates, columns), selection(queries, candidates, 2), labels(lists.items()) {
    lists.features = normal(random, lists.features.rows(), columns);
    selection.features.setOnes();
    const Vector utility = lists.features * w + normal(random, lists.features.rows(), 0.3);
    const Vector pooled = lists.features * first + normal(random, lists.features.rows(), 0.3);
    for (std::size_t i = 0; i < lists.items(); ++i) {
      const auto place = [&](const Vector& by) {   // 1 = the highest of the query
        const double* const list = by.data() + i / candidates * candidates;
        return 1.0 + static_cast<double>(std::count_if(list, list + candidates, [&](double x) { return x > by.data()[i]; }));
      };
      const double rank = place(pooled);
      lists.labels[i] = place(utility) <= relevant;
      labels[i] = random.uniform() < std::pow(rank, -eta) ? lists.labels[i] : 0;
      selection.features(static_cast<Eigen::Index>(i), 1) = std::log(rank);
    }
  }
};

enum class Arm { naive, coupled, positives, negatives, inverted, all };

/// Scores relative to the least of the relevant, so that a sigmoid makes them probabilities. No softmax notices.
void centre(Vector& scores) {
  for (Eigen::Index from = 0; from < scores.size(); from += static_cast<Eigen::Index>(candidates)) {
    Vector sorted = scores.segment(from, candidates);
    std::nth_element(sorted.begin(), sorted.begin() + relevant - 1, sorted.end(), std::greater<>());
    scores.segment(from, candidates).array() -= sorted[relevant - 1];
  }
}

/// What the candidates count in the relevance loss, from the logits f of relevance and g of selection.
std::vector<double> weights_of(Arm arm, const World& world, const Vector& f, const Vector& g) {
  const std::vector<double>& labels = world.lists.labels;
  std::vector<double> coupled(labels.size(), 1.0);
  if (arm == Arm::naive || arm == Arm::all) return coupled;
  auto batch = world.lists.batch(f);
  batch.weights = {};   // those of the last step
  rankgrad::Workspace workspace;
  rankgrad::CoupledPropensity{}.weigh(batch, std::span<const double>(g.data(), labels.size()), coupled, workspace);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (arm == (labels[i] > 0 ? Arm::negatives : Arm::positives)) coupled[i] = 1;
    if (arm == Arm::inverted) coupled[i] = labels[i] > 0 ? 1 / coupled[i] : 1;
  }
  rankgrad::self_normalise<double>(labels, coupled);
  return coupled;
}

Vector trained(Arm arm, World world) {
  Trainer relevance(Scorer::linear(Vector::Zero(columns)), 0.03), selection(Scorer::linear(Vector::Zero(2)), 0.03);
  if (arm != Arm::all) world.lists.labels = world.labels;
  std::vector<double>&weights = world.lists.weights, &labels = world.lists.labels;
  for (std::size_t step = 0; step < steps; ++step) {
    const bool warm = step >= warm_up;
    Vector f = relevance.scorer.forward(world.lists.features);
    const Vector g = selection.scorer.forward(world.selection.features);
    centre(f);
    weights = weights_of(warm ? arm : Arm::naive, world, f, g);
    for (std::size_t from = 0; from < labels.size(); from += candidates) {   // the mean over the positives of a query
      const double count = std::accumulate(&labels[from], &labels[from] + candidates, 0.0);
      for (std::size_t i = from; i < from + candidates; ++i) weights[i] /= labels[i] > 0 ? count : 1;
    }
    relevance.step(world.lists, rankgrad::PairwiseCrossEntropy{rankgrad::Negatives::joint, rankgrad::Normalize::sum});
    if (arm == Arm::naive || arm == Arm::all) continue;
    world.selection.weights.assign(labels.size(), 1.0);
    for (std::size_t i = 0; i < labels.size(); ++i) {
      const double rho = sigmoid(f.data()[i]), omega = sigmoid(g.data()[i]);
      world.selection.labels[i] = labels[i] > 0 ? 1 : omega * (1 - rho) / (1 - rho * omega);   // P(judged)
      if (labels[i] == 0 && warm) world.selection.weights[i] = rho;
    }
    selection.step(world.selection, rankgrad::SigmoidCrossEntropy{});
  }
  return relevance.scorer.parameters;
}

void replicate(Replicate& run) {
  for (const double eta : etas) {
    if (!run.wrong.empty() && eta != etas[0]) continue;   // wrong arms: what is checked
    rankgrad::Random random(run.seed);
    const Vector w = normal(random, columns).normalized(), first = (w + normal(random, columns).normalized()).normalized();
    const World training(80, eta, w, first, random), test(300, eta, w, first, random);
    const auto arm = [&](const std::string& name, Arm which) {
      const Vector scores = test.lists.features * trained(which, training);
      run.set(name, name_of(eta), test.lists.mean(rankgrad::Ndcg{.k = 10}, scores));
    };
    const Arm wrong = run.wrong == "inverted" ? Arm::inverted : Arm::naive;
    arm("naive", Arm::naive);
    arm("coupled", run.wrong.empty() ? Arm::coupled : wrong);
    arm("negatives only", run.wrong.empty() ? Arm::negatives : wrong);
    arm("all labels", Arm::all);
    if (!run.wrong.empty() || eta != etas[0]) continue;
    arm("positives only", Arm::positives);
    arm("inverted", Arm::inverted);
  }
}

void judge(Report& report) {
  const std::vector<std::string> arms{"naive", "coupled", "negatives only", "positives only", "inverted", "all labels"};
  for (const double eta : etas) report.table(name_of(eta), arms, "naive");
  report.at_least(name_of(etas[0]), "coupled", "naive", 0.018);
  report.at_least(name_of(etas[0]), "negatives only", "naive", 0.008);
  if (report.wrong()) return;
  const auto gain = [&](double eta, const std::string& arm) { return report.mean_difference(name_of(eta), arm, "naive"); };
  report.remark(fmt::format(
      "What does not show: all that the missing labels are worth ({:+.3f} of {:+.3f}; eta 1: {:+.3f} of {:+.3f}). Where all\n"
      "was judged the weights change NDCG@10 by {:+.4f}.",
      gain(0.5, "coupled"), gain(0.5, "all labels"), gain(1, "coupled"), gain(1, "all labels"), gain(0, "coupled")));
}

}  // namespace
int main(int argc, char** argv) {
  return run(argc, argv, {.name = "pooling_bias", .help = help,
                          .wrong = {{"ignored", "all weights 1"}, {"inverted", "positives by the inverse of their weight"}},
                          .seeds = 20}, replicate, judge);
}
