// The scalar twins of the list losses: what a competent engineer writes with the standard library alone. Stable forms,
// one exp and one log1p per logistic term, sums of the value in double, scratch kept between calls, no SIMD by hand;
// compiled with the same flags as the library, and free to be vectorised by the compiler.
//
// A twin overwrites gradient[0 .. n) and returns the value, or nothing where the list carries no signal.
#pragma once

#include <rankgrad/core/list_view.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <numeric>
#include <optional>
#include <span>
#include <vector>

namespace bench::twin {

namespace rg = rankgrad;

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

/// The mean over all pairs with y_i > y_j: two loops and a test.
template <class Phi>
struct Pairs {
  template <class T>
  std::optional<double> operator()(const rg::ListView<T>& list, T* gradient) {
    const std::size_t n = list.size();
    const T* s = list.scores.data();
    const T* y = list.labels.data();
    std::fill_n(gradient, n, T(0));
    double total = 0;
    std::size_t pairs = 0;
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j)
        if (y[i] > y[j]) {
          const Slope<T> term = Phi::of(s[i] - s[j]);
          total += static_cast<double>(term.value);
          gradient[i] += term.slope;
          gradient[j] -= term.slope;
          ++pairs;
        }
    if (pairs == 0) return {};
    for (std::size_t i = 0; i < n; ++i) gradient[i] /= static_cast<T>(pairs);
    return total / static_cast<double>(pairs);
  }
};

/// The same with the list sorted by label first, so that the inner loop has no test and half the length.
template <class Phi>
struct SortedPairs {
  std::vector<std::uint32_t> order;
  std::vector<double> scores, labels, slopes;

  template <class T>
  std::optional<double> operator()(const rg::ListView<T>& list, T* gradient) {
    const std::size_t n = list.size();
    order.resize(n);
    std::iota(order.begin(), order.end(), 0u);
    std::sort(order.begin(), order.end(), [&](auto a, auto b) { return list.labels[a] > list.labels[b]; });
    static thread_local std::vector<T> s, y, g;
    s.resize(n), y.resize(n), g.assign(n, T(0));
    for (std::size_t i = 0; i < n; ++i) s[i] = list.scores[order[i]], y[i] = list.labels[order[i]];
    double total = 0;
    std::size_t pairs = 0;
    for (std::size_t i = 0, worse = 0; i < n; ++i) {
      while (worse < n && y[worse] == y[i]) ++worse;
      T row(0);
      for (std::size_t j = worse; j < n; ++j) {
        const Slope<T> term = Phi::of(s[i] - s[j]);
        total += static_cast<double>(term.value);
        row += term.slope;
        g[j] -= term.slope;
      }
      g[i] += row;
      pairs += n - worse;
    }
    if (pairs == 0) {
      std::fill_n(gradient, n, T(0));
      return {};
    }
    for (std::size_t i = 0; i < n; ++i) gradient[order[i]] = g[i] / static_cast<T>(pairs);
    return total / static_cast<double>(pairs);
  }
};

/// RankNet with every pair weighted by a curriculum: W = (D + 1e-8) (1 - p) + p, D = (1 + easiness_i - easiness_j) / 2.
struct CurriculumPairs {
  double progress;

  template <class T>
  std::optional<double> operator()(const rg::ListView<T>& list, T* gradient) {
    const std::size_t n = list.size();
    const T *s = list.scores.data(), *y = list.labels.data(), *easy = list.easiness.data();
    const T p = static_cast<T>(progress);
    std::fill_n(gradient, n, T(0));
    double total = 0;
    std::size_t pairs = 0;
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j)
        if (y[i] > y[j]) {
          const Slope<T> term = Logistic::of(s[i] - s[j]);
          const T weight = ((T(1) + easy[i] - easy[j]) / T(2) + T(1e-8)) * (T(1) - p) + p;
          total += static_cast<double>(weight * term.value);
          gradient[i] += weight * term.slope;
          gradient[j] -= weight * term.slope;
          ++pairs;
        }
    if (pairs == 0) return {};
    for (std::size_t i = 0; i < n; ++i) gradient[i] /= static_cast<T>(pairs);
    return total / static_cast<double>(pairs);
  }
};

/// The logistic pair loss times |delta NDCG|, ranks by std::sort, gains and discounts from tables.
struct LambdaRank {
  std::vector<std::uint32_t> order;
  std::vector<double> gains, discounts, ideal_gains;

  template <class T>
  std::optional<double> operator()(const rg::ListView<T>& list, T* gradient) {
    const std::size_t n = list.size();
    const T* s = list.scores.data();
    const T* y = list.labels.data();
    std::fill_n(gradient, n, T(0));
    static thread_local std::vector<T> gain, discount;
    gain.resize(n), discount.resize(n), order.resize(n);
    double ideal = 0;
    ideal_gains.assign(list.labels.begin(), list.labels.end());
    std::sort(ideal_gains.begin(), ideal_gains.end(), std::greater<>());
    for (std::size_t r = 0; r < n; ++r) ideal += (std::exp2(ideal_gains[r]) - 1) / std::log2(static_cast<double>(r + 2));
    if (!(ideal > 0)) return {};
    std::iota(order.begin(), order.end(), 0u);
    std::sort(order.begin(), order.end(), [&](auto a, auto b) { return s[a] > s[b]; });
    for (std::size_t r = 0; r < n; ++r) discount[order[r]] = static_cast<T>(1 / std::log2(static_cast<double>(r + 2)));
    for (std::size_t i = 0; i < n; ++i) gain[i] = static_cast<T>((std::exp2(static_cast<double>(y[i])) - 1) / ideal);
    double total = 0;
    std::size_t pairs = 0;
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j)
        if (y[i] > y[j]) {
          const Slope<T> term = Logistic::of(s[i] - s[j]);
          const T omega = (gain[i] - gain[j]) * std::abs(discount[i] - discount[j]);
          total += static_cast<double>(omega * term.value);
          gradient[i] += omega * term.slope;
          gradient[j] -= omega * term.slope;
          ++pairs;
        }
    if (pairs == 0) return {};
    return total;
  }
};

struct SigmoidCrossEntropy {
  template <class T>
  std::optional<double> operator()(const rg::ListView<T>& list, T* gradient) {
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
  std::optional<double> operator()(const rg::ListView<T>& list, T* gradient) {
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
  std::optional<double> operator()(const rg::ListView<T>& list, T* gradient) {
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
  std::optional<double> operator()(const rg::ListView<T>& list, T* gradient) {
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
  std::optional<double> operator()(const rg::ListView<T>& list, T* gradient) {
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

/// Positives and negatives of a list with binary labels: scores and where they came from.
struct Split {
  struct Item {
    double score;
    std::uint32_t item;
  };
  std::vector<Item> high, low;

  template <class T>
  bool operator()(const rg::ListView<T>& list, T* gradient) {
    high.clear(), low.clear();
    for (std::size_t i = 0; i < list.size(); ++i)
      (list.labels[i] > T(0) ? high : low).push_back({static_cast<double>(list.scores[i]), static_cast<std::uint32_t>(i)});
    std::fill_n(gradient, list.size(), T(0));
    return !high.empty() && !low.empty();
  }
  double pairs() const { return static_cast<double>(high.size()) * static_cast<double>(low.size()); }
};

/// The mean logistic loss over positives and negatives: two loops.
struct MannWhitneyLogistic {
  template <class T>
  std::optional<double> operator()(const rg::ListView<T>& list, T* gradient) {
    static thread_local std::vector<T> high, low, high_slope, low_slope;
    high.clear(), low.clear();
    for (std::size_t i = 0; i < list.size(); ++i) (list.labels[i] > T(0) ? high : low).push_back(list.scores[i]);
    std::fill_n(gradient, list.size(), T(0));
    if (high.empty() || low.empty()) return {};
    high_slope.assign(high.size(), T(0)), low_slope.assign(low.size(), T(0));
    double total = 0;
    for (std::size_t i = 0; i < high.size(); ++i)
      for (std::size_t k = 0; k < low.size(); ++k) {
        const Slope<T> term = Logistic::of(high[i] - low[k]);
        total += static_cast<double>(term.value);
        high_slope[i] += term.slope;
        low_slope[k] -= term.slope;
      }
    const double pairs = static_cast<double>(high.size()) * static_cast<double>(low.size());
    const T inverse = static_cast<T>(1 / pairs);
    for (std::size_t i = 0, p = 0, q = 0; i < list.size(); ++i)
      gradient[i] = inverse * (list.labels[i] > T(0) ? high_slope[p++] : low_slope[q++]);
    return total / pairs;
  }
};

/// Hinge and squared hinge over positives and negatives: sort both, then one sweep from each side.
template <bool Squared>
struct MannWhitneyHinge {
  Split split;

  template <class T>
  std::optional<double> operator()(const rg::ListView<T>& list, T* gradient) {
    if (!split(list, gradient)) return {};
    const auto by_score = [](const Split::Item& a, const Split::Item& b) { return a.score < b.score; };
    std::sort(split.high.begin(), split.high.end(), by_score);
    std::sort(split.low.begin(), split.low.end(), by_score);
    const double pairs = split.pairs();
    double total = 0, count = 0, sum = 0, squares = 0;   // of 1 - score over the positives that fall short
    std::size_t i = 0;
    for (const auto& negative : split.low) {
      for (; i < split.high.size() && split.high[i].score - negative.score < 1; ++i) {
        const double v = 1 - split.high[i].score;
        count += 1, sum += v, squares += v * v;
      }
      const double x = negative.score, linear = sum + count * x;
      total += Squared ? squares + 2 * x * sum + count * x * x : linear;
      gradient[negative.item] = static_cast<T>((Squared ? 2 * linear : count) / pairs);
    }
    count = sum = 0;   // over the negatives that the positive does not clear
    for (std::size_t p = split.high.size(), k = split.low.size(); p-- > 0;) {
      const auto& positive = split.high[p];
      for (; k > 0 && positive.score - split.low[k - 1].score < 1; --k) count += 1, sum += split.low[k - 1].score;
      gradient[positive.item] = static_cast<T>(-(Squared ? 2 * (count * (1 - positive.score) + sum) : count) / pairs);
    }
    return total / pairs;
  }
};

/// Square over positives and negatives, from their counts, sums and sums of squares.
struct MannWhitneySquare {
  Split split;

  template <class T>
  std::optional<double> operator()(const rg::ListView<T>& list, T* gradient) {
    if (!split(list, gradient)) return {};
    const auto moments = [](const std::vector<Split::Item>& items) {
      double sum = 0, squares = 0;
      for (const auto& item : items) sum += item.score, squares += item.score * item.score;
      const double count = static_cast<double>(items.size()), mean = sum / count;
      return std::pair{mean, squares / count - mean * mean};
    };
    const auto [high_mean, high_spread] = moments(split.high);
    const auto [low_mean, low_spread] = moments(split.low);
    const double gap = 1 - high_mean + low_mean;
    for (const auto& item : split.high)
      gradient[item.item] = static_cast<T>(-2 * (1 - item.score + low_mean) / static_cast<double>(split.high.size()));
    for (const auto& item : split.low)
      gradient[item.item] = static_cast<T>(2 * (1 - high_mean + item.score) / static_cast<double>(split.low.size()));
    return gap * gap + high_spread + low_spread;
  }
};

/// Exponential over positives and negatives: the double sum is a product of two sums.
struct MannWhitneyExponential {
  Split split;

  template <class T>
  std::optional<double> operator()(const rg::ListView<T>& list, T* gradient) {
    if (!split(list, gradient)) return {};
    double lowest = split.high[0].score, highest = split.low[0].score, high_sum = 0, low_sum = 0;
    for (const auto& item : split.high) lowest = std::min(lowest, item.score);
    for (const auto& item : split.low) highest = std::max(highest, item.score);
    for (auto& item : split.high) high_sum += item.score = std::exp(lowest - item.score);
    for (auto& item : split.low) low_sum += item.score = std::exp(item.score - highest);
    const double mean = std::exp(highest - lowest) * high_sum * low_sum / split.pairs();
    for (const auto& item : split.high) gradient[item.item] = static_cast<T>(-mean * item.score / high_sum);
    for (const auto& item : split.low) gradient[item.item] = static_cast<T>(mean * item.score / low_sum);
    return mean;
  }
};

/// NDCG: std::sort by score, std::sort by label, gains and discounts as they are met.
struct Ndcg {
  std::vector<std::uint32_t> order;

  template <class T>
  std::optional<double> operator()(const rg::ListView<T>& list, T*) {
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

}  // namespace bench::twin
