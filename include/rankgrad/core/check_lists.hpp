// rankgrad/core/check_lists.hpp: for check_input() members that have to look into every list, at the door.
// SPDX-License-Identifier: MIT
//
// A kernel that finds its input unfit has begun to write, and may run on a thread that nobody can raise from. What a loss
// asks of a list is therefore asked before, of all lists.
#pragma once

#include <rankgrad/core/ragged_batch.hpp>

#include <algorithm>

namespace rankgrad::inline RANKGRAD_ABI {

/// The first failure of check(list) -> Status over the lists of a view. Sizes and offsets that do not fit are left to
/// validate(), which says so better.
template <Real T, class Check>
Status check_each_list(const ListView<T>& list, const Check& check) {
  const auto fits = [&](auto part) { return part.empty() || part.size() == list.size(); };
  return fits(list.labels) && fits(list.weights) && fits(list.mask) ? check(list) : Status{};
}
template <Real T, class Check>
Status check_each_list(const RaggedBatch<T>& batch, const Check& check) {
  const auto fits = [&](auto part) { return part.empty() || part.size() == batch.items(); };
  if (!(fits(batch.labels) && fits(batch.weights) && fits(batch.mask) && fits(batch.easiness))) return {};
  for (std::size_t q = 0; q < batch.lists(); ++q) {
    if (batch.offsets[q + 1] < batch.offsets[q] || batch.offsets[q + 1] > batch.items()) return {};
    if (Status status = check(batch[q]); !status) return status;
  }
  return {};
}

/// How many items of a list are not masked.
template <Real T>
std::size_t present_items(const ListView<T>& list) {
  return list.size() - static_cast<std::size_t>(std::count(list.mask.begin(), list.mask.end(), std::uint8_t{0}));
}

/// The list's number in its batch, for messages.
template <Real T>
unsigned long long number_of(const ListView<T>& list) { return static_cast<unsigned long long>(list.index); }

}  // namespace rankgrad
