// rankgrad/tokens/reduction.hpp: how the losses of tokens become one number.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/tokens/token_view.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// Over the tokens that are present, with token weights w_t, sequence weights u_q and N_q below:
///   token_mean     sum_q u_q sum_t w_t l_t / sum_q u_q N_q                  every token counts alike
///   sequence_mean  sum_q u_q (sum_t w_t l_t / N_q) / sum_q u_q              every sequence counts alike
///   sum            sum_q u_q sum_t w_t l_t
enum class SequenceReduction { token_mean, sequence_mean, sum };

/// What N_q is: the sum of the weights of the tokens of a sequence (a weight of 2 is then the same as the token twice), or the
/// number of those whose weight is not 0 (weights then change the size of the loss; token_mean leaves the u_q out of its
/// divisor, too).
enum class TokenNormalizer { weight_sum, count };

namespace tokens {

/// N_q; 0 where the sequence has nothing to predict.
template <class View>
double normalizer(const View& view, std::size_t q, TokenNormalizer kind) {
  double sum = 0;
  for (std::size_t t = first_token(view, q); t < first_token(view, q + 1); ++t) {
    const double w = token_weight(view, t);
    sum += kind == TokenNormalizer::count ? static_cast<double>(w > 0) : w;
  }
  return sum;
}

/// coefficients[t] = what l_t is multiplied by, 0 where the token is absent. False where all are 0: no signal.
template <class View>
bool coefficients(const View& view, SequenceReduction reduction, TokenNormalizer kind, double* coefficient) {
  double divisor = 0;
  const std::size_t count = sequences(view);
  for (std::size_t q = 0; q < count; ++q) {
    const double u = sequence_weight(view, q), own = u > 0 ? normalizer(view, q, kind) : 0;
    if (own > 0) divisor += reduction == SequenceReduction::sequence_mean ? u : kind == TokenNormalizer::count ? own : u * own;
  }
  for (std::size_t q = 0; q < count; ++q) {
    double factor = sequence_weight(view, q);
    if (reduction == SequenceReduction::token_mean) factor = divisor > 0 ? factor / divisor : 0;
    if (reduction == SequenceReduction::sequence_mean) {
      const double own = normalizer(view, q, kind);
      factor = own > 0 && divisor > 0 ? factor / (own * divisor) : 0;
    }
    for (std::size_t t = first_token(view, q); t < first_token(view, q + 1); ++t) coefficient[t] = factor * token_weight(view, t);
  }
  return divisor > 0;
}

}  // namespace tokens

}  // namespace rankgrad
