// rankgrad/listwise/rank_orders.hpp: the two orders in which the grid's ranks can be worked on.
// SPDX-License-Identifier: MIT
//
// Sorted: pieces of the list sorted by bin, whose coefficients are then one number for a whole run. InPlace: the order of
// the list; each lane looks its bin's coefficients up in registers, and moments are made by compressing. The second is
// faster while the bins are few. Both offer, for arrays of n items in their own order:
//
//   own(from, to)             to[their order] = from[list order]
//   moments(weights, sums)    adds the moments of every bin, each item weighing weights[i]; null for 1
//   each(first, second, use)  use(i, at, itself, a, b): both series of each item, and itself[bin] (below)
//   sparse(...)               the items of the bins that are marked
//   finish(from, out)         out[list order] += from[their order]
//
// Read first: pairwise/near_linear/moments.hpp, evaluate.hpp.
#pragma once

#include <rankgrad/pairwise/near_linear/evaluate.hpp>
#include <rankgrad/pairwise/near_linear/placement.hpp>

namespace rankgrad::inline RANKGRAD_ABI::listwise {

namespace grid = pairwise::near_linear;

template <Real T>
class Sorted {
 public:
  Sorted(const grid::Items<T>& items, const grid::Grid<T>& bins, Workspace& workspace)
      : n_(items.n), bins_(bins.bins.count), size_(grid::sorted_piece_size(bins_)), pieces_((n_ + size_ - 1) / size_),
        u_(workspace.take<T>(n_)), place_(workspace.take<std::uint32_t>(n_)),
        begins_(workspace.take<std::uint32_t>(pieces_ * (bins_ + 2))) {
    const auto frame = workspace.frame();
    T* other = workspace.take<T>(std::min(n_, size_));
    grid::with_terms(bins.terms, [&](auto terms) {
      for (std::size_t p = 0; p < pieces_; ++p)
        grid::sort_piece<terms()>(items, bins, p * size_, length(p), piece(p), other, static_cast<T*>(nullptr));
    });
  }

  void own(const T* from, T* to) const {
    for (std::size_t p = 0; p < pieces_; ++p)
      for (std::size_t i = p * size_, end = i + length(p); i < end; ++i) to[p * size_ + place_[i]] = from[i];
  }
  void moments(const T* weights, double* sums, Workspace&) const {
    for (std::size_t p = 0; p < pieces_; ++p)
      if (weights) grid::add_sorted<true>(piece(p), weights + p * size_, bins_, sums);
      else grid::add_sorted<false>(piece(p), weights, bins_, sums);
  }
  template <class Use>
  void each(const double* first, const double* second, const T* itself, Use use, Workspace&) const {
    constexpr std::size_t m = grid::Order<T>::m;
    for (std::size_t p = 0; p < pieces_; ++p) {
      const auto runs = piece(p);
      for (std::size_t c = 0; c < bins_; ++c) {
        const std::size_t begin = runs.begin[c], end = runs.begin[c + 1];
        if (begin == end) continue;
        T a[m], b[m];
        for (std::size_t k = 0; k < m; ++k) a[k] = static_cast<T>(first[c * grid::row<T> + k]), b[k] = static_cast<T>(second[c * grid::row<T> + k]);
        simd::for_each_pack<T>(end - begin, [&](std::size_t i, auto at) RANKGRAD_INLINE {
          const simd::Pack<T> u = at.load(runs.u + begin + i, T(0));
          simd::Pack<T> x, y;
          grid::two_series<1, T>(&u, &x, &y, [&](std::size_t k, auto) RANKGRAD_INLINE { return simd::Pack<T>(a[k]); },
                                 [&](std::size_t k, auto) RANKGRAD_INLINE { return simd::Pack<T>(b[k]); });
          use(p * size_ + begin + i, at, simd::Pack<T>(itself[c]), x, y);
        });
      }
    }
  }
  /// visit(bin, place, u) for the items of the bins with alone[bin].
  template <class Visit>
  void sparse(const std::uint8_t* alone, Visit visit) const {
    for (std::size_t p = 0; p < pieces_; ++p) {
      const auto runs = piece(p);
      for (std::size_t b = 0; b < bins_; ++b)
        for (std::size_t i = runs.begin[b]; alone[b] && i < runs.begin[b + 1]; ++i) visit(b, p * size_ + i, runs.u[i]);
    }
  }
  void finish(const T* from, T* out) const {
    for (std::size_t p = 0; p < pieces_; ++p)
      grid::collect(piece(p).place, from + p * size_, static_cast<const T*>(nullptr), length(p), out + p * size_);
  }

 private:
  grid::SortedPiece<T> piece(std::size_t p) const { return {u_ + p * size_, place_ + p * size_, begins_ + p * (bins_ + 2)}; }
  std::size_t length(std::size_t p) const { return std::min(size_, n_ - p * size_); }

  std::size_t n_, bins_, size_, pieces_;
  T* u_;
  std::uint32_t *place_, *begins_;
};

template <Real T, std::size_t Cells>
class InPlace {
 public:
  InPlace(const grid::Items<T>& items, const grid::Grid<T>& bins, Workspace&) : items_(items), bins_(bins) {}

  void own(const T* from, T* to) const { std::copy_n(from, items_.n, to); }
  void moments(const T* weights, double* sums, Workspace& workspace) const {
    const auto frame = workspace.frame();
    const std::size_t size = bins_.bins.count * grid::row<T>;
    const grid::CompressBuffers<T> buffers(1, bins_.bins.count, weights != nullptr, workspace);
    double* part = workspace.take<double>(size);
    grid::Items<T> items = items_;
    items.weights = weights;
    grid::with_terms(bins_.terms, [&](auto terms) {
      for (std::size_t begin = 0; begin < items.n; begin += grid::piece_size) {
        std::fill_n(part, size, 0.0);
        const std::size_t end = std::min(begin + grid::piece_size, items.n);
        if (weights) grid::CompressedPiece<terms(), true, T>(items, bins_, buffers, part).add(begin, end);
        else grid::CompressedPiece<terms(), false, T>(items, bins_, buffers, part).add(begin, end);
        for (std::size_t i = 0; i < size; ++i) sums[i] += part[i];
      }
    });
  }
  template <class Use>
  void each(const double* first, const double* second, const T* itself, Use use, Workspace& workspace) const {
    using namespace simd;
    const auto frame = workspace.frame();
    constexpr std::size_t m = grid::Order<T>::m;
    T *a = workspace.take<T>(m * Cells, T(0)), *b = workspace.take<T>(m * Cells, T(0)), *own = workspace.take<T>(Cells, T(0));
    for (std::size_t c = 0; c < bins_.bins.count; ++c) {
      own[c] = itself[c];
      for (std::size_t k = 0; k < m; ++k) {
        a[k * Cells + c] = static_cast<T>(first[c * grid::row<T> + k]);
        b[k * Cells + c] = static_cast<T>(second[c * grid::row<T> + k]);
      }
    }
    const Pack<T> lowest(bins_.first);
    grid::with_terms(bins_.terms, [&](auto terms) {
      for_each_pack<T>(items_.n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
        const grid::Binned<T> x = grid::bin_of<terms()>(at.load(items_.scores + i, items_.scores[0]), bins_.scaling);
        const Pack<Bits<T>> cell = table_index<T>(x.bin - lowest);
        Pack<T> s, t;
        grid::two_series<1, T>(&x.u, &s, &t, [&](std::size_t k, auto) RANKGRAD_INLINE { return lookup<Cells>(a + k * Cells, cell); },
                               [&](std::size_t k, auto) RANKGRAD_INLINE { return lookup<Cells>(b + k * Cells, cell); });
        use(i, at, lookup<Cells>(own, cell), s, t);
      });
    });
  }
  template <class Visit>
  void sparse(const std::uint8_t* alone, Visit visit) const {
    using namespace simd;
    grid::with_terms(bins_.terms, [&](auto terms) {
      for_each_pack<T>(items_.n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
        const grid::Binned<T> x = grid::bin_of<terms()>(at.load(items_.scores + i, items_.scores[0]), bins_.scaling);
        alignas(64) T bin[lanes<T>], u[lanes<T>];
        simd::store(bin, x.bin - Pack<T>(bins_.first));
        simd::store(u, x.u);
        for (std::size_t l = 0; l < lanes<T> && i + l < items_.n; ++l) {
          const auto b = static_cast<std::size_t>(bin[l]);
          if (alone[b]) visit(b, i + l, u[l]);
        }
      });
    });
  }
  void finish(const T* from, T* out) const {
    simd::for_each_pack<T>(items_.n, [&](std::size_t i, auto at) RANKGRAD_INLINE { at.accumulate(out + i, simd::load(from + i)); });
  }

 private:
  const grid::Items<T>& items_;
  const grid::Grid<T>& bins_;
};

}  // namespace rankgrad::listwise
