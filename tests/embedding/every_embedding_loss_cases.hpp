// The properties that every loss over embeddings must have, as tests of EVERY_EMBEDDING_LOSS, which whoever includes this defines.
#include "embedding/edges.hpp"

TEMPLATE_TEST_CASE("a loss over embeddings is its definition", "[embedding][properties]", EVERY_EMBEDDING_LOSS) {
  test::check_definitions<TestType, float>();
  if constexpr (test::in_both_types) test::check_definitions<TestType, double>();
}
TEMPLATE_TEST_CASE("a loss over embeddings has the slopes of its value", "[embedding][properties]", EVERY_EMBEDDING_LOSS) {
  test::check_differences<TestType>();
}
TEMPLATE_TEST_CASE("a loss over embeddings keeps its symmetries", "[embedding][properties]", EVERY_EMBEDDING_LOSS) {
  test::check_symmetries<TestType, float>();
  if constexpr (test::in_both_types) test::check_symmetries<TestType, double>();
}
TEMPLATE_TEST_CASE("a loss over embeddings stands its edges", "[embedding][properties]", EVERY_EMBEDDING_LOSS) {
  test::check_edges<TestType, float>();
  if constexpr (test::in_both_types) test::check_edges<TestType, double>();
}
TEMPLATE_TEST_CASE("a loss over embeddings gives the same wherever it runs", "[embedding][properties][long]", EVERY_EMBEDDING_LOSS) {
  test::check_running<TestType, float>();
  if constexpr (test::in_both_types) test::check_running<TestType, double>();
}
TEMPLATE_TEST_CASE("a loss over embeddings refuses what it must", "[embedding][properties]", EVERY_EMBEDDING_LOSS) {
  test::check_refusals<TestType, float>();
}
