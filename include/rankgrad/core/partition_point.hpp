// rankgrad/core/partition_point.hpp: where a property that numbers have up to some point ends.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/config.hpp>

#include <cstddef>

namespace rankgrad::inline RANKGRAD_ABI {

/// The first of begin .. end - 1 that is not `before`, or end; it is so of all after it, too. Bisection: std's asks for an
/// iterator over numbers.
template <class Before>
std::size_t partition_point(std::size_t begin, std::size_t end, const Before& before) {
  while (begin < end) {
    const std::size_t middle = begin + (end - begin) / 2;
    if (before(middle)) begin = middle + 1;
    else end = middle;
  }
  return begin;
}

}  // namespace rankgrad
