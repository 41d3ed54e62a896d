// rankgrad/contrastive/symmetric_info_nce.hpp: InfoNCE along the rows and columns of a similarity matrix.
// SPDX-License-Identifier: MIT
//
// Read first: contrastive/matrix_softmax.hpp.
#pragma once

#include <rankgrad/contrastive/grouped_similarity_view.hpp>
#include <rankgrad/contrastive/matrix_softmax.hpp>
#include <rankgrad/core/concepts.hpp>
#include <rankgrad/triplet/anchors.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// What other samples of an anchor's own id are to it: positives, or nothing (accidental hits, taken out of the softmax).
enum class SameId { positives, left_out };

namespace contrastive {

template <class L>
Status check_parameters(const L& loss) {
  if (!(is_finite(loss.temperature) && loss.temperature > 0))
    return Status::error("rankgrad: the temperature is %g; it must be finite and above 0", loss.temperature);
  if (!(loss.smoothing >= 0 && loss.smoothing < 1))
    return Status::error("rankgrad: the smoothing is %g; it must be in [0, 1)", loss.smoothing);
  return {};
}

/// Identities for AnchorMatrix: query i and its positive, document i G, are i. Hard negatives, positives of nobody, are all B:
/// numbers of their own would not be exact in a float from 2^24 on, while B queries have at least B^2 similarities.
template <Real T>
void number_groups(std::size_t queries, std::size_t group, T* of_queries, T* of_documents) {
  std::fill_n(of_documents, queries * group, static_cast<T>(queries));
  for (std::size_t i = 0; i < queries; ++i) of_queries[i] = of_documents[i * group] = static_cast<T>(i);
}

}  // namespace contrastive

/// Symmetric InfoNCE: every row and every column of the matrix finds its partner by a softmax.
///
///   L(S)        = f (1/W) sum_i w_i ( CE_i(S) + CE_i(S^T) )            f = 1/2 for average_directions, else 1; W = sum_i w_i
///   CE_i(S)     = -sum_j t_ij log p_ij,  p_i. = softmax(S_i. / tau)    over the samples that are present
///   t_ij        = (1 - e) 1[j in P_i] / |P_i| + e / K                  P_i: samples with the id of i, i among them
///   dL/dS_ij    = f (w_i / W) (p_ij - t_ij) / tau + the transposed part
///   d2L/dS_ij2  = f (w_i / W) p_ij (1 - p_ij) / tau^2 + the transposed part
///
/// Curvature   exact diagonal, >= 0.
/// Shapes      similarity [K K]; ids [K]; weights, mask [K] or empty. See triplet/similarity_view.hpp. Different ids: the
///             diagonal is positive.
/// Units       nats; nats per unit of similarity.
/// No signal   fewer than two ids are present, or all weights are 0.
/// Cost        O(K^2) time, four exps per entry for both directions, O(K) scratch.
/// Numerics    highest similarities are subtracted first. The value of an anchor is good to about an epsilon, also where it is
///             smaller than that.
/// Parameters  temperature tau > 0; smoothing e in [0, 1); direction: both (default), rows or columns; same_id;
///             average_directions: the mean of the two (default), or their sum; normalize: mean (default) or sum (W = 1).
///             A learned scale e^theta = 1 / tau has the gradient log_scale_gradient().
/// Source      Radford et al., arXiv 2103.00020, fig. 3 (CLIP); smoothing e = 0.1, also on the true class: UnifyGeo, arXiv
///             2505.07622, and its code, where theta starts at log(1 / 0.07). For similarities of local features, whose
///             gradient goes on through scoring/max_cell.hpp, it is a re-ranking loss.
struct SymmetricInfoNce {
  static constexpr std::string_view name = "symmetric_info_nce";
  static constexpr Curvature curvature = Curvature::diagonal;
  template <Real T>
  using View = SimilarityView<T>;

  double temperature = 0.07;
  double smoothing = 0.1;
  Direction direction = Direction::both;
  SameId same_id = SameId::positives;
  bool average_directions = true;
  Normalize normalize = Normalize::mean;

  Status check() const { return contrastive::check_parameters(*this); }

  template <Real T>
  Contribution<T> value_and_gradient(SimilarityView<T> view, GradientSink<T> out, Workspace& workspace) const {
    const std::size_t n = checked_size(view);
    const auto frame = workspace.frame();
    const triplet::Samples<T> samples = triplet::number_identities(view, workspace);
    if (samples.identities < 2) return {};
    double present = 0, total = 0, *members = workspace.take<double>(samples.identities, 0.0);
    for (std::size_t i = 0; i < n; ++i) {
      if (!samples.present(i)) continue;
      ++present;
      ++members[static_cast<std::size_t>(samples.identity[i])];
      total += static_cast<double>(view.weight(i));
    }
    if (!(total > 0)) return {};
    const double shared = direction == Direction::both && average_directions ? 0.5 : 1.0;
    const double unit = normalize == Normalize::mean ? shared / total : shared;
    const bool own_only = same_id == SameId::left_out;
    contrastive::Anchors<T> rows(direction != Direction::columns, n, workspace);
    contrastive::Anchors<T> columns(direction != Direction::rows, n, workspace);
    for (auto* anchors : {&rows, &columns})
      for (std::size_t i = 0; i < n; ++i) {
        if (!samples.present(i)) continue;
        const double same = members[static_cast<std::size_t>(samples.identity[i])];
        anchors->weight[i] = unit * static_cast<double>(view.weight(i));
        anchors->positives[i] = own_only ? 1 : same;
        anchors->candidates[i] = own_only ? present - same + 1 : present;
      }
    const contrastive::AnchorMatrix<T> matrix{view.similarity.data(), n, n, 1, samples.identity, samples.identity, own_only,
                                              1 / temperature, smoothing};
    return {static_cast<T>(matrix.evaluate(rows, columns, out)), true};
  }
};

/// InfoNCE of queries against the documents of all queries, hard negatives included.
///
///   L(S)      = (1/W) sum_i w_i ( log sum_c e^{S_ic / tau} - S_{i,iG} / tau )         rows: all B G documents of the batch
///               [ + (1/W) sum_i w_i ( log sum_k e^{S_{k,iG} / tau} - S_{i,iG} / tau ) ]   columns: all queries, `bidirectional`
///   dL/dS_ic  = (w_i / W) (p_ic - t_ic) / tau, and the column's part;  curvature as SymmetricInfoNce
///
/// Curvature   exact diagonal, >= 0.
/// Shapes      similarity [B B G], weights [B] or empty. See contrastive/grouped_similarity_view.hpp.
/// No signal   fewer than two documents, or all weights are 0.
/// Cost        O(B^2 G) time, two exps per entry and direction, O(B G) scratch.
/// Parameters  temperature tau > 0; bidirectional: the sum of both directions, not their mean; smoothing, normalize as
///             SymmetricInfoNce.
/// Source      CoRNStack, arXiv 2412.01007, sec. 3; the form and the logit scale of 50 (tau = 0.02) from the code of its
///             trainer (nomic-ai/contrastors), whose factor of world size belongs to its averaging of gradients.
struct GroupedInfoNce {
  static constexpr std::string_view name = "grouped_info_nce";
  static constexpr Curvature curvature = Curvature::diagonal;
  template <Real T>
  using View = GroupedSimilarityView<T>;

  double temperature = 0.02;
  double smoothing = 0;
  bool bidirectional = false;
  Normalize normalize = Normalize::mean;

  Status check() const { return contrastive::check_parameters(*this); }

  template <Real T>
  Contribution<T> value_and_gradient(GroupedSimilarityView<T> view, GradientSink<T> out, Workspace& workspace) const {
    const std::size_t queries = checked_size(view), documents = view.documents();
    double total = 0;
    for (std::size_t i = 0; i < queries; ++i) total += static_cast<double>(view.weight(i));
    if (documents < 2 || !(total > 0)) return {};
    const auto frame = workspace.frame();
    contrastive::Anchors<T> rows(true, queries, workspace), columns(bidirectional, documents, workspace);
    T *row_identity = workspace.take<T>(queries, T(-1)), *column_identity = workspace.take<T>(documents, T(-1));
    contrastive::number_groups(queries, view.group, row_identity, column_identity);
    for (std::size_t i = 0; i < queries; ++i) {
      const double weight = static_cast<double>(view.weight(i)) / (normalize == Normalize::mean ? total : 1.0);
      const std::size_t own = i * view.group;
      rows.weight[i] = columns.weight[own] = weight;
      rows.positives[i] = columns.positives[own] = 1;
      rows.candidates[i] = static_cast<double>(documents);
      columns.candidates[own] = static_cast<double>(queries);
    }
    const contrastive::AnchorMatrix<T> matrix{view.similarity.data(), queries, documents, view.group, row_identity,
                                              column_identity, false, 1 / temperature, smoothing};
    return {static_cast<T>(matrix.evaluate(rows, columns, out)), true};
  }
};

/// The gradient of a loss that sees its scores as e^theta s only (temperature tau = e^-theta), by theta:
///   dL/dtheta = sum_i s_i dL/ds_i
/// From the scores and the gradient of any such loss: softmax, InfoNCE, ListNet, pairs of either; no margins beside the scores.
template <Real T>
double log_scale_gradient(std::span<const T> scores, std::span<const T> gradient) {
  RANKGRAD_EXPECTS(scores.size() == gradient.size(), "gradient and scores differ in size");
  simd::BlockedSum<T> sum;
  simd::for_each_pack<T>(scores.size(), [&](std::size_t i, auto at) RANKGRAD_INLINE {
    sum.add(at.load(scores.data() + i, T(0)) * at.load(gradient.data() + i, T(0)), at);
  });
  return sum.total();
}

}  // namespace rankgrad
