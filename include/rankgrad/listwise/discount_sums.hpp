// rankgrad/listwise/discount_sums.hpp: the sum of the discounts of the first r ranks, without visiting the ranks.
// SPDX-License-Identifier: MIT
//
//   S(r) = sum_{k <= r} D(k),   D(k) = 1 / log2(1 + k) or 1 / k
//
// What an ideal ranking of graded labels needs: S at one rank for each grade. Up to rank `exact` from a table; beyond, by
// Euler and Maclaurin from a = exact on:
//
//   S(b) = S(a) + int_a^b D + (D(b) - D(a)) / 2 + [D' / 12 - D''' / 720 + D^(5) / 30240]_a^b
//
// The term left out, D^(7) / 1209600 at a = 64, is 3e-17. With x = 1 + k, L = ln x:
//
//   1 / L :  D' = -L^-2 / x,   D''' = -(2 L^-2 + 6 L^-3 + 6 L^-4) / x^3,
//            D^(5) = -(24 L^-2 + 100 L^-3 + 210 L^-4 + 240 L^-5 + 120 L^-6) / x^5
//
// and with t = ln x the integral is that of e^t / t, by Gauss and Legendre with 8 nodes on panels 1.5 wide: the pole at
// t = 0 is 6.5 half widths from the first panel's centre, rho = 13, rho^-16 = 2e-18.
//
// Source: Davis, Rabinowitz, Methods of Numerical Integration, 2nd edition 1984, sections 2.7 and 2.9.
#pragma once

#include <rankgrad/metric/gain_discount.hpp>

#include <cmath>

namespace rankgrad::inline RANKGRAD_ABI::listwise {

class DiscountSums {
 public:
  explicit DiscountSums(Discount discount)
      : discount_(discount), table_(discount == Discount::log2 ? table<Discount::log2>() : table<Discount::reciprocal>()) {}

  /// S(r). Must be asked for with rising r.
  double up_to(std::size_t r) {
    if (r <= exact) return table_.sum[r];
    const double x = static_cast<double>(r), a = static_cast<double>(exact);
    if (discount_ == Discount::reciprocal) return table_.sum[exact] + std::log(x / a) + (rest(discount_, x) - rest(discount_, a));
    const double to = std::log1p(x);
    integrate(to);
    return table_.sum[exact] + ln2 * integral_ + (rest(discount_, x) - rest(discount_, a));
  }

 private:
  static constexpr std::size_t exact = 64;
  static constexpr double ln2 = 0.69314718055994530942;

  struct Table {
    double sum[exact + 1] = {};
  };
  template <Discount discount>
  static const Table& table() {
    static const Table made = [] {
      Table t;
      for (std::size_t r = 1; r <= exact; ++r) t.sum[r] = t.sum[r - 1] + discount_of(discount, r);
      return t;
    }();
    return made;
  }

  /// What the formula adds to the integral, at one end.
  static double rest(Discount discount, double rank) {
    if (discount == Discount::reciprocal) {
      const double i = 1 / rank, i2 = i * i;
      return i * (0.5 - i / 12 + i * i2 / 120 - i * i2 * i2 / 252);
    }
    const double y = 1 / (1 + rank), y2 = y * y, l = 1 / std::log1p(rank), l2 = l * l;
    const double third = l2 * (2 + l * (6 + l * 6)), fifth = l2 * (24 + l * (100 + l * (210 + l * (240 + l * 120))));
    return ln2 * (l / 2 - y * l2 / 12 + y * y2 * third / 720 - y * y2 * y2 * fifth / 30240);
  }

  /// Moves the integral of e^t / t on to `to`.
  void integrate(double to) {
    using namespace simd;
    // The nodes of P_8 in (0, 1) and their weights, as in any table.
    alignas(64) static constexpr double nodes[8] = {
        -0.96028985649753623168, -0.79666647741362673959, -0.52553240991632898582, -0.18343464249564980494,
        0.18343464249564980494,  0.52553240991632898582,  0.79666647741362673959,  0.96028985649753623168};
    alignas(64) static constexpr double weights[8] = {
        0.10122853629037625915, 0.22238103445337447054, 0.31370664587788728734, 0.36268378337836198297,
        0.36268378337836198297, 0.31370664587788728734, 0.22238103445337447054, 0.10122853629037625915};
    while (from_ < to) {
      const double end = to - from_ > 1.5 ? from_ + 1.5 : to, half = (end - from_) / 2, centre = from_ + half;
      double panel = 0;
      for (std::size_t i = 0; i < 8; i += lanes<double>) {
        const Pack<double> t = fma(Pack<double>(half), load(nodes + i), Pack<double>(centre));
        panel += wide_sum(load(weights + i) * exp<double>(t) / t);
      }
      integral_ += half * panel;
      from_ = end;
    }
  }

  Discount discount_;
  const Table& table_;
  double from_ = std::log1p(static_cast<double>(exact)), integral_ = 0;
};

}  // namespace rankgrad::listwise
