// rankgrad/pairwise/lambda_tree/tree.hpp: LambdaRank without truncation in O(n log n): the score-interval tree.
// SPDX-License-Identifier: MIT
//
//   L = sum_{y_i > y_j} w_i w_j |G_i - G_j| |D_i - D_j| softplus(-sigma (s_i - s_j))        and its derivatives
//
// |D_i - D_j| has a known sign between two disjoint score intervals, since a better score is a better rank. There the
// pair sum separates: moments of one side, a small matrix, a polynomial on the other (cross.hpp). So
//
//   1. sort into bins of half-width 1 in sigma s, and in runs, one per grade, by rank                    (bins.hpp)
//   2. pairs between bins that touch by cross.hpp, between others by exponential series                  (far_field.hpp)
//   3. inside a bin, halve the interval down to narrow ones: halves by cross.hpp; a narrow interval in one pass by rank,
//      whatever it holds (rank_sweep.hpp); a short one pair by pair (direct.hpp).                       (walk.hpp)
//
// Expansions never reach over more than one unit of half-width, so errors are relative to the kernel between the items at
// hand and not to its largest value: lists whose grades are far apart, with losses of e^-30, are as accurate as others.
// Cost: about eight passes over the items (six levels in float, eleven in double), each some tens of multiply-adds per
// register of items; independent of n but for the sort.
#pragma once

#include <rankgrad/pairwise/lambda_tree/between_bins.hpp>
#include <rankgrad/pairwise/lambda_tree/walk.hpp>

namespace rankgrad::inline RANKGRAD_ABI::pairwise::lambda_tree {

/// All pairs inside bins: the large nodes level by level, all of a level at once; what remains is short enough to balance
/// and goes depth first, each piece by one worker.
template <bool with_bends, class T>
class InsideBins {
 public:
  InsideBins(const Runs<T>& runs, const Bins& bins, Workspace& workspace)
      : runs_(runs), bins_(bins), workspace_(workspace), most_(piece_items(runs.n)), large_(runs.n / most_),
        pieces_(workspace.take<Piece>(large_ * (2 * Accuracy<T>::levels + 2) + 1)) {}

  /// Adds to slopes and bends; returns the loss.
  double add(std::size_t leaf_size) {
    const auto frame = workspace_.frame();
    Subtree<T>* level = workspace_.take<Subtree<T>>(large_);
    std::size_t count = 0;
    for (std::size_t b = 0; b < bins_.count; ++b) {
      if (bins_.begin[b + 1] - bins_.begin[b] > most_) level[count++] = bin(b);
      else if (count_ > 0 && pieces_[count_ - 1].end == b && bins_.begin[b] - bins_.begin[pieces_[count_ - 1].begin] < most_)
        pieces_[count_ - 1].end = b + 1;
      else pieces_[count_++] = {{}, b, b + 1, 0};
    }
    double loss = count > 0 ? by_levels(level, count) : 0;
    for_each_piece(count_, workspace_, [&](std::size_t p, Workspace& own) {
      const auto scratch = own.frame();
      Walk<T> walk(runs_, leaf_size, own);
      Piece& piece = pieces_[p];
      if (piece.begin == piece.end) piece.loss = walk.template visit<with_bends>(piece.node);
      for (std::size_t b = piece.begin; b < piece.end; ++b) piece.loss += walk.template visit<with_bends>(bin(b));
    });
    for (std::size_t p = 0; p < count_; ++p) loss += pieces_[p].loss;
    return loss;
  }

 private:
  /// Bins begin .. end - 1, or, where there is none, a node.
  struct Piece {
    Subtree<T> node;
    std::size_t begin, end;
    double loss;
  };

  Subtree<T> bin(std::size_t b) const { return {bins_.node(b, runs_.grades), 0, T(0), bins_.begin[b]}; }

  /// Pairs of large nodes: halves with each other, until the halves are pieces.
  double by_levels(Subtree<T>* level, std::size_t count) {
    Subtree<T>* next = workspace_.take<Subtree<T>>(large_);
    double* const losses = workspace_.take<double>(large_);
    Sides<T> sides(runs_, 2 * large_, workspace_);
    double loss = 0;
    for (std::size_t depth = 0; count > 0; ++depth) {
      // On the last level all nodes are narrow, and the kernel is not asked.
      const Level<T>& kernel = Levels<T>::get().level[std::min(depth + 1, Accuracy<T>::levels - 1)];
      sides.clear(kernel.order);
      std::size_t below = 0;
      const auto keep = [&](const Subtree<T>& half, std::size_t size) {
        if (size > most_) next[below++] = half;
        else if (size > 0) pieces_[count_++] = {half, 0, 0, 0};
      };
      for (std::size_t i = 0; i < count; ++i) {
        const Look<T> look(runs_, level[i].node);
        if (look.filled < 2) continue;
        if (look.narrow(depth)) {
          loss += sweep_by_pieces<with_bends>(runs_, level[i].node, level[i].first_rank, look.centre(), most_, workspace_);
          continue;
        }
        const Halves<T> halves(runs_, level[i], look.size);
        keep(halves.up, halves.upper_size);
        keep(halves.below, halves.lower_size);
        if (!halves.both()) continue;
        const Border<T> at(runs_, kernel, level[i].middle, halves.up.node);
        sides.add(halves.up.node, at.above);
        sides.add(halves.below.node, at.below);
      }
      sides.find_moments();
      for_each_piece(sides.size() / 2, workspace_, [&](std::size_t i, Workspace&) {
        Side<T>&up = sides[2 * i], &low = sides[2 * i + 1];
        up.feels = low.feels = true;
        const auto feel = [&](auto is_up, std::size_t g, const Field<T>& field) { (is_up ? up : low).field[g] = field; };
        losses[i] = cross<with_bends>(runs_, kernel, up.node, low.node, up.moments, low.moments, feel);
      });
      sides.template add_fields<with_bends>();
      for (std::size_t i = 0; i < sides.size() / 2; ++i) loss += losses[i];
      std::swap(level, next);
      count = below;
    }
    return loss;
  }

  const Runs<T>& runs_;
  const Bins& bins_;
  Workspace& workspace_;
  std::size_t most_, large_;   ///< items of a piece, and how many larger nodes a level may have
  Piece* pieces_;
  std::size_t count_ = 0;
};

template <bool with_bends, class T>
double all_pairs(const Runs<T>& runs, const Bins& bins, std::size_t leaf_size, Workspace& workspace) {
  const double between = bins.count > 1 ? between_bins<with_bends>(runs, bins, workspace) : 0;
  return between + InsideBins<with_bends, T>(runs, bins, workspace).add(leaf_size);
}

}  // namespace rankgrad::pairwise::lambda_tree
