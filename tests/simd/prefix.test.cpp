#include "support/catch.hpp"

#include <rankgrad/simd/prefix.hpp>

namespace simd = rankgrad::simd;

TEST_CASE("running sums within a pack, and what the last lane hands on", "[simd]") {
  constexpr std::size_t lanes = simd::lanes<double>;
  double values[lanes], sums[lanes], last[lanes], total = 0;
  for (std::size_t l = 0; l < lanes; ++l) values[l] = static_cast<double>(1u << l) - 2.5;   // sums are exact and all differ
  simd::store(sums, simd::running_sum(simd::load(values)));
  simd::store(last, simd::last_lane(simd::load(values)));
  for (std::size_t l = 0; l < lanes; ++l) {
    total += values[l];
    CHECK(sums[l] == total);
    CHECK(last[l] == values[lanes - 1]);
  }
}
