// Scalar twins, see backends/twins_pairwise.hpp: contrastive losses, distances of distributions, soft F1, tokens, and pair
// losses of a teacher's ranks.
#pragma once

#include "backends/twins_listwise.hpp"
#include "backends/twins_pairwise.hpp"

namespace bench::RANKGRAD_TWINS {

/// InfoNCE at temperature 1: the mean over the positives of log-sum-exp - score.
struct InfoNce {
  template <class T>
  std::optional<double> operator()(const List<T>& list, T* gradient) {
    const std::size_t n = list.size();
    std::size_t positives = 0;
    for (const T y : list.labels) positives += y > T(0);
    if (positives == 0 || positives == n) {
      std::fill_n(gradient, n, T(0));
      return {};
    }
    const T log_sum = softmax(list.scores, gradient), share = T(1) / static_cast<T>(positives);
    double total = 0;
    for (std::size_t i = 0; i < n; ++i) {
      if (!(list.labels[i] > T(0))) continue;
      total += static_cast<double>(log_sum - list.scores[i]);
      gradient[i] -= share;
    }
    return total / static_cast<double>(positives);
  }
};

/// ArcFace with margin 0.5 and scale 64: the angle of the class counts as larger by the margin.
struct ArcFace {
  double margin = 0.5, scale = 64;

  template <class T>
  std::optional<double> operator()(const List<T>& list, T* gradient) {
    const std::size_t n = list.size();
    const auto own = static_cast<std::size_t>(std::find(list.labels.begin(), list.labels.end(), T(1)) - list.labels.begin());
    if (own == n || n < 2) {
      std::fill_n(gradient, n, T(0));
      return {};
    }
    const double c = static_cast<double>(list.scores[own]), sine = std::sqrt((1 - c) * (1 + c));
    const bool beyond = c < -std::cos(margin);   // where the cosine would rise again
    const T moved = static_cast<T>(beyond ? c - margin * std::sin(margin) : c * std::cos(margin) - sine * std::sin(margin));
    const double slope = beyond ? 1 : std::cos(margin) + c * std::sin(margin) / std::max(sine, 1e-6);
    std::copy_n(list.scores.begin(), n, gradient);
    gradient[own] = moved;
    const T top = *std::max_element(gradient, gradient + n), s = static_cast<T>(scale);
    gradient[own] = T(-1e30);   // its exponential apart, so that a small loss keeps its digits
    double others = 0;
    for (std::size_t i = 0; i < n; ++i) {
      gradient[i] = std::exp(s * (gradient[i] - top));
      others += static_cast<double>(gradient[i]);
    }
    const double mine = std::exp(scale * static_cast<double>(moved - top));
    const T factor = static_cast<T>(scale / (mine + others));
    for (std::size_t i = 0; i < n; ++i) gradient[i] *= factor;
    gradient[own] = static_cast<T>(-scale * slope * others / (mine + others));
    return std::log1p(others / mine);
  }
};

/// Half of Jeffreys' divergence between softmax(labels) and softmax(scores).
struct DistributionAlignment {
  template <class T>
  std::optional<double> operator()(const List<T>& list, T* gradient) {
    const std::size_t n = list.size();
    if (n < 2) {
      std::fill_n(gradient, n, T(0));
      return {};
    }
    static thread_local std::vector<T> q;
    q.resize(n);
    const T log_q = softmax(list.labels, q.data()), log_p = softmax(list.scores, gradient);
    const auto ratio = [&](std::size_t i) { return (list.scores[i] - log_p) - (list.labels[i] - log_q); };
    double forward = 0, backward = 0;
    for (std::size_t i = 0; i < n; ++i) {
      forward -= static_cast<double>(q[i] * ratio(i));
      backward += static_cast<double>(gradient[i] * ratio(i));
    }
    for (std::size_t i = 0; i < n; ++i) {
      const T p = gradient[i];
      gradient[i] = ((p - q[i]) + p * (ratio(i) - static_cast<T>(backward))) / T(2);
    }
    return (forward + backward) / 2;
  }
};

/// Jensen-Shannon divergence of softmax(scores) and labels / sum.
struct JensenShannon {
  template <class T>
  std::optional<double> operator()(const List<T>& list, T* gradient) {
    const std::size_t n = list.size();
    double sum = 0;
    for (const T y : list.labels) sum += static_cast<double>(y);
    if (n < 2 || !(sum > 0)) {
      std::fill_n(gradient, n, T(0));
      return {};
    }
    softmax(list.scores, gradient);
    const T inverse = static_cast<T>(1 / sum);
    double left = 0, right = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const T p = gradient[i], q = list.labels[i] * inverse, m = (p + q) / T(2);
      left += static_cast<double>(p * std::log(p / m));
      if (q > T(0)) right += static_cast<double>(q * std::log(q / m));
    }
    for (std::size_t i = 0; i < n; ++i) {
      const T p = gradient[i], q = list.labels[i] * inverse, m = (p + q) / T(2);
      gradient[i] = p * (std::log(p / m) - static_cast<T>(left)) / T(2);
    }
    return (left + right) / 2;
  }
};

/// One minus F1 of a soft confusion matrix, amplification 10.
struct SoftF1 {
  template <class T>
  std::optional<double> operator()(const List<T>& list, T* gradient) {
    const std::size_t n = list.size();
    const auto sigmoid = [](T x) { return T(1) / (T(1) + std::exp(-x)); };
    double positives = 0, hits = 0, alarms = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const T p = sigmoid(list.scores[i]), h = sigmoid(T(10) * (p - T(0.5)));
      gradient[i] = T(10) * h * (T(1) - h) * p * (T(1) - p);
      if (list.labels[i] > T(0)) hits += static_cast<double>(h), ++positives;
      else alarms += static_cast<double>(h);
    }
    if (positives == 0) {
      std::fill_n(gradient, n, T(0));
      return {};
    }
    const double d = positives + hits + alarms;
    const T hit = static_cast<T>(-2 * (d - hits) / (d * d)), alarm = static_cast<T>(2 * hits / (d * d));
    for (std::size_t i = 0; i < n; ++i) gradient[i] *= list.labels[i] > T(0) ? hit : alarm;
    return 1 - 2 * hits / d;
  }
};

/// 1 / (r_i + r_j), ranks by label.
struct RankSum {
  static constexpr bool mean = true;
  std::vector<std::uint32_t> by_label;

  template <class T>
  static std::vector<T>& values(int which) {
    static thread_local std::vector<T> kept[2];
    return kept[which];
  }
  template <class T>
  bool prepare(const List<T>& list) {
    const std::size_t n = list.size();
    by_label.resize(n), values<T>(0).resize(n);
    std::iota(by_label.begin(), by_label.end(), 0u);
    std::sort(by_label.begin(), by_label.end(), [&](auto a, auto b) { return list.labels[a] > list.labels[b]; });
    for (std::size_t r = 0, first = 0; r < n; ++r) {
      if (list.labels[by_label[r]] != list.labels[by_label[first]]) first = r;
      values<T>(0)[by_label[r]] = static_cast<T>(first + 1);
    }
    return true;
  }
  template <class T>
  auto at(const std::vector<std::uint32_t>& order) const {
    return [rank = gather(values<T>(0), order, values<T>(1))](std::size_t i, std::size_t j) { return T(1) / (rank[i] + rank[j]); };
  }
};

/// The sum over all pairs in label order of max(0, s_j - s_i + (j - i) / 1000); with PerGap the mean of those with equal j - i.
template <bool PerGap>
struct RankMargin {
  std::vector<std::uint32_t> order;

  template <class T>
  std::optional<double> operator()(const List<T>& list, T* gradient) {
    const std::size_t n = list.size();
    std::fill_n(gradient, n, T(0));
    if (n < 2) return {};
    order.resize(n);
    std::iota(order.begin(), order.end(), 0u);
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return list.labels[a] > list.labels[b]; });
    static thread_local std::vector<T> moved;   // s_i + i lambda, less the middle score: rounded alike, so that kinks agree
    moved.resize(n);
    const auto [low, high] = std::minmax_element(list.scores.begin(), list.scores.end());
    const double middle = 0.5 * (static_cast<double>(*low) + static_cast<double>(*high));
    for (std::size_t i = 0; i < n; ++i)
      moved[i] = static_cast<T>((static_cast<double>(list.scores[order[i]]) - middle) + static_cast<double>(i) * 0.001);
    static thread_local std::vector<T> by_gap;
    if (PerGap) by_gap.resize(n);
    for (std::size_t gap = 1; PerGap && gap < n; ++gap) by_gap[gap] = T(1) / static_cast<T>(n - gap);
    double total = 0;
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = i + 1; j < n; ++j) {
        const T v = moved[j] - moved[i];
        if (!(v > T(0))) continue;
        const T weight = PerGap ? by_gap[j - i] : T(1);
        total += static_cast<double>(weight * v);
        gradient[order[i]] -= weight;
        gradient[order[j]] += weight;
      }
    return total;
  }
};

/// Cross-entropy of the tokens: rows of logits, the id of a row is its target.
struct TokenCrossEntropy {
  template <class T>
  double operator()(const Similarities<T>& in, std::span<T> gradient) const {
    const std::size_t tokens = in.ids.size(), vocabulary = in.matrix.size() / tokens;
    const T inverse = T(1) / static_cast<T>(tokens);
    double total = 0;
    for (std::size_t t = 0; t < tokens; ++t) {
      const std::span<const T> row = std::span<const T>(in.matrix).subspan(t * vocabulary, vocabulary);
      T* const g = gradient.data() + t * vocabulary;
      const T log_sum = softmax(row, g);
      for (std::size_t v = 0; v < vocabulary; ++v) g[v] *= inverse;
      const auto target = static_cast<std::size_t>(in.ids[t]);
      g[target] -= inverse;
      total += static_cast<double>(log_sum - row[target]);
    }
    return total / static_cast<double>(tokens);
  }
};

}  // namespace bench::RANKGRAD_TWINS
