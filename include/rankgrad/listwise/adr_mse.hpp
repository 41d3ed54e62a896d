// rankgrad/listwise/adr_mse.hpp: squared errors of smooth ranks against a teacher's, discounted by rank.
// SPDX-License-Identifier: MIT
//
// Read first: listwise/approximate_ranks.hpp, whose pairs this has; its phi has slopes of either sign here, and a second
// column of sums for the curvature.
#pragma once

#include <rankgrad/core/validate.hpp>
#include <rankgrad/listwise/approximate_ranks.hpp>
#include <rankgrad/listwise/softmax_blocks.hpp>
#include <rankgrad/simd/ranking.hpp>

#include <cmath>

namespace rankgrad::inline RANKGRAD_ABI {

namespace listwise {

/// What each item is asked for, and what it counts.
struct RankTargets {
  const double *ranks, *weights;   ///< [n]
};

/// sum_i weight_i (r_i - rank_i)^2 over smooth ranks r. Adds dL/dr chained into columns (times T), and Gauss-Newton (times
/// T^2) into bends, which may be null.
template <Real T, class Pair>
double squared_rank_errors(const Pair& pair, const RankTargets& targets, std::size_t n, double* columns, double* bends,
                           Workspace& workspace) {
  using namespace simd;
  constexpr std::size_t rows_per_flush = 256;
  const auto frame = workspace.frame();
  T *bells = workspace.take<T>(n), *column = workspace.take<T>(n, T(0)), *bend = bends ? workspace.take<T>(n, T(0)) : nullptr;
  const Pack<T> one(T(1));
  double value = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const auto own = pair.row(i);
    BlockedSum<T> above, bell;
    const auto step = [&](std::size_t j, Pack<T> present) RANKGRAD_INLINE {
      const auto [m, head] = pair(own, j);
      const Pack<T> inverse = present / (one + m);
      above.add(head * inverse);
      store(bells + j, m * inverse * inverse);
    };
    std::size_t j = 0;
    for (; j + lanes<T> <= n; j += lanes<T>) step(j, one);
    if (j < n) step(j, Part<T>{n - j}.load_ones());
    bells[i] = T(0);   // an item does not move itself
    const double short_of = 0.5 + above.total() - targets.ranks[i], w = targets.weights[i], slope = 2 * w * short_of;
    value += w * short_of * short_of;
    const Pack<T> pull(static_cast<T>(slope)), twice(static_cast<T>(2 * w));
    for (j = 0; j < n; j += lanes<T>) {
      const Pack<T> b = load(bells + j);
      bell.add(b);
      store(column + j, fma(pull, b, load(column + j)));
      if (bend) store(bend + j, fma(twice * b, b, load(bend + j)));
    }
    const double sum = bell.total();
    columns[i] -= slope * sum;
    if (bend) bends[i] += 2 * w * sum * sum;
    if (i + 1 < n && (i + 1) % rows_per_flush != 0) continue;
    move_sums(column, n, columns);
    if (bend) move_sums(bend, n, bends);
  }
  return value;
}

}  // namespace listwise

/// ADR-MSE: approximate, discounted rank mean squared error.
///
///   L(s, y)   = (1/W) sum_i v_i (r_i - R_i)^2,   r_i = 1 + sum_{j != i} sigma((s_j - s_i) / T),   v_i = w_i / log2(1 + R_i)
///   dL/ds_k   = (1/T) [ sum_{i != k} c_i sigma'(z_ki) - c_k B_k ],   c_i = 2 v_i (r_i - R_i) / W,   z_ki = (s_k - s_i) / T
///   h_k       = (2 / (W T^2)) [ sum_{i != k} v_i sigma'(z_ki)^2 + v_k B_k^2 ],   B_k = sum_{j != k} sigma'(z_jk)
///   R_i       the teacher's rank: by label, and for equal labels the mean of the ranks that they share, which is what equal
///             scores give them;   W = sum_i w_i, or 1 for Normalize::sum
///
/// compat, with p = softmax(s), Q_k = p_1 + ... + p_k in the order of the list and R_k the rank of item k by its own score:
///   L         = (1/W) sum_k v_k (R_k - Q_k)^2,   v_k = w_k / log2(1 + R_k)
///   dL/ds_j   = p_j (S_j - sum_i p_i S_i),   S_j = sum_{k >= j} c_k,   c_k = -2 v_k (R_k - Q_k) / W
///   h_j       = (2/W) p_j^2 [ sum_{k >= j} v_k (1 - Q_k)^2 + sum_{k < j} v_k Q_k^2 ]
/// The labels do not occur in it, and Q <= 1 never meets a rank above 1: for parity with that code only.
///
/// Curvature   Gauss-Newton: second derivatives of the ranks are left out.
/// Shapes      scores, labels [n]; weights [n] or empty. An item of weight 0 still takes a rank.
/// Units       squared ranks.
/// No signal   fewer than two items, or no weight.
/// Cost        O(n^2) pairs with one division each, O(n) scratch; compat: O(n log n).
/// Numerics    finite for any finite scores. A NaN score shows in the value.
/// Parameters  temperature T > 0, of the sigmoids; compat does not use it. compat: the form of the released code. normalize:
///             mean over items (default) or sum.
/// Source      Schlatt, Froebe, Scells, Zhuang, Koopman, Zuccon, Stein, Potthast, Hagen, Rank-DistiLLM, ECIR 2025;
///             reconstructed from the abstract and the literature; not checked against the source (T and the base of the
///             discount are open). compat: released training code of arXiv 2411.05508.
struct AdrMse {
  static constexpr std::string_view name = "adr_mse";
  static constexpr Curvature curvature = Curvature::gauss_newton;

  double temperature = 1;
  bool compat = false;
  Normalize normalize = Normalize::mean;

  Status check() const { return check_parameter("AdrMse.temperature", temperature, 0); }

  template <Real T>
  Contribution<T> value_and_gradient(ListView<T> list, GradientSink<T> out, Workspace& workspace) const {
    const std::size_t n = checked_size(list);
    if (n < 2) return {};
    const auto frame = workspace.frame();
    double *ranks = workspace.take<double>(n), *weights = workspace.take<double>(n), total = 0;
    fill_ranks(compat ? list.scores.data() : list.labels.data(), n, ranks, workspace);
    for (std::size_t i = 0; i < n; ++i) total += static_cast<double>(list.weight(i));
    if (!(total > 0)) return {};
    const double scale = normalize == Normalize::mean ? 1 / total : 1;
    for (std::size_t i = 0; i < n; ++i) weights[i] = scale * static_cast<double>(list.weight(i)) / std::log2(1 + ranks[i]);
    const listwise::RankTargets targets{ranks, weights};
    return {static_cast<T>(compat ? cumulative(list, targets, out, workspace) : smooth(list, targets, out, workspace)), true};
  }

 private:
  /// Ranks by value, descending. Equal labels share the mean of theirs, equal scores (compat) keep the order of the list.
  template <Real T>
  void fill_ranks(const T* values, std::size_t n, double* ranks, Workspace& workspace) const {
    std::uint32_t* order = workspace.take<std::uint32_t>(n);
    simd::rank_descending(values, order, n, workspace);
    if (!compat)
      return tie_ranks(values, order, n, ranks, [](auto first, auto last) { return 0.5 * static_cast<double>(first + last); });
    for (std::size_t r = 0; r < n; ++r) ranks[order[r]] = static_cast<double>(r + 1);
  }

  template <Real T>
  double smooth(const ListView<T>& list, const listwise::RankTargets& targets, const GradientSink<T>& out,
                Workspace& workspace) const {
    const std::size_t n = list.size();
    const double inverse = 1 / temperature;
    double *columns = workspace.take<double>(n, 0.0), *bends = out.hess ? workspace.take<double>(n, 0.0) : nullptr;
    const auto value = listwise::with_pairs(list.scores, temperature, workspace, [&](const auto& pair) {
      return listwise::squared_rank_errors<T>(pair, targets, n, columns, bends, workspace);
    });
    for (std::size_t k = 0; k < n; ++k)
      out.add(k, static_cast<T>(columns[k] * inverse), bends ? static_cast<T>(bends[k] * inverse * inverse) : T(0));
    return value;
  }

  template <Real T>
  double cumulative(const ListView<T>& list, const listwise::RankTargets& targets, const GradientSink<T>& out,
                    Workspace& workspace) const {
    const std::size_t n = list.size();
    const T* p = listwise::probabilities(list.scores.data(), n, 1, workspace);
    double *sums = workspace.take<double>(n), value = 0, far = 0, near = 0, mean = 0, reached = 0;
    for (std::size_t k = 0; k < n; ++k) sums[k] = reached += static_cast<double>(p[k]);
    for (std::size_t k = 0; k < n; ++k) far += targets.weights[k] * (1 - sums[k]) * (1 - sums[k]);
    for (std::size_t j = 0; out.hess && j < n; ++j) {   // near: over k < j, far: over k >= j
      const double q = sums[j], v = targets.weights[j], own = static_cast<double>(p[j]);
      out.hess[j] += out.scale * static_cast<T>(2 * own * own * (std::max(far, 0.0) + near));
      far -= v * (1 - q) * (1 - q);
      near += v * q * q;
    }
    double slope = 0;
    for (std::size_t k = n; k-- > 0;) {
      const double miss = targets.ranks[k] - sums[k];
      value += targets.weights[k] * miss * miss;
      slope -= 2 * targets.weights[k] * miss;
      sums[k] = slope;
      mean += static_cast<double>(p[k]) * slope;
    }
    for (std::size_t j = 0; j < n; ++j) out.grad[j] += out.scale * static_cast<T>(static_cast<double>(p[j]) * (sums[j] - mean));
    return value;
  }
};

}  // namespace rankgrad
