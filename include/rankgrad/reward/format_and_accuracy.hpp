// rankgrad/reward/format_and_accuracy.hpp: a point for an answer in the right form, another for the right answer.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/reward/tagged_answer.hpp>

namespace rankgrad::inline RANKGRAD_ABI::reward {

/// r = format [the reply is well formed] + accuracy [it is, and it is right]
///
/// The warm-up of a model that shall answer with one digit, "0" or "1", and nothing else.
///
/// Parameters  format, accuracy: 1 each, our choice.
/// Source      ProRank (arXiv 2506.03487), prompt warm-up; reconstructed from the abstract and the literature, not checked
///             against the source.
struct FormatAndAccuracy {
  double format = 1;
  double accuracy = 1;

  /// For output sets of your own. A name, as an overload for two bools would also take a reply.
  constexpr double points(bool well_formed, bool right) const { return well_formed ? format + (right ? accuracy : 0) : 0; }

  /// From the reply, without surrounding spaces: well formed is exactly "0" or "1", right is the label.
  constexpr double operator()(std::string_view reply, bool relevant) const {
    const std::string_view text = trimmed(reply);
    const bool well_formed = text.size() == 1 && (text[0] == '0' || text[0] == '1');
    return points(well_formed, well_formed && (text[0] == '1') == relevant);
  }
};

}  // namespace rankgrad::reward
