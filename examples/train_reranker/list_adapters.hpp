// train_reranker/list_adapters.hpp: losses on comparisons and on similarity matrices, put to work on lists of candidates.
// SPDX-License-Identifier: MIT
//
// Each adapter is a loss of its own: it shapes a list into the view that the inner loss takes, calls it, and hands the
// derivatives back. BatchEvaluator then needs to know nothing of it.
#pragma once

#include <rankgrad/bradley_terry/comparisons.hpp>
#include <rankgrad/core/random.hpp>
#include <rankgrad/triplet/triplet_log_sum_exp.hpp>

#include <algorithm>

namespace reranker {

/// A loss on comparisons (Bradley-Terry and its kin): every two candidates of a list are compared once; the higher label
/// wins, equal labels tie. Of a list with more than `most` pairs, that many are drawn.
template <class L>
struct OnComparisons {
  static constexpr std::string_view name = L::name;
  static constexpr rankgrad::Curvature curvature = L::curvature;

  L loss{};
  std::size_t most = 4096;
  std::uint64_t seed = 0;

  rankgrad::Status check() const { return rankgrad::validate_parameters(loss); }

  template <rankgrad::Real T>
  rankgrad::Contribution<T> value_and_gradient(rankgrad::ListView<T> list, rankgrad::GradientSink<T> out,
                                               rankgrad::Workspace& workspace) const {
    const std::size_t n = rankgrad::checked_size(list), all = n * (n - std::min<std::size_t>(n, 1)) / 2, m = std::min(all, most);
    if (m == 0) return {};
    const auto frame = workspace.frame();
    const std::span first(workspace.take<std::uint32_t>(m), m), second(workspace.take<std::uint32_t>(m), m);
    const std::span outcome(workspace.take<rankgrad::Outcome>(m), m);
    const std::span weights(workspace.take<T>(m), m);
    const auto compare = [&](std::size_t c, std::size_t i, std::size_t j) {
      first[c] = static_cast<std::uint32_t>(i);
      second[c] = static_cast<std::uint32_t>(j);
      outcome[c] = list.labels[i] > list.labels[j]   ? rankgrad::Outcome::first
                   : list.labels[i] < list.labels[j] ? rankgrad::Outcome::second
                                                     : rankgrad::Outcome::tie;
      weights[c] = list.weight(i) * list.weight(j);
    };
    if (m == all) {
      std::size_t c = 0;
      for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = i + 1; j < n; ++j) compare(c++, i, j);
    } else {
      rankgrad::Random random(seed, list.index);
      for (std::size_t c = 0; c < m; ++c) {
        const std::size_t i = random.below(n), j = random.below(n - 1);
        compare(c, i, j + (j >= i));
      }
    }
    rankgrad::ComparisonView<T> view;
    view.scores = list.scores;
    view.first = first;
    view.second = second;
    view.outcome = outcome;
    view.weights = weights;
    return loss.value_and_gradient(view, out, workspace);
  }
};

/// A loss on similarity matrices (triplet log-sum-exp), rows only. One list is one query: its scores are its similarities,
/// the same in every row, and a row is the view of one anchor. Each grade above the lowest gives an anchor: candidates of
/// that grade or a higher one are its positives, all others its negatives. The value is the mean over the grades.
template <class L>
struct OnSimilarities {
  static constexpr std::string_view name = L::name;
  static constexpr rankgrad::Curvature curvature = L::curvature;

  L loss{};

  rankgrad::Status check() const { return rankgrad::validate_parameters(loss); }

  template <rankgrad::Real T>
  rankgrad::Contribution<T> value_and_gradient(rankgrad::ListView<T> list, rankgrad::GradientSink<T> out,
                                               rankgrad::Workspace& workspace) const {
    const std::size_t n = rankgrad::checked_size(list);
    if (n < 2) return {};
    const auto frame = workspace.frame();
    T* grades = workspace.take<T>(n);
    std::copy(list.labels.begin(), list.labels.end(), grades);
    std::sort(grades, grades + n);
    const T* last = std::unique(grades, grades + n);
    const auto anchors = static_cast<std::size_t>(last - grades) - 1;   // none for the lowest grade
    if (anchors == 0) return {};

    T* similarity = workspace.take<T>(n * n);
    for (std::size_t i = 0; i < n; ++i) std::copy(list.scores.begin(), list.scores.end(), similarity + i * n);
    const std::span ids(workspace.take<std::int64_t>(n), n);
    T* weights = workspace.take<T>(n);
    T* gradient = workspace.take<T>(n * n);
    rankgrad::Contribution<T> total{T(0), true};
    for (std::size_t g = 1; g <= anchors; ++g) {
      std::size_t anchor = n;
      for (std::size_t i = 0; i < n; ++i) {
        const bool positive = list.labels[i] >= grades[g];
        ids[i] = positive ? 1 : 0;
        if (positive && anchor == n) anchor = i;
      }
      std::fill_n(weights, n, T(0));
      std::fill_n(gradient, n * n, T(0));
      weights[anchor] = T(1);
      const rankgrad::SimilarityView<T> view{std::span<const T>(similarity, n * n), ids, std::span<const T>(weights, n), {}};
      const T share = T(1) / T(anchors);
      total.value += share * loss.value_and_gradient(view, rankgrad::GradientSink<T>{gradient}, workspace).value;
      for (std::size_t j = 0; j < n; ++j) out.add(j, share * gradient[anchor * n + j]);
    }
    return total;
  }
};

}  // namespace reranker
