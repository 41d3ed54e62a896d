// rankgrad/embedding/in_batch_softmax.hpp: softmaxes along the rows, or the rows and the columns, of a matrix of similarities
// that is seen tile by tile.
// SPDX-License-Identifier: MIT
//
//   x_ij = scale s_ij + bias_j       anchor: a row, or a column; its positives are few and known by number, all other entries
//                                    that are not left out are its negatives
//   z    = log sum_{negatives} e^x - log sum_{positives} e^x,    1 - p = sigmoid(z), -log p = softplus(z)   (two_softmaxes.hpp)
//
// Positives do not take part in the tiles: their logits are inner products of their own, and what the gradient is there is put
// into the tile as a number. So 1 - p is a sum of what is small, not a difference of what is nearly equal, and an anchor that
// has learned everything has a gradient of few but right digits.
//
// Sums over tiles are relative to the highest similarity of the tile and are put together relative to the highest of all: no
// temperature is too low, no embedding too long. Where the lengths of the embeddings bound all logits (Bounded), one constant
// serves rows and columns, and they share one exponential.
#pragma once

#include <rankgrad/contrastive/info_nce.hpp>
#include <rankgrad/embedding/batch.hpp>

namespace rankgrad::inline RANKGRAD_ABI::embedding {

/// What the losses over in-batch softmaxes have in common.
struct SoftmaxSettings {
  double scale, smoothing, focal_gamma;
  bool detach_focal, together;
};

/// The anchors of one direction.
template <Real T>
struct SoftmaxAnchors {
  bool used = false;
  bool distributions = false;                             ///< targets are given: an anchor may learn without negatives
  std::size_t n = 0;
  double *weight, *positives, *candidates, *mass;         ///< mass: the sum of the positives' targets
  T* top;                                                 ///< highest similarity of a negative
  double *sum, *similarities;                             ///< over the negatives: e^{scale (s - top)}; s, for smoothing
  double *positive_top, *positive_sum, *positive_logits;  ///< over the positives, of their logits
  double* positive_mean;                                  ///< of their logits, in the shares that targets give
  double *slope, *focus;                                  ///< B; the sum of the C_i where they differ
  T *factor, *level;                                      ///< e^{scale (s - top)} to the derivative; the smoothing's part

  SoftmaxAnchors(bool use, std::size_t size, Workspace& workspace) : used(use), n(size) {
    constexpr double low = std::numeric_limits<double>::lowest();
    for (double** a : {&weight, &positives, &candidates, &mass, &sum, &similarities, &positive_sum, &positive_logits, &positive_mean,
                       &slope, &focus})
      *a = workspace.take<double>(n, 0.0);
    positive_top = workspace.take<double>(n, low);
    // Below every similarity, and above what is not there; of anchors that are not used, above everything: no share of it.
    top = workspace.take<T>(n, std::numeric_limits<T>::lowest() / T(used ? 8 : -8));
    factor = workspace.take<T>(n, T(0));
    level = workspace.take<T>(n, T(0));
  }
  bool valid(std::size_t a) const {
    const double others = candidates[a] - (distributions ? 1 : positives[a]);
    return used && positives[a] > 0 && others > 0 && weight[a] > 0;
  }

  double positive_lse(std::size_t a) const { return positive_top[a] + std::log(positive_sum[a]); }
  /// z
  double gap(std::size_t a, double scale) const {
    if (sum[a] == 0) return -std::numeric_limits<double>::infinity();   // NaN is not nothing
    return scale * static_cast<double>(top[a]) + std::log(sum[a]) - positive_lse(a);
  }
};

/// What the anchors know of their negatives goes on from what it is: with Passes::both a matrix may come in parts, each with an
/// objective of its own. `bound` must then be that of all parts.
template <Real T, Passes How, bool Bounded>
class InBatchSoftmax {
 public:
  static constexpr Passes passes = How;

  /// weights of the anchors (with the factor of a mean) are set by the caller; logits: of the pairs of `relations`.
  InBatchSoftmax(const SoftmaxSettings& settings, const Relations& relations, SoftmaxAnchors<T>& rows, SoftmaxAnchors<T>& columns,
                 const T* bias, double bound, std::size_t block, std::size_t chunks, Workspace& workspace)
      : settings_(settings), pairs_(relations), rows_(rows), columns_(columns), bias_(bias), power_(settings.scale),
        chunks_(chunks) {
    // Bounded: |x| <= bound; neither sums of e^{x - shift} nor what they are divided by overflow or vanish. A shift that is 0
    // is rounded nowhere.
    shift_ = static_cast<T>(std::max(0.0, bound - headroom) / settings.scale);
    logit = workspace.take<double>(relations.pairs());
    slope_ = workspace.take<T>(relations.pairs(), T(0));
    tops_ = workspace.take<T>(block * chunks);
    sums_ = workspace.take<T>(block * chunks);
    if (settings.smoothing > 0) similarities_ = workspace.take<T>(block * chunks);
  }

  static constexpr double headroom = sizeof(T) == 4 ? 50 : 300;
  static constexpr double largest_bound = sizeof(T) == 4 ? 60 : 450;

  double* logit;   ///< [pairs] of the positives, set by the caller before anything else
  double* apart = nullptr;   ///< [pairs] zeros: takes the derivatives by positives, and the tiles have none

  /// What the anchors know of their positives, and rows of the negatives that they alone see.
  void open(const OwnNegatives<T>& own) {
    for (SoftmaxAnchors<T>* anchors : {&rows_, &columns_}) {
      if (!anchors->used) continue;
      for_pairs(*anchors, 0, pairs_.queries, [&](std::size_t k, std::size_t a) {
        anchors->positive_top[a] = std::max(anchors->positive_top[a], logit[k]);
        anchors->positive_logits[a] += logit[k];
        anchors->positive_mean[a] += share(k, *anchors, a) * logit[k];
      });
      for_pairs(*anchors, 0, pairs_.queries, [&](std::size_t k, std::size_t a) {
        anchors->positive_sum[a] += std::exp(logit[k] - anchors->positive_top[a]);
      });
    }
    for (std::size_t i = 0; i < rows_.n && rows_.used; ++i) {
      if (own.count(i) == 0) continue;
      T top = rows_.top[i];
      own.for_each(i, [&](std::size_t k) { top = std::max(top, own.similarity[k]); });
      raise(i, Bounded ? shift_ : top);
      own.for_each(i, [&](std::size_t k) {
        const double s = static_cast<double>(own.similarity[k]);
        rows_.sum[i] += std::exp(settings_.scale * (s - static_cast<double>(rows_.top[i])));
        rows_.similarities[i] += s;
      });
    }
  }

  void see(const Tile<T>& tile) {
    using namespace simd;
    const std::size_t first_row = tile.row[0];
    for (std::size_t r = 0; r < tile.rows; ++r) {
      T* const s = tile[r];
      leave_negatives(pairs_, bias_, tile, r);
      const std::size_t at = (tile.row[r] - first_row) * chunks_ + tile.chunk;
      Pack<T> top(out_of_reach<T> / 2), sum(T(0));
      if constexpr (!Bounded) {
        for (std::size_t j = 0; j < tile.columns; j += lanes<T>) top = larger(top, load(s + j));
        top = Pack<T>(tops_[at] = highest(top));
      } else {
        top = Pack<T>(tops_[at] = shift_);
      }
      if (similarities_) {
        Pack<T> plain(T(0));
        for (std::size_t j = 0; j < tile.columns; j += lanes<T>) {
          const Pack<T> v = load(s + j);
          plain = plain + select(v > Pack<T>(out_of_reach<T> / 2), v, Pack<T>(T(0)));
        }
        similarities_[at] = simd::sum(plain);
        if (columns_.used)
          for (std::size_t j = 0; j < tile.columns; ++j)
            if (s[j] > out_of_reach<T> / 2) columns_.similarities[tile.column + j] += static_cast<double>(s[j]);
      }
      if (!rows_.used && !Bounded) continue;
      for (std::size_t j = 0; j < tile.columns; j += lanes<T>) {
        const Pack<T> e = power_(load(s + j) - top);
        sum = sum + e;
        if constexpr (Bounded || How == Passes::rows) store(s + j, e);
      }
      sums_[at] = simd::sum(sum);
    }
    if constexpr (How == Passes::both)
      if (columns_.used) see_columns(tile);
  }

  void close_rows(const std::uint32_t* row, std::size_t n) {
    first_row_ = row[0];
    for (std::size_t r = 0; r < n && rows_.used; ++r) {
      const std::size_t i = row[r];
      const T *const tops = tops_ + r * chunks_, *const sums = sums_ + r * chunks_;
      raise(i, *std::max_element(tops, tops + chunks_));
      const T top = rows_.top[i];
      double sum = rows_.sum[i];   // of what was here before
      for (std::size_t c = 0; c < chunks_; ++c) {
        sum += static_cast<double>(sums[c]) * std::exp(settings_.scale * (static_cast<double>(tops[c]) - static_cast<double>(top)));
        if (similarities_) rows_.similarities[i] += static_cast<double>(similarities_[r * chunks_ + c]);
      }
      rows_.sum[i] = sum;
    }
    if constexpr (How == Passes::rows) {
      settle(rows_, first_row_, first_row_ + n, first_row_, first_row_ + n);
      for (std::size_t r = 0; r < n; ++r)   // a row's factor, for what is relative to the top of a tile
        for (std::size_t c = 0; c < chunks_; ++c) {
          const double below = static_cast<double>(tops_[r * chunks_ + c]) - static_cast<double>(rows_.top[row[r]]);
          sums_[r * chunks_ + c] = static_cast<T>(static_cast<double>(rows_.factor[row[r]]) * std::exp(settings_.scale * below));
        }
    }
  }
  void close() {
    settle(rows_, 0, pairs_.queries, 0, rows_.n);
    settle(columns_, 0, pairs_.queries, 0, columns_.n);
  }

  void derive(const Tile<T>& tile) const {
    using namespace simd;
    for (std::size_t r = 0; r < tile.rows; ++r) {
      const std::size_t i = tile.row[r];
      T* const s = tile[r];
      if constexpr (How == Passes::rows) {
        const Pack<T> factor(sums_[(i - first_row_) * chunks_ + tile.chunk]), level(rows_.level[i]);
        for (std::size_t j = 0; j < tile.columns; j += lanes<T>) store(s + j, fma(factor, load(s + j), Pack<T>(T(0)) - level));
      } else {
        leave_negatives(pairs_, bias_, tile, r);
        const Pack<T> top(Bounded ? shift_ : rows_.top[i]), factor(rows_.factor[i]), level(rows_.level[i]);
        const T *const tops = columns_.top + tile.column, *const factors = columns_.factor + tile.column,
                *const levels = columns_.level + tile.column;
        for (std::size_t j = 0; j < tile.columns; j += lanes<T>) {
          const Pack<T> v = load(s + j), own = power_(v - top);
          if constexpr (Bounded)
            store(s + j, fma(factor + load(factors + j), own, Pack<T>(T(0)) - (level + load(levels + j))));
          else
            store(s + j, fma(factor, own, fma(load(factors + j), power_(v - load(tops + j)), Pack<T>(T(0)) - (level + load(levels + j)))));
        }
      }
      pairs_.for_same(i, tile.column, tile.columns, [&](std::size_t j) { s[j - tile.column] = T(0); });
      put_positives(pairs_, slope_, tile, r);
    }
  }

  /// dL/ds of the negatives that one row alone sees, when all is settled.
  void derive(const OwnNegatives<T>& own) const {
    for (std::size_t i = 0; i < rows_.n; ++i) {
      if (own.count(i) == 0 || !rows_.valid(i)) continue;
      const double factor = settings_.scale * rows_.weight[i], even = settings_.smoothing / rows_.candidates[i];
      const double lse = rows_.positive_lse(i) + contrastive::softplus(rows_.gap(i, settings_.scale));
      own.for_each(i, [&](std::size_t k) {
        const double p = std::exp(settings_.scale * static_cast<double>(own.similarity[k]) - lse);
        own.slope[k] = static_cast<T>(factor * (rows_.slope[i] * p - even));
      });
    }
  }

  double value() const { return value_; }
  /// dL/ds of the positives.
  const T* slopes() const { return slope_; }

 private:
  /// The sum of a row is from here on relative to `top`, if that is higher than what it was relative to.
  void raise(std::size_t i, T top) {
    const T before = std::exchange(rows_.top[i], std::max(rows_.top[i], top));
    const double below = static_cast<double>(before) - static_cast<double>(rows_.top[i]);
    if (rows_.sum[i] > 0) rows_.sum[i] *= std::exp(settings_.scale * below);
  }
  void see_columns(const Tile<T>& tile) const {
    using namespace simd;
    for (std::size_t j = 0; j < tile.columns; j += lanes<T>) {
      Pack<T> sums(T(0));
      const T* const entry = tile.entries + j;
      T* const tops = columns_.top + tile.column + j;
      alignas(64) T old[lanes<T>], part[lanes<T>];
      if constexpr (Bounded) {
        for (std::size_t r = 0; r < tile.rows; ++r) sums = sums + load(entry + r * tile.stride);
        store(old, load(tops));
        store(tops, Pack<T>(shift_));
      } else {
        const Pack<T> before = load(tops);
        Pack<T> top = before;
        for (std::size_t r = 0; r < tile.rows; ++r) top = larger(top, load(entry + r * tile.stride));
        for (std::size_t r = 0; r < tile.rows; ++r) sums = sums + power_(load(entry + r * tile.stride) - top);
        store(old, before);
        store(tops, top);
      }
      store(part, sums);
      const std::size_t n = std::min(lanes<T>, tile.columns - j);
      for (std::size_t l = 0; l < n; ++l) {
        double& sum = columns_.sum[tile.column + j + l];
        if (!Bounded && old[l] != tops[l] && sum > 0)
          sum *= std::exp(settings_.scale * (static_cast<double>(old[l]) - static_cast<double>(tops[l])));
        sum += static_cast<double>(part[l]);
      }
    }
  }

  /// body(pair, anchor) for the positives of the queries begin .. end - 1.
  template <class Body>
  void for_pairs(const SoftmaxAnchors<T>& anchors, std::size_t begin, std::size_t end, const Body& body) const {
    const bool by_row = &anchors == &rows_;
    for (std::size_t i = begin; i < end; ++i)
      for (std::size_t k = pairs_.offset[i]; k < pairs_.offset[i + 1]; ++k) body(k, by_row ? i : pairs_.document[k]);
  }

  /// How much of an anchor's target pair k has.
  double share(std::size_t k, const SoftmaxAnchors<T>& anchors, std::size_t a) const { return pairs_.target(k) / anchors.mass[a]; }

  /// Values and slopes of the anchors first .. last - 1, whose positives are those of the queries begin .. end - 1.
  void settle(SoftmaxAnchors<T>& anchors, std::size_t begin, std::size_t end, std::size_t first, std::size_t last) {
    if (!anchors.used) return;
    const double scale = settings_.scale, e = settings_.smoothing, gamma = settings_.focal_gamma, kept = 1 - e;
    const bool detach = settings_.detach_focal, together = settings_.together;
    const auto multiple = [&](std::size_t a) { return !together && gamma > 0 && anchors.positives[a] > 1; };
    const auto focal_of = [&](std::size_t k, std::size_t a, double l) {
      const double own = l + (anchors.positive_lse(a) - logit[k]);
      return contrastive::focal(own, -std::expm1(-own), gamma, detach);
    };
    if (gamma > 0 && !together)
      for_pairs(anchors, begin, end, [&](std::size_t k, std::size_t a) {
        if (!anchors.valid(a) || !multiple(a)) return;
        const auto focal = focal_of(k, a, contrastive::softplus(anchors.gap(a, scale)));
        const double part = share(k, anchors, a);
        anchors.focus[a] += focal.slope * part;
        value_ += anchors.weight[a] * kept * focal.value * part;
      });
    for (std::size_t a = first; a < last; ++a) {
      if (!anchors.valid(a)) continue;
      const double z = anchors.gap(a, scale), l = contrastive::softplus(z), lse = anchors.positive_lse(a) + l;
      const double weight = anchors.weight[a];
      double main = 0;
      if (!multiple(a)) {
        const auto focal = contrastive::focal(l, contrastive::sigmoid(z), gamma, detach);
        const bool apart = !together && anchors.positives[a] > 1;
        main = apart ? l + (anchors.positive_lse(a) - anchors.positive_mean[a]) : focal.value;
        anchors.focus[a] = apart ? 1 : focal.slope;
      }
      if (e > 0) {
        const double logits = scale * anchors.similarities[a] + anchors.positive_logits[a];
        main = kept * main + e * (lse - logits / anchors.candidates[a]);
      }
      value_ += weight * main;
      anchors.slope[a] = kept * anchors.focus[a] + e;
      anchors.level[a] = static_cast<T>(scale * weight * e / anchors.candidates[a]);
      const double share = anchors.sum[a] == 0 ? 0 : std::exp(scale * static_cast<double>(anchors.top[a]) - lse);
      anchors.factor[a] = static_cast<T>(scale * weight * anchors.slope[a] * share);
    }
    for_pairs(anchors, begin, end, [&](std::size_t k, std::size_t a) {
      if (!anchors.valid(a)) return;
      const double z = anchors.gap(a, scale), rest = contrastive::sigmoid(z), won = contrastive::sigmoid(-z);
      const double r = std::exp(logit[k] - anchors.positive_lse(a)), part = share(k, anchors, a);
      double slope = -e / anchors.candidates[a];
      if (multiple(a)) slope += anchors.slope[a] * r * won - kept * part * focal_of(k, a, contrastive::softplus(z)).slope;
      else if (together || anchors.positives[a] < 2) slope += r * (e * won - kept * anchors.focus[a] * rest);
      else slope += (r - part) - r * rest + e * part;
      slope *= scale * anchors.weight[a];
      if (apart) apart[k] += slope;
      else slope_[k] += static_cast<T>(slope);
    });
  }

  SoftmaxSettings settings_;
  const Relations& pairs_;
  SoftmaxAnchors<T>&rows_, &columns_;
  const T* bias_;
  simd::ScaledExp<T> power_;
  std::size_t chunks_, first_row_ = 0;
  T shift_, *slope_, *tops_, *sums_, *similarities_ = nullptr;
  double value_ = 0;
};

}  // namespace rankgrad::embedding
