// rankgrad/pairwise/pairwise_softmax.hpp: softmax over an item and its negatives: the probability on the wrong items, and
// the cross-entropy.
// SPDX-License-Identifier: MIT
//
// Read first: pairwise/engine.hpp, pairwise/joint.hpp.
#pragma once

#include <rankgrad/pairwise/joint.hpp>
#include <rankgrad/pairwise/ranknet.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// Pairwise softmax: the probability that a softmax gives to the wrong items.
///
///   each      L(s, y) = (1/W) sum_{y_i > y_j} w_i w_j s(s_j - s_i)            W = sum of w_i w_j over the pairs
///   joint     L(s, y) = (1/W) sum_i w_i (1 - p_i),   p_i = e^{s_i} / (e^{s_i} + sum_{y_j < y_i} w_j e^{s_j})
///             over the anchors, the items i with a less relevant one;         W = sum of w_i over the anchors
///   dL/ds     each: -+ w_i w_j u (1 - u) / W with u = s(s_j - s_i), at most 1/4 per pair: a pair that is hopelessly
///             misordered pulls as little as one that is well ordered, which is what makes the loss robust to wrong labels.
///             joint: anchor -w_i p_i (1 - p_i) / W, its negative j +w_i p_i p_j / W
///   h         each: w_i w_j u (1 - u) / W;  joint: the same values as the gradient's, without their signs
///
/// Curvature   a bound: the loss is not convex in the scores.
/// Shapes      scores, labels [n]; weights [n] or empty: each: multiply pairs from both sides; joint: an anchor's weight
///             multiplies its term, a negative's its e^s. Either way 2 is the same as listing the item twice.
/// Units       probability: every term lies in [0, 1].
/// No signal   no two labels differ, or every comparable pair has weight 0.
/// Cost        each O(n^2) time with one exp per pair; joint O(n) after the sort; O(n) scratch.
/// Parameters  negatives: each (default) or joint. normalize: mean (default) or sum.
/// Source      MacAvaney, Nardini, Perego, Tonellotto, Goharian, Frieder, Training curricula for open domain answer
///             re-ranking, SIGIR 2020; the default loss of its released pairwise trainer (OpenNIR), which has one relevant
///             item per sample and the sampled negatives jointly. Here every item with a less relevant one is an anchor.
struct PairwiseSoftmax {
  static constexpr std::string_view name = "pairwise_softmax";
  static constexpr Curvature curvature = Curvature::bound;

  Negatives negatives = Negatives::each;
  Normalize normalize = Normalize::mean;

  pairwise::SoftZeroOne phi() const { return {}; }

  template <Real T>
  Contribution<T> value_and_gradient(ListView<T> list, GradientSink<T> out, Workspace& workspace) const {
    return pairwise::each_or_joint(*this, list, out, workspace);
  }
};

/// Pairwise cross-entropy: the negative logarithm of the probability that a softmax gives to the right item.
///
///   each      L(s, y) = (1/W) sum_{y_i > y_j} w_i w_j softplus(s_j - s_i)     = RankNet with sigma 1
///   joint     L(s, y) = -(1/W) sum_i w_i log p_i                              p, W as PairwiseSoftmax
///   dL/ds     joint: anchor -w_i (1 - p_i) / W, its negative j +w_i p_ij / W
///   d2L/ds2   joint: anchor w_i p_i (1 - p_i) / W, its negative j w_i p_ij (1 - p_ij) / W
///             with p_ij = w_j e^{s_j} / (e^{s_i} + sum_{y_k < y_i} w_k e^{s_k})
///
/// Curvature   exact diagonal, >= 0.
/// Units       nats; nats per unit of score.
/// Cost        each: as RankNet. joint: as PairwiseSoftmax.
/// Shapes, weights, no signal, parameters: as PairwiseSoftmax.
/// Source      the same, option `cross_entropy` of the released code. The joint form is a Plackett-Luce likelihood in which
///             items of equal relevance do not compete.
struct PairwiseCrossEntropy {
  static constexpr std::string_view name = "pairwise_cross_entropy";
  static constexpr Curvature curvature = Curvature::diagonal;

  Negatives negatives = Negatives::each;
  Normalize normalize = Normalize::mean;

  pairwise::Logistic phi() const { return {}; }

  template <Real T>
  Contribution<T> value_and_gradient(ListView<T> list, GradientSink<T> out, Workspace& workspace) const {
    if (negatives == Negatives::each) return pairwise::logistic_pairs(1, normalize, list, out, workspace);
    return pairwise::each_or_joint(*this, list, out, workspace);
  }
};

}  // namespace rankgrad
