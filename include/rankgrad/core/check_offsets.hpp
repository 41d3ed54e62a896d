// rankgrad/core/check_offsets.hpp: are these the borders (CSR) of consecutive runs of so many things?
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/contract.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace rankgrad::inline RANKGRAD_ABI::detail {

/// None is below the one before it. O(runs).
inline Status check_rising(const char* what, std::span<const std::uint32_t> offsets) {
  for (std::size_t q = 1; q < offsets.size(); ++q)
    if (offsets[q] < offsets[q - 1])
      return Status::error("rankgrad: %s[%zu] is %u, below %s[%zu], which is %u", what, q, offsets[q], what, q - 1,
                           offsets[q - 1]);
  return {};
}

/// At least one offset, the first 0, the last the number of things. O(1).
inline Status check_first_and_last(const char* what, std::span<const std::uint32_t> offsets, std::size_t things, const char* of) {
  if (offsets.empty()) return Status::error("rankgrad: %s is empty; of nothing it has the one offset 0", what);
  if (offsets[0] != 0) return Status::error("rankgrad: %s[0] is %u; it must be 0", what, offsets[0]);
  if (offsets.back() == things) return {};
  return Status::error("rankgrad: the last of %s is %u; there are %zu %s", what, offsets.back(), things, of);
}

/// Both; the fault that comes first is named.
inline Status check_offsets(const char* what, std::span<const std::uint32_t> offsets, std::size_t things, const char* of) {
  if (offsets.empty() || offsets[0] != 0) return check_first_and_last(what, offsets, things, of);
  if (Status s = check_rising(what, offsets); !s) return s;
  return check_first_and_last(what, offsets, things, of);
}

}  // namespace rankgrad::detail
