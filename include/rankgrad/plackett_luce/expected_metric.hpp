// rankgrad/plackett_luce/expected_metric.hpp: a ranking metric as a sum of rewards over places, and rankings sampled for
// its expectation.
// SPDX-License-Identifier: MIT
//
//   metric(ranking) = sum_{p <= K} theta_p rho_{item on p}
// The reciprocal rank has this form, too, if theta is 0 below the first relevant item: what theta is then depends on the
// places above p only, which is all that the estimators of pl_rank.hpp need.
//
// Read first: plackett_luce/sampling.hpp, metric/gain_discount.hpp.
#pragma once

#include <rankgrad/core/check_lists.hpp>
#include <rankgrad/core/concepts.hpp>
#include <rankgrad/core/validate.hpp>
#include <rankgrad/metric/gain_discount.hpp>
#include <rankgrad/plackett_luce/sampling.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// The metric whose expectation under Plackett-Luce a loss maximises. Every item's reward rho is multiplied by its weight.
enum class TargetMetric {
  dcg,              ///< theta = discount(p), rho = gain(y); exponential gains take labels to 100 in float, 500 in double
  ndcg,             ///< the same, divided by the largest value of any ranking
  precision,        ///< theta = 1 / k (also where k > n), rho = 1 for y > 0, else 0
  reciprocal_rank   ///< 1 / p at the first item with y > 0, if it stands on the first k places
};

namespace plackett_luce {

struct MetricOptions {
  TargetMetric metric;
  std::size_t k;   ///< 0: all places
  Gain gain;
  Discount discount;
};

/// Are the labels small enough for exponential gains? For check_input() of the losses.
template <class View>
Status check_labels(TargetMetric metric, Gain gain, const View& view) {
  if (metric != TargetMetric::dcg || gain != Gain::exponential) return {};
  constexpr double limit = sizeof(typename View::value_type) == 4 ? 100 : 500;
  return check_each_list(view, [&](const auto& list) {
    for (std::size_t i = 0; i < list.labels.size(); ++i)
      if (static_cast<double>(list.labels[i]) > limit && (list.mask.empty() || list.mask[i]))
        return Status::error(
            "rankgrad: list %llu has the label %g; 2^label overflows beyond %g: use TargetMetric::ndcg or Gain::linear",
            number_of(list), static_cast<double>(list.labels[i]), limit);
    return Status{};
  });
}

/// A metric made ready for one list; arrays in the workspace.
class ExpectedMetric {
 public:
  template <Real T>
  ExpectedMetric(const ListView<T>& list, const MetricOptions& options, Workspace& workspace)
      : n_(list.size()), places_(metric::cut_off(options.k, n_)),
        first_only_(options.metric == TargetMetric::reciprocal_rank) {
    rewards_ = workspace.take<double>(n_);
    discounts_ = workspace.take<double>(n_);
    const bool graded = options.metric == TargetMetric::dcg || options.metric == TargetMetric::ndcg;
    double highest = 0;
    for (const T y : list.labels) highest = std::max(highest, static_cast<double>(y));
    // The shift cancels in NDCG; DCG has to live with its size (check_labels).
    const double shift = options.metric == TargetMetric::ndcg ? gain_shift(options.gain, highest) : 0;
    for (std::size_t i = 0; i < n_; ++i) {
      const double y = static_cast<double>(list.labels[i]);
      rewards_[i] = static_cast<double>(list.weight(i)) * (graded ? gain_of(options.gain, y, shift) : y > 0 ? 1 : 0);
    }
    if (graded) fill_discounts(options.discount, options.k, discounts_, n_);
    else if (first_only_) fill_discounts(Discount::reciprocal, options.k, discounts_, n_);
    else std::fill_n(discounts_, n_, 1 / static_cast<double>(options.k == 0 ? n_ : options.k));
    std::fill(discounts_ + places_, discounts_ + n_, 0.0);
    find_extremes(workspace);
    if (options.metric != TargetMetric::ndcg) return;
    const double ideal = best_;
    if (!(ideal > 0)) worst_ = best_ = 0;   // no signal
    else
      for (std::size_t i = 0; i < n_; ++i) rewards_[i] /= ideal;
    if (ideal > 0) worst_ /= ideal, best_ = 1;
  }

  std::size_t places() const { return places_; }                  ///< K
  double range() const { return best_ - worst_; }                 ///< between the best and the worst ranking
  double reward(std::size_t item) const { return rewards_[item]; }   ///< rho

  /// theta[p] for a ranking and to_go[p] = what it collects from place p on; [places()]. Returns its metric.
  double collect(const std::uint32_t* ranking, double* theta, double* to_go) const {
    bool open = true;
    for (std::size_t p = 0; p < places_; ++p) {
      theta[p] = open ? discounts_[p] : 0;
      to_go[p] = theta[p] * rewards_[ranking[p]];
      if (first_only_ && rewards_[ranking[p]] > 0) open = false;
    }
    for (std::size_t p = places_ - 1; p-- > 0;) to_go[p] += to_go[p + 1];
    return to_go[0];
  }

 private:
  void find_extremes(Workspace& workspace) {
    const auto frame = workspace.frame();
    std::uint32_t* order = workspace.take<std::uint32_t>(n_);
    double *theta = workspace.take<double>(n_), *to_go = workspace.take<double>(n_);
    simd::rank_descending(rewards_, order, n_, workspace);
    best_ = collect(order, theta, to_go);
    std::reverse(order, order + n_);
    worst_ = collect(order, theta, to_go);
  }

  std::size_t n_, places_;
  bool first_only_;
  double *rewards_ = nullptr, *discounts_ = nullptr;
  double best_ = 0, worst_ = 0;
};

/// Value and gradient of -E[metric], put together sample by sample in double.
class SampledGradient {
 public:
  /// `curvature`: also the bound of the curvature.
  SampledGradient(std::size_t n, std::size_t places, bool curvature, Workspace& workspace)
      : n_(n), workspace_(workspace), gradient_(workspace.take<double>(n, 0.0)),
        curvature_(curvature ? workspace.take<double>(n, 0.0) : nullptr), sorted_(workspace.take<double>(n)),
        slopes_(workspace.take<double>(n)), bends_(workspace.take<double>(n)), first_(workspace.take<double>(n, 0.0)) {
    std::fill_n(first_, places, 1.0);
  }

  /// For the ranking of one sample: every item gets the derivative of -sum_p c_p log P(item on place p | places above),
  /// less, where `theta` is given, the reward of the item times the same with theta in the place of c.
  void add(const double* scores, const std::uint32_t* ranking, const double* c, const double* theta,
           const ExpectedMetric& metric) {
    const auto frame = workspace_.frame();
    for (std::size_t p = 0; p < n_; ++p) sorted_[p] = scores[ranking[p]];
    const Scan scan({n_, sorted_, nullptr, n_, false}, workspace_);
    scan.derivatives(c, c, slopes_);
    for (std::size_t p = 0; p < n_; ++p) gradient_[ranking[p]] += slopes_[p];
    if (theta) {
      scan.derivatives(theta, theta, slopes_);
      for (std::size_t p = 0; p < n_; ++p) gradient_[ranking[p]] -= metric.reward(ranking[p]) * slopes_[p];
    }
    if (!curvature_) return;
    scan.derivatives(first_, first_, slopes_, bends_);
    for (std::size_t p = 0; p < n_; ++p) curvature_[ranking[p]] += bends_[p];
  }
  double* gradient() { return gradient_; }

  /// Hands over the mean over the samples. `value` is the sum of the metric; a score that is not finite shows in it.
  template <Real T>
  Contribution<T> finish(double value, std::size_t samples, double range, const double* scores, double temperature,
                         const GradientSink<T>& out) const {
    const double slope = 1 / (static_cast<double>(samples) * temperature), bend = slope * range / temperature;
    for (std::size_t i = 0; i < n_; ++i) out.add(i, T(slope * gradient_[i]), curvature_ ? T(bend * curvature_[i]) : T(0));
    double total = 0;
    for (std::size_t i = 0; i < n_; ++i) total += 0x1p-100 * scores[i];
    return {is_finite(total) ? T(-value / static_cast<double>(samples)) : T(total), true};
  }

 private:
  std::size_t n_;
  Workspace& workspace_;
  double *gradient_, *curvature_, *sorted_, *slopes_, *bends_, *first_;
};

}  // namespace plackett_luce

}  // namespace rankgrad
