// rankgrad/pairwise/min_form.hpp: the logistic loss of all comparable pairs without an exp and without a log per pair.
// SPDX-License-Identifier: MIT
//
//   L = sum_{y_i > y_j} w_i w_j softplus(x_ij),   x_ij = sigma (margin - (s_i - s_j))
//
// Factors. With a common centre c and u = sigma (s - c), e^x = (e^{sigma margin} e^{-u_i}) e^{u_j} is a product of one
// number of the row and one of the column, and so is e^-x: two exps per score serve all pairs.
//
// Min-form. m = min(e^x, e^-x) = e^-|x| is at most 1, whatever the other one did (overflow included), and
//
//   softplus(x)  = max(x, 0) + log(1 + m)
//   slope        = s(x) = min(e^x, 1) / (1 + m)          never 1 - 1 / (1 + e^x): that loses all digits of a small slope
//   curvature    = s(x) s(-x) = m / (1 + m)^2
//
// Value. sum log(1 + m) is the logarithm of a product: pairwise/log_product.hpp. The linear part max(x, 0) is summed as
// max(0, margin - (s_i - s_j)), from the scores as they came.
//
// Weights break the product. Where they are all equal they are one factor; otherwise log(1 + m) is a polynomial per pair.
//
// The soft zero-one function u = s(x) with slope sigma s(x) s(-x) is there without any logarithm.
//
// Range. Every factor must be a normal number: |u| + sigma |margin| <= 87 in float, 708 in double (reach). Where the reach
// is beyond half of that, products may be denormal; these are flushed to zero, which changes nothing above 1e-38 (1e-308).
//
// Error. A factor is rounded once (its exponent is computed in double), so e^x is good to 2 units in the last place for
// any offset of the scores; float sums move to double every 96 packs (rows) and 256 rows (columns).
#pragma once

#include <rankgrad/pairwise/log_product.hpp>
#include <rankgrad/pairwise/pair_list.hpp>
#include <rankgrad/pairwise/phi.hpp>
#include <rankgrad/simd/denormals.hpp>
#include <rankgrad/simd/horizontal.hpp>
#include <rankgrad/simd/widen.hpp>

#include <cmath>
#include <limits>

namespace rankgrad::inline RANKGRAD_ABI::pairwise {

/// What the min-form needs of every score: e^u, e^-u and the score itself; past the end such that a pair adds nothing.
template <Real T>
struct ScoreFactors {
  static constexpr double farthest = sizeof(T) == 4 ? 87 : 708;
  static constexpr double all_normal = sizeof(T) == 4 ? 42.5 : 353;   // products, and products over 4, are normal

  T *up = nullptr, *down = nullptr, *scores = nullptr;
  T margin = T(0), margin_up = T(1), margin_down = T(1);   ///< the margin, and e^{sigma margin}, e^{-sigma margin}
  double reach = 0;                                        ///< max |u| + sigma |margin|

  bool usable() const { return up != nullptr; }
  bool denormals() const { return reach > all_normal; }
};

/// Factors of n scores, which must be padded like workspace arrays; `copy` takes them, and may be the same array. Not usable
/// where the range condition fails.
template <Real T>
ScoreFactors<T> factorise(Logistic phi, const T* scores, std::size_t n, T* copy, Workspace& workspace) {
  using namespace simd;
  ScoreFactors<T> factors;
  const Range<T> range = range_of(scores, n);
  factors.reach = phi.sigma * (0.5 * range.span() + std::abs(phi.margin));
  if (!(factors.reach <= ScoreFactors<T>::farthest)) return factors;
  factors.up = workspace.take<T>(n);
  factors.down = workspace.take<T>(n);
  factors.scores = copy;
  const Pack<double> zero(0.0), one(1.0), c(range.centre()), sigma(phi.sigma);
  for (std::size_t i = 0; i < n; i += lanes<double>) {
    const Pack<double> s = load_wide(scores + i) - c, u = sigma * s;
    const Pack<double> small = exp_nonpositive<double>(-abs(u)), large = one / small;
    const auto negative = u < zero;
    store_narrow(factors.up + i, select(negative, small, large));
    store_narrow(factors.down + i, select(negative, large, small));
    if (phi.margin != 0) store_narrow(factors.scores + i, s);
  }
  if (phi.margin != 0) {
    factors.margin = T(phi.margin);
    factors.margin_up = T(std::exp(phi.sigma * phi.margin));
    factors.margin_down = T(std::exp(-phi.sigma * phi.margin));
  } else if (copy != scores) {
    std::copy_n(scores, n, copy);
  }
  std::fill_n(factors.up + n, 64 / sizeof(T), T(0));
  std::fill_n(factors.down + n, 64 / sizeof(T), T(0));
  std::fill_n(factors.scores + n, 64 / sizeof(T), std::numeric_limits<T>::lowest());
  return factors;
}

/// 1 / y of several packs. The divider is the narrowest part of a processor: one division serves two packs, 1 / y0 =
/// y1 / (y0 y1), where that is faster: with 32 registers (on a Xeon 9.0 cycles per 16 pairs against 11.4; estimates of 1 / y
/// and Newton's step 9.3), not with 16.
template <std::size_t count, class T>
RANKGRAD_INLINE inline void reciprocals(const Pack<T>* y, Pack<T>* inverse) {
  const Pack<T> one(T(1));
  constexpr bool share = sizeof(T) * simd::lanes<T> == 64;
  constexpr std::size_t shared = share ? count / 2 * 2 : 0;
  for (std::size_t r = 0; r < shared; r += 2) {
    const Pack<T> both = one / (y[r] * y[r + 1]);
    inverse[r] = y[r + 1] * both;
    inverse[r + 1] = y[r] * both;
  }
  for (std::size_t r = shared; r < count; ++r) inverse[r] = one / y[r];
}

/// Rows i .. i + rows - 1 against the columns from first_worse on. Adds the slope to `sums`, positive for the columns and
/// negative for the rows, the other item's weight in it but not the item's own, nor sigma; the curvature likewise.
template <std::size_t rows, class Phi, bool Weighted, bool WithCurvature, Real T>
RANKGRAD_INLINE inline void min_form_rows(const ScoreFactors<T>& factors, const PairList<T>& pairs, const PairSums<T>& sums,
                                          std::size_t i, std::size_t first_worse, ProductValue<T>& products, T sigma,
                                          double& row_values) {
  using namespace simd;
  constexpr std::size_t packs_per_chunk = 96;
  constexpr bool soft_zero_one = std::same_as<Phi, SoftZeroOne>, by_product = !Weighted && !soft_zero_one;
  const Pack<T> one(T(1)), zero(T(0));
  Pack<T> down[rows], up[rows], score[rows], weight[rows];
  for (std::size_t r = 0; r < rows; ++r) {
    down[r] = Pack<T>(factors.down[i + r] * factors.margin_up);
    up[r] = Pack<T>(factors.up[i + r] * factors.margin_down);
    score[r] = Pack<T>(factors.scores[i + r] - factors.margin);
    if constexpr (Weighted) weight[r] = Pack<T>(pairs.weights[i + r]);
  }
  for (std::size_t j = first_worse; j < pairs.n;) {
    const std::size_t chunk_end = std::min(pairs.n, j + packs_per_chunk * lanes<T>);
    if constexpr (by_product) products.reserve((chunk_end - j + lanes<T> - 1) / lanes<T>);
    Pack<T> slope[rows], curvature[rows], value[rows], linear = products.linear;
    for (std::size_t r = 0; r < rows; ++r) {
      slope[r] = curvature[r] = zero;
      value[r] = by_product ? products.product[r] : zero;
    }
    for (; j < chunk_end; j += lanes<T>) {
      const Pack<T> column_up = load(factors.up + j), column_down = load(factors.down + j), other = load(factors.scores + j);
      Pack<T> column_slope = load(sums.column_slope + j), column_curvature(T(0)), other_weight(T(1));
      if constexpr (WithCurvature) column_curvature = load(sums.column_curvature + j);
      if constexpr (Weighted) other_weight = load(pairs.weights + j);
      Pack<T> m[rows], y[rows], inverse[rows], top[rows];
      for (std::size_t r = 0; r < rows; ++r) {
        const Pack<T> wrong = down[r] * column_up, right = up[r] * column_down;   // e^x, e^-x
        m[r] = min(wrong, right);
        top[r] = min(wrong, one);
        y[r] = one + m[r];
      }
      reciprocals<rows>(y, inverse);
      for (std::size_t r = 0; r < rows; ++r) {
        const Pack<T> s = top[r] * inverse[r], bend = m[r] * inverse[r] * inverse[r], pull = soft_zero_one ? bend : s;
        const Pack<T> short_of = max(other - score[r], zero);
        if constexpr (by_product) {
          value[r] = fma(value[r], y[r], m[r]);
          linear += short_of;
        } else if constexpr (soft_zero_one) {
          value[r] = Weighted ? fma(other_weight, s, value[r]) : value[r] + s;
        } else {
          value[r] = fma(other_weight, fma(Pack<T>(sigma), short_of, log1p_polynomial<T>(m[r])), value[r]);
        }
        slope[r] = Weighted ? fma(other_weight, pull, slope[r]) : slope[r] + pull;
        column_slope = Weighted ? fma(weight[r], pull, column_slope) : column_slope + pull;
        if constexpr (WithCurvature) {
          curvature[r] = Weighted ? fma(other_weight, bend, curvature[r]) : curvature[r] + bend;
          column_curvature = Weighted ? fma(weight[r], bend, column_curvature) : column_curvature + bend;
        }
      }
      store(sums.column_slope + j, column_slope);
      if constexpr (WithCurvature) store(sums.column_curvature + j, column_curvature);
    }
    for (std::size_t r = 0; r < rows; ++r) slope[r] = -slope[r];
    add_sums<rows>(sums.slope + i, slope);
    if constexpr (WithCurvature) add_sums<rows>(sums.curvature + i, curvature);
    for (std::size_t r = 0; r < rows; ++r) {
      if constexpr (by_product) products.product[r] = value[r];
      else row_values += (Weighted ? static_cast<double>(pairs.weights[i + r]) : 1) * wide_sum(value[r]);
    }
    products.linear = linear;
  }
}

/// All comparable pairs; returns the value. Gradients in `sums` still miss the factor sigma (curvatures sigma^2) and the
/// item's own weight.
template <bool Weighted, bool WithCurvature, class Phi, Real T>
double min_form_pairs(const Phi& phi, const ScoreFactors<T>& factors, const PairList<T>& pairs, const PairSums<T>& sums) {
  ProductValue<T> products;
  double row_values = 0;
  const simd::FlushDenormals flush(factors.denormals());
  for_each_row<ProductValue<T>::together>(
      pairs, sums, [&]<std::size_t rows>(Rows<rows>, std::size_t i, std::size_t first_worse) RANKGRAD_INLINE {
    min_form_rows<rows, Phi, Weighted, WithCurvature>(factors, pairs, sums, i, first_worse, products, T(phi.sigma), row_values);
  });
  return Weighted || std::same_as<Phi, SoftZeroOne> ? row_values : products.total(phi.sigma);
}

}  // namespace rankgrad::pairwise
