// rankgrad/embedding/gridded_pairs.hpp: every positive similarity of a batch against every negative one, O(1) for a negative.
// SPDX-License-Identifier: MIT
//
// By the grid of pairwise/near_linear (docs/numerics.md). Before any tile is seen, the positives' moments and from them their
// potential: a polynomial for each bin, which a negative reads its derivative from. The negatives leave their moments in the
// bins; after the last tile these give the sum over all pairs, and the positives' derivatives.
//
// Read first: embedding/mixed_pairs.hpp, pairwise/near_linear/potentials.hpp.
#pragma once

#include <rankgrad/embedding/mixed_pairs.hpp>
#include <rankgrad/pairwise/near_linear/closing_up.hpp>
#include <rankgrad/pairwise/near_linear/evaluate.hpp>
#include <rankgrad/pairwise/near_linear/grid_step.hpp>
#include <rankgrad/pairwise/near_linear/placement.hpp>

namespace rankgrad::inline RANKGRAD_ABI::embedding {

template <Real T>
class GriddedPairs {
  using Grid = pairwise::near_linear::Grid<T>;
  using Moments = pairwise::near_linear::CellMoments<T>;
  static constexpr std::size_t lanes = simd::lanes<T>, batch = pairwise::near_linear::batch,
                               row = pairwise::near_linear::row<T>, beyond = pairwise::near_linear::together * lanes;

 public:
  static constexpr Passes passes = Passes::one;
  /// More bins than this would be more work than their pairs.
  static constexpr double most_bins = 4096;
  /// Where a pair is further apart than this, softplus(x) is 0 or x in T.
  static constexpr double reach = sizeof(T) == 4 ? 132 : 773;

  /// The part of the line where a negative is felt, and has not yet all its effect. unsound: NaN where a positive is.
  struct Place {
    T low, high, unsound;
    Grid grid;
  };
  /// No similarity is above `longest`.
  static std::optional<Place> place(const MixedPairs<T>& pairs, double longest, Workspace& workspace) {
    const simd::Range<T> range = simd::range_of(pairs.similarity, pairs.positives());
    const double low = range.finite ? static_cast<double>(range.low) : 0, far = reach / pairs.sigma;
    const double high = range.finite ? static_cast<double>(range.high) : 0;
    T ends[2] = {static_cast<T>(std::max(low - far, -longest)), static_cast<T>(std::min(high + far, longest))};
    auto placed = pairwise::near_linear::place_on_grid(ends, 2, pairs.sigma, workspace);
    if (!placed || !(placed->span <= most_bins)) return {};
    pairwise::near_linear::all_bins(*placed, workspace);
    return Place{ends[0], ends[1], range.finite ? T(0) : std::numeric_limits<T>::quiet_NaN(), placed->grid};
  }

  /// factor: of the sum over pairs.
  GriddedPairs(const MixedPairs<T>& pairs, const Place& at, double factor, bool gradient, const Tiles<T>& tiles,
               Workspace& workspace)
      : pairs_(pairs), place_(at), bins_(at.grid.bins.count), slots_(tiles.at_once()), factor_(factor), gradient_(gradient),
        positives_(workspace.take<double>(bins_ * row, 0.0)), negatives_(workspace.take<double>(slots_ * bins_ * row, 0.0)),
        excess_(workspace.take<double>(slots_, 0.0)), scratch_(workspace.take<Scratch>(tiles.seats())),
        potential_(bins_, workspace) {
    for (std::size_t c = 0; c < tiles.seats(); ++c) scratch_[c] = Scratch(bins_, pairs.row_weight != nullptr, workspace);
    const auto frame = workspace.frame();
    if (at.unsound != 0) std::fill_n(pairs.similarity, pairs.positives(), T(0));   // what they are shows in the end
    const Scratch& b = scratch_[0];
    Moments moments(b.cells, bins_, positives_);
    for_each_batch([&](std::size_t k, std::size_t n) {
      const auto range = find_bins(pairs.similarity + k, n, b);
      moments.add(0, b.u, b.bin, range, pairs.positive_weight ? pairs.positive_weight + k : nullptr, n);
    });
    moments.finish(1);
    if (!gradient) return;
    double *const anywhere = workspace.take<double>(bins_ * row, 1.0), *const felt = workspace.take<double>(bins_ * row, 0.0);
    using namespace pairwise::near_linear;
    Sweep<T>(at.grid.bins, FarField<T>(bins_, workspace))
        .template add<pairwise::near_linear::Side::worse, the_slope>(positives_, anywhere, 1, felt, nullptr);
    potential_.fill(felt, factor * pairs.sigma);
  }

  void derive(const Tile<T>& tile) {
    const std::size_t slot = tile.chunk % slots_;
    const Scratch& b = scratch_[tile.seat];
    Moments moments(b.cells, bins_, negatives_ + slot * bins_ * row);
    for (std::size_t r = 0; r < tile.rows; ++r) {
      const T weight = pairs_.row_weight ? pairs_.row_weight[tile.row[r]] : T(1);
      if (pairs_.row_weight) std::fill_n(b.weights, batch, weight);
      double excess = 0;
      for (std::size_t at = 0; at < tile.columns; at += batch) {
        const std::size_t n = std::min(batch, tile.columns - at), others = find_others(pairs_, tile, r, at, n, b.others);
        T* const s = tile[r] + at;
        excess += clamp(s, n, b.others, others);
        const auto range = find_bins(s, n, b);
        for (std::size_t z = 0; z < others; ++z) b.bin[b.others[z]] = T(-1);
        moments.add(0, b.u, b.bin, range, b.weights, n);
        if (!gradient_) continue;
        potential_.evaluate(b.u, b.bin, range, n, b.out);
        for (std::size_t z = 0; z < others; ++z) b.out[b.others[z]] = T(0);
        store_derivatives(b.out, weight, n, s);
      }
      excess_[slot] += static_cast<double>(weight) * excess;
    }
    moments.finish(1);
  }

  /// After all tiles: V times the factor, and the derivatives by the positives.
  double close(T* slope, Workspace& workspace) {
    const auto frame = workspace.frame();
    using namespace pairwise::near_linear;
    double excess = static_cast<double>(place_.unsound), weight = 0;
    for (std::size_t c = 0; c < slots_; ++c) {
      excess += excess_[c];
      for (std::size_t i = 0; c > 0 && i < bins_ * row; ++i) negatives_[i] += negatives_[c * bins_ * row + i];
    }
    for (std::size_t b = 0; b < bins_; ++b) weight += positives_[b * row];
    double* const felt = workspace.take<double>(bins_ * row, 0.0);
    const double near = Sweep<T>(place_.grid.bins, FarField<T>(bins_, workspace))
                            .template add<pairwise::near_linear::Side::better, the_value | the_slope>(negatives_, positives_, -1,
                                                                                                      felt, nullptr);
    if (gradient_) {
      potential_.fill(felt, factor_ * pairs_.sigma);
      const Scratch& b = scratch_[0];
      const T unsound = static_cast<T>(0 * excess);   // NaN where a similarity was not finite
      for_each_batch([&](std::size_t k, std::size_t n) {
        potential_.evaluate(b.u, b.bin, find_bins(pairs_.similarity + k, n, b), n, b.out);
        for (std::size_t z = 0; z < n; ++z)
          slope[k + z] = (pairs_.positive_weight ? pairs_.positive_weight[k + z] * b.out[z] : b.out[z]) + unsound;
      });
    }
    return factor_ * (near + pairs_.sigma * weight * excess);
  }

 private:
  /// For a part of a row.
  struct Scratch {
    pairwise::near_linear::CellBuffers<T> cells;
    T *u, *bin, *out, *weights;
    std::uint32_t* others;
    Scratch(std::size_t bins, bool weighted, Workspace& workspace)
        : cells(bins, weighted, workspace), u(workspace.take<T>(batch + beyond, T(0))),
          bin(workspace.take<T>(batch + beyond, T(0))), out(workspace.take<T>(batch + beyond)), weights(weighted ? workspace.take<T>(batch) : nullptr),
          others(workspace.take<std::uint32_t>(batch)) {}
  };

  auto find_bins(const T* s, std::size_t n, const Scratch& b) const {
    const Grid& grid = place_.grid;
    return pairwise::near_linear::bin_scores(s, n, grid.scaling, grid.terms, grid.first, b.u, b.bin);
  }
  template <class Body>
  void for_each_batch(const Body& body) const {
    for (std::size_t k = 0; k < pairs_.positives(); k += batch) body(k, std::min(batch, pairs_.positives() - k));
  }

  /// Moves what is outside to the border. Returns how far the negatives were above it, all together: there softplus is linear,
  /// and its slope that of the border. NaN is not lost.
  double clamp(T* s, std::size_t n, const std::uint32_t* others, std::size_t count) const {
    using namespace simd;
    const Pack<T> low(place_.low), high(place_.high), zero(T(0));
    for (std::size_t z = 0; z < count; ++z) s[others[z]] = place_.low;
    for (std::size_t j = n; j % lanes != 0; ++j) s[j] = place_.low;
    Pack<T> excess = zero;
    for (std::size_t j = 0; j < n; j += lanes) {
      const Pack<T> v = load(s + j), above = v - high;
      const auto inside = above <= zero;
      excess = excess + select(inside, zero, above);
      store(s + j, select(inside, select(v < low, low, v), high));
    }
    // A bin that is looked at anyway.
    for (std::size_t z = 0; z < count; ++z) s[others[z]] = s[others[z] ? others[z] - 1 : 1];
    return wide_sum(excess);
  }

  static void store_derivatives(const T* potential, T weight, std::size_t n, T* to) {
    simd::for_each_pack<T>(n, [&](std::size_t j, auto at) RANKGRAD_INLINE {
      at.store(to + j, simd::Pack<T>(weight) * simd::load(potential + j));
    });
  }

  const MixedPairs<T>& pairs_;
  const Place place_;
  const std::size_t bins_, slots_;
  const double factor_;
  const bool gradient_;
  double *positives_, *negatives_, *excess_;   ///< moments [bins], [slots][bins]; [slots]
  Scratch* scratch_;                           ///< [seats]
  pairwise::near_linear::PotentialTable<T> potential_;
};

}  // namespace rankgrad::embedding
