// rankgrad/pairwise/range_by_pieces.hpp: the range of a long list's scores.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/executor.hpp>
#include <rankgrad/core/workspace.hpp>
#include <rankgrad/simd/horizontal.hpp>

#include <algorithm>

namespace rankgrad::inline RANKGRAD_ABI::pairwise {

/// The range of a list's scores, by all workers of a team: whoever reads a long list first waits for the memory.
template <Real T>
simd::Range<T> range_by_pieces(const T* scores, std::size_t n, Workspace& workspace) {
  constexpr std::size_t size = 32768;
  if (n <= size) return simd::range_of(scores, n);
  const auto frame = workspace.frame();
  const std::size_t pieces = (n + size - 1) / size;
  auto* const range = workspace.take<simd::Range<T>>(pieces);
  for_each_piece(pieces, workspace, [&](std::size_t p, Workspace&) {
    range[p] = simd::range_of(scores + p * size, std::min(size, n - p * size));
  });
  for (std::size_t p = 1; p < pieces; ++p)
    range[0] = {std::min(range[0].low, range[p].low), std::max(range[0].high, range[p].high), range[0].finite && range[p].finite};
  return range[0];
}

}  // namespace rankgrad::pairwise
