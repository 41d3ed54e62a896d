// Do the losses give the numbers that other libraries test for? Reductions over lists and the normalisations of boosters
// are applied here; pair weights that the library does not have are written here, as a user would.
#include "parity/peer_losses.hpp"
#include "support/catch.hpp"

#include <rankgrad/core/evaluate.hpp>
#include <rankgrad/listwise/approx_ndcg.hpp>
#include <rankgrad/listwise/softmax.hpp>
#include <rankgrad/pairwise/hinge.hpp>
#include <rankgrad/pairwise/lambdarank.hpp>
#include <rankgrad/pairwise/pairwise_softmax.hpp>
#include <rankgrad/pairwise/ranknet.hpp>
#include <rankgrad/plackett_luce/list_mle.hpp>
#include <rankgrad/pointwise/mean_squared_error.hpp>
#include <rankgrad/pointwise/sigmoid_cross_entropy.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <set>
#include <string>

namespace rg = rankgrad;
using test::peers::Loss;
using test::peers::LossCase;
using test::peers::LossList;
using test::peers::PairWeight;
using test::peers::Reduce;

namespace {

/// |f(y_i) - f(y_j)| per pair, f given in label order.
template <class T>
struct FeatureDifference {
  const T* feature;
  template <class>
  auto row(std::size_t i) const {
    return [own = rg::simd::Pack<T>(feature[i]), all = feature](std::size_t j) { return rg::simd::abs(own - rg::simd::load(all + j)); };
  }
};

/// Another pair weight over |s_i - s_j| + 0.01, as boosters with `lambdarank_norm` and `lambdarank_score_normalization`.
template <class T, class Inner>
struct OverScoreDifference {
  const T* scores;
  Inner inner;
  template <class>
  auto row(std::size_t i) const {
    return [omega = inner.template row<T>(i), own = rg::simd::Pack<T>(scores[i]), all = scores](std::size_t j) {
      return omega(j) / (rg::simd::abs(own - rg::simd::load(all + j)) + rg::simd::Pack<T>(T(0.01)));
    };
  }
};

/// phi with the pair weight of a case.
template <class Phi>
struct WeightedPairs {
  Phi function;
  PairWeight pair_weight;

  template <rg::Real T>
  rg::Contribution<T> value_and_gradient(rg::ListView<T> list, rg::GradientSink<T> out, rg::Workspace& workspace) const {
    const auto frame = workspace.frame();
    const auto pairs = rg::pairwise::sort_by_label(list, list.labels.data(), workspace);
    if (pair_weight == PairWeight::dcg_difference) {   // |G_i - G_j| |D_i - D_j|, not over the ideal DCG
      double ideal = 0;
      for (std::size_t r = 0; r < pairs.n; ++r) ideal += (std::exp2(static_cast<double>(pairs.labels[r])) - 1) / std::log2(2 + static_cast<double>(r));
      const auto deltas = rg::LambdaRank{}.weighting(list, pairs, workspace);
      const auto part = rg::pairwise::comparable_pairs(function, deltas, rg::Normalize::sum, pairs, out.scaled(T(ideal)), workspace);
      return {T(ideal) * part.value, part.valid};
    }
    T* feature = workspace.take<T>(pairs.n, T(0));
    for (std::size_t i = 0; i < pairs.n; ++i)
      feature[i] = pair_weight == PairWeight::label_difference ? pairs.labels[i] : pairs.labels[i] * pairs.labels[i];
    return rg::pairwise::comparable_pairs(function, FeatureDifference<T>{feature}, rg::Normalize::sum, pairs, out, workspace);
  }
};

/// LambdaRank as LightGBM and xgboost normalise it: pair weights over score differences, then log2(1 + S) / S for the
/// sum S of all |lambda|, counted from both sides.
struct BoostedLambdaRank {
  double sigma = 1;

  template <rg::Real T>
  rg::Contribution<T> value_and_gradient(rg::ListView<T> list, rg::GradientSink<T> out, rg::Workspace& workspace) const {
    const auto frame = workspace.frame();
    const auto pairs = rg::pairwise::sort_by_label(list, list.labels.data(), workspace);
    const auto deltas = rg::LambdaRank{}.weighting(list, pairs, workspace);
    if (!deltas) return {};
    const auto [lowest, highest] = std::minmax_element(list.scores.begin(), list.scores.end());
    if (*lowest == *highest) return normalised(deltas, pairs, out, workspace);
    return normalised(OverScoreDifference<T, decltype(deltas)>{pairs.scores, deltas}, pairs, out, workspace);
  }

 private:
  template <class Weighting, class T>
  rg::Contribution<T> normalised(const Weighting& weighting, const rg::pairwise::PairList<T>& pairs, const rg::GradientSink<T>& out, rg::Workspace& workspace) const {
    T* unused = workspace.take<T>(pairs.n, T(0));
    const auto slopes = rg::pairwise::comparable_pairs(rg::pairwise::SoftZeroOne{sigma}, weighting, rg::Normalize::sum, pairs, rg::GradientSink<T>{unused}, workspace);
    const double total = 2 * sigma * static_cast<double>(slopes.value);
    return rg::pairwise::comparable_pairs(rg::pairwise::Logistic{sigma}, weighting, rg::Normalize::sum, pairs,
                                          total > 0 ? out.scaled(T(std::log2(1 + total) / total)) : out, workspace);
  }
};

/// Calls use(loss whose terms are summed, loss whose terms are averaged).
template <class Use>
void with_losses(const LossCase& c, Use use) {
  constexpr auto sum = rg::Normalize::sum, mean = rg::Normalize::mean;
  if (c.pair_weight != PairWeight::none) {
    if (c.loss == Loss::hinge) use(WeightedPairs<rg::pairwise::Hinge>{{}, c.pair_weight}, rg::Hinge{});
    else use(WeightedPairs<rg::pairwise::Logistic>{{}, c.pair_weight}, rg::RankNet{});
    return;
  }
  switch (c.loss) {
    case Loss::hinge: return use(rg::Hinge{.normalize = sum}, rg::Hinge{.normalize = mean});
    case Loss::logistic: return use(rg::RankNet{.sigma = c.sigma, .normalize = sum}, rg::RankNet{.sigma = c.sigma, .normalize = mean});
    case Loss::soft_zero_one: return use(rg::PairwiseSoftmax{.normalize = sum}, rg::PairwiseSoftmax{.normalize = mean});
    case Loss::lambdarank: return use(BoostedLambdaRank{c.sigma}, BoostedLambdaRank{c.sigma});
    case Loss::softmax: return use(rg::Softmax{.normalize = sum}, rg::Softmax{.normalize = mean});
    case Loss::listnet: return use(rg::ListNet{}, rg::ListNet{});
    case Loss::listmle: return use(rg::ListMle{.ties = rg::TargetTies::stable}, rg::ListMle{.ties = rg::TargetTies::stable, .normalize = mean});
    case Loss::p_listmle: {
      const rg::ListMle loss{.ties = rg::TargetTies::stable, .position_weight = rg::PositionWeight::p_list_mle_raw()};
      return use(loss, loss);
    }
    case Loss::sigmoid_cross_entropy: return use(rg::SigmoidCrossEntropy{.normalize = sum}, rg::SigmoidCrossEntropy{.normalize = mean});
    case Loss::squared_error: return use(rg::MeanSquaredError{.normalize = sum}, rg::MeanSquaredError{.normalize = mean});
    case Loss::approx_ndcg: return use(rg::ApproxNdcg{.temperature = 1 / c.sigma}, rg::ApproxNdcg{.temperature = 1 / c.sigma});
  }
}

bool present(const LossList& list, std::size_t i) { return list.mask.empty() || list.mask[i]; }
bool is_pairwise(const LossCase& c) { return c.loss == Loss::hinge || c.loss == Loss::logistic || c.loss == Loss::soft_zero_one; }

/// The total weight of the terms of a list: pairs or items.
double term_weight(const LossCase& c, const LossList& list) {
  const auto weight = [&](std::size_t i) { return !present(list, i) ? 0.0 : list.weights.empty() ? 1.0 : list.weights[i]; };
  double total = 0;
  for (std::size_t i = 0; i < list.scores.size(); ++i) {
    if (!is_pairwise(c)) total += weight(i);
    else
      for (std::size_t j = 0; j < list.scores.size(); ++j)
        if (list.labels[i] > list.labels[j]) total += weight(i) * weight(j);
  }
  return total;
}

/// Does a list count in the peer's mean over lists? Not when it is padding, nor when a softmax has no target.
bool counts(const LossCase& c, const LossList& list) {
  double items = 0, targets = 0;
  for (std::size_t i = 0; i < list.scores.size(); ++i)
    if (present(list, i)) items += 1, targets += list.labels[i];
  return items > 0 && (c.loss != Loss::softmax || targets > 0);
}

struct Outcome {
  std::vector<double> values, gradient, hessian;
};

template <class T>
Outcome evaluate(const LossCase& c) {
  Outcome outcome;
  std::vector<double> sums, means;
  double total = 0, weight = 0, lists = 0;
  for (std::size_t q = 0; q < c.lists.size(); ++q) {
    const LossList& list = c.lists[q];
    const std::vector<T> scores(list.scores.begin(), list.scores.end()), labels(list.labels.begin(), list.labels.end()), weights(list.weights.begin(), list.weights.end());
    const rg::ListView<T> view{.scores = scores, .labels = labels, .weights = weights, .mask = list.mask};
    std::vector<T> gradient(scores.size()), hessian(scores.size());
    const double u = c.list_weights.empty() ? 1 : c.list_weights[q];
    with_losses(c, [&](const auto& summed, const auto& averaged) {
      means.push_back(static_cast<double>(rg::value(averaged, view)));
      sums.push_back(static_cast<double>(rg::value_gradient_and_curvature(summed, view, gradient, hessian)));
    });
    total += u * sums.back();
    weight += u * term_weight(c, list);
    lists += counts(c, list);
    for (const T g : gradient) outcome.gradient.push_back(u * static_cast<double>(g));
    for (const T h : hessian) outcome.hessian.push_back(u * c.hessian_factor * static_cast<double>(h));
  }
  switch (c.reduce) {
    case Reduce::per_list_sum: outcome.values = sums; break;
    case Reduce::per_list_mean: outcome.values = means; break;
    case Reduce::sum: outcome.values = {total / c.divide_by}; break;
    case Reduce::pooled_mean: outcome.values = {weight > 0 ? total / weight : 0}; break;
    case Reduce::mean_of_lists:
      outcome.values = {lists > 0 ? total / lists : 0};
      for (double& g : outcome.gradient) g /= lists;
      break;
    case Reduce::boosted: break;
  }
  if (c.bits)
    for (double& v : outcome.values) v /= std::numbers::ln2;
  if (c.pair_weight == PairWeight::dcg_difference)   // rax scales by the padded list size
    for (double& v : outcome.values) v *= static_cast<double>(c.lists[0].scores.size());
  return outcome;
}

template <class T>
void check(const std::vector<double>& got, const std::vector<double>& expected, const LossCase& c) {
  const double relative = sizeof(T) == 4 ? std::max(c.relative, 5e-6) : c.relative;
  const double absolute = sizeof(T) == 4 ? std::max(c.absolute, 1e-7) : c.absolute;
  REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    INFO("entry " << i << ": " << got[i] << ", expected " << expected[i]);
    CHECK(std::abs(got[i] - expected[i]) <= absolute + relative * std::abs(expected[i]));
  }
}

}  // namespace

TEMPLATE_TEST_CASE("losses agree with other libraries", "[parity]", float, double) {
  std::set<std::string> peers;
  for (const LossCase& c : test::peers::loss_cases) {
    INFO(c.peer << ", " << c.id);
    const Outcome outcome = evaluate<TestType>(c);
    if (!c.expected.empty()) check<TestType>(outcome.values, c.expected, c);
    if (!c.gradient.empty()) check<TestType>(outcome.gradient, c.gradient, c);
    if (!c.hessian.empty()) check<TestType>(outcome.hessian, c.hessian, c);
    CHECK((!c.expected.empty() || !c.gradient.empty()));
    peers.insert(c.peer);
  }
  CHECK(peers.size() == 8);
}
