// rankgrad/reweighting/reweighted.hpp: any loss of lists, its lists weighted by their own losses.
// SPDX-License-Identifier: MIT
//
// Read first: reweighting/loss_weights.hpp, reweighting/risk.hpp, core/batch_evaluator.hpp.
#pragma once

#include <rankgrad/core/batch_evaluator.hpp>
#include <rankgrad/core/check_offsets.hpp>
#include <rankgrad/reweighting/loss_weights.hpp>
#include <rankgrad/reweighting/risk.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// What turns the losses of a batch into the weights of its lists: a map, held constant, or the derivative of a risk.
template <class Map>
concept ListWeighting = LossToWeight<Map> || Risk<Map, float> || Risk<Map, double>;

/// A loss of lists with such a weighting.
template <class L, ListWeighting Map>
struct Reweighted {
  static constexpr std::string_view name = name_of<L>();
  static constexpr Curvature curvature = curvature_of<L>();
  L loss{};
  Map map{};

  Status check() const {
    if (Status status = validate_parameters(map); !status) return status;
    return validate_parameters(loss);
  }
};
template <class L, ListWeighting Map>
constexpr Reweighted<L, Map> reweighted(const L& loss, const Map& map) { return {loss, map}; }

/// The gradient of list q *= weights[q], its curvature the magnitude of that. Weight 0 clears, so that a NaN of a list that was
/// left out is gone.
template <Real T, class E = Serial>
void scale_lists(const RaggedBatch<T>& batch, std::type_identity_t<std::span<const T>> weights,
                 std::type_identity_t<std::span<T>> gradient, std::type_identity_t<std::span<T>> curvature = {},
                 const E& executor = {}) {
  constexpr std::size_t run = 64;
  require(detail::check_offsets("offsets", batch.offsets, batch.items(), "scores"));
  RANKGRAD_EXPECTS(weights.size() == batch.lists(), "there must be one weight per list");
  RANKGRAD_EXPECTS(gradient.size() == batch.items(), "gradient and scores differ in size");
  RANKGRAD_EXPECTS(curvature.empty() || curvature.size() == batch.items(), "curvature and scores differ in size");
  const auto scale = [&](T* values, std::size_t n, T weight) RANKGRAD_INLINE {
    using namespace simd;
    if (weight == T(0)) return clear(values, n);
    for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
      at.store(values + i, at.load(values + i, T(0)) * Pack<T>(weight));
    });
  };
  executor((batch.lists() + run - 1) / run, [&](std::size_t task, std::size_t) {
    for (std::size_t q = task * run, end = std::min(q + run, batch.lists()); q < end; ++q) {
      const std::size_t first = batch.offsets[q], n = batch.offsets[q + 1] - first;
      scale(gradient.data() + first, n, weights[q]);
      if (!curvature.empty()) scale(curvature.data() + first, n, weights[q] < T(0) ? -weights[q] : weights[q]);
    }
  });
}

/// Evaluates reweighted losses over ragged batches; keep one per training loop.
///
///   L         = sum_q w_q l_q,      w = weights of the losses l of this batch, held constant
///   dL/ds_i   = w_q dl_q/ds_i       for item i of list q; the curvature likewise
///   or, with a risk R:   L = R(l),   dL/ds_i = dR/dl_q dl_q/ds_i,   and as curvature |dR/dl_q| times that of the list
///
///   ReweightedEvaluator<float> evaluate;
///   float value = evaluate(reweighted(RankNet{}, LinUpper{.temperature = 0.4}), batch, gradient);
///   float tail = evaluate(reweighted(RankNet{}, Cvar{.fraction = 0.1}), batch, gradient);
///
/// One pass of the loss: gradients are made unscaled and multiplied list by list once all losses are known. The same bits
/// for any number of threads; no allocation after the first large batch.
///
/// List weights  RaggedBatch::list_weights are the weights before (u of loss_weights.hpp): 2 is the list twice.
/// No signal     lists without signal, of list weight 0 or with a NaN or infinite loss have weight 0 and gradient 0.
/// Fixed weights, known before the losses, need none of this: they are list_weights with Reduction::sum.
/// Processes     for a batch spread over processes do the steps yourself: BatchEvaluator with Reduction::none and no
///               list_weights, its per_list(), the statistics of loss_weights.hpp merged, loss_weights(), scale_lists().
/// Errors        a loss of batch scope, at the door: it has no losses of lists.
template <Real T>
class ReweightedEvaluator {
 public:
  /// Overwrites `gradient` [items]; returns sum_q w_q l_q, or the risk.
  template <class L, class Map, class E = Serial>
  T operator()(const Reweighted<L, Map>& loss, const RaggedBatch<T>& batch, std::type_identity_t<std::span<T>> gradient,
               const E& executor = {}) {
    return with_curvature(loss, batch, gradient, {}, 0, executor);
  }

  /// The same with the curvature in `curvature` [items], at least `floor` everywhere.
  template <class L, class Map, class E = Serial>
  T with_curvature(const Reweighted<L, Map>& loss, const RaggedBatch<T>& batch, std::type_identity_t<std::span<T>> gradient,
                   std::type_identity_t<std::span<T>> curvature, T floor, const E& executor = {}) {
    require(validate_parameters(loss));
    RANKGRAD_EXPECTS(scope_of(loss.loss) == Scope::list && !has_mixed_scopes(loss.loss),
                     "a loss of batch scope cannot be reweighted: it has one loss for all lists");
    RANKGRAD_EXPECTS(floor >= T(0), "the curvature floor is negative");
    require(detail::check_sizes(batch));
    require(detail::check_values<T>("list_weights", batch.list_weights, {}, T(0), std::numeric_limits<T>::max()));
    RaggedBatch<T> plain = batch;
    plain.list_weights = {};
    evaluate_.with_curvature(loss.loss, plain, gradient, curvature, T(0), Reduction::none, executor);
    const double value = find_weights(loss.map, batch);
    scale_lists(batch, weights_, gradient, curvature, executor);
    for (T& h : curvature) h = std::max(h, floor);
    return static_cast<T>(value);
  }

  /// Of the last call: the weight (the derivative of the risk) of each list, 0 where it was left out, and its loss.
  std::span<const T> weights() const noexcept { return weights_; }
  std::span<const Contribution<T>> per_list() const noexcept { return evaluate_.per_list(); }

  /// How often scratch had to grow so far; constant once warm.
  std::size_t growths() const noexcept { return growths_ + scratch_.growths() + evaluate_.growths(); }

 private:
  template <class Map>
  double find_weights(const Map& map, const RaggedBatch<T>& batch) {
    const auto parts = evaluate_.per_list();
    const std::size_t lists = batch.lists();
    for (std::vector<T>* buffer : {&losses_, &prior_, &weights_}) {
      if (buffer->capacity() < lists) ++growths_;
      buffer->resize(lists);
    }
    for (std::size_t q = 0; q < lists; ++q) {
      losses_[q] = parts[q].value;
      prior_[q] = parts[q].valid && is_finite(parts[q].value) ? batch.list_weight(q) : T(0);
    }
    if constexpr (Risk<Map, T>) {
      const std::span<const T> losses(losses_), prior(prior_);
      return static_cast<double>(map.value_and_gradient(losses, prior, std::span<T>(weights_), scratch_).value);
    } else {
      loss_weights(map, std::span<const T>(losses_), weights_, prior_);
      double value = 0;
      for (std::size_t q = 0; q < lists; ++q)
        if (weights_[q] > T(0)) value += static_cast<double>(weights_[q]) * static_cast<double>(losses_[q]);
      return value;
    }
  }

  BatchEvaluator<T> evaluate_;
  Workspace scratch_;
  std::vector<T> losses_, prior_, weights_;
  std::size_t growths_ = 0;
};

}  // namespace rankgrad
