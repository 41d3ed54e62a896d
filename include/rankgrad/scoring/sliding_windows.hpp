// rankgrad/scoring/sliding_windows.hpp: long lists ranked by a model that sees a window of them at a time.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/contract.hpp>
#include <rankgrad/core/list_view.hpp>

#include <algorithm>

namespace rankgrad::inline RANKGRAD_ABI {

/// Windows from the bottom of a list to its top, [n - w, n), then each `stride` higher, the last one cut off at the top:
/// what is best in a window takes part in the next one, so that one pass carries the best w - stride items to the top.
///
///   SlidingWindows{}.pass(order, [&](std::span<std::uint32_t> window) { /* best first */ });
///
/// Parameters  window 20, stride 10, 0 < stride <= window.
/// Source      RankGPT, Sun et al., EMNLP 2023, arXiv 2304.09542; window and stride of FIRST's reproduction, arXiv 2411.05508.
struct SlidingWindows {
  std::size_t window = 20;
  std::size_t stride = 10;

  Status check() const {
    if (stride > 0 && stride <= window) return {};
    return Status::error("rankgrad: SlidingWindows.stride is %zu; it must be above 0 and at most the window, %zu", stride,
                         window);
  }

  /// visit(begin, end) for every window of a list of n items, bottom first. A window that starts at the top is the last.
  template <class Visit>
  void for_each(std::size_t n, const Visit& visit) const {
    require(check());
    for (std::size_t end = n; end > 0;) {
      const std::size_t begin = end > window ? end - window : 0;
      visit(begin, end);
      if (begin == 0) break;
      end -= stride;
    }
  }
  /// How many calls of the model a pass takes.
  std::size_t count(std::size_t n) const {
    std::size_t windows = 0;
    for_each(n, [&](std::size_t, std::size_t) { ++windows; });
    return windows;
  }

  /// One pass: rerank(window) puts the items of a window in order, best first.
  template <class Rerank>
  void pass(std::span<std::uint32_t> order, const Rerank& rerank) const {
    for_each(order.size(), [&](std::size_t begin, std::size_t end) { rerank(order.subspan(begin, end - begin)); });
  }

  /// How many passes put n items in order, if the model's windows agree with each other: each pass brings w - stride more of
  /// them to their places, and a window of w is in order at once. 9 for 100 items by windows of 20 and strides of 10. Needs
  /// stride < window where n > window.
  std::size_t passes_to_sort(std::size_t n) const {
    require(check());
    if (n <= window) return 1;
    RANKGRAD_EXPECTS(stride < window, "windows that do not overlap never sort a list");
    const std::size_t carried = window - stride;
    return 1 + (n - window + carried - 1) / carried;
  }

  /// A full ranking as a label: passes_to_sort() passes over the whole list. (Liu et al., arXiv 2412.14574.)
  template <class Rerank>
  void full_ranking(std::span<std::uint32_t> order, const Rerank& rerank) const {
    for (std::size_t p = 0, passes = passes_to_sort(order.size()); p < passes; ++p) pass(order, rerank);
  }
};

}  // namespace rankgrad
