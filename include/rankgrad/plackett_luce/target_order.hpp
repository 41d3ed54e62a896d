// rankgrad/plackett_luce/target_order.hpp: from labels to the ranking whose likelihood is wanted, ties and weights.
// SPDX-License-Identifier: MIT
//
// Read first: plackett_luce/scan.hpp, plackett_luce/position_weights.hpp, simd/ranking.hpp.
#pragma once

#include <rankgrad/core/concepts.hpp>
#include <rankgrad/plackett_luce/position_weights.hpp>
#include <rankgrad/plackett_luce/scan.hpp>
#include <rankgrad/simd/grade_order.hpp>
#include <rankgrad/simd/ranking.hpp>

#include <utility>

namespace rankgrad::inline RANKGRAD_ABI {

/// What the target ranking is where labels are equal.
enum class TargetTies {
  stable,     ///< equal labels keep their order in the list
  shuffled,   ///< a seeded random order, the same for the same (seed, list index)
  breslow,    ///< no order: every tied item competes with its whole group and all below it
  efron,      ///< no order: a competitor of the group drops out, in equal shares, with every place that is taken
  exact       ///< no order: the probability that the group comes first in any of its m! orders
};

namespace plackett_luce {

/// A list in target order with the weights of its places and items; arrays in the workspace.
struct WeightedTarget {
  Target target{};
  const std::uint32_t* order = nullptr;   ///< the item's place in the caller's arrays
  const double* place = nullptr;          ///< c_k = u_k, the position weight, times the mean item weight of the group
  const double* item = nullptr;           ///< w_k = v_k, the item weight, times the mean position weight of the group
  double total = 0;                       ///< sum of c = sum of w
  std::size_t ones = 0;                   ///< not 0: the first `ones` places and items weigh 1, the others 0
};

struct TargetOptions {
  double temperature;
  std::size_t k;
  TargetTies ties;
  PositionWeight position_weight;
  std::uint64_t seed;
};

/// The scores in target order.
template <Real T>
void gather_scores(const ListView<T>& list, double inverse_temperature, const std::uint32_t* order, double* scores,
                   Workspace& workspace) {
  const T* const from = list.scores.data();
  for_each_stretch(list.size(), workspace, [=](std::size_t b, std::size_t e) {
    for (std::size_t k = b; k < e; ++k) scores[k] = static_cast<double>(from[order[k]]) * inverse_temperature;
  });
}

/// The same, and where groups of items with equal labels begin. Returns how many groups there are.
template <Real T>
std::size_t gather_groups(const ListView<T>& list, double inverse_temperature, const std::uint32_t* order,
                          std::uint32_t* starts, double* scores, Workspace& workspace) {
  const std::size_t n = list.size();
  const T *const all_scores = list.scores.data(), *const labels = list.labels.data();
  starts[0] = 0;
  // The starts behind place b, up to e, to `found`, [e - b]; returns how many.
  const auto gather = [=](std::size_t b, std::size_t e, std::uint32_t* found) {
    T above = labels[order[b == 0 ? 0 : b - 1]];
    std::size_t count = 0;
    for (std::size_t k = b; k < e; ++k) {   // without a branch: where the labels change, the number of groups moves on
      const T label = labels[order[k]];
      scores[k] = static_cast<double>(all_scores[order[k]]) * inverse_temperature;
      found[count] = static_cast<std::uint32_t>(k);
      count += label != above;
      above = label;
    }
    return count;
  };
  if (!workspace.team()) return 1 + gather(0, n, starts + 1);
  const auto frame = workspace.frame();
  const std::size_t pieces = n / 8192 + 1;
  auto* const counts = workspace.take<std::size_t>(pieces);   // then where the starts of the piece go
  auto* const found = workspace.take<std::uint32_t>(n);
  const auto begin = [=](std::size_t p) { return n * p / pieces; };
  for_each_piece(pieces, workspace, [=](std::size_t p, Workspace&) {
    counts[p] = gather(begin(p), begin(p + 1), found + begin(p));
  });
  std::size_t groups = 1;
  for (std::size_t p = 0; p < pieces; ++p) groups += std::exchange(counts[p], groups);
  for_each_piece(pieces, workspace, [=](std::size_t p, Workspace&) {
    std::copy_n(found + begin(p), (p + 1 < pieces ? counts[p + 1] : groups) - counts[p], starts + counts[p]);
  });
  return groups;
}

/// u[0 .. n), 0 from the cut-off on.
inline void fill_positions(const TargetOptions& options, double* u, std::size_t n, Workspace& workspace) {
  const std::size_t counted = metric::cut_off(options.k, n);
  if (options.position_weight.form != PositionWeight::Form::uniform) {
    options.position_weight.fill(u, n);
    std::fill(u + counted, u + n, 0.0);
    return;
  }
  for_each_stretch(n, workspace, [=](std::size_t b, std::size_t e) {
    const std::size_t end = std::clamp(counted, b, e);
    std::fill(u + b, u + end, 1.0);
    std::fill(u + end, u + e, 0.0);
  });
}

/// place: from u_k to u_k mean(v), item: v_k mean(u), the means over groups. Returns whether all v are 1.
template <Real T>
bool weigh_places(const ListView<T>& list, const Target& target, const std::uint32_t* order, double* place, double* item,
                  Workspace& workspace) {
  const Pieces pieces(target, workspace);
  struct Sums {
    double u = 0, v = 0;
    bool ones = true;
    Sums& operator+=(const Sums& other) { return u += other.u, v += other.v, ones &= other.ones, *this; }
  };
  auto* const sums = workspace.take<Sums>(pieces.size());   // of a part; of whole groups only `ones`
  const auto sum = [=](std::size_t b, std::size_t e) {
    Sums all;
    for (std::size_t k = b; k < e; ++k) {
      const double weight = static_cast<double>(list.weight(order[k]));
      all += {place[k], weight, weight == 1};
    }
    return all;
  };
  const auto weigh = [=](std::size_t b, std::size_t e, double size, const Sums& group) {
    const double u = group.u / size, v = group.v / size;
    for (std::size_t k = b; k < e; ++k) {
      item[k] = static_cast<double>(list.weight(order[k])) * u;
      place[k] *= v;
    }
  };
  pieces.for_each([&](std::size_t p, const Piece& piece, Workspace&) {
    if (piece.part) return static_cast<void>(sums[p] = sum(piece.begin, piece.end));
    bool ones = true;
    for (std::size_t g = piece.group; g < piece.group_end; ++g) {
      const std::size_t b = target.begin(g), e = target.end(g);
      const Sums group = sum(b, e);
      weigh(b, e, static_cast<double>(e - b), group);
      ones &= group.ones;
    }
    sums[p] = {0, 0, ones};
  });
  pieces.join_parts(sums);
  pieces.for_each([&](std::size_t p, const Piece& piece, Workspace&) {
    if (piece.part)
      weigh(piece.begin, piece.end, static_cast<double>(target.end(piece.group) - target.begin(piece.group)), sums[p]);
  });
  return std::all_of(sums, sums + pieces.size(), [](const Sums& of) { return of.ones; });
}

/// With u the position weights and v the item weights of a tie group, both enter by what they are on average over the
/// orders of the group: c_k = u_k mean(v), w_k = v_k mean(u). For a group of one that is u v twice.
template <Real T>
WeightedTarget order_target(const ListView<T>& list, const TargetOptions& options, Workspace& workspace) {
  const std::size_t n = list.size();
  constexpr std::size_t worth_counting = 16;
  std::uint32_t* const order = workspace.take<std::uint32_t>(n);
  std::uint32_t* const starts = workspace.take<std::uint32_t>(std::max(n, simd::most_grades) + 1);
  const bool shuffled = options.ties == TargetTies::shuffled;
  std::size_t groups = shuffled || n < worth_counting ? 0 : simd::order_by_grade(list.labels.data(), n, order, starts, workspace);
  const bool graded = groups > 0, tied = !shuffled && options.ties != TargetTies::stable;
  if (shuffled) {
    for (std::size_t i = 0; i < n; ++i) order[i] = static_cast<std::uint32_t>(i);
    Random(options.seed, list.index).shuffle(order, n);
    simd::sort_descending(list.labels.data(), order, n, workspace);
  } else if (!graded) {
    simd::rank_descending(list.labels.data(), order, n, workspace);
  }

  double* const scores = workspace.take<double>(n);
  if (graded || !tied) gather_scores(list, 1 / options.temperature, order, scores, workspace);
  else groups = gather_groups(list, 1 / options.temperature, order, starts, scores, workspace);
  Target target{n, scores, nullptr, n, options.ties == TargetTies::efron};
  if (tied && groups < n) {
    starts[groups] = static_cast<std::uint32_t>(n);
    target.starts = starts;
    target.groups = groups;
  }

  double* const place = workspace.take<double>(n);
  fill_positions(options, place, n, workspace);
  const std::size_t counted = metric::cut_off(options.k, n);
  const bool uniform = options.position_weight.form == PositionWeight::Form::uniform;
  const auto total = [&] {
    return Pieces(target, workspace).sum([=](const Piece& piece, Workspace&) {
      return sum_of(place + piece.begin, piece.end - piece.begin);
    });
  };
  if (list.weights.empty() && (!target.starts || (uniform && counted == n)))   // c = w
    return {target, order, place, place, uniform ? static_cast<double>(counted) : total(), uniform ? counted : 0};
  double* const item = workspace.take<double>(n);
  const bool ones = weigh_places(list, target, order, place, item, workspace) && uniform && (!target.starts || counted == n);
  return {target, order, place, item, total(), ones ? counted : 0};   // weights of 1 are no weights, to the bit
}

/// Does any place weigh something that is not in the group at the end?
inline bool weighs_above_the_last_group(const WeightedTarget& weighted) {
  const std::size_t end = weighted.target.begin(weighted.target.groups - 1);
  for (std::size_t k = 0; k < end; ++k)
    if (weighted.place[k] > 0) return true;
  return false;
}

}  // namespace plackett_luce

}  // namespace rankgrad
