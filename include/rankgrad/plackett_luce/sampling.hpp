// rankgrad/plackett_luce/sampling.hpp: rankings drawn from Plackett-Luce, whole or the first k places, and their
// log-probability.
// SPDX-License-Identifier: MIT
//
//   P(ranking) = prod_k e^{s_k / tau} / sum_{j >= k} e^{s_j / tau}
//
// One draw serves both descriptions in the literature. Exponential race: item i arrives at time E_i e^{-s_i / tau} with
// E_i exponential; the ranking is the order of arrival. Gumbel: -log E_i is a standard Gumbel variable; the ranking is
// that of the keys s_i / tau - log E_i, which are minus the logarithms of the times.
//
// Random numbers come from a counter (core/random.hpp): item i of the first sample takes number i, and so on; what a list
// draws depends on (seed, stream) and its length alone.
//
// Read first: plackett_luce/scan.hpp, simd/ranking.hpp.
#pragma once

#include <rankgrad/core/random.hpp>
#include <rankgrad/plackett_luce/scan.hpp>
#include <rankgrad/simd/ranking.hpp>

#include <algorithm>
#include <span>

namespace rankgrad::inline RANKGRAD_ABI {

namespace plackett_luce {

/// keys[i] = scores[i] - log E_i; `keys` in a workspace. E is at least 2^-54, half the spacing of the uniform numbers, and
/// at most 37: every key is finite.
inline void gumbel_keys(const double* scores, std::size_t n, Random& random, double* keys) {
  using Pack = simd::Pack<double>;
  for (std::size_t i = 0; i < n; ++i) keys[i] = 1 - random.uniform();   // in (0, 1], exactly
  simd::for_each_pack<double>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
    const Pack exponential = Pack(0x1p-54) - simd::log_positive<double>(at.load(keys + i, 1.0));
    at.store(keys + i, at.load(scores + i, 0.0) - simd::log_positive<double>(exponential));
  });
}

/// A permutation whose first k places are the items with the largest keys, in order; the others follow in an order that
/// depends on the keys alone. Equal keys: by index. NaN has a place in the order, too.
inline void top_by_key(const double* keys, std::size_t n, std::size_t k, std::uint32_t* ranking, Workspace& workspace) {
  if (k >= n) {
    simd::rank_descending(keys, ranking, n, workspace);
    return;
  }
  using Entry = simd::detail::SortEntry<std::uint64_t>;
  const auto frame = workspace.frame();
  Entry* entries = workspace.take<Entry>(n);
  for (std::size_t i = 0; i < n; ++i) entries[i] = {simd::detail::descending_key(keys[i]), static_cast<std::uint32_t>(i)};
  const auto before = [](const Entry& a, const Entry& b) { return a.key != b.key ? a.key < b.key : a.index < b.index; };
  std::nth_element(entries, entries + k, entries + n, before);
  std::sort(entries, entries + k, before);
  for (std::size_t i = 0; i < n; ++i) ranking[i] = entries[i].index;
}

/// scores[i] / temperature in double, in the workspace.
template <Real T>
double* tempered(std::span<const T> scores, double temperature, Workspace& workspace) {
  double* result = workspace.take<double>(scores.size());
  const double inverse = 1 / temperature;
  for (std::size_t i = 0; i < scores.size(); ++i) result[i] = static_cast<double>(scores[i]) * inverse;
  return result;
}

}  // namespace plackett_luce

/// Draws the first ranking.size() <= n places of a ranking of n items: ranking[p] = the item on place p + 1. Advances
/// `random` by n numbers. O(n + k log k), no allocation but through the workspace.
template <Real T>
void sample_ranking(std::span<const T> scores, std::span<std::uint32_t> ranking, Random& random, Workspace& workspace,
                    double temperature = 1) {
  const std::size_t n = scores.size();
  RANKGRAD_EXPECTS(ranking.size() <= n, "a ranking has more places than there are items");
  RANKGRAD_EXPECTS(temperature > 0, "the temperature must be above 0");
  const auto frame = workspace.frame();
  double* keys = workspace.take<double>(n);
  plackett_luce::gumbel_keys(plackett_luce::tempered(scores, temperature, workspace), n, random, keys);
  std::uint32_t* all = workspace.take<std::uint32_t>(n);
  plackett_luce::top_by_key(keys, n, ranking.size(), all, workspace);
  std::copy_n(all, ranking.size(), ranking.begin());
}

/// log P of the first ranking.size() <= n places: different items, below n. 0 for no places. O(n).
template <Real T>
double ranking_log_probability(std::span<const T> scores, std::span<const std::uint32_t> ranking, Workspace& workspace,
                               double temperature = 1) {
  const std::size_t n = scores.size(), k = ranking.size();
  RANKGRAD_EXPECTS(k <= n, "a ranking has more places than there are items");
  RANKGRAD_EXPECTS(temperature > 0, "the temperature must be above 0");
  if (k == 0) return 0;
  const auto frame = workspace.frame();
  const double* all = plackett_luce::tempered(scores, temperature, workspace);
  std::uint8_t* ranked = workspace.take<std::uint8_t>(n, std::uint8_t{0});
  double *ordered = workspace.take<double>(n), *place = workspace.take<double>(n, 0.0);
  std::size_t filled = 0;
  for (const std::uint32_t item : ranking) {
    RANKGRAD_EXPECTS(item < n && !ranked[item], "a ranking names an item twice or one that is not there");
    ranked[item] = 1;
    place[filled] = 1;
    ordered[filled++] = all[item];
  }
  for (std::size_t i = 0; i < n; ++i)
    if (!ranked[i]) ordered[filled++] = all[i];
  return -plackett_luce::Scan({n, ordered, nullptr, n, false}, workspace).value(place, place);
}

}  // namespace rankgrad
