#include "properties/oracles/listwise.hpp"

namespace rg = rankgrad;

TEMPLATE_TEST_CASE("every listwise loss has every property", "[properties]", rg::Softmax, rg::ListNet,
                   rg::NegativeEntropy, rg::ApproxNdcg, rg::JensenShannon, rg::AttentionRank, rg::ReciprocalRankListNet,
                   test::DoubleSoftmax, rg::ApproxMrr, rg::AdrMse, test::CumulativeAdrMse) {
  test::check_every_property<TestType, float>();
  if constexpr (test::in_both_types) test::check_every_property<TestType, double>();
}
