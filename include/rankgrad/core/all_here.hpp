// rankgrad/core/all_here.hpp: sums over a list are sums over all of it, unless parts of it are elsewhere.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/config.hpp>

#include <span>

namespace rankgrad::inline RANKGRAD_ABI {

/// What a kernel calls with its sums before it uses them, where the whole list is in this process: there is nothing to add.
/// Where a list is spread over processes something takes its place that adds up the sums of all (distributed/).
struct AllHere {
  void operator()(std::span<double>) const noexcept {}
};

}  // namespace rankgrad
