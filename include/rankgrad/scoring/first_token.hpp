// rankgrad/scoring/first_token.hpp: a window of candidates ranked by the first token that a model would write.
// SPDX-License-Identifier: MIT
//
// Every candidate of the window has an identifier of one token, "A", "B", ... The model's next-token logits at the place of the
// first identifier are the scores of all candidates at once.
#pragma once

#include <rankgrad/core/contract.hpp>
#include <rankgrad/core/list_view.hpp>
#include <rankgrad/core/workspace.hpp>

#include <algorithm>
#include <string_view>

namespace rankgrad::inline RANKGRAD_ABI {

namespace detail {

inline Status check_identifiers(std::span<const std::uint32_t> identifiers, std::size_t logits) {
  for (std::size_t c = 0; c < identifiers.size(); ++c)
    if (identifiers[c] >= logits)
      return Status::error("rankgrad: identifiers[%zu] is %u; there are %zu logits", c, identifiers[c], logits);
  return {};
}

}  // namespace detail

/// scores[c] = logits[identifiers[c]]: no softmax is needed for an order. With a ranking loss of these scores and the
/// cross-entropy of the same place it is the joint objective of FIRST, L_LM + lambda L_rank, lambda = 10 for the weighted RankNet
/// (its weight 1 / (r_i + r_j), mean over pairs), 0.1 for ListNet, 1 for others.
///
/// logits [V], identifiers [n] below V, scores [n]: overwritten.
///
/// Source      FIRST, Reddy et al., EMNLP 2024, arXiv 2406.15657; its reproduction, arXiv 2411.05508.
template <Real T>
void identifier_scores(std::span<const T> logits, std::span<const std::uint32_t> identifiers,
                       std::type_identity_t<std::span<T>> scores) {
  RANKGRAD_EXPECTS(scores.size() == identifiers.size(), "scores and identifiers differ in size");
  require(detail::check_identifiers(identifiers, logits.size()));
  for (std::size_t c = 0; c < scores.size(); ++c) scores[c] = logits[identifiers[c]];
}

/// The chain back: adds scale dL/dscore_c to the gradient of the logit of candidate c, [V].
template <Real T>
void add_identifier_gradient(std::span<const T> score_gradient, std::span<const std::uint32_t> identifiers,
                             std::type_identity_t<std::span<T>> logits_gradient, T scale = T(1)) {
  RANKGRAD_EXPECTS(score_gradient.size() == identifiers.size(), "score_gradient and identifiers differ in size");
  require(detail::check_identifiers(identifiers, logits_gradient.size()));
  for (std::size_t c = 0; c < identifiers.size(); ++c) logits_gradient[identifiers[c]] += scale * score_gradient[c];
}

/// A token that an inference server returned among the most probable ones: the candidate that it names, its log-probability.
struct ReturnedToken {
  std::uint32_t candidate = 0;
  double log_probability = 0;
};

/// No candidate.
inline constexpr std::uint32_t no_candidate = 0xffffffffu;

/// "A" names candidate 0 of a window of n, "B" candidate 1, also with spaces around them; whatever is not one capital letter
/// within the window names none.
inline std::uint32_t candidate_of_letter(std::string_view token, std::size_t n) {
  while (!token.empty() && token.front() == ' ') token.remove_prefix(1);
  while (!token.empty() && token.back() == ' ') token.remove_suffix(1);
  if (token.size() != 1 || token[0] < 'A' || token[0] > 'Z') return no_candidate;
  const std::size_t candidate = static_cast<std::size_t>(token[0] - 'A');
  return candidate < n ? static_cast<std::uint32_t>(candidate) : no_candidate;
}

/// The order of a window from the returned tokens, best first: a candidate counts by its most probable variant; equal ones, and
/// those that were not returned, which come last, keep their order. Tokens that name no candidate of the window are ignored, as
/// are log-probabilities that are NaN. Overwrites `order` [n]. O(n^2) moves: windows are short.
///
/// Source      the inference of arXiv 2411.05508 as its released code does it.
inline void first_token_order(std::span<const ReturnedToken> returned, std::span<std::uint32_t> order, Workspace& workspace) {
  const auto frame = workspace.frame();
  const std::size_t n = order.size();
  double* const best = workspace.take<double>(n);
  std::uint8_t* const named = workspace.take<std::uint8_t>(n);
  std::fill_n(named, n, std::uint8_t{0});
  for (const ReturnedToken& token : returned) {
    const double x = token.log_probability;
    if (token.candidate >= n || !(x <= 0 || x > 0)) continue;
    best[token.candidate] = named[token.candidate] ? std::max(best[token.candidate], x) : x;
    named[token.candidate] = 1;
  }
  std::size_t placed = 0;
  for (std::uint32_t c = 0; c < n; ++c) {
    if (!named[c]) continue;
    std::size_t at = placed++;
    for (; at > 0 && best[order[at - 1]] < best[c]; --at) order[at] = order[at - 1];
    order[at] = c;
  }
  for (std::uint32_t c = 0; c < n; ++c)
    if (!named[c]) order[placed++] = c;
}

/// The window in its new order, a permutation: items[k] becomes what items[order[k]] was. Its scores are handed out anew, the highest first, so
/// that they stay monotone in the rank; in a window that was sorted by score they stay where they are, as in the source.
template <Real T>
void reorder_window(std::span<const std::uint32_t> order, std::span<std::uint32_t> items,
                    std::type_identity_t<std::span<T>> scores, Workspace& workspace) {
  RANKGRAD_EXPECTS(order.size() == items.size(), "order and items differ in size");
  RANKGRAD_EXPECTS(scores.empty() || scores.size() == items.size(), "scores and items differ in size");
  const auto frame = workspace.frame();
  std::uint8_t* const named = workspace.take<std::uint8_t>(items.size());
  std::fill_n(named, items.size(), std::uint8_t{0});
  for (std::size_t k = 0; k < order.size(); ++k)
    if (order[k] >= items.size() || named[order[k]]++ != 0)
      require(Status::error("rankgrad: order[%zu] is %u; it must name each of %zu items once", k, order[k], items.size()));
  std::uint32_t* const before = workspace.take<std::uint32_t>(items.size());
  std::copy(items.begin(), items.end(), before);
  for (std::size_t k = 0; k < items.size(); ++k) items[k] = before[order[k]];
  for (std::size_t k = 1; k < scores.size(); ++k) {
    const T score = scores[k];
    std::size_t at = k;
    for (; at > 0 && scores[at - 1] < score; --at) scores[at] = scores[at - 1];
    scores[at] = score;
  }
}

}  // namespace rankgrad
