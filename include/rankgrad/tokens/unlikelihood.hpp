// rankgrad/tokens/unlikelihood.hpp: tokens that a model should not have produced.
// SPDX-License-Identifier: MIT
//
// Read first: tokens/token_view.hpp, tokens/reduction.hpp.
#pragma once

#include <rankgrad/tokens/rows.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

namespace tokens {

/// log(1 - e^x) for x <= 0, to the last bits at both ends.
inline double log1mexp(double x) { return x > -0.6931471805599453 ? std::log(-std::expm1(x)) : std::log1p(-std::exp(x)); }

/// l = -log(1 - p_y) = softplus(-m).
struct Unlikelihood {
  double smallest;

  template <bool fresh, Real T>
  double row(const T* z, std::size_t vocabulary, std::size_t y, double c, T* grad, T* hess) const {
    const Row<T> row = read_row(z, vocabulary, y);
    const double push = c * row.probability;
    const RowDerivatives d{-push, 0, push, push * (1 + row.other), push, push * row.other};
    write_row<fresh>(z, vocabulary, y, row, d, grad, hess);
    return row.negative_log_of_other();
  }
  /// -log(1 - p), slope p / (1 - p), curvature p / (1 - p)^2; flat where 1 - p is below `smallest`.
  TokenTerm term(double log_probability) const {
    const double other = -std::expm1(log_probability), p = std::exp(log_probability);
    if (!(other >= smallest)) return {is_finite(log_probability) ? -std::log(smallest) : log_probability, 0, 0};
    return {-log1mexp(log_probability), p / other, p / (other * other)};
  }
};

/// l = sum_v q_v (-log(1 - p_v)), q_v = b for v != y, q_y = 1 - e + b, b = e / V.
///
/// Apart from the others stands k, the most probable token: its 1 - p is s(m), those of the others are at least 1/2. With
/// o_v = p_v / (1 - p_v) in [0, 1] for v != k, -log(1 - p_v) = log1p(o_v), r of tokens/rows.hpp, and O = sum_{v != k} q_v o_v:
///   dl/dz_v = q_v o_v - r_v p_k q_k - p_v O   (v != k),      dl/dz_k = p_k (q_k - O)
///   h_v     = q_v p_v (1 - p_v) + r_v p_k q_k + p_v O        h_k     = q_k p_k (1 - p_k) + p_k O
struct SmoothedUnlikelihood {
  double smoothing;

  template <bool fresh, Real T>
  double row(const T* z, std::size_t vocabulary, std::size_t y, double c, T* grad, T* hess) const {
    using namespace simd;
    const T highest_logit = highest(z, vocabulary);
    std::size_t k = 0;
    while (k + 1 < vocabulary && !(z[k] >= highest_logit)) ++k;
    const Row<T> row = read_row(z, vocabulary, k);
    const double b = smoothing / static_cast<double>(vocabulary), a = 1 - smoothing;
    const double p = row.probability, q = b + (y == k ? a : 0);
    const T top_value = row.others.top;
    const Pack<T> top(top_value), one(T(1)), r_of(static_cast<T>(row.inverse())), other(static_cast<T>(row.other));
    const ScaledExp<T> power(1);
    const auto r_at = [=](Pack<T> logit) RANKGRAD_INLINE { return r_of * power(logit - top); };

    BlockedSum<T> odds, logs;
    const auto add = [&](std::size_t first, std::size_t n) RANKGRAD_INLINE {
      for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
        const Pack<T> p_v = other * r_at(at.load(z + first + i, top_value)) * at.load_ones(), o = quotient<T>(p_v, one - p_v);
        odds.add(o, at);
        logs.add(log1p_unit<T>(o), at);
      });
    };
    add(0, k);
    add(k + 1, vocabulary - k - 1);
    double target_probability = p, target_odds = 0, target_log = 0;   // of y, where it is not k
    if (y != k) {
      target_probability = row.other * row.inverse() * std::exp(static_cast<double>(z[y]) - static_cast<double>(top_value));
      target_odds = target_probability / (1 - target_probability);
      target_log = std::log1p(target_odds);
    }
    const double O = b * odds.total() + a * target_odds;
    const double value = q * row.negative_log_of_other() + b * logs.total() + a * target_log;

    const Pack<T> share(static_cast<T>(c * b)), push(static_cast<T>(c * (p * q + row.other * O)));
    const auto write = [&](std::size_t first, std::size_t n) RANKGRAD_INLINE {
      const T* const from = z + first;
      T *const to = grad + first, *const bent = hess ? hess + first : nullptr;
      for_each_pack<T>(n, [=](std::size_t i, auto at) RANKGRAD_INLINE {
        const auto before = [&](const T* there) RANKGRAD_INLINE { return fresh ? Pack<T>(T(0)) : at.load(there + i, T(0)); };
        const Pack<T> r = r_at(at.load(from + i, top_value)), p_v = other * r, rest = one - p_v;
        at.store(to + i, fma(share, quotient<T>(p_v, rest), fnma(push, r, before(to))));
        if (bent) at.store(bent + i, fma(share, p_v * rest, fma(push, r, before(bent))));
      });
    };
    write(0, k);
    write(k + 1, vocabulary - k - 1);
    grad[k] = (fresh ? T(0) : grad[k]) + static_cast<T>(c * p * (q - O));
    if (hess) hess[k] = (fresh ? T(0) : hess[k]) + static_cast<T>(c * p * (q * row.other + O));
    if (y != k) {
      grad[y] += static_cast<T>(c * a * target_odds);
      if (hess) hess[y] += static_cast<T>(c * a * target_probability * (1 - target_probability));
    }
    return value;
  }
};

}  // namespace tokens

/// Unlikelihood of tokens: each target is one that should not have been produced.
///
///   l_t          = -log(1 - p_y)                              L = the l_t reduced (tokens/reduction.hpp), p = softmax(z_t)
///   dl_t/dz_tv   = p_y / (1 - p_y) (1[v = y] - p_v)           = p_y at v = y, -p_y r_v elsewhere, r = softmax without y
///   d2l_t/dz_tv2 = p_v (1 - p_v) - r_v (1 - r_v)              r_y = 0
///
/// With label_smoothing e: l_t = -sum_v q_v log(1 - p_v), q_v = (1 - e) 1[v = y] + e / V; derivatives with tokens::
/// SmoothedUnlikelihood. Of log-probabilities (LogProbabilityView), x = log p_t <= 0: l_t = -log(1 - e^x), slope
/// p / (1 - p), curvature p / (1 - p)^2.
///
/// Curvature   bound: the absolute value of the second derivative, which has either sign off the target; with smoothing a bound
///             of it, term by term. Of log-probabilities it is exact.
/// Shapes      logits [tokens, V], V >= 2; see tokens/token_view.hpp.
/// Units       nats; nats per unit of logit, at most 1 per token: a token that is nearly certain is not pushed more.
/// No signal   no token is present with a weight that is not 0.
/// Cost        as TokenCrossEntropy; with smoothing two exps, two divisions and a logarithm more per logit.
/// Numerics    -log(1 - p_y) is log sum_v e^{z_v} - log sum_{v != y} e^{z_v}: finite for logits whose differences are, where the
///             source has log(max(1 - p, 1e-20)), flat beyond. Log-probabilities cannot tell such tokens apart: there the floor
///             `smallest` is needed.
/// Parameters  label_smoothing e in [0, 1). smallest 1e-20 in (0, 1): what 1 - p is taken to be at least, where only log p is
///             known. reduction, normalizer as TokenCrossEntropy.
/// Source      Welleck et al., Neural text generation with unlikelihood training, ICLR 2020; with smoothing, and in a
///             plan-guided mixture of cross-entropy, likelihood under the right plan and unlikelihood under a corrupted one,
///               TokenCrossEntropy on reference + like * TokenCrossEntropy with the right plan + unlike * Unlikelihood, weights 1
///             (three views, one loss each): Adams et al., ACL 2023, arXiv 2305.17779.
struct Unlikelihood {
  static constexpr std::string_view name = "unlikelihood";
  static constexpr Curvature curvature = Curvature::bound;
  template <Real T>
  using View = TokenView<T>;

  double label_smoothing = 0;
  double smallest = 1e-20;
  SequenceReduction reduction = SequenceReduction::token_mean;
  TokenNormalizer normalizer = TokenNormalizer::weight_sum;

  Status check() const {
    if (!is_finite(label_smoothing) || label_smoothing < 0 || label_smoothing >= 1)
      return Status::error("rankgrad: Unlikelihood.label_smoothing is %g; it must be at least 0 and below 1", label_smoothing);
    if (is_finite(smallest) && smallest > 0 && smallest < 1) return {};
    return Status::error("rankgrad: Unlikelihood.smallest is %g; it must be above 0 and below 1", smallest);
  }
  template <class View>
  Status check_input(const View& view) const {
    if constexpr (requires { view.log_probabilities; }) {
      if (label_smoothing > 0)
        return Status::error("rankgrad: label smoothing needs the logits of all tokens, not log-probabilities of the targets");
    } else if (view.size() > 0 && view.vocabulary < 2) {
      return Status::error("rankgrad: unlikelihood needs a vocabulary of two tokens or more, not %zu", view.vocabulary);
    }
    return {};
  }

  template <Real T>
  Contribution<T> value_and_gradient(TokenView<T> view, GradientSink<T> out, Workspace& workspace) const {
    return evaluate<false>(view, out, workspace);
  }
  template <Real T>
  Contribution<T> overwrite(TokenView<T> view, GradientSink<T> out, Workspace& workspace) const {
    return evaluate<true>(view, out, workspace);
  }
  template <Real T>
  Contribution<T> value_and_gradient(LogProbabilityView<T> view, GradientSink<T> out, Workspace& workspace) const {
    return tokens::reduced_over_tokens(tokens::Unlikelihood{smallest}, reduction, normalizer, view, out, workspace);
  }

 private:
  template <bool fresh, Real T>
  Contribution<T> evaluate(const TokenView<T>& view, const GradientSink<T>& out, Workspace& workspace) const {
    if (label_smoothing > 0)
      return tokens::reduced_over_tokens<fresh>(tokens::SmoothedUnlikelihood{label_smoothing}, reduction, normalizer, view, out,
                                                workspace);
    return tokens::reduced_over_tokens<fresh>(tokens::Unlikelihood{smallest}, reduction, normalizer, view, out, workspace);
  }
};

}  // namespace rankgrad
