// Seeded lists for the benchmarks, shaped like candidates of a first stage: most of them irrelevant, scores that
// agree with the labels about as well as a half-trained model does.
#pragma once

#include <rankgrad/core/random.hpp>
#include <rankgrad/core/ragged_batch.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace bench {

namespace rg = rankgrad;

/// What a loss needs beyond scores and grades.
enum class Needs { nothing, binary_labels, easiness };

/// Lists back to back. A single list is a batch of one.
template <class T>
struct Lists {
  std::vector<T> scores, labels, easiness;
  std::vector<std::uint32_t> offsets{0};

  void append(std::size_t n, rg::Random& random, Needs needs) {
    static constexpr std::array<double, 4> below{0.50, 0.72, 0.86, 0.95};   // grades 0 .. 4
    for (std::size_t i = 0; i < n; ++i) {
      const double u = random.uniform();
      const double grade = static_cast<double>(std::count_if(below.begin(), below.end(), [&](double b) { return u >= b; }));
      labels.push_back(static_cast<T>(needs == Needs::binary_labels ? std::min(grade, 1.0) : grade));
      scores.push_back(static_cast<T>(0.5 * grade + random.normal()));
      const double easy = random.uniform();
      if (needs == Needs::easiness) easiness.push_back(static_cast<T>(easy));
    }
    offsets.push_back(static_cast<std::uint32_t>(scores.size()));
  }

  std::size_t gradient_size() const { return scores.size(); }
  double items() const { return static_cast<double>(scores.size()); }
  rg::RaggedBatch<T> batch() const {
    return {.scores = scores, .labels = labels, .easiness = easiness, .offsets = offsets};
  }
  rg::ListView<T> list(std::size_t q) const { return batch()[q]; }
  std::size_t size() const { return offsets.size() - 1; }

  /// How many pairs of one list have different labels.
  double pairs() const {
    double total = 0;
    for (std::size_t q = 0; q < size(); ++q) {
      const auto view = list(q);
      std::vector<T> sorted(view.labels.begin(), view.labels.end());
      std::sort(sorted.begin(), sorted.end());
      for (std::size_t i = 0, group = 0; i < sorted.size(); ++i) {
        if (sorted[i] != sorted[group]) group = i;
        total += static_cast<double>(group);
      }
    }
    return total;
  }
};

/// What a benchmark name calls a shape, and how to make one data set of it.
struct Shape {
  std::string name;
  std::size_t sets;          ///< how many data sets take turns: enough that branches are not learned
  std::vector<std::size_t> (*lengths)(rg::Random&, std::size_t n);
  std::size_t n;

  template <class T>
  Lists<T> make(std::size_t set, Needs needs = Needs::nothing) const {
    rg::Random random(20261123, 1000 * n + set);
    Lists<T> lists;
    for (const std::size_t length : lengths(random, n)) lists.append(length, random, needs);
    return lists;
  }
};

inline Shape one_list(std::size_t n) {
  const auto lengths = [](rg::Random&, std::size_t length) { return std::vector<std::size_t>{length}; };
  return {std::to_string(n), std::clamp<std::size_t>(8192 / n, 3, 128), lengths, n};
}

/// 64 lists of 10 to 100 items.
inline Shape uniform_lists() {
  const auto lengths = [](rg::Random& random, std::size_t) {
    std::vector<std::size_t> all;
    for (int q = 0; q < 64; ++q) all.push_back(10 + random.below(91));
    return all;
  };
  return {"uniform10..100", 8, lengths, 100};
}

/// 64 lists whose length L has probability proportional to 1 / L between 2 and 1000: many short lists, few long ones.
inline Shape zipf_lists() {
  const auto lengths = [](rg::Random& random, std::size_t) {
    std::vector<std::size_t> all;
    for (int q = 0; q < 64; ++q) all.push_back(static_cast<std::size_t>(2 * std::pow(500.0, random.uniform())));
    return all;
  };
  return {"zipf2..1000", 8, lengths, 1000};
}

inline std::vector<Shape> every_shape() {
  return {one_list(8), one_list(32), one_list(128), one_list(1000), one_list(10000), uniform_lists(), zipf_lists()};
}

template <class T>
constexpr const char* type_name() { return sizeof(T) == 4 ? "float" : "double"; }

}  // namespace bench
