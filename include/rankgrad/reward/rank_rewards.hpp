// rankgrad/reward/rank_rewards.hpp: rewards of integer scores, by their rank among all rollouts of the query.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/check_offsets.hpp>
#include <rankgrad/core/validate.hpp>
#include <rankgrad/metric/gain_discount.hpp>
#include <rankgrad/simd/ranking.hpp>

#include <ranges>

namespace rankgrad::inline RANKGRAD_ABI::reward {

/// The scores that rollouts gave the N documents of one query, each document's side by side.
///
///   scores             [rollouts], mostly integers 0 .. 10; of no consequence where `parsed` is 0
///   document_offsets   [documents + 1], starts at 0, never falls, ends at the number of rollouts
///   relevant           [documents], 1 = positive, 0 = negative
///   reference          [documents], t: what another model says of the document: for fill_reciprocal_rank() and fill_ndcg() the
///                      model that training started from, for fill_squared_error() the teacher
///   parsed             [rollouts], 0 = the reply could not be read; empty: all could
template <Real T>
struct ScoredRollouts {
  using value_type = T;

  std::span<const T> scores{};
  std::span<const std::uint32_t> document_offsets{};
  std::span<const std::uint8_t> relevant{};
  std::span<const T> reference{};
  std::span<const std::uint8_t> parsed{};

  constexpr std::size_t rollouts() const noexcept { return scores.size(); }
  constexpr std::size_t documents() const noexcept { return document_offsets.empty() ? 0 : document_offsets.size() - 1; }
  constexpr bool readable(std::size_t g) const noexcept { return parsed.empty() || parsed[g] != 0; }
};

template <Real T>
Status validate(const ScoredRollouts<T>& view) {
  using namespace rankgrad::detail;
  constexpr T limit = std::numeric_limits<T>::max();
  if (Status s = check_offsets("document_offsets", view.document_offsets, view.rollouts(), "scores"); !s) return s;
  if (Status s = check_length("relevant", view.relevant.size(), view.documents()); !s) return s;
  if (Status s = check_length("reference", view.reference.size(), view.documents()); !s) return s;
  if (Status s = check_optional_length("parsed", view.parsed.size(), view.rollouts()); !s) return s;
  if (Status s = check_values<T>("reference", view.reference, {}, -limit, limit); !s) return s;
  return check_values<T>("scores", view.scores, view.parsed, -limit, limit);
}

/// What the rewards below give a rollout that is not a positive in its place.
struct RankRewardCases {
  double unreadable = -2;       ///< the reply has no score
  double misplaced = -1;        ///< a negative that is not below all rollouts of positives
  double distance_scale = 100;  ///< a negative that is: -(s - t)^2 / distance_scale

  Status check() const {
    if (Status s = check_parameter("RankRewardCases.distance_scale", distance_scale, 0); !s) return s;
    if (is_finite(unreadable) && is_finite(misplaced) && unreadable <= misplaced && misplaced <= 0) return {};
    return Status::error("rankgrad: RankRewardCases has unreadable %g and misplaced %g; expected unreadable <= misplaced <= 0",
                         unreadable, misplaced);
  }
  double near(double score, double reference) const {
    const double away = score - reference;
    return -(away * away) / distance_scale;
  }
};

namespace detail {

/// ranks[g] = 1 + the number of readable rollouts with a higher score: tied ones share the best of their ranks (1, 2, 2, 4).
/// 0 for those that are not readable.
template <Real T>
void rank_readable(const ScoredRollouts<T>& view, std::uint32_t* ranks, Workspace& workspace) {
  const auto frame = workspace.frame();
  std::uint32_t* order = workspace.take<std::uint32_t>(view.rollouts());
  std::size_t count = 0;
  for (std::uint32_t g = 0; g < view.rollouts(); ++g) {
    ranks[g] = 0;
    if (view.readable(g)) order[count++] = g;
  }
  simd::sort_descending(view.scores.data(), order, count, workspace);
  tie_ranks(view.scores.data(), order, count, ranks);
}

/// make_positive(rollouts of positives) gives the function of the rank that is what a rollout of a positive gets.
template <Real T, class MakePositive>
void fill_by_rank(const RankRewardCases& cases, const ScoredRollouts<T>& view, std::span<T> rewards, Workspace& workspace,
                  const MakePositive& make_positive) {
  require(cases.check());
  require(validate(view));
  require(rankgrad::detail::check_length("rewards", rewards.size(), view.rollouts()));
  const auto frame = workspace.frame();
  std::uint32_t* ranks = workspace.take<std::uint32_t>(view.rollouts());
  rank_readable(view, ranks, workspace);
  std::uint32_t lowest = 0;   // the worst rank of a positive
  std::size_t positives = 0;
  const auto for_each = [&](const auto& body) {
    for (std::size_t d = 0; d < view.documents(); ++d)
      for (std::size_t g = view.document_offsets[d]; g < view.document_offsets[d + 1]; ++g) body(d, g);
  };
  for_each([&](std::size_t d, std::size_t g) {
    if (!view.relevant[d]) return;
    ++positives;
    lowest = std::max(lowest, ranks[g]);
  });
  const auto positive = make_positive(positives);
  for_each([&](std::size_t d, std::size_t g) {
    double reward = cases.misplaced;
    if (!view.readable(g)) reward = cases.unreadable;
    else if (view.relevant[d]) reward = positive(ranks[g]);
    else if (ranks[g] > lowest) reward = cases.near(static_cast<double>(view.scores[g]), static_cast<double>(view.reference[d]));
    rewards[g] = static_cast<T>(reward);
  });
}

}  // namespace detail

/// Reciprocal rank among all rollouts of the query:
///
///   r = 1 / phi                        a positive; phi = 1 + the number of rollouts, of any document, with a higher score
///   r = -(s - t)^2 / distance_scale    a negative below all rollouts of positives: the score shall stay where it was
///   r = misplaced, unreadable          any other negative; no score
///
/// The group of the advantage is the rollouts of one document, although the reward looks at all of them. Without positives
/// every negative is below all of them.
///
/// Parameters  RankRewardCases. The paper's cases; its constants were not to be had: reconstructed from the abstract and the
///             literature, not checked against the source.
/// Cost        one sort of the rollouts.
/// Source      ERank (arXiv 2509.00520), r_RR.
template <Real T>
void fill_reciprocal_rank(const RankRewardCases& cases, const ScoredRollouts<T>& view, std::type_identity_t<std::span<T>> rewards,
                          Workspace& workspace) {
  detail::fill_by_rank<T>(cases, view, rewards, workspace, [](std::size_t) {
    return [](std::uint32_t rank) { return discount_of(Discount::reciprocal, rank); };
  });
}

/// The part of the rollout in an NDCG over all rollouts: as above, but for a positive
///
///   r = f(phi) / sum_{x = 1 .. P} f(x),   f(x) = 1 / log2(x + 1),   P the number of rollouts of positives, readable or not
///
/// Source      ERank (arXiv 2509.00520), r_nDCG. Status of the constants as above.
template <Real T>
void fill_ndcg(const RankRewardCases& cases, const ScoredRollouts<T>& view, std::type_identity_t<std::span<T>> rewards,
               Workspace& workspace) {
  detail::fill_by_rank<T>(cases, view, rewards, workspace, [](std::size_t positives) {
    double ideal = 0;
    for (std::size_t x = 1; x <= positives; ++x) ideal += discount_of(Discount::log2, x);
    return [=](std::uint32_t rank) { return discount_of(Discount::log2, rank) / ideal; };
  });
}

/// Point-wise: r = -(s - t)^2 / distance_scale with t the teacher's score, whatever the others have; unreadable as above.
/// Source      ERank (arXiv 2509.00520), r_SE. Status of the constants as above.
template <Real T>
void fill_squared_error(const RankRewardCases& cases, const ScoredRollouts<T>& view, std::type_identity_t<std::span<T>> rewards) {
  require(cases.check());
  require(validate(view));
  require(rankgrad::detail::check_length("rewards", rewards.size(), view.rollouts()));
  for (std::size_t d = 0; d < view.documents(); ++d)
    for (std::size_t g = view.document_offsets[d]; g < view.document_offsets[d + 1]; ++g) {
      const double near = cases.near(static_cast<double>(view.scores[g]), static_cast<double>(view.reference[d]));
      rewards[g] = static_cast<T>(view.readable(g) ? near : cases.unreadable);
    }
}

}  // namespace rankgrad::reward
