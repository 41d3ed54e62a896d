// The rank-scaled margin loss: golden numbers, its three reductions, its gradient on short and long lists, ties and the gold.
#include "properties/oracles/pairwise.hpp"

namespace rg = rankgrad;
using R = rg::GapReduction;
using rg::RankMargin;

namespace {
// In the order of their quality.
const std::vector<double> scores{0.5, -1, 2, 0.25}, labels{4, 3, 2, 1};
const rg::ListView<double> list{.scores = scores, .labels = labels};
}  // namespace

TEST_CASE("rank margin: golden number, and by hand", "[pairwise]") {
  // Active: gap 1: (1, 2) 3 + lambda; gap 2: (0, 2) 1.5 + 2 lambda, (1, 3) 1.25 + 2 lambda; gap 3: none, 0.25 - 0.5 < 0.
  CHECK(rg::value(RankMargin{}, list) == Approx(2.3773333333333335).epsilon(1e-12));
  std::vector<double> gradient(4), curvature(4);
  CHECK(rg::value_gradient_and_curvature(RankMargin{}, list, gradient, curvature) == Approx(3.001 / 3 + (1.502 + 1.252) / 2));
  CHECK(gradient == std::vector<double>{-0.5, -1. / 3 - 0.5, 1. / 3 + 0.5, 0.5});
  CHECK(curvature == std::vector<double>(4, 0.0));
  CHECK(rg::value_and_gradient(RankMargin{.reduction = R::sum}, list, gradient) == Approx(3.001 + 1.502 + 1.252));
  CHECK(gradient == std::vector<double>{-1, -2, 2, 1});
  CHECK(rg::value(RankMargin{.reduction = R::mean}, list) == Approx((3.001 + 1.502 + 1.252) / 6));
}

TEMPLATE_TEST_CASE("the gradient of the rank margin, short and long", "[pairwise]", float, double) {
  for (const auto reduction : {R::sum, R::mean, R::mean_per_gap})
    for (const bool skip_ties : {false, true})
      for (const bool gold : {false, true})
        for (const std::size_t n : {2u, 3u, 9u, 40u, 300u}) {
          const RankMargin loss{.margin = 0.01, .reduction = reduction, .skip_ties = skip_ties, .gold = gold, .gold_margin = 0.2};
          INFO("reduction " << static_cast<int>(reduction) << ", skip ties " << skip_ties << ", gold " << gold << ", n " << n);
          const auto made = test::make_list<TestType>(n, 5, {.offset = 100, .weights = n != 40});
          const auto at = test::Definition::of(made);
          std::vector<long double> expected(n);
          long double total = 0;
          test::Oracle<RankMargin>::for_each_term(loss, at, [&](std::size_t i, std::size_t j, long double c, long double v) {
            if (!(v > 0)) return;
            total += c * v;
            expected[i] -= c;
            expected[j] += c;
          });
          const auto r = test::run(loss, made);
          test::check_close(r.gradient, expected, 64, std::max(1e-6, test::largest(expected)), "gradient");
          CHECK(static_cast<double>(r.value) == Approx(static_cast<double>(total)).epsilon(sizeof(TestType) == 4 ? 1e-5 : 1e-12));
        }
}

TEST_CASE("rank margin: inactive at the kink", "[pairwise]") {
  const std::vector<double> apart{1.5, 1, 0.5}, three{3, 2, 1};   // every pair exactly at its margin of 1/2 per place
  std::vector<double> gradient(3);
  for (const auto reduction : {R::sum, R::mean, R::mean_per_gap}) {
    const RankMargin loss{.margin = 0.5, .reduction = reduction};
    CHECK(rg::value_and_gradient(loss, rg::ListView<double>{.scores = apart, .labels = three}, gradient) == 0.0);
    CHECK(gradient == std::vector<double>(3, 0.0));
  }
}

TEST_CASE("rank margin: equal labels stand in list order, with a margin, or are skipped", "[pairwise]") {
  const std::vector<double> s{0, 0.5, -1}, y{1, 1, 0};
  const rg::ListView<double> tied{.scores = s, .labels = y};
  CHECK(rg::value(RankMargin{.margin = 0.25, .reduction = R::sum}, tied) == Approx(0.75));
  rg::Workspace workspace;
  double gradient[3] = {};
  const auto skipped = RankMargin{.margin = 0.75, .reduction = R::sum, .skip_ties = true}.value_and_gradient(tied, {gradient}, workspace);
  CHECK(skipped.value == Approx(-1 - 0 + 1.5));   // items 0 and 2: two places apart although their labels are neighbours
  const std::vector<double> same{2, 2, 2};
  CHECK_FALSE(RankMargin{.skip_ties = true}.value_and_gradient(rg::ListView<double>{.scores = s, .labels = same}, {gradient}, workspace).valid);
}

TEST_CASE("rank margin: the gold is above all and in no pair", "[pairwise]") {
  // The item with the largest label is the gold, 1; others in order: 2 and 0. Pair: 0.5 - 1 + lambda < 0.
  const std::vector<double> s{0.5, 0.75, 1}, y{0, 9, 1};
  const rg::ListView<double> reference{.scores = s, .labels = y};
  const RankMargin loss{.gold = true, .gold_margin = 0.5, .gold_weight = 3};
  std::vector<double> gradient(3);
  CHECK(rg::value_and_gradient(loss, reference, gradient) == Approx(3 * (0.25 + 0.75) / 2));
  CHECK(gradient == std::vector<double>{1.5, -3, 1.5});
  // A gold and one candidate: no pair, but a term.
  rg::Workspace workspace;
  double two[2] = {};
  const auto part = loss.value_and_gradient(rg::ListView<double>{.scores = std::span(s).first(2), .labels = std::span(y).first(2)}, {two}, workspace);
  CHECK(part.valid);
  CHECK(part.value == Approx(3 * 0.25));
}

TEST_CASE("rank margin parameters are checked, with their names", "[pairwise]") {
  CHECK_THAT(RankMargin{.margin = -1}.check().message(), contains("RankMargin.margin is -1; it must be finite and at least 0"));
  CHECK_THAT(RankMargin{.gold_margin = -1}.check().message(), contains("RankMargin.gold_margin"));
  CHECK_THAT(RankMargin{.gold_weight = -1}.check().message(), contains("RankMargin.gold_weight"));
}
