// train_reranker/dataset.cpp
// SPDX-License-Identifier: MIT
#include "dataset.hpp"

#include <algorithm>
#include <cmath>

namespace reranker {

Columns Columns::fit(const Rows& training) {
  Columns columns;
  for (const Entry& entry : training.entries) columns.features.push_back(entry.feature);
  std::sort(columns.features.begin(), columns.features.end());
  columns.features.erase(std::unique(columns.features.begin(), columns.features.end()), columns.features.end());

  const auto column_of = [&](std::uint32_t feature) {
    return static_cast<std::size_t>(std::lower_bound(columns.features.begin(), columns.features.end(), feature) - columns.features.begin());
  };
  const double items = static_cast<double>(training.size());
  std::vector<double> sum(columns.features.size()), squares(columns.features.size()), present(columns.features.size());
  for (const Entry& entry : training.entries) sum[column_of(entry.feature)] += static_cast<double>(entry.value);
  for (const double s : sum) columns.mean.push_back(s / items);
  for (const Entry& entry : training.entries) {
    const std::size_t c = column_of(entry.feature);
    const double distance = static_cast<double>(entry.value) - columns.mean[c];
    squares[c] += distance * distance;
    present[c] += 1;
  }
  for (std::size_t c = 0; c < columns.mean.size(); ++c) {
    const double mean = columns.mean[c], variance = (squares[c] + (items - present[c]) * mean * mean) / items;
    const bool constant = !(variance > 1e-12 * mean * mean);
    columns.scale.push_back(constant ? 0 : 1 / std::sqrt(variance));
  }
  return columns;
}

Dataset make_dataset(const Rows& rows, const Columns& columns, std::optional<std::uint32_t> first_stage_feature) {
  Dataset data;
  data.labels = rows.labels;
  data.offsets = rows.offsets;
  data.queries = rows.queries;
  data.documents = rows.documents;

  const auto standardised = [&](std::size_t column, double value) {
    return static_cast<float>(std::clamp((value - columns.mean[column]) * columns.scale[column], -10.0, 10.0));
  };
  const auto width = columns.features.size();
  Eigen::RowVectorXf absent(static_cast<Eigen::Index>(width));
  for (std::size_t c = 0; c < width; ++c) absent[static_cast<Eigen::Index>(c)] = standardised(c, 0);
  data.features = absent.replicate(static_cast<Eigen::Index>(rows.size()), 1);
  data.first_stage.assign(rows.size(), 0);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    std::size_t c = 0;   // both the entries of a row and the columns rise
    for (const Entry& entry : rows.row(r)) {
      while (c < width && columns.features[c] < entry.feature) ++c;
      if (c < width && columns.features[c] == entry.feature)
        data.features(static_cast<Eigen::Index>(r), static_cast<Eigen::Index>(c)) = standardised(c, static_cast<double>(entry.value));
      if (first_stage_feature == entry.feature) data.first_stage[r] = entry.value;
    }
  }
  if (!first_stage_feature)
    for (std::size_t q = 0; q < data.lists(); ++q)
      for (std::size_t r = rows.offsets[q]; r < rows.offsets[q + 1]; ++r)
        data.first_stage[r] = -static_cast<float>(r - rows.offsets[q]);
  return data;
}

}  // namespace reranker
