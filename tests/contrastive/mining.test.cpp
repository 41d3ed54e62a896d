#include <rankgrad/contrastive/mining.hpp>

#include "support/catch.hpp"

#include <cmath>
#include <set>
#include <vector>

namespace rg = rankgrad;
using Choice = std::vector<std::uint32_t>;

namespace {
const std::vector<double> scores{0.70, 0.80, 0.79, 0.76, 0.10, -0.2, 0.95};   // the positive is number 1

Choice kept(const rg::FalseNegatives& rules) {
  Choice all(scores.size());
  all.resize(rg::drop_false_negatives<double>(scores, 1, rules, all));
  return all;
}
}  // namespace

TEST_CASE("false negatives: each rule at its border", "[contrastive]") {
  CHECK(kept({}) == Choice{0, 2, 3, 4, 5, 6});
  CHECK(kept({.margin = 0.01}) == Choice{0, 2, 3, 4, 5});            // 0.79 is not above 0.80 - 0.01 (in double they are one)
  CHECK(kept({.margin = 0.02}) == Choice{0, 3, 4, 5});
  CHECK(kept({.relative = 0.95}) == Choice{0, 4, 5});                // 0.76 = 0.95 0.80 is dropped
  CHECK(kept({.absolute = 0.7}) == Choice{4, 5});                    // 0.70 itself too
  CHECK(kept({.margin = 0.0, .absolute = 0.78}) == Choice{0, 3, 4, 5});
}

TEST_CASE("cyclic choice goes round in steps", "[contrastive]") {
  const Choice candidates{10, 11, 12, 13, 14, 15, 16};
  const auto choose = [&](std::size_t n, std::size_t stride, std::size_t k) {
    Choice chosen(k, 99);
    CHECK(rg::choose_cyclically(std::span(candidates).first(n), stride, chosen) == std::min(n, k));
    return chosen;
  };
  CHECK(choose(7, 5, 4) == Choice{10, 15, 11, 16});
  CHECK(choose(7, 5, 9) == Choice{10, 15, 11, 16, 12, 13, 14, 10, 15});   // all seven before one comes again
  CHECK(choose(3, 5, 5) == Choice{10, 11, 12, 10, 11});
  CHECK(choose(7, 1, 3) == Choice{10, 11, 12});
  CHECK(choose(0, 5, 2) == Choice{99, 99});
}

TEST_CASE("consistency of a pair: rank with ties in its favour, and a threshold", "[contrastive]") {
  const std::vector<float> s{0.9f, 0.8f, 0.8f, 0.75f, 0.7f};
  CHECK(rg::within_best<float>(s, 0.8f, 2));
  CHECK_FALSE(rg::within_best<float>(s, 0.75f, 3));
  CHECK(rg::within_best<float>(s, 0.75f, 4));
  CHECK(rg::within_best<float>(s, 0.1f, 6));
  CHECK_FALSE(rg::within_best<float>(s, 0.1f, 5));
  CHECK_FALSE(rg::within_best<float>(s, std::nanf(""), 9));
  CHECK_FALSE(rg::within_best<float>(s, 2.0f, 0));
  const rg::DualConsistency filter{};
  CHECK(filter.keeps<float>(s, 0));
  CHECK(filter.keeps<float>(s, 2));
  CHECK_FALSE(filter.keeps<float>(s, 3));
  const std::vector<float> low{0.69f, 0.1f};
  CHECK_FALSE(filter.keeps<float>(low, 0));   // the best, but not similar
  CHECK((rg::DualConsistency{.within = 4, .above = 0.5}).keeps<float>(s, 3));
}

TEST_CASE("an annealed temperature", "[contrastive]") {
  const rg::AnnealedTemperature geometric{.steps = 10}, linear{.steps = 10, .path = rg::AnnealedTemperature::Path::linear};
  for (const auto& t : {geometric, linear}) {
    CHECK(t.at(-1) == Approx(0.05));
    CHECK(t.at(10) == Approx(0.001));
    CHECK(t.at(99) == Approx(0.001));
  }
  CHECK(geometric.at(5) == Approx(std::sqrt(0.05 * 0.001)));
  CHECK(linear.at(5) == Approx(0.0255));
  CHECK_THAT(rg::AnnealedTemperature{.last = 0}.check().message(), contains("AnnealedTemperature.last"));
}

TEST_CASE("hard negatives are drawn by a softmax, without replacement", "[contrastive]") {
  rg::Workspace workspace;
  rg::Random random(3);
  const std::vector<double> s{0.0, 0.9, std::log(2.0) / 10, std::log(5.0) / 10, 0.95};   // 1, 2, 5 of 8 at temperature 0.1
  Choice chosen(1);
  std::vector<int> counts(5);
  constexpr int draws = 20000;
  for (int d = 0; d < draws; ++d) {
    REQUIRE(rg::sample_hard_negatives<double>(s, 1, {.margin = 0}, 0.1, chosen, random, workspace) == 1);
    ++counts[chosen[0]];
  }
  CHECK(counts[1] + counts[4] == 0);
  CHECK(counts[0] / double(draws) == Approx(1 / 8.0).margin(0.01));
  CHECK(counts[2] / double(draws) == Approx(2 / 8.0).margin(0.012));
  CHECK(counts[3] / double(draws) == Approx(5 / 8.0).margin(0.014));

  // A pool smaller than what is asked for is taken whole; an empty one gives nothing; the same seed, the same draw.
  Choice all(9, 77);
  CHECK(rg::sample_hard_negatives<double>(s, 1, {.margin = 0}, 0.1, all, random, workspace) == 3);
  CHECK(std::set<std::uint32_t>(all.begin(), all.begin() + 3) == std::set<std::uint32_t>{0, 2, 3});
  CHECK(all[3] == 77);
  CHECK(rg::sample_hard_negatives<double>(s, 1, {.absolute = -1}, 0.1, all, random, workspace) == 0);
  rg::Random one(5, 6), same(5, 6);
  Choice a(2), b(2);
  rg::sample_hard_negatives<double>(s, 1, {}, 1, a, one, workspace);
  rg::sample_hard_negatives<double>(s, 1, {}, 1, b, same, workspace);
  CHECK(a == b);
  // Cold: the hardest first.
  rg::sample_hard_negatives<double>(s, 1, {}, 1e-6, a, one, workspace);
  CHECK(a == Choice{4, 3});
}
