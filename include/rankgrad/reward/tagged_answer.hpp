// rankgrad/reward/tagged_answer.hpp: the answer of a reasoning model, <think> .. </think> <answer> .. </answer>.
// SPDX-License-Identifier: MIT
//
// Scans by hand: no regular expressions, no allocation. Found is what the pattern
//   <think>.*?</think>\s*<answer>(.*?)</answer>          ("." also matches a line break)
// finds anywhere in the text; text before and after is allowed, and is no format error in the sources either.
#pragma once

#include <rankgrad/core/contract.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace rankgrad::inline RANKGRAD_ABI::reward {

namespace detail {

constexpr bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

constexpr bool stands_at(std::string_view text, std::size_t at, std::string_view what) {
  if (text.size() < what.size() || at > text.size() - what.size()) return false;
  for (std::size_t k = 0; k < what.size(); ++k)
    if (text[at + k] != what[k]) return false;
  return true;
}
/// Where `what` stands for the first time from `from` on; the size of the text where it does not.
constexpr std::size_t find(std::string_view text, std::string_view what, std::size_t from) {
  for (; from < text.size(); ++from)
    if (stands_at(text, from, what)) return from;
  return text.size();
}
constexpr std::size_t skip_spaces(std::string_view text, std::size_t at) {
  while (at < text.size() && is_space(text[at])) ++at;
  return at;
}
constexpr std::string_view part(std::string_view text, std::size_t begin, std::size_t end) {
  return {text.data() + begin, end - begin};
}

}  // namespace detail

constexpr std::string_view trimmed(std::string_view text) {
  const std::size_t begin = detail::skip_spaces(text, 0);
  std::size_t end = text.size();
  while (end > begin && detail::is_space(text[end - 1])) --end;
  return detail::part(text, begin, end);
}

struct TaggedAnswer {
  std::string_view text{};   ///< between the answer tags, as it stands there
  bool found = false;
};

/// The first answer that accept(text) -> bool takes, as a regular expression would go on looking where one does not fit.
template <class Accept>
constexpr TaggedAnswer tagged_answer(std::string_view text, const Accept& accept) {
  constexpr std::string_view thinks = "<think>", thought = "</think>", open = "<answer>", close = "</answer>";
  std::size_t at = detail::find(text, thinks, 0);
  if (at == text.size()) return {};
  at += thinks.size();
  while ((at = detail::find(text, thought, at)) < text.size()) {
    at += thought.size();
    const std::size_t tag = detail::skip_spaces(text, at);
    if (!detail::stands_at(text, tag, open)) continue;
    const std::size_t begin = tag + open.size(), end = detail::find(text, close, begin);
    if (end == text.size()) return {};
    if (const std::string_view answer = detail::part(text, begin, end); accept(answer)) return {answer, true};
  }
  return {};
}
constexpr TaggedAnswer tagged_answer(std::string_view text) {
  return tagged_answer(text, [](std::string_view) { return true; });
}

struct ParsedIds {
  std::size_t count = 0;   ///< how many ids the text has; those beyond the caller's array were counted only
  bool valid = false;
};

/// "[3, 1, 2]": digits, separated by a comma and any spaces, at least one id. A number beyond 32 bits becomes the largest of
/// them, which is out of any range. "[3]" is a list of one (MM-R5's code fails on it).
constexpr ParsedIds parse_ids(std::string_view text, std::span<std::uint32_t> ids) {
  if (text.size() < 3 || text[0] != '[' || text[text.size() - 1] != ']') return {};
  ParsedIds parsed;
  for (std::size_t at = 1;; ++at) {
    if (parsed.count > 0) at = detail::skip_spaces(text, at);
    if (!detail::is_digit(text[at])) return {};
    std::uint64_t id = 0;
    for (; detail::is_digit(text[at]); ++at) {
      id = 10 * id + static_cast<std::uint64_t>(text[at] - '0');
      if (id > 0xffffffff) id = 0xffffffff;
    }
    if (parsed.count < ids.size()) ids[parsed.count] = static_cast<std::uint32_t>(id);
    ++parsed.count;
    if (at + 1 == text.size()) break;
    if (text[at] != ',') return {};
  }
  parsed.valid = true;
  return parsed;
}

/// The ids of the first tagged answer that is such a list.
constexpr ParsedIds tagged_ids(std::string_view text, std::span<std::uint32_t> ids) {
  ParsedIds parsed;
  tagged_answer(text, [&](std::string_view answer) { return (parsed = parse_ids(answer, ids)).valid; });
  return parsed;
}

}  // namespace rankgrad::reward
