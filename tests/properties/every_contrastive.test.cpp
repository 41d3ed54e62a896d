#include "properties/oracles/contrastive.hpp"

namespace rg = rankgrad;

TEMPLATE_TEST_CASE("every contrastive loss of one list has every property", "[properties]", rg::InfoNce, rg::SoftLabelInfoNce,
                   rg::DistributionAlignment, rg::ArcFace) {
  test::check_every_property<TestType, float>();
  if constexpr (test::in_both_types) test::check_every_property<TestType, double>();
}
