// Literal definitions of the pairwise losses.
#pragma once

#include "properties/every_loss.hpp"

#include <rankgrad/pairwise/hinge.hpp>
#include <rankgrad/pairwise/lambdarank.hpp>
#include <rankgrad/pairwise/ranknet.hpp>

namespace test {

/// sum over y_i > y_j of w_i w_j omega(i, j) phi(s_i - s_j), over the weight of the pairs for a mean.
template <class Phi, class Omega>
long double pair_sum(const Definition& list, rg::Normalize normalize, Phi phi, Omega omega) {
  long double total = 0, weight = 0;
  for (std::size_t i = 0; i < list.size(); ++i)
    for (std::size_t j = 0; j < list.size(); ++j)
      if (list.labels[i] > list.labels[j]) {
        const long double w = list.weights[i] * list.weights[j];
        weight += w;
        total += w * omega(i, j) * phi(list.scores[i] - list.scores[j]);
      }
  if (!(weight > 0)) return 0;
  return normalize == rg::Normalize::mean ? total / weight : total;
}
inline constexpr auto no_omega = [](std::size_t, std::size_t) { return 1.0L; };

template <>
struct Oracle<rg::RankNet> {
  static std::vector<rg::RankNet> instances() { return {{}, {.sigma = 2.5, .normalize = rg::Normalize::sum}}; }
  static constexpr Traits traits{.shift_invariant = true, .weights_duplicate = true, .exact_curvature = true};
  static long double value(const rg::RankNet& loss, const Definition& list) {
    return pair_sum(list, loss.normalize, [&](long double d) { return softplus(-loss.sigma * d); }, no_omega);
  }
};

template <>
struct Oracle<rg::Hinge> {
  static std::vector<rg::Hinge> instances() { return {{}, {.margin = 0.3, .normalize = rg::Normalize::sum}}; }
  static constexpr Traits traits{.shift_invariant = true, .smooth = false, .weights_duplicate = true};
  static long double value(const rg::Hinge& loss, const Definition& list) {
    return pair_sum(list, loss.normalize, [&](long double d) { return std::max(0.0L, loss.margin - d); }, no_omega);
  }
};

template <>
struct Oracle<rg::SquaredHinge> {
  static std::vector<rg::SquaredHinge> instances() { return {{}, {.margin = 0.3, .normalize = rg::Normalize::sum}}; }
  static constexpr Traits traits{.shift_invariant = true, .smooth = false, .weights_duplicate = true};
  static long double value(const rg::SquaredHinge& loss, const Definition& list) {
    return pair_sum(list, loss.normalize, [&](long double d) { const long double v = std::max(0.0L, loss.margin - d); return v * v; }, no_omega);
  }
};

template <>
struct Oracle<rg::LambdaRank> {
  static std::vector<rg::LambdaRank> instances() {
    return {{}, {.sigma = 0.5, .k = 5}, {.k = 10, .gain = rg::Gain::linear, .normalize = rg::Normalize::mean}};
  }
  static constexpr Traits traits{.shift_invariant = true, .smooth = false, .permutation = true};
  static long double value(const rg::LambdaRank& loss, const Definition& list) {
    const std::size_t n = list.size(), top = loss.k ? std::min(loss.k, n) : n;
    const auto gain = [&](std::size_t i) { return loss.gain == rg::Gain::linear ? list.labels[i] : exp2l(list.labels[i]) - 1; };
    const auto discount = [&](std::size_t rank) { return rank <= top ? 1 / log2l(1 + static_cast<long double>(rank)) : 0.0L; };
    std::vector<std::size_t> by_label(n);
    std::iota(by_label.begin(), by_label.end(), std::size_t{0});
    std::stable_sort(by_label.begin(), by_label.end(), [&](auto a, auto b) { return list.labels[a] > list.labels[b]; });
    long double ideal = 0;
    for (std::size_t r = 0; r < n; ++r) ideal += gain(by_label[r]) * discount(r + 1);
    if (!(ideal > 0)) return 0;
    const auto rank = [&](std::size_t i) {
      std::size_t r = 1;
      for (std::size_t j = 0; j < n; ++j) r += list.scores[j] > list.scores[i] || (list.scores[j] == list.scores[i] && j < i);
      return r;
    };
    return pair_sum(list, loss.normalize, [&](long double d) { return softplus(-loss.sigma * d); },
                    [&](std::size_t i, std::size_t j) { return fabsl(gain(i) - gain(j)) * fabsl(discount(rank(i)) - discount(rank(j))) / ideal; });
  }
};

}  // namespace test
