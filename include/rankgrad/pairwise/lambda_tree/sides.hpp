// rankgrad/pairwise/lambda_tree/sides.hpp: the passes over the items of several intervals at once, shared out to a team.
// SPDX-License-Identifier: MIT
//
// Few intervals hold most of a list near the top of the tree, and they are unequal. So those of one level go together: first
// the moments of all, then what each feels, then its items, in pieces of about equal size. All of it depends on the list
// alone.
#pragma once

#include <rankgrad/pairwise/lambda_tree/cross.hpp>

namespace rankgrad::inline RANKGRAD_ABI::pairwise::lambda_tree {

/// How many items of a list of n a worker takes on at a time: the more the better it pays, the fewer the better they balance.
inline std::size_t piece_items(std::size_t n) { return std::max<std::size_t>(4096, n / 64); }

/// One of the two intervals of a pair: its moments, and what its items feel.
template <class T>
struct Side {
  Node node;
  Interval<T> interval;
  Moments<T> moments;
  Field<T>* field;   ///< [grades]
  bool feels;        ///< is there a field?
  std::uint32_t first_piece, pieces;

  /// A part of every run.
  Node part(std::size_t piece, std::size_t grades) const {
    if (pieces == 1) return node;
    Node out;
    for (std::size_t g = 0; g < grades; ++g) {
      const std::size_t size = node.end[g] - node.begin[g], i = piece - first_piece;
      out.begin[g] = node.begin[g] + static_cast<std::uint32_t>(size * i / pieces);
      out.end[g] = node.begin[g] + static_cast<std::uint32_t>(size * (i + 1) / pieces);
    }
    return out;
  }
};

/// At most `capacity` intervals that have no item in common.
template <class T>
class Sides {
 public:
  Sides(const Runs<T>& runs, std::size_t capacity, Workspace& workspace)
      : runs_(runs), workspace_(workspace), items_(piece_items(runs.n)), sides_(workspace.take<Side<T>>(capacity)) {
    const std::size_t pieces = capacity + runs.n / items_;
    fields_ = workspace.take<Field<T>>(capacity * runs.grades);
    side_of_piece_ = workspace.take<std::uint32_t>(pieces);
    moments_ = workspace.take<Moments<T>>(pieces);
    for (std::size_t p = 0; p < pieces; ++p) moments_[p] = Moments<T>(runs.grades, workspace);
  }

  void clear(std::size_t order) {
    order_ = order;
    count_ = pieces_ = 0;
  }
  void add(const Node& node, const Interval<T>& interval) {
    const std::size_t size = node.size(runs_.grades), pieces = std::max<std::size_t>(1, (size + items_ - 1) / items_);
    sides_[count_] = {node, interval, moments_[pieces_], fields_ + count_ * runs_.grades, false,
                      static_cast<std::uint32_t>(pieces_), static_cast<std::uint32_t>(pieces)};
    std::fill_n(side_of_piece_ + pieces_, pieces, static_cast<std::uint32_t>(count_++));
    pieces_ += pieces;
  }
  Side<T>& operator[](std::size_t i) { return sides_[i]; }
  std::size_t size() const { return count_; }

  void find_moments() {
    for_each_piece(pieces_, workspace_, [&](std::size_t p, Workspace&) {
      const Side<T>& side = sides_[side_of_piece_[p]];
      moments(runs_, side.part(p, runs_.grades), side.interval, order_, moments_[p]);
    });
    for (std::size_t p = 0; p < pieces_; ++p) {
      const Side<T>& side = sides_[side_of_piece_[p]];
      if (p == side.first_piece) continue;
      for (std::size_t g = 0; g < runs_.grades; ++g)
        for (std::size_t k = 0; k < order_; ++k) {
          side.moments.zeroth[g][k] += moments_[p].zeroth[g][k];
          side.moments.first[g][k] += moments_[p].first[g][k];
        }
    }
  }

  /// To slopes and bends.
  template <bool with_bends>
  void add_fields() {
    for_each_piece(pieces_, workspace_, [&](std::size_t p, Workspace&) {
      const Side<T>& side = sides_[side_of_piece_[p]];
      if (!side.feels) return;
      const Node part = side.part(p, runs_.grades);
      for (std::size_t g = 0; g < runs_.grades; ++g)
        if (part.end[g] > part.begin[g])
          run_field<with_bends>(runs_, side.interval, part.begin[g], part.end[g], order_, side.field[g]);
    });
  }

 private:
  const Runs<T>& runs_;
  Workspace& workspace_;
  std::size_t items_, order_ = 0, count_ = 0, pieces_ = 0;
  Side<T>* sides_;
  Field<T>* fields_;
  std::uint32_t* side_of_piece_;
  Moments<T>* moments_;   ///< [piece]; those of a side's first piece become the side's
};

}  // namespace rankgrad::pairwise::lambda_tree
