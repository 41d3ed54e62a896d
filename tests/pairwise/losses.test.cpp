// Numbers worked by hand for RankNet, the hinges and LambdaRank, and what the pair engine promises.
#include "support/catch.hpp"
#include "support/lists.hpp"

#include <rankgrad/core/evaluate.hpp>
#include <rankgrad/pairwise/hinge.hpp>
#include <rankgrad/pairwise/lambdarank.hpp>
#include <rankgrad/pairwise/ranknet.hpp>

#include <cmath>
#include <vector>

namespace rg = rankgrad;

namespace {
// Pairs (2, 1), (2, 0), (2, 3), (0, 1), (0, 3) with differences 3, 1.5, 1.75, 1.5, 0.25.
const std::vector<double> scores{0.5, -1, 2, 0.25}, labels{1, 0, 2, 0};
const rg::ListView<double> list{.scores = scores, .labels = labels};
double softplus(double x) { return std::log1p(std::exp(x)); }
double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
}  // namespace

TEST_CASE("RankNet by hand", "[pairwise]") {
  std::vector<double> gradient(4), curvature(4);
  const double value = rg::value_gradient_and_curvature(rg::RankNet{}, list, gradient, curvature);
  CHECK(value == Approx((softplus(-3) + 2 * softplus(-1.5) + softplus(-1.75) + softplus(-0.25)) / 5));
  CHECK(gradient[1] == Approx((sigmoid(-3) + sigmoid(-1.5)) / 5));
  CHECK(gradient[0] == Approx((sigmoid(-1.5) - sigmoid(-1.5) - sigmoid(-0.25)) / 5));
  CHECK(curvature[1] == Approx((sigmoid(3) * sigmoid(-3) + sigmoid(1.5) * sigmoid(-1.5)) / 5));
  CHECK(rg::value(rg::RankNet{.normalize = rg::Normalize::sum}, list) == Approx(5 * value));
  const std::vector<double> weights{2, 1, 0, 3};   // pairs (0, 1) and (0, 3) are left, weights 2 and 6
  rg::ListView<double> weighted = list;
  weighted.weights = weights;
  CHECK(rg::value(rg::RankNet{.sigma = 2}, weighted) == Approx((2 * softplus(-3) + 6 * softplus(-0.5)) / 8));
}

TEST_CASE("hinges by hand, and inactive at the margin", "[pairwise]") {
  std::vector<double> gradient(4), curvature(4);
  CHECK(rg::value_gradient_and_curvature(rg::Hinge{.margin = 1.75, .normalize = rg::Normalize::sum}, list, gradient, curvature) == 0.25 + 0.25 + 1.5);
  CHECK(gradient == std::vector<double>{0 + 1 - 2, 1, -1, 1});   // the pair at 1.75 stands at the margin
  CHECK(curvature == std::vector<double>(4, 0.0));
  CHECK(rg::value_gradient_and_curvature(rg::SquaredHinge{.margin = 1.75, .normalize = rg::Normalize::sum}, list, gradient, curvature) == 0.0625 + 0.0625 + 2.25);
  CHECK(gradient == std::vector<double>{0.5 - 0.5 - 3, 0.5, -0.5, 3});
  CHECK(curvature == std::vector<double>{6, 2, 2, 2});
  CHECK(rg::value(rg::Hinge{.margin = 0}, list) == 0.0);
}

TEST_CASE("LambdaRank by hand: two items, swapped", "[pairwise]") {
  // Gains 7 and 1; the better item is on rank 2. IDCG = 7 + 1 / log2(3), delta = 6 (1 - 1 / log2(3)) / IDCG.
  const std::vector<double> s{0, 0.5}, y{3, 1};
  const rg::ListView<double> pair{.scores = s, .labels = y};
  const double second = 1 / std::log2(3.0), delta = 6 * (1 - second) / (7 + second);
  std::vector<double> gradient(2), curvature(2);
  CHECK(rg::value_gradient_and_curvature(rg::LambdaRank{}, pair, gradient, curvature) == Approx(delta * softplus(0.5)));
  CHECK(gradient[0] == Approx(-delta * sigmoid(0.5)));
  CHECK(curvature[1] == Approx(delta * sigmoid(0.5) * sigmoid(-0.5)));
  // k = 1: rank 2 is worth nothing. Linear gains: 3 and 1.
  CHECK(rg::value(rg::LambdaRank{.k = 1}, pair) == Approx(6.0 / 7 * softplus(0.5)));
  CHECK(rg::value(rg::LambdaRank{.gain = rg::Gain::linear}, pair) == Approx(2 * (1 - second) / (3 + second) * softplus(0.5)));
  CHECK(rg::value(rg::LambdaRank{.discount = rg::Discount::reciprocal}, pair) == Approx(6 * 0.5 / 7.5 * softplus(0.5)));
}

TEST_CASE("LambdaRank: equal scores are ranked as asked", "[pairwise]") {
  // Three tied items: delta depends on who stands where.
  const std::vector<double> s{0, 0, 0}, y{0, 2, 1};
  const rg::ListView<double> tied{.scores = s, .labels = y};
  const double d2 = 1 / std::log2(3.0), d3 = 0.5, ideal = 3 + d2, unit = std::log(2.0) / ideal;
  // stable: ranks 1, 2, 3. Pairs (1, 0): 3 (1 - d2), (1, 2): 2 (d2 - d3), (2, 0): 1 (1 - d3).
  CHECK(rg::value(rg::LambdaRank{}, tied) == Approx(unit * (3 * (1 - d2) + 2 * (d2 - d3) + (1 - d3))));
  // optimistic: item 1, 2, 0.
  CHECK(rg::value(rg::LambdaRank{.ties = rg::Ties::optimistic}, tied) == Approx(unit * (3 * (1 - d3) + 2 * (1 - d2) + (d2 - d3))));
  // pessimistic: item 0, 2, 1.
  CHECK(rg::value(rg::LambdaRank{.ties = rg::Ties::pessimistic}, tied) == Approx(unit * (3 * (1 - d3) + 2 * (d2 - d3) + (1 - d2))));
  CHECK_THAT(rg::LambdaRank{.ties = rg::Ties::expected}.check().message(), contains("LambdaRank.ties cannot be `expected`"));
}

TEST_CASE("no gain, no signal", "[pairwise]") {
  const std::vector<double> negative{-1, -2, -3, -4};
  rg::ListView<double> worthless = list;
  worthless.labels = negative;
  std::vector<double> gradient(4);
  CHECK(rg::value_and_gradient(rg::LambdaRank{.gain = rg::Gain::linear}, worthless, gradient) == 0.0);
  CHECK(gradient == std::vector<double>(4, 0.0));
}

TEST_CASE("pair parameters are checked, with their names", "[pairwise]") {
  CHECK_THAT(rg::RankNet{.sigma = 0}.check().message(), contains("RankNet.sigma is 0; it must be finite and above 0"));
  CHECK_THAT(rg::Hinge{.margin = -1}.check().message(), contains("Hinge.margin is -1; it must be finite and at least 0"));
  CHECK_THAT(rg::SquaredHinge{.margin = -1}.check().message(), contains("SquaredHinge.margin"));
  CHECK_THAT(rg::LambdaRank{.sigma = -1}.check().message(), contains("LambdaRank.sigma"));
  CHECK_THROWS_WITH(rg::value(rg::RankNet{.sigma = -2}, list), contains("RankNet.sigma is -2"));
}

TEST_CASE("a sorted pair list counts its pairs", "[pairwise]") {
  rg::Workspace workspace;
  const auto frame = workspace.frame();
  const std::vector<double> weights{2, 1, 0.5, 3};
  rg::ListView<double> weighted = list;
  weighted.weights = weights;
  const auto pairs = rg::pairwise::sort_by_label(weighted, labels.data(), workspace);
  CHECK(std::vector<std::uint32_t>(pairs.order, pairs.order + 4) == std::vector<std::uint32_t>{2, 0, 1, 3});
  CHECK(pairs.worse_than(0) == 1);
  CHECK(pairs.worse_than(1) == 2);
  CHECK(pairs.worse_than(2) == 4);
  CHECK(pairs.pair_weight() == 0.5 * (2 + 1 + 3) + 2 * (1 + 3));
  CHECK(pairs.weights[4] == 0.0);
}

TEST_CASE("long lists do not lose accuracy in float", "[pairwise]") {
  // More rows than one block of the column sums and more columns than one block of the row sums.
  const auto wide = test::make_list<double>(1500, 5, {.grades = 3});
  const auto narrow = wide.as<float>();
  std::vector<double> a(1500);
  std::vector<float> b(1500);
  CHECK(static_cast<double>(rg::value_and_gradient(rg::RankNet{}, narrow.view(), b)) == Approx(rg::value_and_gradient(rg::RankNet{}, wide.view(), a)).epsilon(1e-7));
  double worst = 0, top = 0;
  for (std::size_t i = 0; i < 1500; ++i) {
    worst = std::max(worst, std::abs(a[i] - static_cast<double>(b[i])));
    top = std::max(top, std::abs(a[i]));
  }
  CHECK(worst < 3e-7 * top);
}
