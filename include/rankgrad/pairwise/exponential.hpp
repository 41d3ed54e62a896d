// rankgrad/pairwise/exponential.hpp: the exponential loss of score differences (RankBoost), without its pairs.
// SPDX-License-Identifier: MIT
//
// e^{-(s_i - s_j)} = e^{-s_i} e^{s_j}: with the items in label order, an item needs the sum of e^{s_j} over all less relevant
// ones and the sum of e^{-s_i} over all more relevant ones, two running sums. Within e^{+-300} of the middle of the scores
// the exponentials are taken once, in packs; wider lists carry each sum relative to its largest term, so that only what is
// really too large overflows.
//
// Read first: pairwise/engine.hpp.
#pragma once

#include <rankgrad/pairwise/engine.hpp>
#include <rankgrad/simd/widen.hpp>

#include <cmath>
#include <limits>

namespace rankgrad::inline RANKGRAD_ABI {

namespace pairwise {

/// A sum of w e^x over x of any size, as e^top sum.
class SumOfExponentials {
 public:
  void add(double x, double weight) {
    if (!(weight > 0)) return;
    if (sum_ == 0) top_ = x;
    if (x > top_) {
      sum_ *= std::exp(top_ - x);
      top_ = x;
    }
    sum_ += weight * std::exp(x - top_);   // NaN shows
  }
  /// e^x times the sum; at most the largest number.
  double times(double x, double weight) const {
    if (sum_ == 0 || weight == 0) return 0;
    const double product = weight * sum_ * std::exp(top_ + x);
    return product > std::numeric_limits<double>::max() ? std::numeric_limits<double>::max() : product;
  }

 private:
  double top_ = 0, sum_ = 0;
};

/// The same where x is within e^{+-300}: callers have the exponential.
class PlainSum {
 public:
  void add(double exponential, double weight) { sum_ += weight * exponential; }
  double times(double exponential, double weight) const { return weight * exponential * sum_; }

 private:
  double sum_ = 0;
};

/// rise, fall: what stands for e^{s_i} and e^{-s_i} with such a sum. Adds factor times derivatives, returns the value.
template <class Running, Real T>
double exponential_pairs(const double* rise, const double* fall, double sigma, double factor, const PairList<T>& pairs,
                         const GradientSink<T>& out, Workspace& workspace) {
  const auto frame = workspace.frame();
  const std::size_t n = pairs.n;
  const auto weight = [&](std::size_t i) { return static_cast<double>(pairs.weights[i]); };
  double* as_better = workspace.take<double>(n);   // w_i e^{-s_i} sum over the worse of w e^s
  double value = 0;
  Running worse, better;
  for (std::size_t end = n, begin; end > 0; end = begin) {
    for (begin = end - 1; begin > 0 && pairs.labels[begin - 1] == pairs.labels[end - 1];) --begin;
    for (std::size_t i = begin; i < end; ++i) value += as_better[i] = worse.times(fall[i], weight(i));
    for (std::size_t i = begin; i < end; ++i) worse.add(rise[i], weight(i));
  }
  for (std::size_t begin = 0, end; begin < n; begin = end) {
    end = pairs.worse_than(begin);
    for (std::size_t i = begin; i < end; ++i) {
      const double as_worse = better.times(rise[i], weight(i));
      out.add(pairs.order[i], static_cast<T>(factor * sigma * (as_worse - as_better[i])),
              static_cast<T>(factor * sigma * sigma * (as_worse + as_better[i])));
    }
    for (std::size_t i = begin; i < end; ++i) better.add(fall[i], weight(i));
  }
  return factor * value;
}

}  // namespace pairwise

/// Exponential loss: what RankBoost descends.
///
///   L(s, y)   = (1/W) sum_{y_i > y_j} w_i w_j e^{-sigma (s_i - s_j)}
///   dL/ds_i   = (sigma/W) w_i [ e^{sigma s_i} sum_{y_j > y_i} w_j e^{-sigma s_j}
///                              -e^{-sigma s_i} sum_{y_j < y_i} w_j e^{sigma s_j} ]
///   d2L/ds_i2 = (sigma^2/W) w_i times the sum of the same two
///
/// Curvature   exact diagonal, >= 0.
/// Shapes, weights, no signal: as RankNet.
/// Units       1. A tied pair costs 1: the mean is at least the share of pairs in the wrong order.
/// Cost        O(n) after the sort by label, for any labels; two exps per item; O(n) scratch.
/// Numerics    double inside; offsets common to all scores cost no digits. Value and derivatives are infinite in T only where
///             the true numbers are too large for it: a pair 88 / sigma in the wrong order in float, 709 / sigma in double.
/// Parameters  sigma > 0: steepness, 1 / temperature. normalize: mean over pairs (default) or sum.
/// Source      Freund, Iyer, Schapire, Singer, An efficient boosting algorithm for combining preferences, JMLR 2003; Guo et
///             al., A deep look into neural ranking models for information retrieval, IPM 2020. For two classes it is
///             MannWhitney with the exponential surrogate.
struct PairwiseExponential {
  static constexpr std::string_view name = "pairwise_exponential";
  static constexpr Curvature curvature = Curvature::diagonal;

  double sigma = 1;
  Normalize normalize = Normalize::mean;

  pairwise::Exponential phi() const { return {sigma}; }
  Status check() const { return check_parameter("PairwiseExponential.sigma", sigma, 0); }

  template <Real T>
  Contribution<T> value_and_gradient(ListView<T> list, GradientSink<T> out, Workspace& workspace) const {
    using namespace simd;
    constexpr double reach = 300;
    const std::size_t n = checked_size(list);
    if (n == 0) return {};
    const auto frame = workspace.frame();
    const auto pairs = pairwise::sort_by_label(list, list.labels.data(), workspace);
    const double total_weight = pairs.pair_weight();
    if (!(total_weight > 0)) return {};
    const double factor = normalize == Normalize::mean ? 1 / total_weight : 1;
    const Range<T> range = range_of(pairs.scores, n);
    const bool near = 0.5 * sigma * range.span() <= reach;   // false where a score is not finite
    const Pack<double> middle(range.finite ? range.centre() : 0), steep(sigma);
    double *rise = workspace.take<double>(n + lanes<double>), *fall = workspace.take<double>(n + lanes<double>);
    for (std::size_t i = 0; i < n; i += lanes<double>) {   // the scores are padded
      const Pack<double> x = steep * (load_wide(pairs.scores + i) - middle);
      store(rise + i, near ? exp<double>(x) : x);
      store(fall + i, near ? exp<double>(-x) : -x);
    }
    const double value =
        near ? pairwise::exponential_pairs<pairwise::PlainSum>(rise, fall, sigma, factor, pairs, out, workspace)
             : pairwise::exponential_pairs<pairwise::SumOfExponentials>(rise, fall, sigma, factor, pairs, out, workspace);
    return {static_cast<T>(value), true};
  }
};

}  // namespace rankgrad
