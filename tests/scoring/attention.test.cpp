#include <rankgrad/scoring/attention.hpp>

#include "support/catch.hpp"

#include <vector>

namespace rg = rankgrad;
using Spans = std::vector<std::uint32_t>;

TEST_CASE("attention: the sum over heads of the mean over the query's tokens", "[scoring]") {
  // Two heads, two query tokens, three tokens.
  const std::vector<float> attention{0.5f, 0.25f, 0.25f, 0.25f, 0.25f, 0.5f, 1, 0, 0, 0, 0.5f, 0.5f};
  std::vector<double> total(3, 0);
  rg::add_token_attention<float>(attention, 2, 2, total);
  CHECK(total == std::vector<double>{0.375 + 0.5, 0.25 + 0.25, 0.375 + 0.25});
  rg::add_token_attention<float>(attention, 2, 2, total);   // another layer
  CHECK(total[0] == 2 * 0.875);
  CHECK_THROWS_AS(rg::add_token_attention<float>(attention, 3, 2, total), std::invalid_argument);
}

TEST_CASE("attention: calibration by the null query, and the filter of two deviations", "[scoring]") {
  // c of document 0, tokens 1 .. 10: nine times 1 and once -10. Mean -0.1, variance (9 1.1^2 + 9.9^2) / 9 = 12.1,
  // threshold -0.1 - 2 3.4785 = -7.057: the -10 is dropped, the score is 9. Document 1: 1, 2 and 3, all kept.
  std::vector<double> query(15, 0.5), null(15, 0.5);
  for (std::size_t u = 1; u <= 10; ++u) query[u] += u == 4 ? -10 : 1;
  query[11] += 1;
  query[12] += 2;
  null[13] -= 3;
  const Spans begins{1, 11, 14}, ends{11, 14, 14};
  std::vector<double> scores(3, 7);
  std::vector<std::uint8_t> keep(15, 9);
  rg::AttentionScore{}(query, null, begins, ends, scores, keep);
  CHECK(scores[0] == Approx(9));
  CHECK(scores[1] == Approx(6));
  CHECK(scores[2] == 0.0);   // an empty document
  CHECK(keep == std::vector<std::uint8_t>{0, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0});
  rg::AttentionScore{.filter = false}(query, null, begins, ends, scores, keep);
  CHECK(scores[0] == Approx(-1));
  rg::AttentionScore{.deviations = 3}(query, null, begins, ends, scores);
  CHECK(scores[0] == Approx(-1));   // -0.1 - 10.44 is below -10
  rg::AttentionScore{}(query, {}, begins, ends, scores);   // no calibration, no filter
  CHECK(scores[0] == Approx(10 * 0.5 - 1));
}

TEST_CASE("attention: one token, or tokens all alike, count; in the released code they do not", "[scoring]") {
  const std::vector<double> query{3, 2, 2, 2}, null{1, 1, 1, 1};
  const Spans begins{0, 1}, ends{1, 4};
  std::vector<double> scores(2);
  rg::AttentionScore{}(query, null, begins, ends, scores);
  CHECK(scores == std::vector<double>{2, 3});
  rg::AttentionScore{.compat = true}(query, null, begins, ends, scores);
  CHECK(scores == std::vector<double>{0, 0});
  rg::AttentionScore{.filter = false, .compat = true}(query, null, begins, ends, scores);
  CHECK(scores == std::vector<double>{2, 3});
}

TEST_CASE("attention: bad spans are named before anything is written", "[scoring]") {
  const std::vector<double> query(4, 1.0);
  std::vector<double> scores(2, 7);
  std::vector<std::uint8_t> keep(4, 9);
  CHECK_THROWS_WITH(rg::AttentionScore{}(query, {}, Spans{0, 2}, Spans{2, 5}, scores, keep),
                    contains("document 1 is the tokens 2 to 5 of 4"));
  CHECK(scores == std::vector<double>{7, 7});
  CHECK(keep == std::vector<std::uint8_t>(4, 9));
  CHECK_THROWS_WITH(rg::AttentionScore{}(query, {}, Spans{0, 3}, Spans{2, 2}, scores), contains("document 1"));
  CHECK_FALSE(rg::AttentionScore{.deviations = -1}.check());
}
