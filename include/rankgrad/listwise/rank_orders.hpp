// rankgrad/listwise/rank_orders.hpp: what the two orders share in which the grid's ranks can be worked on.
// SPDX-License-Identifier: MIT
//
// Sorted (sorted_ranks.hpp): pieces of the list sorted by bin, whose coefficients are then one number for a whole run.
// InPlace (in_place_ranks.hpp): the order of the list; each lane looks its bin's coefficients up in registers, and moments
// are made by closing up. The second is faster while the bins are few. Items with a gain are the only ones whose ranks
// matter: InPlace closes them up, Sorted sorts them into cells of their own. Both offer, for pieces [p] of the list that may
// be worked on side by side:
//
//   unit_moments(p, sums, workspace)   adds the moments of every bin, each item weighing 1
//   series(ranks, bells, itself, ...)  the potentials that rank() evaluates, and itself[bin] (near_linear_ranks.hpp)
//   rank(p, phi, sums, workspace)      ranks the items that gain; adds the moments with their slopes c as weights.
//                                      Returns their part of the loss
//   pull(p, columns, ...)              dL/ds of all items from the potential of these moments
//   sparse(alone, visit)               visit(bin, place, u, gain) for the items of the bins that are marked
//   correct(place, gradient, curvature, out)   adds to an item by its place; after pull()
//   finish(p, out)                     the results to where the caller wants them
//
// Read first: pairwise/near_linear/moments.hpp, evaluate.hpp.
#pragma once

#include <rankgrad/listwise/approximate_ranks.hpp>
#include <rankgrad/pairwise/near_linear/evaluate.hpp>
#include <rankgrad/pairwise/near_linear/placement.hpp>

namespace rankgrad::inline RANKGRAD_ABI::listwise {

namespace grid = pairwise::near_linear;

/// A list for the grid: gains[i] is 0 where an item has none.
template <Real T>
struct RankList {
  const T *scores, *gains;
  std::size_t n;
};

/// What becomes of one pack of items that gain: c, c B, and what the curvature's bound adds to (3/2) C, before 1/T.
template <Real T>
struct Pulls {
  simd::Pack<T> value, slope, pull, bend;
};
/// a: the rank less one half; b: the bells, `itself` among them, which the curvature has no use for, here and in C.
template <Real T, class Phi>
RANKGRAD_INLINE inline Pulls<T> pulls_of(const Phi& phi, simd::Pack<T> a, simd::Pack<T> b, simd::Pack<T> itself,
                                         simd::Pack<T> gain) {
  using namespace simd;
  const RankTerm<T> term = phi(a + Pack<T>(T(0.5)), gain);
  const Pack<T> others = larger(Pack<T>(T(0)), b - itself);
  return {term.value, term.slope, term.slope * b,
          others * fma(term.bend, others, term.slope) - Pack<T>(T(1.5)) * term.slope * itself};
}

/// How the potential C of the slopes becomes the gradient and the bound of the curvature.
template <Real T>
struct ByScore {
  simd::Pack<T> once, twice;

  RANKGRAD_INLINE simd::Pack<T> gradient(simd::Pack<T> c, simd::Pack<T> pull) const { return once * (c - pull); }
  RANKGRAD_INLINE simd::Pack<T> curvature(simd::Pack<T> c, simd::Pack<T> bend) const {
    return twice * simd::larger(simd::Pack<T>(T(0)), fma(simd::Pack<T>(T(1.5)), c, bend));
  }
};

}  // namespace rankgrad::listwise
