// rankgrad/core/random.hpp: seeded random numbers that are a function of (seed, stream, counter) and of nothing else.
// SPDX-License-Identifier: MIT
//
// Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers, as easy as 1, 2, 3; SC 2011). Nothing is shared
// and nothing is advanced behind the caller's back, so what a list draws depends neither on the threads nor on the
// order in which lists are visited.
#pragma once

#include <rankgrad/config.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace rankgrad::inline RANKGRAD_ABI {

/// Four random words from a 128-bit counter and a 64-bit key.
constexpr std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53} * counter[0], b = std::uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(b),
               static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(a)};
    key = {key[0] + 0x9E3779B9, key[1] + 0xBB67AE85};
  }
  return counter;
}

/// A stream of random numbers: `seed` names the experiment, `stream` the consumer (a list, a sample). Small enough to
/// be made where it is used.
class Random {
 public:
  explicit constexpr Random(std::uint64_t seed, std::uint64_t stream = 0) noexcept : seed_(seed), stream_(stream) {}

  constexpr std::uint64_t bits() noexcept {
    if (next_ % 2 == 0) {
      block_ = philox({static_cast<std::uint32_t>(next_ / 2), static_cast<std::uint32_t>(next_ >> 33),
                       static_cast<std::uint32_t>(stream_), static_cast<std::uint32_t>(stream_ >> 32)},
                      {static_cast<std::uint32_t>(seed_), static_cast<std::uint32_t>(seed_ >> 32)});
    }
    const std::size_t half = 2 * (next_++ % 2);
    return std::uint64_t{block_[half]} << 32 | block_[half + 1];
  }

  /// Uniform in [0, 1), 53 bits.
  constexpr double uniform() noexcept { return static_cast<double>(bits() >> 11) * 0x1p-53; }
  /// Uniform in {0, ..., n - 1}; n > 0. The bias of the multiplication is below n / 2^64.
  constexpr std::size_t below(std::size_t n) noexcept {
    __extension__ using Wide = unsigned __int128;
    return static_cast<std::size_t>(Wide{bits()} * n >> 64);
  }
  /// Exponential with mean 1: finite, never below 0.
  double exponential() noexcept { return -std::log1p(-uniform()); }
  /// Standard normal (Box-Muller, one of the pair).
  double normal() noexcept {
    const double radius = std::sqrt(2 * exponential());
    return radius * std::cos(6.283185307179586477 * uniform());
  }

  /// Fisher-Yates.
  template <class T>
  constexpr void shuffle(T* items, std::size_t n) noexcept {
    for (std::size_t i = n; i > 1; --i) std::swap(items[i - 1], items[below(i)]);
  }

 private:
  std::uint64_t seed_, stream_, next_ = 0;
  std::array<std::uint32_t, 4> block_{};
};

}  // namespace rankgrad
