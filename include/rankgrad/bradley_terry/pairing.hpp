// rankgrad/bradley_terry/pairing.hpp: comparisons out of items that were judged one by one, across prompts.
// SPDX-License-Identifier: MIT
//
// Read first: bradley_terry/comparisons.hpp.
#pragma once

#include <rankgrad/bradley_terry/comparisons.hpp>
#include <rankgrad/core/random.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// Pairs items of different prompts: (positive, negative) is a win of the first, (positive, positive) a tie. An item is
/// positive where its label is above 0.
///
///   per_positive  0: all such pairs, ties once each. Otherwise at most so many different negatives for each positive, and
///                 as many different positives to tie with, drawn anew for every epoch; drawn ties may come up from both
///                 sides.
///   ties          whether there are ties at all
///
/// With all pairs and no two items of one prompt, BradleyTerry over the wins is the logistic Mann-Whitney loss over all
/// items; otherwise the pairs inside prompts are what it leaves out.
struct CrossPromptPairing {
  std::size_t per_positive = 0;
  bool ties = false;
  std::uint64_t seed = 0;
  std::uint64_t epoch = 0;
};

namespace bradley_terry {

/// The items of one class ordered by prompt: those of other prompts than p are what lies before and behind p's block.
struct ByPrompt {
  std::uint32_t* items;
  std::size_t n;
  std::span<const std::int64_t> prompts;

  template <class Label>
  ByPrompt(std::span<const Label> labels, std::span<const std::int64_t> prompt_ids, bool positive, Workspace& workspace)
      : items(workspace.take<std::uint32_t>(labels.size())), n(0), prompts(prompt_ids) {
    for (std::size_t i = 0; i < labels.size(); ++i)
      if ((labels[i] > Label(0)) == positive) items[n++] = static_cast<std::uint32_t>(i);
    std::sort(items, items + n, [&](std::uint32_t a, std::uint32_t b) {
      return prompts[a] != prompts[b] ? prompts[a] < prompts[b] : a < b;
    });
  }

  struct Others {
    const std::uint32_t* items;
    std::size_t begin, end, count;   ///< the block that is left out, and how many are left
    std::uint32_t operator[](std::size_t k) const { return items[k < begin ? k : k - begin + end]; }
  };
  Others other_than(std::int64_t prompt) const {
    const auto below = [&](std::uint32_t item, std::int64_t p) { return prompts[item] < p; };
    const auto above = [&](std::int64_t p, std::uint32_t item) { return p < prompts[item]; };
    const std::size_t begin = static_cast<std::size_t>(std::lower_bound(items, items + n, prompt, below) - items);
    const std::size_t end = static_cast<std::size_t>(std::upper_bound(items, items + n, prompt, above) - items);
    return {items, begin, end, n - (end - begin)};
  }
};

/// visit(first, second, outcome) for every pair, in a fixed order.
template <class Label, class Visit>
void for_each_cross_prompt_pair(const CrossPromptPairing& pairing, std::span<const Label> labels,
                                std::span<const std::int64_t> prompts, Workspace& workspace, Visit&& visit) {
  RANKGRAD_EXPECTS(labels.size() == prompts.size(), "labels and prompts differ in size");
  const auto frame = workspace.frame();
  const ByPrompt positives(labels, prompts, true, workspace), negatives(labels, prompts, false, workspace);
  std::size_t* drawn = workspace.take<std::size_t>(std::min(pairing.per_positive, labels.size()));
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (!(labels[i] > Label(0))) continue;
    Random random(pairing.seed, pairing.epoch << 32 | i);   // its own stream: what one positive draws is no other's business
    for (const Outcome outcome : {Outcome::first, Outcome::tie}) {
      if (outcome == Outcome::tie && !pairing.ties) continue;
      const auto others = (outcome == Outcome::tie ? positives : negatives).other_than(prompts[i]);
      const auto pair_with = [&](std::size_t k) { visit(static_cast<std::uint32_t>(i), others[k], outcome); };
      if (pairing.per_positive == 0 || pairing.per_positive >= others.count) {
        const bool once = pairing.per_positive == 0 && outcome == Outcome::tie;
        for (std::size_t k = 0; k < others.count; ++k)
          if (!once || others[k] > i) pair_with(k);
        continue;
      }
      // Floyd's sampling without replacement: every set of that size is equally likely.
      std::size_t count = 0;
      for (std::size_t last = others.count - pairing.per_positive; last < others.count; ++last) {
        const std::size_t k = random.below(last + 1);
        const bool taken = std::find(drawn, drawn + count, k) != drawn + count;
        pair_with(drawn[count++] = taken ? last : k);
      }
    }
  }
}

}  // namespace bradley_terry

/// How many pairs write_pairs() will write.
template <class Label>
std::size_t count_pairs(const CrossPromptPairing& pairing, std::span<const Label> labels, std::span<const std::int64_t> prompts,
                        Workspace& workspace) {
  std::size_t count = 0;
  bradley_terry::for_each_cross_prompt_pair(pairing, labels, prompts, workspace,
                                            [&](std::uint32_t, std::uint32_t, Outcome) { ++count; });
  return count;
}

/// Writes the pairs in the form that ComparisonView reads; the three spans are as long as count_pairs() says.
template <class Label>
void write_pairs(const CrossPromptPairing& pairing, std::span<const Label> labels, std::span<const std::int64_t> prompts,
                 std::span<std::uint32_t> first, std::span<std::uint32_t> second, std::span<Outcome> outcome,
                 Workspace& workspace) {
  RANKGRAD_EXPECTS(second.size() == first.size() && outcome.size() == first.size(), "first, second and outcome differ in size");
  std::size_t next = 0;
  bradley_terry::for_each_cross_prompt_pair(pairing, labels, prompts, workspace,
                                            [&](std::uint32_t i, std::uint32_t j, Outcome result) {
    RANKGRAD_EXPECTS(next < first.size(), "more pairs than the arrays hold: ask count_pairs()");
    first[next] = i;
    second[next] = j;
    outcome[next++] = result;
  });
  RANKGRAD_EXPECTS(next == first.size(), "fewer pairs than the arrays hold: ask count_pairs()");
}

}  // namespace rankgrad
