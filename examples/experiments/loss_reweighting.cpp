// experiments/loss_reweighting.cpp: should queries with a low loss count less?
// SPDX-License-Identifier: MIT
#include "support/experiment.hpp"
#include "support/lists.hpp"

#include <rankgrad/listwise/softmax.hpp>
#include <rankgrad/metric/reciprocal_rank.hpp>
#include <rankgrad/reweighting/reweighted.hpp>

#include <fmt/format.h>

namespace {

using namespace experiments;

constexpr const char* help =
    "Softmax cross-entropy per query, the queries of a batch weighted by their own losses: easy ones count less (LinUpper,\n"
    "Upper), hard ones count less, those in the middle more (Quadratic), both ends more (Extremes); against equal weights.\n\n"
    "Data: 120 queries to train, 200 to test, 16 candidates of 12 features, one of them right: that of the highest utility\n"
    "w.x, with a hidden layer w.x + x'Mx / 2. In the noisy world 40 % of the training labels are drawn at random. Batches of\n"
    "24 queries, 20 epochs of Adam, equal weights in the first two; temperature 0.4.";

constexpr Eigen::Index columns = 12;
constexpr std::size_t candidates = 16, epochs = 20;
struct Setting {
  std::string name;
  bool linear;
  double noise;
  std::size_t judged_after;
};
const std::vector<Setting> settings{{", linear, right labels, epoch 10", true, 0, 10},
                                    {", hidden layer, 40 % wrong", false, 0.4, epochs},
                                    {", linear, 10 % wrong", true, 0.1, epochs}};

/// f(h) = min(1 - h, 1): hard samples count less. A map of one's own needs these three members and nothing else.
struct LessOfTheHard {
  double temperature = 0.4, delta = 1;

  template <class T>
  rankgrad::simd::Pack<T> preference(rankgrad::simd::Pack<T> h) const {
    const rankgrad::simd::Pack<T> one(T(1));
    return rankgrad::simd::min(one - h, one);
  }
};
/// A wrong arm: the map of the opposite place.
template <class Map>
struct Opposite : Map {
  template <class T>
  rankgrad::simd::Pack<T> preference(rankgrad::simd::Pack<T> h) const { return Map::template preference<T>(-h); }
};

Lists made_up(std::size_t queries, const Vector& w, const Matrix& m, double noise, rankgrad::Random& random) {
  Lists lists(queries, candidates, columns);
  lists.features = normal(random, lists.features.rows(), columns);
  const Vector utility = lists.features * w + (lists.features * m).cwiseProduct(lists.features).rowwise().sum();
  for (std::size_t q = 0; q < queries; ++q) {
    const double* const u = utility.data() + q * candidates;
    auto right = static_cast<std::size_t>(std::max_element(u, u + candidates) - u);
    if (random.uniform() < noise) right = random.below(candidates);
    lists.labels[q * candidates + right] = 1;
  }
  return lists;
}

void compare(Replicate& run, const Setting& setting) {
  rankgrad::Random random(run.seed);
  const Vector w = normal(random, columns).normalized();
  const Matrix m = normal(random, columns, columns, setting.linear ? 0 : 0.5 / columns);
  const Lists training = made_up(120, w, m, setting.noise, random), test = made_up(200, w, m, 0, random);
  const Scorer start = setting.linear ? Scorer::linear(normal(random, columns, 0.05)) : Scorer::hidden_layer(columns, 16, random);

  const auto arm = [&](const std::string& name, const auto& map) {
    Scorer scorer = start;
    examples::Adam<double> adam(scorer.parameters.size(), 0.01);
    rankgrad::ReweightedEvaluator<double> evaluate;
    rankgrad::Random batches(run.seed, 2);   // the same for all arms
    for (std::size_t epoch = 0; epoch < setting.judged_after; ++epoch)
      for_each_batch(training, 24, batches, [&](const Lists& batch) {
        const Vector scores = scorer.forward(batch.features);
        Vector gradient(scores.size());
        const std::span<double> out(gradient.data(), batch.items());
        if (epoch < 2) evaluate(rankgrad::reweighted(rankgrad::Softmax{}, rankgrad::UniformWeights{}), batch.batch(scores), out);
        else evaluate(rankgrad::reweighted(rankgrad::Softmax{}, map), batch.batch(scores), out);
        adam.step(scorer.parameters, scorer.backward(batch.features, gradient));
      });
    run.set(name, "MRR" + setting.name, test.mean(rankgrad::ReciprocalRank{}, scorer.forward(test.features)));
  };
  const auto right_or_opposite = [&](const std::string& name, const auto& map) {
    if (run.wrong == "opposite") arm(name, Opposite<std::decay_t<decltype(map)>>{map});
    else arm(name, map);
  };
  arm("equal weights", rankgrad::UniformWeights{});
  right_or_opposite("less of the easy", rankgrad::LinUpper{});
  right_or_opposite("less of the hard", LessOfTheHard{});
  if (!run.wrong.empty()) return;
  arm("less of the easy, no ceiling", rankgrad::Upper{});
  arm("more of the middle", rankgrad::Quadratic{});
  arm("more of both ends", rankgrad::Extremes{});
}

void replicate(Replicate& run) {
  for (const Setting& setting : settings)
    if (run.wrong.empty() || &setting != &settings[2]) compare(run, setting);   // wrong arms: what is checked
}

void judge(Report& report) {
  const std::vector<std::string> arms{"equal weights",      "less of the easy",  "less of the easy, no ceiling",
                                      "more of the middle", "more of both ends", "less of the hard"};
  for (const Setting& setting : settings) report.table("MRR" + setting.name, arms, "equal weights");
  report.at_least("MRR" + settings[0].name, "less of the easy", "equal weights", 0.018);
  report.at_most("MRR" + settings[1].name, "less of the easy", "equal weights", -0.025);
  report.at_least("MRR" + settings[1].name, "less of the hard", "less of the easy", 0.035);
  if (report.wrong()) return;
  report.remark(fmt::format(
      "What does not show: that easy samples should count less as such. It speeds up training on right labels, and with wrong\n"
      "ones it teaches them; leaving out the hard ones gains little there ({:+.3f}). At 10 % the middle has {:+.3f}.",
      report.mean_difference("MRR" + settings[1].name, "less of the hard", "equal weights"),
      report.mean_difference("MRR" + settings[2].name, "more of the middle", "equal weights")));
}

}  // namespace

int main(int argc, char** argv) {
  return run(argc, argv, {.name = "loss_reweighting", .help = help, .wrong = {{"opposite", "the maps of -h"}}, .seeds = 20},
             replicate, judge);
}
