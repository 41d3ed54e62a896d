#include "properties/oracles/contrastive.hpp"

namespace rg = rankgrad;

TEMPLATE_TEST_CASE("every contrastive loss of one list has every property", "[properties]", rg::InfoNce, rg::SoftLabelInfoNce,
                   rg::DistributionAlignment, rg::ArcFace) {
  test::check_every_property<TestType, float>();
  test::check_every_property<TestType, double>();
}
