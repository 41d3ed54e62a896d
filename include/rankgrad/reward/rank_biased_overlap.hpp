// rankgrad/reward/rank_biased_overlap.hpp: how much two rankings have in common, the top counting most.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/validate.hpp>
#include <rankgrad/core/workspace.hpp>

namespace rankgrad::inline RANKGRAD_ABI::reward {

/// RBO, cut at depth k and divided by the most it can be:
///
///   r = sum_{d = 1 .. k} p^{d-1} |A_d and B_d| / d  /  sum_{d = 1 .. k} p^{d-1}          A_d, B_d: the first d items
///
/// In [0, 1]: 1 for equal rankings, 0 where they share nothing. (The divisor is (1 - p^k) / (1 - p); p = 1 is the average
/// overlap.)
///
/// Parameters  persistence p in (0, 1]: 0.9. depth k: 0 = the length of the longer ranking.
/// Shapes      two rankings of item numbers below `items`, best first, each number once; lengths may differ.
/// No signal   both are empty: 0.
/// Cost        O(k) time after clearing one byte an item.
/// Errors      an item out of range or twice in a ranking, at the door.
/// Source      Webber, Moffat, Zobel, A similarity measure for indefinite rankings, ACM TOIS 2010, truncated and normalised;
///             as a reward: GroupRank (arXiv 2511.11653, version 1), reconstructed from the abstract and the
///             literature, not checked against the source.
struct RankBiasedOverlap {
  double persistence = 0.9;
  std::size_t depth = 0;

  Status check() const {
    if (Status s = check_parameter("RankBiasedOverlap.persistence", persistence, 0); !s) return s;
    return check_parameter_between("RankBiasedOverlap.persistence", persistence, 0, 1);
  }

  double operator()(std::span<const std::uint32_t> first, std::span<const std::uint32_t> second, std::size_t items,
                    Workspace& workspace) const {
    require(check());
    const auto frame = workspace.frame();
    std::uint8_t* seen = workspace.take<std::uint8_t>(items, std::uint8_t{0});   // bit 1: in the first, bit 2: in the second
    const auto mark = [&](std::span<const std::uint32_t> ranking, std::uint8_t bit) {
      for (const std::uint32_t item : ranking) {
        if (item >= items) return Status::error("rankgrad: a ranking has item %u; there are %zu", item, items);
        if (seen[item] & bit) return Status::error("rankgrad: a ranking has item %u twice", item);
        seen[item] = static_cast<std::uint8_t>(seen[item] | bit);
      }
      return Status{};
    };
    require(mark(first, 1));
    require(mark(second, 2));
    std::fill_n(seen, items, std::uint8_t{0});
    const std::size_t longest = std::max(first.size(), second.size()), k = depth == 0 ? longest : std::min(depth, longest);
    double total = 0, most = 0, power = 1, common = 0;
    for (std::size_t d = 0; d < k; ++d, power *= persistence) {
      const auto meet = [&](std::span<const std::uint32_t> ranking, std::uint8_t bit) {
        if (d >= ranking.size()) return;
        std::uint8_t& item = seen[ranking[d]];
        item = static_cast<std::uint8_t>(item | bit);
        common += item == 3;
      };
      meet(first, 1);
      meet(second, 2);
      total += power * common / static_cast<double>(d + 1);
      most += power;
    }
    return k == 0 ? 0 : total / most;
  }
};

}  // namespace rankgrad::reward
