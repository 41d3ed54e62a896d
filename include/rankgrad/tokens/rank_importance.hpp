// rankgrad/tokens/rank_importance.hpp: tokens of a generated ranking weighted by the rank that they name.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/validate.hpp>

#include <cmath>

namespace rankgrad::inline RANKGRAD_ABI {

/// Weights of the tokens of a target such as "[4] > [1] > [9]".
///
///   w_r = 1 + 1 / log_base(r + offset)     for every token of the identifier at rank r = 1, 2, ...
///       = 1                                for r = 0: separators and whatever else names no rank
///
/// Parameters  base 2, offset 1: 2 for the first, 1.5 for the third, 1.15 for the hundredth.
/// Source      Liu et al., Sliding windows are not the end, arXiv 2412.14574: importance-aware loss, TokenCrossEntropy with these
///             weights and TokenNormalizer::count (its mean divides by the number of tokens, not by their weights).
struct RankImportance {
  double base = 2;
  double offset = 1;

  Status check() const {
    if (Status status = check_parameter("RankImportance.base", base, 1); !status) return status;
    return check_parameter("RankImportance.offset", offset, 0);
  }
  double operator()(std::uint32_t rank) const {
    return rank == 0 ? 1 : 1 + std::log(base) / std::log(static_cast<double>(rank) + offset);
  }
  /// Overwrites `weights` [tokens].
  template <Real T>
  void operator()(std::span<const std::uint32_t> ranks, std::span<T> weights) const {
    require(check());
    RANKGRAD_EXPECTS(weights.size() == ranks.size(), "weights and ranks differ in size");
    for (std::size_t t = 0; t < ranks.size(); ++t) weights[t] = static_cast<T>((*this)(ranks[t]));
  }
};

/// The rank that each token of one target names: 1 up to the first separator, 2 up to the second, ...; the separators get 0, and
/// what follows the last identifier has its rank, as in the source. Says so where there are not items - 1 separators: with an
/// unknown separator every token would silently be of rank 1. Overwrites `ranks` [tokens].
inline Status ranks_by_separator(std::span<const std::uint32_t> targets, std::uint32_t separator, std::size_t items,
                                 std::span<std::uint32_t> ranks) {
  if (Status s = detail::check_length("ranks", ranks.size(), targets.size()); !s) return s;
  std::uint32_t rank = 1;
  for (std::size_t t = 0; t < targets.size(); ++t) {
    const bool between = targets[t] == separator;
    ranks[t] = between ? 0 : rank;
    rank += static_cast<std::uint32_t>(between);
  }
  if (items == 0 || rank == items) return {};
  return Status::error("rankgrad: the target has %u separators (token %u); a ranking of %zu items has %zu", rank - 1, separator,
                       items, items - 1);
}

}  // namespace rankgrad
