// rankgrad/pairwise/near_linear/cost.hpp: which way to the all-pairs logistic loss is the fastest, predicted.
// SPDX-License-Identifier: MIT
//
// Linear models in what is known before the work starts. The coefficients are fits to times measured on one machine;
// only their ratios matter for the choice. All of them stand in Costs: refit them there where a kernel changes
// (bench/dispatch.cpp).
#pragma once

#include <rankgrad/pairwise/near_linear/moments.hpp>

namespace rankgrad::inline RANKGRAD_ABI::pairwise::near_linear {

enum class Path {
  automatic,   ///< the one that is predicted to be the fastest
  pairs,       ///< every pair: the engine of pairwise/engine.hpp
  registers,   ///< moments by compressing, coefficients by register tables; few cells
  sorted,      ///< moments and evaluation over runs of a counting sort; few items in a bin: as `streamed`
  streamed     ///< the same, a stretch of bins at a time (streamed.hpp)
};

struct Shape {
  double items = 0, pairs = 0, classes = 2;
  double span = 1;        ///< bins from the lowest to the highest score
  bool weighted = false;
};

/// Nanoseconds. pairs = fixed + per item + per pair (wide: where the scores are too far apart for the kernel without
/// exponentials); registers = fixed + per item + per item and bin or class + per bin; sorted = fixed + per item + per bin,
/// and per item where most bins are empty and must be left out. Bins with items count, twice for each pair of classes next
/// to each other. Fitted by non-negative least squares on relative errors to what bench/dispatch.cpp measures, on a Zen 4;
/// wide_pair of the first row is between that (0.74) and a Xeon (1.3).
template <Real T>
struct Costs {
  static constexpr bool narrow = sizeof(T) == 4;
#if defined(__AVX512F__)
  static constexpr double pairs_fixed = narrow ? 185 : 171, pair_item = narrow ? 3.2 : 3.6;
  static constexpr double pair = narrow ? 0.17 : 0.317, wide_pair = narrow ? 1.0 : 2.4;
  static constexpr double registers_fixed = narrow ? 298 : 279, registers_item = narrow ? 1.59 : 2.9;
  static constexpr double registers_item_bin = narrow ? 0.092 : 0.496, registers_bin = narrow ? 83 : 179;
  static constexpr double sorted_fixed = narrow ? 241 : 134, sorted_item = narrow ? 4.37 : 6.84;
  static constexpr double bin = narrow ? 60 : 109, sparse_item = narrow ? 6 : 9;
#elif defined(__AVX2__)
  static constexpr double pairs_fixed = narrow ? 249 : 181, pair_item = narrow ? 4.1 : 5.0;
  static constexpr double pair = narrow ? 0.251 : 0.448, wide_pair = narrow ? 1.16 : 3.3;
  static constexpr double registers_fixed = narrow ? 340 : 349, registers_item = narrow ? 1.37 : 10.4;
  static constexpr double registers_item_bin = narrow ? 0.276 : 0.409, registers_bin = narrow ? 74 : 180;
  static constexpr double sorted_fixed = narrow ? 255 : 117, sorted_item = narrow ? 4.06 : 7.99;
  static constexpr double bin = narrow ? 61 : 116, sparse_item = narrow ? 5 : 7;
#else
  static constexpr double pairs_fixed = narrow ? 295 : 269, pair_item = narrow ? 7.9 : 12.4;
  static constexpr double pair = narrow ? 0.439 : 0.872, wide_pair = narrow ? 4.17 : 7;
  static constexpr double registers_fixed = narrow ? 286 : 165, registers_item = narrow ? 4.52 : 16;
  static constexpr double registers_item_bin = narrow ? 1.13 : 1.86, registers_bin = narrow ? 123 : 345;
  static constexpr double sorted_fixed = narrow ? 226 : 149, sorted_item = narrow ? 6.85 : 20.4;
  static constexpr double bin = narrow ? 91 : 196, sparse_item = narrow ? 6 : 11;
#endif
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
  const double bins = occupied * 2 * (shape.classes - 1);
  const double weights = shape.weighted ? 1.3 : 1;
  const bool wide = 2 * shape.span > (C::narrow ? 174 : 1416);   // pairwise/min_form.hpp
  switch (path) {
    case Path::registers:
      return C::registers_fixed + C::registers_bin * bins +
             shape.items * weights * (C::registers_item + C::registers_item_bin * (shape.span + shape.classes));
    case Path::sorted:
      return C::sorted_fixed + C::bin * bins +
             shape.items * (C::sorted_item + (shape.span > shape.items / 16 ? C::sparse_item : 0.0));
    default: return C::pairs_fixed + C::pair_item * shape.items + (wide ? C::wide_pair : C::pair) * shape.pairs;
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
