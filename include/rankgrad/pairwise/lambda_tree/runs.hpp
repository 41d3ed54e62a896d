// rankgrad/pairwise/lambda_tree/runs.hpp: what the score-interval tree keeps of a list: its grades, and a run of items for each.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/executor.hpp>
#include <rankgrad/core/workspace.hpp>
#include <rankgrad/metric/gain_discount.hpp>
#include <rankgrad/pairwise/lambda_tree/levels.hpp>
#include <rankgrad/simd/rows.hpp>

#include <bit>

namespace rankgrad::inline RANKGRAD_ABI::pairwise::lambda_tree {

/// More distinct labels than this and the runs become too short for the tree to pay: all its work per node, and the sweep's per
/// item, grow with the number of grades. The sign of G_i - G_j is what makes them necessary. Without grades, a pair of nodes
/// would have to be merged by gain and every item to meet a moment vector of its own: order^2 multiply-adds per item and
/// level instead of order, some ten times the present cost, which pays beyond several thousand items only.
inline constexpr std::size_t max_grades = 32;

/// The distinct labels of a list, falling, and which of them each item has.
template <Real T>
struct Grades {
  std::size_t count = 0;
  T label[max_grades];
  std::uint32_t begin[max_grades + 1];   ///< where the run of a grade starts when all are laid end to end
  std::uint8_t* of_item = nullptr;
};

/// Labels that are whole numbers below max_grades, as grades are: their counts, without branches. False: not so.
template <Real T>
bool count_whole(const T* labels, std::size_t n, std::uint8_t* of_item, std::uint32_t* size) {
  constexpr T unit = sizeof(T) == 4 ? T(0x1p23) : T(0x1p52);   // numbers from here on have no fraction: adding it rounds
  using Word = std::make_unsigned_t<simd::Bits<T>>;
  std::uint32_t counts[4][max_grades] = {};   // four, so that equal labels in a row do not wait for each other
  for (std::size_t i = 0; i < n;) {
    const std::size_t begin = i, end = std::min(n, i + 256);
    Word others = 0;
    for (; i < end; ++i) {   // without a comparison of floats, so that compilers make packs of it
      const Word grade = std::bit_cast<Word>(labels[i] + unit) - std::bit_cast<Word>(unit);
      const T back = static_cast<T>(static_cast<std::int32_t>(grade));
      others |= (std::bit_cast<Word>(back) ^ std::bit_cast<Word>(labels[i])) | (grade & ~Word{max_grades - 1});
      of_item[i] = static_cast<std::uint8_t>(grade);
    }
    if (others) return false;   // also for -0, which is no harm
    for (i = begin; i + 4 <= end; i += 4)
      for (std::size_t part = 0; part < 4; ++part) ++counts[part][of_item[i + part]];
    for (; i < end; ++i) ++counts[0][of_item[i]];
  }
  for (std::size_t g = 0; g < max_grades; ++g) size[g] = counts[0][g] + counts[1][g] + counts[2][g] + counts[3][g];
  return true;
}

/// The same of a long list by stretches.
template <Real T>
bool count_whole(const T* labels, std::size_t n, std::uint8_t* of_item, std::uint32_t* size, Workspace& workspace) {
  struct Counts {
    bool whole;
    std::uint32_t size[max_grades];
  };
  const auto frame = workspace.frame();
  Counts* const part = workspace.take<Counts>(stretches_of(n));
  for_each_numbered_stretch(n, workspace, [&](std::size_t s, std::size_t begin, std::size_t end) {
    part[s].whole = count_whole(labels + begin, end - begin, of_item + begin, part[s].size);
  });
  std::fill_n(size, max_grades, 0u);
  for (std::size_t s = 0; s < stretches_of(n); ++s) {
    if (!part[s].whole) return false;
    for (std::size_t g = 0; g < max_grades; ++g) size[g] += part[s].size[g];
  }
  return true;
}

/// Any labels: false where there are more than max_grades distinct ones.
template <Real T>
bool count_distinct(const T* labels, std::size_t n, Grades<T>& grades, std::uint32_t* size) {
  std::fill_n(size, max_grades, 0u);
  for (std::size_t i = 0; i < n; ++i) {
    std::size_t g = 0;
    while (g < grades.count && grades.label[g] != labels[i]) ++g;
    if (g == grades.count) {
      if (g == max_grades) return false;
      grades.label[grades.count++] = labels[i];
    }
    grades.of_item[i] = static_cast<std::uint8_t>(g);
    ++size[g];
  }
  return true;
}

/// False: there are more than max_grades distinct labels.
template <Real T>
bool find_grades(const T* labels, std::size_t n, Grades<T>& grades, Workspace& workspace) {
  grades.of_item = workspace.take<std::uint8_t>(n);
  std::uint32_t size[max_grades];
  std::uint8_t met[max_grades], place[max_grades];   // label[met[g]] is the g-th that was met; its place by falling label
  if (count_whole(labels, n, grades.of_item, size, workspace)) {
    for (std::size_t g = 0; g < max_grades; ++g)
      if (size[g]) {
        met[grades.count] = static_cast<std::uint8_t>(g);
        grades.label[grades.count++] = T(g);
      }
  } else {
    if (!count_distinct(labels, n, grades, size)) return false;
    for (std::size_t g = 0; g < grades.count; ++g) met[g] = static_cast<std::uint8_t>(g);
  }
  T sorted[max_grades];
  grades.begin[0] = 0;
  for (std::size_t g = 0; g < grades.count; ++g) {
    std::size_t above = 0;
    for (std::size_t h = 0; h < grades.count; ++h) above += grades.label[h] > grades.label[g];
    place[met[g]] = static_cast<std::uint8_t>(above);
    sorted[above] = grades.label[g];
    grades.begin[above + 1] = size[met[g]];
  }
  for (std::size_t g = 0; g < grades.count; ++g) {
    grades.label[g] = sorted[g];
    grades.begin[g + 1] += grades.begin[g];
  }
  for_each_stretch(n, workspace, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) grades.of_item[i] = place[grades.of_item[i]];
  });
  return true;
}

/// The list grade by grade, most relevant first, inside a grade by rank; arrays are padded. What fills them, and why places
/// and discounts are relative: bins.hpp.
template <Real T>
struct Runs {
  std::size_t n = 0, grades = 0;
  const std::uint32_t* begin = nullptr;     ///< [grades + 1]
  double gap[max_grades][max_grades];       ///< |G_g - G_h| / ideal DCG
  double gain[max_grades];                  ///< G / ideal DCG, falling
  T* places = nullptr;                      ///< sigma (s - middle of the item's bin), in [-1, 1]
  T* discounts = nullptr;                   ///< less that of the last item of the bin
  T* weights = nullptr;                     ///< null: all 1
  T* slopes = nullptr;                      ///< results: d/d(sigma s), without the item's own weight
  T* bends = nullptr;                       ///< null: not wanted
  std::uint32_t* item = nullptr;
  std::uint8_t* grade_of_rank = nullptr;
};

/// The sum of w_i w_j over the pairs with different grades.
template <Real T>
double pair_weight(const Grades<T>& grades, const ListView<T>& list, Workspace& workspace) {
  const auto frame = workspace.frame();
  const std::size_t count = grades.count;
  double group[max_grades] = {}, total = 0, above = 0;
  if (list.weights.empty()) {
    for (std::size_t g = 0; g < count; ++g) group[g] = static_cast<double>(grades.begin[g + 1] - grades.begin[g]);
  } else {
    double* const parts = workspace.take<double>(stretches_of(list.size()) * count);
    for_each_numbered_stretch(list.size(), workspace, [&](std::size_t s, std::size_t begin, std::size_t end) {
      double part[max_grades] = {};
      for (std::size_t i = begin; i < end; ++i) part[grades.of_item[i]] += static_cast<double>(list.weights[i]);
      std::copy_n(part, count, parts + s * count);
    });
    for (std::size_t s = 0; s < stretches_of(list.size()); ++s)
      for (std::size_t g = 0; g < count; ++g) group[g] += parts[s * count + g];
  }
  for (std::size_t g = 0; g < grades.count; ++g) {
    total += above * group[g];
    above += group[g];
  }
  return total;
}

/// The ideal DCG: the discounts of the first places to the best grade, and so on. The part of places begin .. end - 1.
template <Real T>
double ideal_gain(const Grades<T>& grades, const double* gain, const double* discounts, std::size_t begin, std::size_t end) {
  double ideal = 0;
  for (std::size_t g = 0; g < grades.count; ++g) {
    const std::size_t from = std::max<std::size_t>(begin, grades.begin[g]), to = std::min<std::size_t>(end, grades.begin[g + 1]);
    if (from >= to) continue;
    simd::BlockedSum<double> sum;
    const double* first = discounts + from;
    simd::for_each_pack<double>(to - from,
                                [&](std::size_t i, auto at) RANKGRAD_INLINE { sum.add(at.load(first + i, 0.0), at); });
    ideal += gain[g] * sum.total();
  }
  return ideal;
}

/// The discounts of n ranks, and the gains of the grades over the ideal DCG. False: that is not positive.
template <Real T, class Loss>
bool fill_gains(const Loss& loss, const Grades<T>& grades, std::size_t n, double* by_rank, double* gains, Workspace& workspace) {
  const auto frame = workspace.frame();
  const double shift = gain_shift(loss.gain, static_cast<double>(grades.label[0]));
  for (std::size_t g = 0; g < grades.count; ++g) gains[g] = gain_of(loss.gain, static_cast<double>(grades.label[g]), shift);
  double* const parts = workspace.take<double>(stretches_of(n));
  for_each_numbered_stretch(n, workspace, [&](std::size_t s, std::size_t begin, std::size_t end) {
    fill_discounts(loss.discount, loss.k, by_rank + begin, end - begin, begin);
    parts[s] = ideal_gain(grades, gains, by_rank, begin, end);
  });
  double ideal = 0;
  for (std::size_t s = 0; s < stretches_of(n); ++s) ideal += parts[s];
  if (!(ideal > 0)) return false;
  for (std::size_t g = 0; g < grades.count; ++g) gains[g] /= ideal;
  return true;
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
