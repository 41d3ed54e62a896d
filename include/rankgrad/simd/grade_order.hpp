// rankgrad/simd/grade_order.hpp: sorting by labels that are grades: one counting pass instead of a sort.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/executor.hpp>

#include <algorithm>
#include <functional>
#include <type_traits>
#include <utility>

namespace rankgrad::inline RANKGRAD_ABI::simd {

/// Grades are whole numbers from 0 on, and below this.
inline constexpr std::size_t most_grades = 32;

namespace detail {

/// A stretch of a list goes in four parts side by side, each with counters of its own: an item would else wait for the
/// counter that the item before it has just moved, most often the same one.
struct GradeCounters {
  static constexpr std::size_t parts = 4;
  std::uint32_t of[parts][most_grades];   ///< how many of a grade; after the sums: where the next of them goes

  /// visit(part, i) for n items, in each part in their order, while it returns true.
  template <class Visit>
  RANKGRAD_INLINE static bool for_each_item(std::size_t n, const Visit& visit) {
    const std::size_t q = n / parts;
    for (std::size_t i = 0; i < q; ++i)
      for (std::size_t part = 0; part < parts; ++part)
        if (!visit(part, part * q + i)) return false;
    for (std::size_t i = parts * q; i < n; ++i)
      if (!visit(parts - 1, i)) return false;
    return true;
  }
};

template <Real T>
std::uint32_t grade_of(T label) { return static_cast<std::uint32_t>(static_cast<std::int32_t>(label)); }

/// Stretches begin at `cut(s)`; run(task) runs task(s) for every one. Their number may be a constant.
template <Real T, class Count, class Cut, class Run>
std::size_t order_by_grade(const T* labels, std::uint32_t* order, std::uint32_t* starts, GradeCounters* counters, bool* graded,
                           Count stretches, const Cut& cut, const Run& run) {
  run([&](std::size_t s) {
    auto* const count = counters[s].of;
    for (std::size_t part = 0; part < GradeCounters::parts; ++part) std::fill_n(count[part], most_grades, 0u);
    const T* const label = labels + cut(s);
    graded[s] = GradeCounters::for_each_item(cut(s + 1) - cut(s), [=](std::size_t part, std::size_t i) RANKGRAD_INLINE {
      if (!(label[i] >= T(0) && label[i] < T(most_grades))) return false;
      const std::uint32_t grade = grade_of(label[i]);
      ++count[part][grade];
      return static_cast<T>(grade) == label[i];
    });
  });
  if (!std::all_of(graded, graded + stretches, std::identity{})) return 0;
  std::uint32_t above = 0;
  std::size_t groups = 0;
  for (std::size_t g = most_grades; g-- > 0;) {
    const std::uint32_t first = above;
    for (std::size_t s = 0; s < stretches; ++s)
      for (auto& part : counters[s].of) above += std::exchange(part[g], above);
    if (above == first) continue;
    if (starts) starts[groups] = first;
    ++groups;
  }
  if (starts) starts[groups] = above;
  run([&](std::size_t s) {
    auto* const next = counters[s].of;
    const std::size_t first = cut(s);
    const T* const label = labels + first;
    GradeCounters::for_each_item(cut(s + 1) - first, [=](std::size_t part, std::size_t i) RANKGRAD_INLINE {
      order[next[part][grade_of(label[i])]++] = static_cast<std::uint32_t>(first + i);
      return true;
    });
  });
  return groups;
}

}  // namespace detail

/// Sorts item numbers by label, descending and stable, where all labels are grades.
/// Returns how many different ones there are; 0 where they are not grades: `order` is then not written. With `starts`,
/// [most_grades + 1], the items of the g-th highest grade are order[starts[g]] .. order[starts[g + 1] - 1].
template <Real T>
std::size_t order_by_grade(const T* labels, std::size_t n, std::uint32_t* order, std::uint32_t* starts = nullptr) {
  detail::GradeCounters counters;
  bool graded = false;
  return detail::order_by_grade(labels, order, starts, &counters, &graded, std::integral_constant<std::size_t, 1>{},
                                [=](std::size_t s) { return s * n; }, [](const auto& task) { task(0); });
}
/// The same by whoever is there.
template <Real T>
std::size_t order_by_grade(const T* labels, std::size_t n, std::uint32_t* order, std::uint32_t* starts, Workspace& workspace) {
  const std::size_t stretches = n / 8192;
  if (!workspace.team() || stretches < 2) return order_by_grade(labels, n, order, starts);
  const auto frame = workspace.frame();
  return detail::order_by_grade(
      labels, order, starts, workspace.take<detail::GradeCounters>(stretches), workspace.take<bool>(stretches), stretches,
      [=](std::size_t s) { return n * s / stretches; },
      [&](const auto& task) { for_each_piece(stretches, workspace, [&](std::size_t s, Workspace&) { task(s); }); });
}

}  // namespace rankgrad::simd
