// train_reranker/report.hpp: what was found, for people and for programs.
// SPDX-License-Identifier: MIT
#pragma once

#include "options.hpp"

#include <string>
#include <vector>

namespace reranker {

/// One loss, trained and measured on the held-out queries.
struct Result {
  std::string label;
  Training training;
  std::vector<float> scores{};   ///< of the held-out candidates
  Figures held_out{};
};

/// Everything that the files and the table are made of.
struct Report {
  const Options& options;
  const Columns& columns;
  const Dataset& held_out;
  std::string data, training_summary, validation_summary, held_out_summary, first_stage;   ///< in words
  Figures first_stage_figures;
  double first_stage_validation_ndcg;
  std::vector<Result> results;
};

std::string table(const Report& report);
std::string results_json(const Report& report);
/// Query, Q0, document, rank, score, tag: what trec_eval reads.
std::string trec_run(const Dataset& data, std::span<const float> scores, std::string_view tag);
std::string weights_json(const Result& result, const Columns& columns);
/// A gnuplot script with its data inside that draws validation NDCG@10 by epoch as an SVG, to gnuplot's standard output
/// unless an output is set before.
std::string curves_script(const Report& report);

/// A loss's label as a file name: "0.8*ranknet + 0.2*listmle" -> "0.8_ranknet_0.2_listmle".
std::string file_name(std::string_view label);

}  // namespace reranker
