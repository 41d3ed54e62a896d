#include "support/catch.hpp"

#include <rankgrad/core/evaluate.hpp>
#include <rankgrad/interop/dpr.hpp>
#include <rankgrad/metric/answers.hpp>
#include <rankgrad/metric/precision.hpp>

#include <cmath>
#include <limits>
#include <sstream>
#include <string>

namespace rg = rankgrad;
namespace dpr = rankgrad::dpr;

namespace {
const std::string record =
    R"({"question": "who?", "answers": ["Ada"], "id": 7, "note": {"x": 1},)"
    R"( "ctxs": [{"id": "p1", "title": "T", "text": "Bob", "score": "82.5", "has_answer": false, "rank": 3},)"
    R"( {"id": 2, "text": "It was Ada.", "score": 1, "has_answer": true}]})";

std::vector<dpr::Question> read(const std::string& text) {
  std::istringstream in(text);
  std::vector<dpr::Question> questions;
  REQUIRE(dpr::read(in, questions));
  return questions;
}
std::string message(const std::string& text) {
  std::istringstream in(text);
  std::vector<dpr::Question> questions(3);
  const rg::Status status = dpr::read(in, questions);
  CHECK(questions.size() == 3);
  return status.message();
}
}  // namespace

TEST_CASE("records are read from an array and from lines, and nothing is lost in writing", "[interop]") {
  for (const std::string& text : {"[" + record + "," + record + "]", record + "\n\n" + record + "\n"}) {
    const auto questions = read(text);
    REQUIRE(questions.size() == 2);
    const dpr::Question& q = questions[1];
    CHECK(q.question == "who?");
    CHECK(q.id == "7");
    CHECK(q.answers == std::vector<std::string>{"Ada"});
    REQUIRE(q.passages.size() == 2);
    CHECK(q.passages[0].score == 82.5);
    CHECK(q.passages[1].id == "2");
    CHECK(q.passages[1].has_answer);
    for (const dpr::Form form : {dpr::Form::array, dpr::Form::lines}) {
      std::ostringstream out;
      REQUIRE(dpr::write(out, questions, form));
      const auto again = read(out.str());
      REQUIRE(again.size() == 2);
      CHECK(again[0].others["note"]["x"] == 1);
      CHECK(again[0].passages[0].others["rank"] == 3);
      CHECK(again[0].passages[0].title == "T");
      CHECK(again[0].passages[0].score == 82.5);
    }
  }
  CHECK(read("").empty());
  CHECK(read("[]").empty());
}

TEST_CASE("what is wrong with a record is said, and nothing is kept", "[interop]") {
  CHECK_THAT(message("[{]"), contains("not valid JSON"));
  CHECK_THAT(message(record + "\n{\"question\": 5}\n"), contains("question 1: \"question\" must be a string"));
  CHECK_THAT(message(record + "\nnonsense\n"), contains("record 2 of the questions"));
  CHECK_THAT(message(R"([{"question": "q", "answers": "a"}])"), contains("question 0: \"answers\" must be an array of strings"));
  CHECK_THAT(message(R"([{"question": "q", "ctxs": [{"score": "high"}]}])"), contains("question 0, passage 0: \"score\""));
  CHECK_THAT(message(R"([{"question": "q", "ctxs": [{}, {"has_answer": 1}]}])"), contains("passage 1: \"has_answer\""));
}

TEST_CASE("passages take a new order with new scores, and give labels for top-k accuracy", "[interop]") {
  auto question = read(record)[0];
  const auto hit_at_1 = [&] {
    const auto labels = dpr::labels_of<double>(question);
    std::vector<double> scores;
    for (const auto& passage : question.passages) scores.push_back(passage.score);
    rg::Workspace workspace;
    return rg::Hit{.k = 1}.value(rg::ListView<double>{.scores = scores, .labels = labels}, workspace).value;
  };
  CHECK(hit_at_1() == 0);
  const double scores[] = {0.25, 0.75};
  dpr::rerank<double>(question, scores);
  CHECK(question.passages[0].id == "2");
  CHECK(question.passages[0].score == 0.75);
  CHECK(hit_at_1() == 1);
  CHECK_THROWS_WITH(dpr::rerank<double>(question, std::span(scores).first(1)), contains("differ in number"));
  for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    const double scores_with_it[] = {2, bad};
    CHECK_THROWS_WITH(dpr::rerank<double>(question, scores_with_it), contains("scores[1] is"));
    CHECK((question.passages[0].id == "2" && question.passages[0].score == 0.75));
  }
  for (const auto& passage : question.passages)
    CHECK(passage.has_answer == (rg::contains_answer(passage.text, question.answers) == 1));
}
