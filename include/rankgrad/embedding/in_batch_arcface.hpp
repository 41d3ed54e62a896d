// rankgrad/embedding/in_batch_arcface.hpp: ArcFace of all cosines of a batch, from the embeddings and a table of classes.
// SPDX-License-Identifier: MIT
//
// Read first: contrastive/arcface.hpp, embedding/in_batch_info_nce.hpp, which does the work.
#pragma once

#include <rankgrad/contrastive/arcface.hpp>
#include <rankgrad/embedding/in_batch_info_nce.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// ArcFace along the rows, without the matrix of cosines: queries are items, documents the vectors of all classes, and the positive
/// of an item is its class.
///
///   c_ij = cosine of q_i and k_j,   x_ij = S c_ij + bias_j, but for a positive S t(c_ij) + bias_j         t, dt: ArcFace
///   L    = (1/W) sum_i w_i sum_{j in P_i} a_ij l_ij        l_ij = -log p_ij,  p_i. = softmax of x_i., a: shares as InBatchInfoNce
///   g_ij = (S w_i / W) (p_ij - y_ij),  y_ij = a_ij for a positive, else 0;     dL/dc_ij = g_ij, for a positive g_ij dt
///   dL/dq_i, dL/dk_j  by the vectors as they are: of directions, and on by (g - (g . u) u) / |x|
///   dL/dbias_j = (1/S) sum_i g_ij,   dL/dlog S = sum_ij g_ij (t_ij for a positive, else c_ij)              (log_scale_gradient)
///
/// Shapes      queries [B d], documents [M d]; see EmbeddingView. Several classes of an item have a margin each.
/// Units       nats; nats per unit of embedding.
/// No signal   as InBatchInfoNce.
/// Cost        as InBatchInfoNce along the rows: 2 B M d operations for the value, 6 B M d with gradient; and 4 d for a positive.
/// Numerics    as InBatchInfoNce; t and dt as ArcFace, of cosines in double: the angle to the class is good to 1e-8 in float, too.
/// Parameters  margin m in [0, pi/2], radians (source: 0.5); scale S > 0 (source: 64); normalize: mean, or sum (W = 1). tiles: how
///             much of the matrix is looked at at once.
/// Source      that of ArcFace.
struct InBatchArcFace {
  static constexpr std::string_view name = "in_batch_arcface";

  double margin = 0.5;
  double scale = 64;
  Normalize normalize = Normalize::mean;
  embedding::TileSizes tiles{};
  static constexpr Similarity fixed_similarity = Similarity::cosine;
  static constexpr bool takes_targets = true, takes_own_negatives = true;

  Status check() const {
    if (Status s = check_parameter_between("InBatchArcFace.margin", margin, 0, 1.5707963267948966); !s) return s;
    return check_parameter("InBatchArcFace.scale", scale, 0);
  }

  template <Real T>
  EmbeddingValue<T> evaluate(const EmbeddingView<T>& view, const EmbeddingGradient<T>& out, Workspace& workspace) const {
    const InBatchInfoNce softmax{.temperature = 1 / scale, .similarity = fixed_similarity, .normalize = normalize, .tiles = tiles};
    const ArcFace rule{margin, scale};
    return softmax.evaluate(view, out, workspace, [&](double cosine) { return rule.with_margin(cosine); });
  }
};

}  // namespace rankgrad
