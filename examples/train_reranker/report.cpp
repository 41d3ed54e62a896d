// train_reranker/report.cpp: the table, results.json, run files and weights.
// SPDX-License-Identifier: MIT
#include "report.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <rankgrad/interop/trec.hpp>

#include <algorithm>
#include <numeric>
#include <sstream>

namespace reranker {
namespace {

using Json = nlohmann::ordered_json;

Json json_of(const Figures& figures) {
  return {{"ndcg@5", figures.ndcg5}, {"ndcg@10", figures.ndcg10}, {"mrr", figures.mrr}, {"map", figures.map}};
}

const char* curriculum_name(const Objective& objective) {
  if (!uses_curriculum(objective)) return "none";
  switch (objective.curriculum.easiness) {
    case Easiness::recip: return "recip";
    case Easiness::norm: return "norm";
    default: return "kde";   // also of curriculum_NAME where none is chosen
  }
}

Json json_of(const Result& result) {
  Json curve = Json::array();
  for (const Epoch& epoch : result.training.curve) curve.push_back({{"loss", epoch.loss}, {"validation_ndcg@10", epoch.validation_ndcg}});
  Json entry{{"loss", result.label}, {"diverged", result.training.diverged}, {"best_epoch", result.training.best_epoch},
             {"weight_decay", result.training.weight_decay}, {"validation_ndcg@10", result.training.best_epoch ? Json(result.training.validation_ndcg()) : Json()}};
  entry["held_out"] = json_of(result.held_out);
  entry["curve"] = std::move(curve);
  return entry;
}

}  // namespace

std::string table(const Report& report) {
  std::size_t width = 11;
  for (const Result& result : report.results) width = std::max(width, result.label.size());
  std::string text = fmt::format("{:<{}}  {:>7}  {:>7}  {:>7}  {:>7}  {:>6}  {:>12}\n", "", width, "NDCG@5", "NDCG@10", "MRR", "MAP", "epoch", "weight decay");
  const auto row = [&](std::string_view label, const Figures& f, const std::string& epoch, const std::string& decay) {
    text += fmt::format("{:<{}}  {:>7.4f}  {:>7.4f}  {:>7.4f}  {:>7.4f}  {:>6}  {:>12}\n", label, width, f.ndcg5, f.ndcg10, f.mrr, f.map, epoch, decay);
  };
  row("first stage", report.first_stage_figures, "-", "-");
  for (const Result& result : report.results) {
    const Training& run = result.training;
    row(result.label, result.held_out, std::to_string(run.best_epoch), run.diverged ? "diverged" : fmt::format("{}", run.weight_decay));
  }
  return text;
}

std::string results_json(const Report& report) {
  const TrainingOptions& training = report.options.training;
  Json document;
  document["data"] = {{"source", report.data}, {"training", report.training_summary}, {"validation", report.validation_summary},
                      {"held_out", report.held_out_summary}, {"features", report.columns.features.size()}};
  document["options"] = {{"hidden", training.hidden},
                         {"activation", training.activation == Activation::relu ? "relu" : "tanh"},
                         {"epochs", training.epochs},
                         {"patience", training.patience},
                         {"batch_queries", training.batch_queries},
                         {"learning_rate", training.learning_rate},
                         {"weight_decays", training.weight_decays},
                         {"seed", training.seed},
                         {"curriculum_epochs", report.options.objectives.front().curriculum.epochs}};
  document["first_stage"] = {{"order", report.first_stage},
                             {"validation_ndcg@10", report.first_stage_validation_ndcg},
                             {"held_out", json_of(report.first_stage_figures)}};
  document["losses"] = Json::array();
  for (std::size_t r = 0; r < report.results.size(); ++r) {
    document["losses"].push_back(json_of(report.results[r]));
    document["losses"].back()["curriculum"] = curriculum_name(report.options.objectives[r]);
  }
  return document.dump(2) + "\n";
}

std::string trec_run(const Dataset& data, std::span<const float> scores, std::string_view tag) {
  rankgrad::trec::Run run;
  for (std::size_t q = 0; q < data.lists(); ++q) {
    std::vector<std::uint32_t> order(data.offsets[q + 1] - data.offsets[q]);
    std::iota(order.begin(), order.end(), data.offsets[q]);
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return scores[a] > scores[b]; });
    run.begin_query(data.queries[q]);
    for (const std::uint32_t item : order) run.add(data.documents[item], scores[item]);
  }
  std::ostringstream text;
  rankgrad::require(rankgrad::trec::write_run(text, run, tag));
  return text.str();
}

std::string weights_json(const Result& result, const Columns& columns) {
  const Scorer& scorer = result.training.scorer;
  const Shape& shape = scorer.shape();
  const auto part = [&](Eigen::Index first, Eigen::Index count) {
    return std::vector<float>(scorer.parameters.data() + first, scorer.parameters.data() + first + count);
  };
  Json document{{"loss", result.label}, {"features", columns.features}, {"mean", columns.mean}, {"scale", columns.scale}};
  const std::string x = "x = scale * (features - mean), cut to +-10";
  const Eigen::Index h = shape.hidden, d = shape.inputs;
  if (h == 0) {
    document["formula"] = "score = v . x + c, " + x;
    document["v"] = part(0, d);
  } else {
    document["formula"] = fmt::format("score = v . {}(W x + b) + c, {}", shape.activation == Activation::relu ? "relu" : "tanh", x);
    Json rows = Json::array();
    for (Eigen::Index i = 0; i < h; ++i) rows.push_back(part(i * d, d));
    document["W"] = std::move(rows);
    document["b"] = part(h * d, h);
    document["v"] = part(h * d + h, h);
  }
  document["c"] = scorer.parameters[scorer.parameters.size() - 1];
  return document.dump() + "\n";
}

std::string file_name(std::string_view label) {
  std::string name;
  for (const char c : label) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.';
    if (plain) name += c;
    else if (!name.empty() && name.back() != '_') name += '_';
  }
  return name;
}

}  // namespace reranker
