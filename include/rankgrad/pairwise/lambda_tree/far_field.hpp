// rankgrad/pairwise/lambda_tree/far_field.hpp: pairs between bins that do not touch, by a series of exponentials.
// SPDX-License-Identifier: MIT
//
// Bins are intervals of half-width 1 in sigma s, numbered from the top. Two that do not touch are at least D = 2 apart:
//
//   K(D) = sum_q (-1)^(q-1) e^-qD,   l(D) = sum_q (-1)^(q-1) e^-qD / q,   -K'(D) = sum_q (-1)^(q-1) q e^-qD,   q >= 1
//
// and e^-qD = e^(-q distance of the middles) e^(-q a_u) e^(-q a_l): one running sum per q stands for all bins passed so
// far and is damped from bin to bin. Truncation after Q terms, relative to the pair: e^(-2Q), (Q + 1) e^(-2Q) for -K'.
// The Chebyshev coefficients of e^(-qa) (levels.hpp's basis) turn the moments of a bin into its share of the running sum,
// and the running sum into coefficients of the field: no work per item. What an inverted pair adds, a constant slope and
// a loss D, is linear and runs along in the same way with counts and first moments.
#pragma once

#include <rankgrad/pairwise/lambda_tree/cross.hpp>

namespace rankgrad::inline RANKGRAD_ABI::pairwise::lambda_tree {

/// coefficient[q - 1][k] of S_k(a) in e^(-qa) on [-1, 1].
template <class T>
struct Exponentials {
  static constexpr std::size_t terms = Accuracy<T>::far_terms, order = Accuracy<T>::max_order;
  double coefficient[terms][order];
  double sign_loss[terms], sign_bend[terms], sign_slope[terms];

  Exponentials() {
    constexpr std::size_t points = 64;
    const double step = 3.14159265358979323846 / points;
    for (std::size_t q = 1; q <= terms; ++q) {
      const double rate = static_cast<double>(q);
      sign_slope[q - 1] = q % 2 ? 1 : -1;
      sign_loss[q - 1] = sign_slope[q - 1] / rate;
      sign_bend[q - 1] = sign_slope[q - 1] * rate;
      for (std::size_t k = 0; k < order; ++k) {
        double sum = 0;
        for (std::size_t i = 0; i < points; ++i) {
          const double angle = step * (static_cast<double>(i) + 0.5);
          sum += std::exp(-rate * std::cos(angle)) * std::cos(static_cast<double>(k) * angle);
        }
        coefficient[q - 1][k] = sum * (k ? 2 : 1) * sign_of(k) / points;
      }
    }
  }
  static const Exponentials& get() {
    static const Exponentials exponentials;
    return exponentials;
  }
};

/// The running sums over the bins passed, per grade, seen from the bin at hand: [.][0] of 1, [.][1] of w.
template <class T>
struct Far {
  static constexpr std::size_t terms = Accuracy<T>::far_terms;
  struct Sums {
    double damped[2][terms];   ///< sum of (1, w) e^(-q distance from the middle of the bin at hand)
    double count[2];           ///< sum of (1, w)
    double distance[2];        ///< sum of (1, w) times that distance
  };
  Sums grade[max_grades] = {};
  bool any = false;

  /// The bin at hand moves `shift` away; the reference discount by `step` (>= 0, away from the bins passed).
  void move(std::size_t grades, double shift, double step) {
    if (!any) return;
    double damping[terms];
    for (std::size_t q = 0; q < terms; ++q) damping[q] = std::exp(-static_cast<double>(q + 1) * shift);
    for (std::size_t g = 0; g < grades; ++g) {
      Sums& s = grade[g];
      for (std::size_t q = 0; q < terms; ++q) {
        s.damped[0][q] *= damping[q];
        s.damped[1][q] = s.damped[1][q] * damping[q] + step * s.damped[0][q];
      }
      s.distance[0] += shift * s.count[0];
      s.distance[1] += shift * s.count[1] + step * s.distance[0];
      s.count[1] += step * s.count[0];
    }
  }

  /// Takes in a bin whose middle is `distance` away; `step` moves its reference discount to the present one.
  void take_in(const Moments<T>& moments, std::size_t grades, double distance, double step) {
    const auto& e = Exponentials<T>::get();
    any = true;
    double damping[terms];
    for (std::size_t q = 0; q < terms; ++q) damping[q] = std::exp(-static_cast<double>(q + 1) * distance);
    for (std::size_t g = 0; g < grades; ++g) {
      const double *m0 = moments.zeroth[g], *m1 = moments.first[g];
      if (m0[0] == 0) continue;
      Sums& s = grade[g];
      for (std::size_t q = 0; q < terms; ++q) {
        double x0 = 0, x1 = 0;
        for (std::size_t k = 0; k < e.order; ++k) {
          x0 += e.coefficient[q][k] * m0[k];
          x1 += e.coefficient[q][k] * m1[k];
        }
        s.damped[0][q] += damping[q] * x0;
        s.damped[1][q] += damping[q] * (x1 + step * x0);
      }
      s.count[0] += m0[0];
      s.count[1] += m1[0] + step * m0[0];
      s.distance[0] += distance * m0[0] + m0[1];
      s.distance[1] += distance * m1[0] + m1[1] + step * (distance * m0[0] + m0[1]);
    }
  }

  /// Adds what grade g of the bin at hand feels. Inverted grades of the bins passed: [from, to).
  template <bool with_bends>
  void add_to(const Runs<T>& runs, std::size_t g, std::size_t from, std::size_t to, WideField<T>& field) const {
    const auto& e = Exponentials<T>::get();
    for (std::size_t q = 0; q < terms; ++q) {
      double x0 = 0, x1 = 0;
      for (std::size_t h = 0; h < runs.grades; ++h) {
        x0 += runs.gap[g][h] * grade[h].damped[0][q];
        x1 += runs.gap[g][h] * grade[h].damped[1][q];
      }
      for (std::size_t k = 0; k < e.order; ++k) {
        const double c = e.coefficient[q][k];
        field.p[k] += e.sign_slope[q] * c * x0;
        field.q[k] += e.sign_slope[q] * c * x1;
        if constexpr (with_bends) {
          field.r[k] += e.sign_bend[q] * c * x0;
          field.s[k] += e.sign_bend[q] * c * x1;
        }
      }
    }
    for (std::size_t h = from; h < to; ++h) {
      field.p[0] -= runs.gap[g][h] * grade[h].count[0];
      field.q[0] -= runs.gap[g][h] * grade[h].count[1];
    }
  }

  /// The loss between grade g of the bin at hand (its moments m0, m1) and all bins passed.
  double loss(const Runs<T>& runs, std::size_t g, std::size_t from, std::size_t to, const double* m0, const double* m1) const {
    const auto& e = Exponentials<T>::get();
    double total = 0;
    for (std::size_t q = 0; q < terms; ++q) {
      double x0 = 0, x1 = 0, y0 = 0, y1 = 0;
      for (std::size_t h = 0; h < runs.grades; ++h) {
        x0 += runs.gap[g][h] * grade[h].damped[0][q];
        x1 += runs.gap[g][h] * grade[h].damped[1][q];
      }
      for (std::size_t k = 0; k < e.order; ++k) {
        y0 += e.coefficient[q][k] * m0[k];
        y1 += e.coefficient[q][k] * m1[k];
      }
      total += e.sign_loss[q] * (x0 * y1 + x1 * y0);
    }
    for (std::size_t h = from; h < to; ++h) {
      const Sums& s = grade[h];
      total += runs.gap[g][h] * (s.distance[0] * m1[0] + s.distance[1] * m0[0] + s.count[0] * m1[1] + s.count[1] * m0[1]);
    }
    return total;
  }
};

}  // namespace rankgrad::pairwise::lambda_tree
