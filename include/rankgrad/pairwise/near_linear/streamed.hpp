// rankgrad/pairwise/near_linear/streamed.hpp: lists with few items in a bin: stretches of bins, one after the other.
// SPDX-License-Identifier: MIT
//
// A bin's rows of doubles are worth keeping where it holds a few dozen items. Where it holds one or two they would be most
// of the memory. So the list is sorted by bin and cut into stretches of bins. What a sweep knows of the bins it has passed
// is a few numbers (FarState), so that stretches can be taken one at a time:
//
//   down   from the top: moments of the stretch, and what is above it noted for each stretch
//   up     from the bottom: moments again, the potentials of its bins, and the results of its items
//
// The neighbours within R bins, which act on a stretch by their moments, are loaded with it. One stretch for the whole list
// needs no way down.
#pragma once

#include <rankgrad/core/partition_point.hpp>
#include <rankgrad/pairwise/near_linear/evaluate.hpp>
#include <rankgrad/pairwise/near_linear/placement.hpp>

namespace rankgrad::inline RANKGRAD_ABI::pairwise::near_linear {

/// Bytes that a cell takes: moments, slopes, curvatures, its part of the far fields and of the sums over classes.
template <Real T>
inline constexpr double cell_bytes = 8 * (3 * row<T> + static_cast<double>(row<T>) / 4 + far_row<T> + 1);

/// What the cells may take: their part of 64 bytes for each score, or what no one minds.
inline double rows_budget(std::size_t n) { return std::max(24.0 * static_cast<double>(n), 0x1p18); }

/// The fewest bins that are worth a stretch.
inline constexpr std::size_t stretch_bins = 32;

/// A list sorted by bin, and the stretch at hand.
template <Real T>
class Stretches {
  static constexpr std::size_t lanes = simd::lanes<T>;

 public:
  const std::size_t bins_at_once, most_bins;   ///< in a stretch; with its neighbours
  std::size_t count = 0;                       ///< stretches
  std::size_t most_items = 0;

  Stretches(const Items<T>& items, const Grid<T>& grid, std::size_t at_once, Workspace& workspace)
      : bins_at_once(at_once), most_bins(at_once + 2 * (Order<T>::R + 1)), items_(items), grid_(grid),
        order_(workspace.take<std::uint32_t>(items.n)),
        begin_(workspace.take<std::uint32_t>(items.n / at_once + items.n / items_at_once + 2)) {
    const auto frame = workspace.frame();
    T* bin = workspace.take<T>(items.n + lanes);
    alignas(64) T u[block + lanes], part[block + lanes];
    for (std::size_t i = 0; i < items.n; i += block) {
      const std::size_t n = std::min(block, items.n - i);
      bin_scores(items.scores + i, n, grid.scaling, grid.terms, T(0), u, part);
      std::copy_n(part, n, bin + i);
    }
    simd::rank_descending(bin, order_, items.n, workspace);
    begin_[count++] = 0;
    T before = bin[item(0)];
    for (std::size_t i = 0, bins = 1; i < items.n; ++i) {   // only the end of a stretch is a branch
      const T here = bin[item(i)];
      const bool another = here != before;
      bins += another;
      before = here;
      if (another & ((bins > at_once) | (i - begin_[count - 1] >= items_at_once)))
        begin_[count++] = static_cast<std::uint32_t>(i), bins = 1;
    }
    begin_[count] = static_cast<std::uint32_t>(items.n);
    for (std::size_t k = 0; k < count; ++k) most_items = std::max(most_items, neighbours(k).second - neighbours(k).first);
  }

  /// For load(): scratch of the largest stretch.
  void reserve(bool curvature, Workspace& workspace) {
    u_ = workspace.take<T>(most_items + SortedPiece<T>::after);
    scores_ = workspace.take<T>(most_items + SortedPiece<T>::after);
    place_ = workspace.take<std::uint32_t>(most_items);
    starts_ = workspace.take<std::uint32_t>(items_.classes * most_bins + 2);
    weights_ = items_.weights ? workspace.take<T>(most_items) : nullptr;
    bend_ = curvature ? workspace.take<T>(most_items) : nullptr;
    id_ = workspace.take<double>(most_bins);
  }

  /// Sorts the items of stretch k and its neighbours by cell; moments of all of them, targets are the stretch's own.
  void load(std::size_t k, double* moments, Bins& bins, std::size_t& first, std::size_t& last) {
    const auto [from, to] = neighbours(k);
    begin_item_ = from;
    n_ = to - from;
    for (std::size_t i = 0; i < n_; ++i) scores_[i] = items_.scores[item(from + i)];
    std::size_t b = 0;
    T before(0);
    for (std::size_t i = 0; i < n_; i += block) {
      alignas(64) T u[block + lanes], bin[block + lanes];
      const std::size_t n = std::min(block, n_ - i);
      bin_scores(scores_ + i, n, grid_.scaling, grid_.terms, T(0), u, bin);
      if (i == 0) before = bin[0];
      for (std::size_t z = 0; z < n; ++z) {   // no branches: they would be guessed wrong half of the time
        b += bin[z] != before;
        before = bin[z];
        id_[b] = static_cast<double>(before);
        place_[i + z] = static_cast<std::uint32_t>(b);
      }
      std::copy_n(u, n, scores_ + i);
    }
    own_begin_ = begin_[k] - from;
    own_end_ = begin_[k + 1] - from;
    first = place_[own_begin_];
    last = place_[own_end_ - 1] + std::size_t{1};
    bins_ = b + 1;
    bins = {bins_, id_};
    sort_by_cell();
    std::fill_n(moments, cells() * row<T>, 0.0);
    const SortedPiece<T> piece = sorted();
    if (weights_) add_sorted<true>(piece, static_cast<const T*>(weights_), cells(), moments);
    else add_sorted<false>(piece, static_cast<const T*>(nullptr), cells(), moments);
  }
  std::size_t cells() const { return items_.classes * bins_; }

  /// Reads the results of the stretch's own bins [first, last) off the series and adds them to the caller's arrays.
  void evaluate(std::size_t first, std::size_t last, const double* slopes, const double* curvatures, double slope_factor,
                double curvature_factor, const GradientSink<T>& out) {
    for (std::size_t c = 0; c < items_.classes; ++c) {
      const std::size_t cell = c * bins_ + first;
      SortedPiece<T> piece = sorted();
      piece.begin += cell;
      (out.hess ? evaluate_sorted<true, T> : evaluate_sorted<false, T>)(
          piece, last - first, slopes + cell * row<T>, curvatures ? curvatures + cell * row<T> : nullptr, slope_factor,
          curvature_factor, bend_);
    }
    for (std::size_t i = own_begin_; i < own_end_; ++i) {
      const std::size_t to = item(begin_item_ + i), at = place_[i];
      const T w = items_.weights ? items_.weights[to] : T(1);
      out.grad[to] += w * u_[at];
      if (out.hess) out.hess[to] += w * bend_[at];
    }
  }

 private:
  static constexpr std::size_t block = 256, items_at_once = 8192;

  std::size_t item(std::size_t i) const { return order_[items_.n - 1 - i]; }   // from the lowest bin up
  T bin_at(std::size_t i) const {
    alignas(64) T u[lanes], bin[2 * lanes];
    bin_scores(items_.scores + item(i), 1, grid_.scaling, grid_.terms, T(0), u, bin);
    return bin[0];
  }
  /// The items of stretch k and of those next to it that the sweeps have not left behind, by the sweeps' own comparison: far
  /// from 0 the numbers of bins have gaps in T, and a bin plus R is not where it seems.
  std::pair<std::size_t, std::size_t> neighbours(std::size_t k) const {
    const std::size_t own = begin_[k], end = begin_[k + 1];
    constexpr double reach = Order<T>::R;
    const auto bin = [&](std::size_t i) { return static_cast<double>(bin_at(i)); };
    std::size_t from = 0, to = end;
    if (own > 0) from = partition_point(0, own, [&, last = bin(own - 1)](std::size_t i) { return last - bin(i) > reach; });
    if (end < items_.n)
      to = partition_point(end, items_.n, [&, first = bin(end)](std::size_t i) { return !(bin(i) - first > reach); });
    return {from, to};
  }

  /// The items come by bin: what is left to do is to part the classes, each in the order it comes in. Where a cell ends is
  /// written behind each of its items; cells without items end where those before them do.
  void sort_by_cell() {
    std::fill_n(starts_, cells() + 2, 0u);
    if (items_.target == Target::two_classes) {
      std::size_t positives = 0;
      for (std::size_t i = 0; i < n_; ++i) positives += items_.labels[item(begin_item_ + i)] > T(0);
      std::size_t next[2] = {0, n_ - positives};   // in registers: each item waits for the one before
      for (std::size_t i = 0; i < n_; ++i) {
        const std::size_t c = items_.labels[item(begin_item_ + i)] > T(0), to = c ? next[1] : next[0];
        next[0] += 1 - c;
        next[1] += c;
        put(i, c, to);
      }
    } else {
      std::size_t next[most_classes + 2] = {};
      for (std::size_t i = 0; i < n_; ++i) ++next[grade_of(i) + 2];
      for (std::size_t c = 2; c < most_classes + 2; ++c) next[c] += next[c - 1];
      for (std::size_t i = 0; i < n_; ++i) {
        const std::size_t c = grade_of(i);
        put(i, c, next[c + 1]++);
      }
    }
    for (std::size_t c = 1; c < cells() + 2; ++c) starts_[c] = std::max(starts_[c], starts_[c - 1]);
    std::fill_n(u_ + n_, SortedPiece<T>::after, T(0));
  }
  std::size_t grade_of(std::size_t i) const {
    return static_cast<std::size_t>(static_cast<std::int32_t>(items_.labels[item(begin_item_ + i)] - items_.lowest_label));
  }
  RANKGRAD_INLINE void put(std::size_t i, std::size_t c, std::size_t to) {
    starts_[c * bins_ + place_[i] + 1] = static_cast<std::uint32_t>(to + 1);
    u_[to] = scores_[i];
    if (weights_) weights_[to] = items_.weights[item(begin_item_ + i)];
    place_[i] = static_cast<std::uint32_t>(to);
  }
  SortedPiece<T> sorted() const { return {u_, place_, starts_}; }

  const Items<T>& items_;
  const Grid<T>& grid_;
  std::uint32_t *order_, *begin_;
  T *u_ = nullptr, *scores_ = nullptr, *weights_ = nullptr, *bend_ = nullptr;   ///< of the stretch; scores: as they come, then u
  std::uint32_t *place_ = nullptr, *starts_ = nullptr;
  double* id_ = nullptr;
  std::size_t begin_item_ = 0, n_ = 0, bins_ = 0, own_begin_ = 0, own_end_ = 0;
};

}  // namespace rankgrad::pairwise::near_linear
