// experiments/tie_models.cpp: do Rao-Kupper and Davidson find the strengths, and how common ties are, behind comparisons?
// SPDX-License-Identifier: MIT
#include "support/experiment.hpp"
#include "support/scorer.hpp"

#include <rankgrad/bradley_terry/davidson.hpp>
#include <rankgrad/bradley_terry/rao_kupper.hpp>

#include <fmt/format.h>

namespace {

using namespace experiments;

constexpr const char* help =
    "Recovery of the parameters of two models of ties, Rao-Kupper (a threshold eta) and Davidson (a strength nu).\n\n"
    "Data: 20 items of strengths drawn from N(0, 1), 3000 comparisons of random pairs, outcomes drawn from the model itself.\n"
    "Strengths and the logarithm of the tie parameter, started at 0 and log 0.5, are fitted together by the gradients of the\n"
    "library: 400 steps of Adam.";

constexpr std::size_t items = 20, comparisons = 3000;

rankgrad::RaoKupper with_parameter(rankgrad::RaoKupper, double log_parameter) { return {.eta = std::exp(log_parameter)}; }
rankgrad::Davidson with_parameter(rankgrad::Davidson, double log_parameter) { return {.kappa = log_parameter}; }
/// d parameter / d log_parameter of what the loss derives by.
double inner_slope(const rankgrad::RaoKupper& loss) { return loss.eta; }
double inner_slope(const rankgrad::Davidson&) { return 1; }

template <class Loss>
void recover(Replicate& run, const std::string& arm, double truth, const Loss& model) {
  rankgrad::Random random(run.seed);
  const Vector strength = normal(random, items);
  const Loss generator = with_parameter(model, std::log(truth));
  std::vector<std::uint32_t> first(comparisons), second(comparisons);
  std::vector<double> outcome;   // first, second, tie
  for (std::size_t c = 0; c < comparisons; ++c) {
    first[c] = static_cast<std::uint32_t>(random.below(items));
    second[c] = static_cast<std::uint32_t>((first[c] + 1 + random.below(items - 1)) % items);
    const auto p = generator.probabilities(strength[first[c]] - strength[second[c]]);
    const double u = random.uniform();
    const bool won = u < p.first, lost = !won && u < p.first + p.second, tied = !won && !lost;
    if (tied && run.wrong == "half-wins") outcome.insert(outcome.end(), {0.5, 0.5, 0.0});
    else outcome.insert(outcome.end(), {double(won), double(lost), double(tied)});
  }

  Vector parameters = Vector::Zero(items + 1);   // the last is the logarithm of the tie parameter
  parameters[items] = std::log(0.5);
  examples::Adam<double> adam(parameters.size(), 0.05);
  adam.beta2 = 0.99;
  rankgrad::Workspace workspace;
  for (int step = 0; step < 400; ++step) {
    if (step == 300) adam.learning_rate = 0.005;
    const Loss loss = with_parameter(model, parameters[items]);
    Vector gradient = Vector::Zero(parameters.size());
    rankgrad::ComparisonView<double> view;
    view.scores = {parameters.data(), items};
    view.first = first;
    view.second = second;
    view.soft_outcome = outcome;
    double tie_slope = 0;
    loss.value_and_gradient(view, rankgrad::GradientSink<double>{gradient.data()}, tie_slope, workspace);
    gradient[items] = tie_slope * (run.wrong == "flipped" ? -1 : 1) * inner_slope(loss);
    adam.step(parameters, gradient);
  }
  const Vector a = strength.array() - strength.mean(), fitted = parameters.head(items), b = fitted.array() - fitted.mean();
  run.set(arm, "tie parameter", std::exp(parameters[items]));
  run.set(arm, "correlation of strengths", a.dot(b) / (a.norm() * b.norm()));
}

struct Setting {
  std::string arm;
  double truth;
};
const std::vector<Setting> rao_kupper{{"Rao-Kupper, eta = 0.6", 0.6}, {"Rao-Kupper, eta = 0.2", 0.2}};
const std::vector<Setting> davidson{{"Davidson, nu = 0.8", 0.8}, {"Davidson, nu = 0.3", 0.3}};

void replicate(Replicate& run) {
  for (const auto& [arm, truth] : rao_kupper) recover(run, arm, truth, rankgrad::RaoKupper{});
  for (const auto& [arm, truth] : davidson) recover(run, arm, truth, rankgrad::Davidson{});
}

void judge(Report& report) {
  std::vector<Setting> all = rao_kupper;
  all.insert(all.end(), davidson.begin(), davidson.end());
  std::vector<std::string> arms;
  for (const Setting& setting : all) arms.push_back(setting.arm);
  report.table("tie parameter", arms, "");
  report.table("correlation of strengths", arms, "");
  for (const auto& [arm, truth] : all) {
    const std::vector<double> estimates = report.values(arm, "tie parameter");
    const double mean = summary(estimates).mean / truth - 1;
    const double off = std::max(largest(estimates) / truth - 1, 1 - smallest(estimates) / truth);
    const double correlation = smallest(report.values(arm, "correlation of strengths"));
    report.check(std::abs(mean) <= 0.05, fmt::format("{}: the mean is off by {:+.3g} %, asked for at most 5", arm, 100 * mean));
    report.check(off <= 0.20, fmt::format("{}: the farthest is off by {:.3g} %, asked for at most 20", arm, 100 * off));
    report.check(correlation > 0.95, fmt::format("{}: correlation of strengths {:.3f}, asked for above .95", arm, correlation));
  }
}

}  // namespace

int main(int argc, char** argv) {
  return run(argc, argv, {.name = "tie_models", .help = help,
                          .wrong = {{"half-wins", "ties given as half a win of each"},
                                    {"flipped", "the slope of the tie parameter uphill"}}}, replicate, judge);
}
