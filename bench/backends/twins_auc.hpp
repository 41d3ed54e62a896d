// Scalar twins, see backends/twins_pairwise.hpp: positives against negatives.
#pragma once

#include "backends/twins_pairwise.hpp"

#include <algorithm>
#include <utility>

namespace bench::RANKGRAD_TWINS {

/// Positives and negatives of a list with binary labels: scores and where they came from.
struct Split {
  struct Item {
    double score;
    std::uint32_t item;
  };
  std::vector<Item> high, low;

  template <class T>
  bool operator()(const List<T>& list, T* gradient) {
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
  std::optional<double> operator()(const List<T>& list, T* gradient) {
    static thread_local std::vector<T> high, low, high_slope, low_slope;
    high.clear(), low.clear();
    for (std::size_t i = 0; i < list.size(); ++i) (list.labels[i] > T(0) ? high : low).push_back(list.scores[i]);
    std::fill_n(gradient, list.size(), T(0));
    if (high.empty() || low.empty()) return {};
    high_slope.assign(high.size(), T(0)), low_slope.assign(low.size(), T(0));
    const T *p = high.data(), *q = low.data();
    T* __restrict column = low_slope.data();
    const std::size_t negatives = low.size();
    double total = 0;
    for (std::size_t i = 0; i < high.size(); ++i) {
      T row(0), row_value(0);
      for (std::size_t k = 0; k < negatives; ++k) {
        const Slope<T> term = Logistic::of(p[i] - q[k]);
        row_value += term.value;
        row += term.slope;
        column[k] -= term.slope;
      }
      high_slope[i] = row;
      total += static_cast<double>(row_value);
    }
    const double pairs = static_cast<double>(high.size()) * static_cast<double>(low.size());
    const T inverse = static_cast<T>(1 / pairs);
    for (std::size_t i = 0, a = 0, b = 0; i < list.size(); ++i)
      gradient[i] = inverse * (list.labels[i] > T(0) ? high_slope[a++] : low_slope[b++]);
    return total / pairs;
  }
};

/// Hinge and squared hinge over positives and negatives: sort both, then one sweep from each side.
template <bool Squared>
struct MannWhitneyHinge {
  Split split;

  template <class T>
  std::optional<double> operator()(const List<T>& list, T* gradient) {
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
  std::optional<double> operator()(const List<T>& list, T* gradient) {
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
  std::optional<double> operator()(const List<T>& list, T* gradient) {
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

}  // namespace bench::RANKGRAD_TWINS
