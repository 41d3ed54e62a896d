// rankgrad/pairwise/near_linear/items.hpp: a list as classes of scores, and the cells (class, bin) of its grid.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/list_view.hpp>
#include <rankgrad/pairwise/near_linear/bins.hpp>
#include <rankgrad/pairwise/near_linear/potentials.hpp>

namespace rankgrad::inline RANKGRAD_ABI::pairwise::near_linear {

/// Which pairs are compared.
enum class Target {
  two_classes,   ///< label > 0 with all others
  graded,        ///< every y_i > y_j
  single         ///< one class: every item with every item
};

/// Lists with a wider range of grades are left to the pairs.
inline constexpr std::size_t most_classes = 32;

/// Scores are worked on in pieces of this many: a piece's moments are summed on their own and the pieces added in
/// order, so that whoever computes the pieces, the bits are the same.
inline constexpr std::size_t piece_size = 16384;

/// Packs worked on at once, so that their recurrences do not wait for each other.
inline constexpr std::size_t together = 4;

template <Real T>
struct Items {
  const T *scores, *labels, *weights;   ///< weights null for 1
  std::size_t n;
  Target target;
  T lowest_label;         ///< graded: class 0
  std::size_t classes;

  /// The class of each lane, a whole number in T.
  RANKGRAD_INLINE Pack<T> class_of(Pack<T> label) const {
    if (target == Target::two_classes) return select(label > Pack<T>(T(0)), Pack<T>(T(1)), Pack<T>(T(0)));
    if (target == Target::single) return Pack<T>(T(0));
    return label - Pack<T>(lowest_label);
  }
};

/// Cell c * bins + b holds the items of class c in bin b. The bin of x on the grid is `first` + b, or, where the grid is
/// far larger than the list, compact[i] is b for item i.
template <Real T>
struct Grid {
  Scaling<T> scaling;
  Terms terms;
  T first;
  Bins bins;
  const std::uint32_t* compact = nullptr;
};

}  // namespace rankgrad::pairwise::near_linear
