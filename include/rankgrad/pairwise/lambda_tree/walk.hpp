// rankgrad/pairwise/lambda_tree/walk.hpp: all pairs inside one node: halves by moments, narrow and short ones at once.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/pairwise/lambda_tree/bins.hpp>
#include <rankgrad/pairwise/lambda_tree/direct.hpp>
#include <rankgrad/pairwise/lambda_tree/rank_sweep.hpp>

namespace rankgrad::inline RANKGRAD_ABI::pairwise::lambda_tree {

/// A node of at most this many items goes pair by pair where it is too wide for the sweep.
inline constexpr std::size_t leaf_items = 96;

/// A short node pair by pair.
template <class T>
double leaf(const Runs<T>& runs, const Node& node, Direct<T> a) {
  a.n = 0;
  for (std::size_t g = 0; g < runs.grades; ++g)
    for (std::size_t z = node.begin[g]; z < node.end[g]; ++z, ++a.n) {
      a.places[a.n] = runs.places[z];
      a.discounts[a.n] = runs.discounts[z];
      a.gains[a.n] = static_cast<T>(runs.gain[g]);
      if (a.weights) a.weights[a.n] = runs.weights[z];
      a.row_slopes[a.n] = 0;
      if (a.bends) a.row_bends[a.n] = 0;
    }
  fill_exponentials(a);
  const double loss = direct_pairs<false>(a);
  std::size_t i = 0;
  for (std::size_t g = 0; g < runs.grades; ++g)
    for (std::size_t z = node.begin[g]; z < node.end[g]; ++z, ++i) {
      runs.slopes[z] += static_cast<T>(a.row_slopes[i]);
      if (a.bends) runs.bends[z] += static_cast<T>(a.row_bends[i]);
    }
  return loss;
}

/// A node with its place in the tree.
template <class T>
struct Subtree {
  Node node;
  std::size_t depth;        ///< half-width 2^-depth
  T middle;
  std::size_t first_rank;   ///< that of its first item
};

/// What decides how a node is worked on.
template <class T>
struct Look {
  std::uint32_t size = 0;
  std::size_t filled = 0;   ///< grades
  T high = T(-2), low = T(2);

  Look(const Runs<T>& runs, const Node& node) {
    for (std::size_t g = 0; g < runs.grades; ++g)
      if (node.end[g] > node.begin[g]) {
        size += node.end[g] - node.begin[g];
        ++filled;
        high = std::max(high, runs.places[node.begin[g]]);
        low = std::min(low, runs.places[node.end[g] - 1]);
      }
  }
  T centre() const { return low + (high - low) / 2; }
  bool narrow(std::size_t depth) const {
    return high - low <= static_cast<T>(Accuracy<T>::narrow) || depth + 1 >= Accuracy<T>::levels;
  }
};

/// Both halves of a node.
template <class T>
struct Halves {
  Subtree<T> up, below;
  std::uint32_t upper_size = 0, lower_size;

  Halves(const Runs<T>& runs, const Subtree<T>& whole, std::uint32_t size) : up(whole), below(whole) {
    for (std::size_t g = 0; g < runs.grades; ++g) {
      const std::size_t cut = first_outside(whole.node.begin[g], whole.node.end[g],
                                            [&](std::size_t z) { return runs.places[z] >= whole.middle; });
      up.node.end[g] = below.node.begin[g] = static_cast<std::uint32_t>(cut);
      upper_size += up.node.end[g] - up.node.begin[g];
    }
    lower_size = size - upper_size;
    const T quarter = static_cast<T>(Levels<T>::get().level[whole.depth + 1].half);
    up.depth = below.depth = whole.depth + 1;
    up.middle += quarter;
    below.middle -= quarter;
    below.first_rank += upper_size;
  }
  bool both() const { return upper_size > 0 && lower_size > 0; }
};

/// Depth first, with scratch of one worker.
template <class T>
class Walk {
 public:
  Walk(const Runs<T>& runs, std::size_t leaf_size, Workspace& workspace)
      : runs_(runs), upper_(runs.grades, workspace), lower_(runs.grades, workspace),
        direct_(take_direct<T>(leaf_size, runs.weights != nullptr, runs.bends != nullptr, workspace)), leaf_size_(leaf_size) {}

  template <bool with_bends>
  double visit(const Subtree<T>& at) {
    const Look<T> look(runs_, at.node);
    if (look.filled < 2) return 0;
    if (look.narrow(at.depth)) return sweep<with_bends>(runs_, at.node, at.first_rank, look.centre());
    if (look.size <= leaf_size_) return leaf(runs_, at.node, direct_);
    const Halves<T> halves(runs_, at, look.size);
    double loss = 0;
    if (halves.upper_size > 0) loss += visit<with_bends>(halves.up);
    if (halves.lower_size > 0) loss += visit<with_bends>(halves.below);
    if (!halves.both()) return loss;
    const Node &up = halves.up.node, &low = halves.below.node;
    const Level<T>& level = Levels<T>::get().level[at.depth + 1];
    const Border<T> border(runs_, level, at.middle, up);
    moments(runs_, up, border.above, level.order, upper_);
    moments(runs_, low, border.below, level.order, lower_);
    return loss + cross<with_bends>(runs_, level, up, low, upper_, lower_, [&](auto is_up, std::size_t g, const Field<T>& field) {
             const Node& node = is_up ? up : low;
             run_field<with_bends>(runs_, is_up ? border.above : border.below, node.begin[g], node.end[g], level.order, field);
           });
  }

 private:
  const Runs<T>& runs_;
  Moments<T> upper_, lower_;
  Direct<T> direct_;
  std::size_t leaf_size_;
};

}  // namespace rankgrad::pairwise::lambda_tree
