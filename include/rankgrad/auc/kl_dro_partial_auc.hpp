// rankgrad/auc/kl_dro_partial_auc.hpp: partial AUC with a soft choice of the hardest pairs (KL-regularised DRO).
// SPDX-License-Identifier: MIT
//
// Read first: auc/kl_dro.hpp, auc/partial_auc.hpp.
#pragma once

#include <rankgrad/auc/kl_dro.hpp>
#include <rankgrad/auc/mann_whitney.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

namespace auc {

template <Real T>
Contribution<T> soft_partial_auc(const KlDro& dro, const MannWhitney& pairs, const ListView<T>& list, const GradientSink<T>& out,
                                 Workspace& workspace) {
  checked_size(list);
  const auto frame = workspace.frame();
  const auto classes = split<T>(list, pairs.temperature, workspace);
  if (!(classes.pair_weight() > 0)) return {};
  const auto run = [&](const auto& phi) {
    return out.hess ? kl_dro<true>(phi, dro, classes, workspace) : kl_dro<false>(phi, dro, classes, workspace);
  };
  double value = 0;
  if (pairs.surrogate == Surrogate::logistic) value = run(pairwise::Logistic{});
  else if (pairs.surrogate == Surrogate::hinge) value = run(pairwise::Hinge{pairs.margin});
  else if (pairs.surrogate == Surrogate::squared_hinge) value = run(pairwise::SquaredHinge{pairs.margin});
  else value = run(pairwise::Square{pairs.margin});
  scatter(classes, 1, pairs.temperature, out);
  return {T(value), true};
}

inline Status check_soft_partial_auc(const MannWhitney& pairs) {
  if (pairs.surrogate == Surrogate::exponential)
    return Status::error("rankgrad: the surrogate of a KL-DRO partial AUC cannot be `exponential`: its exponential overflows");
  return pairs.check();
}

}  // namespace auc

/// One-way partial AUC, soft: each positive weighs its negatives by how hard they are.
///
///   L(s, y) = (1/A) sum_{y_i > 0} a_i lambda log( (1/B) sum_{y_k <= 0} b_k e^{phi(z_ik) / lambda} ),   z_ik = (s_i - s_k) / tau
///   dL/ds_i =  (1/tau) sum_k o_i q_ik phi'(z_ik),    dL/ds_k = -(1/tau) sum_i o_i q_ik phi'(z_ik)
///   with o_i = a_i / A and q_ik the softmax over k of phi(z_ik) / lambda, weighted by b.
///
/// lambda -> infinity gives MannWhitney, lambda -> 0 the hardest negative alone.
/// Curvature   exact diagonal, >= 0 (of the hinges: away from their kinks).
/// Shapes      scores, labels [n], positive means label > 0; weights [n] or empty.
/// Units       those of phi; for the logistic nats.
/// No signal   no positive or no negative of positive weight.
/// Cost        two passes over all pairs with one exp each (two for the logistic), O(n) scratch.
/// Numerics    the largest phi of each row is taken off first. In float, phi / lambda beyond about 1e5 leaves the
///             softmax with few digits; the value keeps its own.
/// Parameters  lambda > 0. temperature tau > 0, margin >= 0, surrogate, scope: as MannWhitney, without `exponential`.
/// Errors      a parameter out of range, at the door. A NaN score shows in the value.
/// Source      Zhu et al., When AUC meets DRO, ICML 2022 (SOPA-s), here in full and not by moving averages.
struct KlDroPartialAuc {
  static constexpr std::string_view name = "kl_dro_partial_auc";
  static constexpr Curvature curvature = Curvature::diagonal;

  double lambda = 1;
  double temperature = 1;
  double margin = 1;
  Surrogate surrogate = Surrogate::squared_hinge;
  Scope scope = Scope::list;

  MannWhitney pairs() const { return {temperature, margin, surrogate, scope, Normalize::mean}; }
  Status check() const {
    if (Status status = check_parameter("KlDroPartialAuc.lambda", lambda, 0); !status) return status;
    return auc::check_soft_partial_auc(pairs());
  }

  template <Real T>
  Contribution<T> value_and_gradient(ListView<T> list, GradientSink<T> out, Workspace& workspace) const {
    return auc::soft_partial_auc(auc::KlDro{lambda, 0}, pairs(), list, out, workspace);
  }
};

/// Two-way partial AUC, soft: the positives are weighed by how hard they are, too.
///
///   L(s, y) = mu log( (1/A) sum_{y_i > 0} a_i ( (1/B) sum_{y_k <= 0} b_k e^{phi(z_ik) / lambda} )^{lambda / mu} )
///   dL/ds as KlDroPartialAuc, with o the softmax over i of L_i / mu, weighted by a; L_i the value of row i there.
///
/// mu -> infinity gives KlDroPartialAuc; mu = lambda one softmax over all pairs.
/// Curvature   exact diagonal, >= 0.
/// Parameters  lambda > 0 for the negatives, mu > 0 for the positives; the rest as KlDroPartialAuc.
/// Source      Zhu et al., as above (SOTA-s).
/// Everything else as KlDroPartialAuc.
struct KlDroTwoWayPartialAuc {
  static constexpr std::string_view name = "kl_dro_two_way_partial_auc";
  static constexpr Curvature curvature = Curvature::diagonal;

  double lambda = 1;
  double mu = 1;
  double temperature = 1;
  double margin = 1;
  Surrogate surrogate = Surrogate::squared_hinge;
  Scope scope = Scope::list;

  MannWhitney pairs() const { return {temperature, margin, surrogate, scope, Normalize::mean}; }
  Status check() const {
    if (Status status = check_parameter("KlDroTwoWayPartialAuc.lambda", lambda, 0); !status) return status;
    if (Status status = check_parameter("KlDroTwoWayPartialAuc.mu", mu, 0); !status) return status;
    return auc::check_soft_partial_auc(pairs());
  }

  template <Real T>
  Contribution<T> value_and_gradient(ListView<T> list, GradientSink<T> out, Workspace& workspace) const {
    return auc::soft_partial_auc(auc::KlDro{lambda, 1 / mu}, pairs(), list, out, workspace);
  }
};

}  // namespace rankgrad
