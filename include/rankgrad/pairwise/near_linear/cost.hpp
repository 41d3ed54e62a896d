// rankgrad/pairwise/near_linear/cost.hpp: which way to the all-pairs logistic loss is the fastest, predicted.
// SPDX-License-Identifier: MIT
//
// Linear models in what is known before the work starts. The coefficients are fits to measured times, in nanoseconds on
// one machine; only their ratios matter for the choice. Refit them where a kernel changes: bench/near_linear.cpp prints
// the times and the features.
#pragma once

#include <rankgrad/pairwise/near_linear/moments.hpp>

namespace rankgrad::inline RANKGRAD_ABI::pairwise::near_linear {

enum class Path {
  automatic,   ///< the one that is predicted to be the fastest
  pairs,       ///< every pair: the engine of pairwise/engine.hpp
  registers,   ///< moments by compressing, coefficients by register tables; few cells
  sorted       ///< moments and evaluation over runs of a counting sort
};

struct Shape {
  double items = 0, pairs = 0, classes = 2;
  double span = 1;        ///< bins from the lowest to the highest score
  bool weighted = false;
};

/// nanoseconds = fixed + per_item * items + per_pair * pairs + ...
template <Real T>
struct Costs {
#if defined(__AVX512F__)
  static constexpr double pair = sizeof(T) == 4 ? 0.45 : 1.9, pair_item = sizeof(T) == 4 ? 8 : 9;
  static constexpr double registers_item = sizeof(T) == 4 ? 0.8 : 2.6, registers_item_bin = sizeof(T) == 4 ? 0.07 : 0.2;
  static constexpr double sorted_item = sizeof(T) == 4 ? 3.0 : 5.5;
  static constexpr double bin = sizeof(T) == 4 ? 120 : 350;
#elif defined(__AVX2__)
  static constexpr double pair = sizeof(T) == 4 ? 0.8 : 3.5, pair_item = sizeof(T) == 4 ? 8 : 9;
  static constexpr double registers_item = sizeof(T) == 4 ? 1.2 : 9, registers_item_bin = sizeof(T) == 4 ? 0.1 : 0.5;
  static constexpr double sorted_item = sizeof(T) == 4 ? 3.3 : 7.5;
  static constexpr double bin = sizeof(T) == 4 ? 150 : 450;
#else
  static constexpr double pair = sizeof(T) == 4 ? 3 : 7, pair_item = 10;
  static constexpr double registers_item = 30, registers_item_bin = 3;
  static constexpr double sorted_item = sizeof(T) == 4 ? 6 : 12;
  static constexpr double bin = sizeof(T) == 4 ? 400 : 1000;
#endif
  static constexpr double fixed = 150;
};

/// How many cells the register tables hold, and how many bins a pack is compressed for.
template <Real T>
inline constexpr std::size_t max_register_cells = 64;
inline constexpr std::size_t max_register_bins = 16;

inline bool fits_registers(const Shape& shape) {
  return shape.span <= static_cast<double>(max_register_bins) && shape.classes <= 8 && shape.span * shape.classes <= 64;
}

template <Real T>
double predicted(Path path, const Shape& shape) {
  using C = Costs<T>;
  const double occupied = std::min(shape.span, shape.items);
  const double grid = C::fixed + C::bin * occupied * 2 * (shape.classes - 1);
  const double weights = shape.weighted ? 1.3 : 1;
  switch (path) {
    case Path::registers:
      return grid + shape.items * weights * (C::registers_item + C::registers_item_bin * (shape.span + shape.classes));
    case Path::sorted: return grid + shape.items * C::sorted_item + (shape.span > shape.items / 16 ? 8 * shape.items : 0.0);
    default: return C::pair_item * shape.items + C::pair * shape.pairs;
  }
}

/// The path with the smallest prediction; `registers` only where the cells fit.
template <Real T>
Path choose(const Shape& shape) {
  Path best = Path::pairs;
  double least = predicted<T>(Path::pairs, shape);
  for (const Path path : {Path::registers, Path::sorted}) {
    if (path == Path::registers && !fits_registers(shape)) continue;
    const double cost = predicted<T>(path, shape);
    if (cost < least) least = cost, best = path;
  }
  return best;
}

/// Below this many items the pairs win whatever the bins are: the cheapest grid costs more.
template <Real T>
inline constexpr std::size_t always_pairs = 32;

}  // namespace rankgrad::pairwise::near_linear
