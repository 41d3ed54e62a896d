#include "support/catch.hpp"

#include <rankgrad/metric/answers.hpp>

#include <cmath>
#include <string>
#include <vector>

namespace rg = rankgrad;
using Answers = std::vector<std::string>;

TEST_CASE("answers are compared without case, punctuation and articles", "[metric]") {
  CHECK(rg::answers::words_of(" The  U.S.A.,\tan apple") == Answers{"usa", "apple"});
  CHECK(rg::answers::words_of("Zürich") == Answers{"zürich"});
  CHECK(rg::answers::words_of("Zürich 東京", rg::AnswerText::ascii_words) == Answers{"zrich"});
  CHECK(rg::exact_match("the Beatles!", Answers{"Stones", "Beatles"}) == 1);
  CHECK(rg::exact_match("Beatles band", Answers{"Beatles"}) == 0);
  CHECK(rg::exact_match("", Answers{"The"}) == 1);
  CHECK(rg::exact_match("", Answers{}) == 0);
}

TEST_CASE("a passage contains an answer where its words stand side by side", "[metric]") {
  const Answers answers{"New York"};
  CHECK(rg::contains_answer("It is in the new, York.", answers) == 1);
  CHECK(rg::contains_answer("new in York", answers) == 0);
  CHECK(rg::contains_answer("Newark and New Yorkers", answers) == 0);
  CHECK(rg::contains_answer("anything", Answers{"the"}) == 0);
}

TEST_CASE("the overlap of words: a bag of each", "[metric]") {
  // "red red fox" against "red fox jumps high": common {red, fox}: precision 2/3, recall 2/4, F1 = 2 (1/3) / (7/6) = 4/7
  const rg::TokenOverlap o = rg::token_overlap("red red fox", std::string_view("red fox jumps high"));
  CHECK(o.precision == Approx(2.0 / 3));
  CHECK(o.recall == Approx(0.5));
  CHECK(o.f1 == Approx(4.0 / 7));
  CHECK(rg::token_overlap("x", std::string_view("")).f1 == 0);
  CHECK(rg::token_overlap("the", std::string_view("")).f1 == 1);

  // "a1 b1 c1" against {"a1", "a1 b1 d1 e1"}: F1 1/2 and 4/7; the best recall, 1, is that of the first
  const Answers answers{"a1", "a1 b1 d1 e1"};
  CHECK(rg::token_overlap("a1 b1 c1", answers).recall == Approx(0.5));
  CHECK(rg::token_overlap("a1 b1 c1", answers).f1 == Approx(4.0 / 7));
  const rg::TokenOverlap each = rg::token_overlap("a1 b1 c1", answers, true);
  CHECK(each.recall == 1);
  CHECK(each.precision == Approx(2.0 / 3));
}

TEST_CASE("BLEU-4 with and without its penalty for brevity", "[metric]") {
  // five words, the last of them wrong: precisions 4/5, 3/4, 2/3, 1/2; the answer has six words: e^(1 - 6/5)
  const Answers answers{"w1 w2 w3 w4 w5 w6"};
  const double plain = std::pow(0.8 * 0.75 * (2.0 / 3) * 0.5, 0.25);
  CHECK(rg::bleu("w1 w2 w3 w4 no", answers, false) == Approx(plain).epsilon(1e-14));
  CHECK(rg::bleu("w1 w2 w3 w4 no", answers) == Approx(plain * std::exp(-0.2)).epsilon(1e-14));
  CHECK(rg::bleu("w1 w2 w3 w4 w5 w6", answers) == Approx(1));
  CHECK(rg::bleu("w1 w2 w3", answers) == 0);              // no four in a row
  CHECK(rg::bleu("w2 w1 w4 w3 w6", answers) == 0);        // no two in a row
  CHECK(rg::bleu("w1 w1 w1 w1 w1", Answers{"w1 w1 w2"}) == 0);   // clipped, and no three in a row
  // of two answers the nearest in length counts, the shorter where both are as near: 4 words, not 6
  CHECK(rg::bleu("w1 w2 w3 w4 no", Answers{"w1 w2 w3 w4 w5 w6", "w1 w2 w3 w4"}) == Approx(plain).epsilon(1e-14));
}
