// train_reranker/rows.cpp: choosing, splitting and describing rows.
// SPDX-License-Identifier: MIT
#include "rows.hpp"

#include <rankgrad/core/random.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace reranker {

Rows select(const Rows& rows, std::span<const std::size_t> queries) {
  Rows chosen;
  for (const std::size_t q : queries) {
    for (std::size_t r = rows.offsets[q]; r < rows.offsets[q + 1]; ++r) {
      const auto row = rows.row(r);
      chosen.labels.push_back(rows.labels[r]);
      chosen.documents.push_back(rows.documents[r]);
      chosen.entries.insert(chosen.entries.end(), row.begin(), row.end());
      chosen.row_begin.push_back(chosen.entries.size());
    }
    chosen.offsets.push_back(static_cast<std::uint32_t>(chosen.size()));
    chosen.queries.push_back(rows.queries[q]);
  }
  return chosen;
}

Split split_by_query(const Rows& rows, double fraction, std::uint64_t seed) {
  std::vector<std::size_t> order(rows.queries.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  rankgrad::Random(seed).shuffle(order.data(), order.size());
  const auto wanted = static_cast<std::size_t>(std::lround(fraction * static_cast<double>(order.size())));
  const std::size_t taken = std::clamp<std::size_t>(wanted, 1, order.size() - 1);
  const std::span all(order);
  std::sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(taken));   // file order within each part
  std::sort(order.begin() + static_cast<std::ptrdiff_t>(taken), order.end());
  return {select(rows, all.subspan(taken)), select(rows, all.first(taken))};
}

std::string summary(const Rows& rows) {
  std::size_t single = 0, irrelevant = 0;
  for (std::size_t q = 0; q < rows.queries.size(); ++q) {
    const auto first = rows.labels.begin() + rows.offsets[q], last = rows.labels.begin() + rows.offsets[q + 1];
    single += last - first == 1;
    irrelevant += std::none_of(first, last, [](float label) { return label > 0; });
  }
  std::string text = fmt::format("{} queries, {} documents", rows.queries.size(), rows.size());
  if (single) text += fmt::format(", {} of one document", single);
  if (irrelevant) text += fmt::format(", {} without a relevant one", irrelevant);
  return text;
}

}  // namespace reranker
