#include <rankgrad/reward/rank_rewards.hpp>

#include "support/catch.hpp"

#include <rankgrad/core/random.hpp>

#include <limits>
#include <numeric>
#include <vector>

namespace rg = rankgrad;
namespace reward = rankgrad::reward;

namespace {
template <class T>
struct Query {
  std::vector<T> scores, reference;
  std::vector<std::uint32_t> documents;
  std::vector<std::uint8_t> relevant, parsed;
  reward::ScoredRollouts<T> view() const {
    return {.scores = scores, .document_offsets = documents, .relevant = relevant, .reference = reference, .parsed = parsed};
  }
  std::vector<T> reciprocal(const reward::RankRewardCases& cases = {}) const {
    return filled([&](std::span<T> out, rg::Workspace& w) { reward::fill_reciprocal_rank(cases, view(), out, w); });
  }
  std::vector<T> ndcg(const reward::RankRewardCases& cases = {}) const {
    return filled([&](std::span<T> out, rg::Workspace& w) { reward::fill_ndcg(cases, view(), out, w); });
  }
  std::vector<T> squared_error(const reward::RankRewardCases& cases = {}) const {
    return filled([&](std::span<T> out, rg::Workspace&) { reward::fill_squared_error(cases, view(), out); });
  }
  template <class Fill>
  std::vector<T> filled(const Fill& fill) const {
    std::vector<T> out(scores.size(), T(99));
    rg::Workspace workspace;
    fill(std::span<T>(out), workspace);
    const std::size_t growths = workspace.growths();
    fill(std::span<T>(out), workspace);
    CHECK(workspace.growths() == growths);
    return out;
  }
};
// Positive A {8, 6}, negatives B {7, 2}, C {1, 9}. Ranks: A 2, 4; B 3, 5; C 6, 1.
const Query<double> sample{{8, 6, 7, 2, 1, 9}, {5, 4, 3}, {0, 2, 4, 6}, {1, 0, 0}, {}};
}  // namespace

TEST_CASE("rank rewards: numbers by hand", "[reward]") {
  // Below both rollouts of A: B's 2, -(2 - 4)^2 / 100, and C's 1, -(1 - 3)^2 / 100.
  CHECK(sample.reciprocal() == std::vector<double>{0.5, 0.25, -1, -0.04, -0.04, -1});
  // IDCG = 1 + 1 / log2 3 = 1.630930
  const std::vector<double> ndcg = sample.ndcg();
  const double ideal = 1 + 1 / std::log2(3.0);
  CHECK(ideal == Approx(1.630930).margin(5e-7));
  CHECK(ndcg[0] == Approx(1 / std::log2(3.0) / ideal).epsilon(1e-14));
  CHECK(ndcg[0] == Approx(0.386853).margin(5e-7));
  CHECK(ndcg[1] == Approx(0.264068).margin(5e-7));
  CHECK(std::vector<double>(ndcg.begin() + 2, ndcg.end()) == std::vector<double>{-1, -0.04, -0.04, -1});
  const std::vector<double> error = sample.squared_error();
  for (std::size_t g = 0; g < 6; ++g) CHECK(error[g] == Approx(std::vector<double>{-0.09, -0.01, -0.09, -0.04, -0.04, -0.36}[g]).epsilon(1e-14));
  const reward::RankRewardCases cases{.unreadable = -9, .misplaced = -5, .distance_scale = 4};
  CHECK(sample.reciprocal(cases) == std::vector<double>{0.5, 0.25, -5, -1, -1, -5});
}

TEST_CASE("rank rewards: ties share the best rank, and are not below", "[reward]") {
  const Query<float> q{{7, 7, 9, 7, 5, 7}, {0, 0, 0}, {0, 2, 4, 6}, {0, 1, 1}, {}};   // ranks 2 2 | 1 2 | 6 2
  const std::vector<float> r = q.reciprocal();
  CHECK(r == std::vector<float>{-1, -1, 1, 0.5f, static_cast<float>(1.0 / 6), 0.5f});
  // Tied with the lowest positive: misplaced.
  const Query<double> tied{{5, 5, 4}, {5, 5, 5}, {0, 1, 2, 3}, {1, 0, 0}, {}};
  CHECK(tied.reciprocal() == std::vector<double>{1, -1, -0.01});
}

TEST_CASE("rank rewards: replies without a score are not ranked", "[reward]") {
  Query<double> q = sample;
  q.parsed = {1, 1, 1, 1, 1, 0};
  q.scores[5] = std::numeric_limits<double>::quiet_NaN();
  // Ranks move up by one: A 1, 3; B 2, 4; C 5.
  CHECK(q.reciprocal() == std::vector<double>{1, discount_of(rg::Discount::reciprocal, 3), -1, -0.04, -0.04, -2});
  CHECK(q.squared_error()[5] == -2.0);
  // Of the positive: the ideal keeps its place, the lowest positive is the other one.
  q = sample;
  q.parsed = {1, 0, 1, 1, 1, 1};
  const std::vector<double> r = q.ndcg();
  CHECK(r[0] == Approx(0.386853).margin(5e-7));
  CHECK(r[1] == -2.0);
  CHECK(r[2] == Approx(-0.09));   // 7 is now below all positives
}

TEST_CASE("rank rewards: no positive, nothing", "[reward]") {
  Query<double> q = sample;
  q.relevant = {0, 0, 0};
  CHECK(q.reciprocal() == q.squared_error());
  CHECK(q.ndcg() == q.squared_error());
  q.relevant = {1, 1, 1};
  for (const double r : q.reciprocal()) CHECK(r > 0);
  double sum = 0;
  for (const double r : q.ndcg()) sum += r;
  CHECK(sum == Approx(1));   // all ranks, each once
  const Query<double> nothing{{}, {}, {0}, {}, {}};
  CHECK(nothing.ndcg().empty());
  const Query<double> one{{3}, {3}, {0, 1}, {0}, {}};
  CHECK(one.ndcg() == std::vector<double>{0});
}

TEST_CASE("rank rewards: any sizes, by counting", "[reward]") {
  rg::Random random(5);
  Query<float> q;
  q.documents = {0};
  for (std::uint32_t d = 0; d < 20; ++d) {
    q.relevant.push_back(d % 7 == 0);
    q.reference.push_back(static_cast<float>(random.below(11)));
    for (std::size_t g = random.below(6); g > 0; --g) {
      q.scores.push_back(static_cast<float>(random.below(11)));
      q.parsed.push_back(random.below(8) > 0);
    }
    q.documents.push_back(static_cast<std::uint32_t>(q.scores.size()));
  }
  std::vector<std::size_t> document;
  for (std::size_t d = 0; d < 20; ++d)
    for (std::uint32_t g = q.documents[d]; g < q.documents[d + 1]; ++g) document.push_back(d);
  const std::vector<float> r = q.reciprocal();
  REQUIRE(r.size() > 30);
  for (std::size_t g = 0; g < r.size(); ++g) {
    std::size_t rank = 1;
    bool below_all = true;
    for (std::size_t h = 0; h < r.size(); ++h) {
      if (!q.parsed[h]) continue;
      rank += q.scores[h] > q.scores[g];
      if (q.relevant[document[h]] && q.scores[h] <= q.scores[g]) below_all = false;
    }
    const double away = static_cast<double>(q.scores[g]) - static_cast<double>(q.reference[document[g]]);
    const double expected = !q.parsed[g] ? -2 : q.relevant[document[g]] ? 1.0 / static_cast<double>(rank) : below_all ? -away * away / 100 : -1;
    CHECK(static_cast<double>(r[g]) == Approx(expected));
  }
}

TEST_CASE("rank rewards: what is said at the door", "[reward]") {
  Query<double> q = sample;
  CHECK_THROWS_WITH(q.reciprocal({.unreadable = -1, .misplaced = -2}), contains("unreadable -1 and misplaced -2"));
  CHECK_THROWS_WITH(q.ndcg({.misplaced = 1}), contains("misplaced 1"));
  CHECK_THROWS_WITH(q.squared_error({.distance_scale = 0}), contains("distance_scale"));
  q.scores[2] = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_WITH(q.ndcg(), contains("scores[2]"));
  q = sample;
  q.documents = {0, 2, 4, 5};
  CHECK_THROWS_WITH(q.ndcg(), contains("the last of document_offsets is 5; there are 6 scores"));
  q = sample;
  q.relevant.pop_back();
  CHECK_THROWS_WITH(q.reciprocal(), contains("relevant has 2 elements where 3"));
  q = sample;
  q.reference.clear();
  CHECK_THROWS_WITH(q.squared_error(), contains("reference has 0"));
}
