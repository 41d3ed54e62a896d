// rankgrad/pairwise/lambda_tree/top.hpp: LambdaRank with a cut-off k: only pairs that touch the first k ranks.
// SPDX-License-Identifier: MIT
//
// Past rank k all discounts are 0, so a pair weighs something only if one of its items stands in the first k ranks. Pairs
// inside the top go through direct.hpp. A pair of a top item i and an item j below it has |D_i - D_j| = D_i, one number for
// the whole row, and d = s_i - s_j >= 0, so that m = e^-d is at most 1 without a minimum:
//
//   right order (G_i > G_j)   slope_i -= w m / (1 + m)    loss w log1p(m)          w = |G_i - G_j| D_i w_j
//   inverted    (G_i < G_j)   slope_i += w 1 / (1 + m)    loss w (log1p(m) + d)
//
// The other items need no order: k rows over the list as it came, without a permutation. O(k n). Scores as in direct.hpp:
// sigma s spans at most 2 reach.
#pragma once

#include <rankgrad/pairwise/lambda_tree/direct.hpp>

namespace rankgrad::inline RANKGRAD_ABI::pairwise::lambda_tree {

/// The items as columns: in the caller's order, weight 0 for those of the top.
template <Real T>
struct Columns {
  std::size_t n;
  T *places, *rise, *gains, *weights;   ///< sigma (s - middle), its exponential
  T *slopes, *bends;                    ///< sums of at most direct_rows_per_flush rows
};

/// A top item as a row.
template <Real T>
struct TopRow {
  T place, fall, gain, discount, weight;   ///< fall: e^-place
  double slope = 0, bend = 0;
};

/// e^t of every column, with what rounding took from t.
template <Real T>
void fill_rise(const T* scores, double sigma, double middle, const Columns<T>& columns) {
  using namespace simd;
  for (std::size_t i = 0; i < columns.n; ++i)   // for now what rounding took
    columns.rise[i] = static_cast<T>(sigma * (static_cast<double>(scores[i]) - middle) - static_cast<double>(columns.places[i]));
  for (std::size_t i = 0; i < columns.n; i += lanes<T>) {
    const Pack<T> t = load(columns.places + i), small = exp_nonpositive<T>(-abs(t));
    const Pack<T> e = select(t > Pack<T>(T(0)), Pack<T>(T(1)) / small, small);
    store(columns.rise + i, fma(e, load(columns.rise + i), e));
  }
}

/// One row over all columns.
template <bool with_bends, Real T>
double top_row(const Columns<T>& columns, TopRow<T>& row) {
  using namespace simd;
  using P = simd::Pack<T>;
  const P one(T(1)), zero(T(0)), own = P(row.discount), share_of_row = P(row.discount * row.weight);
  double total = 0;
  for (std::size_t begin = 0; begin < columns.n; begin += direct_packs * lanes<T>) {
    P value(zero), slope(zero), bend(zero);
    const std::size_t end = std::min(columns.n, begin + direct_packs * lanes<T>);
    for (std::size_t j = begin; j < end; j += lanes<T>) {   // padded: weight 0 past the end
      const P d = P(row.place) - load(columns.places + j), gap = P(row.gain) - load(columns.gains + j),
              weight = load(columns.weights + j);
      const P m = min(P(row.fall) * load(columns.rise + j), one);
      const P share = one / (one + m);
      const auto inverted = gap < zero;
      const P pull = gap * (share * select(inverted, one, m)), size = abs(gap) * weight;
      value = fma(size, log1p_unit<T>(m) + select(inverted, max(d, zero), zero), value);
      slope = fma(weight, pull, slope);
      store(columns.slopes + j, fma(share_of_row, pull, load(columns.slopes + j)));
      if constexpr (with_bends) {
        const P curve = abs(gap) * (m * (share * share));
        bend = fma(weight, curve, bend);
        store(columns.bends + j, fma(share_of_row, curve, load(columns.bends + j)));
      }
    }
    total += wide_sum(own * value);
    row.slope -= wide_sum(own * slope);
    if constexpr (with_bends) row.bend += wide_sum(own * bend);
  }
  return total * static_cast<double>(row.weight);
}

}  // namespace rankgrad::pairwise::lambda_tree
