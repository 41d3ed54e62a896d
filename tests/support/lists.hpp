// Seeded lists for tests. Every generator is a function of its arguments; print the seed with INFO when one fails.
#pragma once

#include <rankgrad/core/random.hpp>
#include <rankgrad/core/ragged_batch.hpp>

#include <cstdint>
#include <vector>

namespace test {

/// Under a sanitizer, or where asked for, the property suite runs in float: its doubles are as many minutes again.
#ifdef RANKGRAD_TEST_ONE_TYPE
inline constexpr bool in_both_types = false;
#else
inline constexpr bool in_both_types = true;
#endif

namespace rg = rankgrad;

/// A list that owns its arrays. Scores and labels are made in double and rounded to T, so that float and double lists of
/// the same seed agree as far as float can.
template <class T>
struct OwnedList {
  std::vector<T> scores, labels, weights, easiness;
  std::vector<std::uint8_t> mask;

  std::size_t size() const { return scores.size(); }
  rg::ListView<T> view() const {
    return {.scores = scores, .labels = labels, .weights = weights, .mask = mask, .easiness = easiness};
  }
  template <class U>
  OwnedList<U> as() const {
    return {{scores.begin(), scores.end()}, {labels.begin(), labels.end()}, {weights.begin(), weights.end()},
            {easiness.begin(), easiness.end()}, mask};
  }
  void append(const OwnedList& other, std::size_t i) {
    scores.push_back(other.scores[i]);
    labels.push_back(other.labels[i]);
    if (!other.weights.empty()) weights.push_back(other.weights[i]);
    if (!other.easiness.empty()) easiness.push_back(other.easiness[i]);
  }
};

struct ListOptions {
  double spread = 1;         ///< standard deviation of the scores
  double offset = 0;         ///< added to every score
  std::size_t grades = 5;    ///< labels are 0 .. grades - 1; 0 for real-valued labels in [0, 1)
  bool weights = false;      ///< uniform in [0.5, 1.5)
  bool tied_scores = false;  ///< scores rounded to half a spread
};

template <class T>
OwnedList<T> make_list(std::size_t n, std::uint64_t seed, const ListOptions& options = {}) {
  rg::Random random(seed, n);
  OwnedList<T> list;
  for (std::size_t i = 0; i < n; ++i) {
    double s = random.normal();
    if (options.tied_scores) s = std::round(2 * s) / 2;
    // Through float, so that float and double tests see the same numbers.
    list.scores.push_back(static_cast<T>(static_cast<float>(options.offset + options.spread * s)));
    const double y = options.grades ? static_cast<double>(random.below(options.grades)) : random.uniform();
    list.labels.push_back(static_cast<T>(static_cast<float>(y)));
    const double w = 0.5 + random.uniform();
    if (options.weights) list.weights.push_back(static_cast<T>(static_cast<float>(w)));
    list.easiness.push_back(static_cast<T>(static_cast<float>(random.uniform())));
  }
  return list;
}

/// A ragged batch that owns its arrays; list lengths uniform in [low, high].
template <class T>
struct OwnedBatch {
  OwnedList<T> items;
  std::vector<std::uint32_t> offsets{0};

  rg::RaggedBatch<T> view() const {
    return {.scores = items.scores, .labels = items.labels, .weights = items.weights, .mask = items.mask,
            .easiness = items.easiness, .offsets = offsets};
  }
};

template <class T>
OwnedBatch<T> make_batch(std::size_t lists, std::size_t low, std::size_t high, std::uint64_t seed, const ListOptions& options = {}) {
  rg::Random random(seed, 77);
  OwnedBatch<T> batch;
  for (std::size_t q = 0; q < lists; ++q) {
    const auto list = make_list<T>(low + random.below(high - low + 1), seed + 1000 * (q + 1), options);
    for (std::size_t i = 0; i < list.size(); ++i) batch.items.append(list, i);
    batch.offsets.push_back(static_cast<std::uint32_t>(batch.items.size()));
  }
  return batch;
}

}  // namespace test
