// rankgrad/simd/scalar.hpp: softplus and sigmoid of one number, for sums that are done once a list, a row or a pair.
// SPDX-License-Identifier: MIT
//
// For packs: simd/math.hpp.
#pragma once

#include <rankgrad/config.hpp>

#include <algorithm>
#include <cmath>

namespace rankgrad::inline RANKGRAD_ABI::simd {

/// log(1 + e^x), for any x; NaN for NaN.
inline double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }

/// 1 / (1 + e^-x), likewise. What is small keeps its digits: 1 - sigmoid(x) is sigmoid(-x).
inline double sigmoid(double x) {
  const double e = std::exp(-std::abs(x));
  return (x < 0 ? e : 1) / (1 + e);
}

}  // namespace rankgrad::simd
