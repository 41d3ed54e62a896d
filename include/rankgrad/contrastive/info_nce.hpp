// rankgrad/contrastive/info_nce.hpp: the positives of a list against its negatives by a softmax (InfoNCE).
// SPDX-License-Identifier: MIT
//
// Read first: contrastive/two_softmaxes.hpp.
#pragma once

#include <rankgrad/contrastive/two_softmaxes.hpp>
#include <rankgrad/core/concepts.hpp>
#include <rankgrad/core/validate.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// Several positives in a contrastive loss: the mean of their losses (SupCon "out"), or the loss of their probabilities
/// together (SupCon "in" but for a constant, MIL-NCE), for which one good positive is enough.
enum class Positives { mean, together };

namespace contrastive {

/// Value and slope of the focal term q^gamma l, l = -log p, q = 1 - p: dL/dx_+ = -slope q.
struct Focal {
  double value, slope;
};
inline Focal focal(double l, double q, double gamma, bool detached) {
  if (gamma == 0) return {l, 1};
  if (q == 0) return {0, 0};
  const double weight = std::pow(q, gamma);
  return {weight * l, detached ? weight : weight * (1 + gamma * (1 - q) * (l / q))};   // l / q -> 1 as q -> 0
}

}  // namespace contrastive

/// InfoNCE: softmax cross-entropy of the positives (labels above 0) against all items of the list.
///
///   p_i        = w_i e^{s_i / tau} / sum_j w_j e^{s_j / tau}       l_i = -log p_i,  P = {i : y_i > 0}
///   L(s, y)    = (1 - e) M + e sum_i u_i l_i                       u_i = w_i / sum_j w_j   (label smoothing)
///   M          = sum_{i in P} a_i (1 - p_i)^gamma l_i              a_i = w_i / sum_{P} w                (mean)
///              = (1 - p_P)^gamma l_P,  p_P = sum_{P} p_i                                                (together)
///   dL/ds_c    = ( B p_c - t_c ) / tau                             B = (1 - e) C + e,  C = sum_i a_i C_i
///   t_c        = (1 - e) a_c C_c + e u_c on P (mean), (1 - e) C p_c / p_P + e u_c (together), e u_c elsewhere
///   C_i        = q^gamma for `detach_focal`, else q^gamma (1 + gamma p_i l_i / q),  q = 1 - p_i;  1 for gamma = 0
///   h_c        = B p_c (1 - p_c) / tau^2
///
/// Curvature   Gauss-Newton: focal factors and the shares of several positives held constant. For gamma = 0 and one positive,
///             or their mean, it is the exact diagonal.
/// Shapes      scores, labels [n]; weights [n] or empty. An item of weight w counts w times in the softmax, as if its logit
///             were s / tau + log w (in Softmax weights multiply the labels only). Negatives drawn with probability Q: weights
///             1 / Q are the logQ correction, or correct_for_sampling() the scores; accidental hits have weight 0 or are masked.
/// Units       nats; nats per unit of score.
/// No signal   no positive or no negative of weight above 0.
/// Cost        O(n) time, one exp per item, n scratch. mean with weights or gamma > 0: a logarithm per positive besides.
/// Numerics    positives and negatives each have their highest score subtracted; -log p is a softplus of the difference of
///             two log-sum-exps, 1 - p its sigmoid: a small loss keeps its digits, tau = 0.01 is fine in float.
/// Parameters  temperature tau > 0. positives. smoothing e in [0, 1). focal_gamma >= 0 (KaLM-Embedding-V2: 0.5), detach_focal:
///             the focal factor is a constant to the gradient.
/// Source      van den Oord, Li, Vinyals, arXiv 1807.03748, eq. (4); several positives: Khosla et al., arXiv 2004.11362, eqs. (2)
///             and (3), Miech et al., arXiv 1912.06430, eq. (1); focal factor: KaLM-Embedding-V2, arXiv 2506.20923 (formula and
///             gamma from public summaries; whether the paper detaches the factor is not known; no division by the sum of the
///             factors); sampling: Bengio, Senecal, 2008, and Yi et al., RecSys 2019, sec. 3.
///             In-batch negatives, hard negatives of other queries among them, are items like others.
struct InfoNce {
  static constexpr std::string_view name = "info_nce";
  static constexpr Curvature curvature = Curvature::gauss_newton;

  double temperature = 0.07;
  Positives positives = Positives::mean;
  double smoothing = 0;
  double focal_gamma = 0;
  bool detach_focal = true;

  Status check() const {
    if (Status status = check_parameter("InfoNce.temperature", temperature, 0); !status) return status;
    if (!(smoothing >= 0 && smoothing < 1))
      return Status::error("rankgrad: InfoNce.smoothing is %g; it must be in [0, 1)", smoothing);
    return check_parameter("InfoNce.focal_gamma", focal_gamma, 0, true);
  }

  template <Real T>
  Contribution<T> value_and_gradient(ListView<T> list, GradientSink<T> out, Workspace& workspace) const {
    checked_size(list);
    return list.weights.empty() ? evaluate<false>(list, out, workspace) : evaluate<true>(list, out, workspace);
  }

 private:
  /// M and C, and whether every positive is pulled by just its part of C, a_c C_c = r_c C; where C_i differs from positive to
  /// positive, also what each is pulled by.
  struct Main {
    double value, slope;
    bool even = true;
  };

  template <bool Weighted, Real T>
  Main main_term(const ListView<T>& list, const contrastive::TwoSoftmaxes<T>& parts, double z, T* pulls) const {
    const contrastive::Part& positive = parts.positive;
    const double l = contrastive::softplus(z), inverse = 1 / temperature;
    if (positives == Positives::together) {
      const auto [value, slope] = contrastive::focal(l, contrastive::sigmoid(z), focal_gamma, detach_focal);
      return {value, slope};
    }
    Main sum{0, 0};
    std::size_t count = 0;
    const bool plain = focal_gamma == 0;
    for (std::size_t i = 0; i < (plain && !Weighted ? 0 : list.size()); ++i) {
      const T weight = list.weight(i);
      if (!(list.labels[i] > T(0)) || weight < std::numeric_limits<T>::min()) continue;
      ++count;
      const double w = static_cast<double>(weight), share = w / positive.mass;
      if (plain) {
        sum.value -= share * std::log(w);
        continue;
      }
      const double below = (positive.top - static_cast<double>(list.scores[i])) * inverse;
      const double l_i = l + (std::log(positive.exponentials / w) + below);
      const auto [value, slope] = contrastive::focal(l_i, -std::expm1(-l_i), focal_gamma, detach_focal);
      sum.value += share * value;
      sum.slope += share * slope;
      pulls[i] = static_cast<T>((1 - smoothing) * share * slope);
    }
    if (!plain) return {sum.value, sum.slope, count == 1};
    return {l + (sum.value + std::log(positive.exponentials) - positive.distances * inverse / positive.mass), 1,
            positive.distances == 0};
  }

  template <bool Weighted, Real T>
  Contribution<T> evaluate(const ListView<T>& list, const GradientSink<T>& out, Workspace& workspace) const {
    using namespace simd;
    const std::size_t n = list.size();
    const auto frame = workspace.frame();
    const double inverse = 1 / temperature;
    const bool each = positives == Positives::mean, smooth = smoothing > 0;
    const auto parts = contrastive::two_softmaxes<Weighted>(list, inverse, smooth || each, workspace);
    if (!parts.both()) return {};
    const contrastive::Part &positive = parts.positive, &negative = parts.negative;
    const double z = parts.gap(inverse), P = contrastive::sigmoid(-z), N = contrastive::sigmoid(z);
    T* const pulls = each && focal_gamma > 0 ? workspace.take<T>(n, T(0)) : nullptr;
    const Main main = main_term<Weighted>(list, parts, z, pulls);
    double value = (1 - smoothing) * main.value;
    const double W = positive.mass + negative.mass;
    if (smooth) {
      const double spread = -(positive.distances + negative.distances) * inverse - parts.weight_logs;
      value += smoothing / W * (positive.mass * (contrastive::softplus(z) + std::log(positive.exponentials)) +
                                negative.mass * (contrastive::softplus(-z) + std::log(negative.exponentials)) + spread);
    }

    // A positive c: B p_c - t_c = (-(1 - e) C N + e P) r_c + ((1 - e) C r_c - t_c) - e u_c with r = e / S+. The second term is
    // 0 where Main is even; left to rounding, it would drown a small first one.
    const double unit = static_cast<double>(out.scale) * inverse, own = (1 - smoothing) * main.slope, push = own + smoothing;
    const Pack<T> on_positive(static_cast<T>(unit * (smoothing * P - own * N) / positive.exponentials));
    const Pack<T> on_negative(static_cast<T>(unit * push * N / negative.exponentials));
    const Pack<T> spread(static_cast<T>(main.even ? 0 : unit * own / positive.exponentials));
    const Pack<T> pull(static_cast<T>(main.even ? 0 : pulls ? unit : unit * own / positive.mass));
    const Pack<T> level(static_cast<T>(smooth ? unit * smoothing / W : 0));
    const Pack<T> share_positive(static_cast<T>(P / positive.exponentials));
    const Pack<T> share_negative(static_cast<T>(N / negative.exponentials));
    const Pack<T> bend(static_cast<T>(unit * push * inverse)), zero(T(0)), one(T(1));
    const T *const labels = list.labels.data(), *const weights = list.weights.data(), *const kept = parts.exponentials;
    T *const grad = out.grad, *const hess = out.hess;
    for_each_pack<T>(n, [=](std::size_t i, auto at) RANKGRAD_INLINE {
      const Pack<T> e = at.load(kept + i, T(0));
      const auto relevant = at.load(labels + i, T(0)) > zero;
      Pack<T> w(one);
      if constexpr (Weighted) {
        w = at.load(weights + i, T(0));
        w = select(w >= Pack<T>(std::numeric_limits<T>::min()), w, zero);
      }
      const Pack<T> t = pull * (pulls ? at.load(pulls + i, T(0)) : w);
      const Pack<T> gradient = select(relevant, fma(on_positive, e, fma(spread, e, -t)), on_negative * e);
      at.store(grad + i, at.load(grad + i, T(0)) + fnma(level, w, gradient));
      if (hess) {
        const Pack<T> p = select(relevant, share_positive, share_negative) * e;
        at.store(hess + i, fma(bend, p * select(p > one, zero, one - p), at.load(hess + i, T(0))));
      }
    });
    return {static_cast<T>(value), true};
  }
};

/// Scores of sampled candidates as if all had been there: corrected_i = s_i - tau log Q_i, so that corrected / tau is
/// s / tau - log Q (sampled softmax). `log_q` may be known up to a constant. corrected may be scores.
template <Real T>
void correct_for_sampling(std::span<const T> scores, std::span<const T> log_q, double temperature, std::span<T> corrected) {
  RANKGRAD_EXPECTS(log_q.size() == scores.size() && corrected.size() == scores.size(),
                   "log_q, corrected and scores differ in size");
  const simd::Pack<T> tau(static_cast<T>(temperature));
  simd::for_each_pack<T>(scores.size(), [&](std::size_t i, auto at) RANKGRAD_INLINE {
    at.store(corrected.data() + i, simd::fnma(tau, at.load(log_q.data() + i, T(0)), at.load(scores.data() + i, T(0))));
  });
}

}  // namespace rankgrad
