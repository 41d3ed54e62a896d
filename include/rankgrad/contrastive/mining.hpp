// rankgrad/contrastive/mining.hpp: which candidates become hard negatives, and which pairs are trusted at all.
// SPDX-License-Identifier: MIT
//
// Small functions over the scores of one query. They run before training or between its epochs; nothing has a gradient.
#pragma once

#include <rankgrad/core/validate.hpp>
#include <rankgrad/plackett_luce/sampling.hpp>

#include <optional>

namespace rankgrad::inline RANKGRAD_ABI {

/// Candidates that score so high that they may well be relevant, though nobody said so. One is dropped where any of the rules
/// that are given says so; s+ is the score of the positive.
///
///   margin      s > s+ - margin      (UniME-V2, arXiv 2510.13515: 0.01 of a judge's score; read in summaries of the paper)
///   relative    s >= relative s+     (CoRNStack, arXiv 2412.01007: a similarity threshold; the form and its usual 0.95 are
///                                    reconstructed, not checked against the source)
///   absolute    s >= absolute
struct FalseNegatives {
  std::optional<double> margin{}, relative{}, absolute{};

  constexpr bool suspected(double score, double positive) const {
    return (margin && score > positive - *margin) || (relative && score >= *relative * positive) ||
           (absolute && score >= *absolute);
  }
};

/// The candidates, in their order, that are neither the positive nor suspected: kept[0 .. returned count). `positive` is the
/// number of the positive among the scores; kept has room for all.
template <Real T>
std::size_t drop_false_negatives(std::span<const T> scores, std::size_t positive, const FalseNegatives& rules,
                                 std::span<std::uint32_t> kept) {
  RANKGRAD_EXPECTS(positive < scores.size(), "the positive is not among the scores");
  RANKGRAD_EXPECTS(kept.size() >= scores.size(), "there is no room for all candidates");
  const double reference = static_cast<double>(scores[positive]);
  std::size_t count = 0;
  for (std::size_t i = 0; i < scores.size(); ++i)
    if (i != positive && !rules.suspected(static_cast<double>(scores[i]), reference))
      kept[count++] = static_cast<std::uint32_t>(i);
  return count;
}

/// Fills `chosen` from candidates that stand in order of hardness, going round in steps: places 0, stride, 2 stride, ..., then 1,
/// 1 + stride, ...; every candidate once before any comes again. Returns how many different ones were chosen; without
/// candidates 0, and `chosen` is left alone.
/// Source: UniME-V2, arXiv 2510.13515 (stride 5; read in summaries of the paper).
inline std::size_t choose_cyclically(std::span<const std::uint32_t> candidates, std::size_t stride,
                                     std::span<std::uint32_t> chosen) {
  RANKGRAD_EXPECTS(stride > 0, "the stride must be above 0");
  const std::size_t n = candidates.size();
  if (n == 0) return 0;
  std::size_t place = 0, start = 0;
  for (std::uint32_t& choice : chosen) {
    choice = candidates[place];
    place += stride;
    if (place < n) continue;
    if (++start == std::min(stride, n)) start = 0;
    place = start;
  }
  return std::min(n, chosen.size());
}

/// Is a score among the best k of some others, ties in its favour: do fewer than k of them stand above it? One that
/// is not finite is not.
///
/// As a ranking-consistency filter: a training pair is dropped where its positive scores below the k-th retrieved passage.
/// Source: KaLM-Embedding, arXiv 2506.20923, and its code (hn_mine.py).
template <Real T>
bool within_best(std::span<const T> scores, T score, std::size_t k) {
  if (!is_finite(score)) return false;
  std::size_t above = 0;
  for (const T s : scores) above += s > score;
  return above < k;
}

/// Keeps a pair of query and document that both filters agree on: the document is among the best of all the query's candidates,
/// and similar in absolute terms too.
/// Source: CoRNStack, arXiv 2412.01007 (top 2; threshold 0.7 by a description of its data).
struct DualConsistency {
  std::size_t within = 2;
  double above = 0.7;

  template <Real T>
  bool keeps(std::span<const T> scores, std::size_t document) const {
    RANKGRAD_EXPECTS(document < scores.size(), "the document is not among the scores");
    return static_cast<double>(scores[document]) > above && within_best(scores, scores[document], within);
  }
};

/// The temperature of a sampler that turns from wide to greedy over `steps` steps.
/// Source: CoRNStack, arXiv 2412.01007, says that it is annealed; how, and from where to where, is reconstructed, not checked
/// against the source.
struct AnnealedTemperature {
  enum class Path { linear, geometric };
  double first = 0.05, last = 0.001;
  double steps = 1;
  Path path = Path::geometric;

  Status check() const {
    if (Status s = check_parameter("AnnealedTemperature.first", first, 0); !s) return s;
    if (Status s = check_parameter("AnnealedTemperature.last", last, 0); !s) return s;
    return check_parameter("AnnealedTemperature.steps", steps, 0);
  }
  double at(double step) const {
    const double p = step <= 0 ? 0 : step >= steps ? 1 : step / steps;
    return path == Path::linear ? first + (last - first) * p : first * std::pow(last / first, p);
  }
};

/// Draws negatives without replacement, each next one with probability softmax(s / temperature) over those that are left
/// (Gumbel top-k), from all candidates that are neither the positive nor suspected. Returns how many: chosen.size(), or the whole
/// pool where that is smaller. Advances `random` by the size of the pool.
/// Source: CoRNStack, arXiv 2412.01007 (curriculum of hard negatives).
template <Real T>
std::size_t sample_hard_negatives(std::span<const T> scores, std::size_t positive, const FalseNegatives& rules,
                                  double temperature, std::span<std::uint32_t> chosen, Random& random, Workspace& workspace) {
  const auto frame = workspace.frame();
  const std::span<std::uint32_t> pool(workspace.take<std::uint32_t>(scores.size()), scores.size());
  const std::size_t size = drop_false_negatives(scores, positive, rules, pool), count = std::min(size, chosen.size());
  T* const pooled = workspace.take<T>(size);
  for (std::size_t i = 0; i < size; ++i) pooled[i] = scores[pool[i]];
  sample_ranking(std::span<const T>(pooled, size), chosen.first(count), random, workspace, temperature);
  for (std::uint32_t& choice : chosen.first(count)) choice = pool[choice];
  return count;
}

}  // namespace rankgrad
