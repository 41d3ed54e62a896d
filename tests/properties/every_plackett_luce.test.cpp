#include "properties/oracles/plackett_luce.hpp"

namespace rg = rankgrad;

TEMPLATE_TEST_CASE("ListMLE has every property in every tie mode", "[properties]",
                   test::ListMleWith<rg::TargetTies::stable>, test::ListMleWith<rg::TargetTies::shuffled>,
                   test::ListMleWith<rg::TargetTies::breslow>, test::ListMleWith<rg::TargetTies::efron>,
                   test::ListMleWith<rg::TargetTies::exact>) {
  test::check_every_property<TestType, float>();
  if constexpr (test::in_both_types) test::check_every_property<TestType, double>();
}
