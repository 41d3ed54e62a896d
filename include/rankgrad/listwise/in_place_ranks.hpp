// rankgrad/listwise/in_place_ranks.hpp: ranks by the grid in the order of the list, where the bins are few.
// SPDX-License-Identifier: MIT
//
// Read first: listwise/rank_orders.hpp.
#pragma once

#include <rankgrad/listwise/rank_orders.hpp>
#include <rankgrad/pairwise/near_linear/closing_up.hpp>
#include <rankgrad/simd/expand.hpp>

namespace rankgrad::inline RANKGRAD_ABI::listwise {

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
      append(load_up_to(list_.gains + i, left, T(0)), load_up_to(list_.scores + i, left, T(0)));
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

  void pull(std::size_t p, const double* columns, const ByScore<T>& by_score, const GradientSink<T>& out,
            Workspace& workspace) const {
    using namespace simd;
    T *table = workspace.take<T>(grid::Order<T>::m * Cells), *u = workspace.take<T>(block + stride),
      *bin = workspace.take<T>(block + stride);
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
        : scores(workspace.take<T>(block + lanes)), gains(workspace.take<T>(block + lanes + stride)),
          u(workspace.take<T>(block + stride)), bin(workspace.take<T>(block + stride)),
          ranks(workspace.take<T>(block + stride)), bells(workspace.take<T>(block + stride)),
          slopes(workspace.take<T>(block + stride)) {}
  };

  template <class Phi>
  RANKGRAD_NOINLINE void rank_block(const Phi& phi, const Block& b, std::size_t n, std::size_t at,
                                    simd::BlockedSum<T>& value) const {
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

}  // namespace rankgrad::listwise
