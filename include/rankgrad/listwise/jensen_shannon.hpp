// rankgrad/listwise/jensen_shannon.hpp: Jensen-Shannon divergence between the softmax of the scores and the shares of the labels.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/validate.hpp>
#include <rankgrad/listwise/softmax_blocks.hpp>
#include <rankgrad/metric/jensen_shannon.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

namespace listwise {

/// One item of JS(P, Q): with d = (p - q) / (p + q),
///   value  2 M phi(d) = (p + q) ((1 + d) log(1 + d) + (1 - d) log(1 - d)), four times its part of JS, >= 0
///   log_p  log(p / M) = log(1 + d);  0 for p = 0, where it counts for nothing
///   shared p q / (p + q)
template <class T>
struct DivergenceTerm {
  simd::Pack<T> value, log_p, shared;
};
template <class T>
RANKGRAD_INLINE inline DivergenceTerm<T> divergence_term(simd::Pack<T> p, simd::Pack<T> q) {
  using namespace simd;
  constexpr T least = std::numeric_limits<T>::min();
  const Pack<T> one(T(1)), two(T(2)), half(T(0.5)), normal(least), sum = p + q;
  const Pack<T> inverse = one / select(sum > Pack<T>(16 * least), sum, one), d = (p - q) * inverse, d2 = d * d;
  // |d| <= 1/3: log(1 +- d) = log(1 - d^2) / 2 +- atanh d, of which nothing but a third cancels.
  const Pack<T> bent = log1p_unit<T>(d2 / (one - d2)), steep = atanh_third<T>(d);
  // Beyond, the ratios p / M and q / M are apart.
  const Pack<T> up = two * p * inverse, down = two * q * inverse;
  const Pack<T> log_up = log_positive<T>(select(up > normal, up, one));
  const Pack<T> log_down = log_positive<T>(select(down > normal, down, one));
  const auto near = d2 < Pack<T>(T(1.0 / 9));   // NaN is not
  const Pack<T> phi = select(near, two * d * steep - bent, fma(up, log_up, down * log_down));
  return {sum * phi, select(near, fnma(half, bent, steep), log_up), p * q * inverse};
}

}  // namespace listwise

/// Jensen-Shannon divergence: the scores as a distribution, against the labels as one; bounded, unlike the cross-entropy of
/// Softmax and ListNet.
///
///   L(s, y)   = KL(P || M) / 2 + KL(Q || M) / 2        P = softmax(s / tau),  M = (P + Q) / 2
///   Q_i       = w_i t_i / sum_j w_j t_j                t = y, or softmax(y / label_temperature)
///   dL/ds_i   = P_i ( log(P_i / M_i) - KL(P || M) ) / (2 tau)
///   h_i       = ( c_i (1 - P_i)^2 + P_i^2 sum_{j != i} c_j ) / (2 tau^2),   c_j = P_j Q_j / (P_j + Q_j)
///
/// all divided by ln 2 in base two.
///
/// Curvature   Gauss-Newton, >= 0: the divergence is convex in P, and h is the diagonal of J^T (d2L/dP2) J with J = dP/ds; exact
///             where P = Q.
/// Shapes      scores, labels [n]; weights [n] or empty, multiply the shares of the labels (as in Softmax).
/// Units       nats, at most ln 2, or bits, at most 1; per unit of score.
/// No signal   fewer than two items, or sum w t is not positive. Labels below 0 count as 0.
/// Cost        O(n) time: an exp and three logarithms an item; 2 n of scratch (softmax labels: 3 n).
/// Numerics    the terms of items are >= 0 and do not cancel, also where P and Q nearly agree. sum w t must not overflow T.
/// Parameters  temperature tau > 0: 1. shares: of_sum. label_temperature > 0: 1, of softmax shares. base: e.
/// Source      Lin, Divergence measures based on the Shannon entropy, IEEE Trans. Information Theory 1991; as the distribution
///             term of a reward: GroupRank (arXiv 2511.11653), where it is not differentiated (reward/group_ranking.hpp).
struct JensenShannon {
  static constexpr std::string_view name = "jensen_shannon";
  static constexpr Curvature curvature = Curvature::gauss_newton;

  double temperature = 1;
  Shares shares = Shares::of_sum;
  double label_temperature = 1;
  LogBase base = LogBase::e;

  Status check() const {
    if (Status status = check_parameter("JensenShannon.temperature", temperature, 0); !status) return status;
    return check_parameter("JensenShannon.label_temperature", label_temperature, 0);
  }

  template <Real T>
  Contribution<T> value_and_gradient(ListView<T> list, GradientSink<T> out, Workspace& workspace) const {
    using namespace simd;
    const std::size_t n = checked_size(list);
    if (n < 2) return {};
    const auto frame = workspace.frame();
    const T* targets = list.labels.data();
    const T* const weights = list.weights.empty() ? nullptr : list.weights.data();
    if (shares == Shares::softmax) targets = listwise::probabilities(targets, n, 1 / label_temperature, workspace);
    const auto target = [=](std::size_t i, auto at) RANKGRAD_INLINE {
      const Pack<T> t = at.load(targets + i, T(0)), share = select(t < Pack<T>(T(0)), Pack<T>(T(0)), t);
      return weights ? share * at.load(weights + i, T(0)) : share;
    };
    BlockedSum<T> all_targets;
    for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE { all_targets.add(target(i, at), at); });
    const double total = all_targets.total();
    if (!(total > 0)) return {};

    const T* const p = listwise::probabilities(list.scores.data(), n, 1 / temperature, workspace);
    T* const log_p = workspace.take<T>(n);
    const Pack<T> inverse(static_cast<T>(1 / total));
    BlockedSum<T> value, mean_log, shared;
    for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
      const Pack<T> share = at.load(p + i, T(0));
      const listwise::DivergenceTerm<T> term = listwise::divergence_term<T>(share, inverse * target(i, at));
      value.add(term.value, at);
      mean_log.add(share * term.log_p, at);
      shared.add(term.shared, at);
      at.store(log_p + i, term.log_p);
    });

    const double unit = metric::per_nat(base), slope = 0.5 * unit / temperature * static_cast<double>(out.scale);
    const Pack<T> one(T(1)), zero(T(0)), factor(static_cast<T>(slope)), bend(static_cast<T>(slope / temperature)),
        mean(static_cast<T>(mean_log.total())), all_shared(static_cast<T>(shared.total()));
    T *const grad = out.grad, *const hess = out.hess;   // copies, which no store can change
    for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
      const Pack<T> share = at.load(p + i, T(0));
      at.accumulate(grad + i, factor * share * (at.load(log_p + i, T(0)) - mean));
      if (!hess) return;
      const Pack<T> q = inverse * target(i, at), sum = share + q, other = one - share;
      const Pack<T> c = share * (q / select(sum > zero, sum, one)), rest = all_shared - c;
      at.accumulate(hess + i, bend * fma(c * other, other, share * share * select(rest > zero, rest, zero)));
    });
    return {static_cast<T>(0.25 * unit * value.total()), true};
  }
};

}  // namespace rankgrad
