// rankgrad/contrastive/matrix_softmax.hpp: softmax cross-entropy along the rows and the columns of one matrix.
// SPDX-License-Identifier: MIT
//
//   L = sum_i a_i CE(softmax(S_i. / tau), t_i.) + sum_j b_j CE(softmax(S_.j / tau), t_.j)
//   t_ij = (1 - e) 1[j positive of i] / |P_i| + e / |C_i|        over the candidates C_i of an anchor; columns likewise
//   CE_i = log sum_j e^{d_ij / tau} - sum_j t_ij d_ij / tau,     d_ij = S_ij - highest of the anchor <= 0
//   dL/dS_ij = a_i (p_ij - t_ij) / tau + b_j (the same along the column),  h_ij = a_i p_ij (1 - p_ij) / tau^2 + ...
//
// The matrix is read row by row, three times: tops, sums, gradient. Every entry belongs to two anchors, of its row and of its
// column; what columns collect stands in arrays, and moves from T to double every 128 rows.
#pragma once

#include <rankgrad/core/gradient_sink.hpp>
#include <rankgrad/core/workspace.hpp>
#include <rankgrad/simd/math.hpp>
#include <rankgrad/simd/rows.hpp>

#include <cmath>
#include <limits>

namespace rankgrad::inline RANKGRAD_ABI::contrastive {

/// The anchors of one direction: rows or columns. What the caller fills: weight, candidates, positives.
template <Real T>
struct Anchors {
  bool used;
  double *weight, *candidates, *positives;   ///< candidates and positives: how many an anchor has
  double *sum, *positive_distance, *distance;
  T *top, *part[3];
  T *share, *slope, *bend, *pull, *level;    ///< 1 / sum; what p, p (1 - p), positives and candidates are multiplied by

  Anchors(bool use, std::size_t n, Workspace& workspace)
      : used(use), top(workspace.take<T>(n, std::numeric_limits<T>::lowest())) {
    for (double** array : {&weight, &candidates, &positives, &sum, &positive_distance, &distance})
      *array = workspace.take<double>(n, 0.0);
    for (T** array : {&part[0], &part[1], &part[2], &share, &slope, &bend, &pull, &level}) *array = workspace.take<T>(n, T(0));
  }
  void flush(std::size_t n) {
    double* const sums[] = {sum, positive_distance, distance};
    for (int k = 0; k < 3; ++k) simd::move_sums(part[k], n, sums[k]);
  }
};

/// identity: who an entry's row and column show, >= 0 and exact in T; -1: absent. Equal identities are positives; or, with
/// `own_only`, only the column i * own_step is one of row i, and the others of the same identity are left out.
template <Real T>
struct AnchorMatrix {
  const T* entries;
  std::size_t rows, columns, own_step;
  const T *row_identity, *column_identity;
  bool own_only;
  double inverse_temperature, smoothing;

  /// body(j, at, s, candidate, positive) for every pack of row i.
  template <class Body>
  RANKGRAD_INLINE void visit_row(std::size_t i, const Body& body) const {
    using namespace simd;
    const Pack<T> identity(row_identity[i]), own(static_cast<T>(i * own_step)), lane = iota<T>(T(0)), zero(T(0));
    const T *const row = entries + i * columns, *const others = column_identity;
    const bool single = own_only;
    for_each_pack<T>(columns, [&](std::size_t j, auto at) RANKGRAD_INLINE {
      const Pack<T> other = at.load(others + j, T(-1));
      auto positive = other == identity, candidate = other >= zero;
      if (single) {
        const auto here = lane + Pack<T>(static_cast<T>(j)) == own;
        candidate = candidate & ((other != identity) | here);
        positive = positive & here;
      }
      body(j, at, at.load(row + j, T(0)), candidate, positive);
    });
  }

  double evaluate(Anchors<T>& along_rows, Anchors<T>& along_columns, const GradientSink<T>& out) const {
    find_tops(along_rows, along_columns);
    add_up(along_rows, along_columns);
    const double value = settle(along_rows, rows, out) + settle(along_columns, columns, out);
    add_gradient(along_rows, along_columns, out);
    return value;
  }

 private:
  void find_tops(Anchors<T>& by_row, Anchors<T>& by_column) const {
    using namespace simd;
    for (std::size_t i = 0; i < rows; ++i) {
      if (row_identity[i] < T(0)) continue;
      Pack<T> top(std::numeric_limits<T>::lowest());
      T* const tops = by_column.top;
      visit_row(i, [&](std::size_t j, auto at, Pack<T> s, auto candidate, auto) RANKGRAD_INLINE {
        top = select(candidate & (s > top), s, top);
        if (!by_column.used) return;
        const Pack<T> above = at.load(tops + j, T(0));
        at.store(tops + j, select(candidate & (s > above), s, above));
      });
      by_row.top[i] = highest(top);
    }
  }

  void add_up(Anchors<T>& by_row, Anchors<T>& by_column) const {
    using namespace simd;
    constexpr std::size_t rows_per_flush = 128;
    const ScaledExp<T> power(inverse_temperature);
    const Pack<T> zero(T(0));
    for (std::size_t i = 0; i < rows; ++i) {
      if (row_identity[i] >= T(0)) {
        const Pack<T> top(by_row.top[i]);
        BlockedSum<T> sum, positive_distance, distance;
        visit_row(i, [&](std::size_t j, auto at, Pack<T> s, auto candidate, auto positive) RANKGRAD_INLINE {
          if (by_row.used) {
            const Pack<T> d = select(candidate, s - top, zero);
            sum.add(select(candidate, power(d), zero), at);
            positive_distance.add(select(positive, d, zero), at);
            distance.add(d, at);
          }
          if (by_column.used) {
            const Pack<T> d = select(candidate, s - at.load(by_column.top + j, T(0)), zero);
            at.accumulate(by_column.part[0] + j, select(candidate, power(d), zero));
            at.accumulate(by_column.part[1] + j, select(positive, d, zero));
            at.accumulate(by_column.part[2] + j, d);
          }
        });
        by_row.sum[i] = sum.total();
        by_row.positive_distance[i] = positive_distance.total();
        by_row.distance[i] = distance.total();
      }
      if (by_column.used && ((i + 1) % rows_per_flush == 0 || i + 1 == rows)) by_column.flush(columns);
    }
  }

  /// The values of the anchors, and what the gradient needs of each.
  double settle(Anchors<T>& anchors, std::size_t n, const GradientSink<T>& out) const {
    double value = 0;
    for (std::size_t i = 0; anchors.used && i < n; ++i) {
      const double a = anchors.weight[i];
      if (a == 0) continue;
      const double own = (1 - smoothing) / anchors.positives[i], level = smoothing / anchors.candidates[i];
      const double pulled = own * anchors.positive_distance[i] + level * anchors.distance[i];
      value += a * (std::log(anchors.sum[i]) - pulled * inverse_temperature);
      const double slope = static_cast<double>(out.scale) * a * inverse_temperature;
      anchors.share[i] = static_cast<T>(1 / anchors.sum[i]);
      anchors.slope[i] = static_cast<T>(slope);
      anchors.bend[i] = static_cast<T>(slope * inverse_temperature);
      anchors.pull[i] = static_cast<T>(slope * own);
      anchors.level[i] = static_cast<T>(slope * level);
    }
    return value;
  }

  void add_gradient(const Anchors<T>& by_row, const Anchors<T>& by_column, const GradientSink<T>& out) const {
    using namespace simd;
    const ScaledExp<T> power(inverse_temperature);
    const Pack<T> zero(T(0)), one(T(1));
    const auto bent = [&](Pack<T> p) RANKGRAD_INLINE { return p * select(p > one, zero, one - p); };
    for (std::size_t i = 0; i < rows; ++i) {
      if (row_identity[i] < T(0)) continue;
      const Pack<T> top(by_row.top[i]), share(by_row.share[i]), slope(by_row.slope[i]), bend(by_row.bend[i]),
          row_pull(by_row.pull[i]), row_level(by_row.level[i]);
      T* const grad = out.grad + i * columns;
      T* const hess = out.hess ? out.hess + i * columns : nullptr;
      visit_row(i, [&](std::size_t j, auto at, Pack<T> s, auto candidate, auto positive) RANKGRAD_INLINE {
        Pack<T> g(zero), h(zero), pull(row_pull), level(row_level);
        if (by_row.used) {
          const Pack<T> p = share * power(select(candidate, s - top, zero));
          g = slope * p;
          if (hess) h = bend * bent(p);
        }
        if (by_column.used) {
          const Pack<T> d = select(candidate, s - at.load(by_column.top + j, T(0)), zero);
          const Pack<T> p = at.load(by_column.share + j, T(0)) * power(d);
          g = fma(at.load(by_column.slope + j, T(0)), p, g);
          if (hess) h = fma(at.load(by_column.bend + j, T(0)), bent(p), h);
          pull = pull + at.load(by_column.pull + j, T(0));
          level = level + at.load(by_column.level + j, T(0));
        }
        g = select(candidate, (g - select(positive, pull, zero)) - level, zero);
        at.store(grad + j, at.load(grad + j, T(0)) + g);
        if (hess) at.store(hess + j, at.load(hess + j, T(0)) + select(candidate, h, zero));
      });
    }
  }
};

}  // namespace rankgrad::contrastive
