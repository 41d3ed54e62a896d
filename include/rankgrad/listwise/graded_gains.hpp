// rankgrad/listwise/graded_gains.hpp: labels that are grades: how many items have each, and their gains by a table.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/list_view.hpp>
#include <rankgrad/simd/compress.hpp>
#include <rankgrad/simd/exact.hpp>
#include <rankgrad/simd/lookup.hpp>
#include <rankgrad/simd/rows.hpp>

#include <bit>

namespace rankgrad::inline RANKGRAD_ABI::listwise {

/// Items by grade; labels below 0 count as grade 0.
struct Grades {
  static constexpr std::size_t most = 32;
  std::size_t items[most] = {}, highest = 0;
};

/// False where a label above 0 is not a whole number below 32, or items weigh anything but 1.
template <Real T>
bool count_grades(const ListView<T>& list, Grades& grades) {
  using namespace simd;
  const T* labels = list.labels.data();
  const std::size_t n = list.size();
  const Pack<T> zero(T(0)), one(T(1));
  Pack<T> top[2] = {zero, zero};
  Mask<T> whole = zero == zero;   // asked this way round, NaN is not
  for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
    const Pack<T> y = larger(zero, at.load(labels + i, T(0)));
    top[at.slot] = larger(top[at.slot], y);
    whole = whole & (round_to_even<T>(y) == y);
    if (!list.weights.empty()) whole = whole & (at.load(list.weights.data() + i, T(1)) == one);
  });
  const T highest_label = highest(larger(top[0], top[1]));
  if (any(~whole) || !(highest_label < T(Grades::most))) return false;
  grades.highest = static_cast<std::size_t>(highest_label);
  constexpr std::size_t stretch = 4096;   // stays in the first-level cache for all grades
  for (std::size_t begin = 0; begin < n; begin += stretch)
    for (std::size_t g = 1; g <= grades.highest; ++g) {
      const Pack<T> grade(static_cast<T>(g));
      std::size_t items = 0;
      for_each_pack<T>(std::min(stretch, n - begin), [&](std::size_t i, auto at) RANKGRAD_INLINE {
        items += static_cast<std::size_t>(std::popcount(lane_bits<T>(at.load(labels + begin + i, T(0)) == grade)));
      });
      grades.items[g] += items;
    }
  return true;
}

/// gains[i] = gain_at[grade of i] / ideal.
template <Real T>
void gains_of_grades(const T* labels, std::size_t n, const double* gain_at, double ideal, T* gains) {
  using namespace simd;
  alignas(64) T table[Grades::most];
  for (std::size_t g = 0; g < Grades::most; ++g) table[g] = static_cast<T>(gain_at[g] / ideal);
  for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
    const Pack<T> y = larger(Pack<T>(T(0)), at.load(labels + i, T(0)));
    at.store(gains + i, lookup<Grades::most>(table, table_index<T>(y)));
  });
}

}  // namespace rankgrad::listwise
