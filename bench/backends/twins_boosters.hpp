// LambdaRank as the two large boosting libraries lay out its loop: written from a description of their objectives, not
// from their code. Items of a query by descending score through an index array; per pair two indirect reads, a branch on
// the labels, table look-ups, scattered sums in float. Their optional parts (normalisation by the score gap and by the sum
// of the lambdas, position bias, the cut-off) are off, so that both compute the gradient that the others compute; neither
// computes a value, and both write a curvature.
#pragma once

#include "support/problem.hpp"

#include <cmath>
#include <limits>
#include <numeric>
#include <optional>

namespace bench::RANKGRAD_TWINS {

/// What both look up: the order by score, gains by grade, discounts by rank, the inverse of the ideal DCG.
struct RankedQuery {
  std::vector<std::uint32_t> order;
  std::vector<double> gain_of_grade, discount;
  double inverse_ideal = 0;

  template <class T>
  bool prepare(const List<T>& list) {
    const std::size_t n = list.size();
    while (gain_of_grade.size() < 32) gain_of_grade.push_back(std::exp2(static_cast<double>(gain_of_grade.size())) - 1);
    while (discount.size() < n) discount.push_back(1 / std::log2(static_cast<double>(discount.size() + 2)));
    std::size_t count[32] = {};
    for (const T label : list.labels) ++count[static_cast<std::size_t>(label)];
    double ideal = 0;
    for (std::size_t g = 32, r = 0; g-- > 0;)
      for (std::size_t i = 0; i < count[g]; ++i) ideal += gain_of_grade[g] * discount[r++];
    if (!(ideal > 0)) return false;
    inverse_ideal = 1 / ideal;
    order = std::vector<std::uint32_t>(n);   // anew for each query, as there
    std::iota(order.begin(), order.end(), 0u);
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return list.scores[a] > list.scores[b]; });
    return true;
  }
};

/// LightGBM: scores in double, the sigmoid from a table of 2^20 entries (8 MiB) over [-50, 50], gradient and curvature in
/// two float arrays.
struct LightGbmLike {
  static constexpr std::size_t bins = std::size_t{1} << 20;
  static constexpr double reach = 50, factor = static_cast<double>(bins) / (2 * reach);
  RankedQuery query;
  std::vector<double> table, scores;
  std::vector<float> hessian;

  double sigmoid(double x) const {   // of -x: how likely the pair is in the wrong order
    if (x <= -reach) return table.front();
    if (x >= reach) return table.back();
    return table[static_cast<std::size_t>((x + reach) * factor)];
  }

  template <class T>
  std::optional<double> operator()(const List<T>& list, T* gradient) {
    const std::size_t n = list.size();
    while (table.size() < bins) table.push_back(1 / (1 + std::exp(static_cast<double>(table.size()) / factor - reach)));
    std::fill_n(gradient, n, T(0));
    hessian.assign(n, 0.0F);
    scores.assign(list.scores.begin(), list.scores.end());
    if (!query.prepare(list)) return {};
    for (std::size_t a = 0; a < n; ++a)
      for (std::size_t b = a + 1; b < n; ++b) {
        const std::uint32_t up = query.order[a], down = query.order[b];
        if (list.labels[up] == list.labels[down]) continue;
        const bool right = list.labels[up] > list.labels[down];
        const std::uint32_t high = right ? up : down, low = right ? down : up;
        const double gain = query.gain_of_grade[static_cast<std::size_t>(list.labels[high])] -
                            query.gain_of_grade[static_cast<std::size_t>(list.labels[low])];
        const double delta = gain * std::fabs(query.discount[a] - query.discount[b]) * query.inverse_ideal;
        const double p = sigmoid(scores[high] - scores[low]), lambda = -delta * p, curvature = delta * p * (1 - p);
        gradient[high] += static_cast<T>(lambda);
        gradient[low] -= static_cast<T>(lambda);
        hessian[high] += static_cast<float>(curvature);
        hessian[low] += static_cast<float>(curvature);
      }
    return std::numeric_limits<double>::quiet_NaN();
  }
};

/// XGBoost: a sigmoid per pair in float, gradient and curvature side by side in an array of structures.
struct XgBoostLike {
  struct GradientPair {
    float gradient, hessian;
  };
  RankedQuery query;
  std::vector<GradientPair> pairs;

  template <class T>
  std::optional<double> operator()(const List<T>& list, T* gradient) {
    const std::size_t n = list.size();
    std::fill_n(gradient, n, T(0));
    pairs.assign(n, {0.0F, 0.0F});
    if (!query.prepare(list)) return {};
    for (std::size_t a = 0; a < n; ++a)
      for (std::size_t b = a + 1; b < n; ++b) {
        std::uint32_t high = query.order[a], low = query.order[b];
        if (list.labels[high] == list.labels[low]) continue;
        if (list.labels[high] < list.labels[low]) std::swap(high, low);
        const double gain = query.gain_of_grade[static_cast<std::size_t>(list.labels[high])] -
                            query.gain_of_grade[static_cast<std::size_t>(list.labels[low])];
        const double delta = gain * std::fabs(query.discount[a] - query.discount[b]) * query.inverse_ideal;
        const float difference = static_cast<float>(list.scores[high]) - static_cast<float>(list.scores[low]);
        const float p = 1.0F / (1.0F + std::exp(-difference));
        const double lambda = (static_cast<double>(p) - 1) * delta;
        const double curvature = std::max(static_cast<double>(p * (1.0F - p)), 1e-16) * delta * 2;
        pairs[high].gradient += static_cast<float>(lambda);
        pairs[high].hessian += static_cast<float>(curvature);
        pairs[low].gradient -= static_cast<float>(lambda);
        pairs[low].hessian += static_cast<float>(curvature);
      }
    for (std::size_t i = 0; i < n; ++i) gradient[i] = static_cast<T>(pairs[i].gradient);
    return std::numeric_limits<double>::quiet_NaN();
  }
};

}  // namespace bench::RANKGRAD_TWINS
