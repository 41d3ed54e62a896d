// rankgrad/pairwise/lambda_tree/bins.hpp: a list sorted for the score-interval tree: into bins of scores, and runs of grades.
// SPDX-License-Identifier: MIT
//
// By rank first; a bin is then a stretch of ranks, and one pass deals the items out to the runs of their grades, with the
// score and the discount in the coordinates of the bin. Nothing else is read at random but a byte per item, its grade.
//
// Both coordinates are relative, since absolute ones would lose what matters. Bins that touch form a chain and are laid off
// from the first score of the chain, so that places are exact however far away other scores are: two scores near 0 do not
// lose their difference to one of 1e9. Discounts of neighbouring ranks differ by less than the rounding of a float a few
// thousand ranks down the list, and where scores lie far apart such differences are all there is: so they are doubles until
// that of the last item of the bin has been taken off.
#pragma once

#include <rankgrad/core/partition_point.hpp>
#include <rankgrad/pairwise/lambda_tree/runs.hpp>
#include <rankgrad/simd/ranking.hpp>
#include <rankgrad/simd/widen.hpp>

#include <utility>

namespace rankgrad::inline RANKGRAD_ABI::pairwise::lambda_tree {

/// Bins that hold items, from the top.
struct Bins {
  std::size_t count = 0;
  double* distance = nullptr;  ///< of a bin's middle below that of the bin before, in units of 1 / sigma
  bool* touches = nullptr;     ///< the bin before
  double* base = nullptr;      ///< the discount of the bin's last item, which the others are stored relative to
  std::uint32_t* begin = nullptr;     ///< [count + 1]: its ranks
  std::uint32_t* borders = nullptr;   ///< [b * grades + g]: where bin b begins in run g

  Node node(std::size_t b, std::size_t grades) const {
    Node node;
    for (std::size_t g = 0; g < grades; ++g) {
      node.begin[g] = borders[b * grades + g];
      node.end[g] = borders[(b + 1) * grades + g];
    }
    return node;
  }
};

/// The first place in [begin, end) where `inside` is false; it is true before and false after. Steps double first, so a
/// short stretch costs little.
template <class Inside>
std::size_t first_outside(std::size_t begin, std::size_t end, Inside inside) {
  std::size_t low = begin, step = 1;
  while (low + step <= end && inside(low + step - 1)) {
    low += step;
    step *= 2;
  }
  return partition_point(low, std::min(end, low + step), inside);
}

/// body(chain, number, begin, end) for every bin that holds items: the first score of its chain, its number in the chain,
/// and its ranks. `scores` fall.
template <class T, class Body>
void for_each_bin(const T* scores, std::size_t n, double sigma, Body body) {
  double chain = 0, number = -2;
  const auto number_of = [&](std::size_t r) { return std::floor((chain - static_cast<double>(scores[r])) * sigma * 0.5); };
  for (std::size_t begin = 0; begin < n;) {
    const double next = number_of(begin);
    if (begin == 0 || next > number + 1) {
      chain = static_cast<double>(scores[begin]);
      number = 0;
    } else {
      number = next;
    }
    const std::size_t end = first_outside(begin, n, [&](std::size_t r) { return number_of(r) <= number; });
    body(chain, number, begin, end);
    begin = end;
  }
}

/// The list by rank.
template <class T>
struct Ranked {
  std::uint32_t* order;
  T* scores;
  double* discounts;
};

/// Deals ranks begin .. end - 1, which are of one bin, out to the runs; next[g] is the first free place of run g.
template <class T>
void deal_out(const Ranked<T>& ranked, std::size_t begin, std::size_t end, double sigma, double chain, double middle,
              double base, const std::uint8_t* grade_of, std::uint32_t* next, const Runs<T>& runs) {
  using namespace simd;
  constexpr std::size_t block = 128;
  alignas(64) T place[block], discount[block];
  for (std::size_t r = begin; r < end; r += block) {
    const std::size_t size = std::min(block, end - r);
    for (std::size_t j = 0; j < size; j += lanes<double>) {
      store_narrow(place + j,
                   fma(Pack<double>(sigma), load_wide(ranked.scores + r + j) - Pack<double>(chain), Pack<double>(middle)));
      store_narrow(discount + j, load(ranked.discounts + r + j) - Pack<double>(base));
    }
    for (std::size_t j = 0; j < size; ++j) {
      const std::uint32_t item = ranked.order[r + j];
      const std::uint8_t g = grade_of[item];
      const std::uint32_t z = next[g]++;
      runs.grade_of_rank[r + j] = g;
      runs.item[z] = item;
      runs.places[z] = place[j];
      runs.discounts[z] = discount[j];
    }
  }
}

/// Where the items of every stretch of ranks go in the runs: places[stretch * grades + grade].
template <Real T>
void find_places(const Grades<T>& grades, const std::uint32_t* order, std::size_t n, std::uint32_t* places,
                 Workspace& workspace) {
  const std::size_t count = grades.count;
  for_each_numbered_stretch(n, workspace, [&](std::size_t s, std::size_t begin, std::size_t end) {
    std::uint32_t size[max_grades] = {};
    for (std::size_t r = begin; r < end; ++r) ++size[grades.of_item[order[r]]];
    std::copy_n(size, count, places + s * count);
  });
  for (std::size_t g = 0; g < count; ++g) {
    std::uint32_t next = grades.begin[g];
    for (std::size_t s = 0; s < stretches_of(n); ++s) next += std::exchange(places[s * count + g], next);
  }
}

/// Sorts a list. False: no positive ideal DCG.
template <Real T, class Loss>
bool sort_into_bins(const Loss& loss, const ListView<T>& list, const Grades<T>& grades, bool with_bends, Runs<T>& runs,
                    Bins& bins, Workspace& workspace) {
  const std::size_t n = runs.n = list.size();
  runs.grades = grades.count;
  runs.begin = grades.begin;
  const Ranked<T> ranked{workspace.take<std::uint32_t>(n), workspace.take<T>(n), workspace.take<double>(n)};
  if (!fill_gains(loss, grades, n, ranked.discounts, runs.gain, workspace)) return false;
  for (std::size_t g = 0; g < runs.grades; ++g)
    for (std::size_t h = 0; h < runs.grades; ++h) runs.gap[g][h] = std::abs(runs.gain[g] - runs.gain[h]);
  rank_order(list, loss.ties, loss.seed, ranked.order, workspace, ranked.scores);

  runs.places = workspace.take<T>(n);
  runs.discounts = workspace.take<T>(n);
  runs.weights = list.weights.empty() ? nullptr : workspace.take<T>(n);
  runs.slopes = workspace.take<T>(n);
  runs.bends = with_bends ? workspace.take<T>(n) : nullptr;
  runs.item = workspace.take<std::uint32_t>(n);
  runs.grade_of_rank = workspace.take<std::uint8_t>(n);

  for_each_bin(ranked.scores, n, loss.sigma, [&](double, double, std::size_t, std::size_t) { ++bins.count; });
  bins.distance = workspace.take<double>(bins.count);
  bins.touches = workspace.take<bool>(bins.count);
  bins.base = workspace.take<double>(bins.count);
  bins.begin = workspace.take<std::uint32_t>(bins.count + 1);
  bins.borders = workspace.take<std::uint32_t>((bins.count + 1) * runs.grades);
  double *const chains = workspace.take<double>(bins.count), *const middles = workspace.take<double>(bins.count);
  std::size_t b = 0;
  for_each_bin(ranked.scores, n, loss.sigma, [&](double chain, double number, std::size_t begin, std::size_t end) {
    chains[b] = chain;
    middles[b] = 2 * number + 1;
    bins.touches[b] = number > 0;
    bins.distance[b] = number > 0 || b == 0 ? 2 : loss.sigma * (chains[b - 1] - chain) + (middles[b] - middles[b - 1]);
    bins.base[b] = ranked.discounts[end - 1];
    bins.begin[b++] = static_cast<std::uint32_t>(begin);
  });
  bins.begin[bins.count] = static_cast<std::uint32_t>(n);
  std::copy_n(grades.begin + 1, runs.grades, bins.borders + bins.count * runs.grades);

  const bool in_order = !workspace.team();   // then each stretch finds where the last one ended
  std::uint32_t* const places = workspace.take<std::uint32_t>(in_order ? runs.grades : stretches_of(n) * runs.grades);
  if (in_order) std::copy_n(grades.begin, runs.grades, places);
  else find_places(grades, ranked.order, n, places, workspace);
  for_each_numbered_stretch(n, workspace, [&](std::size_t s, std::size_t begin, std::size_t end) {
    std::uint32_t* const next = places + (in_order ? 0 : s * runs.grades);
    for (std::size_t at = partition_point(0, bins.count, [&](std::size_t i) { return bins.begin[i + 1] <= begin; });
         at < bins.count && bins.begin[at] < end; ++at) {
      if (bins.begin[at] >= begin) std::copy_n(next, runs.grades, bins.borders + at * runs.grades);
      deal_out(ranked, std::max<std::size_t>(begin, bins.begin[at]), std::min<std::size_t>(end, bins.begin[at + 1]), loss.sigma,
               chains[at], middles[at], bins.base[at], grades.of_item, next, runs);
    }
  });
  for_each_stretch(n, workspace, [&](std::size_t begin, std::size_t end) {
    simd::clear(runs.slopes + begin, runs.bends ? runs.bends + begin : nullptr, end - begin);
    if (runs.weights)
      for (std::size_t z = begin; z < end; ++z) runs.weights[z] = list.weights[runs.item[z]];
  });
  return true;
}

}  // namespace rankgrad::pairwise::lambda_tree
