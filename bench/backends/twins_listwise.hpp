// Scalar twins, see backends/twins_pairwise.hpp: pointwise and softmax losses, ListMLE, NDCG.
#pragma once

#include "support/problem.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <numeric>
#include <optional>
#include <span>
#include <vector>

namespace bench::RANKGRAD_TWINS {

struct SigmoidCrossEntropy {
  template <class T>
  std::optional<double> operator()(const List<T>& list, T* gradient) {
    const std::size_t n = list.size();
    if (n == 0) return {};
    const T inverse = T(1) / static_cast<T>(n);
    double total = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const T s = list.scores[i], y = std::clamp(list.labels[i], T(0), T(1)), e = std::exp(-std::abs(s));
      total += static_cast<double>(std::max(s, T(0)) - s * y + std::log1p(e));
      gradient[i] = inverse * ((s < T(0) ? e : T(1)) / (T(1) + e) - y);
    }
    return total / static_cast<double>(n);
  }
};

struct MeanSquaredError {
  template <class T>
  std::optional<double> operator()(const List<T>& list, T* gradient) {
    const std::size_t n = list.size();
    if (n == 0) return {};
    const T twice = T(2) / static_cast<T>(n);
    double total = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const T e = list.scores[i] - list.labels[i];
      total += static_cast<double>(e * e);
      gradient[i] = twice * e;
    }
    return total / static_cast<double>(n);
  }
};

/// probabilities[i] = exp(x_i - max) / sum; returns max + log(sum).
template <class T>
T softmax(std::span<const T> x, T* probabilities) {
  const T top = *std::max_element(x.begin(), x.end());
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    probabilities[i] = std::exp(x[i] - top);
    sum += static_cast<double>(probabilities[i]);
  }
  const T inverse = static_cast<T>(1 / sum);
  for (std::size_t i = 0; i < x.size(); ++i) probabilities[i] *= inverse;
  return top + static_cast<T>(std::log(sum));
}

struct Softmax {
  template <class T>
  std::optional<double> operator()(const List<T>& list, T* gradient) {
    const std::size_t n = list.size();
    double weight = 0;
    for (std::size_t i = 0; i < n; ++i) weight += static_cast<double>(list.labels[i]);
    if (!(weight > 0)) {
      std::fill_n(gradient, n, T(0));
      return {};
    }
    const T log_sum = softmax(list.scores, gradient);
    double total = 0;
    for (std::size_t i = 0; i < n; ++i) {
      total += static_cast<double>(list.labels[i] * (log_sum - list.scores[i]));
      gradient[i] = static_cast<T>(weight) * gradient[i] - list.labels[i];
    }
    return total;
  }
};

struct ListNet {
  template <class T>
  std::optional<double> operator()(const List<T>& list, T* gradient) {
    const std::size_t n = list.size();
    if (n == 0) return {};
    static thread_local std::vector<T> target;
    target.resize(n);
    softmax(list.labels, target.data());
    const T log_sum = softmax(list.scores, gradient);
    double total = 0;
    for (std::size_t i = 0; i < n; ++i) {
      total += static_cast<double>(target[i] * (log_sum - list.scores[i]));
      gradient[i] -= target[i];
    }
    return total;
  }
};

/// ListMLE by two scans of log(e^a + e^b), in double: a float scan loses digits with the length of the list.
struct ListMle {
  std::vector<std::uint32_t> order;
  std::vector<double> log_sum;

  static double log_add(double a, double b) { return std::max(a, b) + std::log1p(std::exp(-std::abs(a - b))); }

  template <class T>
  std::optional<double> operator()(const List<T>& list, T* gradient) {
    const std::size_t n = list.size();
    if (n < 2) {
      std::fill_n(gradient, n, T(0));
      return {};
    }
    order.resize(n), log_sum.resize(n);
    std::iota(order.begin(), order.end(), 0u);
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return list.labels[a] > list.labels[b]; });
    const auto score = [&](std::size_t k) { return static_cast<double>(list.scores[order[k]]); };
    double total = 0, below = score(n - 1);
    log_sum[n - 1] = below;
    for (std::size_t k = n - 1; k-- > 0;) {
      below = log_add(below, score(k));
      log_sum[k] = below;
      total += below - score(k);
    }
    double above = -log_sum[0];   // log sum_{i <= k} 1 / Z_i
    for (std::size_t k = 0; k < n; ++k) {
      if (k > 0) above = log_add(above, -log_sum[k]);
      gradient[order[k]] = static_cast<T>(std::exp(score(k) + above) - 1);
    }
    return total;
  }
};

/// NDCG: std::sort by score, std::sort by label, gains and discounts as they are met.
struct Ndcg {
  std::vector<std::uint32_t> order;

  template <class T>
  std::optional<double> operator()(const List<T>& list, T*) {
    const std::size_t n = list.size();
    if (n == 0) return {};
    order.resize(n);
    const auto gain = [&](std::vector<std::uint32_t>& by) {
      double total = 0;
      for (std::size_t r = 0; r < n; ++r)
        total += (std::exp2(static_cast<double>(list.labels[by[r]])) - 1) / std::log2(static_cast<double>(r + 2));
      return total;
    };
    std::iota(order.begin(), order.end(), 0u);
    std::sort(order.begin(), order.end(), [&](auto a, auto b) { return list.labels[a] > list.labels[b]; });
    const double ideal = gain(order);
    if (!(ideal > 0)) return 0.0;
    std::iota(order.begin(), order.end(), 0u);
    std::sort(order.begin(), order.end(), [&](auto a, auto b) { return list.scores[a] > list.scores[b]; });
    return gain(order) / ideal;
  }
};

/// ApproxNDCG at temperature 1: the sigmoids of a row for its rank, and again for its pulls on all others.
struct ApproxNdcg {
  std::vector<double> gains;

  template <class T>
  std::optional<double> operator()(const List<T>& list, T* gradient) {
    const std::size_t n = list.size();
    std::fill_n(gradient, n, T(0));
    gains.clear();
    for (const T y : list.labels) gains.push_back(std::exp2(static_cast<double>(y)) - 1);
    std::sort(gains.begin(), gains.end(), std::greater<>());
    double ideal = 0, total = 0;
    for (std::size_t r = 0; r < n; ++r) ideal += gains[r] / std::log2(2 + static_cast<double>(r));
    if (!(ideal > 0)) return {};
    const auto sigmoid = [&](std::size_t j, std::size_t i) { return T(1) / (T(1) + std::exp(list.scores[i] - list.scores[j])); };
    for (std::size_t i = 0; i < n; ++i) {
      const double gain = (std::exp2(static_cast<double>(list.labels[i])) - 1) / ideal;
      if (gain == 0) continue;
      double rank = 0.5;
      for (std::size_t j = 0; j < n; ++j) rank += static_cast<double>(sigmoid(j, i));
      const double y = 1 + rank, log = std::log(y);
      total -= gain * std::log(2.0) / log;
      const T c = static_cast<T>(gain * std::log(2.0) / (y * log * log));
      T own = 0;
      for (std::size_t j = 0; j < n; ++j) {
        const T s = sigmoid(j, i), pull = j == i ? T(0) : c * s * (T(1) - s);
        gradient[j] += pull;
        own += pull;
      }
      gradient[i] -= own;
    }
    return total;
  }
};

}  // namespace bench::RANKGRAD_TWINS
