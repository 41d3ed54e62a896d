#include <rankgrad/reward/group_ranking.hpp>
#include <rankgrad/reward/rank_biased_overlap.hpp>

#include "support/catch.hpp"

#include <cmath>
#include <limits>
#include <vector>

namespace rg = rankgrad;
namespace reward = rankgrad::reward;
using reward::ReplyFormat;
using List = std::vector<double>;

namespace {
double divergence(const List& a, const List& b, const reward::GroupRanking& r = {}) {
  rg::Workspace workspace;
  return r.divergence<double>(a, b, workspace);
}
double group(const List& a, const List& b, double relevant_above, const reward::GroupRanking& r = {}, ReplyFormat format = ReplyFormat::valid) {
  rg::Workspace workspace;
  return r(std::span<const double>(a), std::span<const double>(b), relevant_above, format, workspace);
}
}  // namespace

TEST_CASE("Jensen-Shannon divergence of scores", "[reward]") {
  const List a{7, 10, 2, 3}, b{8, 9, 1, 4};
  CHECK(divergence(a, b) == Approx(0.00987782).margin(5e-9));
  CHECK(divergence(a, b, {.base = rg::LogBase::e}) == Approx(0.00684679).margin(5e-9));
  CHECK(divergence(b, a) == Approx(divergence(a, b)).epsilon(1e-14));
  CHECK(divergence({1, 0}, {0, 1}) == Approx(1).epsilon(1e-15));             // nothing in common
  CHECK(divergence({1, 2, 3}, {2, 4, 6}) == Approx(0).margin(1e-16));        // shares, not scores
  CHECK(divergence({0, 0}, {1, 1}) == 0.0);                                  // all 0 is uniform
  CHECK(divergence({0, 0}, {1, 0}) == Approx(divergence({1, 1}, {1, 0})));
  CHECK(divergence({5}, {1}) == 0.0);
  CHECK(divergence({1e300, 1e300}, {1, 1}) == 0.0);
  CHECK(divergence({-1, 1}, {0, 1}) == 0.0);                                 // below 0 counts as 0
  // softmax (log 1, log 3) = (1/4, 3/4), against (1/2, 1/2): by the definition
  const auto kl = [](double p, double q) { return p * std::log2(p / q) + (1 - p) * std::log2((1 - p) / (1 - q)); };
  CHECK(divergence({0, std::log(3.0)}, {2, 2}, {.shares = rg::Shares::softmax}) == Approx((kl(0.25, 0.375) + kl(0.5, 0.375)) / 2).epsilon(1e-13));
  CHECK(divergence({1e4, 0}, {0, 1e4}, {.shares = rg::Shares::softmax}) == Approx(1).epsilon(1e-15));
  // Close distributions keep their digits: JS of (1 + x, 1 - x) / 2 against (1, 1) / 2 is x^2 / 8 + O(x^4), in nats.
  CHECK(divergence({1 + 0x1p-30, 1 - 0x1p-30}, {1, 1}, {.base = rg::LogBase::e}) == Approx(0x1p-63).epsilon(1e-6));
}

TEST_CASE("group reward: numbers by hand", "[reward]") {
  // Predicted order 1, 0, 3, 2: gains 9, 8, 4, 1, the ideal order. Recall of gold > 5 at 10: 1.
  CHECK(group({7, 10, 2, 3}, {8, 9, 1, 4}, 5) == Approx(1 + 0.2 + 0.1 * (1 - 0.00987782)).margin(1e-9));
  // At 1: NDCG 9 / 9, recall 1 / 2.
  CHECK(group({7, 10, 2, 3}, {8, 9, 1, 4}, 5, {.k = 1}) == Approx(1 + 0.1 + 0.1 * (1 - 0.00987782)).margin(1e-9));
  // The worst order of gains 2, 1: (1 + 2 / log2 3) / (2 + 1 / log2 3); linear, not 2^y - 1.
  const double l = 1 / std::log2(3.0);
  CHECK(group({1, 2}, {2, 1}, 1, {.distribution_weight = 0}) == Approx((1 + 2 * l) / (2 + l) + 0.2));
  CHECK(group({7}, {3}, 1) == Approx(1.3));
  // Nothing relevant: only the distributions are left.
  CHECK(group({1, 1}, {0, 0}, 5) == Approx(0.1));
  CHECK(group({}, {}, 5) == 0.0);
  // Ties: in the order of the candidates, or the mean of both orders.
  const double worst = (1 + 2 * l) / (2 + l);
  CHECK(group({5, 5}, {1, 2}, 0, {.recall_weight = 0, .distribution_weight = 0}) == Approx(worst));
  CHECK(group({5, 5}, {1, 2}, 0, {.recall_weight = 0, .distribution_weight = 0, .ties = rg::Ties::expected}) == Approx((1 + worst) / 2));
}

TEST_CASE("group reward: levels of the format", "[reward]") {
  CHECK(group({}, {1, 2}, 5, {}, ReplyFormat::tags_only) == -0.1);   // whatever the scores
  CHECK(group({}, {1, 2}, 5, {}, ReplyFormat::none) == -0.5);
  CHECK(group({}, {}, 5, {.none = -3}, ReplyFormat::none) == -3.0);
  CHECK_THROWS_WITH(group({1}, {1, 2}, 5), contains("gold has 2 elements where 1"));
  CHECK_THROWS_WITH(group({1, std::numeric_limits<double>::quiet_NaN()}, {1, 2}, 5), contains("predicted[1]"));
}

TEST_CASE("rank-biased overlap", "[reward]") {
  rg::Workspace workspace;
  using Ids = std::vector<std::uint32_t>;
  const auto rbo = [&](const Ids& a, const Ids& b, const reward::RankBiasedOverlap& r = {}) { return r(a, b, 6, workspace); };
  CHECK(rbo({2, 0, 1}, {2, 0, 1}) == Approx(1).epsilon(1e-15));
  CHECK(rbo({0, 1}, {2, 3}) == 0.0);
  // p = .5, depths 1 .. 3 of (0 1 2) and (1 0 2): overlaps 0, 1, 1: (.5 + .25) / (1 + .5 + .25), (1 - p^k) / (1 - p) = 1.75
  CHECK(rbo({0, 1, 2}, {1, 0, 2}, {.persistence = 0.5}) == Approx(0.75 / 1.75).epsilon(1e-15));
  CHECK(rbo({0, 1, 2}, {1, 0, 2}, {.persistence = 1}) == Approx(2.0 / 3).epsilon(1e-15));
  CHECK(rbo({0, 1, 2}, {1, 0, 2}, {.persistence = 0.5, .depth = 1}) == 0.0);
  CHECK(rbo({0, 1, 2}, {0}, {.persistence = 1}) == Approx((1 + 1.0 / 2 + 1.0 / 3) / 3).epsilon(1e-15));   // lengths differ
  CHECK(rbo({}, {}) == 0.0);
  CHECK(rbo({}, {1}) == 0.0);
  CHECK_THROWS_WITH(rbo({6}, {1}), contains("a ranking has item 6; there are 6"));
  CHECK_THROWS_WITH(rbo({1}, {2, 2}), contains("a ranking has item 2 twice"));
  CHECK_THROWS_WITH(rbo({}, {}, {.persistence = 0}), contains("persistence is 0"));
  CHECK_THROWS_WITH(rbo({}, {}, {.persistence = 1.5}), contains("persistence is 1.5"));
  const std::size_t growths = workspace.growths();
  rbo({2, 0, 1}, {2, 0, 1});
  CHECK(workspace.growths() == growths);
}
