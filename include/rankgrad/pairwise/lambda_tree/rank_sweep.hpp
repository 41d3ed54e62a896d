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
// Expanded in powers of v_j these need, per grade h, sum^ of the eight numbers (1, v, v^2, v^3) x (1, D): kept as packs of
// doubles, started at minus the node's totals and raised by twice the item's own numbers as the sweep passes it (an item
// itself contributes nothing: D_i - D_i = 0). O(m (grades + 1)) for m items, whatever the number of equal scores.
#pragma once

#include <rankgrad/pairwise/lambda_tree/cross.hpp>

namespace rankgrad::inline RANKGRAD_ABI::pairwise::lambda_tree {

/// Eight sums as packs: (1, v, v^2, v^3), then the same times D.
struct PowerSums {
  static constexpr std::size_t packs = 8 / simd::lanes<double>;
  alignas(64) double values[8];
};

namespace detail {
struct SweptItem {
  double v, d;
  alignas(64) double powers[8];
};
RANKGRAD_INLINE inline void fill_powers(double v, double d, double weight, double* powers) {
  double x = weight;
  for (std::size_t k = 0; k < 4; ++k, x *= v) {
    powers[k] = x;
    powers[k + 4] = x * d;
  }
}
}  // namespace detail

/// One node. `first_rank`: the rank (from 0) of its first item.
template <bool with_bends, class T>
double sweep(const Runs<T>& runs, const Node& node, std::size_t first_rank) {
  using namespace simd;
  constexpr std::size_t w = lanes<double>, packs = 8 / w;
  constexpr double delta = Accuracy<T>::narrow, delta2 = delta * delta, delta4 = delta2 * delta2;
  constexpr double o1 = 1.0 / 4, o3 = -1.0 / 48;
  constexpr double e0 = 0.69314718055994530942 + delta4 / 1536, e2 = 1.0 / 8 - delta2 / 192;
  constexpr double b0 = 1.0 / 4 - delta4 / 768, b2 = -1.0 / 16 + delta2 / 96;

  const std::size_t grades = runs.grades, size = node.size(grades);
  const double reference = static_cast<double>(last_discount(runs, node));
  double middle = 0;
  for (std::size_t g = 0; g < grades; ++g)
    if (node.end[g] > node.begin[g]) middle = static_cast<double>(runs.places[node.begin[g]]);

  PowerSums sums[max_grades];
  Pack<double> all[packs], gained[packs];   // over all grades, and times the gain
  for (std::size_t p = 0; p < packs; ++p) all[p] = gained[p] = Pack<double>(0.0);
  alignas(64) double powers[8];
  for (std::size_t g = 0; g < grades; ++g) {
    Pack<double> total[packs];
    for (std::size_t p = 0; p < packs; ++p) total[p] = Pack<double>(0.0);
    for (std::size_t z = node.begin[g]; z < node.end[g]; ++z) {
      const double weight = runs.weights ? static_cast<double>(runs.weights[z]) : 1.0;
      detail::fill_powers(static_cast<double>(runs.places[z]) - middle, static_cast<double>(runs.discounts[z]) - reference, weight, powers);
      for (std::size_t p = 0; p < packs; ++p) total[p] -= load(powers + p * w);
    }
    for (std::size_t p = 0; p < packs; ++p) {
      store(sums[g].values + p * w, total[p]);
      all[p] += total[p];
      gained[p] = fma(Pack<double>(runs.gain[g]), total[p], gained[p]);
    }
  }

  double loss = 0;
  std::uint32_t next[max_grades];
  for (std::size_t g = 0; g < grades; ++g) next[g] = node.begin[g];
  for (std::size_t rank = first_rank; rank < first_rank + size; ++rank) {
    const std::size_t g = runs.grade_of_rank[rank], z = next[g]++;
    const double v = static_cast<double>(runs.places[z]) - middle, d = static_cast<double>(runs.discounts[z]) - reference;
    const double weight = runs.weights ? static_cast<double>(runs.weights[z]) : 1.0;
    alignas(64) double c[8], s[8];
    for (std::size_t p = 0; p < packs; ++p) {
      Pack<double> felt(0.0);
      for (std::size_t h = 0; h < grades; ++h) felt = fma(Pack<double>(runs.gap[g][h]), load(sums[h].values + p * w), felt);
      store(c + p * w, felt);
      store(s + p * w, fnma(Pack<double>(runs.gain[g]), all[p], gained[p]));
    }
    detail::fill_powers(v, d, 2 * weight, powers);
    for (std::size_t p = 0; p < packs; ++p) {
      const Pack<double> passed = load(powers + p * w);
      accumulate(sums[g].values + p * w, passed);
      all[p] += passed;
      gained[p] = fma(Pack<double>(runs.gain[g]), passed, gained[p]);
    }
    // sum^ (D_j - D_i) v_j^k, then sum^ (D_j - D_i) (v_j - v_i)^k
    const double m0 = c[4] - d * c[0], m1 = c[5] - d * c[1], m2 = c[6] - d * c[2], m3 = c[7] - d * c[3];
    const double f1 = m1 - v * m0, f2 = m2 - v * (m1 + f1), f3 = m3 - v * (3 * m2 - v * (3 * m1 - v * m0));
    const double n0 = s[4] - d * s[0], n1 = s[5] - d * s[1] - v * n0;
    runs.slopes[z] += static_cast<T>(0.5 * n0 - o1 * f1 - o3 * f3);
    loss += weight * (e0 * m0 + e2 * f2 - 0.5 * n1);
    if constexpr (with_bends) runs.bends[z] += static_cast<T>(b0 * m0 + b2 * f2);
  }
  return 0.5 * loss;
}

}  // namespace rankgrad::pairwise::lambda_tree
