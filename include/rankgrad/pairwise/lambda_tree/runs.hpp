// rankgrad/pairwise/lambda_tree/runs.hpp: one list for the score-interval tree: grade by grade, each by rank.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/metric/gain_discount.hpp>
#include <rankgrad/pairwise/lambda_tree/levels.hpp>
#include <rankgrad/simd/ranking.hpp>
#include <rankgrad/simd/rows.hpp>

namespace rankgrad::inline RANKGRAD_ABI::pairwise::lambda_tree {

/// More distinct labels than this and the runs become too short for the tree to pay.
inline constexpr std::size_t max_grades = 32;

/// The distinct labels of a list, falling, and which of them each item has.
template <Real T>
struct Grades {
  std::size_t count = 0;
  T label[max_grades];
  std::uint32_t begin[max_grades + 1];   ///< where the run of a grade starts when all are laid end to end
  std::uint8_t* of_item = nullptr;
};

/// False: there are more than max_grades distinct labels.
template <Real T>
bool find_grades(const T* labels, std::size_t n, Grades<T>& grades, Workspace& workspace) {
  grades.of_item = workspace.take<std::uint8_t>(n);
  std::uint32_t size[max_grades] = {};
  std::size_t last = 0;   // most items stand beside an item whose label has been met
  for (std::size_t i = 0; i < n; ++i) {
    std::size_t g = 0;
    if (grades.count && grades.label[last] == labels[i]) g = last;
    else
      while (g < grades.count && grades.label[g] != labels[i]) ++g;
    if (g == grades.count) {
      if (g == max_grades) return false;
      grades.label[grades.count++] = labels[i];
    }
    grades.of_item[i] = static_cast<std::uint8_t>(g);
    ++size[last = g];
  }
  std::uint8_t place[max_grades];   // by falling label
  for (std::size_t g = 0; g < grades.count; ++g) {
    place[g] = 0;
    for (std::size_t h = 0; h < grades.count; ++h) place[g] = static_cast<std::uint8_t>(place[g] + (grades.label[h] > grades.label[g]));
  }
  T sorted[max_grades];
  for (std::size_t g = 0; g < grades.count; ++g) {
    sorted[place[g]] = grades.label[g];
    grades.begin[place[g] + 1] = size[g];
  }
  grades.begin[0] = 0;
  for (std::size_t g = 0; g < grades.count; ++g) {
    grades.label[g] = sorted[g];
    grades.begin[g + 1] += grades.begin[g];
  }
  for (std::size_t i = 0; i < n; ++i) grades.of_item[i] = place[grades.of_item[i]];
  return true;
}

/// The sorted list. Discounts of neighbouring ranks differ by less than the rounding of a float a few thousand ranks down
/// the list, and where scores lie far apart such differences are all there is: hence doubles, and in T only relative to
/// the bin. Arrays are grade-major, most relevant first, inside a grade by rank, and padded.
template <Real T>
struct Runs {
  std::size_t n = 0, grades = 0;
  const std::uint32_t* begin = nullptr;     ///< [grades + 1]
  double gap[max_grades][max_grades];       ///< |G_g - G_h| / ideal DCG
  double gain[max_grades];                  ///< G / ideal DCG, falling
  T* scores = nullptr;                      ///< as given
  T* places = nullptr;                      ///< sigma (s - middle of the item's bin), in [-1, 1]
  double* exact_discounts = nullptr;
  T* discounts = nullptr;                   ///< exact_discounts less that of the last item of the bin
  T* weights = nullptr;                     ///< null: all 1
  T* slopes = nullptr;                      ///< results: d/d(sigma s), without the item's own weight
  T* bends = nullptr;                       ///< null: not wanted
  std::uint32_t* item = nullptr;
  std::uint8_t* grade_of_rank = nullptr;
  double pair_weight = 0;                   ///< sum of w_i w_j over the comparable pairs
};

template <Real T>
double pair_weight(const Runs<T>& runs) {
  double total = 0, above = 0;
  for (std::size_t g = 0; g < runs.grades; ++g) {
    double group = 0;
    if (runs.weights)
      for (std::size_t z = runs.begin[g]; z < runs.begin[g + 1]; ++z) group += static_cast<double>(runs.weights[z]);
    else group = static_cast<double>(runs.begin[g + 1] - runs.begin[g]);
    total += above * group;
    above += group;
  }
  return total;
}

/// The ideal DCG: the discounts of the first places to the best grade, and so on.
template <Real T>
double ideal_gain(const Grades<T>& grades, const double* gain, const double* discounts) {
  double ideal = 0;
  for (std::size_t g = 0; g < grades.count; ++g) {
    simd::BlockedSum<double> sum;
    const double* first = discounts + grades.begin[g];
    simd::for_each_pack<double>(grades.begin[g + 1] - grades.begin[g],
                                [&](std::size_t i, auto at) RANKGRAD_INLINE { sum.add(at.load(first + i, 0.0), at); });
    ideal += gain[g] * sum.total();
  }
  return ideal;
}

/// Sorts a list into runs. False: no signal (no positive ideal DCG or no comparable pair with weight).
template <Real T, class Loss>
bool make_runs(const Loss& loss, const ListView<T>& list, const Grades<T>& grades, bool with_bends, Runs<T>& runs, Workspace& workspace) {
  const std::size_t n = runs.n = list.size();
  runs.grades = grades.count;
  runs.begin = grades.begin;
  double* by_rank = workspace.take<double>(n);
  fill_discounts(loss.discount, loss.k, by_rank, n);
  const double shift = gain_shift(loss.gain, static_cast<double>(grades.label[0]));
  for (std::size_t g = 0; g < runs.grades; ++g) runs.gain[g] = gain_of(loss.gain, static_cast<double>(grades.label[g]), shift);
  const double ideal = ideal_gain(grades, runs.gain, by_rank);
  if (!(ideal > 0)) return false;
  for (std::size_t g = 0; g < runs.grades; ++g)
    for (std::size_t h = 0; h < runs.grades; ++h) runs.gap[g][h] = std::abs(runs.gain[g] - runs.gain[h]) / ideal;
  for (std::size_t g = 0; g < runs.grades; ++g) runs.gain[g] /= ideal;

  runs.scores = workspace.take<T>(n, T(0));
  runs.places = workspace.take<T>(n, T(0));
  runs.discounts = workspace.take<T>(n, T(0));
  runs.exact_discounts = workspace.take<double>(n);
  runs.weights = list.weights.empty() ? nullptr : workspace.take<T>(n, T(0));
  runs.slopes = workspace.take<T>(n, T(0));
  runs.bends = with_bends ? workspace.take<T>(n, T(0)) : nullptr;
  runs.item = workspace.take<std::uint32_t>(n);
  runs.grade_of_rank = workspace.take<std::uint8_t>(n);
  {
    const auto frame = workspace.frame();
    std::uint32_t* order = workspace.take<std::uint32_t>(n);
    rank_order(list, loss.ties, loss.seed, order, workspace);
    std::uint32_t next[max_grades];
    for (std::size_t g = 0; g < runs.grades; ++g) next[g] = grades.begin[g];
    for (std::size_t r = 0; r < n; ++r) {
      const std::uint32_t item = order[r];
      const std::uint8_t g = grades.of_item[item];
      const std::uint32_t z = next[g]++;
      runs.grade_of_rank[r] = g;
      runs.item[z] = item;
      runs.scores[z] = list.scores[item];
      runs.exact_discounts[z] = by_rank[r];
      if (runs.weights) runs.weights[z] = list.weights[item];
    }
  }
  runs.pair_weight = pair_weight(runs);
  return runs.pair_weight > 0;
}

/// A node: a score interval, and the part of each run that lies in it.
struct Node {
  std::uint32_t begin[max_grades], end[max_grades];

  std::uint32_t size(std::size_t grades) const {
    std::uint32_t total = 0;
    for (std::size_t g = 0; g < grades; ++g) total += end[g] - begin[g];
    return total;
  }
};

}  // namespace rankgrad::pairwise::lambda_tree
