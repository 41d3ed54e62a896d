// train_reranker/splits.hpp: which queries to train on, to validate with, to hold out.
// SPDX-License-Identifier: MIT
#pragma once

#include "options.hpp"
#include "rows.hpp"

#include <optional>
#include <string>

namespace reranker {

struct Splits {
  Rows training, validation, held_out;
  std::string source, first_stage;   ///< in words
  std::optional<std::uint32_t> first_stage_feature;
};

/// From the files of the options, or made up. Notes go to stderr. Throws InputError.
Splits load_splits(const Options& options);

}  // namespace reranker
