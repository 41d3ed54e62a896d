// rankgrad/pairwise/lambda_loss.hpp: the LambdaLoss framework: logistic pair losses weighted by gains and ranks.
// SPDX-License-Identifier: MIT
//
// The list is first put in the order of its scores and cut at rank k: what is left is ranked 1, 2, ... as it stands.
//
// NDCG-Loss1 has both directions of every pair, a share u_i = G_i D_i for the one and u_j for the other. With i above j by
// score and x = sigma (s_i - s_j) >= 0,
//
//   u_i softplus(-x) + u_j softplus(x) = (u_i + u_j) softplus(-x) + u_j x
//
// so it is one logistic pair loss over the order of the scores, and a part that is linear in the scores, in O(n). Every term
// is >= 0: nothing cancels.
//
// Read first: pairwise/engine.hpp, pairwise/lambdarank.hpp.
#pragma once

#include <rankgrad/pairwise/lambdarank.hpp>
#include <rankgrad/pairwise/ranknet.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// Which pairs a LambdaLoss has, and what they weigh.
enum class LambdaScheme {
  ndcg_loss1,     ///< G_i D(r_i), every ordered pair: no y_i > y_j is asked for
  ndcg_loss2,     ///< |G_i - G_j| delta_ij
  ndcg_loss2pp,   ///< |G_i - G_j| (mu delta_ij + |D(r_i) - D(r_j)|)
  lambdarank,     ///< |G_i - G_j| |D(r_i) - D(r_j)|
  ranknet         ///< 1
};

/// The unit of a logarithmic loss.
enum class LogUnit { nats, bits };

namespace pairwise {

/// omega_ij = |G_i - G_j| (mu delta_ij + nu |D_i - D_j|) from gains, ranks and discounts in label order, all padded.
template <Real T>
struct GainAndGap {
  const T *gains, *ranks, *discounts;
  const T* of_gap;    ///< delta by |r_i - r_j|
  T mu, nu;

  template <class>
  auto row(std::size_t i) const {
    using Pack = simd::Pack<T>;
    return [gain = Pack(gains[i]), rank = ranks[i], discount = Pack(discounts[i]), this](std::size_t j) RANKGRAD_INLINE {
      alignas(64) T lane[simd::lanes<T>];
      simd::store(lane, simd::abs(Pack(rank) - simd::load(ranks + j)));
      for (T& delta : lane) delta = of_gap[static_cast<std::size_t>(delta)];
      const Pack shares = Pack(nu) * simd::abs(discount - simd::load(discounts + j));
      return Pack(simd::abs(gain - simd::load(gains + j)) * simd::fma(Pack(mu), simd::load(lane), shares));
    };
  }
};

/// omega_ij = u_i + u_j. Padded.
template <Real T>
struct SumOfShares {
  const T* shares;

  template <class>
  auto row(std::size_t i) const {
    return [own = simd::Pack<T>(shares[i]), this](std::size_t j) RANKGRAD_INLINE { return own + simd::load(shares + j); };
  }
};

/// The items on the first `top` ranks, best first: their list, where each came from, their gains over the ideal DCG@top and
/// the discounts of their ranks. Padded with 0.
template <Real T>
struct RankedTop {
  ListView<T> list;
  const std::uint32_t* item;
  T *gains, *discounts;
};

}  // namespace pairwise

/// LambdaLoss: pair losses that bound NDCG, with weights from the ranks that the items have now. Ranks, gains and so the
/// weights are held constant.
///
///   L(s, y)    = (1/W) sum over pairs of w_i w_j omega_ij softplus(-sigma (s_i - s_j))
///   dL/ds_i    = (1/W) [ -sum_j w_i w_j omega_ij sigma s(-sigma d_ij) + sum_j w_j w_i omega_ji sigma s(-sigma d_ji) ]
///   h_i        = (1/W) sum over both kinds of pairs of w_i w_j omega sigma^2 s(sigma d) s(-sigma d)
///   pairs      y_i > y_j; for ndcg_loss1 every i != j
///   omega_ij   by scheme, see LambdaScheme, with G_i = (2^{y_i} - 1) / IDCG@k, D(r) = 1 / log2(1 + r), r = rank by score,
///              delta_ij = |D(|r_i - r_j|) - D(|r_i - r_j| + 1)|
///
/// Curvature   Gauss-Newton: the weights jump where ranks change.
/// Shapes      scores, labels [n]; weights [n] or empty, multiply pairs from both sides.
/// Units       bits (default, as the sources), or nats.
/// No signal   no pair; every pair has item weight 0; IDCG@k is not positive (except for ranknet).
/// Cost        O(n^2) pairs with one exp each; with a cut-off O(k^2) after the sort. lambdarank: as LambdaRank.
/// Numerics    the logarithm is taken of no power: a pair that is hopelessly wrong keeps its gradient, which the clamped
///             sigmoids of the released code lose. Gains of labels above 500 are scaled by what is common to all.
/// Parameters  scheme: ndcg_loss2 (default). sigma > 0. mu >= 0 weighs ndcg_loss2 in ndcg_loss2pp. k: only pairs whose items
///             both stand on the first k ranks, 0 = all; for lambdarank the k of LambdaRank, where one of the two suffices.
///             gain, discount: see metric/gain_discount.hpp; gains below 0 count as 0. ties, seed: how equal scores are
///             ranked. unit: bits or nats. normalize: sum (default) or mean over the pairs.
/// Source      Wang, Li, Golbandi, Bendersky, Najork, The LambdaLoss framework for ranking metric optimization, CIKM 2018;
///             mu = 10 and the use of k of allRank. There an item of ndcg_loss1 is also a pair with itself, which adds the
///             constant log 2 sum_i G_i D(r_i) and, to a mean, n pairs: not here.
struct LambdaLoss {
  static constexpr std::string_view name = "lambda_loss";
  static constexpr Curvature curvature = Curvature::gauss_newton;

  LambdaScheme scheme = LambdaScheme::ndcg_loss2;
  double sigma = 1;
  double mu = 10;
  std::size_t k = 0;
  Gain gain = Gain::exponential;
  Discount discount = Discount::log2;
  Ties ties = Ties::stable;
  std::uint64_t seed = 0;
  LogUnit unit = LogUnit::bits;
  Normalize normalize = Normalize::sum;

  Status check() const {
    if (ties == Ties::expected) return Status::error("rankgrad: LambdaLoss.ties cannot be `expected`: its pairs need ranks");
    if (Status status = check_parameter("LambdaLoss.mu", mu, 0, true); !status) return status;
    return check_parameter("LambdaLoss.sigma", sigma, 0);
  }

  template <Real T>
  Contribution<T> value_and_gradient(ListView<T> list, GradientSink<T> out, Workspace& workspace) const {
    constexpr double bits_per_nat = 1.4426950408889634074;
    checked_size(list);
    const T factor = unit == LogUnit::bits ? static_cast<T>(bits_per_nat) : T(1);
    const auto part = in_nats(list, out.scaled(factor), workspace);
    return {factor * part.value, part.valid};
  }

 private:
  template <Real T>
  Contribution<T> in_nats(const ListView<T>& list, const GradientSink<T>& out, Workspace& workspace) const {
    if (scheme == LambdaScheme::lambdarank)
      return LambdaRank{sigma, k, gain, discount, ties, seed, normalize}.value_and_gradient(list, out, workspace);
    const std::size_t n = list.size(), top = metric::cut_off(k, n);
    if (scheme == LambdaScheme::ranknet && top == n) return pairwise::logistic_pairs(sigma, normalize, list, out, workspace);
    if (n == 0) return {};
    const auto frame = workspace.frame();
    const auto ranked = ranked_top(list, top, workspace);
    if (!ranked.gains) return {};
    const bool by_rank = scheme == LambdaScheme::ndcg_loss1;
    T* falling = workspace.take<T>(top);   // labels that follow the ranks make every pair once
    for (std::size_t r = 0; r < top; ++r) falling[r] = static_cast<T>(top - r);
    const auto pairs = pairwise::sort_by_label(ranked.list, by_rank ? falling : ranked.list.labels.data(), workspace);
    T* ranks = workspace.take<T>(top, T(0));
    T *gains = workspace.take<T>(top, T(0)), *discounts = workspace.take<T>(top, T(0));
    for (std::size_t i = 0; i < top; ++i) {
      const std::size_t r = pairs.order[i];
      ranks[i] = static_cast<T>(r);
      gains[i] = ranked.gains[r];
      discounts[i] = ranked.discounts[r];
      pairs.order[i] = ranked.item[r];
    }
    const pairwise::Logistic phi{sigma};
    if (scheme == LambdaScheme::ranknet)
      return pairwise::comparable_pairs(phi, pairwise::Uniform{}, normalize, pairs, out, workspace);
    if (by_rank) {
      for (std::size_t i = 0; i < top; ++i) gains[i] *= discounts[i];
      return both_directions(static_cast<const T*>(gains), pairs, out, workspace);
    }
    const bool plus = scheme == LambdaScheme::ndcg_loss2pp;
    T* of_gap = workspace.take<T>(top, T(0));   // a gap of 0 is that of an item and itself
    double* exact = workspace.take<double>(top);
    fill_discounts(discount, 0, exact, top);
    for (std::size_t g = 1; g < top; ++g) of_gap[g] = static_cast<T>(exact[g - 1] - exact[g]);
    const pairwise::GainAndGap<T> weighting{gains, ranks, discounts, of_gap, plus ? static_cast<T>(mu) : T(1), T(plus ? 1 : 0)};
    return pairwise::comparable_pairs(phi, weighting, normalize, pairs, out, workspace);
  }

  /// Gains are null where a scheme needs them and the ideal DCG is not positive.
  template <Real T>
  pairwise::RankedTop<T> ranked_top(const ListView<T>& list, std::size_t top, Workspace& workspace) const {
    const std::size_t n = list.size();
    std::uint32_t* order = workspace.take<std::uint32_t>(n);
    rank_order(list, ties, seed, order, workspace);
    const auto first = [&](std::span<const T> all) -> std::span<const T> {
      if (all.empty()) return {};
      T* part = workspace.take<T>(top);
      for (std::size_t r = 0; r < top; ++r) part[r] = all[order[r]];
      return {part, top};
    };
    pairwise::RankedTop<T> ranked{{first(list.scores), first(list.labels), first(list.weights), {}, {}, list.index}, order,
                                  workspace.take<T>(top, T(0)), workspace.take<T>(top, T(0))};
    if (scheme == LambdaScheme::ranknet) return ranked;
    fill_discounts(discount, 0, ranked.discounts, top);
    T* best = workspace.take<T>(n);
    std::uint32_t* by_label = workspace.take<std::uint32_t>(n);
    simd::rank_descending(list.labels.data(), by_label, n, workspace, best);
    const double shift = gain_shift(gain, static_cast<double>(best[0]));
    const auto worth = [&](T label) { return std::max(0.0, gain_of(gain, static_cast<double>(label), shift)); };
    double ideal = 0;
    for (std::size_t r = 0; r < top; ++r) ideal += worth(best[r]) * static_cast<double>(ranked.discounts[r]);
    for (std::size_t r = 0; r < top; ++r) ranked.gains[r] = static_cast<T>(worth(ranked.list.labels[r]) / ideal);
    if (!(ideal > 0)) ranked.gains = nullptr;
    return ranked;
  }

  /// NDCG-Loss1 of a list in the order of its scores, u the shares.
  template <Real T>
  Contribution<T> both_directions(const T* u, const pairwise::PairList<T>& pairs, const GradientSink<T>& out,
                                  Workspace& workspace) const {
    const double all_pairs = pairs.pair_weight();
    if (!(all_pairs > 0)) return {};
    const double factor = normalize == Normalize::mean ? 0.5 / all_pairs : 1;   // each pair counts twice
    const auto near = pairwise::comparable_pairs(pairwise::Logistic{sigma}, pairwise::SumOfShares<T>{u}, Normalize::sum, pairs,
                                                 out.scaled(static_cast<T>(factor)), workspace);
    double below = 0, above = 0, distance = 0, linear = 0;   // sum of w u below; of w above, and of w (s - s_i) there
    const auto weight = [&](std::size_t i) { return static_cast<double>(pairs.weights[i]); };
    for (std::size_t i = 0; i < pairs.n; ++i) below += weight(i) * static_cast<double>(u[i]);
    for (std::size_t i = 0; i < pairs.n; ++i) {
      const double share = weight(i) * static_cast<double>(u[i]);
      if (i > 0) distance += above * (static_cast<double>(pairs.scores[i - 1]) - static_cast<double>(pairs.scores[i]));
      below -= share;
      linear += share * distance;
      out.grad[pairs.order[i]] += out.scale * static_cast<T>(factor * sigma * (weight(i) * below - share * above));
      above += weight(i);
    }
    return {static_cast<T>(factor * (static_cast<double>(near.value) + sigma * linear)), true};
  }
};

}  // namespace rankgrad
