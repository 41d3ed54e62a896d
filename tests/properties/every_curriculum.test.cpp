#include "properties/oracles/curriculum.hpp"

namespace rg = rankgrad;

TEMPLATE_TEST_CASE("every pairwise softmax and curriculum has every property", "[properties]", rg::PairwiseSoftmax,
                   rg::PairwiseCrossEntropy, rg::Curriculum<rg::SigmoidCrossEntropy>, rg::Curriculum<rg::RankNet>,
                   rg::Curriculum<rg::LambdaRank>, rg::Curriculum<rg::PairwiseSoftmax>, rg::Curriculum<rg::PairwiseCrossEntropy>) {
  test::check_every_property<TestType, float>();
  if constexpr (test::in_both_types) test::check_every_property<TestType, double>();
}
