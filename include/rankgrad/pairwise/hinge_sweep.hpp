// rankgrad/pairwise/hinge_sweep.hpp: hinge and squared hinge over all comparable pairs in O(n log n), any labels.
// SPDX-License-Identifier: MIT
//
// A pair of a better item i and a worse one j is active where s_i - s_j < m, and then falls short by m - (s_i - s_j) > 0.
// With the items sorted by score, those that i falls short of stand in front of some place that only moves down the list
// as i does. So one sweep from the top that takes in item after item as a worse one, and asks for each better one about
// the grades below its own,
//
//   B = sum w_j,   X = sum w_j (m - d_ij),   Y = sum w_j (m - d_ij)^2      over y_j < y_i, s_i - s_j < m,
//
// has the half of the derivatives that better items feel, and the loss: w_i X, or w_i Y. The other half is the same sweep from
// the bottom, with scores and grades turned round.
//
// Sums over the lower grades come from grade_sums.hpp: O(n log8(grades)) in all, and accurate relative to each sum itself.
//
// Which pairs are active is decided by s_i - s_j < m in T, as pair by pair: the rounded difference of two sorted lists is
// monotone, so the sweep needs no key that might round otherwise, and both ways agree on every kink.
//
// Reader's map: Ranked (a list as a sweep sees it), sweep_many (the sweep as said above), sweep_few (the fast one).
#pragma once

#include <rankgrad/pairwise/engine.hpp>
#include <rankgrad/pairwise/grade_sums.hpp>

#include <limits>

namespace rankgrad::inline RANKGRAD_ABI::pairwise::hinge_sweep {

/// pairs: every pair, by pairwise/engine.hpp, any scores (NaN and infinite ones show). sorted: the sweeps. automatic: the
/// one that is predicted to be the fastest.
enum class Path { automatic, pairs, sorted };

/// How many items ask in one block of a sweep over few grades.
inline constexpr std::size_t asked_together = 32;

/// The list in the order of a sweep: scores fall, and those who ask feel the grades below their own. Arrays are padded.
template <Real T>
struct Ranked {
  std::size_t n = 0, grades = 0;
  std::uint32_t* grade = nullptr;            ///< from 0
  T *scores = nullptr, *weights = nullptr;   ///< weights null: all 1
  double *slope = nullptr, *curvature = nullptr;   ///< results, without the item's own weight, both of them positive

  double weight(std::size_t r) const { return weights ? static_cast<double>(weights[r]) : 1.0; }
  double score(std::size_t r) const { return static_cast<double>(scores[r]); }
  /// What item r was told; returns its share of the loss.
  template <int moments, bool squared>
  RANKGRAD_INLINE double answer(std::size_t r, const Sums& sums) const {
    slope[r] = squared ? 2 * sums.shortfall : sums.weight;
    if (squared && curvature) curvature[r] = 2 * sums.weight;
    return moments > int{squared} ? weight(r) * (squared ? sums.square : sums.shortfall) : 0;
  }
};

/// A sweep over any number of grades. Returns the loss where `moments` suffice: 1 for the hinge, 2 for the squared one.
template <int moments, bool squared, Real T>
double sweep_many(const Ranked<T>& list, T margin, Workspace& workspace) {
  const auto frame = workspace.frame();
  GradeTree<moments> tree(list.grades, workspace);
  double value = 0;
  for (std::size_t r = 0, taken = 0; r < list.n; ++r) {
    for (; taken < list.n && static_cast<T>(list.scores[r] - list.scores[taken]) < margin; ++taken)
      tree.take_in(list.grade[taken], list.score(taken), list.weight(taken));
    value += list.template answer<moments, squared>(r, tree.below(list.grade[r], list.score(r), static_cast<double>(margin)));
  }
  return value;
}

/// The same for up to fan_out grades. How many items are taken in between one who asks and the next is chance, and no branch
/// on it could be foretold: so a block of them counts in lanes, from which of the last states each wants its answer.
template <int moments, bool squared, Real T>
double sweep_few(const Ranked<T>& list, T margin) {
  using namespace simd;
  constexpr std::size_t block = asked_together, kept = 64, packs = block / lanes<T>;
  const Pack<T> m(margin), zero(T(0)), one(T(1));
  FewGrades<moments> grades;
  Node states[kept + 1];   // states[c]: c items of this block have been taken in
  states[0] = Node{};
  double value = 0;
  for (std::size_t first = 0, taken = 0; first < list.n;) {
    std::size_t size = std::min(block, list.n - first), steps = 0;
    const T last = list.scores[first + size - 1];
    Pack<T> score[packs], count[packs];
    for (std::size_t p = 0; p < packs; ++p) {
      score[p] = load(list.scores + first + p * lanes<T>);
      count[p] = zero;
    }
    for (; taken < list.n && steps < kept && static_cast<T>(last - list.scores[taken]) < margin; ++taken) {
      const Pack<T> other(list.scores[taken]);
      for (std::size_t p = 0; p < packs; ++p) count[p] += select(score[p] - other < m, one, zero);
      grades.take_in(list.grade[taken], list.score(taken), list.weight(taken), states[++steps]);
    }
    alignas(64) T wanted[block];
    for (std::size_t p = 0; p < packs; ++p) store(wanted + p * lanes<T>, count[p]);
    if (steps == kept)   // some may fall short of more than there is room for: the next block begins with them
      while (size > 0 && wanted[size - 1] == T(kept)) --size;
    for (std::size_t q = 0; q < size; ++q) {
      const std::size_t r = first + q;
      const Node& state = states[static_cast<std::size_t>(wanted[q])];
      value += list.template answer<moments, squared>(
          r, of_child<moments>(state, list.grade[r], static_cast<double>(margin) - (list.score(r) - state.origin)));
    }
    states[0] = states[steps];
    first += size;
  }
  return value;
}

template <int moments, bool squared, Real T>
double sweep(const Ranked<T>& list, T margin, Workspace& workspace) {
  return list.grades <= fan_out ? sweep_few<moments, squared>(list, margin)
                                : sweep_many<moments, squared>(list, margin, workspace);
}

template <Real T>
Ranked<T> take_ranked(std::size_t n, bool weighted, bool with_curvature, Workspace& workspace) {
  return {n, 0, workspace.take<std::uint32_t>(n), workspace.take<T>(n + asked_together, T(0)),
          weighted ? workspace.take<T>(n) : nullptr, workspace.take<double>(n),
          with_curvature ? workspace.take<double>(n) : nullptr};
}

/// By score, with grades from the list by label.
template <Real T>
Ranked<T> rank(const ListView<T>& list, const PairList<T>& pairs, bool with_curvature, std::uint32_t* item,
               Workspace& workspace) {
  const std::size_t n = pairs.n;
  Ranked<T> ranked = take_ranked<T>(n, !list.weights.empty(), with_curvature, workspace);
  std::uint32_t* of_item = workspace.take<std::uint32_t>(n);
  for (std::size_t end = n; end > 0; ++ranked.grades) {   // from the least relevant
    const T label = pairs.labels[end - 1];
    do of_item[pairs.order[--end]] = static_cast<std::uint32_t>(ranked.grades);
    while (end > 0 && pairs.labels[end - 1] == label);
  }
  simd::rank_descending(list.scores.data(), item, n, workspace, ranked.scores);
  for (std::size_t r = 0; r < n; ++r) ranked.grade[r] = of_item[item[r]];
  if (ranked.weights)
    for (std::size_t r = 0; r < n; ++r) ranked.weights[r] = list.weights[item[r]];
  return ranked;
}

/// Scores and grades turned round: worse items then ask about better ones.
template <Real T>
Ranked<T> turned_round(const Ranked<T>& ranked, Workspace& workspace) {
  Ranked<T> turned = take_ranked<T>(ranked.n, ranked.weights != nullptr, ranked.curvature != nullptr, workspace);
  turned.grades = ranked.grades;
  for (std::size_t r = 0, from = ranked.n; r < ranked.n; ++r) {
    --from;
    turned.scores[r] = -ranked.scores[from];
    turned.grade[r] = static_cast<std::uint32_t>(ranked.grades - 1) - ranked.grade[from];
  }
  if (ranked.weights) std::reverse_copy(ranked.weights, ranked.weights + ranked.n, turned.weights);
  return turned;
}

/// The sweeps, for a list with moderate scores and total_weight > 0.
template <bool squared, Real T>
Contribution<T> by_sweeps(T margin, double total_weight, Normalize normalize, const ListView<T>& list, const PairList<T>& pairs,
                          const GradientSink<T>& out, Workspace& workspace) {
  const bool with_curvature = squared && out.hess != nullptr;
  std::uint32_t* item = workspace.take<std::uint32_t>(pairs.n);
  const Ranked<T> better = rank(list, pairs, with_curvature, item, workspace), worse = turned_round(better, workspace);
  const double value = sweep<squared ? 2 : 1, squared>(better, margin, workspace);
  sweep<squared ? 1 : 0, squared>(worse, margin, workspace);
  const double factor = normalize == Normalize::mean ? 1 / total_weight : 1;
  for (std::size_t r = 0, mirrored = better.n; r < better.n; ++r) {
    --mirrored;
    const double own = factor * better.weight(r);
    out.add(item[r], static_cast<T>(own * (worse.slope[mirrored] - better.slope[r])),
            with_curvature ? static_cast<T>(own * (worse.curvature[mirrored] + better.curvature[r])) : T(0));
  }
  return {static_cast<T>(factor * value), true};
}

/// Estimated nanoseconds beyond the sort by label, fitted on one AMD Zen 4 core; only the ratios matter.
template <Real T>
struct Cost {
  static constexpr bool is_float = sizeof(T) == 4;
  static constexpr double pair = simd::lanes<float> >= 16  ? (is_float ? 0.1 : 0.19)
                                 : simd::lanes<float> >= 8 ? (is_float ? 0.13 : 0.24)
                                                           : (is_float ? 0.28 : 0.5);
  static constexpr double item_few = (simd::lanes<float> >= 16 ? 1 : simd::lanes<float> >= 8 ? 1.2 : 1.9) * (is_float ? 13 : 19);
  static constexpr double item_many = 23, item_and_level = 8;
};

/// Are all differences of scores finite, and their squares? Not so where a score is not.
template <Real T>
bool moderate(const PairList<T>& pairs) {
  const double span = simd::range_of(pairs.scores, pairs.n).span();   // infinite then
  return span * span * static_cast<double>(pairs.n) < std::numeric_limits<double>::max();
}

template <Real T>
Path cheapest(const PairList<T>& pairs) {
  double visited = 0, grades = 0;
  for (std::size_t i = 0; i < pairs.n; ++grades) {
    const std::size_t end = pairs.worse_than(i);
    visited += static_cast<double>(end - i) * static_cast<double>(pairs.n - end);
    i = end;
  }
  const double levels = std::ceil(std::log2(grades) / static_cast<double>(fan_bits));
  const double item =
      grades <= static_cast<double>(fan_out) ? Cost<T>::item_few : Cost<T>::item_many + levels * Cost<T>::item_and_level;
  return visited * Cost<T>::pair <= static_cast<double>(pairs.n) * item ? Path::pairs : Path::sorted;
}

/// The loss by the path asked for, or pair by pair where the sweeps cannot.
template <class Phi, Real T>
Contribution<T> evaluate(const Phi& phi, Path path, Normalize normalize, const ListView<T>& list, const GradientSink<T>& out,
                         Workspace& workspace) {
  constexpr bool squared = std::same_as<Phi, SquaredHinge>;
  static_assert(squared || std::same_as<Phi, Hinge>);
  checked_size(list);
  const auto frame = workspace.frame();
  const PairList<T> pairs = sort_by_label(list, list.labels.data(), workspace);
  if (pairs.n == 0) return {};
  if (path == Path::automatic) path = cheapest(pairs);
  if (path == Path::pairs || !moderate(pairs)) return comparable_pairs(phi, Uniform{}, normalize, pairs, out, workspace);
  const double total_weight = pairs.pair_weight();
  if (!(total_weight > 0)) return {};
  return by_sweeps<squared>(static_cast<T>(phi.margin), total_weight, normalize, list, pairs, out, workspace);
}

}  // namespace rankgrad::pairwise::hinge_sweep
