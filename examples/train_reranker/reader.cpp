// train_reranker/reader.cpp: one line at a time; every refusal names the file, the line and the reason.
// SPDX-License-Identifier: MIT
#include "reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <limits>
#include <optional>
#include <string_view>
#include <unordered_map>

namespace reranker {
namespace {

namespace fs = std::filesystem;

struct Place {
  std::string file;
  std::size_t line = 0;

  template <class... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) const {
    throw InputError(fmt::format("{}:{}: {}", file, line, fmt::format(format, std::forward<Args>(args)...)));
  }
};

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blank = " \t\r\v\f";
  const std::size_t first = text.find_first_not_of(blank);
  return first == text.npos ? std::string_view{} : text.substr(first, text.find_last_not_of(blank) - first + 1);
}

/// Takes the next word off the front of `rest`; empty at the end.
std::string_view next_word(std::string_view& rest) {
  rest = trimmed(rest);
  const std::string_view word = rest.substr(0, rest.find_first_of(" \t\r\v\f"));
  rest.remove_prefix(word.size());
  return word;
}

/// The whole word as a finite float. std::from_chars knows no leading '+' and, unlike strtod, no locale.
float number(std::string_view word, std::string_view what, const Place& place) {
  std::string_view digits = word;
  if (digits.size() > 1 && digits[0] == '+' && digits[1] != '-') digits.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error == std::errc::result_out_of_range || std::abs(value) > static_cast<double>(std::numeric_limits<float>::max())) {
    if (std::isinf(value)) place.fail("{} '{}' is not finite", what, word);
    place.fail("{} '{}' is beyond the range of float", what, word);
  }
  if (error != std::errc{} || end != digits.data() + digits.size()) place.fail("{} '{}' is not a number", what, word);
  if (!std::isfinite(value)) place.fail("{} '{}' is not finite", what, word);
  return static_cast<float>(value);
}

Entry feature(std::string_view word, const Place& place) {
  const std::size_t colon = word.find(':');
  if (colon == word.npos) place.fail("'{}' is not FEATURE:VALUE", word);
  const std::string_view index = word.substr(0, colon), value = word.substr(colon + 1);
  Entry entry{};
  const auto [end, error] = std::from_chars(index.data(), index.data() + index.size(), entry.feature);
  if (error != std::errc{} || end != index.data() + index.size())
    place.fail("feature index '{}' in '{}' is not a whole number from 0 to 4294967295", index, word);
  entry.value = number(value, fmt::format("the value of feature {},", index), place);
  return entry;
}

/// NAME of `docid = NAME` in a comment, as LETOR writes it.
std::string_view document_name(std::string_view comment) {
  const std::size_t at = comment.find("docid");
  if (at == comment.npos) return {};
  std::string_view rest = trimmed(comment.substr(at + 5));
  if (rest.empty() || rest[0] != '=') return {};
  rest.remove_prefix(1);
  return next_word(rest);
}

/// Sorts the entries of the last row by feature; of equal features the last one stays. Returns how many went.
std::size_t sort_last_row(Rows& rows) {
  const auto begin = rows.entries.begin() + static_cast<std::ptrdiff_t>(rows.row_begin.back());
  const auto not_below = [](const Entry& a, const Entry& b) { return a.feature >= b.feature; };
  if (std::adjacent_find(begin, rows.entries.end(), not_below) == rows.entries.end()) return 0;

  std::vector<std::pair<Entry, std::size_t>> placed;
  for (auto it = begin; it != rows.entries.end(); ++it) placed.emplace_back(*it, placed.size());
  std::sort(placed.begin(), placed.end(), [](const auto& a, const auto& b) {
    return a.first.feature != b.first.feature ? a.first.feature < b.first.feature : a.second < b.second;
  });
  auto kept = begin;
  for (const auto& [entry, place] : placed) {
    const bool repeats = kept != begin && std::prev(kept)->feature == entry.feature;
    if (repeats) *std::prev(kept) = entry;
    else *kept++ = entry;
  }
  const auto dropped = static_cast<std::size_t>(rows.entries.end() - kept);
  rows.entries.erase(kept, rows.entries.end());
  return dropped;
}

std::ifstream open(const fs::path& file) {
  std::error_code error;
  if (fs::is_directory(file, error)) throw InputError(fmt::format("{}: is a directory, not a file of rows", file.string()));
  std::ifstream stream(file);
  if (!stream) throw InputError(fmt::format("{}: cannot be opened for reading", file.string()));
  return stream;
}

/// Cuts the rows into queries of the sizes listed in `file`; they must add up.
void group_by_sizes(Rows& rows, const fs::path& file, const std::string& data_file) {
  std::ifstream stream = open(file);
  Place place{file.string()};
  std::size_t total = 0, empty = 0, query = 0;
  for (std::string text; std::getline(stream, text);) {
    ++place.line;
    const std::string_view word = trimmed(text);
    if (word.empty()) continue;
    std::uint32_t size = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), size);
    if (error != std::errc{} || end != word.data() + word.size()) place.fail("'{}' is not a number of rows", word);
    total += size;
    ++query;
    if (total > rows.size()) place.fail("the sizes up to here add up to {}, but {} has {} rows", total, data_file, rows.size());
    if (size == 0) {
      ++empty;
      continue;
    }
    rows.offsets.push_back(static_cast<std::uint32_t>(total));
    rows.queries.push_back(std::to_string(query));
  }
  if (total != rows.size())
    place.fail("the sizes add up to {}, but {} has {} rows", total, data_file, rows.size());
  if (empty) rows.notes.push_back(fmt::format("{}: {} queries of size 0 left out", place.file, empty));
}

/// Follows the qid of row after row and closes a query where it changes.
class QueryBlocks {
 public:
  void add(std::string_view qid, Rows& rows, const Place& place) {
    if (rows.queries.empty() || rows.queries.back() != qid) {
      close(rows);
      if (const auto seen = last_line_.find(std::string(qid)); seen != last_line_.end())
        place.fail("qid {} comes back after other queries; its rows ended at line {}. Sort the file by qid", qid, seen->second);
      rows.queries.emplace_back(qid);
    }
    line_ = place.line;
  }
  void close(Rows& rows) {
    if (rows.queries.empty()) return;
    rows.offsets.push_back(static_cast<std::uint32_t>(rows.size()));
    last_line_.emplace(rows.queries.back(), line_);
  }

 private:
  std::unordered_map<std::string, std::size_t> last_line_;
  std::size_t line_ = 0;
};

}  // namespace

Rows read_rows(const fs::path& file) {
  std::ifstream stream = open(file);
  Rows rows;
  QueryBlocks blocks;
  Place place{file.string()};
  std::size_t repeated = 0, negative = 0, first_line = 0;
  bool with_qid = false;

  for (std::string text; std::getline(stream, text);) {
    if (++place.line == 1 && text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);   // byte order mark
    std::string_view rest = text;
    const std::size_t hash = rest.find('#');
    const std::string_view comment = hash == rest.npos ? std::string_view{} : rest.substr(hash + 1);
    rest = rest.substr(0, hash);
    const std::string_view label_word = next_word(rest);
    if (label_word.empty()) continue;
    if (rows.size() == std::numeric_limits<std::uint32_t>::max()) place.fail("more rows than 32-bit offsets can hold");

    float label = number(label_word, "label", place);
    if (label < 0) {
      label = 0;
      ++negative;
    }
    std::optional<std::string_view> qid;
    for (std::string_view word = next_word(rest); !word.empty(); word = next_word(rest)) {
      if (!word.starts_with("qid:")) {
        rows.entries.push_back(feature(word, place));
        continue;
      }
      if (qid) place.fail("a second qid in one row");
      qid = word.substr(4);
      if (qid->empty()) place.fail("qid is empty");
    }
    if (rows.size() == 0) with_qid = qid.has_value(), first_line = place.line;
    if (with_qid != qid.has_value())
      place.fail("the row {} a qid, the first row (line {}) {}", qid ? "has" : "lacks", first_line, with_qid ? "has one" : "has none");
    if (qid) blocks.add(*qid, rows, place);

    const std::string_view name = document_name(comment);
    rows.documents.push_back(name.empty() ? fmt::format("d{}", place.line) : std::string(name));
    repeated += sort_last_row(rows);
    rows.row_begin.push_back(rows.entries.size());
    rows.labels.push_back(label);
  }
  if (stream.bad()) place.fail("reading failed after this line");
  if (rows.size() == 0) throw InputError(fmt::format("{}: has no rows", place.file));

  const fs::path query_sizes = place.file + ".query", group_sizes = place.file + ".group";
  if (with_qid) blocks.close(rows);
  else if (fs::exists(query_sizes)) group_by_sizes(rows, query_sizes, place.file);
  else if (fs::exists(group_sizes)) group_by_sizes(rows, group_sizes, place.file);
  else
    throw InputError(fmt::format("{}: the rows have no qid, and there is neither {} nor {} with the number of rows of each query",
                                 place.file, query_sizes.string(), group_sizes.string()));

  if (repeated) rows.notes.push_back(fmt::format("{}: {} times a feature index is repeated in its row; the last value counts", place.file, repeated));
  if (negative) rows.notes.push_back(fmt::format("{}: {} labels below 0 count as 0", place.file, negative));
  return rows;
}

}  // namespace reranker
