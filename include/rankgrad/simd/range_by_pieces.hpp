// rankgrad/simd/range_by_pieces.hpp: the range of a long list's scores.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/executor.hpp>
#include <rankgrad/core/workspace.hpp>
#include <rankgrad/simd/horizontal.hpp>

#include <algorithm>

namespace rankgrad::inline RANKGRAD_ABI::simd {

/// range_of() a list's scores, by all workers of a team: whoever reads a long list first waits for the memory.
template <Real T>
Range<T> range_by_pieces(const T* scores, std::size_t n, Workspace& workspace) {
  constexpr std::size_t long_list = 32768;
  if (n <= long_list) return range_of(scores, n);
  const auto frame = workspace.frame();
  const std::size_t pieces = stretches_of(n);
  auto* const range = workspace.take<Range<T>>(pieces);
  for_each_numbered_stretch(n, workspace, [&](std::size_t p, std::size_t begin, std::size_t end) {
    range[p] = range_of(scores + begin, end - begin);
  });
  for (std::size_t p = 1; p < pieces; ++p)
    range[0] = {std::min(range[0].low, range[p].low), std::max(range[0].high, range[p].high), range[0].finite && range[p].finite};
  return range[0];
}

}  // namespace rankgrad::simd
