// rankgrad/metric/answers.hpp: does a text hold, or equal, one of the accepted answers? Metrics of question answering.
// SPDX-License-Identifier: MIT
//
// All of them compare normalised text: lower case, no punctuation, without a, an, the, one space between words. They are
// for evaluation, one question at a time, and allocate strings.
#pragma once

#include <rankgrad/config.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rankgrad::inline RANKGRAD_ABI {

/// What normalisation takes away besides the case of ASCII letters, articles and doubled spaces.
enum class AnswerText {
  without_punctuation,   ///< ASCII punctuation, as SQuAD does
  ascii_words            ///< everything but ASCII letters, digits and spaces, as Rankify does: other scripts vanish
};

namespace answers {

/// The words of a text, normalised.
inline std::vector<std::string> words_of(std::string_view text, AnswerText form = AnswerText::without_punctuation) {
  const auto is_space = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  std::vector<std::string> words;
  std::string word;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    const char c = i < text.size() ? text[i] : ' ';
    const bool upper = c >= 'A' && c <= 'Z', plain = upper || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (is_space(c)) {
      if (!word.empty() && word != "a" && word != "an" && word != "the") words.push_back(word);
      word.clear();
    } else if (plain || (static_cast<unsigned char>(c) >= 0x80 && form == AnswerText::without_punctuation)) {
      word += upper ? static_cast<char>(c - 'A' + 'a') : c;
    }
  }
  return words;
}

inline bool is_part(const std::vector<std::string>& part, const std::vector<std::string>& whole) {
  return std::search(whole.begin(), whole.end(), part.begin(), part.end()) != whole.end();
}

}  // namespace answers

/// 1 where the prediction is one of the answers. An empty prediction is one that normalises to nothing ("The").
inline double exact_match(std::string_view prediction, std::span<const std::string> accepted,
                          AnswerText form = AnswerText::without_punctuation) {
  const auto words = answers::words_of(prediction, form);
  return std::any_of(accepted.begin(), accepted.end(), [&](const auto& a) { return answers::words_of(a, form) == words; });
}

/// 1 where the words of one of the answers stand side by side in the text. For a passage this is the has_answer of DPR:
/// with it as the label, Hit{.k} is the top-k accuracy. An answer of no words stands nowhere.
inline double contains_answer(std::string_view text, std::span<const std::string> accepted,
                              AnswerText form = AnswerText::without_punctuation) {
  const auto words = answers::words_of(text, form);
  return std::any_of(accepted.begin(), accepted.end(), [&](const auto& a) {
    const auto part = answers::words_of(a, form);
    return !part.empty() && answers::is_part(part, words);
  });
}

struct TokenOverlap {
  double precision = 0, recall = 0, f1 = 0;
};

/// Precision, recall and F1 of the bags of words of the prediction and of one answer. Two empty ones are equal.
inline TokenOverlap token_overlap(std::string_view prediction, std::string_view answer,
                                  AnswerText form = AnswerText::without_punctuation) {
  const auto ours = answers::words_of(prediction, form), theirs = answers::words_of(answer, form);
  if (ours.empty() || theirs.empty()) return ours.empty() && theirs.empty() ? TokenOverlap{1, 1, 1} : TokenOverlap{};
  std::map<std::string_view, std::size_t> left;
  for (const auto& word : theirs) ++left[word];
  double common = 0;
  for (const auto& word : ours)
    if (const auto there = left.find(word); there != left.end() && there->second > 0) --there->second, ++common;
  const double precision = common / static_cast<double>(ours.size()), recall = common / static_cast<double>(theirs.size());
  return {precision, recall, common > 0 ? 2 * precision * recall / (precision + recall) : 0};
}

/// Over several answers: those of the answer with the best F1 (default), or the best of each, which may come from
/// different answers (`independently`, as Rankify).
inline TokenOverlap token_overlap(std::string_view prediction, std::span<const std::string> accepted, bool independently = false,
                                  AnswerText form = AnswerText::without_punctuation) {
  TokenOverlap best;
  for (const std::string& answer : accepted) {
    const TokenOverlap one = token_overlap(prediction, std::string_view(answer), form);
    if (!independently) best = one.f1 > best.f1 ? one : best;
    else best = {std::max(best.precision, one.precision), std::max(best.recall, one.recall), std::max(best.f1, one.f1)};
  }
  return best;
}

/// BLEU-4 of one prediction: the geometric mean of the clipped precisions of 1 .. 4 words in a row, times
/// min(1, e^{1 - r / c}) with c words predicted and r in the answer whose length is nearest (the shorter of two); 0 where
/// any precision is 0. brevity_penalty = false leaves the factor out, as Rankify.
///
/// Source   Papineni, Roukos, Ward, Zhu, BLEU, ACL 2002, eq. for BP and BLEU with N = 4 and equal weights.
inline double bleu(std::string_view prediction, std::span<const std::string> accepted, bool brevity_penalty = true,
                   AnswerText form = AnswerText::without_punctuation) {
  const auto words = answers::words_of(prediction, form);
  std::vector<std::vector<std::string>> references;
  for (const std::string& answer : accepted) references.push_back(answers::words_of(answer, form));
  if (words.size() < 4 || references.empty()) return 0;
  using Counts = std::map<std::vector<std::string>, std::size_t>;
  const auto rows_of = [](const std::vector<std::string>& text, std::size_t length) {
    Counts counts;
    for (auto at = text.begin(); static_cast<std::size_t>(text.end() - at) >= length; ++at)
      ++counts[{at, at + static_cast<std::ptrdiff_t>(length)}];
    return counts;
  };
  double logarithm = 0;
  for (std::size_t length = 1; length <= 4; ++length) {
    Counts most;   // of any one reference
    for (const auto& reference : references)
      for (const auto& [row, count] : rows_of(reference, length)) most[row] = std::max(most[row], count);
    std::size_t clipped = 0;
    for (const auto& [row, count] : rows_of(words, length)) {
      const auto there = most.find(row);
      if (there != most.end()) clipped += std::min(count, there->second);
    }
    if (clipped == 0) return 0;
    logarithm += std::log(static_cast<double>(clipped) / static_cast<double>(words.size() - length + 1)) / 4;
  }
  if (brevity_penalty) {
    const double c = static_cast<double>(words.size());
    double nearest = static_cast<double>(references[0].size());
    for (const auto& reference : references) {
      const double r = static_cast<double>(reference.size()), further = std::abs(nearest - c) - std::abs(r - c);
      if (further > 0 || (further == 0 && r < nearest)) nearest = r;
    }
    logarithm += std::min(0.0, 1 - nearest / c);
  }
  return std::exp(logarithm);
}

}  // namespace rankgrad
