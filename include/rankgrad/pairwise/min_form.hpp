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
// Value. sum log(1 + m) is the logarithm of a product, kept as Q = prod (1 + m) - 1 by Q <- Q (1 + m) + m: every term is
// positive, so the relative accuracy of tiny losses survives, where a product of numbers 1 + m would round them away.
// 1 + m <= 2, so 120 (1000) steps cannot overflow float (double); then log(1 + Q) is taken and Q starts again. The
// linear part max(x, 0) is summed as max(0, margin - (s_i - s_j)), from the scores as they came.
//
// Weights break the product. Where they are all equal they are one factor; otherwise log(1 + m) is a polynomial per pair.
//
// Range. Every factor must be a normal number: |u| + sigma |margin| <= 87 in float, 708 in double (reach). Where the reach
// is beyond half of that, products may be denormal; these are flushed to zero, which changes nothing above 1e-38 (1e-308).
//
// Error. A factor is rounded once (its exponent is computed in double), so e^x is good to 2 units in the last place for
// any offset of the scores; float sums move to double every 96 packs (rows) and 256 rows (columns).
#pragma once

#include <rankgrad/pairwise/pair_list.hpp>
#include <rankgrad/pairwise/phi.hpp>
#include <rankgrad/simd/denormals.hpp>
#include <rankgrad/simd/widen.hpp>

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

/// The centre of the scores and how far they are from it; infinite or NaN where a score is.
template <Real T>
std::pair<double, double> centre_and_radius(const T* scores, std::size_t n) {
  using namespace simd;
  const Pack<T> first(scores[0]);
  Pack<T> high = first, low = first, finite(T(0));
  for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
    const Pack<T> s = at.load(scores + i, scores[0]);
    high = larger(high, s);
    low = select(s < low, s, low);
    finite += s - s;
  });
  const double top = static_cast<double>(highest(high)), bottom = -static_cast<double>(highest(-low));
  return {0.5 * top + 0.5 * bottom, 0.5 * (top - bottom) + wide_sum(finite)};
}

/// Factors of n scores, which must be padded like workspace arrays. Not usable where the range condition fails.
template <Real T>
ScoreFactors<T> factorise(const Logistic& phi, const T* scores, std::size_t n, Workspace& workspace) {
  using namespace simd;
  ScoreFactors<T> factors;
  const auto [centre, radius] = centre_and_radius(scores, n);
  factors.reach = phi.sigma * (radius + std::abs(phi.margin));
  if (!(factors.reach <= ScoreFactors<T>::farthest)) return factors;
  factors.up = workspace.take<T>(n);
  factors.down = workspace.take<T>(n);
  factors.scores = workspace.take<T>(n);
  const Pack<double> zero(0.0), one(1.0), c(centre), sigma(phi.sigma);
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
  } else {
    std::copy_n(scores, n, factors.scores);
  }
  std::fill_n(factors.up + n, 64 / sizeof(T), T(0));
  std::fill_n(factors.down + n, 64 / sizeof(T), T(0));
  std::fill_n(factors.scores + n, 64 / sizeof(T), std::numeric_limits<T>::lowest());
  return factors;
}

/// log(1 + e) for 0 <= e <= 1 without a division: e + e^2 q(e); the fit's error is 2.3e-8 in float, 4.4e-17 in double.
template <class T>
RANKGRAD_INLINE inline Pack<T> log1p_polynomial(Pack<T> e) {
  const Pack<T> e2 = e * e;
  Pack<T> q;
  if constexpr (sizeof(T) == 4)
    q = simd::polynomial<T>(e, e2, -0.499999969830840257, 0.333328418873713467, -0.249865261681872793, 0.19854106231202432,
                            -0.158475657204594699, 0.115618454463667484, -0.0667577250631736123, 0.0252240543466625993,
                            -0.00446621160126570798);
  else
    q = simd::polynomial<T>(e, e2, -0.49999999999999994, 0.333333333333285468, -0.249999999993596206, 0.199999999658224018,
                            -0.166666656967697302, 0.142856973681769039, -0.124998021936408679, 0.111094697271044939,
                            -0.0998994097833761753, 0.0904403840581878174, -0.0816358369873179002, 0.072060527838905025,
                            -0.060245718496051139, 0.0457183288742196421, -0.0300062489220241489, 0.0161774482920837739,
                            -0.0067614194988498022, 0.0020308462484097632, -0.000387011110858030387, 0.0000349649999951775279);
  return simd::fma(e2, q, e);
}

/// sum of max(x, 0) + log(1 + m) over unweighted pairs, in products that are turned to logarithms in time.
template <class T>
class ProductValue {
 public:
  static constexpr std::size_t together = 4;
  static constexpr std::size_t steps_per_flush = sizeof(T) == 4 ? 120 : 1000;

  Pack<T> product[together];   ///< minus 1
  Pack<T> linear;              ///< over sigma

  ProductValue() { clear(); }
  /// Before `steps` steps on each of the products.
  RANKGRAD_INLINE void reserve(std::size_t steps) {
    if (steps_ + steps > steps_per_flush) flush();
    steps_ += steps;
  }
  double total(double sigma) {
    flush();
    return logarithm_ + sigma * linear_;
  }

 private:
  void clear() {
    for (Pack<T>& p : product) p = Pack<T>(T(0));
    linear = Pack<T>(T(0));
    steps_ = 0;
  }
  void flush() {
    using namespace simd;
    const Pack<T> one(T(1));
    std::size_t count = together;
    for (std::size_t joined = 2 * steps_; count > 1 && joined <= steps_per_flush; joined *= 2) {   // short rows: one logarithm for several
      count /= 2;
      for (std::size_t k = 0; k < count; ++k) product[k] = fma(product[k], one + product[k + count], product[k + count]);
    }
    Pack<T> sum(T(0));
    for (std::size_t k = 0; k < count; ++k) {
      const Pack<T> q = product[k];
      const auto large = q > one;
      sum += select(large, log_positive<T>(one + q), log1p_polynomial<T>(select(large, one, q)));
    }
    logarithm_ += wide_sum(sum);
    linear_ += wide_sum(linear);
    clear();
  }
  std::size_t steps_ = 0;
  double logarithm_ = 0, linear_ = 0;
};

/// Rows i .. i + rows - 1 against the columns from first_worse on. Adds s(x) to `sums`, positive for the columns and
/// negative for the rows, the other item's weight in it but not the item's own; s(x) s(-x) likewise.
template <std::size_t rows, bool Weighted, bool WithCurvature, Real T>
RANKGRAD_INLINE inline void min_form_rows(const ScoreFactors<T>& factors, const PairList<T>& pairs, const PairSums<T>& sums,
                                          std::size_t i, std::size_t first_worse, ProductValue<T>& products, T sigma,
                                          double& weighted_value) {
  using namespace simd;
  constexpr std::size_t packs_per_chunk = 96;
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
    if constexpr (!Weighted) products.reserve((chunk_end - j + lanes<T> - 1) / lanes<T>);
    Pack<T> slope[rows], curvature[rows], value[rows], linear = products.linear;
    for (std::size_t r = 0; r < rows; ++r) {
      slope[r] = curvature[r] = zero;
      value[r] = Weighted ? zero : products.product[r];
    }
    for (; j < chunk_end; j += lanes<T>) {
      const Pack<T> column_up = load(factors.up + j), column_down = load(factors.down + j), other = load(factors.scores + j);
      Pack<T> column_slope = load(sums.column_slope + j), column_curvature(T(0)), other_weight(T(1));
      if constexpr (WithCurvature) column_curvature = load(sums.column_curvature + j);
      if constexpr (Weighted) other_weight = load(pairs.weights + j);
      for (std::size_t r = 0; r < rows; ++r) {
        const Pack<T> wrong = down[r] * column_up, right = up[r] * column_down;   // e^x, e^-x
        const Pack<T> m = min(wrong, right), y = one + m, short_of = max(other - score[r], zero);
        Pack<T> s, bend;
        if constexpr (WithCurvature) {
          const Pack<T> inverse = one / y;
          s = min(wrong, one) * inverse;
          bend = m * inverse * inverse;
        } else {
          s = min(wrong, one) / y;
        }
        if constexpr (Weighted) {
          value[r] = fma(other_weight, fma(Pack<T>(sigma), short_of, log1p_polynomial<T>(m)), value[r]);
          slope[r] = fma(other_weight, s, slope[r]);
          column_slope = fma(weight[r], s, column_slope);
          if constexpr (WithCurvature) {
            curvature[r] = fma(other_weight, bend, curvature[r]);
            column_curvature = fma(weight[r], bend, column_curvature);
          }
        } else {
          value[r] = fma(value[r], y, m);
          linear += short_of;
          slope[r] += s;
          column_slope += s;
          if constexpr (WithCurvature) {
            curvature[r] += bend;
            column_curvature += bend;
          }
        }
      }
      store(sums.column_slope + j, column_slope);
      if constexpr (WithCurvature) store(sums.column_curvature + j, column_curvature);
    }
    for (std::size_t r = 0; r < rows; ++r) {
      sums.slope[i + r] -= wide_sum(slope[r]);
      if constexpr (WithCurvature) sums.curvature[i + r] += wide_sum(curvature[r]);
      if constexpr (Weighted) weighted_value += static_cast<double>(pairs.weights[i + r]) * wide_sum(value[r]);
      else products.product[r] = value[r];
    }
    products.linear = linear;
  }
}

/// All comparable pairs; returns the value. Gradients in `sums` still miss the factor sigma (curvatures sigma^2) and the
/// item's own weight.
template <bool Weighted, bool WithCurvature, Real T>
double min_form_pairs(const Logistic& phi, const ScoreFactors<T>& factors, const PairList<T>& pairs, const PairSums<T>& sums) {
  constexpr std::size_t together = simd::lanes<T> * sizeof(T) == 64 ? 4 : 2;   // 32 registers, or 16
  ProductValue<T> products;
  double weighted_value = 0;
  const simd::FlushDenormals flush(factors.denormals());
  for_each_row<together>(pairs, sums, [&]<std::size_t rows>(Rows<rows>, std::size_t i, std::size_t first_worse) RANKGRAD_INLINE {
    min_form_rows<rows, Weighted, WithCurvature>(factors, pairs, sums, i, first_worse, products, T(phi.sigma), weighted_value);
  });
  return Weighted ? weighted_value : products.total(phi.sigma);
}

}  // namespace rankgrad::pairwise
