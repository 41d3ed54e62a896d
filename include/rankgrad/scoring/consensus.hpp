// rankgrad/scoring/consensus.hpp: which of several rollouts speaks for them all.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/validate.hpp>

#include <cmath>

namespace rankgrad::inline RANKGRAD_ABI::scoring {

/// The rollout whose score is nearest to the mean score, the first of several; its text then serves as the target of
/// supervised training. Rollouts whose reply could not be read (`parsed` 0; empty: all could) are left out. scores.size() where
/// none is left.
///
/// Source   ERank (arXiv 2509.00520): of three rollouts.
template <Real T>
std::size_t consensus_rollout(std::span<const T> scores, std::span<const std::uint8_t> parsed = {}) {
  const std::size_t n = scores.size();
  constexpr T limit = std::numeric_limits<T>::max();
  require(rankgrad::detail::check_optional_length("parsed", parsed.size(), n));
  require(rankgrad::detail::check_values<T>("scores", scores, parsed, -limit, limit));
  const auto readable = [&](std::size_t g) { return parsed.empty() || parsed[g] != 0; };
  double mean = 0, count = 0;
  for (std::size_t g = 0; g < n; ++g)
    if (readable(g)) mean += (static_cast<double>(scores[g]) - mean) / ++count;
  std::size_t best = n;
  const auto away = [&](std::size_t g) { return std::abs(static_cast<double>(scores[g]) - mean); };
  for (std::size_t g = 0; g < n; ++g)
    if (readable(g) && (best == n || away(g) < away(best))) best = g;
  return best;
}

}  // namespace rankgrad::scoring
