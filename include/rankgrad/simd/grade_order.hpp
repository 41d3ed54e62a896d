// rankgrad/simd/grade_order.hpp: sorting by labels that are grades: one counting pass instead of a sort.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/list_view.hpp>

#include <algorithm>

namespace rankgrad::inline RANKGRAD_ABI::simd {

/// Grades are whole numbers from 0 on, and below this.
inline constexpr std::size_t most_grades = 32;

/// Sorts item numbers by label, descending and stable, where all labels are grades.
/// Returns how many different ones there are; 0 where they are not grades: `order` is then not written. With `starts`,
/// [most_grades + 1], the items of the g-th highest grade are order[starts[g]] .. order[starts[g + 1] - 1].
///
/// The list goes in four parts side by side, each with counters of its own: an item would else wait for the counter that
/// the item before it has just moved, most often the same one.
template <Real T>
std::size_t order_by_grade(const T* labels, std::size_t n, std::uint32_t* order, std::uint32_t* starts = nullptr) {
  constexpr std::size_t parts = 4;
  std::uint32_t next[parts][most_grades] = {};   // after the sums: where the next item of grade g of a part goes
  const std::size_t q = n / parts;
  const auto grade_of = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<std::int32_t>(labels[i])); };
  const auto count = [&](std::size_t part, std::size_t i) {
    if (!(labels[i] >= T(0) && labels[i] < T(most_grades))) return false;
    const std::uint32_t grade = grade_of(i);
    ++next[part][grade];
    return static_cast<T>(grade) == labels[i];
  };
  for (std::size_t i = 0; i < q; ++i)
    for (std::size_t part = 0; part < parts; ++part)
      if (!count(part, part * q + i)) return 0;
  for (std::size_t i = parts * q; i < n; ++i)
    if (!count(parts - 1, i)) return 0;
  std::uint32_t above = 0;
  std::size_t groups = 0;
  for (std::size_t g = most_grades; g-- > 0;) {
    const std::uint32_t first = above;
    for (auto& part : next) {
      const std::uint32_t items = part[g];
      part[g] = above;
      above += items;
    }
    if (above == first) continue;
    if (starts) starts[groups] = first;
    ++groups;
  }
  if (starts) starts[groups] = above;
  const auto put = [&](std::size_t part, std::size_t i) { order[next[part][grade_of(i)]++] = static_cast<std::uint32_t>(i); };
  for (std::size_t i = 0; i < q; ++i)
    for (std::size_t part = 0; part < parts; ++part) put(part, part * q + i);
  for (std::size_t i = parts * q; i < n; ++i) put(parts - 1, i);
  return groups;
}

}  // namespace rankgrad::simd
