// rankgrad/scoring/attention.hpp: documents ranked by the attention that a query pays to their tokens.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/contract.hpp>
#include <rankgrad/core/list_view.hpp>
#include <rankgrad/core/validate.hpp>

#include <cmath>

namespace rankgrad::inline RANKGRAD_ABI {

/// What the query's tokens give to each token of the context: summed over layers and heads, the mean over the query's tokens.
///
///   a_u += sum_h (1 / |Q|) sum_{t in Q} alpha_h[t][u]
///
/// attention [heads, |Q|, tokens], row-major softmax rows; `total` [tokens], added to, in double: call it layer by layer. The
/// query is everything after the documents, instruction and closing tokens included; for its last token alone pass that row.
template <Real T>
void add_token_attention(std::span<const T> attention, std::size_t heads, std::size_t query_tokens, std::span<double> total) {
  const std::size_t n = total.size();
  RANKGRAD_EXPECTS(attention.size() == heads * query_tokens * n, "attention is not heads x query tokens x tokens");
  if (query_tokens == 0) return;
  const double share = 1 / static_cast<double>(query_tokens);
  for (std::size_t row = 0; row < heads * query_tokens; ++row) {
    const T* const from = attention.data() + row * n;
    double* const to = total.data();
    for (std::size_t u = 0; u < n; ++u) to[u] += share * static_cast<double>(from[u]);
  }
}

/// The calibrated attention score of documents, each a span of the context's tokens.
///
///   c_u     = a_u(query) - a_u(null query)                             null: the same prompt with "N/A" for the query
///   keep_u  = c_u > mean_D(c) - deviations std_D(c)                    per document D; std over |D| - 1
///   score_D = sum_{u in D} keep_u c_u
///
/// Only tokens that are abnormally low are dropped; scores are not divided by lengths. Linear in the attention where keep is held
/// constant: dscore_D / dalpha_h[t][u] = keep_u / |Q|.
///
/// Parameters  deviations 2. filter = false keeps every token. Without a null query (an empty span) c_u = a_u, and no token is
///             dropped.
/// Edge        an empty document scores 0. Where a document has one token, or std is 0, every token is kept; with `compat`, as in
///             the released code, none is, and the score is 0.
/// Source      Chen et al., Attention in large language models yields efficient zero-shot re-rankers, ICLR 2025,
///             arXiv 2410.02642; the mean over the query's tokens and the filter as its released code has them.
struct AttentionScore {
  double deviations = 2;
  bool filter = true;
  bool compat = false;

  Status check() const { return check_parameter("AttentionScore.deviations", deviations, 0, true); }

  /// Document i is the tokens begins[i] .. ends[i] - 1. query, null [tokens]; overwrites `scores` [documents] and, where it is
  /// given, `keep` [tokens] (0 outside of all documents).
  void operator()(std::span<const double> query, std::span<const double> null, std::span<const std::uint32_t> begins,
                  std::span<const std::uint32_t> ends, std::span<double> scores, std::span<std::uint8_t> keep = {}) const {
    require(check());
    RANKGRAD_EXPECTS(null.empty() || null.size() == query.size(), "the attention of both queries differs in size");
    RANKGRAD_EXPECTS(begins.size() == scores.size() && ends.size() == scores.size(), "begins, ends and scores differ in size");
    RANKGRAD_EXPECTS(keep.empty() || keep.size() == query.size(), "keep and tokens differ in size");
    for (std::size_t i = 0; i < scores.size(); ++i)
      if (begins[i] > ends[i] || ends[i] > query.size())
        require(Status::error("rankgrad: document %zu is the tokens %u to %u of %zu", i, begins[i], ends[i], query.size()));
    std::fill(keep.begin(), keep.end(), std::uint8_t{0});
    const auto c = [&](std::size_t u) { return query[u] - (null.empty() ? 0 : null[u]); };
    for (std::size_t i = 0; i < scores.size(); ++i) {
      const std::size_t begin = begins[i], end = ends[i];
      scores[i] = 0;
      const double count = static_cast<double>(end - begin);
      double mean = 0, squares = 0;
      bool same = true;   // to the bit: a rounded mean would not say so
      for (std::size_t u = begin; u < end; ++u) mean += c(u) / count, same &= c(u) == c(begin);
      for (std::size_t u = begin; u < end; ++u) squares += (c(u) - mean) * (c(u) - mean);
      const bool filtered = filter && !null.empty(), alike = count < 2 || same;
      const double lowest = alike ? mean : mean - deviations * std::sqrt(squares / (count - 1));
      for (std::size_t u = begin; u < end; ++u) {
        if (filtered && (alike ? compat : !(c(u) > lowest))) continue;
        scores[i] += c(u);
        if (!keep.empty()) keep[u] = 1;
      }
    }
  }
};

}  // namespace rankgrad
