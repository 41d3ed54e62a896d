#include "support/catch.hpp"

#include <rankgrad/simd/expand.hpp>

#include <vector>

namespace rg = rankgrad;

TEMPLATE_TEST_CASE("expand_load puts numbers where compress_store took them from", "[simd]", float, double) {
  using T = TestType;
  constexpr std::size_t lanes = rg::simd::lanes<T>;
  std::vector<T> in(lanes), closed(2 * lanes, T(-7)), out(lanes);
  for (std::size_t l = 0; l < lanes; ++l) in[l] = static_cast<T>(l + 1);
  for (std::uint32_t bits = 0; bits < (1u << lanes); bits += lanes > 8 ? 37 : 1) {   // all masks of up to 8 lanes, every 37th of 16
    rg::simd::compress_store(closed.data(), rg::simd::load(in.data()), bits);
    rg::simd::store(out.data(), rg::simd::expand_load(static_cast<const T*>(closed.data()), bits));
    for (std::size_t l = 0; l < lanes; ++l) REQUIRE(out[l] == (bits >> l & 1 ? in[l] : T(0)));
  }
}
