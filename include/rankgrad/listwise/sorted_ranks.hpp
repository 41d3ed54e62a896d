// rankgrad/listwise/sorted_ranks.hpp: ranks by the grid in pieces sorted by bin, for any number of bins.
// SPDX-License-Identifier: MIT
//
// Read first: listwise/rank_orders.hpp.
#pragma once

#include <rankgrad/listwise/rank_orders.hpp>

namespace rankgrad::inline RANKGRAD_ABI::listwise {

template <Real T>
class Sorted {
  static constexpr std::size_t lanes = simd::lanes<T>, m = grid::Order<T>::m;

 public:
  Sorted(const RankList<T>& list, const grid::Grid<T>& bins, bool curvature, Workspace& workspace)
      : items_{list.scores, list.gains, list.gains, list.n, grid::Target::two_classes, T(0), 2},
        grid_(bins), bins_(bins.bins.count), size_(grid::sorted_piece_size(2 * bins_)),
        u_(workspace.take<T>(list.n + pieces() * grid::SortedPiece<T>::after)), slopes_(workspace.take<T>(list.n)),
        pulls_(workspace.take<T>(list.n)), bends_(curvature ? workspace.take<T>(list.n) : nullptr),
        place_(workspace.take<std::uint32_t>(list.n)), begins_(workspace.take<std::uint32_t>(pieces() * (2 * bins_ + 2))) {}

  std::size_t pieces() const { return (items_.n + size_ - 1) / size_; }

  void unit_moments(std::size_t p, double* sums, Workspace& workspace) const {
    grid::sort_piece(items_, grid_, p * size_, length(p), piece(p), workspace.take<T>(length(p)), slopes_ + p * size_);
    for (std::size_t c = 0; c < 2; ++c) grid::add_sorted<false>(piece(p, c), static_cast<const T*>(nullptr), bins_, sums);
  }

  void series(const double* ranks, const double* bells, const T* itself, Workspace&) {
    ranks_ = ranks;
    bells_ = bells;
    itself_ = itself;
  }

  template <class Phi>
  double rank(std::size_t p, const Phi& phi, double* sums, Workspace&) const {
    using namespace simd;
    BlockedSum<T> value;
    const auto runs = piece(p, 1);
    T *slopes = slopes_ + p * size_, *pulls = pulls_ + p * size_, *bends = bends_ ? bends_ + p * size_ : nullptr;
    for (std::size_t b = 0; b < bins_; ++b) {
      const std::size_t begin = runs.begin[b], end = runs.begin[b + 1];
      if (begin == end) continue;
      T a[2][m];
      for (std::size_t k = 0; k < m; ++k)
        a[0][k] = static_cast<T>(ranks_[b * grid::row<T> + k]), a[1][k] = static_cast<T>(bells_[b * grid::row<T> + k]);
      const Pack<T> itself(itself_[b]);
      grid::for_each_run<T, 2>(runs.u, begin, end, a,
                               [&](std::size_t i, std::size_t left, const Pack<T>* sums_at) RANKGRAD_INLINE {
        const Pulls<T> at = pulls_of<T>(phi, sums_at[0], sums_at[1], itself, load_up_to(slopes + i, left, T(0)));
        value.add(at.value);
        store_up_to(slopes + i, left, at.slope);
        store_up_to(pulls + i, left, at.pull);
        if (bends) store_up_to(bends + i, left, at.bend);
      });
    }
    grid::add_sorted<true>(runs, static_cast<const T*>(slopes), bins_, sums);
    return value.total();
  }

  void pull(std::size_t p, const double* columns, const ByScore<T>& by_score, const GradientSink<T>&, Workspace&) const {
    using namespace simd;
    T *pulls = pulls_ + p * size_, *bends = bends_ ? bends_ + p * size_ : nullptr;
    for (std::size_t c = 0; c < 2; ++c) {
      const auto runs = piece(p, c);
      for (std::size_t b = 0; b < bins_; ++b) {
        const std::size_t begin = runs.begin[b], end = runs.begin[b + 1];
        if (begin == end) continue;
        T a[1][m];
        for (std::size_t k = 0; k < m; ++k) a[0][k] = static_cast<T>(columns[b * grid::row<T> + k]);
        const Pack<T> zero(T(0));
        grid::for_each_run<T, 1>(runs.u, begin, end, a,
                                 [&](std::size_t i, std::size_t left, const Pack<T>* column) RANKGRAD_INLINE {
          store_up_to(pulls + i, left, by_score.gradient(column[0], c ? load_up_to(pulls + i, left, T(0)) : zero));
          if (bends) store_up_to(bends + i, left, by_score.curvature(column[0], c ? load_up_to(bends + i, left, T(0)) : zero));
        });
      }
    }
  }

  template <class Visit>
  void sparse(const std::uint8_t* alone, Workspace&, Visit visit) const {
    for (std::size_t p = 0; p < pieces(); ++p)
      for (std::size_t c = 0; c < 2; ++c) {
        const auto runs = piece(p, c);
        for (std::size_t b = 0; b < bins_; ++b)
          for (std::size_t i = runs.begin[b]; alone[b] && i < runs.begin[b + 1]; ++i)
            visit(b, p * size_ + i, runs.u[i], c ? slopes_[p * size_ + i] : T(0));   // the gain still
      }
  }
  void correct(std::size_t place, T gradient, T curvature, const GradientSink<T>&) const {
    pulls_[place] += gradient;
    if (bends_) bends_[place] += curvature;
  }
  void finish(std::size_t p, const GradientSink<T>& out) const {
    const auto* place = piece(p, 0).place;
    grid::collect(place, pulls_ + p * size_, static_cast<const T*>(nullptr), length(p), out.grad + p * size_);
    if (bends_) grid::collect(place, bends_ + p * size_, static_cast<const T*>(nullptr), length(p), out.hess + p * size_);
  }

 private:
  /// The runs of class c: 1 gains, 0 does not.
  grid::SortedPiece<T> piece(std::size_t p, std::size_t c = 0) const {
    return {u_ + p * (size_ + grid::SortedPiece<T>::after), place_ + p * size_, begins_ + p * (2 * bins_ + 2) + c * bins_};
  }
  std::size_t length(std::size_t p) const { return std::min(size_, items_.n - p * size_); }

  const grid::Items<T> items_;
  const grid::Grid<T>& grid_;
  std::size_t bins_, size_;
  T *u_, *slopes_, *pulls_, *bends_;   ///< slopes: gains at first
  std::uint32_t *place_, *begins_;
  const double *ranks_ = nullptr, *bells_ = nullptr;
  const T* itself_ = nullptr;
};

}  // namespace rankgrad::listwise
