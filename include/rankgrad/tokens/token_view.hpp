// rankgrad/tokens/token_view.hpp: what a language model says about the tokens of sequences, as arrays that somebody else owns.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/evaluate.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// The targets of other trainers' padding, -100, is 2^32 - 100 here; set `ignore_index` to it.
inline constexpr std::uint32_t no_token = 0xffffffffu;

/// n target tokens with the logits that predict each of them.
///
///   logits            [n V], row-major: entry t V + v is the logit of token v at place t
///   vocabulary        V, how many tokens there are to choose from
///   targets           [n], what was to be predicted, each below V, or `ignore_index` where there is nothing to predict
///   offsets           [sequences + 1] or empty: sequence q is the tokens offsets[q] .. offsets[q + 1] - 1; empty: one sequence
///   weights           [n] >= 0, of the tokens; empty means 1 for all. A token of weight 0 is as good as absent.
///   sequence_weights  [sequences] >= 0, of the sequences; empty means 1 for all
///   mask              [n], 1 = present, 0 = absent. Of an absent token no logit is read and no target.
///
/// The gradient has the layout of `logits`. Masks do reach the losses of this view: taking absent tokens out beforehand would
/// copy the logits.
template <Real T>
struct TokenView {
  using value_type = T;

  std::span<const T> logits{};
  std::size_t vocabulary = 0;
  std::span<const std::uint32_t> targets{};
  std::span<const std::uint32_t> offsets{};
  std::span<const T> weights{};
  std::span<const T> sequence_weights{};
  std::span<const std::uint8_t> mask{};
  std::uint32_t ignore_index = no_token;

  constexpr std::size_t size() const noexcept { return targets.size(); }   ///< the number of tokens
  constexpr const T* row(std::size_t t) const noexcept { return logits.data() + t * vocabulary; }
  constexpr bool present(std::size_t t) const noexcept { return (mask.empty() || mask[t] != 0) && targets[t] != ignore_index; }
};

/// The same where only the log-probability of each target token is known, log p(y_t | y_<t).
///
///   log_probabilities  [n], <= 0
///   the others         as in TokenView
///
/// The gradient is that of the log-probabilities, [n].
template <Real T>
struct LogProbabilityView {
  using value_type = T;

  std::span<const T> log_probabilities{};
  std::span<const std::uint32_t> offsets{};
  std::span<const T> weights{};
  std::span<const T> sequence_weights{};
  std::span<const std::uint8_t> mask{};

  constexpr std::size_t size() const noexcept { return log_probabilities.size(); }
  constexpr bool present(std::size_t t) const noexcept { return mask.empty() || mask[t] != 0; }
};

template <Real T>
constexpr std::size_t gradient_size(const TokenView<T>& view) noexcept { return view.logits.size(); }
template <Real T>
constexpr std::size_t gradient_size(const LogProbabilityView<T>& view) noexcept { return view.size(); }

namespace tokens {

template <class View>
constexpr std::size_t sequences(const View& view) noexcept { return view.offsets.empty() ? 1 : view.offsets.size() - 1; }
template <class View>
constexpr std::size_t first_token(const View& view, std::size_t q) noexcept {
  return view.offsets.empty() ? (q == 0 ? 0 : view.size()) : view.offsets[q];
}
/// The weight of token t, 0 where it is absent.
template <class View>
constexpr double token_weight(const View& view, std::size_t t) noexcept {
  return !view.present(t) ? 0 : view.weights.empty() ? 1 : static_cast<double>(view.weights[t]);
}
template <class View>
constexpr double sequence_weight(const View& view, std::size_t q) noexcept {
  return view.sequence_weights.empty() ? 1 : static_cast<double>(view.sequence_weights[q]);
}

}  // namespace tokens

namespace detail {

/// Sizes, offsets and weights, which both views have.
template <class View>
Status check_tokens(const View& view) {
  using T = typename View::value_type;
  const std::size_t n = view.size();
  if (Status s = check_optional_length("weights", view.weights.size(), n); !s) return s;
  if (Status s = check_optional_length("mask", view.mask.size(), n); !s) return s;
  if (!view.offsets.empty())
    if (Status s = check_offsets("offsets", view.offsets, n, "tokens"); !s) return s;
  if (Status s = check_optional_length("sequence_weights", view.sequence_weights.size(), tokens::sequences(view)); !s) return s;
  constexpr T limit = std::numeric_limits<T>::max();
  if (Status s = check_values<T>("sequence_weights", view.sequence_weights, {}, T(0), limit); !s) return s;
  return check_values<T>("weights", view.weights, view.mask, T(0), limit);
}

}  // namespace detail

/// Sizes agree, offsets are those of n tokens, targets of present tokens are below the vocabulary, weights finite and not
/// negative. O(n): the logits are not looked at.
template <Real T>
Status validate(const TokenView<T>& view) {
  const std::size_t n = view.size();
  if (n > 0 && view.vocabulary == 0) return Status::error("rankgrad: the vocabulary of %zu tokens is 0", n);
  if (Status s = detail::check_length("logits", view.logits.size(), n * view.vocabulary); !s) return s;
  if (Status s = detail::check_tokens(view); !s) return s;
  for (std::size_t t = 0; t < n; ++t)
    if (view.present(t) && view.targets[t] >= view.vocabulary)
      return Status::error("rankgrad: targets[%zu] is %u; the vocabulary has %zu tokens (mask it, or make it ignore_index)", t,
                           view.targets[t], view.vocabulary);
  return {};
}
template <Real T>
Status validate(const LogProbabilityView<T>& view) { return detail::check_tokens(view); }

/// The number of tokens that a loss is about to work on.
template <Real T>
constexpr std::size_t checked_size(const TokenView<T>& view) {
  RANKGRAD_EXPECTS(view.logits.size() == view.size() * view.vocabulary, "logits are not tokens times vocabulary");
  RANKGRAD_EXPECTS(view.offsets.empty() || view.offsets.back() == view.size(), "the last offset is not the number of tokens");
  RANKGRAD_EXPECTS(view.weights.empty() || view.weights.size() == view.size(), "weights and targets differ in size");
  RANKGRAD_EXPECTS(view.mask.empty() || view.mask.size() == view.size(), "mask and targets differ in size");
  return view.size();
}
template <Real T>
constexpr std::size_t checked_size(const LogProbabilityView<T>& view) {
  RANKGRAD_EXPECTS(view.offsets.empty() || view.offsets.back() == view.size(), "the last offset is not the number of tokens");
  RANKGRAD_EXPECTS(view.weights.empty() || view.weights.size() == view.size(), "weights and log-probabilities differ in size");
  RANKGRAD_EXPECTS(view.mask.empty() || view.mask.size() == view.size(), "mask and log-probabilities differ in size");
  return view.size();
}

}  // namespace rankgrad
