// rankgrad/tokens/pairwise_listwise.hpp: a generative reranker asked for pairs and for lists at once.
// SPDX-License-Identifier: MIT
//
// Read first: tokens/cross_entropy.hpp.
#pragma once

#include <rankgrad/tokens/cross_entropy.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// The cross-entropies of three conversations about a query: "yes" for its positive, "no" for its hardest negative, and the
/// index of the positive in a shuffled list.
///
///   L   = (1 / B) sum_b ( w_yes CE(yes | q, d+) + w_no CE(no | q, d-) + w_index CE(index | q, list) )      CE: mean over tokens
///   compat: L = the mean of -w log p over all tokens of the batch at once, which makes the effective weights proportional to
///           how many tokens the answers have
///   dCE/dz_tv, curvature, numerics: TokenCrossEntropy
///
/// Curvature   exact diagonal, >= 0.
/// Shapes      TokenView of 3 B sequences, in the order yes, no, index of query 0, then of query 1, ...; sequence_weights, where
///             given, multiply and are part of the mean over b as in SequenceReduction::sequence_mean (take the same for the three
///             conversations of a query). A conversation without a present token adds 0 and the others stay as they are.
/// No signal   no token is present, or all weights are 0.
/// Parameters  yes, no, index: weights >= 0, 1 each. compat: one mean over tokens.
/// Source      UniME-V2, arXiv 2510.13515: the sum of the three; its released code takes the one mean of compat.
struct PairwiseListwiseCrossEntropy {
  static constexpr std::string_view name = "pairwise_listwise_cross_entropy";
  static constexpr Curvature curvature = Curvature::diagonal;
  template <Real T>
  using View = TokenView<T>;

  double yes = 1;
  double no = 1;
  double index = 1;
  bool compat = false;

  Status check() const {
    if (Status status = check_parameter("PairwiseListwiseCrossEntropy.yes", yes, 0, true); !status) return status;
    if (Status status = check_parameter("PairwiseListwiseCrossEntropy.no", no, 0, true); !status) return status;
    return check_parameter("PairwiseListwiseCrossEntropy.index", index, 0, true);
  }
  template <class View>
  Status check_input(const View& view) const {
    if (view.size() == 0 || (view.offsets.size() >= 1 && (view.offsets.size() - 1) % 3 == 0)) return {};
    return Status::error("rankgrad: there are %zu sequences; a query has three (yes, no, index)", tokens::sequences(view));
  }

  template <Real T>
  Contribution<T> value_and_gradient(TokenView<T> view, GradientSink<T> out, Workspace& workspace) const {
    return evaluate<false>(view, out, workspace);
  }
  template <Real T>
  Contribution<T> overwrite(TokenView<T> view, GradientSink<T> out, Workspace& workspace) const {
    return evaluate<true>(view, out, workspace);
  }

 private:
  template <bool fresh, Real T>
  Contribution<T> evaluate(const TokenView<T>& view, const GradientSink<T>& out, Workspace& workspace) const {
    const auto frame = workspace.frame();
    double* const coefficient = workspace.take<double>(checked_size(view));
    const double weight[3] = {yes, no, index};
    double queries = 0, tokens_present = 0;
    for (std::size_t q = 0; q < tokens::sequences(view); ++q) {
      tokens_present += tokens::normalizer(view, q, TokenNormalizer::weight_sum);
      queries += tokens::sequence_weight(view, q) / 3;
    }
    bool valid = false;
    for (std::size_t q = 0; q < tokens::sequences(view); ++q) {
      const double own = tokens::normalizer(view, q, TokenNormalizer::weight_sum);
      const double u = tokens::sequence_weight(view, q) * weight[q % 3];
      const double divisor = compat ? tokens_present : own * queries, factor = u > 0 && divisor > 0 ? u / divisor : 0;
      valid |= factor > 0 && own > 0;
      for (std::size_t t = tokens::first_token(view, q); t < tokens::first_token(view, q + 1); ++t)
        coefficient[t] = factor * tokens::token_weight(view, t);
    }
    if (!valid) {
      if (fresh) simd::clear(out.grad, out.hess, view.logits.size());
      return {};
    }
    return {static_cast<T>(tokens::sum_over_tokens<fresh>(tokens::CrossEntropy{}, view, coefficient, out, workspace)), true};
  }
};

}  // namespace rankgrad
