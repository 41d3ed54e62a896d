// rankgrad/scoring/feedback_distillation.hpp: a query vector that learns, for this one query, from a reranker of its passages.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/evaluate.hpp>
#include <rankgrad/simd/dot.hpp>

#include <cmath>

namespace rankgrad::inline RANKGRAD_ABI {

/// What scores are multiplied by to spread as widely as those of a teacher: (max t - min t) / (max s - min s); 1 where either
/// range is 0 or not finite.
template <Real T>
double range_ratio(std::span<const T> teacher, std::span<const std::type_identity_t<T>> scores) {
  const auto range = [](std::span<const T> v) {
    if (v.empty()) return 0.0;
    const auto [low, high] = std::minmax_element(v.begin(), v.end());
    return static_cast<double>(*high) - static_cast<double>(*low);
  };
  const double of_teacher = range(teacher), own = range(scores);
  if (!(of_teacher > 0) || !(own > 0) || !is_finite(of_teacher) || !is_finite(own)) return 1;
  const double ratio = of_teacher / own;
  return is_finite(ratio) ? ratio : 1;
}

/// How a query vector is refined: Adam on the loss of the scores s_i = c <q, p_i>.
///
///   learning_rate 0.005, steps 100          the source's first stage; its second has a fifth of both
///   match_range, scale_factor               c = scale_factor range_ratio(labels, <q, p>) with the q that comes in, a constant;
///                                           without match_range c = scale_factor. scale_factor 1; the released code has 0.5
///   beta1 0.9, beta2 0.999, epsilon 1e-8    of Adam
struct QueryRefinement {
  double learning_rate = 0.005;
  std::size_t steps = 100;
  bool match_range = true;
  double scale_factor = 1;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;

  Status check() const {
    if (Status s = check_parameter("QueryRefinement.learning_rate", learning_rate, 0); !s) return s;
    if (Status s = check_parameter("QueryRefinement.scale_factor", scale_factor, 0); !s) return s;
    if (Status s = check_parameter("QueryRefinement.epsilon", epsilon, 0); !s) return s;
    for (const double beta : {beta1, beta2})
      if (!(beta >= 0 && beta < 1)) return Status::error("rankgrad: a beta of QueryRefinement is %g; it must be in [0, 1)", beta);
    return {};
  }
};

/// The loss at the query that came in and at the refined one, and the scale c of the scores.
template <Real T>
struct QueryRefined {
  T before{}, after{};
  double scale = 1;
};

/// Moves a query vector so that its passages score as a teacher says. What has been learned from the reranked passages then
/// retrieves others that the first query missed.
///
///   s_i   = c <q, p_i>,      dL/dq = c sum_i dL/ds_i p_i,      q <- Adam(q, dL/dq), `steps` times
///
///   QueryRefinement first, second{.learning_rate = 0.001, .steps = 20};
///   refine_query(ListNet{}, passages, cross_encoder_scores, query, first, workspace);             // KL, but for a constant
///   refine_query(RankWeightedRankNet{}, top_passages, reranker_scores, query, second, workspace);
///
/// `loss` is any list loss; labels are its labels, here the teacher's scores (or ranks, negated). passages [n d], row-major;
/// labels [n]; query [d] is overwritten. Without a signal in the list, and with 0 steps, the query stays as it is.
///
/// Cost        O(steps n d) time, 2 n + 3 d scratch and that of the loss; nothing else is allocated.
/// Numerics    a NaN in the query or in a passage shows in both losses and makes the query NaN.
/// Errors      contract: the sizes agree, query [d] is not empty, the loss accepts the labels.
/// Source      Reddy, Doo, Xu, Sultan, Swain, Sil, Ji, FIRST: faster improved listwise reranking with single token decoding,
///             EMNLP 2024 (arXiv 2406.15657), and its code, whose stages take the 100 and the 9 best passages. Adam: Kingma, Ba,
///             ICLR 2015.
template <class L, Real T>
QueryRefined<T> refine_query(const L& loss, std::span<const T> passages, std::span<const std::type_identity_t<T>> labels,
                             std::span<std::type_identity_t<T>> query, const QueryRefinement& options, Workspace& workspace) {
  using namespace simd;
  const std::size_t n = labels.size(), d = query.size();
  RANKGRAD_EXPECTS(d > 0 && passages.size() == n * d, "the passages are not one row as wide as the query for each label");
  require(options.check());
  const auto frame = workspace.frame();
  T *const scores = workspace.take<T>(n, T(0)), *const slopes = workspace.take<T>(n, T(0));
  T *const gradient = workspace.take<T>(d), *const mean = workspace.take<T>(d, T(0)), *const square = workspace.take<T>(d, T(0));
  const ListView<T> list{.scores = {scores, n}, .labels = labels};

  QueryRefined<T> result;
  const auto score = [&](double scale) {
    for (std::size_t i = 0; i < n; ++i)
      scores[i] = static_cast<T>(scale * dot<T>(query.data(), passages.data() + i * d, d));
  };
  const auto evaluate = [&] {
    score(result.scale);
    return overwrite_view(loss, list, GradientSink<T>{slopes}, workspace);
  };
  score(1);
  check_at_the_door(loss, list);
  result.scale = options.scale_factor * (options.match_range ? range_ratio<T>(labels, {scores, n}) : 1);
  Contribution<T> now = evaluate();
  result.before = result.after = now.value;
  double power1 = 1, power2 = 1;
  for (std::size_t step = 0; step < options.steps && now.valid; ++step) {
    clear(gradient, d);
    for (std::size_t i = 0; i < n; ++i) {
      const Pack<T> slope(static_cast<T>(result.scale * static_cast<double>(slopes[i])));
      for_each_pack<T>(d, [&](std::size_t c, auto at) RANKGRAD_INLINE {
        at.store(gradient + c, fma(slope, at.load(passages.data() + i * d + c, T(0)), at.load(gradient + c, T(0))));
      });
    }
    power1 *= options.beta1;
    power2 *= options.beta2;
    const Pack<T> keep1(static_cast<T>(options.beta1)), keep2(static_cast<T>(options.beta2));
    const Pack<T> take1(static_cast<T>(1 - options.beta1)), take2(static_cast<T>(1 - options.beta2));
    const Pack<T> rate(static_cast<T>(options.learning_rate / (1 - power1))), unbias(static_cast<T>(1 / std::sqrt(1 - power2)));
    const Pack<T> epsilon(static_cast<T>(options.epsilon));
    for_each_pack<T>(d, [&](std::size_t c, auto at) RANKGRAD_INLINE {
      const Pack<T> g = at.load(gradient + c, T(0));
      const Pack<T> m = fma(keep1, at.load(mean + c, T(0)), take1 * g);
      const Pack<T> v = fma(keep2, at.load(square + c, T(0)), take2 * g * g);
      at.store(mean + c, m);
      at.store(square + c, v);
      at.store(query.data() + c, at.load(query.data() + c, T(0)) - rate * m / fma(unbias, sqrt(v), epsilon));
    });
    now = evaluate();
    result.after = now.value;
  }
  return result;
}

}  // namespace rankgrad
