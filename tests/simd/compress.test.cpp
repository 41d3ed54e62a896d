#include "support/catch.hpp"

#include <rankgrad/core/random.hpp>
#include <rankgrad/simd/compress.hpp>
#include <rankgrad/simd/horizontal.hpp>
#include <rankgrad/simd/widen.hpp>

namespace rg = rankgrad;
namespace simd = rankgrad::simd;

TEMPLATE_TEST_CASE("selected lanes stand one behind the other, for every mask", "[simd]", float, double) {
  using T = TestType;
  constexpr std::size_t lanes = simd::lanes<T>;
  const simd::Pack<T> numbers = simd::iota<T>(T(1));
  const unsigned masks = lanes == 16 ? 65536 : 1u << lanes;
  std::size_t wrong = 0;
  for (unsigned bits = 0; bits < masks; bits += lanes == 16 ? 37 : 1) {
    T lane[lanes], got[lanes] = {};
    std::uint32_t got_numbers[lanes] = {};
    for (std::size_t l = 0; l < lanes; ++l) lane[l] = T(bits >> l & 1);
    wrong += simd::lane_bits<T>(simd::load(lane) > simd::Pack<T>(T(0))) != bits;
    simd::compress_store(got, numbers, bits);
    simd::store_selected_numbers<lanes>(got_numbers, bits, 100);
    std::size_t k = 0;
    for (std::size_t l = 0; l < lanes; ++l)
      if (bits >> l & 1) {
        wrong += got[k] != T(l + 1) || got_numbers[k] != 100 + l;
        ++k;
      }
  }
  CHECK(wrong == 0);
}

TEMPLATE_TEST_CASE("four sums at once are four sums", "[simd]", float, double) {
  using T = TestType;
  rg::Random random(3, 1);
  T lane[4][simd::lanes<T>];
  double expected[4] = {1, 2, 3, 4}, got[4] = {1, 2, 3, 4};
  for (std::size_t k = 0; k < 4; ++k)
    for (T& v : lane[k]) expected[k] += static_cast<double>(v = T(static_cast<float>(random.below(1000))));
  const simd::Pack<T> packs[4] = {simd::load(lane[0]), simd::load(lane[1]), simd::load(lane[2]), simd::load(lane[3])};
  simd::add_sums<4>(got, packs);
  for (std::size_t k = 0; k < 4; ++k) CHECK(got[k] == expected[k]);
  simd::add_sums<2>(got, packs);
  CHECK(got[1] == 2 * expected[1] - 2);
}

TEMPLATE_TEST_CASE("wide loads and narrow stores round to the type of the array", "[simd]", float, double) {
  using T = TestType;
  T in[simd::lanes<double>], out[simd::lanes<double>];
  for (std::size_t l = 0; l < simd::lanes<double>; ++l) in[l] = T(1) / T(l + 3);
  simd::store_narrow(out, simd::load_wide(in));
  for (std::size_t l = 0; l < simd::lanes<double>; ++l) CHECK(in[l] == out[l]);
}
