// rankgrad/plackett_luce/pieces.hpp: a list in target order, and the pieces in which a team shares out a long one.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/executor.hpp>
#include <rankgrad/simd/math.hpp>

#include <algorithm>
#include <cstdint>

namespace rankgrad::inline RANKGRAD_ABI::plackett_luce {

/// One list in target order. Arrays live in a workspace: they are padded.
struct Target {
  std::size_t n = 0;
  const double* scores = nullptr;          ///< [n], divided by the temperature
  const std::uint32_t* starts = nullptr;   ///< [groups + 1] where groups of tied items begin, and n; null: none is tied
  std::size_t groups = 0;                  ///< n where `starts` is null
  bool efron = false;                      ///< denominators of tied items: Efron's, else Breslow's

  std::size_t begin(std::size_t g) const { return starts ? starts[g] : g; }
  std::size_t end(std::size_t g) const { return starts ? starts[g + 1] : g + 1; }
  /// 1 - f: the share of its own group that is still in the running at place k of group [b, e).
  double share(std::size_t k, std::size_t b, std::size_t e) const {
    return efron ? 1 - static_cast<double>(k - b) / static_cast<double>(e - b) : 1;
  }
  /// The same for the places k, k + 1, ... of a group with this step from one to the next.
  static simd::Pack<double> shares(std::size_t k, std::size_t b, simd::Pack<double> step) {
    using Pack = simd::Pack<double>;
    return simd::fnma(step, simd::iota<double>(0) + Pack(static_cast<double>(k - b)), Pack(1.0));
  }
  simd::Pack<double> step(std::size_t b, std::size_t e) const {
    return simd::Pack<double>(efron ? 1 / static_cast<double>(e - b) : 0.0);
  }
};

/// The places [begin, end) of a target order: whole groups [group, group_end), or a part of one group.
struct Piece {
  std::size_t begin, end, group, group_end;
  bool part;
};

/// body(b, e, from, to) for every group [b, e) of two or more, of which [from, to) is in the piece.
template <class Body>
RANKGRAD_INLINE inline void for_each_tie(const Target& target, const Piece& piece, const Body& body) {
  if (!target.starts) return;
  if (piece.part) return body(target.begin(piece.group), target.end(piece.group), piece.begin, piece.end);
  for (std::size_t g = piece.group; g < piece.group_end; ++g)
    if (const std::size_t b = target.starts[g], e = target.starts[g + 1]; e - b > 1) body(b, e, b, e);
}

/// The pieces of a target order, which depend on nothing else. A short list is one piece. A long one is cut where a group
/// ends, about every piece_size places, and groups of that size or more are cut into parts: five grades are five groups.
class Pieces {
 public:
  static constexpr std::size_t long_list = 32768, piece_size = 4096;

  Pieces(const Target& target, Workspace& workspace) : workspace_(&workspace) {
    const std::size_t n = target.n;
    if (n < long_list) {
      alone_ = {0, n, 0, target.groups, false};
      return;
    }
    pieces_ = workspace.take<Piece>(2 * (n / piece_size) + 1);   // before a cut group one may be short
    count_ = 0;
    for (std::size_t g = 0, k = 0; k < n;) {
      if (const std::size_t b = k, e = target.end(g), parts = (e - b) / piece_size; parts > 0) {
        for (std::size_t p = 0; p < parts; ++p)
          pieces_[count_++] = {b + (e - b) * p / parts, b + (e - b) * (p + 1) / parts, g, g + 1, true};
        ++g, k = e;
        continue;
      }
      std::size_t next = std::min(target.groups, k + piece_size);
      if (target.starts) {
        const auto reach = static_cast<std::uint32_t>(std::min(n, k + piece_size));
        next = static_cast<std::size_t>(std::lower_bound(target.starts + g, target.starts + target.groups, reach) - target.starts);
        if (target.end(next - 1) - target.begin(next - 1) >= piece_size) --next;   // it will be cut
      }
      pieces_[count_++] = {k, target.end(next - 1), g, next, false};
      g = next, k = pieces_[count_ - 1].end;
    }
  }

  std::size_t size() const { return count_; }
  const Piece& operator[](std::size_t p) const { return pieces_ ? pieces_[p] : alone_; }

  /// Is there nothing of the group with which piece p ends in the next one?
  bool ends_group(std::size_t p) const { return p + 1 == count_ || pieces_[p + 1].group != pieces_[p].group; }

  /// task(p, the piece, workspace of the worker), for whoever is there.
  template <class Task>
  void for_each(const Task& task) const {
    for_each_piece(count_, *workspace_, [&](std::size_t p, Workspace& own) { task(p, (*this)[p], own); });
  }
  /// The sum of what sum(piece, workspace of the worker) returns.
  template <class Sum>
  double sum(const Sum& sum) const {
    if (count_ == 1) return sum((*this)[0], *workspace_);
    const auto frame = workspace_->frame();
    double* const sums = workspace_->take<double>(count_);
    for_each([&](std::size_t p, const Piece& piece, Workspace& own) { sums[p] = sum(piece, own); });
    double total = 0;
    for (std::size_t p = 0; p < count_; ++p) total += sums[p];
    return total;
  }
  /// Adds up what the parts of every group have in values[p], and gives the total to all of them.
  template <class Value>
  void join_parts(Value* values) const {
    for (std::size_t p = 0, next = 1; p < count_; p = next++) {
      if (!(*this)[p].part) continue;
      for (; next < count_ && (*this)[next].group == (*this)[p].group; ++next) values[p] += values[next];
      std::fill(values + p + 1, values + next, values[p]);
    }
  }

 private:
  Workspace* workspace_;
  Piece* pieces_ = nullptr;
  std::size_t count_ = 1;
  Piece alone_{};
};

}  // namespace rankgrad::plackett_luce
