// rankgrad/reward/setwise.hpp: did the model pick the relevant one of a set?
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/reward/tagged_answer.hpp>

namespace rankgrad::inline RANKGRAD_ABI::reward {

/// Set-wise choice: r = 1 where the reply was in its format and names the relevant candidate, else 0. Nothing for the format
/// alone.
///
/// A reward is a constant of the gradient: it becomes an advantage (policy/group_advantage.hpp), and Grpo learns from that.
///
/// Source   Rank-R1 (arXiv 2503.06034), and its code.
constexpr double setwise(std::uint32_t predicted, std::uint32_t gold, bool parsed = true) {
  return parsed && predicted == gold ? 1 : 0;
}

/// The same where several candidates are relevant: any of them will do.
constexpr double setwise(std::uint32_t predicted, std::span<const std::uint32_t> relevant, bool parsed = true) {
  for (const std::uint32_t id : relevant)
    if (parsed && id == predicted) return 1;
  return 0;
}

/// The same from the reply: its tagged answer without surrounding spaces is `gold`, character by character ("[3]").
constexpr double setwise(std::string_view reply, std::string_view gold) {
  const TaggedAnswer answer = tagged_answer(reply);
  const std::string_view text = trimmed(answer.text);
  return answer.found && text.size() == gold.size() && detail::stands_at(text, 0, gold) ? 1 : 0;
}

}  // namespace rankgrad::reward
