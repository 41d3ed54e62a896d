// rankgrad/pairwise/rank_weighted_ranknet.hpp: RankNet in which pairs near the top of the target ranking weigh more.
// SPDX-License-Identifier: MIT
//
// Read first: pairwise/engine.hpp, pairwise/ranknet.hpp.
#pragma once

#include <rankgrad/pairwise/engine.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// What a pair of a better item i and a worse item j weighs, from the ranks r or the labels y of the target.
enum class TargetPairWeight {
  reciprocal_rank_sum,      ///< 1 / (r_i + r_j)
  reciprocal_ranks,         ///< 1 / r_i + 1 / r_j
  label_difference,         ///< |y_i - y_j|
  squared_label_difference  ///< |y_i^2 - y_j^2|
};

/// What a weighted sum over pairs is divided by.
enum class PairNormalize {
  sum,           ///< nothing
  mean,          ///< the number of pairs (by item weight), whatever they weigh
  weighted_mean  ///< the sum of the pair weights
};

namespace pairwise {

/// omega_ij from one number for each item in label order: its rank or its label. Padded.
template <Real T>
struct TargetWeighting {
  TargetPairWeight form;
  const T* values;

  template <class>
  auto row(std::size_t i) const {
    return [own = simd::Pack<T>(values[i]), inverse = simd::Pack<T>(T(1) / values[i]), this](std::size_t j) RANKGRAD_INLINE {
      const simd::Pack<T> one(T(1)), other = simd::load(values + j);
      switch (form) {
        case TargetPairWeight::reciprocal_rank_sum: return simd::Pack<T>(one / (own + other));
        case TargetPairWeight::reciprocal_ranks: return simd::Pack<T>(inverse + one / other);
        case TargetPairWeight::label_difference: return simd::Pack<T>(own - other);
        default: return simd::Pack<T>(simd::abs((own - other) * (own + other)));
      }
    };
  }
};

/// sum of w_i w_j omega_ij over the comparable pairs.
template <Real T, class Weighting>
double weight_of_pairs(const PairList<T>& pairs, const Weighting& weighting) {
  using namespace simd;
  double total = 0;
  for (std::size_t i = 0, first_worse = pairs.worse_than(0); first_worse < pairs.n;) {
    for (; i < first_worse; ++i) {
      const auto omega = weighting.template row<T>(i);
      BlockedSum<T> sum;
      for (std::size_t j = first_worse; j < pairs.n; j += lanes<T>) sum.add(load(pairs.weights + j) * omega(j));   // 0 at the end
      total += static_cast<double>(pairs.weights[i]) * sum.total();
    }
    first_worse = pairs.worse_than(i);
  }
  return total;
}

/// comparable_pairs() with any of the three divisors.
template <Real T, class Phi, class Weighting>
Contribution<T> comparable_pairs(const Phi& phi, const Weighting& weighting, PairNormalize normalize, const PairList<T>& pairs,
                                 const GradientSink<T>& out, Workspace& workspace) {
  if (normalize != PairNormalize::weighted_mean)
    return comparable_pairs(phi, weighting, normalize == PairNormalize::mean ? Normalize::mean : Normalize::sum, pairs, out,
                            workspace);
  const double total = weight_of_pairs(pairs, weighting);
  if (!(total > 0)) return {};
  const auto sum = comparable_pairs(phi, weighting, Normalize::sum, pairs, out.scaled(static_cast<T>(1 / total)), workspace);
  return {static_cast<T>(static_cast<double>(sum.value) / total), sum.valid};
}

/// ranks[i] = 1 + the number of items with a larger label than the i-th of a list in label order. Padded with 1.
template <Real T>
T* target_ranks(const PairList<T>& pairs, Workspace& workspace) {
  T* ranks = workspace.take<T>(pairs.n, T(1));
  tie_ranks(pairs.labels, InOrder{}, pairs.n, ranks);
  return ranks;
}

}  // namespace pairwise

/// Rank-weighted RankNet: the logistic pair loss that learns the top of a teacher's ranking first.
///
///   L(s, y)   = (1/W) sum_{y_i > y_j} w_i w_j omega_ij softplus(-sigma (s_i - s_j))
///   omega_ij  = 1 / (r_i + r_j)                  r_i = 1 + the number of items with a larger label: the teacher's rank
///   dL/ds_i   = (1/W) [ -sum_{y_i > y_j} w_i w_j omega_ij sigma s(-sigma d_ij)
///                       +sum_{y_j > y_i} w_i w_j omega_ji sigma s(-sigma d_ji) ]
///   d2L/ds_i2 = (1/W) sum over both kinds of pairs of w_i w_j omega sigma^2 s(sigma d) s(-sigma d)
///   with d_ij = s_i - s_j, s(x) = 1 / (1 + e^-x).
///
/// Curvature   exact diagonal, >= 0: omega depends on the labels alone.
/// Shapes      scores, labels [n]; weights [n] or empty, multiply pairs from both sides. An item of weight 0 still takes a
///             rank. Only the order of the labels matters for the two forms by rank: with a teacher's ranks at hand, -rank
///             will do as a label.
/// Units       nats; nats per unit of score.
/// No signal   no two labels differ, or every comparable pair has weight 0. Equal labels are no pair.
/// Cost        O(n^2) time with one exp and, for the forms by rank, one division per pair; O(n) scratch.
/// Parameters  weight: see TargetPairWeight. sigma > 0. normalize: mean (default) divides by the number of pairs W = sum of
///             w_i w_j, and not by the sum of the weights, which is weighted_mean; sum by nothing.
/// Source      Reddy, Doo, Xu, Sultan, Swain, Sil, Ji, FIRST: faster improved listwise reranking with single token decoding,
///             EMNLP 2024, with the alternatives of its released code. That code makes labels from the sorted scores
///             of the model itself, so two equal scores silently drop their pair; here the ranks are used as they are.
struct RankWeightedRankNet {
  static constexpr std::string_view name = "rank_weighted_ranknet";
  static constexpr Curvature curvature = Curvature::diagonal;

  TargetPairWeight weight = TargetPairWeight::reciprocal_rank_sum;
  double sigma = 1;
  PairNormalize normalize = PairNormalize::mean;

  Status check() const { return check_parameter("RankWeightedRankNet.sigma", sigma, 0); }

  template <Real T>
  Contribution<T> value_and_gradient(ListView<T> list, GradientSink<T> out, Workspace& workspace) const {
    checked_size(list);
    const auto frame = workspace.frame();
    const auto pairs = pairwise::sort_by_label(list, list.labels.data(), workspace);
    const bool by_rank = weight == TargetPairWeight::reciprocal_rank_sum || weight == TargetPairWeight::reciprocal_ranks;
    const T* values = by_rank ? pairwise::target_ranks(pairs, workspace) : pairs.labels;
    return pairwise::comparable_pairs(pairwise::Logistic{sigma}, pairwise::TargetWeighting<T>{weight, values}, normalize, pairs,
                                      out, workspace);
  }
};

}  // namespace rankgrad
