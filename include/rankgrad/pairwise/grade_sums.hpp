// rankgrad/pairwise/grade_sums.hpp: sums of shortfalls over the items of lower grades, as a sweep by score takes items in.
// SPDX-License-Identifier: MIT
//
//   B = sum w_j,   X = sum w_j (m - d_ij),   Y = sum w_j (m - d_ij)^2      over the items j taken in with grade_j < grade_i
//
// A tree of fan-out 8 over the grades. A node keeps, for each of its 8 children, the sums over the children in front: taking
// an item in adds to one row of 8 numbers per level, asking reads one number per level. Up to 8 grades are one node.
//
// X and Y are kept relative to a score o, that of the last item the node took in, and moved there before the next:
//
//   Y += D (2 X + D B),   X += D B,   D = o - s_j >= 0;      asked by i with D = m - (s_i - o) > 0
//
// since scores fall as the sweep goes, and whoever asks falls short of all that were taken in. So no term is ever negative
// and nothing cancels, however far scores lie apart: errors are 2^-53 times a small multiple of the steps, at most n,
// relative to each sum itself.
#pragma once

#include <rankgrad/core/workspace.hpp>
#include <rankgrad/simd/pack.hpp>

namespace rankgrad::inline RANKGRAD_ABI::pairwise::hinge_sweep {

using simd::Pack;

inline constexpr std::size_t fan_out = 8, fan_bits = 3;

/// One row of each sum; [c] is over the children in front of c.
struct Node {
  alignas(64) double weight[fan_out];
  double shortfall[fan_out], square[fan_out];
  double origin;
};

/// B, X, Y.
struct Sums {
  double weight = 0, shortfall = 0, square = 0;
};
/// What a node has in front of child c, seen from `step` below its origin.
template <int moments>
RANKGRAD_INLINE inline Sums of_child(const Node& node, std::size_t c, double step) {
  Sums sums{node.weight[c], 0, 0};
  if constexpr (moments > 0) sums.shortfall = node.shortfall[c] + step * sums.weight;
  if constexpr (moments > 1) sums.square = node.square[c] + step * (node.shortfall[c] + sums.shortfall);
  return sums;
}

/// children_behind[c][d] = 1 where child d comes after c.
inline constexpr auto children_behind = [] {
  struct {
    double row[fan_out][fan_out] = {};
    constexpr const double* operator[](std::size_t c) const { return row[c]; }
  } behind;
  for (std::size_t c = 0; c < fan_out; ++c)
    for (std::size_t d = c + 1; d < fan_out; ++d) behind.row[c][d] = 1;
  return behind;
}();

/// Sums over grades 0 .. count - 1. moments: 0 for B, 1 for X too, 2 for Y too.
template <int moments>
class GradeTree {
 public:
  GradeTree(std::size_t count, Workspace& workspace) {
    std::size_t nodes[most_levels], all = 0;
    do {
      count = (count + fan_out - 1) / fan_out;
      nodes[levels_++] = count;
      all += count;
    } while (count > 1);
    Node* next = workspace.take<Node>(all);
    for (std::size_t i = 0; i < all; ++i) next[i] = Node{};
    for (std::size_t l = 0; l < levels_; next += nodes[l++]) level_[l] = next;
  }

  RANKGRAD_INLINE void take_in(std::size_t grade, double score, double weight) {
    using P = Pack<double>;
    for (std::size_t l = 0; l < levels_; ++l, grade >>= fan_bits) {
      Node& node = level_[l][grade >> fan_bits];
      const double* behind = children_behind[grade % fan_out];
      const P step(node.origin - score), w(weight);
      for (std::size_t c = 0; c < fan_out; c += simd::lanes<double>) {
        const P b = simd::load(node.weight + c);
        if constexpr (moments > 0) {
          const P x = simd::load(node.shortfall + c), moved = simd::fma(step, b, x);
          if constexpr (moments > 1) simd::store(node.square + c, simd::fma(step, x + moved, simd::load(node.square + c)));
          simd::store(node.shortfall + c, moved);
        }
        simd::store(node.weight + c, simd::fma(w, simd::load(behind + c), b));
      }
      node.origin = score;
    }
  }

  /// Over the grades below `grade`.
  RANKGRAD_INLINE Sums below(std::size_t grade, double score, double margin) const {
    Sums sums;
    for (std::size_t l = 0; l < levels_; ++l, grade >>= fan_bits) {
      const Node& node = level_[l][grade >> fan_bits];
      const Sums here = of_child<moments>(node, grade % fan_out, margin - (score - node.origin));
      sums.weight += here.weight;
      sums.shortfall += here.shortfall;
      sums.square += here.square;
    }
    return sums;
  }

 private:
  static constexpr std::size_t most_levels = 11;   // of grades numbered in 32 bits
  Node* level_[most_levels] = {};
  std::size_t levels_ = 0;
};

/// The same for up to fan_out grades, one node, whose sums stay in registers. Where each item has been taken in, the node is
/// written to `after`: who asks later finds the state it wants.
template <int moments>
class FewGrades {
 public:
  FewGrades() {
    for (std::size_t p = 0; p < packs; ++p) weight_[p] = shortfall_[p] = square_[p] = Pack<double>(0.0);
  }
  RANKGRAD_INLINE void take_in(std::size_t grade, double score, double weight, Node& after) {
    using P = Pack<double>;
    const P step(origin_ - score), w(weight);
    for (std::size_t p = 0; p < packs; ++p) {
      const std::size_t c = p * simd::lanes<double>;
      if constexpr (moments > 0) {
        const P moved = simd::fma(step, weight_[p], shortfall_[p]);
        if constexpr (moments > 1) {
          square_[p] = simd::fma(step, shortfall_[p] + moved, square_[p]);
          simd::store(after.square + c, square_[p]);
        }
        shortfall_[p] = moved;
        simd::store(after.shortfall + c, moved);
      }
      weight_[p] = simd::fma(w, simd::load(children_behind[grade] + c), weight_[p]);
      simd::store(after.weight + c, weight_[p]);
    }
    after.origin = origin_ = score;
  }

 private:
  static constexpr std::size_t packs = fan_out / simd::lanes<double>;
  double origin_ = 0;
  Pack<double> weight_[packs], shortfall_[packs], square_[packs];
};

}  // namespace rankgrad::pairwise::hinge_sweep
