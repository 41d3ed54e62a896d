// rankgrad/pairwise/lambda_tree/levels.hpp: the logistic kernel between two neighbouring score intervals, as small matrices.
// SPDX-License-Identifier: MIT
//
// Two intervals of half-width H that touch, the upper one U and the lower one L. With a = how far a score lies from the
// middle of its interval, away from the common border, over H (so -1 at the border and 1 at the far end),
//
//   s_u - s_l = D = 2H + H (a_u + a_l)                              symmetric in both sides
//   f(D)      = sum_kl F_kl T_k(a_u) T_l(a_l) + rest                for each of three kernels f:
//
//   slope       K(D) = 1 / (1 + e^D)        loss l(D) = log(1 + e^-D) = -D + ... , l' = -K        bend -K'(D) = K (1 - K)
//
// All three are analytic for |Im D| < pi, so the coefficients fall like rho^-k, rho = b + sqrt(b^2 + 1), b = pi / H, and
// order() terms leave rho^-order of the largest kernel value. Inside a pair of intervals the kernels vary by e^(4H) at
// most, 55 for the widest (H = 1): that is the largest factor between the error named and one relative to a pair.
//
// Half-widths are powers of two of the scaled score sigma s, so the matrices are constants of the library: computed once,
// on first use, without allocation.
//
// Basis: S_k = T_k up to a sign, S_0 = 1, S_1 = x, S_(k+1) = S_(k-1) -+ 2x S_k (minus where k + 1 is even): one
// multiply-add per term and no negation. Orders are even for the same reason.
#pragma once

#include <rankgrad/simd/pack.hpp>

#include <cmath>

namespace rankgrad::inline RANKGRAD_ABI::pairwise::lambda_tree {

/// What depends on the element type.
///   nats        -log of the truncation of one expansion
///   narrow      a node of at most this span in sigma s is swept by rank (rank_sweep.hpp), 2^-4 and 2^-9
///   levels      half-widths 1, 1/2, ..., 2^-(levels - 1); the last one splits the narrowest node that is split
///   far_terms   of the series of exponentials between intervals that do not touch (far_field.hpp)
template <class T>
struct Accuracy;
template <>
struct Accuracy<float> {
  static constexpr double nats = 16.5, narrow = 0x1p-4;
  static constexpr std::size_t levels = 6, max_order = 10, far_terms = 10;
};
template <>
struct Accuracy<double> {
  static constexpr double nats = 31, narrow = 0x1p-9;
  static constexpr std::size_t levels = 11, max_order = 18, far_terms = 16;
};

/// How many terms an expansion over intervals of half-width H needs; even.
template <class T>
std::size_t order_of(double half) {
  const double b = 3.14159265358979323846 / half, terms = std::ceil(Accuracy<T>::nats / std::log(b + std::sqrt(b * b + 1))) + 1;
  const auto even = (static_cast<std::size_t>(terms) + 1) / 2 * 2;
  return even < Accuracy<T>::max_order ? even : Accuracy<T>::max_order;
}

/// S_k = sign_of(k) T_k.
constexpr double sign_of(std::size_t k) { return k / 2 % 2 ? -1.0 : 1.0; }

template <class T>
struct Level {
  static constexpr std::size_t max_order = Accuracy<T>::max_order, stride = (max_order + 7) / 8 * 8;
  std::size_t order = 0;
  double half = 1;
  alignas(64) double slope[max_order * stride] = {};
  alignas(64) double loss[max_order * stride] = {};
  alignas(64) double bend[max_order * stride] = {};
};

namespace detail {
/// The coefficients of f on a grid of Chebyshev points, by the discrete cosine transform in both variables.
template <class T, class Kernel>
void expand(const Level<T>& level, double* matrix, Kernel f) {
  constexpr std::size_t most = Accuracy<T>::max_order + 6;
  const std::size_t m = level.order, points = m + 6;
  double cosine[most][most], half_done[most][most];
  const double step = 3.14159265358979323846 / static_cast<double>(points);
  for (std::size_t k = 0; k < points; ++k)
    for (std::size_t i = 0; i < points; ++i)
      cosine[k][i] = std::cos(step * static_cast<double>(k) * (static_cast<double>(i) + 0.5));
  for (std::size_t j = 0; j < points; ++j)
    for (std::size_t k = 0; k < m; ++k) {
      double sum = 0;
      for (std::size_t i = 0; i < points; ++i) sum += cosine[k][i] * f(level.half * (2 + cosine[1][i] + cosine[1][j]));
      half_done[k][j] = sum * (k ? 2 : 1) * sign_of(k) / static_cast<double>(points);
    }
  for (std::size_t k = 0; k < m; ++k)
    for (std::size_t l = 0; l < m; ++l) {
      double sum = 0;
      for (std::size_t j = 0; j < points; ++j) sum += cosine[l][j] * half_done[k][j];
      matrix[k * Level<T>::stride + l] = sum * (l ? 2 : 1) * sign_of(l) / static_cast<double>(points);
    }
}
}  // namespace detail

template <class T>
struct Levels {
  Level<T> level[Accuracy<T>::levels];

  Levels() {
    double half = 1;
    for (Level<T>& at : level) {
      at.half = half;
      at.order = order_of<T>(half);
      detail::expand(at, at.slope, [](double d) { return 1 / (1 + std::exp(d)); });
      detail::expand(at, at.loss, [](double d) { return std::log1p(std::exp(-d)); });
      detail::expand(at, at.bend, [](double d) { const double e = std::exp(-d); return e / ((1 + e) * (1 + e)); });
      half /= 2;
    }
  }
  static const Levels& get() {
    static const Levels levels;
    return levels;
  }
};

/// y = F x; all of m terms, the matrix symmetric.
template <class T>
void apply(const double* matrix, std::size_t m, const double* x, double* y) {
  using namespace simd;
  constexpr std::size_t w = lanes<double>;
  for (std::size_t o = 0; o < m; o += w) {
    Pack<double> sum(0.0);
    for (std::size_t l = 0; l < m; ++l) sum = fma(Pack<double>(x[l]), load(matrix + l * Level<T>::stride + o), sum);
    store(y + o, sum);
  }
}

}  // namespace rankgrad::pairwise::lambda_tree
