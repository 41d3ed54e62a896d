// rankgrad/listwise/comparative.hpp: comparative regularisation: a query revised with more feedback should not lose more.
// SPDX-License-Identifier: MIT
//
// Not a loss over scores: it takes one loss for each revision of a query and returns its derivatives by those losses, which
// the caller chains into the scores (of a softmax loss, d loss / ds = p - t). Queries have a handful of revisions: nothing here
// is worth a pack.
#pragma once

#include <rankgrad/core/check_offsets.hpp>
#include <rankgrad/core/evaluate.hpp>
#include <rankgrad/simd/scalar.hpp>

#include <cmath>

namespace rankgrad::inline RANKGRAD_ABI {

/// Losses of the revisions of some queries, back to back, the revision with the most feedback first.
///
///   losses    [m]
///   offsets   [queries + 1], starts at 0, never falls, ends at m: query q has the revisions offsets[q] .. offsets[q + 1] - 1
///   weights   [queries] >= 0; empty means 1 for all
///   mask      [m], 1 = present, 0 = absent (say, no relevant passage, so no loss). Absent is as good as deleted.
template <Real T>
struct RevisionView {
  using value_type = T;

  std::span<const T> losses{};
  std::span<const std::uint32_t> offsets{};
  std::span<const T> weights{};
  std::span<const std::uint8_t> mask{};

  constexpr std::size_t queries() const noexcept { return offsets.empty() ? 0 : offsets.size() - 1; }
  constexpr T weight(std::size_t q) const noexcept { return weights.empty() ? T(1) : weights[q]; }
};

template <Real T>
constexpr std::size_t gradient_size(const RevisionView<T>& view) noexcept { return view.losses.size(); }

/// Sizes agree, offsets are in order, weights are finite and not negative. O(m).
template <Real T>
Status validate(const RevisionView<T>& view) {
  if (Status s = detail::check_offsets("offsets", view.offsets, view.losses.size(), "losses"); !s) return s;
  if (Status s = detail::check_optional_length("weights", view.weights.size(), view.queries()); !s) return s;
  if (Status s = detail::check_optional_length("mask", view.mask.size(), view.losses.size()); !s) return s;
  return detail::check_values<T>("weights", view.weights, {}, T(0), std::numeric_limits<T>::max());
}

/// Runs a loss on revisions that may have a mask: absent ones are taken out first. Found by the door.
template <Real T, LossOn<RevisionView<T>> L>
Contribution<T> evaluate_unmasked(const L& loss, const RevisionView<T>& view, const GradientSink<T>& out, Workspace& workspace) {
  if (view.mask.empty()) return loss.value_and_gradient(view, out, workspace);
  const auto frame = workspace.frame();
  const Kept kept = kept_by(view.mask, workspace);
  const RevisionView<T> present{kept.gather(view.losses, workspace), kept.offsets(view.offsets, workspace), view.weights, {}};
  return evaluate_part(loss, present, kept, out, workspace);
}

/// How the revisions of a query are compared: every two of them, or all by the likelihood of their order.
enum class ComparativeForm { hinge, list_mle };

/// Comparative regularisation (LoL: loss over loss): of two revisions of a query, the one with more feedback should have the
/// smaller loss. Revisions 1 .. V of a query by falling feedback, l their losses:
///
///   hinge      L_q = sum_{u < v} max(0, margin + (l_u - l_v) / tau)               N_q = V (V - 1) / 2 terms
///              dL_q/dl_u = (1/tau) (number of active pairs in which u has more feedback - number of those in which less)
///   list_mle   L_q = sum_{k < V} ( log sum_{j >= k} e^{-l_j / tau} + l_k / tau )   N_q = V - 1 terms
///              dL_q/dl_k = (1/tau) ( 1[k < V] - sum_{i <= k, i < V} p_ik )
///              p_ik = e^{-l_k / tau} / sum_{j >= i} e^{-l_j / tau}
///   L          sum_q w_q L_q / sum_q w_q N_q, or by query: sum_q w_q L_q / N_q / sum_q w_q over the queries with a term
///
/// stop_gradient_worse: in every term only the revision with more feedback has a derivative. Without, as in the source, the
/// other one is pushed to a greater loss: where the loss itself weighs less than its pairs, the sum of both pushes it up.
///
/// Curvature   exact diagonal in the losses: 0 for the hinge; sum_{i <= k, i < V} p_ik (1 - p_ik) / tau^2 for list_mle.
/// Shapes      see RevisionView.
/// Units       hinge: losses / tau. list_mle: nats.
/// No signal   no query of positive weight has two revisions.
/// Cost        O(V^2) for each query (hinge) or O(V) (list_mle).
/// Numerics    hinge: a pair exactly at the margin is inactive (the source's framework passes a gradient there). list_mle: by
///             running log-sum-exp, any finite losses. A NaN loss shows in the value.
/// Parameters  form: hinge (default) or list_mle. margin >= 0, of the hinge. temperature tau > 0. by_query: see L; off in
///             the source, whose mean is over all pairs of a batch. stop_gradient_worse: off.
/// Source      Zhu, Pang, Lan, Shen, Cheng, LoL: a comparative regularization loss over query reformulation losses for
///             pseudo-relevance feedback, SIGIR 2022: hinge, margin 0, added to the mean of all losses with weight 1. list_mle,
///             temperature and by_query: its follow-up on comparative losses (released code).
struct ComparativeRegularization {
  static constexpr std::string_view name = "comparative_regularization";
  static constexpr Curvature curvature = Curvature::diagonal;

  ComparativeForm form = ComparativeForm::hinge;
  double margin = 0;
  double temperature = 1;
  bool by_query = false;
  bool stop_gradient_worse = false;

  Status check() const {
    if (Status status = check_parameter("ComparativeRegularization.margin", margin, 0, true); !status) return status;
    return check_parameter("ComparativeRegularization.temperature", temperature, 0);
  }

  template <Real T>
  Contribution<T> value_and_gradient(RevisionView<T> view, GradientSink<T> out, Workspace& workspace) const {
    RANKGRAD_EXPECTS(view.mask.empty(), "a loss was called with a mask: call it through value_and_gradient()");
    RANKGRAD_EXPECTS(!view.offsets.empty() && view.offsets.back() == view.losses.size(), "offsets and losses differ in size");
    RANKGRAD_EXPECTS(view.weights.empty() || view.weights.size() == view.queries(), "weights and offsets differ in size");
    double total = 0, value = 0;
    for (std::size_t q = 0; q < view.queries(); ++q) {
      const double count = terms(view.offsets[q + 1] - view.offsets[q]);
      if (count > 0) total += static_cast<double>(view.weight(q)) * (by_query ? 1 : count);
    }
    if (!(total > 0)) return {};
    for (std::size_t q = 0; q < view.queries(); ++q) {
      const std::size_t first = view.offsets[q], n = view.offsets[q + 1] - first;
      const double share = static_cast<double>(view.weight(q)) / (by_query ? terms(n) : 1) / total;
      if (n < 2 || !(view.weight(q) > T(0))) continue;
      const auto losses = view.losses.subspan(first, n);
      const GradientSink<T> sink{out.grad + first, out.hess ? out.hess + first : nullptr, out.scale};
      value += share * (form == ComparativeForm::hinge ? hinges(losses, share, sink) : orders(losses, share, sink, workspace));
    }
    return {static_cast<T>(value), true};
  }

 private:
  double terms(std::size_t revisions) const {
    const double n = static_cast<double>(revisions);
    return revisions < 2 ? 0 : form == ComparativeForm::hinge ? n * (n - 1) / 2 : n - 1;
  }

  template <Real T>
  double hinges(std::span<const T> losses, double share, const GradientSink<T>& out) const {
    double value = 0;
    for (std::size_t u = 0; u < losses.size(); ++u)
      for (std::size_t v = u + 1; v < losses.size(); ++v) {
        const double short_of = margin + (static_cast<double>(losses[u]) - static_cast<double>(losses[v])) / temperature;
        if (short_of <= 0) continue;   // NaN is not
        value += short_of;
        out.add(u, static_cast<T>(share / temperature));
        if (!stop_gradient_worse) out.add(v, static_cast<T>(-share / temperature));
      }
    return value;
  }

  template <Real T>
  double orders(std::span<const T> losses, double share, const GradientSink<T>& out, Workspace& workspace) const {
    const auto frame = workspace.frame();
    const std::size_t n = losses.size();
    double *effect = workspace.take<double>(n), *rest = workspace.take<double>(n);   // -l / tau, and log-sum-exp from here on
    for (std::size_t k = 0; k < n; ++k) effect[k] = -static_cast<double>(losses[k]) / temperature;
    rest[n - 1] = effect[n - 1];
    double value = 0, sums = 0, squares = 0;   // sum over i <= k of 1 / Z_i and 1 / Z_i^2, times Z_k and Z_k^2
    for (std::size_t k = n - 1; k-- > 0;) {
      const double apart = rest[k + 1] - effect[k], term = simd::softplus(apart);
      rest[k] = effect[k] + term;
      value += term;
    }
    for (std::size_t k = 0; k < n; ++k) {
      const double own = k + 1 < n ? 1 : 0, p = std::exp(effect[k] - rest[k]), fall = k > 0 ? std::exp(rest[k] - rest[k - 1]) : 0;
      sums = (stop_gradient_worse ? 0 : sums * fall) + own;
      squares = (stop_gradient_worse ? 0 : squares * fall * fall) + own;
      out.add(k, static_cast<T>(share / temperature * (own - p * sums)),
              static_cast<T>(share / (temperature * temperature) * std::max(0.0, p * (sums - p * squares))));
    }
    return value;
  }
};

}  // namespace rankgrad
