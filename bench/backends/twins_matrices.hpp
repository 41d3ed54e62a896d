// Scalar twins, see backends/twins_pairwise.hpp: losses over a matrix of similarities, one anchor after the other.
#pragma once

#include "support/problem.hpp"

#include <cmath>
#include <limits>
#include <numeric>

namespace bench::RANKGRAD_TWINS {

/// Columns to rows, with Add on top of what is there; by blocks, so that neither side is walked through with long strides.
template <bool Add, class T>
void transpose(const T* from, std::size_t n, T* to) {
  constexpr std::size_t block = 16;
  for (std::size_t a = 0; a < n; a += block)
    for (std::size_t b = 0; b < n; b += block)
      for (std::size_t i = a; i < std::min(a + block, n); ++i)
        for (std::size_t j = b; j < std::min(b + block, n); ++j) to[i * n + j] = (Add ? to[i * n + j] : T(0)) + from[j * n + i];
}

/// Every row through anchor(i, similarities, where their gradient is added), which returns its loss.
template <class T, class Anchor>
double over_rows(std::size_t n, const T* matrix, T* gradient, const Anchor& anchor) {
  double total = 0;
  for (std::size_t i = 0; i < n; ++i) total += anchor(i, matrix + i * n, gradient + i * n);
  return total;
}
/// Every row and every column: those as rows of a transposed copy.
template <class T, class Anchor>
double both_directions(const Similarities<T>& in, std::span<T> gradient, const Anchor& anchor) {
  static thread_local std::vector<T> matrix, slopes;
  const std::size_t n = in.ids.size();
  std::fill(gradient.begin(), gradient.end(), T(0));
  const double rows = over_rows(n, in.matrix.data(), gradient.data(), anchor);
  matrix.resize(n * n), slopes.assign(n * n, T(0));
  transpose<false>(in.matrix.data(), n, matrix.data());
  const double columns = over_rows(n, matrix.data(), slopes.data(), anchor);
  transpose<true>(slopes.data(), n, gradient.data());
  return rows + columns;
}

/// The similarities of one anchor in two parts: which of them are positives, and a copy in which only negatives count.
template <class T>
struct Parts {
  static constexpr T absent = T(-1e30);   // its exponential is 0
  std::vector<std::uint32_t> positives;
  std::vector<T> negatives, e;

  static Parts& scratch() {
    static thread_local Parts parts;
    return parts;
  }
  void split(const std::vector<std::int64_t>& ids, std::size_t own, const T* s) {
    const std::size_t n = ids.size();
    const std::int64_t id = ids[own];
    negatives.assign(s, s + n), e.resize(n), positives.clear();
    for (std::size_t j = 0; j < n; ++j)
      if (ids[j] == id) positives.push_back(static_cast<std::uint32_t>(j));
    for (const std::uint32_t j : positives) negatives[j] = absent;
  }
  T hardest() const { return *std::max_element(negatives.begin(), negatives.end()); }
};

// --- what becomes of the negatives of an anchor whose positives count as `positive`: the loss, how much the positives are
// pulled, and slopes of the negatives added to g

struct Outcome {
  double loss = 0, pull = 0;
};
/// Temperature 0.015 and margin 0.1, as the positives below.
struct LogSumExpOfNegatives {
  template <class T>
  static Outcome of(Parts<T>& parts, double positive, T* g) {
    const T top = parts.hardest(), inverse = static_cast<T>(1 / 0.015);
    double sum = 0;
    for (std::size_t j = 0; j < parts.e.size(); ++j) {
      parts.e[j] = std::exp((parts.negatives[j] - top) * inverse);
      sum += static_cast<double>(parts.e[j]);
    }
    const double h = 0.1 - positive + static_cast<double>(top) + 0.015 * std::log(sum);
    if (h <= 0) return {};
    const T push = static_cast<T>(1 / sum);
    for (std::size_t j = 0; j < parts.e.size(); ++j) g[j] += push * parts.e[j];
    return {h, 1};
  }
};
struct HardestNegative {
  template <class T>
  static Outcome of(Parts<T>& parts, double positive, T* g) {
    const auto hardest = std::max_element(parts.negatives.begin(), parts.negatives.end());
    const double h = 0.1 - positive + static_cast<double>(*hardest);
    if (h <= 0) return {};
    g[hardest - parts.negatives.begin()] += T(1);
    return {h, 1};
  }
};
struct SumOfHinges {
  template <class T>
  static Outcome of(Parts<T>& parts, double positive, T* g) {
    const T border = static_cast<T>(positive - 0.1);
    double sum = 0, active = 0;
    for (std::size_t j = 0; j < parts.negatives.size(); ++j) {
      const T beyond = parts.negatives[j] - border;
      if (!(beyond > T(0))) continue;
      sum += static_cast<double>(beyond);
      active += 1;
      g[j] += T(1);
    }
    return {sum, active};
  }
};

/// Triplets in both directions: positives by their softmax, negatives by the rule.
template <class Rule>
struct Triplet {
  template <class T>
  double operator()(const Similarities<T>& in, std::span<T> gradient) const {
    const T inverse = static_cast<T>(1 / 0.015);
    return both_directions(in, gradient, [&](std::size_t i, const T* s, T* g) {
      auto& parts = Parts<T>::scratch();
      parts.split(in.ids, i, s);
      T top = std::numeric_limits<T>::lowest();
      for (const std::uint32_t j : parts.positives) top = std::max(top, s[j]);
      double sum = 0, below = 0;
      for (const std::uint32_t j : parts.positives) {
        const T e = std::exp((s[j] - top) * inverse);
        sum += static_cast<double>(e);
        below += static_cast<double>(e * (s[j] - top));
      }
      const Outcome outcome = Rule::of(parts, static_cast<double>(top) + below / sum, g);
      if (outcome.pull == 0) return 0.0;
      const T pull = static_cast<T>(outcome.pull / sum);
      for (const std::uint32_t j : parts.positives) g[j] -= pull * std::exp((s[j] - top) * inverse);
      return outcome.loss;
    });
  }
};

/// Multi-similarity along the rows, alpha 1, beta 50, base 0, on pairs mined with 0.1; a sample is no positive of itself.
struct MultiSimilarity {
  template <class T>
  double operator()(const Similarities<T>& in, std::span<T> gradient) const {
    constexpr double beta = 50, mining = 0.1;
    const std::size_t n = in.ids.size();
    const T share = T(1) / static_cast<T>(n);
    std::fill(gradient.begin(), gradient.end(), T(0));
    const double total = over_rows(n, in.matrix.data(), gradient.data(), [&](std::size_t i, const T* s, T* g) {
      auto& parts = Parts<T>::scratch();
      parts.split(in.ids, i, s);
      std::erase(parts.positives, static_cast<std::uint32_t>(i));
      if (parts.positives.empty()) return 0.0;
      T low = std::numeric_limits<T>::max();
      for (const std::uint32_t j : parts.positives) low = std::min(low, s[j]);
      const T high = parts.hardest();
      const T easy_positive = static_cast<T>(static_cast<double>(high) + mining);
      const T easy_negative = static_cast<T>(static_cast<double>(low) - mining);

      // The largest exponent of each kind, or that of the base, is taken out.
      const T reference = std::max(high, T(0)), lowest = std::min(low, T(0));
      double sum = 0, positive_sum = 0;
      for (std::size_t j = 0; j < n; ++j) {
        const T x = parts.negatives[j];
        parts.e[j] = x > easy_negative ? std::exp(T(beta) * (x - reference)) : T(0);
        sum += static_cast<double>(parts.e[j]);
      }
      for (const std::uint32_t j : parts.positives)
        if (s[j] < easy_positive) positive_sum += static_cast<double>(std::exp(lowest - s[j]));
      const double all = std::exp(-beta * static_cast<double>(reference)) + sum;
      const double all_positive = std::exp(static_cast<double>(lowest)) + positive_sum;
      const T push = share * static_cast<T>(1 / all), pull = share * static_cast<T>(1 / all_positive);
      for (std::size_t j = 0; j < n; ++j) g[j] += push * parts.e[j];
      for (const std::uint32_t j : parts.positives)
        if (s[j] < easy_positive) g[j] -= pull * std::exp(lowest - s[j]);
      const auto value = [](T moved, double with_base, double alone) {
        return moved == T(0) ? std::log1p(alone) : std::log(with_base) + static_cast<double>(moved);
      };
      return (sum > 0 ? value(T(beta) * reference, all, sum) / beta : 0) +
             (positive_sum > 0 ? value(-lowest, all_positive, positive_sum) : 0);
    });
    return total / static_cast<double>(n);
  }
};

/// Both directions, temperature 0.07, smoothing 0.1, all samples of an id as its positives.
struct SymmetricInfoNce {
  template <class T>
  double operator()(const Similarities<T>& in, std::span<T> gradient) const {
    constexpr double inverse = 1 / 0.07, smoothing = 0.1;
    const std::size_t n = in.ids.size();
    const double count = static_cast<double>(n), share = 0.5 / count;
    static thread_local std::vector<T> e;
    e.resize(n);
    return share * both_directions(in, gradient, [&](std::size_t i, const T* s, T* g) {
      const T top = *std::max_element(s, s + n), scale = static_cast<T>(inverse);
      double sum = 0, distance = 0, own = 0, positives = 0;
      for (std::size_t j = 0; j < n; ++j) {
        const T d = s[j] - top;
        e[j] = std::exp(d * scale);
        sum += static_cast<double>(e[j]);
        distance += static_cast<double>(d);
        if (in.ids[j] == in.ids[i]) own += static_cast<double>(d), positives += 1;
      }
      const T unit = static_cast<T>(share * inverse / sum), level = static_cast<T>(share * inverse * smoothing / count);
      const T pull = static_cast<T>(share * inverse * (1 - smoothing) / positives);
      for (std::size_t j = 0; j < n; ++j) g[j] += unit * e[j] - level;
      for (std::size_t j = 0; j < n; ++j)
        if (in.ids[j] == in.ids[i]) g[j] -= pull;
      return std::log(sum) - inverse * ((1 - smoothing) * own / positives + smoothing * distance / count);
    });
  }
};

/// Queries against the documents of all groups, temperature 0.02.
struct GroupedInfoNce {
  template <class T>
  double operator()(const Similarities<T>& in, std::span<T> gradient) const {
    constexpr double inverse = 1 / 0.02;
    const std::size_t queries = in.ids.size(), documents = in.matrix.size() / queries, group = documents / queries;
    const double share = 1 / static_cast<double>(queries);
    const T scale = static_cast<T>(inverse);
    double total = 0;
    for (std::size_t i = 0; i < queries; ++i) {
      const T* s = in.matrix.data() + i * documents;
      T* g = gradient.data() + i * documents;
      const T top = *std::max_element(s, s + documents);
      double sum = 0;
      for (std::size_t j = 0; j < documents; ++j) {
        g[j] = std::exp((s[j] - top) * scale);
        sum += static_cast<double>(g[j]);
      }
      const T unit = static_cast<T>(share * inverse / sum);
      for (std::size_t j = 0; j < documents; ++j) g[j] *= unit;
      g[i * group] -= static_cast<T>(share * inverse);
      total += std::log(sum) + inverse * static_cast<double>(top - s[i * group]);
    }
    return share * total;
  }
};

}  // namespace bench::RANKGRAD_TWINS
