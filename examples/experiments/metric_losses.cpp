// experiments/metric_losses.cpp: do losses that know about NDCG reach a higher NDCG?
// SPDX-License-Identifier: MIT
#include "support/experiment.hpp"
#include "support/lists.hpp"

#include <rankgrad/listwise/approx_ndcg.hpp>
#include <rankgrad/listwise/softmax.hpp>
#include <rankgrad/metric/ndcg.hpp>
#include <rankgrad/pairwise/lambda_loss.hpp>
#include <rankgrad/pairwise/lambdarank.hpp>
#include <rankgrad/pairwise/ranknet.hpp>

#include <fmt/format.h>

namespace {

using namespace experiments;

constexpr const char* help =
    "LambdaRank, NDCG-Loss2++, ApproxNDCG and softmax with exponential gains against RankNet, which treats all pairs alike.\n\n"
    "Data: 200 or 60 queries to train, 300 to test, 20 candidates of 10 features; utility u = w.x + noise, to which the\n"
    "misspecified worlds add 2 max(0, v.x - 0.5), v across w, which a linear scorer cannot follow everywhere. Grades 0 to 4\n"
    "by thresholds on u. 250 full-batch steps of Adam. Linear scorer or one hidden layer; in one world 20 % of the training\n"
    "grades are drawn at random.";

struct Setting {
  std::string name;
  bool linear, misspecified;
  std::size_t queries;
  double noise;
};
const std::vector<Setting> settings{{", linear, misspecified", true, true, 200, 0},
                                    {", linear, well specified", true, false, 60, 0},
                                    {", hidden layer", false, true, 60, 0},
                                    {", linear, misspecified, 20 % random grades", true, true, 60, 0.2}};
constexpr Eigen::Index columns = 10;

Lists made_up(std::size_t queries, const Vector& w, const Vector& v, bool misspecified, rankgrad::Random& random) {
  Lists lists(queries, 20, columns);
  lists.features = normal(random, lists.features.rows(), columns);
  Vector u = lists.features * w + normal(random, lists.features.rows(), 0.2);
  if (misspecified) u.array() += 2 * ((lists.features * v).array() - 0.5).cwiseMax(0.0);
  const double spread = summary({u.begin(), u.end()}).spread;
  for (std::size_t i = 0; i < lists.items(); ++i)
    for (const double threshold : {0.5, 1.0, 1.6, 2.2}) lists.labels[i] += u[static_cast<Eigen::Index>(i)] > threshold * spread;
  return lists;
}

void compare(Replicate& run, const Setting& setting) {
  rankgrad::Random random(run.seed);
  const Vector w = normal(random, columns).normalized(), any = normal(random, columns), v = (any - any.dot(w) * w).normalized();
  Lists training = made_up(setting.queries, w, v, setting.misspecified, random);
  const Lists test = made_up(300, w, v, setting.misspecified, random);
  for (double& grade : training.labels)
    if (random.uniform() < setting.noise) grade = static_cast<double>(random.below(5));
  Lists gains = training;
  for (double& grade : gains.labels) grade = std::exp2(grade) - 1;
  const Scorer start =
      setting.linear ? Scorer::linear(normal(random, columns, 0.01)) : Scorer::hidden_layer(columns, 16, random);

  const auto arm = [&](const std::string& name, const Lists& lists, const auto& loss) {
    Trainer trainer(start, 0.03);
    for (int step = 0; step < 250; ++step) trainer.step(lists, loss);
    const Vector scores = trainer.scorer.forward(test.features);
    for (const std::size_t k : {std::size_t{1}, std::size_t{10}}) {
      const double ndcg = test.mean(rankgrad::Ndcg{.k = k, .no_relevant = rankgrad::NoRelevant::skip}, scores);
      run.set(name, fmt::format("NDCG@{}{}", k, setting.name), ndcg);
    }
  };
  const auto right_or_flipped = [&](const std::string& name, const Lists& lists, const auto& loss) {
    if (run.wrong == "flipped") arm(name, lists, flipped(loss));
    else if (run.wrong == "ignored") arm(name, training, rankgrad::RankNet{});
    else arm(name, lists, loss);
  };
  constexpr auto mean = rankgrad::Normalize::mean;
  arm("RankNet", training, rankgrad::RankNet{});
  right_or_flipped("LambdaRank", training, rankgrad::LambdaRank{.normalize = mean});
  const rankgrad::LambdaLoss loss2pp{.scheme = rankgrad::LambdaScheme::ndcg_loss2pp, .normalize = mean};
  right_or_flipped("NDCG-Loss2++", training, loss2pp);
  right_or_flipped("ApproxNDCG", training, rankgrad::ApproxNdcg{.temperature = 0.1});
  right_or_flipped("softmax, 2^y - 1", gains, rankgrad::Softmax{.normalize = mean});
  arm("softmax, y", training, rankgrad::Softmax{.normalize = mean});
}

void replicate(Replicate& run) {
  for (const Setting& setting : settings)
    if (run.wrong.empty() || &setting == &settings[0]) compare(run, setting);   // wrong arms: what is checked
}

void judge(Report& report) {
  const std::vector<std::string> arms{"RankNet", "LambdaRank", "NDCG-Loss2++", "ApproxNDCG", "softmax, 2^y - 1", "softmax, y"};
  const std::string checked = settings[0].name;
  for (const Setting& setting : settings) report.table("NDCG@10" + setting.name, arms, "RankNet");
  report.table("NDCG@1" + checked, arms, "RankNet");
  report.at_least("NDCG@10" + checked, "LambdaRank", "RankNet", 0.009);
  report.at_least("NDCG@10" + checked, "NDCG-Loss2++", "RankNet", 0.009);
  report.at_least("NDCG@10" + checked, "softmax, 2^y - 1", "RankNet", 0.009);
  report.at_least("NDCG@1" + checked, "ApproxNDCG", "RankNet", 0.04);
  if (report.wrong()) return;
  const auto gain = [&](std::size_t setting, const std::string& arm) {
    return report.mean_difference("NDCG@10" + settings[setting].name, arm, "RankNet");
  };
  report.remark(fmt::format(
      "What does not show: a gain of metric losses where the scorer can follow the utility (LambdaRank {:+.3f}, with a hidden\n"
      "layer {:+.3f}; ApproxNDCG {:+.3f} and {:+.3f}), or over softmax with exponential gains where it cannot ({:+.3f} against\n"
      "{:+.3f}). With random grades in 60 queries LambdaRank has {:+.3f}.",
      gain(1, "LambdaRank"), gain(2, "LambdaRank"), gain(1, "ApproxNDCG"), gain(2, "ApproxNDCG"), gain(0, "LambdaRank"),
      gain(0, "softmax, 2^y - 1"), gain(3, "LambdaRank")));
}

}  // namespace

int main(int argc, char** argv) {
  return run(argc, argv, {.name = "metric_losses", .help = help,
                          .wrong = {{"ignored", "all pairs alike, RankNet under other names"}, {"flipped", "uphill"}}},
             replicate, judge);
}
