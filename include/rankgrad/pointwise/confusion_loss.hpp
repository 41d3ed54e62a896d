// rankgrad/pointwise/confusion_loss.hpp: accuracy, F-measure, MCC and their kin as losses, through a confusion matrix that can
// be differentiated.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/combinators.hpp>
#include <rankgrad/simd/math.hpp>
#include <rankgrad/simd/rows.hpp>

#include <cmath>
#include <limits>

namespace rankgrad::inline RANKGRAD_ABI {

/// What is made of a confusion matrix.
enum class ConfusionMetric {
  accuracy,           ///< (TP + TN) / n
  f_beta,             ///< (1 + beta^2) TP / ((1 + beta^2) TP + beta^2 FN + FP)
  balanced_accuracy,  ///< (TP / P + TN / N) / 2; the existing class alone where the other has no item
  g_mean,             ///< sqrt(TP TN / (P N) + 1e-12)
  precision,          ///< TP / (TP + FP)
  recall,             ///< TP / P
  jaccard,            ///< TP / (P + FP)
  mcc                 ///< (TP TN - FP FN) / sqrt(P N (TP + FP) (TN + FN)), the correlation
};

/// True and false positives and negatives, weighted and soft. Those of the parts of a batch are added up.
struct SoftConfusion {
  double tp = 0, fn = 0, fp = 0, tn = 0;

  double positives() const { return tp + fn; }
  double negatives() const { return fp + tn; }
  void merge(const SoftConfusion& other) {
    tp += other.tp;
    fn += other.fn;
    fp += other.fp;
    tn += other.tn;
  }
};

/// Confusion loss: one minus a metric of the confusion matrix, whose step at p = 1/2 is a steep sigmoid.
///
///   L(s, y)   = 1 - M(TP, FN, FP, TN),   p_i = s(s_i),   h_i = s(a (p_i - 1/2)),   s(x) = 1 / (1 + e^-x)
///   TP = sum_{y_i > 0} w_i h_i,   FN = sum_{y_i > 0} w_i (1 - h_i),   FP, TN likewise for y_i <= 0
///   dL/ds_i   = w_i g_i a h_i (1 - h_i) p_i (1 - p_i),   g_i = dL/dTP for positives, dL/dFP for negatives, P and N fixed:
///               accuracy            -1 / n                                        1 / n
///               f_beta              -(1 + b^2) (D - TP) / D^2                     (1 + b^2) TP / D^2     D = b^2 P + TP + FP
///               balanced_accuracy   -1 / 2P                                       1 / 2N
///               g_mean              -(TN / PN) / 2M                               (TP / PN) / 2M
///               precision           -FP / R^2                                     TP / R^2               R = TP + FP
///               recall              -1 / P                                        0
///               jaccard             -1 / (P + FP)                                 TP / (P + FP)^2
///               mcc                 -N / d + M u                                  P / d + M u
///                                   d = sqrt(P N R (n - R)),   u = (1 / R - 1 / (n - R)) / 2
///   curvature = w_i |g_i| h_i (1 - h_i) (x'^2 + |x''|) + w_i^2 |d2L/dTP2 or d2L/dFP2| h_i'^2,   x = a (p - 1/2)
///
/// Curvature   bound of |d2L/ds_i2|.
/// Shapes      scores, labels [n], positive where label > 0; weights [n] or empty, multiply the counts.
/// No signal   an empty list or no weight; no positive (all but accuracy and balanced_accuracy); no negative (g_mean, mcc):
///             the metric is undefined or does not depend on the scores. (The metric F itself is 0 without positives.)
/// Cost        O(n), two exps per item, n scratch (2 n with curvature).
/// Numerics    p - 1/2 and 1 - h come from sigmoids of both signs, 1 - M from the small counts: no cancellation but in mcc.
///             Nearly nothing called positive is no trouble: dL/dTP, huge, meets an h' as small, and of the second derivatives,
///             which no number may hold, the square roots are kept. Where nothing at all is called positive (or, mcc, negative)
///             precision and mcc are 0 / 0: loss 1, gradient 0.
/// Vanishing   with a = 73, h (1 - h) is below 1e-3 from |p - 1/2| = 0.095 on: only items near the threshold learn. Begin with
///             a smaller amplification and let it grow.
/// Parameters  metric. beta > 0 of f_beta. amplification a > 0, 73 in the source. probabilities: the scores are p itself, in
///             [0, 1]; p (1 - p) is then no factor. scope: list, or batch to pool the lists. compat: the g_mean gradient of
///             the source's hand-written code, 4 times the derivative.
/// Micro-batches  the loss is not a sum over parts of a batch, its counts are:
///               SoftConfusion all;  for each part: all.merge(loss.count(part));
///               loss.value(all);    for each part: loss.add_gradient(part, all, sink);
/// Source      Han, Moniz, Chawla, AnyLoss: transforming classification metrics into loss functions, KDD 2024 (arXiv
///             2405.14745); n is the number of items at hand (its TensorFlow code takes that of the training set, beside sums
///             over the batch). precision, recall, jaccard and mcc are the same construction.
struct ConfusionLoss {
  static constexpr std::string_view name = "confusion_loss";
  static constexpr Curvature curvature = Curvature::bound;

  ConfusionMetric metric = ConfusionMetric::f_beta;
  double beta = 1;
  double amplification = 73;
  bool probabilities = false;
  Scope scope = Scope::list;
  bool compat = false;

  Status check() const {
    if (Status status = check_parameter("ConfusionLoss.beta", beta, 0); !status) return status;
    return check_parameter("ConfusionLoss.amplification", amplification, 0);
  }

  template <Real T>
  SoftConfusion count(const ListView<T>& list) const { return count<T>(list, nullptr, nullptr); }

  /// Invalid where the list has no signal.
  Contribution<double> value(const SoftConfusion& c) const {
    const Derivatives d = derivatives(c);
    return {d.value, d.valid};
  }

  /// Adds the derivatives of the items of `part`, when the counts of the whole batch are `all`.
  template <Real T>
  void add_gradient(const ListView<T>& part, const SoftConfusion& all, const GradientSink<T>& out, Workspace& workspace) const {
    const auto frame = workspace.frame();
    T *slopes = workspace.take<T>(part.size()), *bends = out.hess ? workspace.take<T>(part.size()) : nullptr;
    count(part, slopes, bends);
    add(part, derivatives(all), slopes, bends, out);
  }

  template <Real T>
  Contribution<T> value_and_gradient(ListView<T> list, GradientSink<T> out, Workspace& workspace) const {
    const auto frame = workspace.frame();
    T *slopes = workspace.take<T>(list.size()), *bends = out.hess ? workspace.take<T>(list.size()) : nullptr;
    const Derivatives d = derivatives(count(list, slopes, bends));
    if (!d.valid) return {};
    add(list, d, slopes, bends, out);
    return {T(d.value), true};
  }

 private:
  /// Of the loss in TP with P fixed (by_tp) and in FP with N fixed (by_fp), and the roots of the magnitudes of the second ones.
  struct Derivatives {
    double value = 0, by_tp = 0, by_fp = 0, root_tp = 0, root_fp = 0;
    bool valid = false;
  };
  /// A count below this is no count: 1 / count would overflow.
  static constexpr double tiny = std::numeric_limits<double>::min();

  /// As wide as T is: what overflows there meets counts that T holds as denormals, if at all.
  template <Real T>
  static simd::Pack<T> narrowed(double x) {
    constexpr double top = static_cast<double>(std::numeric_limits<T>::max());
    return simd::Pack<T>(static_cast<T>(x > top ? top : x < -top ? -top : x));
  }

  /// h' and h (1 - h) (x'^2 + |x''|) of every item go to slopes and bends where those are given.
  template <Real T>
  SoftConfusion count(const ListView<T>& list, T* slopes, T* bends) const {
    using namespace simd;
    const std::size_t n = checked_size(list);
    const Pack<T> zero(T(0)), half(T(0.5)), steep = Pack<T>(T(amplification));
    const bool weighted = !list.weights.empty();
    BlockedSum<T> tp, fn, fp, tn;
    for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
      const Pack<T> score = at.load(&list.scores[i], list.scores[i]);
      const Pack<T> w = weighted ? at.load(&list.weights[i], T(0)) : at.load_ones();
      const auto positive = at.load(&list.labels[i], T(0)) > zero;
      Pack<T> off = score - half, dx = steep, bend = zero;   // p - 1/2, x', |x''|
      if (!probabilities) {
        const auto p = softplus_sigmoid<T>(score);
        const Pack<T> difference = p.sigmoid - p.other;
        off = half * difference;
        dx = steep * (p.sigmoid * p.other);
        bend = abs(dx * difference);
      }
      const auto h = softplus_sigmoid<T>(steep * off);
      const Pack<T> yes = w * h.sigmoid, no = w * h.other, spread = h.sigmoid * h.other;
      tp.add(select(positive, yes, zero), at);
      fn.add(select(positive, no, zero), at);
      fp.add(select(positive, zero, yes), at);
      tn.add(select(positive, zero, no), at);
      if (slopes) at.store(slopes + i, spread * dx);
      if (bends) at.store(bends + i, spread * fma(dx, dx, bend));
    });
    return {tp.total(), fn.total(), fp.total(), tn.total()};
  }

  template <Real T>
  void add(const ListView<T>& list, const Derivatives& d, const T* slopes, const T* bends, const GradientSink<T>& out) const {
    using namespace simd;
    if (!d.valid) return;
    const Pack<T> scale(out.scale), by_tp = narrowed<T>(d.by_tp), by_fp = narrowed<T>(d.by_fp), root_tp = narrowed<T>(d.root_tp),
        root_fp = narrowed<T>(d.root_fp), zero(T(0));
    const bool weighted = !list.weights.empty();
    T *const grad = out.grad, *const hess = out.hess;
    for_each_pack<T>(list.size(), [&](std::size_t i, auto at) RANKGRAD_INLINE {
      const Pack<T> w = weighted ? at.load(&list.weights[i], T(0)) : at.load_ones();
      const auto positive = at.load(&list.labels[i], T(0)) > zero;
      const Pack<T> by = select(positive, by_tp, by_fp), moved = w * at.load(slopes + i, T(0));   // the small ones first
      at.accumulate(grad + i, scale * (by * moved));
      if (!hess) return;
      const Pack<T> root = moved * select(positive, root_tp, root_fp);
      at.accumulate(hess + i, scale * fma(abs(by), w * at.load(bends + i, T(0)), root * root));
    });
  }

  Derivatives derivatives(const SoftConfusion& c) const {
    constexpr double floor = 1e-12;   // under the root of g_mean, whose slope is infinite at 0
    const double P = c.positives(), N = c.negatives(), n = P + N, R = c.tp + c.fp, C = c.fn + c.tn;
    if (!is_finite(n)) return {n, n, n, n, n, true};   // a NaN score shows, whatever class it is of
    if (n <= 0) return {};
    if (P <= 0 && metric != ConfusionMetric::accuracy && metric != ConfusionMetric::balanced_accuracy) return {};
    if (N <= 0 && (metric == ConfusionMetric::g_mean || metric == ConfusionMetric::mcc)) return {};
    switch (metric) {
      case ConfusionMetric::accuracy: return {(c.fn + c.fp) / n, -1 / n, 1 / n, 0, 0, true};
      case ConfusionMetric::balanced_accuracy: {
        if (P <= 0) return {c.fp / N, 0, 1 / N, 0, 0, true};
        if (N <= 0) return {c.fn / P, -1 / P, 0, 0, 0, true};
        return {0.5 * (c.fn / P + c.fp / N), -0.5 / P, 0.5 / N, 0, 0, true};
      }
      case ConfusionMetric::f_beta: {
        const double b2 = beta * beta;
        return ratio(b2, b2 * c.fn + c.fp, c.tp, b2 * P + R);
      }
      case ConfusionMetric::precision: return ratio(0, c.fp, c.tp, R);
      case ConfusionMetric::recall: return {c.fn / P, -1 / P, 0, 0, 0, true};
      case ConfusionMetric::jaccard: {
        const double D = P + c.fp;
        return {(c.fn + c.fp) / D, -1 / D, c.tp / D / D, 0, std::sqrt(2 * c.tp / D) / D, true};
      }
      case ConfusionMetric::g_mean: {
        const double a = c.tn / N / P, b = c.tp / P / N, M = std::sqrt(c.tp / P * (c.tn / N) + floor);
        const double missed = c.fn / P, alarms = c.fp / N, off = missed + alarms - missed * alarms - floor, k = compat ? 4 : 1;
        const double slope = 0.5 / M, root = slope / std::sqrt(M);
        return {off / (1 + M), -k * a * slope, k * b * slope, a * root, b * root, true};
      }
      default: {
        const double m = std::min(R, C), p = std::sqrt(P), q = std::sqrt(N), r = std::sqrt(R), s = std::sqrt(C);
        if (m < tiny) return {1, 0, 0, 0, 0, true};
        const double M = (c.tp / P * (c.tn / N) - c.fp / N * (c.fn / P)) * (p / r) * (q / s);
        const double N_d = q / p / r / s, P_d = p / q / r / s;
        const double u = 0.5 * (m / R - m / C), du = -0.5 * ((m / R) * (m / R) + (m / C) * (m / C));   // times m and m^2
        const double by_tp = N_d - M / m * u, by_fp = -P_d - M / m * u, root = std::sqrt(m);
        return {1 - M, -by_tp, -by_fp, std::sqrt(std::abs(N_d * u + by_tp * u + M / m * du)) / root,
                std::sqrt(std::abs(P_d * u - by_fp * u - M / m * du)) / root, true};
      }
    }
  }

  /// 1 - (1 + b^2) TP / D = rest / D, where D grows by one with TP and with FP.
  static Derivatives ratio(double b2, double rest, double tp, double D) {
    if (D < tiny) return {1, 0, 0, 0, 0, true};
    const double missing = (1 + b2) * ((rest + b2 * tp) / D), share = (1 + b2) * (tp / D);
    return {rest / D, -missing / D, share / D, std::sqrt(2 * missing) / D, std::sqrt(2 * share) / D, true};
  }
};

}  // namespace rankgrad
