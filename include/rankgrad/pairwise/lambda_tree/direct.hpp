// rankgrad/pairwise/lambda_tree/direct.hpp: delta-NDCG weighted logistic pairs one by one, with one division and no exp.
// SPDX-License-Identifier: MIT
//
// For items in label order with t = sigma (s - middle), two exponentials per item give, for a pair with d = t_i - t_j,
//
//   x = e^-d = e^-t_i e^t_j,  x' = e^d,  m = min(x, x') = e^-|d|,  R = 1 / (1 + m)
//   K(d) = min(x, 1) R,   -K' = m R^2,   l(d) = max(-d, 0) + log1p(m)
//
// Every factor is positive and nothing cancels: relative accuracy for small losses too. G_i > G_j since rows are more
// relevant than what stands to their right. Item weights: a row's sums take those of the columns and the other way round,
// so an item's own weight is left to whoever hands the results out.
// |t| must not pass `reach`, so that no product leaves the normal numbers; the caller checks.
#pragma once

#include <rankgrad/pairwise/lambda_tree/runs.hpp>

#include <array>

namespace rankgrad::inline RANKGRAD_ABI::pairwise::lambda_tree {

/// The largest |t|: e^(2 reach) is finite and its inverse normal.
template <class T>
inline constexpr double reach = sizeof(T) == 4 ? 40 : 340;

/// After how many packs and rows sums in T move to double. Short, since rounding errors of equal addends (tied scores, equal
/// discounts) do not average out.
inline constexpr std::size_t direct_packs = 16, direct_rows_per_flush = 64;

/// Items in label order. Sums are of T; who calls moves them to double in time (direct_rows_per_flush).
template <Real T>
struct Direct {
  std::size_t n = 0;
  T *places, *rise, *fall;         ///< t, e^t, e^-t
  T *gains, *discounts, *weights;  ///< weights null: all 1
  T* finer;                        ///< what rounding took from the discounts; null: not needed
  T *slopes, *bends;               ///< column sums
  double *row_slopes, *row_bends;
};

template <Real T>
Direct<T> take_direct(std::size_t n, bool weighted, bool with_bends, Workspace& workspace) {
  Direct<T> a;
  a.n = n;
  for (T** array : {&a.places, &a.rise, &a.fall, &a.gains, &a.discounts, &a.slopes}) *array = workspace.take<T>(n, T(0));
  a.finer = nullptr;
  a.weights = weighted ? workspace.take<T>(n, T(0)) : nullptr;
  a.bends = with_bends ? workspace.take<T>(n, T(0)) : nullptr;
  a.row_slopes = workspace.take<double>(n, 0.0);
  a.row_bends = with_bends ? workspace.take<double>(n, 0.0) : nullptr;
  return a;
}

/// e^t and e^-t from t; of t + rest where `rest`, what rounding took from t, is given.
template <Real T>
void fill_exponentials(const Direct<T>& a, const T* rest = nullptr) {
  using namespace simd;
  for (std::size_t i = 0; i < a.n; i += lanes<T>) {   // the arrays are padded
    const Pack<T> t = load(a.places + i), small = exp_nonpositive<T>(-abs(t)), large = Pack<T>(T(1)) / small;
    const auto positive = t > Pack<T>(T(0));
    const Pack<T> more = rest ? load(rest + i) : Pack<T>(T(0)), up = select(positive, large, small),
                  down = select(positive, small, large);
    store(a.rise + i, fma(up, more, up));
    store(a.fall + i, fnma(down, more, down));
  }
}

/// Rows i .. i + rows - 1, of one grade, against the columns from `first` on. Returns the loss.
template <std::size_t rows, bool with_bends, bool weighted, bool finer, Real T>
double direct_rows(const Direct<T>& a, std::size_t i, std::size_t first) {
  using namespace simd;
  using simd::Pack;
  const Pack<T> one(T(1)), zero(T(0)), gain(a.gains[i]);
  double total = 0;
  for (std::size_t j = first; j < a.n;) {
    const std::size_t stop = std::min(a.n, j + direct_packs * lanes<T>);
    Pack<T> value[rows], slope[rows], bend[rows];
    for (std::size_t r = 0; r < rows; ++r) value[r] = slope[r] = bend[r] = zero;
    const auto column = [&](std::size_t at_item, auto at) RANKGRAD_INLINE {
      const Pack<T> t = load(a.places + at_item), up = load(a.rise + at_item), down = load(a.fall + at_item),
                    d = load(a.discounts + at_item);
      Pack<T> gap = gain - load(a.gains + at_item);
      if constexpr (!std::is_same_v<decltype(at), Whole<T>>) gap = gap * at.load_ones();
      const Pack<T> other = weighted ? load(a.weights + at_item) : one;
      Pack<T> column_slope(T(0)), column_bend(T(0));
      const auto row = [&](auto number) RANKGRAD_INLINE {
        constexpr std::size_t r = number;
        const Pack<T> own = weighted ? Pack<T>(a.weights[i + r]) : one;
        Pack<T> step = Pack<T>(a.discounts[i + r]) - d;
        if constexpr (finer) step += Pack<T>(a.finer[i + r]) - load(a.finer + at_item);
        const Pack<T> w = gap * abs(step);
        const Pack<T> x = Pack<T>(a.fall[i + r]) * up, m = min(x, Pack<T>(a.rise[i + r]) * down), share = one / (one + m);
        const Pack<T> pull = w * (min(x, one) * share);
        slope[r] = weighted ? fma(other, pull, slope[r]) : slope[r] + pull;
        column_slope = weighted ? fma(own, pull, column_slope) : column_slope + pull;
        value[r] = fma(weighted ? w * other : w, max(t - Pack<T>(a.places[i + r]), zero) + log1p_unit<T>(m), value[r]);
        if constexpr (with_bends) {
          const Pack<T> curve = (w * m) * (share * share);
          bend[r] = weighted ? fma(other, curve, bend[r]) : bend[r] + curve;
          column_bend = weighted ? fma(own, curve, column_bend) : column_bend + curve;
        }
      };
      [&]<std::size_t... r>(std::index_sequence<r...>) RANKGRAD_INLINE {
        (row(std::integral_constant<std::size_t, r>{}), ...);
      }(std::make_index_sequence<rows>());
      at.accumulate(a.slopes + at_item, column_slope);
      if constexpr (with_bends) at.accumulate(a.bends + at_item, column_bend);
    };
    for (; j + lanes<T> <= stop; j += lanes<T>) column(j, Whole<T>{});
    if (j < stop) {
      column(j, Part<T>{stop - j});
      j = stop;
    }
    for (std::size_t r = 0; r < rows; ++r) {
      total += wide_sum(value[r]) * (weighted ? static_cast<double>(a.weights[i + r]) : 1.0);
      a.row_slopes[i + r] -= wide_sum(slope[r]);
      if constexpr (with_bends) a.row_bends[i + r] += wide_sum(bend[r]);
    }
  }
  return total;
}

/// All pairs; the results end up in row_slopes and row_bends.
template <bool with_bends, bool weighted, bool finer, Real T>
double direct_pairs(const Direct<T>& a) {
  constexpr std::size_t rows = simd::lanes<float> >= 16 ? 4 : 2;
  double loss = 0;
  std::size_t flushed_at = 0;
  const auto flush = [&] {
    simd::move_sums(a.slopes, a.n, a.row_slopes);
    if constexpr (with_bends) simd::move_sums(a.bends, a.n, a.row_bends);
  };
  for (std::size_t i = 0; i < a.n;) {
    std::size_t worse = i;
    while (worse < a.n && a.gains[worse] == a.gains[i]) ++worse;
    if (worse == a.n) break;
    for (; i < worse; ) {
      if (i + rows <= worse) {
        loss += direct_rows<rows, with_bends, weighted, finer>(a, i, worse);
        i += rows;
      } else {
        loss += direct_rows<1, with_bends, weighted, finer>(a, i++, worse);
      }
      if (i - flushed_at >= direct_rows_per_flush) {
        flush();
        flushed_at = i;
      }
    }
  }
  flush();
  return loss;
}

template <bool finer, Real T>
double direct_pairs(const Direct<T>& a) {
  if (a.bends) return a.weights ? direct_pairs<true, true, finer>(a) : direct_pairs<true, false, finer>(a);
  return a.weights ? direct_pairs<false, true, finer>(a) : direct_pairs<false, false, finer>(a);
}

}  // namespace rankgrad::pairwise::lambda_tree
