// rankgrad/pairwise/near_linear/chebyshev_tables.hpp: the logistic kernels between two bins, in Chebyshev coefficients.
// SPDX-License-Identifier: MIT
//
// Scaled scores x = 2 b + u lie in bins of half-width 1: b a whole number, u in [-1, 1]. For a target in bin b, a source
// in bin b - D, the difference is d = 2 D + u - v, and each kernel is a finite Chebyshev series in u and v:
//
//   f(d) = 1 / (1 + e^d),  f(-d),  l(d) = log(1 + e^-d),  c(d) = f(d) f(-d)     k(2 D + u - v) = sum_kl K_D[l][k] T_k(u) T_l(v)
//
// What a target evaluates (f, f(-d) and c, not l) is then written in powers of u, for which Horner's rule takes one
// operation for each coefficient: T_k has coefficients up to (1 + sqrt 2)^k, which rho^k swallows, so nothing is lost.
//
// All four are analytic for |Im d| < pi, as far as the ellipse with foci +-1 through i pi, whose half axes add up to
// rho = pi + sqrt(pi^2 + 1) = 6.44: m coefficients leave an error of about rho^-m, times the growth of the kernel
// inside a bin. m = 10 gives 8e-9, m = 20 gives 6e-17 (Trefethen, Approximation Theory and Approximation Practice,
// theorem 8.2). The coefficients are those of the interpolant in the Chebyshev points: a discrete cosine transform.
//
// Farther than R bins, that is d >= 2 R, the kernels are geometric series in e^-d, cut after Q terms:
//
//   f(d) = sum_q (-1)^(q-1) e^-qd,   l(d) = sum_q (-1)^(q-1) e^-qd / q,   c(d) = sum_q (-1)^(q-1) q e^-qd
//
// and f(-d) = 1 - f(d), l(-d) = d + l(d), c(-d) = c(d). The first term left out is e^(-2RQ) of the first one: 1e-7 for
// R = 1, Q = 8; 4e-18 for R = 2, Q = 10. Each e^-qd is a product of functions of the two scores, for which
// e^qv = sum_l X[l][q] T_l(v) is kept, and e^-qv has the same coefficients with alternating signs.
#pragma once

#include <rankgrad/simd/pack.hpp>
#include <rankgrad/simd/scalar.hpp>

#include <cmath>

namespace rankgrad::inline RANKGRAD_ABI::pairwise::near_linear {

/// What the accuracy of T asks for. Rows of doubles are padded to whole cache lines.
template <Real T>
struct Order;
template <>
struct Order<float> {
  static constexpr std::size_t m = 10, Q = 8;
  static constexpr int R = 1;
};
template <>
struct Order<double> {
  static constexpr std::size_t m = 20, Q = 10;
  static constexpr int R = 2;
};

inline constexpr std::size_t padded(std::size_t n) { return (n + 7) / 8 * 8; }
template <Real T>
inline constexpr std::size_t row = padded(Order<T>::m);        ///< doubles in a row of moments or coefficients
template <Real T>
inline constexpr std::size_t far_row = padded(Order<T>::Q);    ///< doubles in a row of far-field terms

template <Real T>
class Tables {
  static constexpr std::size_t m = Order<T>::m, Q = Order<T>::Q;
  static constexpr int R = Order<T>::R;
  static constexpr std::size_t distances = 2 * static_cast<std::size_t>(R) + 1;

 public:
  /// K_D at [D + R][l][k]: the source's degree first. The target's is that of T_k in `value`, of u^k in the others.
  using Near = double[distances][m][row<T>];
  static constexpr std::size_t gaps = 32;   ///< decays kept; larger gaps are computed

  alignas(64) Near slope, other_slope, value, curvature;   ///< of f(d), f(-d), l(d), c(d)
  alignas(64) double expand[m][far_row<T>];      ///< X[l][q - 1]
  alignas(64) double at_target[Q][row<T>];       ///< e^qu in powers of u at [q - 1]
  alignas(64) double at_target_alternating[Q][row<T>];   ///< e^-qu
  alignas(64) double decay[gaps][far_row<T>];    ///< e^(-2 q gap)
  alignas(64) double sign[far_row<T>], sign_over_q[far_row<T>], sign_times_q[far_row<T>];   ///< (-1)^(q-1), / q, * q

  /// Made at the first use in the process; later calls return the same.
  static const Tables& get() {
    static const Tables tables;
    return tables;
  }

 private:
  static constexpr std::size_t points = m + 8;   // more than m: what aliases into the coefficients is rho^-(m + 8)

  Tables() {
    double node[points], cosine[m][points];
    for (std::size_t i = 0; i < points; ++i) {
      const double angle = 3.14159265358979323846 * (static_cast<double>(i) + 0.5) / static_cast<double>(points);
      node[i] = std::cos(angle);
      for (std::size_t k = 0; k < m; ++k)
        cosine[k][i] = std::cos(static_cast<double>(k) * angle) * (k ? 2.0 : 1.0) / static_cast<double>(points);
    }
    const auto near = [&](Near& table, auto kernel) {
      for (std::size_t at = 0; at < distances; ++at) {
        double half[m][points] = {};   // transformed in u, not yet in v
        for (std::size_t i = 0; i < points; ++i)
          for (std::size_t j = 0; j < points; ++j) {
            const double sample = kernel(2.0 * (static_cast<double>(at) - R) + (node[i] - node[j]));
            for (std::size_t k = 0; k < m; ++k) half[k][j] += cosine[k][i] * sample;
          }
        for (std::size_t l = 0; l < m; ++l)
          for (std::size_t k = 0; k < row<T>; ++k) {
            double sum = 0;
            for (std::size_t j = 0; k < m && j < points; ++j) sum += cosine[l][j] * half[k][j];
            table[at][l][k] = sum;
          }
      }
    };
    near(slope, [](double d) { return simd::sigmoid(-d); });
    near(other_slope, [](double d) { return simd::sigmoid(d); });
    near(value, [](double d) { return simd::softplus(-d); });
    near(curvature, [](double d) { return simd::sigmoid(d) * simd::sigmoid(-d); });
    for (Near* table : {&slope, &other_slope, &curvature})
      for (auto& sources : *table)
        for (double* series : sources) to_powers(series);
    for (std::size_t z = 0; z < far_row<T>; ++z) {
      const bool present = z < Q;
      const double q = static_cast<double>(z) + 1;
      sign[z] = present ? (z % 2 ? -1.0 : 1.0) : 0.0;
      sign_over_q[z] = sign[z] / q;
      sign_times_q[z] = sign[z] * q;
      for (std::size_t gap = 0; gap < gaps; ++gap) decay[gap][z] = std::exp(-2 * q * static_cast<double>(gap));
      for (std::size_t l = 0; l < row<T>; ++l) {
        double sum = 0;
        for (std::size_t i = 0; present && l < m && i < points; ++i) sum += cosine[l][i] * std::exp(q * node[i]);
        if (l < m) expand[l][z] = sum;
        if (present) at_target[z][l] = sum;
      }
      if (present) to_powers(at_target[z]);
      for (std::size_t l = 0; present && l < row<T>; ++l)
        at_target_alternating[z][l] = l % 2 ? -at_target[z][l] : at_target[z][l];
    }
  }

  /// The coefficients of T_k, k < m, replaced by those of u^k.
  static void to_powers(double* series) {
    double powers[m] = {}, before[m] = {1}, now[m] = {0, 1};   // T_k-1 and T_k
    powers[0] = series[0];
    for (std::size_t k = 1; k < m; ++k) {
      for (std::size_t j = 0; j <= k; ++j) powers[j] += series[k] * now[j];
      for (std::size_t j = m; j-- > 0;) {   // downwards: now[j - 1] is still that of T_k
        const double next = (j ? 2 * now[j - 1] : 0) - before[j];
        before[j] = now[j];
        now[j] = next;
      }
    }
    for (std::size_t k = 0; k < m; ++k) series[k] = powers[k];
  }
};

}  // namespace rankgrad::pairwise::near_linear
