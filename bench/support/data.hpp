// Seeded lists for the benchmarks, shaped like candidates of a first stage: most of them irrelevant, scores that
// agree with the labels about as well as a half-trained model does.
#pragma once

#include "support/problem.hpp"

#include <rankgrad/core/random.hpp>

#include <array>
#include <cmath>
#include <map>
#include <memory>

namespace bench {

namespace rg = rankgrad;

/// How the lists of a loss differ from the usual ones.
struct Traits {
  bool binary_labels = false, easiness = false, weights = false;
  double spread = 1;      ///< all scores times this
  bool one_class = false; ///< scores are cosines with classes, one of which is the right one

  auto operator<=>(const Traits&) const = default;
};

/// Cosines of one sample, half trained, with n classes.
template <class T>
void append_classes(Lists<T>& lists, std::size_t n, rg::Random& random) {
  const std::size_t own = random.below(n);
  for (std::size_t i = 0; i < n; ++i) {
    lists.labels.push_back(T(i == own));
    lists.scores.push_back(static_cast<T>(std::clamp((i == own ? 0.55 : 0.05) + 0.1 * random.normal(), -1.0, 1.0)));
  }
  lists.offsets.push_back(static_cast<std::uint32_t>(lists.scores.size()));
}

template <class T>
void append_list(Lists<T>& lists, std::size_t n, rg::Random& random, const Traits& traits) {
  if (traits.one_class) return append_classes(lists, n, random);
  static constexpr std::array<double, 4> below{0.50, 0.72, 0.86, 0.95};   // grades 0 .. 4
  for (std::size_t i = 0; i < n; ++i) {
    const double u = random.uniform();
    const double grade = static_cast<double>(std::count_if(below.begin(), below.end(), [&](double b) { return u >= b; }));
    lists.labels.push_back(static_cast<T>(traits.binary_labels ? std::min(grade, 1.0) : grade));
    lists.scores.push_back(static_cast<T>(traits.spread * (0.5 * grade + random.normal())));
    const double other = random.uniform();
    if (traits.easiness) lists.easiness.push_back(static_cast<T>(other));
    if (traits.weights) lists.weights.push_back(static_cast<T>(0.5 + other));
  }
  lists.offsets.push_back(static_cast<std::uint32_t>(lists.scores.size()));
}

/// What a benchmark name calls a shape, and how to make one data set of it.
struct Shape {
  std::string name;
  std::size_t longest;
  std::size_t sets;   ///< how many data sets take turns: enough that branches are not learned
  std::vector<std::size_t> (*lengths)(rg::Random&, std::size_t n);
  bool equal = true;   ///< are all lists of one length?

  template <class T>
  Lists<T> make(std::size_t set, const Traits& traits = {}) const {
    rg::Random random(20261123, 1000 * longest + set);
    Lists<T> lists;
    for (const std::size_t length : lengths(random, longest)) append_list(lists, length, random, traits);
    return lists;
  }
  /// All data sets, made once for all losses that ask for the same.
  template <class T>
  std::shared_ptr<const std::vector<Lists<T>>> shared(const Traits& traits) const {
    static std::map<std::pair<std::string, Traits>, std::shared_ptr<const std::vector<Lists<T>>>> made;
    auto& all = made[{name, traits}];
    if (all) return all;
    std::vector<Lists<T>> lists;
    for (std::size_t set = 0; set < sets; ++set) lists.push_back(make<T>(set, traits));
    return all = std::make_shared<const std::vector<Lists<T>>>(std::move(lists));
  }
};

inline Shape one_list(std::size_t n) {
  const auto lengths = [](rg::Random&, std::size_t length) { return std::vector<std::size_t>{length}; };
  return {std::to_string(n), n, std::clamp<std::size_t>(8192 / n, 3, 128), lengths};
}

/// 64 lists of 10 to 100 items.
inline Shape uniform_lists() {
  const auto lengths = [](rg::Random& random, std::size_t) {
    std::vector<std::size_t> all;
    for (int q = 0; q < 64; ++q) all.push_back(10 + random.below(91));
    return all;
  };
  return {"uniform10..100", 100, 8, lengths, false};
}

/// 64 lists whose length L has probability proportional to 1 / L between 2 and 1000: many short lists, few long ones.
inline Shape zipf_lists() {
  const auto lengths = [](rg::Random& random, std::size_t) {
    std::vector<std::size_t> all;
    for (int q = 0; q < 64; ++q) all.push_back(static_cast<std::size_t>(2 * std::pow(500.0, random.uniform())));
    return all;
  };
  return {"zipf2..1000", 1000, 8, lengths, false};
}

/// `count` lists of 100: a rectangle, which tensor libraries need.
template <std::size_t count>
Shape equal_lists() {
  const auto lengths = [](rg::Random&, std::size_t) { return std::vector<std::size_t>(count, 100); };
  return {std::to_string(count) + "x100", 100, 4, lengths};
}

inline std::vector<Shape> every_shape() {
  return {one_list(8),        one_list(32),      one_list(128), one_list(1000),    one_list(10000),
          one_list(100'000), one_list(1'000'000), uniform_lists(), zipf_lists(), equal_lists<256>()};
}

template <class T>
constexpr const char* type_name() { return sizeof(T) == 4 ? "float" : "double"; }

}  // namespace bench
