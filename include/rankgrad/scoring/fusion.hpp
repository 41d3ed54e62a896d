// rankgrad/scoring/fusion.hpp: one score from two, of one query: by standardised scores, by scores between 0 and 1, by ranks.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/validate.hpp>
#include <rankgrad/core/workspace.hpp>
#include <rankgrad/simd/ranking.hpp>

#include <cmath>

namespace rankgrad::inline RANKGRAD_ABI::scoring {

/// z = (s - mean s) / std s over the query; 0 for all where all scores are equal. Any finite scores: nothing overflows.
/// unbiased: divide the sum of squares by n - 1 instead of n (the source does not say).
struct Standardize {
  bool unbiased = false;

  template <Real T>
  void operator()(std::span<const T> scores, double* out) const {
    const std::size_t n = scores.size();
    double largest = 0, mean = 0, squares = 0;
    for (const T s : scores) largest = std::max(largest, std::abs(static_cast<double>(s)));
    int exponent = 0;   // a power of two, which rounds nothing
    std::frexp(largest, &exponent);
    for (std::size_t i = 0; i < n; ++i) {   // Welford: equal scores have spread 0 exactly
      out[i] = std::ldexp(static_cast<double>(scores[i]), -exponent);
      const double away = out[i] - mean;
      mean += away / static_cast<double>(i + 1);
      squares += away * (out[i] - mean);
    }
    const double divisor = static_cast<double>(n) - (unbiased ? 1 : 0);
    const double deviation = squares > 0 ? std::sqrt(squares / divisor) : 0;
    for (std::size_t i = 0; i < n; ++i) out[i] = deviation > 0 ? (out[i] - mean) / deviation : 0;
  }
};

/// (s - min s) / (max s - min s) over the query; 0.5 for all where all scores are equal, as in curriculum::NormalizedScore.
struct MinMax {
  template <Real T>
  void operator()(std::span<const T> scores, double* out) const {
    if (scores.empty()) return;
    const auto [least, most] = std::minmax_element(scores.begin(), scores.end());
    const double low = static_cast<double>(*least) / 2, width = static_cast<double>(*most) / 2 - low;   // halves do not overflow
    for (std::size_t i = 0; i < scores.size(); ++i) out[i] = width > 0 ? (static_cast<double>(scores[i]) / 2 - low) / width : 0.5;
  }
};

/// fused_i = weight N(first)_i + (1 - weight) N(second)_i with N = Standardize or MinMax over the query's items.
///
///   fuse(Standardize{}, bm25, rerank, 0.2, fused, workspace)    ERank (arXiv 2509.00520): 0.2 BM25, 0.8 reranker
///   fuse(MinMax{}, bm25, dense, 0.5, fused, workspace)          GroupRank (arXiv 2511.11653): first stage, half and half
///
/// Errors   sizes, a score that is not finite, a weight outside [0, 1], at the door.
template <class Normalization, Real T>
void fuse(const Normalization& normalization, std::span<const T> first, std::type_identity_t<std::span<const T>> second,
          double weight, std::type_identity_t<std::span<T>> fused, Workspace& workspace) {
  const std::size_t n = first.size();
  constexpr T limit = std::numeric_limits<T>::max();
  require(rankgrad::detail::check_length("second", second.size(), n));
  require(rankgrad::detail::check_length("fused", fused.size(), n));
  require(check_parameter_between("weight", weight, 0, 1));
  require(rankgrad::detail::check_values<T>("first", first, {}, -limit, limit));
  require(rankgrad::detail::check_values<T>("second", second, {}, -limit, limit));
  const auto frame = workspace.frame();
  double *a = workspace.take<double>(n), *b = workspace.take<double>(n);
  normalization(first, a);
  normalization(second, b);
  for (std::size_t i = 0; i < n; ++i) fused[i] = static_cast<T>(weight * a[i] + (1 - weight) * b[i]);
}

/// fused_i = -weight log(rank of i by first) - (1 - weight) log(rank of i by second): at most 0, and 0 for what both rank first.
/// Made labels for lists from a point-wise and a list-wise judge.
///
/// Ties        equal scores: the first in the list ranks higher.
/// Parameters  weight of the first, 0.5 (GroupRank's released script: 0.6 point-wise, 0.4 list-wise).
/// Errors      as fuse().
/// Source      GroupRank (arXiv 2511.11653, version 3), label fusion.
template <Real T>
void fuse_ranks(std::span<const T> first, std::type_identity_t<std::span<const T>> second, double weight,
                std::type_identity_t<std::span<T>> fused, Workspace& workspace) {
  fuse([&](std::span<const T> scores, double* out) {
    const std::size_t n = scores.size();
    const auto frame = workspace.frame();
    std::uint32_t* order = workspace.take<std::uint32_t>(n);
    simd::rank_descending(scores.data(), order, n, workspace);
    for (std::size_t r = 0; r < n; ++r) out[order[r]] = -std::log(static_cast<double>(r + 1));
  }, first, second, weight, fused, workspace);
}

}  // namespace rankgrad::scoring
