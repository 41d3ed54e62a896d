// What the tests of the sampling losses share: the expected metric and its gradient by enumeration of all rankings.
#pragma once

#include "properties/every_loss.hpp"

#include <rankgrad/plackett_luce/pl_rank.hpp>
#include <rankgrad/plackett_luce/policy_gradient.hpp>

namespace test {

struct MetricCase {
  rg::TargetMetric metric;
  std::size_t k;
};
inline const MetricCase metric_cases[] = {{rg::TargetMetric::dcg, 0}, {rg::TargetMetric::dcg, 2}, {rg::TargetMetric::ndcg, 3},
                                          {rg::TargetMetric::precision, 2}, {rg::TargetMetric::precision, 9},
                                          {rg::TargetMetric::reciprocal_rank, 0}, {rg::TargetMetric::reciprocal_rank, 2}};

inline double metric_of(const MetricCase& which, const Definition& list, const std::vector<std::uint32_t>& ranking) {
  const std::size_t n = list.size(), top = which.k == 0 ? n : std::min(which.k, n);
  const auto value = [&](const auto& order) {
    double total = 0;
    for (std::size_t p = 0; p < top; ++p) {
      const double y = static_cast<double>(list.labels[order[p]]), w = static_cast<double>(list.weights[order[p]]);
      if (which.metric == rg::TargetMetric::dcg || which.metric == rg::TargetMetric::ndcg)
        total += w * (std::exp2(y) - 1) / std::log2(static_cast<double>(p + 2));
      else if (which.metric == rg::TargetMetric::precision)
        total += y > 0 ? w / static_cast<double>(which.k == 0 ? n : which.k) : 0;
      else if (y > 0)
        return w / static_cast<double>(p + 1);
    }
    return total;
  };
  if (which.metric != rg::TargetMetric::ndcg) return value(ranking);
  std::vector<std::uint32_t> order(n);
  std::iota(order.begin(), order.end(), 0u);
  double ideal = 0;
  do ideal = std::max(ideal, value(order));
  while (std::next_permutation(order.begin(), order.end()));
  return value(ranking) / ideal;
}

/// -E[metric] over all n! rankings.
inline long double expected_loss(const MetricCase& which, const Definition& list, long double temperature) {
  const std::size_t n = list.size();
  std::vector<std::uint32_t> order(n);
  std::iota(order.begin(), order.end(), 0u);
  long double total = 0;
  do {
    long double probability = 1;
    for (std::size_t p = 0; p < n; ++p) {
      long double below = 0;
      for (std::size_t j = p; j < n; ++j) below += expl((list.scores[order[j]] - list.scores[order[p]]) / temperature);
      probability /= below;
    }
    total -= probability * metric_of(which, list, order);
  } while (std::next_permutation(order.begin(), order.end()));
  return total;
}

inline std::vector<double> expected_gradient(const MetricCase& which, Definition list, long double temperature) {
  std::vector<double> gradient;
  for (long double& s : list.scores) {
    const long double rest = s, h = 1e-4L;
    s = rest + h;
    const long double above = expected_loss(which, list, temperature);
    s = rest - h;
    const long double below = expected_loss(which, list, temperature);
    s = rest;
    gradient.push_back(static_cast<double>((above - below) / (2 * h)));
  }
  return gradient;
}

inline OwnedList<double> small_list(bool weights = true) {
  OwnedList<double> list{{0.4, -0.6, 1.1, 0.0, -0.2}, {0, 2, 1, 0, 3}, {}, {}, {}};
  if (weights) list.weights = {1, 0.5, 2, 1, 0.75};
  return list;
}

/// How far the mean of many estimates of value and gradient is from the truth, in standard errors; the worst component.
/// Lists of different index see different random numbers: each is one independent estimate of `samples` rankings.
template <class L>
double worst_deviation(const L& loss, const MetricCase& which, const OwnedList<double>& list, std::size_t estimates, double* variance = nullptr) {
  const std::size_t n = list.size();
  const Definition definition = Definition::of(list);
  std::vector<double> truth = expected_gradient(which, definition, loss.temperature), sum(n + 1), square(n + 1), gradient(n);
  truth.push_back(static_cast<double>(expected_loss(which, definition, loss.temperature)));
  rg::Workspace workspace;
  for (std::size_t e = 0; e < estimates; ++e) {
    rg::ListView<double> view = list.view();
    view.index = e;
    std::fill(gradient.begin(), gradient.end(), 0.0);
    const auto part = loss.value_and_gradient(view, rg::GradientSink<double>{gradient.data()}, workspace);
    for (std::size_t i = 0; i <= n; ++i) {
      const double x = i < n ? gradient[i] : part.value;
      sum[i] += x;
      square[i] += x * x;
    }
  }
  double worst = 0, total = 0;
  const double count = static_cast<double>(estimates);
  for (std::size_t i = 0; i <= n; ++i) {
    const double mean = sum[i] / count, spread = square[i] / count - mean * mean;
    worst = std::max(worst, std::abs(mean - truth[i]) / std::sqrt(std::max(spread, 1e-20) / count));
    if (i < n) total += spread;
  }
  if (variance) *variance = total;
  return worst;
}

/// Properties that need no smooth value: the sink, weights of 1, shift invariance, masks, threads, extremes, NaN.
template <class L, class T>
void check_sampling_loss(const L& loss, bool shift_invariant = true) {
  REQUIRE(rg::validate_parameters(loss));
  const OwnedList<T> list = make_list<T>(23, 4, {.spread = 1.3, .grades = 3, .weights = true});
  const std::size_t n = list.size();
  const Result<T> base = run(loss, list);
  const double scale = largest(base.gradient), epsilon = static_cast<double>(std::numeric_limits<T>::epsilon());
  REQUIRE(base.valid);
  REQUIRE(scale > 0);
  for (const T h : base.curvature) CHECK(h >= T(0));
  double sum = 0;
  for (const T g : base.gradient) sum += static_cast<double>(g);
  if (shift_invariant) CHECK(std::abs(sum) <= 64 * epsilon * scale * static_cast<double>(n));
  {
    std::vector<T> gradient(n);
    CHECK(rg::value_and_gradient(loss, list.view(), gradient) == base.value);
    check_close(gradient, base.gradient, 4, scale, "gradient without curvature");
  }
  {
    std::vector<T> gradient(n, T(1)), curvature(n, T(2)), expected_gradient, expected_curvature;
    rg::Workspace workspace;
    rg::evaluate_unmasked(loss, list.view(), rg::GradientSink<T>{gradient.data(), curvature.data(), T(0.5)}, workspace);
    for (std::size_t i = 0; i < n; ++i) {
      expected_gradient.push_back(T(1) + base.gradient[i] / 2);
      expected_curvature.push_back(T(2) + base.curvature[i] / 2);
    }
    check_close(gradient, expected_gradient, 4, 1 + scale, "prefilled gradient");
    check_close(curvature, expected_curvature, 4, 2 + largest(base.curvature), "prefilled curvature");
  }
  {
    OwnedList<T> ones = list, none = list;
    std::fill(ones.weights.begin(), ones.weights.end(), T(1));
    none.weights.clear();
    CHECK(run(loss, ones).value == run(loss, none).value);
    CHECK(run(loss, ones).gradient == run(loss, none).gradient);
  }
  {   // masking is deletion
    OwnedList<T> masked, kept;
    const T nan = std::numeric_limits<T>::quiet_NaN();
    for (std::size_t i = 0; i < n; ++i) {
      if (i % 3 == 1) {
        masked.append(list, i);
        masked.scores.back() = masked.labels.back() = masked.weights.back() = nan;
        masked.mask.push_back(0);
      }
      masked.append(list, i);
      masked.mask.push_back(1);
      kept.append(list, i);
    }
    const Result<T> a = run(loss, masked), b = run(loss, kept);
    CHECK(a.value == b.value);
    for (std::size_t i = 0, k = 0; i < masked.size(); ++i) {
      CHECK(a.gradient[i] == (masked.mask[i] ? b.gradient[k] : T(0)));
      CHECK(a.curvature[i] == (masked.mask[i] ? b.curvature[k] : T(0)));
      k += masked.mask[i];
    }
  }
  {   // no signal
    CHECK_FALSE(run(loss, OwnedList<T>{}).valid);
    CHECK_FALSE(run(loss, make_list<T>(1, 3)).valid);
    OwnedList<T> weightless = list, irrelevant = list, equal = list;
    std::fill(weightless.weights.begin(), weightless.weights.end(), T(0));
    std::fill(irrelevant.labels.begin(), irrelevant.labels.end(), T(0));
    std::fill(equal.labels.begin(), equal.labels.end(), T(1));
    equal.weights.clear();
    for (const auto& without : {weightless, irrelevant, equal}) {
      const Result<T> r = run(loss, without);
      CHECK_FALSE(r.valid);
      CHECK(r.value == T(0));
      CHECK(largest(r.gradient) == 0.0);
    }
  }
  for (const auto& options : {ListOptions{.spread = 1e4}, ListOptions{.spread = 1e3, .offset = 1e5}, ListOptions{.spread = 1e8},
                              ListOptions{.spread = 1e-30}, ListOptions{.spread = 1e-42}}) {
    const Result<T> r = run(loss, make_list<T>(19, 31, options));
    CHECK(rg::is_finite(r.value));
    for (const T g : r.gradient) CHECK(rg::is_finite(g));
    for (const T h : r.curvature) CHECK((rg::is_finite(h) && h >= T(0)));
  }
  {
    OwnedList<T> broken = list;
    broken.scores[2] = std::numeric_limits<T>::quiet_NaN();
    CHECK_FALSE(rg::is_finite(run(loss, broken).value));
  }
  {   // the same bits on any number of threads; the seed matters
    const auto batch = make_batch<T>(57, 0, 40, 99, {.spread = 1.2, .grades = 3, .weights = true});
    const auto view = batch.view();
    std::vector<T> serial(view.items()), serial_curvature(view.items()), other(view.items()), other_curvature(view.items());
    rg::BatchEvaluator<T> evaluate;
    const T value = evaluate.with_curvature(loss, view, serial, serial_curvature, T(0));
    for (const std::size_t workers : {1u, 2u, 5u}) {
      const rg::exec::Threads pool(workers);
      rg::BatchEvaluator<T> threaded;
      CHECK(threaded.with_curvature(loss, view, other, other_curvature, T(0), rg::Reduction::mean, pool) == value);
      CHECK(other == serial);
      CHECK(other_curvature == serial_curvature);
    }
    const std::size_t growths = evaluate.growths();
    evaluate.with_curvature(loss, view, other, other_curvature, T(0));
    CHECK(evaluate.growths() == growths);
    L reseeded = loss;
    reseeded.seed += 1;
    CHECK(evaluate(reseeded, view, other) != value);
    CHECK(other != serial);
  }
}

}  // namespace test
