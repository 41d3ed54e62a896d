// train_reranker/splits.cpp
// SPDX-License-Identifier: MIT
#include "splits.hpp"

#include "generator.hpp"
#include "reader.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace reranker {
namespace {

Splits made_up(const Options& options) {
  const std::uint64_t seed = options.training.seed;
  // The held-out queries have clean labels: they measure what was learnt, not what was wrong in the training data.
  constexpr std::size_t judged = 300, held_out = 200;
  Split split = split_by_query(generate({.seed = seed, .queries = judged, .label_noise = 0.1}), options.validation_fraction, seed);
  return {std::move(split.rest), std::move(split.part),
          generate({.seed = seed, .first_query = judged, .queries = held_out, .label_noise = 0}), "made up",
          "feature 1, the first-stage score", generated_first_stage};
}

Rows cut_off(Rows& rows, double fraction, std::uint64_t seed, const std::string& file) {
  if (rows.queries.size() < 2)
    throw InputError(fmt::format("{}: too few queries to cut off some for validation and some to hold out", file));
  Split split = split_by_query(rows, fraction, seed);
  rows = std::move(split.rest);
  return std::move(split.part);
}

/// Without a relevant document there is nothing to learn or to measure.
void require_relevant(const Rows& rows, const std::string& file, std::string_view part) {
  if (std::none_of(rows.labels.begin(), rows.labels.end(), [](float label) { return label > 0; }))
    throw InputError(fmt::format("{}: no document of the {} queries is relevant (label above 0)", file, part));
}

void require_feature(const Rows& rows, const std::string& file, std::uint32_t feature) {
  if (std::none_of(rows.entries.begin(), rows.entries.end(), [&](const Entry& entry) { return entry.feature == feature; }))
    throw InputError(fmt::format("{}: no row has feature {}, which was to be the first-stage score", file, feature));
}

}  // namespace

Splits load_splits(const Options& options) {
  if (!options.data) return made_up(options);
  const std::string data = options.data->string();
  const std::uint64_t seed = options.training.seed;
  Splits splits;
  splits.source = data;
  splits.first_stage_feature = options.first_stage_feature;
  splits.first_stage = options.first_stage_feature ? fmt::format("feature {}", *options.first_stage_feature) : "the order of the file";
  const auto read = [](const std::filesystem::path& file) {
    Rows rows = read_rows(file);
    for (const std::string& note : rows.notes) fmt::print(stderr, "note: {}\n", note);
    return rows;
  };
  splits.training = read(*options.data);
  if (options.first_stage_feature) require_feature(splits.training, data, *options.first_stage_feature);
  splits.held_out = options.test ? read(*options.test) : cut_off(splits.training, options.test_fraction, seed + 1, data);
  splits.validation = options.validation ? read(*options.validation) : cut_off(splits.training, options.validation_fraction, seed + 2, data);
  require_relevant(splits.training, data, "training");
  require_relevant(splits.validation, options.validation.value_or(data).string(), "validation");
  require_relevant(splits.held_out, options.test.value_or(data).string(), "held-out");
  return splits;
}

}  // namespace reranker
