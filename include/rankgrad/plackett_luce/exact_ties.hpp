// rankgrad/plackett_luce/exact_ties.hpp: the probability that a group of tied items precedes the rest, in any order.
// SPDX-License-Identifier: MIT
//
// Let items arrive at exponential times with rates e^s, x_j = s_j - log sum_rest e^s, and t the logarithm of the time of
// the first arrival of the rest, in units of its mean:
//   P = P(all of G arrive before the rest) = Int exp(t - e^t) prod_{j in G} (1 - exp(-y_j)) dt,   y_j = e^(x_j + t)
// The integrand is log-concave and analytic for |Im t| < pi / 2, so the trapezoidal rule around its mode converges
// geometrically; unlike a rule with fixed nodes in u = exp(-e^t), it follows groups of any size at any distance.
// With <.> the mean under the integrand and h_j = y_j / (e^y_j - 1) = d log(1 - exp(-y_j)) / dx_j:
//   F = -log P,  dF/dx_j = -D_j,  D_j = <h_j>,    d2F/dx_j2 = D_j^2 - <h_j (1 - y_j)> >= 0
//   along all x together:  F'' = (sum D)^2 - <sum h_j (1 - y_j - h_j)> - <(sum h_j)^2> >= 0
// F is convex (Prekopa: the set of Gumbel noises that put G first is convex jointly with the scores).
#pragma once

#include <rankgrad/plackett_luce/target_order.hpp>

#include <utility>

namespace rankgrad::inline RANKGRAD_ABI::plackett_luce {

/// F of one group of m >= 1 items given x, its derivatives D and d2F/dx_j2 per item, and along all x together.
class TieGroup {
  using Pack = simd::Pack<double>;

 public:
  double value = 0;           ///< F
  double* slopes = nullptr;   ///< D_j = -dF/dx_j
  double* bends = nullptr;    ///< d2F/dx_j2
  double slope = 0;           ///< sum of D
  double bend = 0;            ///< second derivative when all x move together

  /// Memory for groups of up to `m` items.
  TieGroup(std::size_t m, Workspace& workspace)
      : slopes(workspace.take<double>(m)), bends(workspace.take<double>(m)), x_(workspace.take<double>(m)),
        h_(workspace.take<double>(m)), y_(workspace.take<double>(m)) {}

  void integrate(const double* scores, std::size_t m, double log_rest) {
    m_ = m;
    if (m == 1) return one(scores[0] - log_rest);
    double lowest = scores[0] - log_rest, base = 0;
    base_ = 0;
    for (std::size_t j = 0; j < m; ++j) {
      x_[j] = scores[j] - log_rest;
      lowest = std::min(lowest, x_[j]);
      base += std::min(x_[j], 0.0);   // taken out of the product, which then neither overflows nor loses digits
      if (j % 64 == 63) base_ += std::exchange(base, 0);   // sums of many equal terms round the same way every time
    }
    base_ += base;
    std::fill(slopes, slopes + m, 0.0);
    std::fill(bends, bends + m, 0.0);

    // The mode: e^t = 1 + sum h, and every h lies in [0, 1].
    double low = 0, high = std::log1p(static_cast<double>(m));
    for (int i = 0; i < 40; ++i) {
      const double middle = (low + high) / 2;
      (std::exp(middle) < 1 + node_at(middle).h ? low : high) = middle;
    }
    const Node mode = node_at(low);
    const double peak = low - std::exp(low) + mode.log_product;
    // Narrow enough for the curvature at the mode and for the strip, of about 1 / log m, in which the product of a
    // large group stays small.
    const double step = std::min(0.6 / std::sqrt(std::exp(low) - mode.bend), 0.4 / (1 + std::log(static_cast<double>(m))));

    double mass = 0, bend_mean = 0, square_mean = 0;
    const auto add = [&](double t) {
      const Node node = node_at(t);
      const double log_f = t - std::exp(t) + node.log_product - peak, f = std::exp(log_f);
      for (std::size_t j = 0; j < m; ++j) {
        slopes[j] += f * h_[j];
        bends[j] += f * h_[j] * (1 - y_[j]);
      }
      mass += f;
      bend_mean += f * node.bend;
      square_mean += f * node.h * node.h;
      return log_f > -42 ? node_limit_ : std::size_t{0};
    };
    add(low);
    for (std::size_t i = 1; i < add(low + static_cast<double>(i) * step); ++i) {}
    for (std::size_t i = 1; i < add(low - static_cast<double>(i) * step); ++i) {}

    slope = 0;
    for (std::size_t j = 0; j < m; ++j) {
      slopes[j] /= mass;
      slope += slopes[j];
      bends[j] = std::max(0.0, slopes[j] * slopes[j] - bends[j] / mass);
    }
    bend = std::max(0.0, slope * slope - (bend_mean + square_mean) / mass);
    value = -(std::log(mass * step) + peak + base_);
    if (value < 0.7) value = -std::log1p(-missing(lowest, step));
  }

 private:
  struct Node {
    double log_product;   ///< log prod_j (1 - exp(-y_j)) - base_
    double h;             ///< sum of h
    double bend;          ///< sum of dh/dx = h (1 - y - h)
  };

  /// P = e^x / (1 + e^x): the softplus of pairs.
  void one(double x) {
    value = simd::softplus(-x);
    slope = slopes[0] = std::exp(-simd::softplus(x));
    bend = bends[0] = slope * std::exp(-simd::softplus(-x));
  }

  /// Fills h_ and y_. For y < 1, 1 - e^-y = y e^(-y/2) q with q = sinh(y/2) / (y/2); what stays under the logarithm is
  /// then between 1/2 and 2 for every item, so that one logarithm serves many of them.
  Node node_at(double t) {
    constexpr std::size_t per_flush = 64;
    const Pack top(4.1588830833596715), one(1.0);   // log 64: e^-64 is nothing beside 1
    Pack sum(0.0), h_sum(0.0), bend_sum(0.0), product(1.0);
    double logs = 0;
    const auto flush = [&] {
      alignas(64) double lane[simd::lanes<double>];
      simd::store(lane, product);
      for (const double p : lane) logs += std::log(p);
      logs += simd::sum(sum);
      product = one;
      sum = Pack(0.0);
    };
    simd::for_each_pack<double>(m_, [&](std::size_t j, auto at) RANKGRAD_INLINE {
      const Pack x = at.load(x_ + j, 0.0), exists = at.load_ones(), z = x + Pack(t) - top;
      const Pack y = Pack(64.0) * simd::exp_nonpositive<double>(simd::select(z > Pack(0.0), Pack(0.0), z));
      const Pack half = simd::exp_nonpositive<double>(Pack(-0.5) * y), w = Pack(0.25) * y * y;
      const Pack q = simd::horner<double>(w, 1, 1. / 6, 1. / 120, 1. / 5040, 1. / 362880, 1. / 39916800, 1. / 6227020800);
      const auto small = y < one;
      const Pack factor = simd::select(small, q, one - half * half), base = simd::select(x < Pack(0.0), x, Pack(0.0));
      const Pack h = simd::select(small, half / q, half * half * y / factor);
      sum = simd::fma(exists, simd::select(small, (x - base) + Pack(t) - Pack(0.5) * y, -base), sum);
      product = product * simd::select(exists > Pack(0.5), factor, one);
      h_sum = simd::fma(exists, h, h_sum);
      bend_sum = simd::fma(exists, h * (one - y - h), bend_sum);
      simd::store(h_ + j, h);   // the workspace is padded
      simd::store(y_ + j, y);
      if ((j / simd::lanes<double>) % per_flush == per_flush - 1) flush();
    });
    flush();
    return {logs, simd::sum(h_sum), simd::sum(bend_sum)};
  }

  /// 1 - P, where P is near 1 and its logarithm would lose digits. The integrand has its mass where the last of the
  /// group arrives: around t = -lowest.
  double missing(double lowest, double step) {
    if (lowest > 700) return 0;
    double sum = 0;
    const double from = -lowest - 42, to = -lowest + 5;
    for (double i = 0; from + i * step < to; ++i) {
      const double t = from + i * step;
      sum += std::exp(t - std::exp(t)) * -std::expm1(node_at(t).log_product + base_);
    }
    return sum * step;
  }

  static constexpr std::size_t node_limit_ = 100000;   // never reached by finite scores
  std::size_t m_ = 0;
  double base_ = 0;
  double *x_, *h_, *y_;
};

/// L = sum_g W_g F_g with W_g = mean(u) mean(v) over the group: value, gradient and, where not null, curvature of a list
/// in target order, overwritten. The group at the end precedes nothing and adds nothing.
inline double exact_ties(const WeightedTarget& weighted, double* gradient, double* curvature, Workspace& workspace) {
  const auto frame = workspace.frame();
  const Target& target = weighted.target;
  const std::size_t n = target.n, groups = target.groups;
  double* logs = workspace.take<double>(groups);   // log Z_g
  std::size_t largest = 0;
  for (std::size_t g = groups; g-- > 0;) {
    const std::size_t b = target.begin(g), e = target.end(g);
    logs[g] = log_sum(target.scores, b, e, e < n, e < n ? logs[g + 1] : 0);
    largest = std::max(largest, e - b);
  }
  TieGroup group(largest, workspace);
  // An item below the group has x_j fall by its share p of the rest: dF/ds = p sum D, d2F/ds2 = p (1 - p) sum D + p^2 F''.
  double value = 0, a = 0, b2 = 0;   // sums over the groups above, in units of 1 / Z_g and 1 / Z_g^2
  for (std::size_t g = 0; g < groups; ++g) {
    const std::size_t b = target.begin(g), e = target.end(g);
    const bool last = e == n;
    double weight = 0;
    for (std::size_t k = b; k < e; ++k) weight += weighted.place[k];
    weight /= static_cast<double>(e - b);
    if (!last) group.integrate(target.scores + b, e - b, logs[g + 1]);
    for (std::size_t k = b; k < e; ++k) {
      const double p = std::exp(target.scores[k] - logs[g]);
      gradient[k] = p * a - (last ? 0 : weight * group.slopes[k - b]);
      if (curvature) curvature[k] = std::max(0.0, p * (a - p * b2)) + (last ? 0 : weight * group.bends[k - b]);
    }
    if (last) break;
    value += weight * group.value;
    const double ratio = std::exp(logs[g + 1] - logs[g]);
    a = a * ratio + weight * group.slope;
    b2 = b2 * ratio * ratio + weight * (group.slope - group.bend);
  }
  return value;
}

}  // namespace rankgrad::plackett_luce
