#include "properties/oracles/auc.hpp"

namespace rg = rankgrad;

TEMPLATE_TEST_CASE("every AUC loss has every property", "[properties]", test::SmoothMannWhitney, test::HingeMannWhitney,
                   test::ExponentialMannWhitney, rg::AucMargin, rg::PartialAuc, test::SmoothKlDro, test::SmoothKlDroTwoWay,
                   test::HingeKlDro, test::HingeKlDroTwoWay) {
  test::check_every_property<TestType, float>();
  if constexpr (test::in_both_types) test::check_every_property<TestType, double>();
}
