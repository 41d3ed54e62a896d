// train_reranker/reader.hpp: ranking data in the formats that boosters and LETOR use.
// SPDX-License-Identifier: MIT
#pragma once

#include "rows.hpp"

#include <filesystem>
#include <stdexcept>

namespace reranker {

/// "FILE:LINE: what is wrong". Nothing was read, nothing was written.
struct InputError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Reads rows `LABEL [qid:QUERY] FEATURE:VALUE ... [# docid = NAME ...]`, one per line.
///
///   queries    from qid, rows of one query next to each other; or, where no row has a qid, from the sizes file beside
///              the data: FILE.query (LightGBM) or FILE.group (XGBoost), one number of rows per line
///   labels     any finite number; below 0 (spam grades, -1 / +1 classes) counts as 0, with a note
///   features   indices from 0 to 2^32 - 1 in any order; an index given twice in a row: the last value counts, with a
///              note; absent features are 0; values must be finite in float
///   documents  named by `docid = NAME` in the comment, else d<line number>
///
/// Blank lines, comment lines, CRLF, tabs, a leading '+', a missing last newline and a byte order mark are fine.
/// Throws InputError for everything else.
Rows read_rows(const std::filesystem::path& file);

}  // namespace reranker
