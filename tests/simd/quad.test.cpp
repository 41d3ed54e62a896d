#include "support/catch.hpp"

#include <rankgrad/simd/quad.hpp>

#include <array>
#include <cmath>

using rankgrad::simd::Quad;

TEST_CASE("four doubles side by side", "[simd]") {
  const double a[] = {1, -2, 3.5, 1e3}, b[] = {0.25, 4, -1, 2}, c[] = {10, 20, 30, 40};
  const auto lanes = [](Quad q) {
    std::array<double, 6> out{-1, 0, 0, 0, 0, -1};
    q.store(out.data() + 1);
    CHECK(out[0] == -1);   // and nothing beside them
    CHECK(out[5] == -1);
    return out;
  };
  const Quad x = Quad::load(a), y = Quad::load(b), z = Quad::load(c);
  for (std::size_t l = 0; l < 4; ++l) {
    CHECK(lanes(x + y)[l + 1] == a[l] + b[l]);
    CHECK(lanes(x * y)[l + 1] == a[l] * b[l]);
    CHECK(lanes(fma(x, y, z))[l + 1] == a[l] * b[l] + c[l]);   // exact, fused or not
    CHECK(lanes(fnma(x, y, z))[l + 1] == c[l] - a[l] * b[l]);
    CHECK(lanes(Quad(7.0))[l + 1] == 7);
  }
  CHECK(sum(x) == 1002.5);
  CHECK(std::isnan(sum(x * Quad(std::nan("")))));
}
