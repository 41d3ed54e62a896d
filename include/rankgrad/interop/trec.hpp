// rankgrad/interop/trec.hpp: runs and qrels, the files that trec_eval and its relatives read.
// SPDX-License-Identifier: MIT
//
//   run     query Q0 document rank score tag
//   qrels   query 0 document label
//
// trec_eval does not look at the rank: it sorts by score, which it keeps in single precision, and documents with equal
// scores by name, the last in the alphabet first. A reranked list that is written with the scores of its first stage is
// therefore judged in the old order. write_run() writes scores that give the order of the run, whatever it is.
#pragma once

#include <rankgrad/core/check_offsets.hpp>
#include <rankgrad/metric/ranked.hpp>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <istream>
#include <map>
#include <ostream>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace rankgrad::inline RANKGRAD_ABI::trec {

/// Ranked lists: the documents of query q are documents[offsets[q]] .. documents[offsets[q + 1] - 1], the best first.
struct Run {
  std::vector<std::string> queries, documents;
  std::vector<double> scores;                 ///< [documents]
  std::vector<std::uint32_t> offsets{0};      ///< [queries + 1]

  void begin_query(std::string query) {
    queries.push_back(std::move(query));
    offsets.push_back(offsets.back());
  }
  /// To the end of the last query.
  void add(std::string document, double score) {
    documents.push_back(std::move(document));
    scores.push_back(score);
    ++offsets.back();
  }
};

/// Labels of judged documents: qrels[query][document].
using Qrels = std::map<std::string, std::map<std::string, double>>;

/// What write_run() puts into the column of scores.
enum class RunScores {
  keep_order,   ///< those of the run where they fall in single precision, else the number of documents from here on
  as_they_are
};

namespace detail {

inline std::vector<std::string_view> fields_of(std::string_view line) {
  constexpr std::string_view blank = " \t\r";
  std::vector<std::string_view> fields;
  for (std::size_t at = line.find_first_not_of(blank); at != line.npos; at = line.find_first_not_of(blank, at)) {
    const std::size_t end = std::min(line.find_first_of(blank, at), line.size());
    fields.push_back(line.substr(at, end - at));
    at = end;
  }
  return fields;
}

inline bool number_of(std::string_view text, double& value) {
  if (text.starts_with('+')) text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() && is_finite(value);
}

/// take(fields, line number) for every line that is not empty, until one has an error.
template <class Take>
Status for_each_line(std::istream& in, std::size_t fields, const char* what, const char* form, const Take& take) {
  if (!in) return Status::error("rankgrad: %s: the stream is not open", what);
  std::string line;
  for (std::size_t number = 1; std::getline(in, line); ++number) {
    const auto parts = fields_of(line);
    if (parts.empty()) continue;
    if (parts.size() != fields)
      return Status::error("rankgrad: %s, line %zu: %zu fields; it must have %s", what, number, parts.size(), form);
    if (Status status = take(parts, number); !status) return status;
  }
  if (in.bad()) return Status::error("rankgrad: %s: reading failed", what);
  return {};
}

inline bool is_name(std::string_view text) { return fields_of(text).size() == 1 && fields_of(text)[0] == text; }

inline bool falls(const double* scores, std::size_t n) {
  for (std::size_t i = 0; i + 1 < n; ++i)
    if (!(static_cast<float>(scores[i]) > static_cast<float>(scores[i + 1]))) return false;
  return true;
}

/// The members of a Run may be filled by anybody: do they belong together?
inline Status check_run(const Run& run) {
  using namespace rankgrad::detail;
  const std::size_t documents = run.documents.size();
  if (Status s = check_offsets("run.offsets", run.offsets, documents, "documents"); !s) return s;
  if (Status s = check_length("run.offsets", run.offsets.size(), run.queries.size() + 1); !s) return s;
  return check_length("run.scores", run.scores.size(), documents);
}

}  // namespace detail

/// Queries in the order in which they first appear, documents as trec_eval would rank them. `run` is written only if all
/// is well: six fields a line, scores finite, no document twice for a query.
inline Status read_run(std::istream& in, Run& run) {
  struct Line {
    std::string document;
    double score;
  };
  std::vector<std::string> queries;
  std::vector<std::vector<Line>> lists;
  std::unordered_map<std::string, std::size_t> place;
  std::unordered_map<std::string, bool> seen;
  constexpr const char* form = "six: query Q0 document rank score tag";
  const Status status = detail::for_each_line(in, 6, "run", form, [&](const auto& field, std::size_t line) {
    double score = 0;
    if (!detail::number_of(field[4], score))
      return Status::error("rankgrad: run, line %zu: the score is not a finite number", line);
    const auto [at, fresh] = place.try_emplace(std::string(field[0]), lists.size());
    if (fresh) {
      queries.emplace_back(field[0]);
      lists.emplace_back();
    }
    if (!seen.try_emplace(std::string(field[0]) + ' ' + std::string(field[2]), true).second)
      return Status::error("rankgrad: run, line %zu: this document was there for this query already", line);
    lists[at->second].push_back({std::string(field[2]), score});
    return Status{};
  });
  if (!status) return status;
  Run read;
  for (std::size_t q = 0; q < lists.size(); ++q) {
    std::sort(lists[q].begin(), lists[q].end(), [](const Line& a, const Line& b) {
      const float x = static_cast<float>(a.score), y = static_cast<float>(b.score);
      return x != y ? x > y : a.document > b.document;
    });
    read.begin_query(std::move(queries[q]));
    for (Line& line : lists[q]) read.add(std::move(line.document), line.score);
  }
  run = std::move(read);
  return {};
}

/// Nothing is written where the sizes of the run do not fit, a name is empty or has a space in it, or a score that is asked for is not finite.
inline Status write_run(std::ostream& out, const Run& run, std::string_view tag, RunScores column = RunScores::keep_order) {
  if (Status status = detail::check_run(run); !status) return status;
  if (!detail::is_name(tag)) return Status::error("rankgrad: run: the tag must be one word");
  for (std::size_t q = 0; q < run.queries.size(); ++q)
    if (!detail::is_name(run.queries[q])) return Status::error("rankgrad: run: the name of query %zu is not one word", q);
  for (std::size_t i = 0; i < run.documents.size(); ++i) {
    if (!detail::is_name(run.documents[i])) return Status::error("rankgrad: run: the name of document %zu is not one word", i);
    if (column == RunScores::as_they_are && !is_finite(run.scores[i]))
      return Status::error("rankgrad: run: the score of document %zu is not finite", i);
  }
  for (std::size_t q = 0; q < run.queries.size(); ++q) {
    const std::size_t begin = run.offsets[q], n = run.offsets[q + 1] - begin;
    bool own = column == RunScores::as_they_are || detail::falls(run.scores.data() + begin, n);
    for (std::size_t i = begin; i < begin + n; ++i) own &= is_finite(run.scores[i]);
    for (std::size_t i = 0; i < n; ++i) {
      char score[32];
      std::snprintf(score, sizeof score, "%.9g", own ? run.scores[begin + i] : static_cast<double>(n - i));
      out << run.queries[q] << " Q0 " << run.documents[begin + i] << ' ' << i + 1 << ' ' << score << ' ' << tag << '\n';
    }
  }
  if (!out) return Status::error("rankgrad: run: writing failed");
  return {};
}

/// `qrels` is written only if all is well: four fields a line, labels finite numbers, no document judged twice.
inline Status read_qrels(std::istream& in, Qrels& qrels) {
  Qrels read;
  constexpr const char* form = "four: query 0 document label";
  const Status status = detail::for_each_line(in, 4, "qrels", form, [&](const auto& field, std::size_t line) {
    double label = 0;
    if (!detail::number_of(field[3], label))
      return Status::error("rankgrad: qrels, line %zu: the label is not a finite number", line);
    if (!read[std::string(field[0])].try_emplace(std::string(field[2]), label).second)
      return Status::error("rankgrad: qrels, line %zu: this document is judged for this query already", line);
    return Status{};
  });
  if (status) qrels = std::move(read);
  return status;
}

inline Status write_qrels(std::ostream& out, const Qrels& qrels) {
  for (const auto& [query, labels] : qrels)
    for (const auto& [document, label] : labels)
      if (!detail::is_name(query) || !detail::is_name(document)) return Status::error("rankgrad: qrels: a name is not one word");
  for (const auto& [query, labels] : qrels)
    for (const auto& [document, label] : labels) {
      char text[32];
      std::snprintf(text, sizeof text, "%.17g", label);
      out << query << " 0 " << document << ' ' << text << '\n';
    }
  if (!out) return Status::error("rankgrad: qrels: writing failed");
  return {};
}

/// The labels of a run's documents, in its order: what ListView and RaggedBatch take. Documents that nobody judged have 0.
template <Real T>
std::vector<T> labels_of(const Run& run, const Qrels& qrels) {
  require(detail::check_run(run));
  std::vector<T> labels(run.documents.size(), T(0));
  for (std::size_t q = 0; q < run.queries.size(); ++q) {
    const auto judged = qrels.find(run.queries[q]);
    if (judged == qrels.end()) continue;
    for (std::size_t i = run.offsets[q]; i < run.offsets[q + 1]; ++i)
      if (const auto label = judged->second.find(run.documents[i]); label != judged->second.end())
        labels[i] = static_cast<T>(label->second);
  }
  return labels;
}

/// All judged labels of the run's queries, retrieved or not: NDCG and recall as trec_eval has them.
///
///   const trec::JudgedLabels judged(run, qrels);
///   Ndcg{.k = 10, .gain = Gain::linear, .judged = judged.view()}
class JudgedLabels {
 public:
  JudgedLabels(const Run& run, const Qrels& qrels) {
    for (const std::string& query : run.queries) {
      if (const auto judged = qrels.find(query); judged != qrels.end())
        for (const auto& [document, label] : judged->second) labels_.push_back(label);
      offsets_.push_back(static_cast<std::uint32_t>(labels_.size()));
    }
  }
  Judged view() const noexcept { return {labels_, offsets_}; }

 private:
  std::vector<double> labels_;
  std::vector<std::uint32_t> offsets_{0};
};

}  // namespace rankgrad::trec
