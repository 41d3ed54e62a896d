// rankgrad/reweighting/coupled_propensity.hpp: relevance and selection learned together, each the weight of the other.
// SPDX-License-Identifier: MIT
//
// A candidate is labelled where it was selected for judgement and is relevant: P(y = 1) = omega rho, with rho = P(relevant) from
// the scores f of one model and omega = P(selected) from the scores g of another. What is unlabelled may be relevant and unseen.
#pragma once

#include <rankgrad/core/all_here.hpp>
#include <rankgrad/core/check_offsets.hpp>
#include <rankgrad/core/mask.hpp>
#include <rankgrad/listwise/softmax.hpp>
#include <rankgrad/pairwise/pairwise_softmax.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// One query: n candidates with two scores each.
///
///   relevance  [n], scores f of the relevance model
///   selection  [n], scores g of the selection model
///   labels     [n], positive where > 0
///   weights    [n], of the candidates, >= 0; empty means 1 for all
///   mask       [n], 1 = present, 0 = absent: as good as deleted
///
/// The gradient is [2 n]: first that of the relevance scores, then that of the selection scores. So is the curvature.
template <Real T>
struct CoupledView {
  using value_type = T;

  std::span<const T> relevance{};
  std::span<const T> selection{};
  std::span<const T> labels{};
  std::span<const T> weights{};
  std::span<const std::uint8_t> mask{};

  constexpr std::size_t size() const noexcept { return relevance.size(); }
  constexpr ListView<T> of_relevance() const noexcept { return {relevance, labels, weights, mask, {}, 0}; }
  constexpr ListView<T> of_selection() const noexcept { return {selection, labels, weights, mask, {}, 0}; }
};

template <Real T>
constexpr std::size_t gradient_size(const CoupledView<T>& view) noexcept { return 2 * view.size(); }

template <Real T>
Status validate(const CoupledView<T>& view) {
  if (Status s = detail::check_length("selection", view.selection.size(), view.size()); !s) return s;
  return validate(view.of_relevance());
}

/// How a score becomes a propensity: each candidate by itself, or all candidates of the query sharing 1.
enum class Propensity { sigmoid, softmax };

/// How the models correct each other.
///   inverse_ratio     positives weighed by the propensity of a reference candidate over their own
///   negative_weights  positives weighed by one over their propensity, unlabelled ones by how surely they are negative
enum class Coupling { inverse_ratio, negative_weights };

/// What an unlabelled candidate counts in the loss of the relevance model (of the selection model: rho and omega exchanged).
///   surely_negative   P(not relevant | unlabelled) = (1 - rho) / (1 - rho omega)
///   seen              omega: it was seen and not marked
enum class UnlabelledWeight { surely_negative, seen };

/// The reference candidate of inverse_ratio: the first positive, or the one of the highest propensity.
enum class ReferenceCandidate { first_positive, highest };

/// Coupled propensities: a relevance loss and a selection loss over the same candidates, L = L_R + L_S.
///
///   inverse_ratio     L_R = -sum_{d+} c+ log softmax(f)_{d+},                       c+ = min(omega_0 / omega_+, cap)
///   negative_weights  L_R = sum_{d+} c+ [ log(e^{f_+} + sum_{d-} v_- e^{f_-}) - f_+ ],   c+ = min(1 / omega_+, cap)
///                     v_- = (1 - rho) / (1 - rho omega), which for sigmoids is s(softplus(g) - f), or omega
///   L_S               the same with f and g, rho and omega exchanged
///   gradient          of Softmax with targets c, and of PairwiseCrossEntropy (joint) with item weights c and v; c and v are
///                     constants, none flows from L_R into g or from L_S into f. The curvature likewise.
///
/// Curvature   Gauss-Newton: the exact diagonal with the weights held constant, >= 0.
/// Shapes      CoupledView; weights of candidates multiply c and v.
/// No signal   no positive; negative_weights: nothing to compare the positives with.
/// Cost        O(n), scratch n; negative_weights sorts by label.
/// Numerics    sigmoids: 1 - rho omega is never formed. softmax: it is at least 1e-6.
/// Parameters  coupling. propensity. unlabelled. reference. lowest in [0, 1): propensities of sigmoids below it count as it
///             (0.05). cap >= 1 of c (10). warm_up: c = v = 1, two plain losses, for the first epochs.
/// Batches     weigh() fills the labels (inverse_ratio) or weights (negative_weights) of any RaggedBatch, for a BatchEvaluator
///             with Softmax or PairwiseCrossEntropy{.negatives = joint, .normalize = sum}; self_normalise() makes the mean c 1.
/// To watch    the mean v near rank 1 should fall below that deep in the list. If f and g read the same features, how relevance
///             and selection share the labels is arbitrary.
/// Source      a coupled estimation method for pooling bias (CET, arXiv 2209.05072). Reconstructed from the abstract and the
///             literature; not checked against the source. inverse_ratio: Ai et al., Unbiased learning to rank with unbiased
///             propensity estimation, SIGIR 2018 (dual learning).
struct CoupledPropensity {
  static constexpr std::string_view name = "coupled_propensity";
  static constexpr Curvature curvature = Curvature::gauss_newton;
  template <Real T>
  using View = CoupledView<T>;

  Coupling coupling = Coupling::negative_weights;
  Propensity propensity = Propensity::sigmoid;
  UnlabelledWeight unlabelled = UnlabelledWeight::surely_negative;
  ReferenceCandidate reference = ReferenceCandidate::first_positive;
  double lowest = 0.05;
  double cap = 10;
  bool warm_up = false;

  Status check() const {
    if (Status status = check_parameter("CoupledPropensity.cap", cap, 1, true); !status) return status;
    if (lowest >= 0 && lowest < 1) return {};
    return Status::error("rankgrad: CoupledPropensity.lowest is %g; it must be at least 0 and below 1", lowest);
  }

  template <Real T>
  Contribution<T> value_and_gradient(CoupledView<T> view, GradientSink<T> out, Workspace& workspace) const {
    const std::size_t n = view.size();
    RANKGRAD_EXPECTS(view.selection.size() == n, "selection and relevance differ in size");
    const GradientSink<T> second{out.grad + n, out.hess ? out.hess + n : nullptr, out.scale};
    const Contribution<T> r = one_side(view.of_relevance(), view.selection, out, workspace);
    const Contribution<T> s = one_side(view.of_selection(), view.relevance, second, workspace);
    return {r.value + s.value, r.valid || s.valid};
  }

  /// The constants of one list, out[n]: c of positives; of the others v times their weight, or 0 for inverse_ratio. `own` has
  /// the scores that the loss is about, `other` those of the other model. c too is multiplied by the weight of its item with
  /// negative_weights; with inverse_ratio Softmax does that. Absent items have 0 and no part in what the others have.
  template <Real T>
  void weigh(const ListView<T>& own, std::type_identity_t<std::span<const T>> other, std::type_identity_t<std::span<T>> out,
             Workspace& workspace) const {
    const std::size_t n = own.size();
    require(detail::check_lengths(own));
    RANKGRAD_EXPECTS(other.size() == n && out.size() == n, "the scores of both models and the weights differ in size");
    if (!own.mask.empty()) {
      const auto frame = workspace.frame();
      const Kept kept = kept_by(own.mask, workspace);
      const std::span<T> part(workspace.take<T>(kept.size), kept.size);
      weigh(compacted(own, kept, workspace), kept.gather(other, workspace), part, workspace);
      simd::clear(out.data(), n);
      for (std::size_t i = 0; i < kept.size; ++i) out[kept.at[i]] = part[i];
      return;
    }
    if (coupling == Coupling::inverse_ratio) ratios(own, other.data(), out.data());
    else if (warm_up)
      for (std::size_t i = 0; i < n; ++i) out[i] = own.weight(i);
    else if (propensity == Propensity::sigmoid) by_sigmoids(own, other.data(), out.data());
    else by_softmax(own, other, out.data(), workspace);
  }

  /// The same for every list of a batch.
  template <Real T>
  void weigh(const RaggedBatch<T>& own, std::type_identity_t<std::span<const T>> other, std::type_identity_t<std::span<T>> out,
             Workspace& workspace) const {
    require(check());
    require(detail::check_offsets("offsets", own.offsets, own.items(), "scores"));
    require(detail::check_sizes(own));
    RANKGRAD_EXPECTS(other.size() == own.items() && out.size() == own.items(), "scores and weights differ in size");
    for (std::size_t q = 0; q < own.lists(); ++q) {
      const std::size_t first = own.offsets[q], n = own.offsets[q + 1] - first;
      weigh(own[q], other.subspan(first, n), out.subspan(first, n), workspace);
    }
  }

 private:
  template <Real T>
  Contribution<T> one_side(ListView<T> own, std::span<const T> other, const GradientSink<T>& out, Workspace& workspace) const {
    const auto frame = workspace.frame();
    const std::size_t n = own.size();
    T* constants = workspace.take<T>(n);
    weigh(own, other, {constants, n}, workspace);
    if (coupling == Coupling::inverse_ratio) {
      own.labels = {constants, n};
      return Softmax{}.value_and_gradient(own, out, workspace);
    }
    T* positive = workspace.take<T>(n);   // grades are no order among positives here
    for (std::size_t i = 0; i < n; ++i) positive[i] = own.labels[i] > T(0) ? T(1) : T(0);
    own.labels = {positive, n};
    own.weights = {constants, n};
    const PairwiseCrossEntropy loss{.negatives = Negatives::joint, .normalize = Normalize::sum};
    return loss.value_and_gradient(own, out, workspace);
  }

  template <Real T>
  void ratios(const ListView<T>& own, const T* other, T* out) const {
    using namespace simd;
    const std::size_t n = own.size();
    if (n == 0) return;
    std::size_t best = 0;
    if (reference == ReferenceCandidate::first_positive) {
      while (best + 1 < n && !(own.labels[best] > T(0))) ++best;
    } else {
      for (std::size_t i = 1; i < n; ++i)
        if (other[i] > other[best]) best = i;
    }
    const Pack<T> zero(T(0)), one(T(1)), top(other[best]), floor = Pack<T>(T(lowest)), most = Pack<T>(T(cap));
    const Pack<T> reference_propensity = max(sigmoid<T>(top), floor);
    for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
      const Pack<T> g = at.load(other + i, T(0));
      Pack<T> c = one;
      if (!warm_up) c = propensity == Propensity::softmax ? exp<T>(top - g) : reference_propensity / max(sigmoid<T>(g), floor);
      at.store(out + i, select(at.load(&own.labels[i], T(0)) > zero, min(c, most), zero));
    });
  }

  template <Real T>
  void by_sigmoids(const ListView<T>& own, const T* other, T* out) const {
    using namespace simd;
    const Pack<T> zero(T(0)), one(T(1)), floor = Pack<T>(T(lowest)), most = Pack<T>(T(cap));
    const bool weighted = !own.weights.empty();
    for_each_pack<T>(own.size(), [&](std::size_t i, auto at) RANKGRAD_INLINE {
      const auto g = softplus_sigmoid<T>(at.load(other + i, T(0)));
      const Pack<T> f = at.load(&own.scores[i], T(0)), c = min(one / max(g.sigmoid, floor), most);
      const Pack<T> v = unlabelled == UnlabelledWeight::seen ? g.sigmoid : sigmoid<T>(g.softplus - f);
      const Pack<T> w = select(at.load(&own.labels[i], T(0)) > zero, c, v);
      at.store(out + i, weighted ? w * at.load(&own.weights[i], T(0)) : w);
    });
  }

  template <Real T>
  void by_softmax(const ListView<T>& own, std::span<const T> other, T* out, Workspace& workspace) const {
    const auto frame = workspace.frame();
    const std::size_t n = own.size();
    if (n == 0) return;
    const T* rho = listwise::probabilities(own.scores.data(), n, 1.0, workspace);
    const T* omega = listwise::probabilities(other.data(), n, 1.0, workspace);
    for (std::size_t i = 0; i < n; ++i) {
      const double r = static_cast<double>(rho[i]), o = static_cast<double>(omega[i]);
      double c = o * cap > 1 ? 1 / o : cap;
      if (!(own.labels[i] > T(0))) c = unlabelled == UnlabelledWeight::seen ? o : (1 - r) / std::max(1 - r * o, 1e-6);
      out[i] = static_cast<T>(c * static_cast<double>(own.weight(i)));
    }
  }
};

/// Self-normalisation: multiplies the weights of the positives of a batch so that their mean is 1, which lowers the variance
/// of inverse propensities at the price of a little bias (SNIPS: Swaminathan, Joachims, NIPS 2015). Weights of absent items are
/// neither read nor written. Returns the factor; 1 where nothing is positive. `add_up`: core/all_here.hpp.
template <Real T, class AddUp = AllHere>
double self_normalise(std::span<const T> labels, std::type_identity_t<std::span<T>> weights,
                      std::span<const std::uint8_t> mask = {}, const AddUp& add_up = {}) {
  RANKGRAD_EXPECTS(labels.size() == weights.size(), "labels and weights differ in size");
  RANKGRAD_EXPECTS(mask.empty() || mask.size() == labels.size(), "mask and labels differ in size");
  const auto counts = [&](std::size_t i) { return (mask.empty() || mask[i]) && labels[i] > T(0); };
  double sums[2] = {0, 0};   // of weights; count
  for (std::size_t i = 0; i < labels.size(); ++i)
    if (counts(i)) sums[0] += static_cast<double>(weights[i]), sums[1] += 1;
  add_up(std::span<double>(sums));
  if (!(sums[0] > 0)) return 1;
  const double factor = sums[1] / sums[0];
  for (std::size_t i = 0; i < labels.size(); ++i)
    if (counts(i)) weights[i] = static_cast<T>(static_cast<double>(weights[i]) * factor);
  return factor;
}

/// Runs a loss on a query that may have a mask. Found by the door.
template <Real T, LossOn<CoupledView<T>> L>
Contribution<T> evaluate_unmasked(const L& loss, const CoupledView<T>& view, const GradientSink<T>& out, Workspace& workspace) {
  if (view.mask.empty()) return loss.value_and_gradient(view, out, workspace);
  const auto frame = workspace.frame();
  const Kept kept = kept_by(view.mask, workspace);
  const ListView<T> first = compacted(view.of_relevance(), kept, workspace);
  const CoupledView<T> present{first.scores, kept.gather(view.selection, workspace), first.labels, first.weights, {}};
  return evaluate_part(loss, present, kept, out, workspace);
}

}  // namespace rankgrad
