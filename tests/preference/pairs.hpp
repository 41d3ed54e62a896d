// Seeded pairs of answers for the tests of preference losses.
#pragma once

#include <rankgrad/core/random.hpp>
#include <rankgrad/preference/preference_view.hpp>

#include <vector>

namespace test {

namespace rg = rankgrad;

template <class T>
struct OwnedPairs {
  std::vector<T> chosen, rejected, reference_chosen, reference_rejected, chosen_lengths, rejected_lengths, chosen_share, weights;
  std::vector<std::uint8_t> mask;

  rg::PreferenceView<T> view() const {
    return {.chosen = chosen, .rejected = rejected, .reference_chosen = reference_chosen, .reference_rejected = reference_rejected,
            .chosen_lengths = chosen_lengths, .rejected_lengths = rejected_lengths, .chosen_share = chosen_share,
            .weights = weights, .mask = mask};
  }
  std::size_t size() const { return chosen.size(); }
  void append(const OwnedPairs& other, std::size_t i) {
    chosen.push_back(other.chosen[i]);
    rejected.push_back(other.rejected[i]);
    reference_chosen.push_back(other.reference_chosen[i]);
    reference_rejected.push_back(other.reference_rejected[i]);
    chosen_lengths.push_back(other.chosen_lengths[i]);
    rejected_lengths.push_back(other.rejected_lengths[i]);
    if (!other.weights.empty()) weights.push_back(other.weights[i]);
  }
};

template <class T>
OwnedPairs<T> make_pairs(std::size_t m, std::uint64_t seed, bool weights, double spread = 10) {
  rg::Random random(seed, m);
  OwnedPairs<T> pairs;
  const auto number = [](double x) { return static_cast<T>(static_cast<float>(x)); };
  for (std::size_t i = 0; i < m; ++i) {
    pairs.reference_chosen.push_back(number(-50 + spread * random.normal()));
    pairs.reference_rejected.push_back(number(-50 + spread * random.normal()));
    pairs.chosen.push_back(number(static_cast<double>(pairs.reference_chosen.back()) + spread * random.normal()));
    pairs.rejected.push_back(number(static_cast<double>(pairs.reference_rejected.back()) + spread * random.normal()));
    pairs.chosen_lengths.push_back(static_cast<T>(1 + random.below(30)));
    pairs.rejected_lengths.push_back(static_cast<T>(1 + random.below(30)));
    if (weights) pairs.weights.push_back(number(0.5 + random.uniform()));
  }
  return pairs;
}

}  // namespace test
