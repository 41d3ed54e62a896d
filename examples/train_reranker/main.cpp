// train_reranker: a small neural reranker, trained with any loss of rankgrad, compared on held-out queries.
// SPDX-License-Identifier: MIT
//
// Reading order: this file; trainer.cpp, the loop; losses.cpp, how a loss is chosen at run time; scorer.cpp, the model;
// reader.cpp, the data. `train_reranker --help` says what it can do.
#include "options.hpp"
#include "output_folder.hpp"
#include "reader.hpp"
#include "report.hpp"
#include "splits.hpp"

#include "common/gnuplot.hpp"

#include <rankgrad/exec/threads.hpp>

#include <fmt/format.h>

#include <csignal>
#include <exception>

namespace {

using namespace reranker;

/// One loss after the other, or as many at a time as there are threads: no training knows of another.
std::vector<Result> train_all(const Options& options, const Dataset& training, const Dataset& validation, const Dataset& held_out) {
  std::vector<Result> results;
  for (const Objective& objective : options.objectives) results.push_back({objective.label, {Scorer({}, 0)}});
  std::vector<std::exception_ptr> problems(results.size());
  Progress progress(results.size() * options.training.weight_decays.size() * options.training.epochs);
  const rankgrad::exec::Threads pool(options.threads);
  pool(results.size(), [&](std::size_t r, std::size_t) {
    Result& result = results[r];
    try {
      result.training = train(options.objectives[r], training, validation, options.training, progress);
      result.scores = result.training.scorer.scores(held_out.features);
      result.held_out = figures(held_out, result.scores);
    } catch (...) {
      problems[r] = std::current_exception();   // must not leave a thread of the pool
    }
  });
  for (const std::exception_ptr& problem : problems)
    if (problem) std::rethrow_exception(problem);
  return results;
}

void write_files(const Report& report, OutputFolder& folder) {
  folder.add("results.json", results_json(report));
  folder.add("first_stage.run", trec_run(report.held_out, report.held_out.first_stage, "first_stage"));
  for (const Result& result : report.results) {
    const std::string name = file_name(result.label);
    folder.add(name + ".run", trec_run(report.held_out, result.scores, name));
    folder.add(name + ".weights.json", weights_json(result, report.columns));
  }
  const std::string script = curves_script(report);
  if (const auto svg = examples::drawn_by_gnuplot(script)) {
    folder.add("curves.svg", *svg);
  } else {
    fmt::print(stderr, "note: gnuplot is missing or failed, so there is no curves.svg; curves.gp holds the script and the data\n");
    folder.add("curves.gp", "set output \"curves.svg\"\n" + script);
  }
  folder.commit();
}

int run(const Options& options) {
  OutputFolder folder(options.out);
  const Splits splits = load_splits(options);
  const Columns columns = Columns::fit(splits.training);
  const auto dense = [&](const Rows& rows) { return make_dataset(rows, columns, splits.first_stage_feature); };
  const Dataset training = dense(splits.training), validation = dense(splits.validation), held_out = dense(splits.held_out);

  Report report{options, columns, held_out, splits.source, summary(splits.training), summary(splits.validation),
                summary(splits.held_out), splits.first_stage, figures(held_out, held_out.first_stage),
                figures(validation, validation.first_stage).ndcg10, {}};
  fmt::print("data        {}\ntraining    {}\nvalidation  {}\nheld out    {}\nfirst stage {}\n\n", report.data, report.training_summary,
             report.validation_summary, report.held_out_summary, report.first_stage);

  report.results = train_all(options, training, validation, held_out);
  fmt::print("{}\n", table(report));
  write_files(report, folder);
  fmt::print("written to {}\n", folder.path().string());

  int status = success;
  for (const Result& result : report.results) {
    if (!result.training.diverged) continue;
    fmt::print(stderr, "{} diverged; try a lower --learning-rate\n", result.label);
    status = failed;
  }
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);   // a gnuplot that ends early is a failed write, not the end of this program
  const CommandLine command_line = parse_command_line(argc, argv);
  if (!command_line.options) return command_line.exit_status;
  try {
    return run(*command_line.options);
  } catch (const InputError& error) {
    fmt::print(stderr, "{}\n", error.what());
    return bad_input;
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return failed;
  }
}
