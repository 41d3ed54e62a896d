// RankNet with weights from the target ranking: numbers worked by hand, and what its options mean.
#include "support/catch.hpp"
#include "support/lists.hpp"

#include <rankgrad/core/evaluate.hpp>
#include <rankgrad/pairwise/rank_weighted_ranknet.hpp>
#include <rankgrad/pairwise/ranknet.hpp>

#include <cmath>
#include <vector>

namespace rg = rankgrad;
using rg::PairNormalize;
using rg::RankWeightedRankNet;
using rg::TargetPairWeight;

namespace {
double softplus(double x) { return std::log1p(std::exp(x)); }

std::vector<double> minus(std::vector<double> ranks) {
  for (double& r : ranks) r = -r;
  return ranks;
}
}  // namespace

TEST_CASE("rank-weighted RankNet by hand", "[pairwise]") {
  // Ranks 2, 1, 4, 3: the pairs by rank are (1,2) (1,3) (1,4) (2,3) (2,4) (3,4), weights 1/3, 1/4, 1/5, 1/5, 1/6, 1/7;
  // score differences .5 - 1, .5 - .3, .5 + .2, 1 - .3, 1 + .2, .3 + .2.
  const std::vector<double> scores{1, 0.5, -0.2, 0.3}, labels = minus({2, 1, 4, 3});
  const rg::ListView<double> list{.scores = scores, .labels = labels};
  std::vector<double> gradient(4);
  const double sum = softplus(0.5) / 3 + softplus(-0.2) / 4 + softplus(-0.7) / 5 + softplus(-0.7) / 5 + softplus(-1.2) / 6 + softplus(-0.5) / 7;
  CHECK(rg::value_and_gradient(RankWeightedRankNet{}, list, gradient) == Approx(sum / 6).epsilon(1e-14));
  CHECK(sum / 6 == Approx(0.12451786).epsilon(1e-7));
  const double expected[] = {0.0170908, -0.0643984, 0.02647934, 0.02082826};
  for (std::size_t i = 0; i < 4; ++i) CHECK(gradient[i] == Approx(expected[i]).epsilon(1e-6));
  CHECK(rg::value(RankWeightedRankNet{.normalize = PairNormalize::sum}, list) == Approx(sum));
  const double weight = 1. / 3 + 1. / 4 + 1. / 5 + 1. / 5 + 1. / 6 + 1. / 7;
  CHECK(rg::value(RankWeightedRankNet{.normalize = PairNormalize::weighted_mean}, list) == Approx(sum / weight));
}

TEST_CASE("rank-weighted RankNet: golden numbers", "[pairwise]") {
  const std::vector<double> scores{0.5, -1, 2, 0.25}, in_order = minus({1, 2, 3, 4}), mixed = minus({2, 4, 1, 3});
  std::vector<double> gradient(4);
  CHECK(rg::value_and_gradient(RankWeightedRankNet{}, rg::ListView<double>{.scores = scores, .labels = in_order}, gradient) ==
        Approx(0.24843451850327497).epsilon(1e-12));
  const double expected[] = {-0.058794471134, -0.043209382382, 0.062293140782, 0.039710712734};
  for (std::size_t i = 0; i < 4; ++i) CHECK(gradient[i] == Approx(expected[i]).epsilon(1e-9));
  CHECK(rg::value(RankWeightedRankNet{}, rg::ListView<double>{.scores = scores, .labels = mixed}) ==
        Approx(0.050276316609173304).epsilon(1e-12));
}

TEST_CASE("the other pair weights by hand", "[pairwise]") {
  // Labels 3, 1, 1: ranks 1, 2, 2. Two pairs, differences -1 and 2.
  const std::vector<double> scores{0, 1, -2}, labels{3, 1, 1};
  const rg::ListView<double> list{.scores = scores, .labels = labels};
  const double mean = (softplus(1) + softplus(-2)) / 2;
  CHECK(rg::value(RankWeightedRankNet{}, list) == Approx(mean / 3));
  CHECK(rg::value(RankWeightedRankNet{.weight = TargetPairWeight::reciprocal_ranks}, list) == Approx(1.5 * mean));
  CHECK(rg::value(RankWeightedRankNet{.weight = TargetPairWeight::label_difference}, list) == Approx(2 * mean));
  CHECK(rg::value(RankWeightedRankNet{.weight = TargetPairWeight::squared_label_difference}, list) == Approx(8 * mean));
  CHECK(rg::value(RankWeightedRankNet{.normalize = PairNormalize::weighted_mean}, list) == Approx(mean));
}

TEST_CASE("a pair that weighs nothing still counts in the number of pairs", "[pairwise]") {
  const std::vector<double> scores{0, 1, 2}, labels{1, -1, 0};   // |y_i^2 - y_j^2|: 0 for (0, 1), 1 for (0, 2) and (2, 1)
  const rg::ListView<double> list{.scores = scores, .labels = labels};
  const auto weight = TargetPairWeight::squared_label_difference;
  const double sum = softplus(2) + softplus(-1);
  CHECK(rg::value(RankWeightedRankNet{.weight = weight}, list) == Approx(sum / 3));
  CHECK(rg::value(RankWeightedRankNet{.weight = weight, .normalize = PairNormalize::weighted_mean}, list) == Approx(sum / 2));
  // No pair that weighs anything: nothing to divide by.
  const std::vector<double> two{1, -1};
  rg::Workspace workspace;
  double gradient[2] = {};
  const auto part = RankWeightedRankNet{.weight = weight, .normalize = PairNormalize::weighted_mean}.value_and_gradient(
      rg::ListView<double>{.scores = std::span(scores).first(2), .labels = two}, rg::GradientSink<double>{gradient}, workspace);
  CHECK_FALSE(part.valid);
}

TEST_CASE("equal scores keep their pair: ranks are not made from scores", "[pairwise]") {
  const std::vector<double> scores{1, 1}, labels{2, 1};
  std::vector<double> gradient(2);
  CHECK(rg::value_and_gradient(RankWeightedRankNet{}, rg::ListView<double>{.scores = scores, .labels = labels}, gradient) == Approx(std::log(2) / 3));
  CHECK(gradient[0] == Approx(-1. / 6));
}

TEST_CASE("RankNet with a sigma is the loss over scaled cosines", "[pairwise]") {
  // An embedding model's score kappa <q, d> with kappa = 10 is RankNet of the cosines at sigma = 10.
  const auto list = test::make_list<double>(20, 3, {.spread = 0.3, .grades = 0});
  auto scaled = list;
  for (double& s : scaled.scores) s *= 10;
  std::vector<double> a(20), b(20);
  CHECK(rg::value_and_gradient(rg::RankNet{.sigma = 10}, list.view(), a) == Approx(rg::value_and_gradient(rg::RankNet{}, scaled.view(), b)));
  for (std::size_t i = 0; i < 20; ++i) CHECK(a[i] == Approx(10 * b[i]).margin(1e-14));
}

TEST_CASE("rank-weighted RankNet checks its sigma", "[pairwise]") {
  CHECK_THAT(RankWeightedRankNet{.sigma = 0}.check().message(), contains("RankWeightedRankNet.sigma is 0"));
}
