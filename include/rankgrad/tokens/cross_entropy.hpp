// rankgrad/tokens/cross_entropy.hpp: the negative log-likelihood of target tokens.
// SPDX-License-Identifier: MIT
//
// Read first: tokens/token_view.hpp, tokens/reduction.hpp.
#pragma once

#include <rankgrad/tokens/rows.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// Where the mass e of label smoothing goes: e / V to every token, the target among them, or e / (V - 1) to every other one.
enum class LabelSmoothing { all_tokens, other_tokens };

namespace tokens {

/// l = sum_v q_v (log sum_u e^{z_u} - z_v), q_v = b for v != y.
struct CrossEntropy {
  double smoothing = 0;
  LabelSmoothing kind = LabelSmoothing::all_tokens;

  struct Targets {
    double target, rest;   ///< q_y and b
  };
  Targets targets(std::size_t vocabulary) const {
    const double V = static_cast<double>(vocabulary);
    if (kind == LabelSmoothing::all_tokens) return {1 - smoothing + smoothing / V, smoothing / V};
    return {1 - smoothing, smoothing / (V - 1)};
  }

  template <bool fresh, Real T>
  double row(const T* z, std::size_t vocabulary, std::size_t y, double c, T* grad, T* hess) const {
    if (vocabulary == 1) {   // certain
      if (fresh) simd::clear(grad, hess, 1);
      return 0;
    }
    const auto [q, b] = targets(vocabulary);
    const Row<T> row = b > 0 ? read_row<true>(z, vocabulary, y) : read_row<false>(z, vocabulary, y);
    double value = q * row.negative_log();
    if (b > 0) value += b * (static_cast<double>(vocabulary - 1) * row.log_sum_above_top() + row.others.below);
    const double share = c * row.other;
    const RowDerivatives d{share, c * b, share, share * row.other, c * (1 - q) - share, share * row.probability};
    write_row<fresh>(z, vocabulary, y, row, d, grad, hess);
    return value;
  }
  TokenTerm term(double log_probability) const { return {-log_probability, -1, 0}; }
};

}  // namespace tokens

/// Cross-entropy of target tokens: the training objective of a language model, of a generative reranker among them.
///
///   l_t          = sum_v q_v ( log sum_u e^{z_tu} - z_tv )            L = the l_t reduced (tokens/reduction.hpp)
///   dl_t/dz_tv   = p_v - q_v                                          p = softmax(z_t)
///   d2l_t/dz_tv2 = p_v (1 - p_v)
///   q_v          = (1 - e) 1[v = y] + e / V                           LabelSmoothing::all_tokens
///                = (1 - e) 1[v = y] + e / (V - 1) 1[v != y]           LabelSmoothing::other_tokens
///
/// Of log-probabilities (LogProbabilityView): l_t = -log p_t, slope -1, curvature 0.
///
/// Curvature   exact diagonal, >= 0.
/// Shapes      logits [tokens, V]; see tokens/token_view.hpp.
/// Units       nats; nats per unit of logit.
/// No signal   no token is present with a weight that is not 0. A vocabulary of one token adds 0.
/// Cost        two exps per logit, the logits read twice, the gradient written once; scratch O(tokens), none per logit.
///             overwrite() writes over the gradient; this may be the array of the logits, which then costs no second one.
///             Tokens are independent: all workers of a TokenEvaluator, to the same bits.
/// Numerics    finite for logits whose differences are. A logit of -inf forbids its token (then without smoothing).
/// Parameters  label_smoothing e in [0, 1). reduction, normalizer: mean over all tokens by weight.
/// Source      Vaswani et al., NIPS 2017, for smoothed language models; smoothing over all tokens: Szegedy et al., CVPR 2016,
///             and the likelihood part of BRIO (arXiv 2203.16804, e = 0.1); plain, as the objective of listwise rerankers,
///             FIRST (arXiv 2406.15657) and CoRNStack (arXiv 2412.01007). With the weights of rank_importance() and
///             TokenNormalizer::count it is the importance-aware objective of arXiv 2412.14574.
struct TokenCrossEntropy {
  static constexpr std::string_view name = "token_cross_entropy";
  static constexpr Curvature curvature = Curvature::diagonal;
  template <Real T>
  using View = TokenView<T>;

  double label_smoothing = 0;
  LabelSmoothing smoothing = LabelSmoothing::all_tokens;
  SequenceReduction reduction = SequenceReduction::token_mean;
  TokenNormalizer normalizer = TokenNormalizer::weight_sum;

  tokens::CrossEntropy rule() const { return {label_smoothing, smoothing}; }
  Status check() const {
    if (is_finite(label_smoothing) && label_smoothing >= 0 && label_smoothing < 1) return {};
    return Status::error("rankgrad: TokenCrossEntropy.label_smoothing is %g; it must be at least 0 and below 1", label_smoothing);
  }
  template <class View>
  Status check_input(const View&) const {
    if constexpr (requires(View v) { v.log_probabilities; })
      if (label_smoothing > 0)
        return Status::error("rankgrad: label smoothing needs the logits of all tokens, not log-probabilities of the targets");
    return {};
  }

  template <Real T>
  Contribution<T> value_and_gradient(TokenView<T> view, GradientSink<T> out, Workspace& workspace) const {
    return tokens::reduced_over_tokens<false>(rule(), reduction, normalizer, view, out, workspace);
  }
  template <Real T>
  Contribution<T> overwrite(TokenView<T> view, GradientSink<T> out, Workspace& workspace) const {
    return tokens::reduced_over_tokens<true>(rule(), reduction, normalizer, view, out, workspace);
  }
  template <Real T>
  Contribution<T> value_and_gradient(LogProbabilityView<T> view, GradientSink<T> out, Workspace& workspace) const {
    return tokens::reduced_over_tokens(rule(), reduction, normalizer, view, out, workspace);
  }
};

}  // namespace rankgrad
