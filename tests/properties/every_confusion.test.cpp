#include "properties/oracles/confusion.hpp"

TEMPLATE_TEST_CASE("every loss on a confusion matrix has every property", "[properties]", test::AccuracyConfusion,
                   test::PositiveConfusion) {
  test::check_every_property<TestType, float>();
  if constexpr (test::in_both_types) test::check_every_property<TestType, double>();
}
