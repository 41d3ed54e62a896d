// The scalar twins of the list losses: what a competent engineer writes with the standard library alone. Stable forms,
// one exp and one log1p per logistic term, sums of the value in double, scratch kept between calls, no SIMD by hand;
// compiled with the same -march as the library, and free to be vectorised by the compiler. They are compiled twice,
// without and with -ffast-math, each time in a namespace of its own, and see no header of the library.
//
// A twin overwrites gradient[0 .. n) and returns the value, or nothing where the list carries no signal.
// This file: losses of pairs.
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

template <class T>
struct Slope {
  T value, slope;
};

// --- functions of a score difference d = s_i - s_j, item i the better one

struct Logistic {
  template <class T>
  static Slope<T> of(T d) {
    const T e = std::exp(-std::abs(d));
    return {std::max(-d, T(0)) + std::log1p(e), -(d < T(0) ? T(1) : e) / (T(1) + e)};
  }
};
struct Hinge {
  template <class T>
  static Slope<T> of(T d) { return d < T(1) ? Slope<T>{T(1) - d, T(-1)} : Slope<T>{T(0), T(0)}; }
};
struct SquaredHinge {
  template <class T>
  static Slope<T> of(T d) {
    const T v = std::max(T(1) - d, T(0));
    return {v * v, T(-2) * v};
  }
};
struct SoftZeroOne {
  template <class T>
  static Slope<T> of(T d) {
    const T e = std::exp(-std::abs(d)), inverse = T(1) / (T(1) + e), u = d < T(0) ? inverse : e * inverse;
    return {u, -e * inverse * inverse};
  }
};

// --- weights of pairs: prepare() a list, then at<T>(order) is a function of two places in that order

struct Unweighted {
  static constexpr bool mean = true;   ///< divided by the number of pairs?

  template <class T>
  bool prepare(const List<T>&) { return true; }
  template <class T>
  auto at(const std::vector<std::uint32_t>&) const { return [](std::size_t, std::size_t) { return T(1); }; }
};

template <class T>
const T* gather(const std::vector<T>& values, const std::vector<std::uint32_t>& order, std::vector<T>& gathered) {
  gathered.resize(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) gathered[i] = values[order[i]];
  return gathered.data();
}

/// W = (D + 1e-8) (1 - p) + p, D = (1 + easiness_i - easiness_j) / 2.
struct Easiness {
  static constexpr bool mean = true;
  double progress;

  template <class T>
  static std::vector<T>& values(int which) {
    static thread_local std::vector<T> kept[2];
    return kept[which];
  }
  template <class T>
  bool prepare(const List<T>& list) {
    values<T>(0).assign(list.easiness.begin(), list.easiness.end());
    return true;
  }
  template <class T>
  auto at(const std::vector<std::uint32_t>& order) const {
    return [easy = gather(values<T>(0), order, values<T>(1)), p = static_cast<T>(progress)](std::size_t i, std::size_t j) {
      return ((T(1) + easy[i] - easy[j]) / T(2) + T(1e-8)) * (T(1) - p) + p;
    };
  }
};

/// |delta NDCG|: ranks by std::sort, gains and discounts from tables.
struct DeltaNdcg {
  static constexpr bool mean = false;
  std::vector<std::uint32_t> by_score;
  std::vector<double> ideal_gains;

  template <class T>
  static std::vector<T>& values(int which) {   // gain, discount; and both in order
    static thread_local std::vector<T> kept[4];
    return kept[which];
  }
  template <class T>
  bool prepare(const List<T>& list) {
    const std::size_t n = list.size();
    std::vector<T>&gain = values<T>(0), &discount = values<T>(1);
    gain.resize(n), discount.resize(n), by_score.resize(n);
    double ideal = 0;
    ideal_gains.assign(list.labels.begin(), list.labels.end());
    std::sort(ideal_gains.begin(), ideal_gains.end(), std::greater<>());
    for (std::size_t r = 0; r < n; ++r) ideal += (std::exp2(ideal_gains[r]) - 1) / std::log2(static_cast<double>(r + 2));
    if (!(ideal > 0)) return false;
    std::iota(by_score.begin(), by_score.end(), 0u);
    std::sort(by_score.begin(), by_score.end(), [&](auto a, auto b) {
      return list.scores[a] > list.scores[b] || (list.scores[a] == list.scores[b] && a < b);
    });
    for (std::size_t r = 0; r < n; ++r) discount[by_score[r]] = static_cast<T>(1 / std::log2(static_cast<double>(r + 2)));
    for (std::size_t i = 0; i < n; ++i) gain[i] = static_cast<T>((std::exp2(static_cast<double>(list.labels[i])) - 1) / ideal);
    return true;
  }
  template <class T>
  auto at(const std::vector<std::uint32_t>& order) const {
    return [gain = gather(values<T>(0), order, values<T>(2)), discount = gather(values<T>(1), order, values<T>(3))](
               std::size_t i, std::size_t j) { return (gain[i] - gain[j]) * std::abs(discount[i] - discount[j]); };
  }
};

/// NDCG-Loss2: |G_i - G_j| (D(gap) - D(gap + 1)), gap the distance of the two ranks; with Plus that ten times, and |delta NDCG|.
/// In bits.
template <bool Plus>
struct GainAndGap : DeltaNdcg {
  std::vector<std::int32_t> rank, ordered;

  template <class T>
  static std::vector<T>& of_gap() {
    static thread_local std::vector<T> kept;
    return kept;
  }
  template <class T>
  bool prepare(const List<T>& list) {
    const std::size_t n = list.size();
    if (!DeltaNdcg::prepare(list)) return false;
    for (T& gain : values<T>(0)) gain *= static_cast<T>(1 / std::log(2.0));
    rank.resize(n), of_gap<T>().assign(n, T(0));
    for (std::size_t r = 0; r < n; ++r) rank[by_score[r]] = static_cast<std::int32_t>(r);
    for (std::size_t gap = 1; gap < n; ++gap)
      of_gap<T>()[gap] = static_cast<T>(1 / std::log2(static_cast<double>(gap + 1)) - 1 / std::log2(static_cast<double>(gap + 2)));
    return true;
  }
  template <class T>
  auto at(const std::vector<std::uint32_t>& order) {
    return [gain = gather(values<T>(0), order, values<T>(2)), discount = gather(values<T>(1), order, values<T>(3)),
            ranks = gather(rank, order, ordered), delta = of_gap<T>().data()](std::size_t i, std::size_t j) {
      const T near = delta[std::abs(ranks[i] - ranks[j])];
      return (gain[i] - gain[j]) * (Plus ? T(10) * near + std::abs(discount[i] - discount[j]) : near);
    };
  }
};

/// All pairs with y_i > y_j: two loops and a test.
template <class Phi, class Weight = Unweighted>
struct Pairs {
  Weight weight{};
  std::vector<std::uint32_t> order;

  template <class T>
  std::optional<double> operator()(const List<T>& list, T* gradient) {
    const std::size_t n = list.size();
    const T* s = list.scores.data();
    const T* y = list.labels.data();
    std::fill_n(gradient, n, T(0));
    if (!weight.prepare(list)) return {};
    order.resize(n);
    std::iota(order.begin(), order.end(), 0u);
    const auto w = weight.template at<T>(order);
    double total = 0;
    std::size_t pairs = 0;
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j)
        if (y[i] > y[j]) {
          const Slope<T> term = Phi::of(s[i] - s[j]);
          const T omega = w(i, j);
          total += static_cast<double>(omega * term.value);
          gradient[i] += omega * term.slope;
          gradient[j] -= omega * term.slope;
          ++pairs;
        }
    if (pairs == 0) return {};
    const std::size_t divisor = Weight::mean ? pairs : 1;
    for (std::size_t i = 0; i < n; ++i) gradient[i] /= static_cast<T>(divisor);
    return total / static_cast<double>(divisor);
  }
};

/// The same with the list sorted by label first, so that the inner loop has no test and half the length: the form that a
/// compiler can vectorise.
template <class Phi, class Weight = Unweighted>
struct SortedPairs {
  Weight weight{};
  std::vector<std::uint32_t> order;

  template <class T>
  std::optional<double> operator()(const List<T>& list, T* gradient) {
    const std::size_t n = list.size();
    std::fill_n(gradient, n, T(0));
    if (!weight.prepare(list)) return {};
    order.resize(n);
    std::iota(order.begin(), order.end(), 0u);
    std::sort(order.begin(), order.end(), [&](auto a, auto b) { return list.labels[a] > list.labels[b]; });
    const auto w = weight.template at<T>(order);
    static thread_local std::vector<T> scores, labels, slopes;
    scores.resize(n), labels.resize(n), slopes.assign(n, T(0));
    for (std::size_t i = 0; i < n; ++i) scores[i] = list.scores[order[i]], labels[i] = list.labels[order[i]];
    const T *s = scores.data(), *y = labels.data();
    T* __restrict g = slopes.data();
    double total = 0;
    std::size_t pairs = 0;
    for (std::size_t i = 0, worse = 0; i < n; ++i) {
      while (worse < n && y[worse] == y[i]) ++worse;
      T row(0), row_value(0);
      for (std::size_t j = worse; j < n; ++j) {
        const Slope<T> term = Phi::of(s[i] - s[j]);
        const T omega = w(i, j), pull = omega * term.slope;
        row_value += omega * term.value;
        row += pull;
        g[j] -= pull;
      }
      total += static_cast<double>(row_value);
      g[i] += row;
      pairs += n - worse;
    }
    if (pairs == 0) return {};
    const std::size_t divisor = Weight::mean ? pairs : 1;
    for (std::size_t i = 0; i < n; ++i) gradient[order[i]] = slopes[i] / static_cast<T>(divisor);
    return total / static_cast<double>(divisor);
  }
};

}  // namespace bench::RANKGRAD_TWINS
