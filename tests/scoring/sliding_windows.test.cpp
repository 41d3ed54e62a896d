#include <rankgrad/scoring/sliding_windows.hpp>

#include "support/catch.hpp"

#include <numeric>
#include <random>
#include <utility>
#include <vector>

namespace rg = rankgrad;
using Windows = std::vector<std::pair<std::size_t, std::size_t>>;

namespace {
Windows windows_of(const rg::SlidingWindows& sliding, std::size_t n) {
  Windows all;
  sliding.for_each(n, [&](std::size_t begin, std::size_t end) { all.emplace_back(begin, end); });
  return all;
}
std::vector<std::uint32_t> shuffled(std::size_t n, unsigned seed) {
  std::vector<std::uint32_t> order(n);
  std::iota(order.begin(), order.end(), 0u);
  std::shuffle(order.begin(), order.end(), std::mt19937(seed));
  return order;
}
/// Item 0 is the best.
void rerank(std::span<std::uint32_t> window) { std::sort(window.begin(), window.end()); }
}  // namespace

TEST_CASE("sliding windows: bottom up, the last one cut off at the top", "[scoring]") {
  const rg::SlidingWindows sliding;
  CHECK(windows_of(sliding, 100) == Windows{{80, 100}, {70, 90}, {60, 80}, {50, 70}, {40, 60}, {30, 50}, {20, 40}, {10, 30}, {0, 20}});
  CHECK(windows_of(sliding, 45) == Windows{{25, 45}, {15, 35}, {5, 25}, {0, 15}});
  CHECK(windows_of(sliding, 20) == Windows{{0, 20}});   // and not [0, 10) once more
  CHECK(windows_of(sliding, 10) == Windows{{0, 10}});
  CHECK(windows_of(sliding, 21) == Windows{{1, 21}, {0, 11}});
  CHECK(windows_of(sliding, 1) == Windows{{0, 1}});
  CHECK(windows_of(sliding, 0).empty());
  CHECK(windows_of({.window = 3, .stride = 3}, 7) == Windows{{4, 7}, {1, 4}, {0, 1}});
  CHECK(sliding.count(100) == 9);
  CHECK_FALSE(rg::SlidingWindows{.stride = 0}.check());
  CHECK_FALSE(rg::SlidingWindows{.stride = 21}.check());
  CHECK_THROWS_WITH(windows_of({.window = 5, .stride = 6}, 9), contains("stride is 6"));
}

TEST_CASE("sliding windows: one pass carries the best window - stride items to the top", "[scoring]") {
  for (unsigned seed = 0; seed < 5; ++seed) {
    auto order = shuffled(100, seed);
    rg::SlidingWindows{}.pass(order, rerank);
    for (std::uint32_t k = 0; k < 10; ++k) CHECK(order[k] == k);
    CHECK_FALSE(std::is_sorted(order.begin(), order.end()));
  }
}

TEST_CASE("sliding windows: nine passes sort a hundred items, eight do not", "[scoring]") {
  CHECK(rg::SlidingWindows{}.passes_to_sort(100) == 9);
  CHECK(rg::SlidingWindows{}.passes_to_sort(20) == 1);
  CHECK(rg::SlidingWindows{}.passes_to_sort(21) == 2);
  CHECK_THROWS_AS((rg::SlidingWindows{.window = 5, .stride = 5}.passes_to_sort(6)), std::invalid_argument);
  std::vector<std::uint32_t> reversed(100);
  for (std::uint32_t k = 0; k < 100; ++k) reversed[k] = 99 - k;
  auto short_of = reversed;
  for (int p = 0; p < 8; ++p) rg::SlidingWindows{}.pass(short_of, rerank);
  CHECK_FALSE(std::is_sorted(short_of.begin(), short_of.end()));
  rg::SlidingWindows{}.full_ranking(reversed, rerank);
  CHECK(std::is_sorted(reversed.begin(), reversed.end()));
  for (const std::size_t n : {1u, 7u, 8u, 9u, 33u})
    for (const std::size_t stride : {1u, 3u, 7u}) {
      auto order = shuffled(n, static_cast<unsigned>(n));
      rg::SlidingWindows{.window = 8, .stride = stride}.full_ranking(order, rerank);
      CHECK(std::is_sorted(order.begin(), order.end()));
    }
}
