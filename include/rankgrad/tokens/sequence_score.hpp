// rankgrad/tokens/sequence_score.hpp: how likely a model finds whole sequences, as scores that a ranking loss can train.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/tokens/log_probabilities.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// The length-normalised score of each sequence S, |S| = sum_t w_t over its tokens.
///
///   f(S)        = scale sum_t w_t log p_t / (|S| + adding)^alpha           mode log_probability
///               = scale sum_t w_t p_t / (|S| + adding)^alpha               mode probability
///   df/dlog p_t = scale w_t / (|S| + adding)^alpha                         (times p_t in mode probability)
///   df/dz_tv    = df/dlog p_t (1[v = y_t] - p_tv)
///
/// scores() goes from tokens to one score per sequence, backward() from the gradient of a loss of these scores to that of the
/// log-probabilities or of the logits:
///
///   score.scores(view, scores, workspace);
///   value_and_gradient(loss, ListView<T>{.scores = scores, .labels = quality}, score_gradient, workspace);
///   score.backward(view, score_gradient, gradient, workspace);
///
/// Shapes      TokenView or LogProbabilityView with the candidates as sequences; scores [sequences]. Sequence weights are not
///             looked at: they belong to the loss of the scores.
/// Empty       a sequence of length 0 scores 0 and gets no gradient; a ranking loss should have it masked.
/// Parameters  alpha >= 0 (1: mean over tokens; BRIO: 2 for CNN/DM and NYT, 0.6 for XSum), adding >= 0 (0), scale (1; BRIO: 0.01
///             for XSum and SAMSum).
/// Source      BRIO, Liu et al., ACL 2022, arXiv 2203.16804; adding and mode from its released code; alpha = 1: the
///             title scores of AdMIRaL, arXiv 2212.05276. Begin-of-sequence and padding tokens belong into the mask.
struct SequenceScore {
  enum class Mode { log_probability, probability };

  double alpha = 1;
  double adding = 0;
  double scale = 1;
  Mode mode = Mode::log_probability;

  Status check() const {
    if (Status status = check_parameter("SequenceScore.alpha", alpha, 0, true); !status) return status;
    if (Status status = check_parameter("SequenceScore.adding", adding, 0, true); !status) return status;
    if (is_finite(scale)) return {};
    return Status::error("rankgrad: SequenceScore.scale is %g; it must be finite", scale);
  }

  /// Overwrites `scores` [sequences].
  template <Real T>
  void scores(const LogProbabilityView<T>& view, std::type_identity_t<std::span<T>> scores, Workspace&) const {
    require(check());
    require(validate(view));
    RANKGRAD_EXPECTS(scores.size() == tokens::sequences(view), "scores and sequences differ in number");
    for (std::size_t q = 0; q < scores.size(); ++q) {
      double sum = 0;
      for_each_token(view, q, [&](std::size_t t, double w) {
        const double x = static_cast<double>(view.log_probabilities[t]);
        sum += w * (mode == Mode::probability ? std::exp(x) : x);
      });
      scores[q] = static_cast<T>(factor(view, q) * sum);
    }
  }
  /// Overwrites `gradient` [tokens], that of the log-probabilities.
  template <Real T>
  void backward(const LogProbabilityView<T>& view, std::type_identity_t<std::span<const T>> score_gradient,
                std::type_identity_t<std::span<T>> gradient, Workspace&) const {
    require(check());
    require(validate(view));
    RANKGRAD_EXPECTS(score_gradient.size() == tokens::sequences(view), "score_gradient and sequences differ in number");
    RANKGRAD_EXPECTS(gradient.size() == view.size(), "gradient and log_probabilities differ in size");
    simd::clear(gradient.data(), gradient.size());
    for (std::size_t q = 0; q < score_gradient.size(); ++q) {
      const double g = factor(view, q) * static_cast<double>(score_gradient[q]);
      for_each_token(view, q, [&](std::size_t t, double w) {
        const double p = mode == Mode::probability ? std::exp(static_cast<double>(view.log_probabilities[t])) : 1;
        gradient[t] = static_cast<T>(g * w * p);
      });
    }
  }

  template <Real T>
  void scores(const TokenView<T>& view, std::type_identity_t<std::span<T>> scores_out, Workspace& workspace) const {
    const auto frame = workspace.frame();
    const Inner<T> inner(view, workspace);
    scores(inner.view, scores_out, workspace);
  }
  /// Overwrites `gradient` [tokens, V], that of the logits; it may be their array.
  template <Real T>
  void backward(const TokenView<T>& view, std::type_identity_t<std::span<const T>> score_gradient,
                std::type_identity_t<std::span<T>> gradient, Workspace& workspace) const {
    const auto frame = workspace.frame();
    const std::size_t n = view.size();
    const std::span<T> slopes{workspace.take<T>(n), n};
    if (mode == Mode::probability) {
      const Inner<T> inner(view, workspace);
      backward(inner.view, score_gradient, slopes, workspace);
    } else {   // slopes do not depend on the probabilities
      require(validate(view));
      LogProbabilityView<T> shape = Inner<T>::shape_of(view, workspace);
      shape.log_probabilities = slopes;
      backward(shape, score_gradient, slopes, workspace);
    }
    backward_log_probabilities(view, slopes, gradient, workspace);
  }

 private:
  /// The log-probabilities of a TokenView, in the workspace.
  template <Real T>
  struct Inner {
    LogProbabilityView<T> view;
    Inner(const TokenView<T>& tokens, Workspace& workspace) {
      const std::size_t n = tokens.size();
      const std::span<T> logs{workspace.take<T>(n), n};
      token_log_probabilities(tokens, logs, workspace);
      view = shape_of(tokens, workspace);
      view.log_probabilities = logs;
    }
    static LogProbabilityView<T> shape_of(const TokenView<T>& tokens, Workspace& workspace) {
      std::uint8_t* const mask = workspace.take<std::uint8_t>(tokens.size());
      for (std::size_t t = 0; t < tokens.size(); ++t) mask[t] = tokens.present(t);
      LogProbabilityView<T> shape;
      shape.offsets = tokens.offsets;
      shape.weights = tokens.weights;
      shape.mask = {mask, tokens.size()};
      return shape;
    }
  };

  template <class View, class Body>
  static void for_each_token(const View& view, std::size_t q, const Body& body) {
    for (std::size_t t = tokens::first_token(view, q); t < tokens::first_token(view, q + 1); ++t)
      if (const double w = tokens::token_weight(view, t); w > 0) body(t, w);
  }
  /// scale / (|S| + adding)^alpha.
  template <class View>
  double factor(const View& view, std::size_t q) const {
    const double length = tokens::normalizer(view, q, TokenNormalizer::weight_sum);
    return length > 0 ? scale / std::pow(length + adding, alpha) : 0;
  }
};

/// The joint score of a path over hops, each the score of a title and of the sentence read there:
///   S_path = sum_h ( S(title_h) + r(sentence_h) )
/// titles, sentences [hops], path p the hops offsets[p] .. offsets[p + 1] - 1; sentences empty: titles alone. The gradient of
/// every hop is that of its path. Overwrites `scores` [paths].
///
/// Source      AdMIRaL, arXiv 2212.05276; reconstructed from the abstract and the literature; not checked against the source.
template <Real T>
void path_scores(std::span<const T> titles, std::type_identity_t<std::span<const T>> sentences,
                 std::span<const std::uint32_t> offsets, std::type_identity_t<std::span<T>> scores) {
  LogProbabilityView<T> hops;
  hops.log_probabilities = titles;
  hops.offsets = offsets;
  require(validate(hops));
  require(detail::check_optional_length("sentences", sentences.size(), titles.size()));
  RANKGRAD_EXPECTS(scores.size() == tokens::sequences(hops), "scores and paths differ in number");
  for (std::size_t p = 0; p < scores.size(); ++p) {
    double sum = 0;
    for (std::size_t h = tokens::first_token(hops, p); h < tokens::first_token(hops, p + 1); ++h)
      sum += static_cast<double>(titles[h]) + (sentences.empty() ? 0 : static_cast<double>(sentences[h]));
    scores[p] = static_cast<T>(sum);
  }
}

}  // namespace rankgrad
