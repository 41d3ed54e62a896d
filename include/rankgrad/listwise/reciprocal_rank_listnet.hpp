// rankgrad/listwise/reciprocal_rank_listnet.hpp: ListNet against a teacher's ranking, whose reciprocal ranks are its scores.
// SPDX-License-Identifier: MIT
//
// Read first: listwise/softmax.hpp.
#pragma once

#include <rankgrad/listwise/softmax.hpp>
#include <rankgrad/simd/ranking.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

namespace listwise {

/// to[i] = 1 / r_i, r_i = 1 + the number of items with a larger label.
template <Real T>
void reciprocal_target_ranks(const T* labels, std::size_t n, T* to, Workspace& workspace) {
  const auto frame = workspace.frame();
  std::uint32_t* order = workspace.take<std::uint32_t>(n);
  simd::rank_descending(labels, order, n, workspace);
  tie_ranks(labels, order, n, to, [](std::size_t first, std::size_t) { return T(1) / static_cast<T>(first); });
}

}  // namespace listwise

/// ListNet with a teacher that is known by its ranking alone: softmax cross-entropy to the softmax of the reciprocal ranks.
///
///   L(s, y)   = -sum_i w_i t_i log p_i       t = softmax((1 / r) / tau),  p = softmax(s / tau)
///   dL/ds_i   = ( Y p_i - w_i t_i ) / tau    Y = sum_i w_i t_i, = 1 without weights
///   d2L/ds_i2 = Y p_i (1 - p_i) / tau^2
///   r_i       = 1 + the number of items with a larger label
///
/// double_softmax, with q = softmax(p) and e_i = Y q_i - w_i t_i:
///   L         = -sum_i w_i t_i log q_i
///   dL/ds_k   = p_k ( e_k - sum_i p_i e_i ) / tau
///   h_k       = Y p_k^2 ( q_k (1 - 2 p_k) + sum_i q_i p_i^2 - (q_k - sum_i q_i p_i)^2 ) / tau^2
/// p lies in [0, 1], so q is nearly uniform: whatever the scores, L stays above log(1 + (n - 1) / e) even for one relevant item,
/// and the gradient is small.
///
/// Curvature   Gauss-Newton, which is the exact diagonal unless double_softmax.
/// Shapes      scores, labels [n]; weights [n] or empty, multiply the targets. Only the order of the labels matters.
/// Units       nats; nats per unit of score.
/// No signal   the list is empty. (All labels equal still pulls the scores together.)
/// Cost        one sort, then O(n); O(n) scratch.
/// Parameters  temperature tau > 0, of the teacher and of the scores. double_softmax: a softmax over the softmax, as in the
///             released code, whose cross-entropy takes probabilities for scores. normalize: as Softmax.
/// Source      MVP: multi-view-guided passage reranking, arXiv 2509.07485, tau = 0.8.
struct ReciprocalRankListNet {
  static constexpr std::string_view name = "reciprocal_rank_listnet";
  static constexpr Curvature curvature = Curvature::gauss_newton;

  double temperature = 0.8;
  bool double_softmax = false;
  Normalize normalize = Normalize::sum;

  Status check() const { return check_parameter("ReciprocalRankListNet.temperature", temperature, 0); }

  template <Real T>
  Contribution<T> value_and_gradient(ListView<T> list, GradientSink<T> out, Workspace& workspace) const {
    const std::size_t n = checked_size(list);
    if (n == 0) return {};
    const auto frame = workspace.frame();
    T* teacher = workspace.take<T>(n);
    listwise::reciprocal_target_ranks(list.labels.data(), n, teacher, workspace);
    list.labels = {teacher, n};
    if (double_softmax) return twice(list, out, workspace);
    return listwise::SoftmaxFamily<true>{temperature, temperature, normalize}.value_and_gradient(list, out, workspace);
  }

 private:
  template <Real T>
  Contribution<T> twice(ListView<T> list, const GradientSink<T>& out, Workspace& workspace) const {
    using namespace simd;
    const std::size_t n = list.size();
    const T* p = listwise::probabilities(list.scores.data(), n, 1 / temperature, workspace);
    T* e = workspace.take<T>(n, T(0));
    list.scores = {p, n};
    const listwise::SoftmaxFamily<true> outer{1, temperature, normalize};
    const auto part = outer.value_and_gradient(list, GradientSink<T>{e}, workspace);
    if (!part.valid) return {};
    BlockedSum<T> mean_e;
    for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
      mean_e.add(at.load(p + i, T(0)) * at.load(e + i, T(0)), at);
    });
    const Pack<T> slope(static_cast<T>(static_cast<double>(out.scale) / temperature)), pe(static_cast<T>(mean_e.total()));
    for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
      at.accumulate(out.grad + i, slope * at.load(p + i, T(0)) * (at.load(e + i, T(0)) - pe));
    });
    if (out.hess) bend(p, teacher_weight(list, workspace), n, out, workspace);
    return part;
  }

  /// Y, or 1 where it is divided out.
  template <Real T>
  double teacher_weight(const ListView<T>& list, Workspace& workspace) const {
    if (normalize == Normalize::mean || list.weights.empty()) return 1;
    const T* t = listwise::probabilities(list.labels.data(), list.size(), 1 / temperature, workspace);
    double total = 0;
    for (std::size_t i = 0; i < list.size(); ++i) total += static_cast<double>(t[i]) * static_cast<double>(list.weights[i]);
    return total;
  }

  template <Real T>
  void bend(const T* p, double y, std::size_t n, const GradientSink<T>& out, Workspace& workspace) const {
    using namespace simd;
    const T* q = listwise::probabilities(p, n, 1, workspace);
    BlockedSum<T> first, second;
    for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
      const Pack<T> here = at.load(p + i, T(0)), qp = at.load(q + i, T(0)) * here;
      first.add(qp, at);
      second.add(qp * here, at);
    });
    const double scale = static_cast<double>(out.scale) * y / (temperature * temperature);
    const Pack<T> mean(static_cast<T>(first.total())), square(static_cast<T>(second.total())), factor(static_cast<T>(scale));
    const Pack<T> zero(T(0)), one(T(1)), two(T(2));
    for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
      const Pack<T> here = at.load(p + i, T(0)), other = at.load(q + i, T(0)), apart = other - mean;
      const Pack<T> h = here * here * (other * (one - two * here) + (square - apart * apart));
      at.accumulate(out.hess + i, factor * select(h < zero, zero, h));
    });
  }
};

}  // namespace rankgrad
