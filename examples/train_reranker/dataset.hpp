// train_reranker/dataset.hpp: rows as a scorer wants them: a dense matrix of standardised features.
// SPDX-License-Identifier: MIT
#pragma once

#include "rows.hpp"

#include <rankgrad/core/ragged_batch.hpp>

#include <Eigen/Core>

#include <optional>

namespace reranker {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// Which features there are, and how they become columns of mean 0 and variance 1 on the training split.
struct Columns {
  std::vector<std::uint32_t> features;   ///< rising
  std::vector<double> mean, scale;       ///< column = scale * (value - mean), cut to +-10; scale 0 for a constant feature

  static Columns fit(const Rows& training);
};

struct Dataset {
  Matrix features;                  ///< [items x columns]
  std::vector<float> labels;        ///< [items]
  std::vector<float> first_stage;   ///< [items] the score of the first stage, or -position where there is none
  std::vector<std::uint32_t> offsets{0};
  std::vector<std::string> queries, documents;

  std::size_t lists() const { return queries.size(); }
  /// These candidates with the given scores.
  rankgrad::RaggedBatch<float> scored(std::span<const float> scores) const {
    return {.scores = scores, .labels = labels, .offsets = offsets};
  }
};

/// Features that the columns do not know are left out. `first_stage_feature` empty: the order of the rows is the
/// first-stage order.
Dataset make_dataset(const Rows& rows, const Columns& columns, std::optional<std::uint32_t> first_stage_feature);

}  // namespace reranker
