// Literal definitions of the triplet losses.
#pragma once

#include "properties/every_loss.hpp"

#include <rankgrad/triplet/hardest_negative.hpp>
#include <rankgrad/triplet/multi_similarity.hpp>
#include <rankgrad/triplet/sum_hinge.hpp>
#include <rankgrad/triplet/triplet_log_sum_exp.hpp>

namespace test {

/// A similarity matrix that owns its arrays.
template <class T>
struct OwnedMatrix {
  std::vector<T> similarity;
  std::vector<std::int64_t> ids;
  std::vector<T> weights;
  std::vector<std::uint8_t> mask;

  std::size_t size() const { return ids.size(); }
  T& at(std::size_t i, std::size_t j) { return similarity[i * size() + j]; }
  const T& at(std::size_t i, std::size_t j) const { return similarity[i * size() + j]; }
  rg::SimilarityView<T> view() const { return {.similarity = similarity, .ids = ids, .weights = weights, .mask = mask}; }
  template <class U>
  OwnedMatrix<U> as() const {
    return {{similarity.begin(), similarity.end()}, ids, {weights.begin(), weights.end()}, mask};
  }
  OwnedMatrix transposed() const {
    OwnedMatrix other = *this;
    for (std::size_t i = 0; i < size(); ++i)
      for (std::size_t j = 0; j < size(); ++j) other.at(j, i) = at(i, j);
    return other;
  }
  /// Without the samples that the mask leaves out.
  OwnedMatrix compacted() const {
    OwnedMatrix kept;
    for (std::size_t i = 0; i < size(); ++i) {
      if (!mask[i]) continue;
      kept.ids.push_back(ids[i]);
      if (!weights.empty()) kept.weights.push_back(weights[i]);
      for (std::size_t j = 0; j < size(); ++j)
        if (mask[j]) kept.similarity.push_back(at(i, j));
    }
    return kept;
  }
};

/// Similarities around 0.3 on the diagonal of identities and 0 elsewhere; about `per_identity` samples of each identity.
inline OwnedMatrix<double> make_matrix(std::size_t n, std::uint64_t seed, double spread = 0.2, double per_identity = 1.5, bool weights = false) {
  rg::Random random(seed, n);
  OwnedMatrix<double> m;
  const std::size_t identities = std::max<std::size_t>(1, static_cast<std::size_t>(static_cast<double>(n) / per_identity));
  for (std::size_t i = 0; i < n; ++i) m.ids.push_back(static_cast<std::int64_t>(random.below(identities)) * 1000003 - 7);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j)
      m.similarity.push_back(static_cast<float>(spread * (random.normal() + (m.ids[i] == m.ids[j] ? 1.5 : 0.0))));
  if (weights)
    for (std::size_t i = 0; i < n; ++i) m.weights.push_back(static_cast<float>(0.5 + random.uniform()));
  return m;
}

template <class L>
struct TripletOracle;

/// L with the softmax weights of the positives taken from `frozen`, which is the matrix itself or where it started from.
template <class L, class M>
long double triplet_value(const L& loss, const M& m, const std::vector<long double>& now, const std::vector<long double>& frozen,
                          std::vector<long double>* per_sample = nullptr) {
  const std::size_t n = m.size();
  const auto present = [&](std::size_t i) { return m.mask.empty() || m.mask[i]; };
  long double total = 0, total_weight = 0;
  if (per_sample) per_sample->assign(n, 0);
  for (std::size_t i = 0; i < n; ++i) {
    if (!present(i)) continue;
    const long double w = m.weights.empty() ? 1 : static_cast<long double>(m.weights[i]);
    total_weight += w;
    for (const bool column : {false, true}) {
      if (loss.direction == (column ? rg::Direction::rows : rg::Direction::columns)) continue;
      const auto place = [&](std::size_t j) { return column ? j * n + i : i * n + j; };
      long double normalizer = 0, positive = 0, top = frozen[place(i)];
      std::vector<long double> negatives;
      for (std::size_t j = 0; j < n; ++j)
        if (present(j) && m.ids[j] == m.ids[i]) top = std::max(top, frozen[place(j)]);
      for (std::size_t j = 0; j < n; ++j) {
        if (!present(j)) continue;
        if (m.ids[j] != m.ids[i]) { negatives.push_back(now[place(j)]); continue; }
        const long double a = expl((frozen[place(j)] - top) / loss.temperature);
        normalizer += a;
        positive += a * now[place(j)];
      }
      if (negatives.empty()) continue;
      const long double l = TripletOracle<L>::anchor(loss, positive / normalizer, negatives);
      total += w * l;
      if (per_sample) (*per_sample)[i] += l;
    }
  }
  if (!(total_weight > 0)) return 0;
  return loss.normalize == rg::Normalize::mean ? total / total_weight : total;
}

template <>
struct TripletOracle<rg::TripletLogSumExp> {
  static std::vector<rg::TripletLogSumExp> instances() {
    return {{}, {.temperature = 0.1, .margin = 0.3, .normalize = rg::Normalize::mean},
            {.temperature = 1, .margin = 0, .direction = rg::Direction::rows}, {.temperature = 0.05, .direction = rg::Direction::columns}};
  }
  static long double anchor(const rg::TripletLogSumExp& loss, long double positive, const std::vector<long double>& negatives) {
    const long double top = *std::max_element(negatives.begin(), negatives.end());
    long double sum = 0;
    for (const long double s : negatives) sum += expl((s - top) / loss.temperature);
    return std::max(0.0L, loss.margin - positive + top + loss.temperature * logl(sum));
  }
};

template <>
struct TripletOracle<rg::HardestNegativeTriplet> {
  static std::vector<rg::HardestNegativeTriplet> instances() {
    return {{}, {.margin = 0.3, .temperature = 0.1, .normalize = rg::Normalize::mean}, {.direction = rg::Direction::rows},
            {.direction = rg::Direction::columns}};
  }
  static long double anchor(const rg::HardestNegativeTriplet& loss, long double positive, const std::vector<long double>& negatives) {
    return std::max(0.0L, loss.margin - positive + *std::max_element(negatives.begin(), negatives.end()));
  }
};

template <>
struct TripletOracle<rg::SumHingeTriplet> {
  static std::vector<rg::SumHingeTriplet> instances() {
    return {{}, {.margin = 0.3, .temperature = 0.1, .normalize = rg::Normalize::mean}, {.direction = rg::Direction::rows},
            {.direction = rg::Direction::columns}};
  }
  static long double anchor(const rg::SumHingeTriplet& loss, long double positive, const std::vector<long double>& negatives) {
    long double sum = 0;
    for (const long double s : negatives) sum += std::max(0.0L, loss.margin - positive + s);
    return sum;
  }
};

template <>
struct TripletOracle<rg::MultiSimilarity> {
  static std::vector<rg::MultiSimilarity> instances() {
    return {{}, {.alpha = 2, .beta = 10, .base = 0.3, .mining = 0.02, .direction = rg::Direction::both},
            {.alpha = 4, .beta = 20, .base = -0.1, .mining = std::nullopt, .direction = rg::Direction::columns, .normalize = rg::Normalize::sum},
            {.beta = 20, .base = 0.5, .mining = 0, .self_pairs = true, .normalize = rg::Normalize::sum}};
  }
};

/// The same for the multi-similarity loss: `frozen` says which pairs are mined.
template <class M>
long double triplet_value(const rg::MultiSimilarity& loss, const M& m, const std::vector<long double>& now,
                          const std::vector<long double>& frozen, std::vector<long double>* per_sample = nullptr) {
  const std::size_t n = m.size();
  const auto present = [&](std::size_t i) { return m.mask.empty() || m.mask[i]; };
  long double total = 0, total_weight = 0;
  bool any_negative = false;
  if (per_sample) per_sample->assign(n, 0);
  for (std::size_t i = 0; i < n; ++i) {
    if (!present(i)) continue;
    const long double w = m.weights.empty() ? 1 : static_cast<long double>(m.weights[i]);
    total_weight += w;
    for (const bool column : {false, true}) {
      if (loss.direction == (column ? rg::Direction::rows : rg::Direction::columns)) continue;
      const auto place = [&](std::size_t j) { return column ? j * n + i : i * n + j; };
      std::vector<std::size_t> positives, negatives;
      for (std::size_t j = 0; j < n; ++j) {
        if (!present(j)) continue;
        if (m.ids[j] != m.ids[i]) negatives.push_back(place(j));
        else if (j != i || loss.self_pairs) positives.push_back(place(j));
      }
      any_negative = any_negative || !negatives.empty();
      const auto terms = [&](const std::vector<std::size_t>& own, const std::vector<std::size_t>& others, long double sign, long double factor) {
        std::vector<long double> exponents{0};
        for (const std::size_t k : own) {
          bool mined = !loss.mining;
          for (const std::size_t o : others)   // harder than some pair of the other kind, or easier by less than the margin of mining
            mined = mined || sign * (frozen[k] - frozen[o]) > -static_cast<long double>(*loss.mining);
          if (mined) exponents.push_back(sign * factor * (now[k] - static_cast<long double>(loss.base)));
        }
        const long double top = *std::max_element(exponents.begin(), exponents.end());
        long double sum = 0;
        for (const long double e : exponents) sum += expl(e - top);
        return (top + logl(sum)) / factor;
      };
      const long double l = terms(positives, negatives, -1, loss.alpha) + terms(negatives, positives, 1, loss.beta);
      total += w * l;
      if (per_sample) (*per_sample)[i] += l;
    }
  }
  if (!any_negative || !(total_weight > 0)) return 0;
  return loss.normalize == rg::Normalize::mean ? total / total_weight : total;
}

}  // namespace test
