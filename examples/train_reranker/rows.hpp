// train_reranker/rows.hpp: judged candidates as they come out of a file or the generator: sparse rows, grouped by query.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace reranker {

struct Entry {
  std::uint32_t feature;
  float value;
};

/// Rows of one query stand together: query q owns the rows offsets[q] .. offsets[q + 1] - 1.
struct Rows {
  std::vector<float> labels;                ///< >= 0, higher is better
  std::vector<Entry> entries;               ///< of all rows, within a row by rising feature; absent features are 0
  std::vector<std::size_t> row_begin{0};    ///< row r owns entries[row_begin[r]] .. entries[row_begin[r + 1] - 1]
  std::vector<std::uint32_t> offsets{0};
  std::vector<std::string> queries;         ///< [queries] names
  std::vector<std::string> documents;       ///< [rows] names
  std::vector<std::string> notes;           ///< what a reader of the report should know about the input

  std::size_t size() const { return labels.size(); }
  std::span<const Entry> row(std::size_t r) const {
    return std::span(entries).subspan(row_begin[r], row_begin[r + 1] - row_begin[r]);
  }
};

/// The given queries, in the given order.
Rows select(const Rows& rows, std::span<const std::size_t> queries);

/// Whole queries, shuffled by the seed, about `fraction` of them (at least one, never all) in `part`.
struct Split {
  Rows rest, part;
};
Split split_by_query(const Rows& rows, double fraction, std::uint64_t seed);

/// "201 queries, 3005 documents, 12 of one document, 3 without a relevant one"
std::string summary(const Rows& rows);

}  // namespace reranker
