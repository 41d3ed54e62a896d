// train_reranker/curves.cpp: a picture of the training, as a script for gnuplot.
// SPDX-License-Identifier: MIT
#include "report.hpp"

#include "common/gnuplot.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace reranker {
namespace {

constexpr const char* header = R"(set terminal svg size 1100,{height} font "Helvetica,14" background "white" noenhanced
set encoding utf8
set title "Validation NDCG@10 while training, the epoch that was kept marked"
set xlabel "epoch"
set ylabel "NDCG@10 on the validation queries"
set key outside right top Left reverse maxcols 1 samplen 3 spacing 1.1
set grid ytics linecolor rgb "#dddddd"
set border 3
set tics nomirror out
)";

}  // namespace

std::string curves_script(const Report& report) {
  const std::vector<Result>& results = report.results;
  const double first_stage = report.first_stage_validation_ndcg;
  std::string script = header;
  const std::size_t height = std::max<std::size_t>(560, 100 + 26 * (results.size() + 1));
  script.replace(script.find("{height}"), 8, std::to_string(height));

  std::size_t longest = 2;
  double low = first_stage, high = first_stage;   // of what was kept: the first epochs may enter the frame from below
  for (std::size_t r = 0; r < results.size(); ++r) {
    const Training& run = results[r].training;
    if (run.best_epoch == 0) continue;
    script += fmt::format("$curve{} << END\n", r);
    for (std::size_t e = 0; e < run.curve.size(); ++e) script += fmt::format("{} {}\n", e + 1, run.curve[e].validation_ndcg);
    script += "END\n";
    longest = std::max(longest, run.curve.size());
    low = std::min(low, run.validation_ndcg());
    high = std::max(high, run.validation_ndcg());
  }
  script += fmt::format("set xrange [1:{}]\nset yrange [{:.2f}:{:.2f}]\n", longest, low - 0.02, high + 0.02);
  script += fmt::format("plot {} with lines linewidth 2 linecolor rgb \"black\" title \"first stage {:.3f}\"", first_stage, first_stage);
  for (std::size_t r = 0; r < results.size(); ++r) {
    const Training& run = results[r].training;
    if (run.best_epoch == 0) continue;
    const auto colour = fmt::format("linecolor rgb \"{}\"", examples::palette[r % examples::palette.size()]);
    script += fmt::format(", \\\n  $curve{} with lines linewidth 2 {} dashtype {} title \"{} {:.3f}\"", r, colour,
                          1 + r / examples::palette.size(), results[r].label, run.validation_ndcg());
    script += fmt::format(", \\\n  $curve{} every ::{}::{} with points pointtype 7 pointsize 0.6 {} notitle", r, run.best_epoch - 1,
                          run.best_epoch - 1, colour);
  }
  return script + "\n";
}

}  // namespace reranker
