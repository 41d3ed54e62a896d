// rankgrad/core/check_offsets.hpp: are these the borders (CSR) of consecutive runs of so many things?
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/contract.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace rankgrad::inline RANKGRAD_ABI::detail {

/// At least one offset, the first 0, none below the one before it, the last the number of things. O(runs).
inline Status check_offsets(const char* what, std::span<const std::uint32_t> offsets, std::size_t things, const char* of) {
  if (offsets.empty()) return Status::error("rankgrad: %s is empty; of nothing it has the one offset 0", what);
  if (offsets[0] != 0) return Status::error("rankgrad: %s[0] is %u; it must be 0", what, offsets[0]);
  for (std::size_t q = 1; q < offsets.size(); ++q)
    if (offsets[q] < offsets[q - 1])
      return Status::error("rankgrad: %s[%zu] is %u, below the one before it, which is %u", what, q, offsets[q], offsets[q - 1]);
  if (offsets.back() == things) return {};
  return Status::error("rankgrad: the last of %s is %u; there are %zu %s", what, offsets.back(), things, of);
}

}  // namespace rankgrad::detail
