// rankgrad/listwise/rank_orders.hpp: the two orders in which the grid's ranks can be worked on.
// SPDX-License-Identifier: MIT
//
// Sorted: pieces of the list sorted by bin, whose coefficients are then one number for a whole run. InPlace: the order of
// the list; each lane looks its bin's coefficients up in registers, and moments are made by closing up. The second is
// faster while the bins are few. Items with a gain are the only ones whose ranks matter: InPlace closes them up, Sorted
// sorts them into cells of their own. Both offer, for pieces [p] of the list that may be worked on side by side:
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
#include <rankgrad/simd/expand.hpp>

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
RANKGRAD_INLINE inline Pulls<T> pulls_of(const Phi& phi, simd::Pack<T> a, simd::Pack<T> b, simd::Pack<T> itself, simd::Pack<T> gain) {
  using namespace simd;
  const RankTerm<T> term = phi(a + Pack<T>(T(0.5)), gain);
  const Pack<T> others = larger(Pack<T>(T(0)), b - itself);
  return {term.value, term.slope, term.slope * b, others * fma(term.bend, others, term.slope) - Pack<T>(T(1.5)) * term.slope * itself};
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

/// Stores the lanes of a pack that there are.
template <Real T>
RANKGRAD_INLINE inline void store_up_to(T* to, std::size_t left, simd::Pack<T> v) {
  if (left >= simd::lanes<T>) simd::store(to, v);
  else simd::store_n(to, left, v);
}

template <Real T, std::size_t Cells>
class InPlace {
  static constexpr std::size_t lanes = simd::lanes<T>, block = grid::batch, stride = grid::together * lanes;

 public:
  InPlace(const RankList<T>& list, const grid::Grid<T>& bins, bool curvature, Workspace& workspace)
      : list_(list), bins_(bins), pulls_(workspace.take<T>(list.n)), bends_(curvature ? workspace.take<T>(list.n) : nullptr) {}

  std::size_t pieces() const { return (list_.n + grid::piece_size - 1) / grid::piece_size; }

  void unit_moments(std::size_t p, double* sums, Workspace& workspace) const {
    T *u = workspace.take<T>(block), *bin = workspace.take<T>(block + lanes);
    grid::CellMoments<T> cells(grid::CellBuffers<T>(bins_.bins.count, false, workspace), bins_.bins.count, sums);
    for (std::size_t i = p * grid::piece_size; i < end_of(p); i += block) {
      const std::size_t n = std::min(block, end_of(p) - i);
      const auto range = grid::bin_scores(list_.scores + i, n, bins_.scaling, bins_.terms, bins_.first, u, bin);
      cells.add(0, u, bin, range, nullptr, n);
    }
    cells.finish(1);
  }

  void series(const double* ranks, const double* bells, const T* itself, Workspace& workspace) {
    constexpr std::size_t m = grid::Order<T>::m;
    T *a = workspace.take<T>(m * Cells), *b = workspace.take<T>(m * Cells), *own = workspace.take<T>(Cells, T(0));
    grid::fill_table<Cells>(ranks, bins_.bins.count, 1, a);
    grid::fill_table<Cells>(bells, bins_.bins.count, 1, b);
    std::copy_n(itself, bins_.bins.count, own);
    tables_[0] = a;
    tables_[1] = b;
    itself_ = own;
  }

  template <class Phi>
  double rank(std::size_t p, const Phi& phi, double* sums, Workspace& workspace) const {
    using namespace simd;
    grid::CellMoments<T> cells(grid::CellBuffers<T>(bins_.bins.count, true, workspace), bins_.bins.count, sums);
    Block b(workspace);
    BlockedSum<T> value;
    std::size_t count = 0, done = p * grid::piece_size;
    const auto work = [&](std::size_t n) {
      const auto range = grid::bin_scores(b.scores, n, bins_.scaling, bins_.terms, bins_.first, b.u, b.bin);
      rank_block(phi, b, n, done, value);
      cells.add(0, b.u, b.bin, range, b.slopes, n);
      done += n;
    };
    const auto append = [&](Pack<T> gain, Pack<T> score) RANKGRAD_INLINE {
      const std::uint32_t bits = lane_bits<T>(gain > Pack<T>(T(0)));
      compress_store(b.scores + count, score, bits);
      compress_store(b.gains + count, gain, bits);
      count += static_cast<std::size_t>(std::popcount(bits));
    };
    for (std::size_t i = p * grid::piece_size; i < end_of(p); i += lanes) {
      const std::size_t left = end_of(p) - i;
      if (left >= lanes) append(load(list_.gains + i), load(list_.scores + i));
      else append(load_n(list_.gains + i, left, T(0)), load_n(list_.scores + i, left, T(0)));
      if (count < block) continue;
      work(block);
      store(b.scores, load(b.scores + block));
      store(b.gains, load(b.gains + block));
      count -= block;
    }
    if (count > 0) {
      for (std::size_t i = count; i < count + stride; i += lanes) store(b.gains + i, Pack<T>(T(0)));
      work(count);
    }
    cells.finish(1);
    return value.total();
  }

  void pull(std::size_t p, const double* columns, const ByScore<T>& by_score, const GradientSink<T>& out, Workspace& workspace) const {
    using namespace simd;
    T *table = workspace.take<T>(grid::Order<T>::m * Cells), *u = workspace.take<T>(block + stride), *bin = workspace.take<T>(block + stride);
    grid::fill_table<Cells>(columns, bins_.bins.count, 1, table);
    std::size_t gained = p * grid::piece_size;
    for (std::size_t i = p * grid::piece_size; i < end_of(p); i += block) {
      const std::size_t n = std::min(block, end_of(p) - i);
      grid::bin_scores(list_.scores + i, n, bins_.scaling, bins_.terms, bins_.first, u, bin);
      pull_block(table, u, bin, n, i, gained, by_score, out);
    }
  }

  template <class Visit>
  void sparse(const std::uint8_t* alone, Workspace& workspace, Visit visit) const {
    const auto frame = workspace.frame();
    T *u = workspace.take<T>(block), *bin = workspace.take<T>(block + lanes);
    for (std::size_t i = 0; i < list_.n; i += block) {
      const std::size_t n = std::min(block, list_.n - i);
      grid::bin_scores(list_.scores + i, n, bins_.scaling, bins_.terms, bins_.first, u, bin);
      for (std::size_t k = 0; k < n; ++k) {
        const auto b = static_cast<std::size_t>(bin[k]);
        if (alone[b]) visit(b, i + k, u[k], list_.gains[i + k]);
      }
    }
  }
  void correct(std::size_t place, T gradient, T curvature, const GradientSink<T>& out) const {
    out.grad[place] += gradient;
    if (out.hess) out.hess[place] += curvature;
  }
  void finish(std::size_t, const GradientSink<T>&) const {}

 private:
  /// Items that gain, closed up.
  struct Block {
    T *scores, *gains, *u, *bin, *ranks, *bells, *slopes;
    explicit Block(Workspace& workspace)
        : scores(workspace.take<T>(block + lanes)), gains(workspace.take<T>(block + lanes + stride)), u(workspace.take<T>(block + stride)),
          bin(workspace.take<T>(block + stride)), ranks(workspace.take<T>(block + stride)), bells(workspace.take<T>(block + stride)),
          slopes(workspace.take<T>(block + stride)) {}
  };

  template <class Phi>
  RANKGRAD_NOINLINE void rank_block(const Phi& phi, const Block& b, std::size_t n, std::size_t at, simd::BlockedSum<T>& value) const {
    using namespace simd;
    for (std::size_t i = 0; i < n; i += stride) {
      grid::Together<T> sums[2];
      grid::polynomials_by_cell<Cells, 2>(b.u + i, b.bin + i, tables_, sums);
      RANKGRAD_UNROLL
      for (std::size_t z = 0; z < grid::together; ++z) {
        store(b.ranks + i + z * lanes, sums[0].of[z]);
        store(b.bells + i + z * lanes, sums[1].of[z]);
      }
    }
    for_each_pack<T>(n, [&](std::size_t i, auto part) RANKGRAD_INLINE {
      const Pack<T> itself = bends_ ? lookup<Cells>(itself_, table_index<T>(load(b.bin + i))) : Pack<T>(T(0));
      const Pulls<T> pulls = pulls_of<T>(phi, load(b.ranks + i), load(b.bells + i), itself, load(b.gains + i));
      value.add(pulls.value, part);   // past the end: gains of 0
      store(b.slopes + i, pulls.slope);
      part.store(pulls_ + at + i, pulls.pull);
      if (bends_) part.store(bends_ + at + i, pulls.bend);
    });
  }
  RANKGRAD_NOINLINE void pull_block(const T* table, T* u, const T* bin, std::size_t n, std::size_t at, std::size_t& gained,
                                    const ByScore<T>& by_score, const GradientSink<T>& out) const {
    using namespace simd;
    for (std::size_t i = 0; i < n; i += stride) {
      grid::Together<T> c;
      grid::polynomials_by_cell<Cells, 1>(u + i, bin + i, &table, &c);
      RANKGRAD_UNROLL
      for (std::size_t z = 0; z < grid::together; ++z) store(u + i + z * lanes, c.of[z]);
    }
    std::size_t next = gained;
    for_each_pack<T>(n, [&](std::size_t i, auto part) RANKGRAD_INLINE {
      const Pack<T> c = load(u + i);
      const std::uint32_t bits = lane_bits<T>(part.load(list_.gains + at + i, T(0)) > Pack<T>(T(0)));
      part.accumulate(out.grad + at + i, by_score.gradient(c, expand_load(pulls_ + next, bits)));
      if (out.hess) part.accumulate(out.hess + at + i, by_score.curvature(c, expand_load(bends_ + next, bits)));
      next += static_cast<std::size_t>(std::popcount(bits));
    });
    gained = next;
  }
  std::size_t end_of(std::size_t p) const { return std::min((p + 1) * grid::piece_size, list_.n); }

  const RankList<T> list_;
  const grid::Grid<T>& bins_;
  T *pulls_, *bends_;   ///< of the items of each piece that gain, closed up
  const T *tables_[2] = {}, *itself_ = nullptr;
};

template <Real T>
class Sorted {
  static constexpr std::size_t lanes = simd::lanes<T>, m = grid::Order<T>::m;

 public:
  Sorted(const RankList<T>& list, const grid::Grid<T>& bins, bool curvature, Workspace& workspace)
      : items_{list.scores, list.gains, list.gains, list.n, grid::Target::two_classes, T(0), 2}, grid_(bins), bins_(bins.bins.count),
        size_(grid::sorted_piece_size(2 * bins_)), u_(workspace.take<T>(list.n + pieces() * grid::SortedPiece<T>::after)),
        slopes_(workspace.take<T>(list.n)), pulls_(workspace.take<T>(list.n)), bends_(curvature ? workspace.take<T>(list.n) : nullptr),
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
      for (std::size_t k = 0; k < m; ++k) a[0][k] = static_cast<T>(ranks_[b * grid::row<T> + k]), a[1][k] = static_cast<T>(bells_[b * grid::row<T> + k]);
      const Pack<T> itself(itself_[b]);
      grid::for_each_run<T, 2>(runs.u, begin, end, a, [&](std::size_t i, std::size_t left, const Pack<T>* sums_at) RANKGRAD_INLINE {
        const Pulls<T> at = pulls_of<T>(phi, sums_at[0], sums_at[1], itself, load_n(slopes + i, std::min(left, lanes), T(0)));
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
        grid::for_each_run<T, 1>(runs.u, begin, end, a, [&](std::size_t i, std::size_t left, const Pack<T>* column) RANKGRAD_INLINE {
          store_up_to(pulls + i, left, by_score.gradient(column[0], c ? load_n(pulls + i, std::min(left, lanes), T(0)) : zero));
          if (bends) store_up_to(bends + i, left, by_score.curvature(column[0], c ? load_n(bends + i, std::min(left, lanes), T(0)) : zero));
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
