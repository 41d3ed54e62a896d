// rankgrad/pairwise/lambda_tree/rank_sweep.hpp: all pairs of a narrow score interval, in one pass by rank.
// SPDX-License-Identifier: MIT
//
// Where all scaled scores of a node lie within delta, the kernels are polynomials of the difference d = v_j - v_i:
//
//   K(d)   = 1/2 - o(d),        o(d) = d/4 - d^3/48                                    + d^5/480
//   l(d)   = -d/2 + e(d),       e(d) = ln 2 + d^2/8 - (delta^2 d^2 - delta^4/8)/192    + delta^4 / 1536
//   -K'(d) = b(d)               b(d) = 1/4 - d^2/16 + (delta^2 d^2 - delta^4/8)/96     + delta^4 / 768
//
// (d^4 is replaced by its best approximation of lower degree on [0, delta]; the last column is the error. delta = 2^-4 in
// float: 2e-9, 1e-8, 2e-8; 2^-9 in double: 6e-17, 1e-14, 2e-14.)
//
// Let sum^ be the sum over the items on better ranks minus that over the items on worse ones. The product of D_j - D_i,
// which changes sign with it, with an even function of d is symmetric, with an odd one antisymmetric, so that over all
// items j of the node, whatever their order of grades,
//
//   slope_i = sum^ 1/2 (G_j - G_i) (D_j - D_i)  -  sum^ |G_j - G_i| (D_j - D_i) o(v_j - v_i)
//   bend_i  = sum^ |G_j - G_i| (D_j - D_i) b(v_j - v_i)
//   loss    = 1/2 sum_i [ sum^ |G_j - G_i| (D_j - D_i) e(v_j - v_i)  -  1/2 sum^ (G_j - G_i) (D_j - D_i) (v_j - v_i) ]
//
// Expanded in powers of v_j these need, per grade h, sum^ of the eight numbers x = (1, v, v^2, v^3) x (1, D): two quads of
// doubles, started at minus the node's totals and raised by twice the item's own x as the sweep passes it (an item itself
// contributes nothing: D_i - D_i = 0). With c = sum_h |G_h - G_i| sum^_h x and s = sum_h (G_h - G_i) sum^_h x, the factor
// D_j - D_i makes one quad of the two, c_D - D_i c_1, and the results are its products with polynomials in v_i, lane by
// lane. O(m (grades + 1)) for m items, whatever the number of equal scores.
#pragma once

#include <rankgrad/pairwise/lambda_tree/cross.hpp>
#include <rankgrad/simd/quad.hpp>

#include <utility>

namespace rankgrad::inline RANKGRAD_ABI::pairwise::lambda_tree {

namespace detail {

/// Constants per lane, which is the exponent of v_j: 0 1 2 3.
template <class T>
struct SweepLanes {
  static constexpr double delta2 = Accuracy<T>::narrow * Accuracy<T>::narrow, delta4 = delta2 * delta2;
  static constexpr double o1 = 1.0 / 4, o3 = -1.0 / 48;
  static constexpr double e0 = 0.69314718055994530942 + delta4 / 1536, e2 = 1.0 / 8 - delta2 / 192;
  static constexpr double b0 = 1.0 / 4 - delta4 / 768, b2 = -1.0 / 16 + delta2 / 96;
  alignas(32) double odd[4] = {0, 1, 0, 1}, even[4] = {1, 0, 1, 0}, high[4] = {0, 0, 1, 1}, low[4] = {1, 1, 0, 0};
  // (v_j - v_i)^k multiplied out: coefficients of v_j^k are (a + b v_i^2), times v_i where the powers do not add up yet.
  alignas(32) double slope_a[4] = {-o1, o1, -3 * o3, o3}, slope_b[4] = {-o3, 3 * o3, 0, 0};
  alignas(32) double loss_a[4] = {e0, -2 * e2, e2, 0}, loss_b[4] = {e2, 0, 0, 0};
  alignas(32) double bend_a[4] = {b0, -2 * b2, b2, 0}, bend_b[4] = {b2, 0, 0, 0};
  alignas(32) double slope_s[4] = {0.5, 0, 0, 0}, loss_s[4] = {0.5, -0.5, 0, 0};
};
template <class T>
inline constexpr SweepLanes<T> sweep_lanes{};

/// Minus the sum of x over one run, from its first four moments in the basis S: x^2 = (1 - S_2) / 2, x^3 = (3 S_1 - S_3) / 4.
template <class T>
void negative_totals(const Runs<T>& runs, const Interval<T>& interval, std::size_t begin, std::size_t end, double* totals) {
  double moment[2][Level<T>::stride];
  run_moments(runs, interval, begin, end, 4, moment[0], moment[1]);
  const double unit = 1 / static_cast<double>(interval.scale);
  for (std::size_t e = 0; e < 2; ++e) {
    const double* m = moment[e];
    totals[4 * e] = -m[0];
    totals[4 * e + 1] = -m[1] * unit;
    totals[4 * e + 2] = -(m[0] - m[2]) / 2 * unit * unit;
    totals[4 * e + 3] = -(3 * m[1] - m[3]) / 4 * unit * unit * unit;
  }
}

}  // namespace detail

/// The discounts count from the node's last.
template <class T>
Interval<T> sweep_interval(const Runs<T>& runs, const Node& node, T middle) {
  return {middle, static_cast<T>(2 / Accuracy<T>::narrow), T(1), last_discount(runs, node)};
}

/// sum^ x of every grade, without D, then with D.
struct SweepSums {
  alignas(32) double of[max_grades][8];
};

/// The items of `node`, from `first_rank` on, once the sweep has come to them with these sums. Returns the loss.
template <bool with_bends, class T>
double sweep_on(const Runs<T>& runs, const Node& node, std::size_t first_rank, const Interval<T>& interval, SweepSums& at) {
  using simd::Quad;
  const auto& k = detail::sweep_lanes<T>;
  const Quad odd = Quad::load(k.odd), even = Quad::load(k.even), high = Quad::load(k.high), low = Quad::load(k.low);
  const std::size_t grades = runs.grades, size = node.size(grades);
  const T middle = interval.middle;
  double(*const sums)[8] = at.of;
  Quad all(0.0), all_d(0.0), gained(0.0), gained_d(0.0), loss(0.0);   // over all grades, and times the gain
  std::uint32_t next[max_grades];
  for (std::size_t g = 0; g < grades; ++g) {
    next[g] = node.begin[g];
    all = all + Quad::load(sums[g]);
    all_d = all_d + Quad::load(sums[g] + 4);
    gained = fma(Quad(runs.gain[g]), Quad::load(sums[g]), gained);
    gained_d = fma(Quad(runs.gain[g]), Quad::load(sums[g] + 4), gained_d);
  }

  for (std::size_t rank = first_rank; rank < first_rank + size; ++rank) {
    const std::size_t g = runs.grade_of_rank[rank], z = next[g]++;
    const Quad v(static_cast<double>(runs.places[z] - middle)), d(static_cast<double>(runs.discounts[z] - interval.reference));
    const Quad weight(runs.weights ? static_cast<double>(runs.weights[z]) : 1.0), v2 = v * v, gain(runs.gain[g]);
    Quad c(0.0), c_d(0.0);
    for (std::size_t h = 0; h < grades; ++h) {
      const Quad gap(runs.gap[g][h]);
      c = fma(gap, Quad::load(sums[h]), c);
      c_d = fma(gap, Quad::load(sums[h] + 4), c_d);
    }
    c = fnma(d, c, c_d);
    const Quad s = fnma(d, fnma(gain, all, gained), fnma(gain, all_d, gained_d));
    const Quad first = fma(odd, v, even), second = fma(even, v, odd);   // (1, v, 1, v) and (v, 1, v, 1)

    const Quad slope = fnma(second * fma(Quad::load(k.slope_b), v2, Quad::load(k.slope_a)), c, Quad::load(k.slope_s) * s);
    const Quad part = fma(first * fma(Quad::load(k.loss_b), v2, Quad::load(k.loss_a)), c, (Quad::load(k.loss_s) * second) * s);
    loss = fma(weight, part, loss);
    runs.slopes[z] += static_cast<T>(sum(slope));
    if constexpr (with_bends)
      runs.bends[z] += static_cast<T>(sum((first * fma(Quad::load(k.bend_b), v2, Quad::load(k.bend_a))) * c));

    const Quad x = ((weight + weight) * first) * fma(high, v2, low), x_d = x * d;
    (Quad::load(sums[g]) + x).store(sums[g]);
    (Quad::load(sums[g] + 4) + x_d).store(sums[g] + 4);
    all = all + x;
    all_d = all_d + x_d;
    gained = fma(gain, x, gained);
    gained_d = fma(gain, x_d, gained_d);
  }
  return 0.5 * sum(loss);
}

/// One node. `first_rank`: the rank (from 0) of its first item; `middle`: of its scores. Returns the loss.
template <bool with_bends, class T>
double sweep(const Runs<T>& runs, const Node& node, std::size_t first_rank, T middle) {
  const Interval<T> interval = sweep_interval(runs, node, middle);
  SweepSums sums;
  for (std::size_t g = 0; g < runs.grades; ++g)
    detail::negative_totals(runs, interval, node.begin[g], node.end[g], sums.of[g]);
  return sweep_on<with_bends>(runs, node, first_rank, interval, sums);
}

/// The same in pieces of at most `most` ranks, which a team shares out: the totals of those before give a piece its sums.
template <bool with_bends, class T>
double sweep_by_pieces(const Runs<T>& runs, const Node& node, std::size_t first_rank, T middle, std::size_t most,
                       Workspace& workspace) {
  struct Part {
    Node node;
    SweepSums sums;
    double loss;
  };
  const auto frame = workspace.frame();
  const Interval<T> interval = sweep_interval(runs, node, middle);
  const std::size_t size = node.size(runs.grades), pieces = (size + most - 1) / most;
  const auto begin = [&](std::size_t p) { return first_rank + size * p / pieces; };
  Part* const parts = workspace.take<Part>(pieces);
  for_each_piece(pieces, workspace, [&](std::size_t p, Workspace&) {
    std::uint32_t counts[max_grades] = {};
    for (std::size_t rank = begin(p); rank < begin(p + 1); ++rank) ++counts[runs.grade_of_rank[rank]];
    std::copy_n(counts, runs.grades, parts[p].node.end);
  });
  for (std::size_t g = 0; g < runs.grades; ++g)
    for (std::size_t p = 0; p < pieces; ++p) {
      parts[p].node.begin[g] = p > 0 ? parts[p - 1].node.end[g] : node.begin[g];
      parts[p].node.end[g] += parts[p].node.begin[g];
    }
  for_each_piece(pieces, workspace, [&](std::size_t p, Workspace&) {
    for (std::size_t g = 0; g < runs.grades; ++g)
      detail::negative_totals(runs, interval, parts[p].node.begin[g], parts[p].node.end[g], parts[p].sums.of[g]);
  });
  for (std::size_t g = 0; g < runs.grades; ++g)
    for (std::size_t k = 0; k < 8; ++k) {
      double sum = 0;
      for (std::size_t p = 0; p < pieces; ++p) sum += parts[p].sums.of[g][k];
      for (std::size_t p = 0; p < pieces; ++p) sum -= 2 * std::exchange(parts[p].sums.of[g][k], sum);
    }
  for_each_piece(pieces, workspace, [&](std::size_t p, Workspace&) {
    parts[p].loss = sweep_on<with_bends>(runs, parts[p].node, begin(p), interval, parts[p].sums);
  });
  double loss = 0;
  for (std::size_t p = 0; p < pieces; ++p) loss += parts[p].loss;
  return loss;
}

}  // namespace rankgrad::pairwise::lambda_tree
