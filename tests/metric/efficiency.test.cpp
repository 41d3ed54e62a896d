#include "support/catch.hpp"

#include <rankgrad/metric/efficiency.hpp>

namespace rg = rankgrad;

TEST_CASE("the operations of a decoder, by hand", "[metric]") {
  // d = 2, L = 3, f = 5, r = 2: N = 2 2 3 (1.5 2 + 5) = 96. c = 10, o = 4:
  // reading 2 96 10 + 4 3 100 2 / 2 = 1920 + 1200; writing 2 96 4 + (2 3 2 / 2) (80 + 12) = 768 + 552
  const rg::DecoderCost cost{.layers = 3, .width = 2, .feed_forward = 5, .query_heads_per_key = 2};
  CHECK(cost.parameters() == 96);
  CHECK(cost.flops(10, 4) == 4440);
  CHECK(cost.flops(10, 0) == 3120);
}

TEST_CASE("the operations of an encoder and a decoder, by hand", "[metric]") {
  // d = 2, L = 3, f = 5: Ne = 12 9 = 108, Nd = 12 11 = 132. c = 10, o = 4:
  // 2160 + 4 3 100 2 + 4 3 10 4 + 1056 + 12 (80 + 12) = 2160 + 2400 + 480 + 1056 + 1104
  const rg::EncoderDecoderCost cost{.layers = 3, .width = 2, .feed_forward = 5};
  CHECK(cost.flops(10, 4) == 7200);
}

TEST_CASE("what a PetaFLOP buys, and what unseen queries cost", "[metric]") {
  const rg::PerPetaflop bought = rg::per_petaflop(0.7, 5e13);
  CHECK(bought.ranking_metric == Approx(14));
  CHECK(bought.queries == Approx(20));
  CHECK(rg::generalization_gap(0.8, 0.6) == Approx(25));
  CHECK(rg::generalization_gap(0.5, 0.55) == Approx(-10));
  CHECK_THROWS_WITH(rg::per_petaflop(0.7, 0), contains("above 0"));
  CHECK_THROWS_WITH(rg::generalization_gap(0, 1), contains("above 0"));
}
