// train_reranker/options.cpp
// SPDX-License-Identifier: MIT
#include "options.hpp"

#include "report.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace reranker {
namespace {

constexpr const char* description =
    "Trains small neural rerankers with the losses of rankgrad and compares them on held-out queries.\n"
    "Without --data it makes its own: candidate lists with graded relevance, a first stage that errs on\n"
    "three queries in ten, and wrong labels in the training queries.";

constexpr const char* footer = R"(
Data files have one candidate per line, `LABEL qid:QUERY FEATURE:VALUE ... # docid = NAME` (SVMlight, LETOR). Without
qid, the number of lines of each query stands in FILE.query (LightGBM) or FILE.group (XGBoost). Absent features are 0.

Examples:
  train_reranker                                          one loss on made-up data
  train_reranker --compare                                every loss, side by side
  train_reranker --compare ranknet,listmle,softmax --seed 7
  train_reranker --data train.txt --test test.txt --loss lambdarank
  train_reranker --data all.txt --loss "0.8*ranknet + 0.2*listmle" --out mixture
  train_reranker --data all.txt --first-stage-feature 3 --loss ranknet --curriculum kde --curriculum-epochs 10

Written to --out: results.json (every figure of the table, the options, the curves), curves.svg, and for each loss a run
file for trec_eval (LOSS.run) and the weights (LOSS.weights.json). Nothing is written before everything is trained.

Exit status: 0 done; 1 the data cannot be used (file, line and reason on stderr); 2 the command line is wrong;
3 a training diverged or the output could not be written.)";

void list_losses() {
  for (const NamedLoss& loss : all_losses())
    fmt::print("{:<24}{:<15}{}\n", loss.name, loss.family, loss.description);
  fmt::print("{:<24}{:<15}{}\n", "curriculum_NAME", "curriculum", "a pointwise or pairwise loss, easy samples first");
}

/// What --compare trains when it is given no names: every loss, and one under a curriculum.
std::vector<std::string> compared_by_default() {
  std::vector<std::string> names;
  for (const NamedLoss& loss : all_losses()) names.emplace_back(loss.name);
  names.emplace_back("curriculum_ranknet");
  return names;
}

}  // namespace

CommandLine parse_command_line(int argc, char** argv) {
  CLI::App app{description, "train_reranker"};
  app.footer(footer);
  app.get_formatter()->column_width(34);
  Options options;
  TrainingOptions& training = options.training;
  std::string data, validation, test, out = options.out.string(), loss = "softmax", names;
  std::uint32_t first_stage_feature = 0;
  CurriculumOptions curriculum;
  bool list = false;

  auto* data_option = app.add_option("--data", data, "Training data; default: made-up data")->group("Data");
  app.add_option("--validation", validation, "Validation data; default: part of --data")->needs(data_option)->group("Data");
  app.add_option("--test", test, "Held-out data; default: part of --data")->needs(data_option)->group("Data");
  auto* first_stage_option =
      app.add_option("--first-stage-feature", first_stage_feature, "Feature that is the first-stage score; default: file order")
          ->needs(data_option)->group("Data");
  app.add_option("--validation-fraction", options.validation_fraction, "Part of the queries for validation")
      ->check(CLI::Range(0.01, 0.9))->capture_default_str()->group("Data");
  app.add_option("--test-fraction", options.test_fraction, "Part of the queries held out")
      ->check(CLI::Range(0.01, 0.9))->capture_default_str()->group("Data");

  auto* loss_option = app.add_option("--loss", loss, "A loss or a mixture: \"0.8*ranknet + 0.2*listmle\"")->capture_default_str()->group("Loss");
  auto* compare_option = app.add_option("--compare", names, "Train several losses: NAME,NAME,...; no names: all of them")
                             ->expected(0, 1)->excludes(loss_option)->group("Loss");
  app.add_flag("--list-losses", list, "Show the names of the losses and stop")->group("Loss");
  const std::map<std::string, Easiness> kinds{{"none", Easiness::none}, {"recip", Easiness::recip}, {"norm", Easiness::norm}, {"kde", Easiness::kde}};
  app.add_option("--curriculum", curriculum.easiness, "Easiness of a sample to start with, from the first stage: none, recip, norm, kde")
      ->transform(CLI::CheckedTransformer(kinds).description(""))->default_str("none")->group("Loss");
  app.add_option("--curriculum-epochs", curriculum.epochs, "Epochs until all samples count the same")
      ->check(CLI::Range(0.0, 1e6))->capture_default_str()->group("Loss");

  app.add_option("--hidden", training.hidden, "Width of the hidden layer; 0: linear scorer")->check(CLI::Range(0, 65536))->capture_default_str()->group("Training");
  const std::map<std::string, Activation> activations{{"relu", Activation::relu}, {"tanh", Activation::tanh}};
  app.add_option("--activation", training.activation, "relu or tanh")
      ->transform(CLI::CheckedTransformer(activations).description(""))->default_str("relu")->group("Training");
  app.add_option("--epochs", training.epochs, "Most epochs")->check(CLI::Range(1, 1000000))->capture_default_str()->group("Training");
  app.add_option("--patience", training.patience, "Epochs without better validation NDCG@10 before stopping")
      ->check(CLI::Range(1, 1000000))->capture_default_str()->group("Training");
  app.add_option("--batch-queries", training.batch_queries, "Queries in a mini-batch")->check(CLI::Range(1, 1000000))->capture_default_str()->group("Training");
  app.add_option("--learning-rate", training.learning_rate, "Of Adam")->check(CLI::Range(1e-12, 100.0))->capture_default_str()->group("Training");
  app.add_option("--weight-decay", training.weight_decays, "Of Adam, decoupled; of several (0.1,1,6) validation chooses one")
      ->delimiter(',')->check(CLI::Range(0.0, 1e6))->capture_default_str()->group("Training");
  app.add_option("--seed", training.seed, "Of the data made up, the splits, the start and the order")->capture_default_str()->group("Training");
  app.add_option("--threads", options.threads, "Losses trained at the same time; 0: one per core. Changes no result")
      ->check(CLI::Range(0, 1024))->capture_default_str()->group("Training");
  app.add_option("--out", out, "Folder for everything written")->capture_default_str();

  try {
    app.parse(argc, argv);
    if (list) {
      list_losses();
      return {};
    }
    std::vector<std::string> wanted{loss};
    if (compare_option->count() > 0) wanted = names.empty() ? compared_by_default() : CLI::detail::split(names, ',');
    const bool alone = wanted.size() == 1;
    std::set<std::string> files;
    for (const std::string& text : wanted) {
      options.objectives.push_back(parse_objective(text, curriculum));
      const Objective& objective = options.objectives.back();
      if (!files.insert(file_name(objective.label)).second) throw UsageError(fmt::format("'{}' is named twice", objective.label));
      if (curriculum.easiness == Easiness::none || uses_curriculum(objective)) continue;
      const std::string why = fmt::format("'{}' cannot be put under a curriculum: only pointwise and pairwise losses can", objective.label);
      if (alone) throw UsageError(why);
      fmt::print(stderr, "note: {}\n", why);
    }
  } catch (const CLI::ParseError& error) {
    return {{}, app.exit(error) == 0 ? success : bad_usage};
  } catch (const UsageError& error) {
    fmt::print(stderr, "{}\nRun with --help for more information.\n", error.what());
    return {{}, bad_usage};
  }
  if (!data.empty()) options.data = data;
  if (!validation.empty()) options.validation = validation;
  if (!test.empty()) options.test = test;
  if (first_stage_option->count() > 0) options.first_stage_feature = first_stage_feature;
  options.out = out;
  return {std::move(options), success};
}

}  // namespace reranker
