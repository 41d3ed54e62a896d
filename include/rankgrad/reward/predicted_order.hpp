// rankgrad/reward/predicted_order.hpp: rewards and recall of a ranking that a model wrote down as a list of ids, and its repair.
// SPDX-License-Identifier: MIT
//
// Ids are 1-based, 1 .. candidates; a model may write any others, too many, or too few (reward/tagged_answer.hpp reads them).
#pragma once

#include <rankgrad/core/check_offsets.hpp>
#include <rankgrad/core/validate.hpp>
#include <rankgrad/core/workspace.hpp>

#include <cmath>

namespace rankgrad::inline RANKGRAD_ABI::reward {

/// Is the answer a list of the right length, of ids that exist?
///
///   r = (T - |m - T|) / T  *  #{id in the list: 1 <= id <= T} / m         T candidates, m ids
///
/// 0 where the reply could not be read, or names nothing. At most 1; below 0 where m > 2 T. An id that stands there twice is not
/// punished.
///
/// Source   MM-R5 (arXiv 2506.12364), and its code.
inline double order_format(std::span<const std::uint32_t> predicted, std::size_t candidates, bool parsed = true) {
  if (!parsed || predicted.empty() || candidates == 0) return 0;
  const double m = static_cast<double>(predicted.size()), all = static_cast<double>(candidates);
  std::size_t known = 0;
  for (const std::uint32_t id : predicted) known += id >= 1 && id <= candidates;
  return (all - std::abs(m - all)) / all * (static_cast<double>(known) / m);
}

/// A DCG with a steep discount over its ideal:
///
///   r = sum_{p relevant, in the list} pos(p)^-c  /  sum_{i = 1 .. P} i^-c         pos: the rank where p stands first
///
/// A relevant candidate that is missing adds nothing, and stays in the ideal. In [0, 1]; 0 where nothing is relevant.
///
/// Parameters  exponent c > 0: 3, so that rank 2 is worth 1/8 of rank 1 and rank 3 1/27: neither reciprocal rank nor NDCG.
/// Cost        O(P m): lists that a language model writes are short.
/// Source      MM-R5 (arXiv 2506.12364), and its code; the sum of this and order_format() is its reward.
struct OrderGain {
  double exponent = 3;

  Status check() const { return check_parameter("OrderGain.exponent", exponent, 0); }

  /// `relevant`: each id once.
  double operator()(std::span<const std::uint32_t> predicted, std::span<const std::uint32_t> relevant) const {
    require(check());
    double gain = 0, ideal = 0;
    for (std::size_t i = 0; i < relevant.size(); ++i) {
      ideal += std::pow(static_cast<double>(i + 1), -exponent);
      std::size_t place = 0;
      while (place < predicted.size() && predicted[place] != relevant[i]) ++place;
      if (place < predicted.size()) gain += std::pow(static_cast<double>(place + 1), -exponent);
    }
    return relevant.empty() ? 0 : gain / ideal;
  }
};

/// The ranking of all candidates, order.size() of them, that a predicted list stands for: ids out of range and repeated ids are
/// dropped, candidates that are missing follow in ascending order. Nothing readable: the order that the candidates had.
/// Source   MM-R5 (arXiv 2506.12364), and its code, which keeps repeated ids.
inline void repair_order(std::span<const std::uint32_t> predicted, std::span<std::uint32_t> order, Workspace& workspace) {
  const auto frame = workspace.frame();
  const std::size_t candidates = order.size();
  std::uint8_t* seen = workspace.take<std::uint8_t>(candidates + 1, std::uint8_t{0});
  std::size_t next = 0;
  const auto append = [&](std::uint32_t id) {
    if (id < 1 || id > candidates || seen[id]) return;
    seen[id] = 1;
    order[next++] = id;
  };
  for (const std::uint32_t id : predicted) append(id);
  for (std::size_t id = 1; id <= candidates; ++id) append(static_cast<std::uint32_t>(id));
}

/// Recall@k of a predicted list: the part of the relevant ids (each given once) that its first k places name; k = 0: all places.
/// 0 where nothing is relevant. For scores there is the metric Recall.
inline double order_recall(std::span<const std::uint32_t> predicted, std::span<const std::uint32_t> relevant, std::size_t k) {
  const std::size_t places = k == 0 ? predicted.size() : std::min(k, predicted.size());
  std::size_t found = 0;
  for (const std::uint32_t id : relevant) {
    std::size_t place = 0;
    while (place < places && predicted[place] != id) ++place;
    found += place < places;
  }
  return relevant.empty() ? 0 : static_cast<double>(found) / static_cast<double>(relevant.size());
}

/// The mean over all questions.
inline double micro_mean(std::span<const double> values) {
  double sum = 0;
  for (const double v : values) sum += v;
  return values.empty() ? 0 : sum / static_cast<double>(values.size());
}
/// The mean over the groups of the means within them, a group being the questions on one document or domain, side by side;
/// empty groups are left out. What the source groups by is reconstructed from the abstract and the literature, not checked
/// against the source.
inline double macro_mean(std::span<const double> values, std::span<const std::uint32_t> group_offsets) {
  require(rankgrad::detail::check_offsets("group_offsets", group_offsets, values.size(), "values"));
  double sum = 0, groups = 0;
  for (std::size_t q = 0; q + 1 < group_offsets.size(); ++q) {
    const std::size_t first = group_offsets[q], count = group_offsets[q + 1] - group_offsets[q];
    if (count == 0) continue;
    sum += micro_mean(values.subspan(first, count));
    ++groups;
  }
  return groups > 0 ? sum / groups : 0;
}

}  // namespace rankgrad::reward
