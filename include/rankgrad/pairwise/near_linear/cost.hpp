// rankgrad/pairwise/near_linear/cost.hpp: which way to the all-pairs logistic loss is the fastest, predicted.
// SPDX-License-Identifier: MIT
//
// Linear models in what is known before the work starts. The coefficients are fits to times measured on one machine;
// only their ratios matter for the choice. All of them stand in Costs: refit them there where a kernel changes.
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

/// Nanoseconds: of the pairs, for each pair and item; of registers, for each item, and each item and bin or class; of
/// sorting, for each item; of the grid step, for each bin with items and pair of classes next to each other, twice.
/// AVX-512 is fitted; the others are scaled from it by the measured ratios of single kernels.
template <Real T>
struct Costs {
  static constexpr bool narrow = sizeof(T) == 4;
#if defined(__AVX512F__)
  static constexpr double pair = narrow ? 0.46 : 1.15, pair_item = 12;
  static constexpr double registers_item = narrow ? 1.0 : 3.2, registers_item_bin = narrow ? 0.09 : 0.3;
  static constexpr double sorted_item = narrow ? 3.2 : 4.8, bin = narrow ? 70 : 290;
#elif defined(__AVX2__)
  static constexpr double pair = narrow ? 0.9 : 2.4, pair_item = 12;
  static constexpr double registers_item = narrow ? 1.4 : 12, registers_item_bin = narrow ? 0.13 : 0.6;
  static constexpr double sorted_item = narrow ? 3.7 : 7.5, bin = narrow ? 100 : 400;
#else
  static constexpr double pair = narrow ? 3 : 7, pair_item = 12;
  static constexpr double registers_item = 30, registers_item_bin = 3;
  static constexpr double sorted_item = narrow ? 7 : 14, bin = narrow ? 200 : 800;
#endif
  static constexpr double fixed = 400;
};

/// How many cells the register tables hold, and how many bins a pack is compressed for.
inline constexpr std::size_t max_register_cells = 64, max_register_bins = 16, max_register_classes = 8;

inline bool fits_registers(const Shape& shape) {
  return shape.span <= static_cast<double>(max_register_bins) && shape.classes <= static_cast<double>(max_register_classes) &&
         shape.span * shape.classes <= static_cast<double>(max_register_cells);
}

template <Real T>
double predicted(Path path, const Shape& shape) {
  using C = Costs<T>;
  const double occupied = shape.span * shape.items / (shape.span + shape.items);   // at most either
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
