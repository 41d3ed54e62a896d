// rankgrad/policy/grpo.hpp: group relative policy optimisation.
// SPDX-License-Identifier: MIT
//
// Read first: policy/rollouts.hpp, policy/group_advantage.hpp.
#pragma once

#include <rankgrad/core/all_here.hpp>
#include <rankgrad/policy/group_advantage.hpp>
#include <rankgrad/policy/rollouts.hpp>
#include <rankgrad/simd/math.hpp>
#include <rankgrad/simd/rows.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// How the terms of tokens become one loss, w the weights of the sequences:
///   sequence_mean   the mean over the tokens of a sequence, and of those the mean over the sequences (GRPO)
///   token_mean      the mean over all tokens: long sequences count for more (DAPO, arXiv 2503.14476)
///   sequence_sum    the sum over the tokens of a sequence / `length`, and of those the mean over the sequences (Dr. GRPO)
enum class TokenReduction { sequence_mean, token_mean, sequence_sum };

namespace policy {

using simd::Pack;

/// e^x up to x = limit, and its tangent there beyond: finite, and the slope is that of the value.
template <class T>
struct BoundedExp {
  Pack<T> value, slope;
};
template <class T>
RANKGRAD_INLINE inline BoundedExp<T> bounded_exp(Pack<T> x, Pack<T> limit) {
  const auto beyond = x > limit;   // not through min(): NaN stays NaN
  const Pack<T> e = simd::exp<T>(simd::select(beyond, limit, x));
  return {simd::select(beyond, fma(e, x - limit, e), e), e};
}

/// k3(d) = e^d - 1 - d >= 0 and k3'(d) = e^d - 1, e^d as above. Near 0 by the series d^2 (1/2! + d/3! + ...), from which both
/// come without cancellation; what is left out of it is below 2e-9 (float) and 6e-18 of k3.
template <class T>
struct K3 {
  Pack<T> value, slope;
};
template <class T>
RANKGRAD_INLINE inline K3<T> k3(Pack<T> d, Pack<T> limit) {
  const Pack<T> one(T(1)), d2 = d * d;
  const auto near = d2 < Pack<T>(T(0.25));
  const BoundedExp<T> e = bounded_exp<T>(d, limit);
  Pack<T> q;
  if constexpr (sizeof(T) == 4)
    q = simd::polynomial<T>(d, d2, 1.0 / 2, 1.0 / 6, 1.0 / 24, 1.0 / 120, 1.0 / 720, 1.0 / 5040, 1.0 / 40320, 1.0 / 362880);
  else
    q = simd::polynomial<T>(d, d2, 1.0 / 2, 1.0 / 6, 1.0 / 24, 1.0 / 120, 1.0 / 720, 1.0 / 5040, 1.0 / 40320, 1.0 / 362880,
                            1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800, 1.0 / 87178291200,
                            1.0 / 1307674368000);
  // Beyond the limit by the tangent, in a form that an infinite d does not make infinity less infinity.
  const auto beyond = d > limit;
  const Pack<T> slope = e.slope - one, excess = simd::select(beyond, d - limit, Pack<T>(T(0)));
  const Pack<T> far = fma(slope, excess, slope - simd::select(beyond, limit, d));
  return {simd::select(near, d2 * q, far), simd::select(near, fma(d2, q, d), slope)};
}

/// One sequence: its log-probabilities under three policies (null: see RolloutView) and what its terms are made with.
template <Real T>
struct Sequence {
  const T *log_probs, *old_log_probs, *reference_log_probs;
  std::size_t n;
  T advantage, edge;   ///< edge: the ratio beyond which the term of this sign of advantage is constant
  T beta, limit;

  /// The sum of the terms; `out` gets their derivatives.
  double add_terms(const GradientSink<T>& out) const {
    using namespace simd;
    const Sequence all = *this;   // a copy, which no store can change
    T *const grad = out.grad, *const hess = out.hess;
    const T side = advantage > T(0) ? T(1) : T(-1);
    const Pack<T> minus_advantage(-advantage), size(side * advantage), zero(T(0)), highest(limit), kl(beta), scale(out.scale),
        towards(side), border(edge), last(side * edge);
    BlockedSum<T> sum;
    for_each_pack<T>(n, [&](std::size_t t, auto at) RANKGRAD_INLINE {
      const Pack<T> now = at.load(all.log_probs + t, T(0));
      Pack<T> value = minus_advantage, slope = minus_advantage, bend = size;
      if (all.old_log_probs) {
        const BoundedExp<T> ratio = bounded_exp<T>(now - at.load(all.old_log_probs + t, T(0)), highest);
        const auto clipped = towards * ratio.value > last;
        value = minus_advantage * select(clipped, border, ratio.value);
        slope = select(clipped, zero, minus_advantage * ratio.slope);
        bend = abs(slope);
      }
      if (all.reference_log_probs) {
        const K3<T> gap = k3<T>(at.load(all.reference_log_probs + t, T(0)) - now, highest);
        value = fma(kl, gap.value, value);
        slope = fnma(kl, gap.slope, slope);
        bend = fma(kl, gap.slope + Pack<T>(T(1)), bend);
      }
      sum.add(value * at.load_ones(), at);
      at.accumulate(grad + t, scale * slope);
      if (hess) at.accumulate(hess + t, scale * bend);
    });
    return sum.total();
  }
};

}  // namespace policy

/// GRPO: the clipped policy gradient with advantages from the group, and a KL penalty towards a reference policy.
///
///   l_t         = -min( rho_t A, clip(rho_t, 1 - e_low, 1 + e_high) A ) + beta k3(d_t)
///   rho_t       = exp(logp_t - old_t),   d_t = ref_t - logp_t,   k3(d) = e^d - d - 1 >= 0,   A = A_g of the token's sequence
///   L           = sum_g (w_g / W) (1 / n_g) sum_t l_t         W = sum w_g over sequences with tokens; see TokenReduction
///   dl/dlogp_t  = (clipped ? 0 : -rho_t A) + beta (1 - e^{d_t})
///   clipped       where A > 0 and rho_t > 1 + e_high, or A < 0 and rho_t < 1 - e_low
///
/// Curvature   bound: h = |dl/dlogp_t of the first term| + beta e^{d_t}, times the same factors. The second derivative is
///             (clipped ? 0 : -rho A) + beta e^d: equal to h for A <= 0, where the term is convex; for A > 0 it is concave.
/// Shapes      tokens back to back, cut into sequences, those into groups: policy/rollouts.hpp. Rewards become advantages by
///             `advantage`, or advantages are given; both are constants of the gradient.
/// Units       of the advantage; per nat of log-probability.
/// No signal   no sequence has a token, or those that do have weight 0. (All rewards of a group equal: A = 0, only the KL
///             term acts. A sequence without tokens is not counted in any mean.)
/// On-policy   without old_log_probs rho = 1, and the gradient is -A, not 0: the value is no guide to progress.
/// Cost        O(tokens), an exp for each of old and reference log-probabilities. Sequences start a pack of their own. Scratch:
///             one number a sequence.
/// Numerics    e^x is replaced by its tangent beyond x = exponent_limit, so that the cost of a token that has become impossible
///             grows like e^20 (d - 20) and not like e^d, and it still pulls. (verl cuts x to +-20, which stops the
///             gradient; TRL does neither.)
///             k3 and its slope keep their digits near d = 0.
/// Parameters  clip_low, clip_high: 0.2 (DAPO: 0.2, 0.28). beta >= 0: 0.04 (DeepSeekMath, MM-R5; 0.001 in Rank-R1 v0.2, ERank,
///             GroupRank). reduction; length > 0: the constant of sequence_sum. exponent_limit: 20. advantage: of rewards.
/// Source      Shao et al., DeepSeekMath (arXiv 2402.03300), eqs. (3) and (4); as rerankers use it: Rank-R1 (arXiv 2503.06034),
///             ERank (arXiv 2509.00520), GroupRank (arXiv 2511.11653), MM-R5 (arXiv 2506.12364). k3: Schulman, Approximating
///             KL divergence, 2020. Clipping: Schulman et al., Proximal policy optimization (arXiv 1707.06347), eq. (7).
struct Grpo {
  static constexpr std::string_view name = "grpo";
  static constexpr Curvature curvature = Curvature::bound;
  template <Real T>
  using View = RolloutView<T>;

  double clip_low = 0.2;
  double clip_high = 0.2;
  double beta = 0.04;
  TokenReduction reduction = TokenReduction::sequence_mean;
  double length = 1;
  double exponent_limit = 20;
  GroupAdvantage advantage{};

  Status check() const {
    if (Status status = check_parameter_between("Grpo.clip_low", clip_low, 0, 1); !status) return status;
    if (Status status = check_parameter("Grpo.clip_high", clip_high, 0, true); !status) return status;
    if (Status status = check_parameter("Grpo.beta", beta, 0, true); !status) return status;
    if (Status status = check_parameter("Grpo.length", length, 0); !status) return status;
    if (Status status = check_parameter_between("Grpo.exponent_limit", exponent_limit, 1, 40); !status) return status;
    return advantage.check();
  }

  /// Of rollouts some of which are elsewhere, `add_up` makes W that of all (core/all_here.hpp); the value then is the part of
  /// those here.
  template <Real T, class AddUp = AllHere>
  Contribution<T> value_and_gradient(RolloutView<T> view, GradientSink<T> out, Workspace& workspace,
                                     const AddUp& add_up = {}) const {
    checked_size(view);
    const std::size_t sequences = view.sequences();
    double total = 0;
    for (std::size_t g = 0; g < sequences; ++g)
      if (const std::size_t n = view.length(g); n > 0)
        total += static_cast<double>(view.weight(g)) * (reduction == TokenReduction::token_mean ? static_cast<double>(n) : 1);
    add_up(std::span<double>(&total, 1));
    if (!(total > 0)) return {};

    const auto frame = workspace.frame();
    const T* advantages = view.advantages.data();
    if (view.advantages.empty()) {
      T* of_rewards = workspace.take<T>(sequences);
      policy::fill_advantages<T>(advantage, view.rewards, view.group_offsets, of_rewards);
      advantages = of_rewards;
    }
    const auto from = [](std::span<const T> all, std::size_t first) { return all.empty() ? nullptr : all.data() + first; };
    double value = 0;
    for (std::size_t g = 0; g < sequences; ++g) {
      const std::size_t first = view.sequence_offsets[g], n = view.length(g);
      if (n == 0) continue;
      const double among = reduction == TokenReduction::sequence_mean  ? static_cast<double>(n)
                           : reduction == TokenReduction::sequence_sum ? length
                                                                       : 1;
      const double share = static_cast<double>(view.weight(g)) / (among * total);
      const T edge = static_cast<T>(advantages[g] > T(0) ? 1 + clip_high : 1 - clip_low);
      const policy::Sequence<T> sequence{from(view.log_probs, first), from(view.old_log_probs, first),
                                         from(view.reference_log_probs, first), n, advantages[g], edge,
                                         static_cast<T>(beta), static_cast<T>(exponent_limit)};
      value += share * sequence.add_terms({out.grad + first, out.hess ? out.hess + first : nullptr,
                                           static_cast<T>(static_cast<double>(out.scale) * share)});
    }
    return {static_cast<T>(value), true};
  }
};

}  // namespace rankgrad
