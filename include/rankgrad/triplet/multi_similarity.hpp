// rankgrad/triplet/multi_similarity.hpp: multi-similarity loss on mined pairs of a similarity matrix.
// SPDX-License-Identifier: MIT
//
// Read first: triplet/engine.hpp, whose sweeps these follow: rows in registers, columns in arrays of K.
#pragma once

#include <rankgrad/triplet/engine.hpp>

#include <cmath>
#include <optional>

namespace rankgrad::inline RANKGRAD_ABI {

namespace triplet {

/// (1 / factor) log(1 + sum e^{factor above}), above >= 0, and 1 / (e^{-factor above} + sum): of pairs from whose exponents that
/// much was taken.
struct LogOfPairs {
  double value, inverse;

  LogOfPairs(double factor, double above, double sum) {
    const double all = std::exp(-factor * above) + sum;
    value = above > 0 ? above + std::log(all) / factor : std::log1p(sum) / factor;
    inverse = 1 / all;
  }
};

/// One kind of pairs, positives or negatives, of all anchors of one direction. Signs: below, s of a positive is -S, so that for
/// both kinds the highest s is the hardest, and base is negated with it.
///   top         [K] the highest s
///   limit       [K] s at or below it is not mined
///   reference   [K] max(base, top): what is subtracted from s
///   inverse     [K] 1 / (1 + sum), after e^{factor (base - reference)} was taken out of both
template <Real T>
struct KindOfPairs {
  T *top, *limit, *reference, *inverse, *part;
  double* sum;

  KindOfPairs(std::size_t n, Workspace& workspace) {
    top = workspace.take<T>(n, std::numeric_limits<T>::lowest());
    for (T** array : {&limit, &reference, &inverse, &part}) *array = workspace.take<T>(n, T(0));
    sum = workspace.take<double>(n, 0.0);
  }
};

/// All that is known of the anchors of one direction; share [K]: what the derivatives of an anchor are multiplied by.
template <Real T>
struct MinedAnchors {
  bool used;
  KindOfPairs<T> kinds[2];   // positives, negatives
  T* share;

  MinedAnchors(bool use, std::size_t n, Workspace& workspace)
      : used(use), kinds{{n, workspace}, {n, workspace}}, share(workspace.take<T>(n, T(0))) {}
};

}  // namespace triplet

/// Multi-similarity loss: soft weights for pairs by how they compare with a base and with the other pairs of their anchor.
///
///   L(S)       = (1/W) sum_i w_i [ (1/alpha) log(1 + sum_{j in P_i} e^{-alpha (S_ij - base)})
///                                + (1/beta)  log(1 + sum_{j in N_i} e^{ beta (S_ij - base)}) ]
///   dL/dS_ij   = (w_i / W) ( -p_ij for j in P_i, +q_ij for j in N_i )
///                p_ij = e^{-alpha (S_ij - base)} / (1 + sum_P),  q_ij = e^{beta (S_ij - base)} / (1 + sum_N)
///   d2L/dS_ij2 = (w_i / W) ( alpha p_ij (1 - p_ij), beta q_ij (1 - q_ij) )
///   P_i: positives of i with S_ij < max_{negatives} S_ik + mining;  N_i: negatives with S_ij > min_{positives} S_ik - mining
///
/// Curvature   exact diagonal with the mined pairs held constant, >= 0.
/// Shapes      similarity [K K]; ids [K]; weights, mask [K] or empty. See triplet/similarity_view.hpp. Usually one set of
///             vectors against itself: a sample is then no positive of itself, and S is symmetric; S_ij and S_ji have a gradient
///             each, which the vectors receive both.
/// Units       those of the similarity.
/// No signal   fewer than two identities are present, or all weights are 0. An anchor without a positive, or whose pairs are all
///             easy, has loss 0 and still counts in W.
/// Cost        O(K^2) time, two exps per entry and direction, one of them for active anchors only; O(K) scratch.
/// Numerics    the hardest similarity, where beyond the base, is subtracted first; alpha, beta of 1e6 are safe in float. Limits
///             of mining are rounded to T.
/// Parameters  alpha 1, beta 50, base 0 (FoL; Wang et al. have alpha 2 and base 1, their code base 0.5). mining 0.1, the epsilon
///             of Wang et al.; nullopt: all pairs count. self_pairs: S_ii is a positive, for matrices between two modalities.
///             direction: rows (default, of the formula), columns, or both, the sum. normalize: mean (default, W = sum_i w_i,
///             anchors without mined pairs included) or sum.
/// Errors      contract: alpha, beta > 0, base finite, mining >= 0, the matrix is K x K. A NaN similarity shows in the value.
/// Source      Wang, Han, Huang, Dong, Scott, Multi-similarity loss with general pair weighting for deep metric learning, CVPR
///             2019 (arXiv 1904.06627). FoL, arXiv 2504.09881, trains its global descriptors with it.
struct MultiSimilarity {
  static constexpr std::string_view name = "multi_similarity";
  static constexpr Curvature curvature = Curvature::gauss_newton;
  template <Real T>
  using View = SimilarityView<T>;

  double alpha = 1;
  double beta = 50;
  double base = 0;
  std::optional<double> mining = 0.1;
  bool self_pairs = false;
  Direction direction = Direction::rows;
  Normalize normalize = Normalize::mean;

  Status check() const {
    if (Status s = check_parameter("MultiSimilarity.alpha", alpha, 0); !s) return s;
    if (Status s = check_parameter("MultiSimilarity.beta", beta, 0); !s) return s;
    if (!is_finite(base)) return Status::error("rankgrad: MultiSimilarity.base is %g; it must be finite", base);
    return mining ? check_parameter("MultiSimilarity.mining", *mining, 0, true) : Status{};
  }

  template <Real T>
  Contribution<T> value_and_gradient(SimilarityView<T> view, GradientSink<T> out, Workspace& workspace) const {
    return evaluate<T>(view, &out, nullptr, workspace);
  }

  /// For per_sample_losses(), which is the door. Overwrites `losses` [K].
  template <Real T>
  void per_sample(SimilarityView<T> view, std::span<T> losses, Workspace& workspace) const {
    evaluate<T>(view, nullptr, losses.data(), workspace);
  }

 private:
  template <Real T>
  using Anchors = triplet::MinedAnchors<T>;
  template <Real T>
  using Samples = triplet::Samples<T>;

  double factor(int kind) const { return kind == 0 ? alpha : beta; }
  double signed_base(int kind) const { return kind == 0 ? -base : base; }

  /// Which of the chosen are above the limit. Said with <=, so that NaN is mined and stays visible.
  template <class T, class Choice>
  RANKGRAD_INLINE static auto mined(simd::Pack<T> s, Choice chosen, simd::Pack<T> limit) {
    const simd::Pack<T> zero(T(0));
    return chosen & (simd::select(s <= limit, zero, simd::Pack<T>(T(1))) > zero);
  }

  /// body(j, at, kind, s, chosen) for the entries of row i as both kinds of pairs; s is negated for positives.
  template <Real T, class Body>
  RANKGRAD_INLINE void each_entry(std::size_t i, const SimilarityView<T>& view, const Samples<T>& samples,
                                  const Body& body) const {
    using namespace simd;
    const Pack<T> zero(T(0)), identity(samples.identity[i]), lane = iota<T>(T(0));
    const Pack<T> self(self_pairs ? T(-1) : static_cast<T>(i));
    for_each_pack<T>(view.size(), [&](std::size_t j, auto at) RANKGRAD_INLINE {
      const Pack<T> s = at.load(view.row(i) + j, T(0)), other = load(samples.identity + j);
      const auto positive = (other == identity) & ((lane + Pack<T>(static_cast<T>(j))) != self);
      if (any(positive)) body(j, at, std::integral_constant<int, 0>{}, Pack<T>(-s), positive);
      body(j, at, std::integral_constant<int, 1>{}, s, (other != identity) & (other >= zero));
    });
  }

  template <Real T>
  void find_tops(const SimilarityView<T>& view, const Samples<T>& samples, Anchors<T>& rows, Anchors<T>& columns) const {
    using namespace simd;
    for (std::size_t i = 0; i < samples.n; ++i) {
      if (!samples.present(i)) continue;
      const Pack<T> none(std::numeric_limits<T>::lowest());
      Pack<T> top[2] = {none, none};
      each_entry(i, view, samples, [&](std::size_t j, auto, auto kind, Pack<T> s, auto chosen) RANKGRAD_INLINE {
        top[kind] = select(chosen & (s > top[kind]), s, top[kind]);
        if (!columns.used) return;
        T* const column = columns.kinds[kind].top + j;
        const Pack<T> best = load(column);
        store(column, select(chosen & (s > best), s, best));
      });
      for (const int kind : {0, 1}) rows.kinds[kind].top[i] = highest(top[kind]);
    }
  }

  template <Real T>
  void add_up(const SimilarityView<T>& view, const Samples<T>& samples, Anchors<T>& rows, Anchors<T>& columns) const {
    using namespace simd;
    constexpr std::size_t rows_per_flush = 128;   // so that float errors of column sums do not grow with K
    const Pack<T> zero(T(0)), factors[2] = {Pack<T>(static_cast<T>(alpha)), Pack<T>(static_cast<T>(beta))};
    const auto term = [&](int kind, Pack<T> s, auto chosen, Pack<T> limit, Pack<T> reference) RANKGRAD_INLINE {
      const auto in = mined(s, chosen, limit);
      return any(in) ? Pack<T>(select(in, exp_nonpositive<T>((s - reference) * factors[kind]), zero)) : zero;
    };
    for (std::size_t i = 0; i < samples.n; ++i) {
      if (samples.present(i)) {
        BlockedSum<T> sums[2];
        each_entry(i, view, samples, [&](std::size_t j, auto, auto kind, Pack<T> s, auto chosen) RANKGRAD_INLINE {
          const auto &row = rows.kinds[kind], &column = columns.kinds[kind];
          if (rows.used) sums[kind].add(term(kind, s, chosen, Pack<T>(row.limit[i]), Pack<T>(row.reference[i])));
          if (!columns.used) return;
          accumulate(column.part + j, term(kind, s, chosen, load(column.limit + j), load(column.reference + j)));
        });
        for (const int kind : {0, 1}) rows.kinds[kind].sum[i] = sums[kind].total();
      }
      if (columns.used && ((i + 1) % rows_per_flush == 0 || i + 1 == samples.n))
        for (auto& kind : columns.kinds) move_sums(kind.part, samples.n, kind.sum);
    }
  }

  template <Real T>
  void add_gradient(const SimilarityView<T>& view, const Samples<T>& samples, const Anchors<T>& rows, const Anchors<T>& columns,
                    const GradientSink<T>& out) const {
    using namespace simd;
    const std::size_t n = samples.n;
    const Pack<T> zero(T(0)), one(T(1)), factors[2] = {Pack<T>(static_cast<T>(alpha)), Pack<T>(static_cast<T>(beta))};
    for (std::size_t i = 0; i < n; ++i) {
      if (!samples.present(i)) continue;
      const bool row_on = rows.used && rows.share[i] != T(0);
      if (!row_on && !columns.used) continue;
      each_entry(i, view, samples, [&](std::size_t j, auto at, auto kind, Pack<T> s, auto chosen) RANKGRAD_INLINE {
        Pack<T> slope = zero, bend = zero;
        const auto add = [&](Pack<T> limit, Pack<T> reference, Pack<T> inverse, Pack<T> share) RANKGRAD_INLINE {
          const auto in = mined(s, chosen, limit);
          if (!any(in)) return;
          const Pack<T> p = inverse * exp_nonpositive<T>((s - reference) * factors[kind]);
          slope += select(in, share * p, zero);
          bend += select(in, share * factors[kind] * p * max(zero, one - p), zero);
        };
        const auto &row = rows.kinds[kind], &column = columns.kinds[kind];
        if (row_on) add(Pack<T>(row.limit[i]), Pack<T>(row.reference[i]), Pack<T>(row.inverse[i]), Pack<T>(rows.share[i]));
        if (columns.used)
          add(load(column.limit + j), load(column.reference + j), load(column.inverse + j), load(columns.share + j));
        at.accumulate(out.grad + i * n + j, kind == 0 ? Pack<T>(-slope) : slope);
        if (out.hess) at.accumulate(out.hess + i * n + j, bend);
      });
    }
  }

  template <Real T>
  Contribution<T> evaluate(const SimilarityView<T>& view, const GradientSink<T>* out, T* per_sample, Workspace& workspace) const {
    const std::size_t n = checked_size(view);
    if (per_sample) std::fill_n(per_sample, n, T(0));
    const auto frame = workspace.frame();
    const Samples<T> samples = triplet::number_identities(view, workspace);
    double total_weight = 0;
    for (std::size_t i = 0; i < n; ++i) total_weight += view.present(i) ? static_cast<double>(view.weight(i)) : 0;
    if (samples.identities < 2 || !(total_weight > 0 || per_sample)) return {};   // with one identity nobody has a negative

    Anchors<T> rows(direction != Direction::columns, n, workspace), columns(direction != Direction::rows, n, workspace);
    find_tops(view, samples, rows, columns);
    constexpr double lowest = static_cast<double>(std::numeric_limits<T>::lowest());
    for (Anchors<T>* a : {&rows, &columns})
      for (std::size_t i = 0; i < n; ++i)
        for (const int kind : {0, 1}) {
          auto& pairs = a->kinds[kind];
          // Of positives -S > -(highest negative) - mining, of negatives S > -(highest -S of positives) - mining.
          const double other = static_cast<double>(a->kinds[1 - kind].top[i]);
          pairs.limit[i] = static_cast<T>(!mining ? lowest : std::max(lowest, -other - *mining));
          if (mining && other == lowest) pairs.limit[i] = std::numeric_limits<T>::max();   // nothing to be compared with
          pairs.reference[i] = static_cast<T>(std::max(signed_base(kind), static_cast<double>(pairs.top[i])));
        }
    add_up(view, samples, rows, columns);

    const double part = normalize == Normalize::mean ? 1 / total_weight : 1;
    double value = 0;
    for (std::size_t i = 0; i < n; ++i) {
      if (!samples.present(i)) continue;
      const double weight = part * static_cast<double>(view.weight(i));
      double own = 0;
      for (Anchors<T>* a : {&rows, &columns}) {
        if (!a->used) continue;
        bool mined = false;
        for (const int kind : {0, 1}) {
          auto& pairs = a->kinds[kind];
          if (pairs.sum[i] <= 0) continue;   // written so that NaN stays visible
          mined = true;
          const triplet::LogOfPairs all(factor(kind), static_cast<double>(pairs.reference[i]) - signed_base(kind), pairs.sum[i]);
          own += all.value;
          pairs.inverse[i] = static_cast<T>(all.inverse);
        }
        a->share[i] = mined && out ? static_cast<T>(weight * static_cast<double>(out->scale)) : T(0);
      }
      if (weight != 0) value += weight * own;
      if (per_sample) per_sample[i] = static_cast<T>(own);
    }
    if (out) add_gradient(view, samples, rows, columns, *out);
    return {static_cast<T>(value), true};
  }
};

}  // namespace rankgrad
