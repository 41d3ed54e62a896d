#include "properties/oracles/pairwise.hpp"

namespace rg = rankgrad;

TEMPLATE_TEST_CASE("every pairwise loss has every property", "[properties]", rg::RankNet, rg::Hinge, rg::SquaredHinge, rg::LambdaRank,
                   rg::RankWeightedRankNet, rg::LambdaLoss, rg::RankMargin, rg::PairwiseExponential,
                   rg::PairwiseSoftZeroOne) {
  test::check_every_property<TestType, float>();
  if constexpr (test::in_both_types) test::check_every_property<TestType, double>();
}
