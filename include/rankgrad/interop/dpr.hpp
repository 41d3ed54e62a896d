// rankgrad/interop/dpr.hpp: questions with retrieved passages, in the JSON or JSON lines of DPR. Needs nlohmann/json.
// SPDX-License-Identifier: MIT
//
//   {"question": "...", "answers": ["..."], "id": ..., "ctxs": [{"id": ..., "title": "...", "text": "...",
//    "score": 1.5, "has_answer": true}, ...]}
//
// A file is an array of such records, or has one in each line. Fields that are not named here are kept and written back.
#pragma once

#include <rankgrad/core/contract.hpp>
#include <rankgrad/core/list_view.hpp>
#include <rankgrad/core/validate.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdlib>
#include <istream>
#include <limits>
#include <numeric>
#include <ostream>
#include <span>
#include <string>
#include <vector>

namespace rankgrad::inline RANKGRAD_ABI::dpr {

struct Passage {
  std::string id, title, text;
  double score = 0;
  bool has_answer = false;
  nlohmann::json others = nlohmann::json::object();   ///< whatever else the record has
};

struct Question {
  std::string question, id;                           ///< id: empty where there is none
  std::vector<std::string> answers;
  std::vector<Passage> passages;                      ///< "ctxs", best first
  nlohmann::json others = nlohmann::json::object();
};

namespace detail {

using Json = nlohmann::json;

/// Strings as they are, numbers as they are written.
inline bool take_text(Json& record, const char* key, std::string& text) {
  const auto at = record.find(key);
  if (at == record.end() || at->is_null()) return true;
  if (!at->is_string() && !at->is_number()) return false;
  text = at->is_string() ? at->get<std::string>() : at->dump();
  record.erase(at);
  return true;
}

/// Scores are numbers, or strings that hold one.
inline bool take_score(Json& record, double& score) {
  const auto at = record.find("score");
  if (at == record.end() || at->is_null()) return true;
  if (at->is_string()) {
    const std::string text = at->get<std::string>();
    char* end = nullptr;
    score = std::strtod(text.c_str(), &end);
    if (text.empty() || *end != 0) return false;
  } else if (at->is_number()) {
    score = at->get<double>();
  } else {
    return false;
  }
  record.erase(at);
  return is_finite(score);
}

inline Status take_passage(Json record, std::size_t question, std::size_t number, Passage& passage) {
  const auto wrong = [&](const char* what) {
    return Status::error("rankgrad: question %zu, passage %zu: %s", question, number, what);
  };
  if (!record.is_object()) return wrong("it must be an object");
  if (!take_text(record, "id", passage.id)) return wrong("\"id\" must be a string or a number");
  if (!take_text(record, "title", passage.title)) return wrong("\"title\" must be a string");
  if (!take_text(record, "text", passage.text)) return wrong("\"text\" must be a string");
  if (!take_score(record, passage.score)) return wrong("\"score\" must be a finite number");
  if (const auto at = record.find("has_answer"); at != record.end()) {
    if (!at->is_boolean()) return wrong("\"has_answer\" must be true or false");
    passage.has_answer = at->get<bool>();
    record.erase(at);
  }
  passage.others = std::move(record);
  return {};
}

inline Status take_question(Json record, std::size_t number, Question& question) {
  const auto wrong = [&](const char* what) { return Status::error("rankgrad: question %zu: %s", number, what); };
  if (!record.is_object()) return wrong("it must be an object");
  const auto text = record.find("question");
  if (text == record.end() || !text->is_string()) return wrong("\"question\" must be a string");
  question.question = text->get<std::string>();
  record.erase(text);
  if (!take_text(record, "id", question.id)) return wrong("\"id\" must be a string or a number");
  if (const auto at = record.find("answers"); at != record.end()) {
    if (!at->is_array()) return wrong("\"answers\" must be an array of strings");
    for (const Json& answer : *at) {
      if (!answer.is_string()) return wrong("\"answers\" must be an array of strings");
      question.answers.push_back(answer.get<std::string>());
    }
    record.erase(at);
  }
  if (const auto at = record.find("ctxs"); at != record.end()) {
    if (!at->is_array()) return wrong("\"ctxs\" must be an array");
    for (Json& passage : *at) {
      const std::size_t place = question.passages.size();
      question.passages.emplace_back();
      if (Status s = take_passage(std::move(passage), number, place, question.passages.back()); !s) return s;
    }
    record.erase(at);
  }
  question.others = std::move(record);
  return {};
}

inline Json json_of(const Question& question) {
  Json record = question.others;
  record["question"] = question.question;
  if (!question.id.empty()) record["id"] = question.id;
  record["answers"] = question.answers;
  record["ctxs"] = Json::array();
  for (const Passage& passage : question.passages) {
    Json one = passage.others;
    one["id"] = passage.id;
    one["title"] = passage.title;
    one["text"] = passage.text;
    one["score"] = passage.score;
    one["has_answer"] = passage.has_answer;
    record["ctxs"].push_back(std::move(one));
  }
  return record;
}

}  // namespace detail

/// `questions` is written only if all is well.
inline Status read(std::istream& in, std::vector<Question>& questions) {
  if (!in) return Status::error("rankgrad: the questions cannot be read: the stream is not open");
  std::vector<Question> all;
  const auto take = [&](nlohmann::json record) {
    all.emplace_back();
    return detail::take_question(std::move(record), all.size() - 1, all.back());
  };
  in >> std::ws;
  if (in.peek() == '[') {
    nlohmann::json document = nlohmann::json::parse(in, nullptr, false);
    if (document.is_discarded()) return Status::error("rankgrad: the questions are not valid JSON");
    for (auto& record : document)
      if (Status status = take(std::move(record)); !status) return status;
  } else {
    std::string line;
    for (std::size_t number = 1; std::getline(in, line); ++number) {
      if (line.find_first_not_of(" \t\r") == line.npos) continue;
      nlohmann::json record = nlohmann::json::parse(line, nullptr, false);
      if (record.is_discarded()) return Status::error("rankgrad: record %zu of the questions is not valid JSON", number);
      if (Status status = take(std::move(record)); !status) return status;
    }
  }
  if (in.bad()) return Status::error("rankgrad: reading the questions failed");
  questions = std::move(all);
  return {};
}

enum class Form { array, lines };

inline Status write(std::ostream& out, std::span<const Question> questions, Form form = Form::array) {
  const char* before = form == Form::array ? "[\n" : "";
  for (const Question& question : questions) {
    out << before << detail::json_of(question).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    before = form == Form::array ? ",\n" : "\n";
  }
  if (form == Form::array) out << (questions.empty() ? "[]\n" : "\n]\n");
  else if (!questions.empty()) out << '\n';
  if (!out) return Status::error("rankgrad: writing the questions failed");
  return {};
}

/// The passages by new scores, best first; equal scores stay as they are. Scores are finite, as read() has them.
template <Real T>
void rerank(Question& question, std::span<const T> scores) {
  RANKGRAD_EXPECTS(scores.size() == question.passages.size(), "scores and passages differ in number");
  constexpr T limit = std::numeric_limits<T>::max();
  require(rankgrad::detail::check_values<T>("scores", scores, {}, -limit, limit));
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
  std::vector<Passage> passages;
  for (const std::size_t i : order) {
    passages.push_back(std::move(question.passages[i]));
    passages.back().score = static_cast<double>(scores[i]);
  }
  question.passages = std::move(passages);
}

/// has_answer of every passage as labels 1 and 0: Hit{.k} of these is the top-k accuracy.
template <Real T>
std::vector<T> labels_of(const Question& question) {
  std::vector<T> labels;
  for (const Passage& passage : question.passages) labels.push_back(passage.has_answer ? T(1) : T(0));
  return labels;
}

}  // namespace rankgrad::dpr
