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

/// Two series for n items, some packs at a time: input(i, at, p) is u of pack p, use(i, at, p, a, b) takes the sums.
template <class T, class Input, class First, class Second, class Use>
RANKGRAD_INLINE inline void for_each_series(std::size_t n, Input input, First first, Second second, Use use) {
  using namespace simd;
  for (std::size_t i = 0; i < n; i += grid::together * lanes<T>) {
    grid::Together<T> u, a, b;
    const auto each_pack = [&](auto act) RANKGRAD_INLINE {
      RANKGRAD_UNROLL
      for (std::size_t p = 0; p < grid::together; ++p) {
        const std::size_t at = i + p * lanes<T>;
        if (at + lanes<T> <= n) act(at, Whole<T>{}, p);
        else if (at < n) act(at, Part<T>{n - at}, p);
      }
    };
    RANKGRAD_UNROLL
    for (std::size_t p = 0; p < grid::together; ++p) u.of[p] = Pack<T>(T(0));
    each_pack([&](std::size_t at, auto part, std::size_t p) RANKGRAD_INLINE { u.of[p] = input(at, part, p); });
    grid::two_series<T>(u, a, b, first, second);
    each_pack([&](std::size_t at, auto part, std::size_t p) RANKGRAD_INLINE { use(at, part, p, a.of[p], b.of[p]); });
  }
}

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
        for_each_series<T>(
            end - begin, [&](std::size_t i, auto at, std::size_t) RANKGRAD_INLINE { return at.load(runs.u + begin + i, T(0)); },
            [&](std::size_t k, std::size_t) RANKGRAD_INLINE { return simd::Pack<T>(a[k]); },
            [&](std::size_t k, std::size_t) RANKGRAD_INLINE { return simd::Pack<T>(b[k]); },
            [&](std::size_t i, auto at, std::size_t, simd::Pack<T> x, simd::Pack<T> y) RANKGRAD_INLINE {
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
      Pack<Bits<T>> cell[grid::together];
      RANKGRAD_UNROLL
      for (std::size_t p = 0; p < grid::together; ++p) cell[p] = Pack<Bits<T>>(0);
      for_each_series<T>(
          items_.n,
          [&](std::size_t i, auto at, std::size_t p) RANKGRAD_INLINE {
            const grid::Binned<T> x = grid::bin_of<terms()>(at.load(items_.scores + i, items_.scores[0]), bins_.scaling);
            cell[p] = table_index<T>(x.bin - lowest);
            return x.u;
          },
          [&](std::size_t k, std::size_t p) RANKGRAD_INLINE { return lookup<Cells>(a + k * Cells, cell[p]); },
          [&](std::size_t k, std::size_t p) RANKGRAD_INLINE { return lookup<Cells>(b + k * Cells, cell[p]); },
          [&](std::size_t i, auto at, std::size_t p, Pack<T> x, Pack<T> y) RANKGRAD_INLINE {
            use(i, at, lookup<Cells>(own, cell[p]), x, y);
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
