#include "support/catch.hpp"

#include <rankgrad/core/batch_evaluator.hpp>
#include <rankgrad/interop/trec.hpp>
#include <rankgrad/metric/ndcg.hpp>

#include <cmath>
#include <fstream>
#include <sstream>
#include <string>

namespace rg = rankgrad;
namespace trec = rankgrad::trec;

TEST_CASE("a run is read as trec_eval ranks it: by score in single precision, ties by name from the end", "[interop]") {
  std::istringstream text("q2 Q0 b 1 0.5 x\nq1 Q0 a 1 1 x\n\nq2 Q0 c 2 0.50000000001 x\r\nq2\tQ0 a 9 +2e0 x\n");
  trec::Run run;
  REQUIRE(trec::read_run(text, run));
  CHECK(run.queries == std::vector<std::string>{"q2", "q1"});
  CHECK(run.offsets == std::vector<std::uint32_t>{0, 3, 4});
  CHECK(run.documents == std::vector<std::string>{"a", "c", "b", "a"});
  CHECK(run.scores == std::vector<double>{2, 0.50000000001, 0.5, 1});
}

TEST_CASE("what is wrong with a run or with qrels is said with its line, and nothing is kept", "[interop]") {
  const auto message = [](const std::string& text) {
    std::istringstream in(text);
    trec::Run run;
    run.begin_query("old");
    const rg::Status status = trec::read_run(in, run);
    CHECK(run.queries == std::vector<std::string>{"old"});
    return std::string(status.message());
  };
  CHECK_THAT(message("q Q0 d 1 0.5 x\nq Q0 d 1 0.5\n"), contains("run, line 2: 5 fields; it must have six"));
  CHECK_THAT(message("q Q0 d 1 nan x\n"), contains("line 1: the score is not a finite number"));
  CHECK_THAT(message("q Q0 d 1 0.5x x\n"), contains("line 1: the score is not a finite number"));
  CHECK_THAT(message("q Q0 d 1 1 x\nr Q0 d 1 1 x\nq Q0 d 2 0 x\n"), contains("line 3: this document was there"));
  trec::Qrels qrels{{"old", {}}};
  std::istringstream twice("q 0 d 1\nq 0 d 2\n"), word("q 0 d relevant\n"), short_line("q 0 d\n");
  CHECK_THAT(std::string(trec::read_qrels(twice, qrels).message()), contains("qrels, line 2: this document is judged"));
  CHECK_THAT(std::string(trec::read_qrels(word, qrels).message()), contains("line 1: the label is not a finite number"));
  CHECK_THAT(std::string(trec::read_qrels(short_line, qrels).message()), contains("line 1: 3 fields"));
  CHECK(qrels.contains("old"));
}

TEST_CASE("a reranked run keeps its new order, whatever its scores are", "[interop]") {
  trec::Run run;
  run.begin_query("q");   // reranked, with the scores of the first stage
  run.add("a", 1);
  run.add("b", 7);
  run.add("c", 3);
  run.begin_query("r");   // equal in single precision
  run.add("a", 1 + 1e-12);
  run.add("b", 1);
  run.begin_query("s");   // as it should be
  run.add("x", 0.25);
  run.add("y", -1);
  run.begin_query("t");
  run.add("x", NAN);
  std::ostringstream out;
  REQUIRE(trec::write_run(out, run, "new"));
  CHECK(out.str() == "q Q0 a 1 3 new\nq Q0 b 2 2 new\nq Q0 c 3 1 new\nr Q0 a 1 2 new\nr Q0 b 2 1 new\n"
                     "s Q0 x 1 0.25 new\ns Q0 y 2 -1 new\nt Q0 x 1 1 new\n");
  std::istringstream in(out.str());
  trec::Run read;
  REQUIRE(trec::read_run(in, read));
  CHECK(read.documents == run.documents);

  std::ostringstream plain;
  run.scores.back() = 0;
  REQUIRE(trec::write_run(plain, run, "old", trec::RunScores::as_they_are));
  CHECK_THAT(plain.str(), contains("q Q0 b 2 7 old\n"));
  run.scores.back() = NAN;
  std::ostringstream none;
  CHECK_THAT(std::string(trec::write_run(none, run, "old", trec::RunScores::as_they_are).message()),
             contains("document 7 is not finite"));
  CHECK_THAT(std::string(trec::write_run(none, run, "two words").message()), contains("tag"));
  run.documents[1] = "b c";
  CHECK_THAT(std::string(trec::write_run(none, run, "new").message()), contains("document 1 is not one word"));
  CHECK(none.str().empty());
}

TEST_CASE("NDCG over all judged documents is that of trec_eval", "[interop]") {
  // one of three relevant documents was retrieved, at rank 2: linear gain 1 / log2(3) over the ideal (2 + 1/log2(3) + 1/2)
  std::istringstream runs("q Q0 d1 1 3 x\nq Q0 d2 2 2 x\n"), judgements("q 0 d2 1\nq 0 d7 2\nq 0 d8 1\nq 0 d9 0\nother 0 d1 1\n");
  trec::Run run;
  trec::Qrels qrels;
  REQUIRE(trec::read_run(runs, run));
  REQUIRE(trec::read_qrels(judgements, qrels));
  CHECK(trec::labels_of<double>(run, qrels) == std::vector<double>{0, 1});
  const trec::JudgedLabels judged(run, qrels);
  const std::vector<double> labels = trec::labels_of<double>(run, qrels);
  rg::BatchEvaluator<double> evaluate;
  const double ndcg = evaluate.metric(rg::Ndcg{.k = 10, .gain = rg::Gain::linear, .judged = judged.view()},
                                      rg::RaggedBatch<double>{.scores = run.scores, .labels = labels, .offsets = run.offsets});
  CHECK(ndcg == Approx((1 / std::log2(3.0)) / (2 + 1 / std::log2(3.0) + 0.5)).epsilon(1e-14));

  std::ostringstream out;
  REQUIRE(trec::write_qrels(out, qrels));
  std::istringstream back(out.str());
  trec::Qrels again;
  REQUIRE(trec::read_qrels(back, again));
  CHECK(again == qrels);
}

TEST_CASE("a file that is not there is an error, and what was read before stays", "[interop]") {
  std::ifstream missing("no such file");
  trec::Run run;
  run.begin_query("old");
  CHECK_THAT(std::string(trec::read_run(missing, run).message()), contains("run: the stream is not open"));
  CHECK(run.queries.size() == 1);
}

TEST_CASE("a run filled by hand whose parts do not fit is refused before anything is written", "[interop]") {
  trec::Run run;
  run.begin_query("q");
  run.add("a", 2);
  run.add("b", 1);
  run.begin_query("r");
  run.add("c", 3);
  const trec::Qrels qrels{{"q", {{"b", 1}}}, {"r", {{"c", 2}}}};
  REQUIRE(trec::labels_of<float>(run, qrels) == std::vector<float>{0, 1, 2});
  const auto refused = [&](const auto& change, const char* message) {
    trec::Run wrong = run;
    change(wrong);
    std::ostringstream out;
    CHECK_THAT(std::string(trec::write_run(out, wrong, "tag").message()), contains(message));
    CHECK(out.str().empty());
    CHECK_THROWS_WITH(trec::labels_of<float>(wrong, qrels), contains(message));
  };
  refused([](auto& r) { r.scores.pop_back(); }, "run.scores has 2 elements where 3 are expected");
  refused([](auto& r) { r.documents.pop_back(); }, "the last of run.offsets is 3; there are 2 documents");
  refused([](auto& r) { r.queries.emplace_back("s"); }, "run.offsets has 3 elements where 4 are expected");
  refused([](auto& r) { r.offsets.clear(); }, "run.offsets is empty");
  refused([](auto& r) { r.offsets = {0, 4, 3}; }, "run.offsets[2] is 3, below run.offsets[1], which is 4");
  refused([](auto& r) { r.offsets[0] = 1; }, "run.offsets[0] is 1; it must be 0");
}
