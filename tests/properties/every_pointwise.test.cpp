#include "properties/oracles/pointwise.hpp"

namespace rg = rankgrad;

TEMPLATE_TEST_CASE("every pointwise loss has every property", "[properties]", rg::SigmoidCrossEntropy, rg::MeanSquaredError) {
  test::check_every_property<TestType, float>();
  if constexpr (test::in_both_types) test::check_every_property<TestType, double>();
}
