// rankgrad/curriculum/difficulty.hpp: how easy each candidate of a query is, judged by the first stage that found it.
// SPDX-License-Identifier: MIT
//
// Fills ListView::easiness, once, before training: D in [0, 1], high where the first stage thinks the item relevant.
//
//   curriculum::fill_easiness(curriculum::KernelDensity{}, run_scores, D, workspace);            // one query
//   curriculum::fill_easiness(curriculum::KernelDensity{}, run_scores, offsets, D, workspace);   // all queries of a batch
//
// A heuristic is a type with `template <Real T> void operator()(std::span<const T>, std::span<T>, Workspace&) const`; write
// your own. Run scores must be finite; the first that is not is named. Sums and quotients are in double and relative to
// the range of the list, so no finite scores overflow.
//
// Source: MacAvaney et al., Training curricula for open domain answer re-ranking, SIGIR 2020, and its code (OpenNIR).
#pragma once

#include <rankgrad/core/validate.hpp>
#include <rankgrad/simd/ranking.hpp>

#include <algorithm>
#include <cmath>
#include <ranges>

namespace rankgrad::inline RANKGRAD_ABI::curriculum {

/// Lowest and highest of n > 0 values, and where a value stands between them.
struct Range {
  double low = 0, high = 0;

  template <Real T>
  explicit Range(std::span<const T> values) {
    const auto [lowest, highest] = std::minmax_element(values.begin(), values.end());
    low = static_cast<double>(*lowest);
    high = static_cast<double>(*highest);
  }
  bool empty() const { return !(low < high); }
  double width() const { return high - low; }
  /// In [0, 1]; by halves, as high - low may overflow.
  double place(double value) const { return std::clamp((value / 2 - low / 2) / (high / 2 - low / 2), 0.0, 1.0); }
};

/// Which of two items with equal run scores ranks higher. The source sorts by (score, document id) descending: where the
/// items of a list are in ascending order of id, that is `later_first`.
enum class RunTies { earlier_first, later_first };

/// D = 1 / rank in the first stage's list.
struct ReciprocalRank {
  std::uint32_t absent_rank = 1000;   ///< the rank of an item that the first stage did not return
  RunTies ties = RunTies::earlier_first;

  Status check() const {
    return absent_rank > 0 ? Status{} : Status::error("rankgrad: ReciprocalRank.absent_rank is 0; ranks start at 1");
  }
  /// From ranks, 1 = best, 0 = absent.
  template <class Out, class T = std::ranges::range_value_t<Out>>
  void from_ranks(std::span<const std::uint32_t> ranks, Out&& out) const {
    const std::span<T> easiness(out);
    require(check());
    require(rankgrad::detail::check_length("easiness", easiness.size(), ranks.size()));
    for (std::size_t i = 0; i < ranks.size(); ++i) easiness[i] = T(1.0 / static_cast<double>(ranks[i] ? ranks[i] : absent_rank));
  }
  /// From run scores: the list is the first stage's list.
  template <Real T>
  void operator()(std::span<const T> run_scores, std::span<T> out, Workspace& workspace) const {
    const auto frame = workspace.frame();
    const std::size_t n = run_scores.size();
    std::uint32_t* order = workspace.take<std::uint32_t>(n);
    for (std::size_t i = 0; i < n; ++i)
      order[i] = static_cast<std::uint32_t>(ties == RunTies::later_first ? n - 1 - i : i);
    simd::sort_descending(run_scores.data(), order, n, workspace);
    for (std::size_t r = 0; r < n; ++r) out[order[r]] = T(1.0 / static_cast<double>(r + 1));
  }
};

/// D = (r - min r) / (max r - min r) over the list; 0.5 for all where all scores are equal (the source divides by 0).
struct NormalizedScore {
  template <Real T>
  void operator()(std::span<const T> run_scores, std::span<T> out, Workspace&) const {
    if (run_scores.empty()) return;
    const Range range(run_scores);
    for (std::size_t i = 0; i < out.size(); ++i)
      out[i] = range.empty() ? T(0.5) : T(range.place(static_cast<double>(run_scores[i])));
  }
};

/// D = (1/n) sum_j Phi((r - r_j) / h): the distribution function of a Gaussian kernel density of the list's scores, with
/// Scott's h = s n^(-1/5) and the unbiased standard deviation s. 0.5 for all where n < 2 or all scores are equal (the
/// source fails). Exact: O(n^2) time.
struct KernelDensity {
  template <Real T>
  static double bandwidth(std::span<const T> run_scores) {
    if (run_scores.empty()) return 0;
    const Range range(run_scores);
    return range.empty() ? 0 : relative_bandwidth(run_scores, range) * range.width();
  }

  template <Real T>
  void operator()(std::span<const T> run_scores, std::span<T> out, Workspace&) const {
    const std::size_t n = run_scores.size();
    if (n == 0) return;
    const Range range(run_scores);
    if (range.empty()) {
      std::fill(out.begin(), out.end(), T(0.5));
      return;
    }
    const double scale = -0.70710678118654752440 / relative_bandwidth(run_scores, range);
    for (std::size_t i = 0; i < n; ++i) {
      const double here = range.place(static_cast<double>(run_scores[i]));
      double sum = 0;
      for (std::size_t j = 0; j < n; ++j) sum += std::erfc(scale * (here - range.place(static_cast<double>(run_scores[j]))));
      out[i] = T(std::min(1.0, sum / (2 * static_cast<double>(n))));
    }
  }

 private:
  /// h over the width of the range.
  template <Real T>
  static double relative_bandwidth(std::span<const T> run_scores, const Range& range) {
    const double n = static_cast<double>(run_scores.size());
    double mean = 0, squares = 0;
    for (const T r : run_scores) mean += range.place(static_cast<double>(r)) / n;
    for (const T r : run_scores) {
      const double e = range.place(static_cast<double>(r)) - mean;
      squares += e * e;
    }
    return std::sqrt(squares / (n - 1)) * std::pow(n, -0.2);
  }
};

/// The easiness of one list into `out`, which is as long as `run_scores` and is overwritten.
template <class Heuristic, class Out, class T = std::ranges::range_value_t<Out>>
void fill_easiness(const Heuristic& heuristic, std::type_identity_t<std::span<const T>> run_scores, Out&& out,
                   Workspace& workspace) {
  const std::span<T> easiness(out);
  require(validate_parameters(heuristic));
  require(rankgrad::detail::check_length("easiness", easiness.size(), run_scores.size()));
  constexpr T limit = std::numeric_limits<T>::max();
  require(rankgrad::detail::check_values<T>("run_scores", run_scores, {}, -limit, limit));
  heuristic(run_scores, easiness, workspace);
}

/// The easiness of every list of a batch, cut by the batch's offsets.
template <class Heuristic, class Out, class T = std::ranges::range_value_t<Out>>
void fill_easiness(const Heuristic& heuristic, std::type_identity_t<std::span<const T>> run_scores,
                   std::span<const std::uint32_t> offsets, Out&& out, Workspace& workspace) {
  const std::span<T> easiness(out);
  require(validate_parameters(heuristic));
  require(rankgrad::detail::check_length("easiness", easiness.size(), run_scores.size()));
  constexpr T limit = std::numeric_limits<T>::max();
  require(rankgrad::detail::check_values<T>("run_scores", run_scores, {}, -limit, limit));
  require(validate(RaggedBatch<T>{.scores = run_scores, .labels = run_scores, .offsets = offsets}));
  for (std::size_t q = 0; q + 1 < offsets.size(); ++q) {
    const std::size_t first = offsets[q], count = offsets[q + 1] - offsets[q];
    heuristic(run_scores.subspan(first, count), easiness.subspan(first, count), workspace);
  }
}

}  // namespace rankgrad::curriculum
