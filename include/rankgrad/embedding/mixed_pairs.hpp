// rankgrad/embedding/mixed_pairs.hpp: positive similarities against negative ones, which are seen tile by tile.
// SPDX-License-Identifier: MIT
//
//   V = sum over pairs of a positive p and a negative n of a_p b_n softplus(x_n - x_p),     x = sigma s
//
// The positives are few and known by number before any tile is seen. So what they do to a negative is known too, and a tile
// turns into derivatives where it stands: one pass. What the negatives do to them is summed on the way, in places that depend on
// the number of the tile alone, which are added in their order. An entry can be compared with every positive (here), or with all
// of them at once (embedding/gridded_pairs.hpp).
#pragma once

#include <rankgrad/embedding/batch.hpp>
#include <rankgrad/simd/math.hpp>

namespace rankgrad::inline RANKGRAD_ABI::embedding {

enum class PairsBy { automatic, grid, exponentials };

/// The two sides of the pairs. All similarities are those with the bias of the document.
template <Real T>
struct MixedPairs {
  const Relations& relations;
  double sigma;
  const T* bias;        ///< [documents] in units of similarity, or null
  T* similarity;        ///< [pairs] of the positives
  T* positive_weight;   ///< a [pairs], null for 1
  T* row_weight;        ///< b [queries], of all negatives of a row, null for 1

  std::size_t positives() const { return relations.pairs(); }

  /// The weights of the queries for a and b.
  void weigh(const EmbeddingView<T>& view, const Side<T>& queries, Workspace& workspace) {
    row_weight = workspace.take<T>(queries.n);
    positive_weight = workspace.take<T>(positives());
    for (std::size_t i = 0; i < queries.n; ++i) {
      row_weight[i] = view.weight(queries.number[i]);
      std::fill(positive_weight + relations.offset[i], positive_weight + relations.offset[i + 1], row_weight[i]);
    }
  }
};

/// The row of a tile from column `at` on, with its bias; columns of what is no negative go to `others`. Returns their number.
template <Real T>
std::size_t find_others(const MixedPairs<T>& pairs, const Tile<T>& tile, std::size_t r, std::size_t at, std::size_t n,
                        std::uint32_t* others) {
  T* const s = tile[r] + at;
  const std::size_t i = tile.row[r], first = tile.column + at;
  if (pairs.bias)
    for (std::size_t j = 0; j < n; ++j) s[j] += pairs.bias[first + j];
  std::size_t count = 0;
  pairs.relations.for_same(i, first, n, [&](std::size_t j) { others[count++] = static_cast<std::uint32_t>(j - first); });
  pairs.relations.for_positives(i, first, n, [&](std::size_t k) {
    const std::uint32_t j = pairs.relations.document[k];
    if (!pairs.relations.is_same(i, j)) others[count++] = j - static_cast<std::uint32_t>(first);
  });
  return count;
}

/// A row meets its own positives, or all of them: an exponential for an entry and a positive.
template <Real T>
class PairsOneByOne {
  static constexpr std::size_t lanes = simd::lanes<T>, batch = 256;

 public:
  static constexpr Passes passes = Passes::one;

  /// own: a row meets its own positives only. factors: of the pairs of each row, row_weight included.
  PairsOneByOne(const MixedPairs<T>& pairs, bool own, const double* factors, bool gradient, const Tiles<T>& tiles,
                Workspace& workspace)
      : pairs_(pairs), own_(own), gradient_(gradient), slots_(tiles.at_once()), factors_(factors),
        values_(workspace.take<double>(slots_, 0.0)), felt_(workspace.take<double>(slots_ * pairs.positives(), 0.0)) {}

  void derive(const Tile<T>& tile) {
    const std::size_t slot = tile.chunk % slots_;
    alignas(64) T derivative[batch];
    std::uint32_t others[batch];
    const Relations& all = pairs_.relations;
    for (std::size_t r = 0; r < tile.rows; ++r) {
      const std::size_t i = tile.row[r], begin = own_ ? all.offset[i] : 0, end = own_ ? all.offset[i + 1] : all.pairs();
      for (std::size_t at = 0; at < tile.columns; at += batch) {
        const std::size_t n = std::min(batch, tile.columns - at), count = find_others(pairs_, tile, r, at, n, others);
        T* const s = tile[r] + at;
        for (std::size_t z = 0; z < count; ++z) s[others[z]] = out_of_reach<T>;   // softplus and its slope are 0
        for (std::size_t j = n; j % lanes != 0; ++j) s[j] = out_of_reach<T>;
        std::fill_n(derivative, batch, T(0));
        for (std::size_t k = begin; k < end && factors_[i] != 0; ++k) {
          const double weight = factors_[i] * (pairs_.positive_weight ? static_cast<double>(pairs_.positive_weight[k]) : 1.0);
          const Sums sums = meet(s, n, pairs_.similarity[k], static_cast<T>(weight * pairs_.sigma), derivative);
          values_[slot] += weight * sums.value;
          felt_[slot * all.pairs() + k] -= weight * pairs_.sigma * sums.slope;
        }
        if (gradient_) std::copy_n(derivative, n, s);
      }
    }
  }

  double close(T* slope, Workspace&) {
    double value = 0;
    for (std::size_t c = 0; c < slots_; ++c) value += values_[c];
    for (std::size_t k = 0; k < pairs_.positives(); ++k) {
      double sum = 0;
      for (std::size_t c = 0; c < slots_; ++c) sum += felt_[c * pairs_.positives() + k];
      slope[k] = static_cast<T>(sum);
    }
    return value;
  }

 private:
  struct Sums {
    double value, slope;
  };
  RANKGRAD_NOINLINE Sums meet(const T* s, std::size_t n, T positive, T weight, T* derivative) const {
    using namespace simd;
    const Pack<T> sigma(static_cast<T>(pairs_.sigma)), from(positive), by(weight);
    Pack<T> value(T(0)), slope(T(0));
    for (std::size_t j = 0; j < n; j += lanes) {
      const auto term = softplus_sigmoid<T>(sigma * (load(s + j) - from));
      value = value + term.softplus;
      slope = slope + term.sigmoid;
      store(derivative + j, fma(by, term.sigmoid, load(derivative + j)));
    }
    return {wide_sum(value), wide_sum(slope)};
  }

  const MixedPairs<T>& pairs_;
  const bool own_, gradient_;
  const std::size_t slots_;
  const double* factors_;
  double *values_, *felt_;   ///< [slots]; [slots][positives]
};

}  // namespace rankgrad::embedding
