#include <rankgrad/simd/product.hpp>

#include "support/catch.hpp"

#include <rankgrad/core/random.hpp>

#include <cmath>
#include <limits>
#include <vector>

namespace rg = rankgrad;
namespace simd = rankgrad::simd;

namespace {

/// How the rows of a stand in memory. No element behind the last one that is needed: a sanitizer sees what reads too far.
struct Layout {
  const char* name;
  std::size_t row, step;
};

template <class T>
struct Block {
  std::vector<T> sums = std::vector<T>(simd::block_rows * simd::panel<T>);
  std::vector<int> visits = std::vector<int>(2 * simd::block_rows);
};

template <class T>
Block<T> product(std::size_t steps, const std::vector<T>& a, const Layout& layout, const std::vector<T>& b) {
  Block<T> block;
  const auto sink = [&](std::size_t r, std::size_t c, simd::Pack<T> sum) {
    simd::store(&block.sums[r * simd::panel<T> + c * simd::lanes<T>], sum);
    ++block.visits[2 * r + c];
  };
  simd::block_product<T>(steps, a.data(), layout.row, layout.step, b.data(), sink);
  return block;
}

}  // namespace

TEMPLATE_TEST_CASE("a block of a matrix product, packed, plain and at a distance", "[simd]", float, double) {
  using T = TestType;
  constexpr std::size_t rows = simd::block_rows, columns = simd::panel<T>;
  rg::Random random(1);
  for (const std::size_t steps : {0u, 1u, 2u, 7u, 64u, 300u})
    for (const Layout& layout : {Layout{"packed", 1, rows}, {"plain", steps, 1}, {"at a distance", steps + 5, 1},
                                 {"transposed", 1, rows + 3}}) {
      INFO(layout.name << ", " << steps << " steps");
      // Small integers: every order of additions gives the same, exact sum.
      std::vector<T> a(steps ? (rows - 1) * layout.row + (steps - 1) * layout.step + 1 : 0), b(steps * columns);
      for (T& x : a) x = T(static_cast<int>(random.below(19)) - 9);
      for (T& x : b) x = T(static_cast<int>(random.below(19)) - 9);
      const Block<T> got = product(steps, a, layout, b);
      bool same = true;
      for (std::size_t r = 0; r < rows; ++r)
        for (std::size_t c = 0; c < columns; ++c) {
          T sum = 0;
          for (std::size_t k = 0; k < steps; ++k) sum += a[r * layout.row + k * layout.step] * b[k * columns + c];
          same = same && got.sums[r * columns + c] == sum;
        }
      CHECK(same);
      CHECK(got.visits == std::vector<int>(2 * rows, 1));
    }
}

TEMPLATE_TEST_CASE("a block of a matrix product rounds like a sum of so many steps", "[simd][accuracy]", float, double) {
  using T = TestType;
  constexpr std::size_t rows = simd::block_rows, columns = simd::panel<T>, steps = simd::product_steps<T>;
  const long double epsilon = static_cast<long double>(std::numeric_limits<T>::epsilon());
  rg::Random random(2);
  std::vector<T> a(rows * steps), b(columns * steps);
  for (T& x : a) x = static_cast<T>(random.normal());
  for (T& x : b) x = static_cast<T>(random.normal());
  const Block<T> got = product(steps, a, {"packed", 1, rows}, b);
  long double worst = 0;
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t c = 0; c < columns; ++c) {
      long double sum = 0, magnitude = 0;
      for (std::size_t k = 0; k < steps; ++k) {
        const long double term = static_cast<long double>(a[k * rows + r]) * static_cast<long double>(b[k * columns + c]);
        sum += term, magnitude += fabsl(term);
      }
      worst = std::max(worst, fabsl(static_cast<long double>(got.sums[r * columns + c]) - sum) / (magnitude * epsilon));
    }
  INFO("worst: " << static_cast<double>(worst) << " epsilon of the sum of magnitudes");
  CHECK(worst < 4);
}

TEST_CASE("sizes are rounded up to whole units", "[simd]") {
  STATIC_REQUIRE(simd::round_up(0, 6) == 0);
  STATIC_REQUIRE(simd::round_up(1, 6) == 6);
  STATIC_REQUIRE(simd::round_up(6, 6) == 6);
  STATIC_REQUIRE(simd::round_up(97, 32) == 128);
}
