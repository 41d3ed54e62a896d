// What every rank metric must do: be its definition, treat ties as promised, and stand masks, NaN and empty lists.
#include "support/catch.hpp"
#include "support/lists.hpp"

#include <rankgrad/core/batch_evaluator.hpp>
#include <rankgrad/exec/threads.hpp>
#include <rankgrad/metric/auc.hpp>
#include <rankgrad/metric/average_precision.hpp>
#include <rankgrad/metric/ndcg.hpp>
#include <rankgrad/metric/precision.hpp>
#include <rankgrad/metric/reciprocal_rank.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

namespace rg = rankgrad;

namespace {

/// The definitions, on labels and weights that stand in rank order.
using Labels = std::vector<long double>;
template <class M>
struct Definition;

struct CutOff {
  template <class M>
  static std::size_t of(const M& m, std::size_t n) { return m.k == 0 ? n : std::min(m.k, n); }
};
template <class M>
long double relevant(const M& m, const Labels& y, std::size_t first, std::size_t last) {
  long double count = 0;
  for (std::size_t r = first; r < last; ++r) count += y[r] > m.relevant_above;
  return count;
}

template <>
struct Definition<rg::Dcg> {
  static std::vector<rg::Dcg> instances() {
    return {{}, {.k = 3}, {.k = 2, .gain = rg::Gain::linear}, {.discount = rg::Discount::reciprocal}};
  }
  template <class M>
  static long double value(const M& m, const Labels& y, const Labels& w) {
    long double total = 0;
    for (std::size_t r = 0; r < CutOff::of(m, y.size()); ++r) {
      const long double gain = m.gain == rg::Gain::linear ? y[r] : exp2l(y[r]) - 1, rank = static_cast<long double>(r + 1);
      total += w[r] * gain * (m.discount == rg::Discount::log2 ? 1 / log2l(1 + rank) : 1 / rank);
    }
    return total;
  }
};
template <>
struct Definition<rg::Ndcg> {
  static std::vector<rg::Ndcg> instances() {
    return {{}, {.k = 3}, {.k = 2, .gain = rg::Gain::linear}, {.k = 100, .discount = rg::Discount::reciprocal}};
  }
  static long double value(const rg::Ndcg& m, const Labels& y, const Labels& w) {
    std::vector<std::size_t> order(y.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const auto gain = [&](std::size_t i) { return w[i] * (m.gain == rg::Gain::linear ? y[i] : exp2l(y[i]) - 1); };
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return gain(a) > gain(b); });
    Labels ideal_labels, ideal_weights;
    for (const std::size_t i : order) ideal_labels.push_back(y[i]), ideal_weights.push_back(w[i]);
    const long double ideal = Definition<rg::Dcg>::value(m, ideal_labels, ideal_weights);
    return ideal > 0 ? Definition<rg::Dcg>::value(m, y, w) / ideal : 0;
  }
};
template <>
struct Definition<rg::ReciprocalRank> {
  static std::vector<rg::ReciprocalRank> instances() { return {{}, {.k = 2}, {.k = 3, .relevant_above = 2.5}}; }
  static long double value(const rg::ReciprocalRank& m, const Labels& y, const Labels&) {
    for (std::size_t r = 0; r < CutOff::of(m, y.size()); ++r)
      if (y[r] > m.relevant_above) return 1 / static_cast<long double>(r + 1);
    return 0;
  }
};
template <>
struct Definition<rg::AveragePrecision> {
  static std::vector<rg::AveragePrecision> instances() {
    return {{}, {.k = 3}, {.k = 3, .divide_by = rg::RelevantCount::within_k}, {.k = 50, .relevant_above = 1, .divide_by = rg::RelevantCount::within_k}};
  }
  static long double value(const rg::AveragePrecision& m, const Labels& y, const Labels&) {
    long double total = 0, all = relevant(m, y, 0, y.size());
    if (all == 0) return 0;
    for (std::size_t r = 0; r < CutOff::of(m, y.size()); ++r)
      if (y[r] > m.relevant_above) total += relevant(m, y, 0, r + 1) / static_cast<long double>(r + 1);
    if (m.divide_by == rg::RelevantCount::within_k) all = std::min(all, static_cast<long double>(m.k));
    return total / all;
  }
};
template <>
struct Definition<rg::Precision> {
  static std::vector<rg::Precision> instances() {
    return {{}, {.k = 3}, {.k = 2, .relevant_above = 1.5}, {.k = 9}, {.k = 9, .short_list = rg::ShortList::length}};
  }
  static long double value(const rg::Precision& m, const Labels& y, const Labels&) {
    const std::size_t top = CutOff::of(m, y.size());
    return relevant(m, y, 0, top) / static_cast<long double>(m.k > top && m.short_list == rg::ShortList::k ? m.k : top);
  }
};
template <>
struct Definition<rg::Recall> {
  static std::vector<rg::Recall> instances() { return {{}, {.k = 3}, {.k = 2, .relevant_above = 1.5}, {.k = 9}}; }
  static long double value(const rg::Recall& m, const Labels& y, const Labels&) {
    const long double all = relevant(m, y, 0, y.size());
    return all > 0 ? relevant(m, y, 0, CutOff::of(m, y.size())) / all : 0;
  }
};
template <>
struct Definition<rg::Hit> {
  static std::vector<rg::Hit> instances() { return {{}, {.k = 1}, {.k = 3, .relevant_above = 2.5}, {.k = 2, .relevant_above = 3}}; }
  static long double value(const rg::Hit& m, const Labels& y, const Labels&) { return relevant(m, y, 0, CutOff::of(m, y.size())) > 0 ? 1 : 0; }
};
template <>
struct Definition<rg::Auc> {
  static std::vector<rg::Auc> instances() {
    return {{}, {.relevant_above = 2.5}, {.max_fpr = 0.35}, {.max_fpr = 0.8, .min_fpr = 0.15, .scale = rg::RocScale::area}, {.max_fpr = 0.6, .min_tpr = 0.3, .scale = rg::RocScale::mcclish}};
  }
  /// The area under the steps of the curve, each positive with the part of every negative below that lies inside.
  static long double value(const rg::Auc& m, const Labels& y, const Labels& w) {
    const auto area = [&](auto rises, auto runs, std::size_t steps) {
      long double total = 0, f = 0, t = 0;
      for (std::size_t r = 0; r < steps; ++r) {
        const long double run = runs(r), low = std::max(f, static_cast<long double>(m.min_fpr)), high = std::min(f + run, static_cast<long double>(m.max_fpr));
        t += rises(r);
        if (high > low) total += (high - low) * std::max(0.0L, t - m.min_tpr);
        f += run;
      }
      return total;
    };
    long double A = 0, B = 0;
    for (std::size_t r = 0; r < y.size(); ++r) (y[r] > m.relevant_above ? A : B) += w[r];
    if (!(A > 0 && B > 0)) return 0;
    const long double inside = area([&](std::size_t r) { return y[r] > m.relevant_above ? w[r] / A : 0; },
                                    [&](std::size_t r) { return y[r] > m.relevant_above ? 0 : w[r] / B; }, y.size());
    const long double best = (static_cast<long double>(m.max_fpr) - m.min_fpr) * (1 - static_cast<long double>(m.min_tpr));
    if (m.scale == rg::RocScale::area) return inside;
    if (m.scale == rg::RocScale::fraction) return inside / best;
    const auto square = [](long double x) { return x * x; };
    const long double a = std::max(m.min_fpr, m.min_tpr), chance = (square(m.max_fpr - m.min_tpr) - square(a - m.min_tpr)) / 2;
    return 0.5L + 0.5L * (inside - chance) / (best - chance);
  }
};

template <class M, class T>
long double defined(const M& m, const test::OwnedList<T>& list) {
  std::vector<std::size_t> order(list.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return list.scores[a] > list.scores[b]; });
  Labels y, w;
  for (const std::size_t i : order) {
    y.push_back(static_cast<long double>(list.labels[i]));
    w.push_back(list.weights.empty() ? 1 : static_cast<long double>(list.weights[i]));
  }
  return Definition<M>::value(m, y, w);
}

template <class M, class T>
rg::Contribution<T> value_of(const M& metric, const rg::ListView<T>& list) {
  rg::Workspace workspace;
  return rg::evaluate_unmasked(metric, list, workspace);
}

template <class M, class T>
void check_definition() {
  for (M metric : Definition<M>::instances()) {
    metric.ties = rg::Ties::stable;
    for (const std::size_t n : {1u, 2u, 3u, 7u, 8u, 9u, 40u, 130u}) {
      for (const bool weights : {false, true}) {
        for (const bool tied : {false, true}) {
          INFO(rg::name_of<M>() << ", n " << n << ", weights " << weights << ", ties " << tied);
          const auto list = test::make_list<T>(n, 5, {.spread = 2, .weights = weights, .tied_scores = tied});
          const auto got = value_of(metric, list.view());
          CHECK(static_cast<double>(got.value) == Approx(static_cast<double>(defined(metric, list))).epsilon(sizeof(T) == 4 ? 3e-7 : 1e-14).margin(sizeof(T) == 4 ? 1e-7 : 1e-15));
        }
      }
    }
  }
}

/// A border through a tied group cuts the straight line of the curve, which is not the mean over orders.
template <class M>
bool is_mean_over_orders(const M&) { return true; }
bool is_mean_over_orders(const rg::Auc& m) { return m.max_fpr - m.min_fpr == 1 && m.min_tpr == 0; }

/// All orders of a list of up to 6 items with tied scores: their mean, best and worst.
template <class M>
void check_ties() {
  for (M metric : Definition<M>::instances()) {
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
      auto list = test::make_list<double>(6, seed, {.weights = seed % 2 == 0});
      for (double& s : list.scores) s = std::round(s * 0.7);
      INFO(rg::name_of<M>() << ", seed " << seed);
      std::vector<std::uint32_t> order(list.size());
      std::iota(order.begin(), order.end(), 0u);
      double mean = 0, best = -1e300, worst = 1e300;
      int count = 0;
      do {
        test::OwnedList<double> permuted;
        for (const std::uint32_t i : order) permuted.append(list, i);
        const double v = static_cast<double>(defined(metric, permuted));
        mean += v;
        best = std::max(best, v);
        worst = std::min(worst, v);
        ++count;
      } while (std::next_permutation(order.begin(), order.end()));
      mean /= count;
      const auto at = [&](rg::Ties ties, std::uint64_t shuffle = 0) {
        M other = metric;
        other.ties = ties;
        other.seed = shuffle;
        return value_of(other, list.view()).value;
      };
      if (is_mean_over_orders(metric)) CHECK(at(rg::Ties::expected) == Approx(mean).margin(1e-14));
      CHECK(at(rg::Ties::optimistic) == Approx(best).margin(1e-14));
      CHECK(at(rg::Ties::pessimistic) == Approx(worst).margin(1e-14));
      double shuffled = 0, squares = 0;
      constexpr int draws = 600;
      for (std::uint64_t d = 0; d < draws; ++d) {
        const double v = at(rg::Ties::shuffled, d);
        CHECK(v == at(rg::Ties::shuffled, d));
        shuffled += v / draws;
        squares += v * v / draws;
      }
      const double deviation = std::sqrt(std::max(squares - shuffled * shuffled, 0.0) / draws);
      CHECK(std::abs(shuffled - mean) <= 5 * deviation + 1e-12);
    }
  }
}

template <class M>
void check_robustness() {
  for (const M& metric : Definition<M>::instances()) {
    INFO(rg::name_of<M>());
    REQUIRE(rg::validate_parameters(metric));
    static_assert(rg::Metric<M, float> && rg::Metric<M, double>);
    const auto list = test::make_list<double>(23, 3, {.weights = true});
    const double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();

    // --- masking is deletion
    test::OwnedList<double> masked, kept;
    for (std::size_t i = 0; i < list.size(); ++i) {
      masked.append(list, i);
      masked.mask.push_back(i % 3 != 1);
      if (i % 3 == 1) masked.scores.back() = masked.labels.back() = nan;
      else kept.append(list, i);
    }
    CHECK(rg::value(metric, masked.view()) == value_of(metric, kept.view()).value);
    masked.mask.assign(list.size(), 0);
    CHECK_FALSE(value_of(metric, masked.view()).valid);

    // --- the order of the items does not matter, nor do shifts, nor do infinite scores other than by their rank
    auto reversed = list, shifted = list, far = list;
    for (auto* all : {&reversed.scores, &reversed.labels, &reversed.weights}) std::reverse(all->begin(), all->end());
    for (double& s : shifted.scores) s = 3 * s + 1000;
    *std::max_element(far.scores.begin(), far.scores.end()) = infinity;
    *std::min_element(far.scores.begin(), far.scores.end()) = -infinity;
    const double value = value_of(metric, list.view()).value;
    CHECK(value_of(metric, reversed.view()).value == Approx(value).epsilon(1e-14));
    CHECK(value_of(metric, shifted.view()).value == value);
    CHECK(value_of(metric, far.view()).value == value);
    for (const double sign : {1.0, -1.0}) {
      auto broken = list;
      broken.scores[20] = sign * nan;
      CHECK(std::isnan(value_of(metric, broken.view()).value));
    }

    // --- the empty list, one item, all tied
    CHECK_FALSE(value_of(metric, rg::ListView<double>{}).valid);
    CHECK(rg::value(metric, rg::ListView<double>{}) == 0.0);
    for (const double label : {0.0, 4.0}) {
      const std::vector<double> one{0.5}, y{label};
      CHECK(std::isfinite(value_of(metric, rg::ListView<double>{.scores = one, .labels = y}).value));
    }
    auto tied = list;
    std::fill(tied.scores.begin(), tied.scores.end(), -0.0);
    tied.scores[4] = 0.0;
    CHECK(std::isfinite(value_of(metric, tied.view()).value));

    // --- a batch: the same bits on any number of threads; no growth once warm
    const auto batch = test::make_batch<float>(83, 0, 60, 6, {.weights = true});
    rg::BatchEvaluator<float> evaluate;
    const double mean = evaluate.metric(metric, batch.view());
    double expected = 0, valid = 0;
    for (std::size_t q = 0; q < batch.view().lists(); ++q) {
      const auto part = value_of(metric, batch.view()[q]);
      expected += static_cast<double>(part.value);
      valid += part.valid;
    }
    CHECK(mean == Approx(expected / valid).epsilon(1e-12));
    const std::size_t growths = evaluate.growths();
    CHECK(evaluate.metric(metric, batch.view()) == mean);
    CHECK(evaluate.growths() == growths);
    for (const std::size_t workers : {2u, 5u}) {
      const rg::exec::Threads pool(workers);
      CHECK(evaluate.metric(metric, batch.view(), pool) == mean);
    }
  }
}

}  // namespace

TEMPLATE_TEST_CASE("every metric is its definition", "[metric]", rg::Dcg, rg::Ndcg, rg::ReciprocalRank, rg::AveragePrecision, rg::Precision, rg::Recall, rg::Hit, rg::Auc) {
  check_definition<TestType, float>();
  check_definition<TestType, double>();
}

TEMPLATE_TEST_CASE("every metric under every tie policy", "[metric]", rg::Dcg, rg::Ndcg, rg::ReciprocalRank, rg::AveragePrecision, rg::Precision, rg::Recall, rg::Hit, rg::Auc) {
  check_ties<TestType>();
}

TEMPLATE_TEST_CASE("every metric stands masks, NaN, batches and empty lists", "[metric]", rg::Dcg, rg::Ndcg, rg::ReciprocalRank, rg::AveragePrecision, rg::Precision, rg::Recall, rg::Hit, rg::Auc) {
  check_robustness<TestType>();
}

TEMPLATE_TEST_CASE("nothing relevant: zero, one, or left out", "[metric]", rg::Ndcg, rg::ReciprocalRank, rg::AveragePrecision, rg::Precision, rg::Recall, rg::Hit) {
  const std::vector<double> s{3, 2, 1}, y{0, 0, -1};
  const rg::ListView<double> list{.scores = s, .labels = y};
  TestType metric{};
  CHECK(value_of(metric, list).valid);
  CHECK(value_of(metric, list).value == 0.0);
  metric.no_relevant = rg::NoRelevant::one;
  CHECK(value_of(metric, list).valid);
  CHECK(value_of(metric, list).value == 1.0);
  metric.no_relevant = rg::NoRelevant::skip;
  CHECK_FALSE(value_of(metric, list).valid);
  CHECK(value_of(metric, list).value == 0.0);
}

TEMPLATE_TEST_CASE("item weights do not count in metrics of relevant or not", "[metric]", rg::ReciprocalRank, rg::AveragePrecision, rg::Precision, rg::Recall, rg::Hit) {
  auto list = test::make_list<double>(15, 2, {.weights = true});
  list.weights[3] = 0;
  TestType metric{};
  metric.k = 4;
  const double weighted = value_of(metric, list.view()).value;
  list.weights.clear();
  CHECK(value_of(metric, list.view()).value == weighted);
}
