// rankgrad/embedding/low_rank_sparse_head.hpp: a compact bilinear score q^T W d: a low-rank part and a few input channels.
// SPDX-License-Identifier: MIT
//
//   s(q, d) = a (B^T q) . (A d) + b (V^T q) . d[C]        A [r, in], B [out, r], V [out, |C|], C: the channels kept
//
// For one query all documents meet the same vector h = a A^T (B^T q), h[C] += b V^T q, so that a list of n documents costs
// r (in + out) + |C| out + n in multiply-adds. With g_i = dL/ds_i and t = sum_i g_i d_i the gradients need no more:
//
//   dA = a p t^T,  dB = a q (A t)^T,  dV = b q t[C]^T,  dq = a B A t + b V t[C],  dd_i = g_i h         p = B^T q
//
// Needs Eigen 3.4.
#pragma once

#include <rankgrad/core/contract.hpp>
#include <rankgrad/core/list_view.hpp>

#include <Eigen/Core>
#include <Eigen/SVD>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace rankgrad::inline RANKGRAD_ABI {

/// How LowRankSparseHead::from_dense() chooses its parts. The channels are those with the largest columns in the singular
/// triplets after the first `rank`, so that both parts complement each other.
///
/// Defaults   those of the source.
/// Source     LOST: low-rank and sparse pre-training, arXiv 2508.02668; after the first author's development code, where
///            V takes the columns of W itself: with both factors 1/2 the head starts as W_r / 2 + W[:, C] / 2 and not as W.
struct LowRankSparseInit {
  std::size_t rank = 128;
  double channel_share = 0.05;          ///< of the input channels, at least one
  std::size_t residual_triplets = 256;  ///< 0, or none left: the largest columns of W
  bool smallest_triplets = false;       ///< the last ones instead of those that follow the low-rank part
  bool exact = false;                   ///< both factors 1, V = columns of W - W_r: the head starts as W on its channels

  Status check() const {
    if (rank == 0) return Status::error("rankgrad: LowRankSparseInit.rank is 0; it must be at least 1");
    if (!(channel_share >= 0 && channel_share <= 1))
      return Status::error("rankgrad: LowRankSparseInit.channel_share is %g; it must be in [0, 1]", channel_share);
    return {};
  }
};

template <Real T>
struct LowRankSparseHead {
  using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  using Vector = Eigen::Matrix<T, Eigen::Dynamic, 1>;

  Matrix a, b, v;                       ///< A [r, in], B [out, r], V [out, |C|]
  std::vector<Eigen::Index> channels;   ///< C, rising
  T low_rank_factor = T(0.5), channel_factor = T(0.5);

  Eigen::Index inputs() const { return a.cols(); }
  Eigen::Index outputs() const { return b.rows(); }

  /// From a dense W [out, in]: B A is its best approximation of that rank, each factor with the root of the singular values.
  static LowRankSparseHead from_dense(const Matrix& w, const LowRankSparseInit& init = {}) {
    require(init.check());
    RANKGRAD_EXPECTS(w.rows() > 0 && w.cols() > 0, "the dense matrix is empty");
    RANKGRAD_EXPECTS(w.allFinite(), "the dense matrix has an entry that is not finite");
    const Eigen::MatrixXd wide = w.template cast<double>();
    const Eigen::BDCSVD<Eigen::MatrixXd> svd(wide, Eigen::ComputeThinU | Eigen::ComputeThinV);
    const Eigen::Index triplets = svd.singularValues().size();
    const Eigen::Index r = std::min(static_cast<Eigen::Index>(init.rank), triplets);
    const Eigen::VectorXd root = svd.singularValues().head(r).cwiseSqrt();
    const Eigen::MatrixXd a = root.asDiagonal() * svd.matrixV().leftCols(r).transpose();
    const Eigen::MatrixXd b = svd.matrixU().leftCols(r) * root.asDiagonal();

    LowRankSparseHead head;
    head.a = a.template cast<T>();
    head.b = b.template cast<T>();
    head.channels = largest_columns(wide, svd, r, init);
    head.v.resize(w.rows(), static_cast<Eigen::Index>(head.channels.size()));
    const Eigen::MatrixXd from = init.exact ? Eigen::MatrixXd(wide - b * a) : wide;
    for (std::size_t c = 0; c < head.channels.size(); ++c)
      head.v.col(static_cast<Eigen::Index>(c)) = from.col(head.channels[c]).template cast<T>();
    if (init.exact) head.low_rank_factor = head.channel_factor = T(1);
    return head;
  }

  /// Do the parts fit together? scores(), backward() and dense() ask.
  Status check() const {
    if (a.rows() != b.cols())
      return Status::error("rankgrad: A of the head has %td rows and B %td columns; both are its rank", a.rows(), b.cols());
    const auto kept = static_cast<Eigen::Index>(channels.size());
    if (v.rows() != outputs() || v.cols() != kept)
      return Status::error("rankgrad: V of the head is %td x %td; expected its %td outputs x %td channels", v.rows(), v.cols(),
                           outputs(), kept);
    for (std::size_t c = 0; c < channels.size(); ++c)
      if (channels[c] < 0 || channels[c] >= inputs())
        return Status::error("rankgrad: channels[%zu] is %td; the head has %td inputs", c, channels[c], inputs());
    return {};
  }

  /// The operator as a dense matrix [out, in].
  Matrix dense() const {
    require(check());
    Matrix w = low_rank_factor * (b * a);
    for (std::size_t c = 0; c < channels.size(); ++c) w.col(channels[c]) += channel_factor * v.col(static_cast<Eigen::Index>(c));
    return w;
  }

  /// The scores of the rows of `documents` [n, in] for a query [out].
  Vector scores(const Vector& query, const Matrix& documents) const {
    check_shapes(query, documents);
    return documents * direction(query);
  }

  struct Gradient {
    Matrix a, b, v;
    Vector query;
    Matrix documents;
  };

  /// From the gradient of the scores [n] to those of everything that made them.
  Gradient backward(const Vector& query, const Matrix& documents, const Vector& score_gradient) const {
    check_shapes(query, documents);
    RANKGRAD_EXPECTS(score_gradient.size() == documents.rows(), "the gradient of the scores is not as long as the list");
    const Vector t = documents.transpose() * score_gradient, p = b.transpose() * query, at = a * t;
    Vector kept(static_cast<Eigen::Index>(channels.size()));
    for (std::size_t c = 0; c < channels.size(); ++c) kept[static_cast<Eigen::Index>(c)] = t[channels[c]];
    Gradient gradient;
    gradient.a = low_rank_factor * (p * t.transpose());
    gradient.b = low_rank_factor * (query * at.transpose());
    gradient.v = channel_factor * (query * kept.transpose());
    gradient.query = low_rank_factor * (b * at) + channel_factor * (v * kept);
    gradient.documents = score_gradient * direction(query).transpose();
    return gradient;
  }

 private:
  void check_shapes(const Vector& query, const Matrix& documents) const {
    require(check());
    RANKGRAD_EXPECTS(query.size() == outputs(), "the query has not as many entries as the head has outputs");
    RANKGRAD_EXPECTS(documents.cols() == inputs(), "the documents have not as many entries as the head has inputs");
  }

  /// What every document is multiplied by.
  Vector direction(const Vector& query) const {
    Vector h = low_rank_factor * (a.transpose() * (b.transpose() * query));
    const Vector u = channel_factor * (v.transpose() * query);
    for (std::size_t c = 0; c < channels.size(); ++c) h[channels[c]] += u[static_cast<Eigen::Index>(c)];
    return h;
  }

  /// Columns of sum_i S_i u_i v_i^T over some triplets have the norms sqrt(sum_i S_i^2 v_ij^2): the u are orthonormal. Of
  /// equal ones the first.
  template <class Svd>
  static std::vector<Eigen::Index> largest_columns(const Eigen::MatrixXd& w, const Svd& svd, Eigen::Index r,
                                                   const LowRankSparseInit& init) {
    const Eigen::Index triplets = svd.singularValues().size();
    const Eigen::Index k = std::min(static_cast<Eigen::Index>(init.residual_triplets), triplets - r);
    const Eigen::Index from = init.smallest_triplets ? triplets - k : r;
    Eigen::VectorXd norms = w.colwise().squaredNorm();
    if (k > 0)
      norms = (svd.matrixV().middleCols(from, k) * svd.singularValues().segment(from, k).asDiagonal()).rowwise().squaredNorm();
    const auto wanted = static_cast<std::size_t>(init.channel_share * static_cast<double>(w.cols()));
    std::vector<Eigen::Index> order(static_cast<std::size_t>(w.cols()));
    std::iota(order.begin(), order.end(), Eigen::Index{0});
    std::stable_sort(order.begin(), order.end(), [&](auto i, auto j) { return norms[i] > norms[j]; });
    order.resize(std::clamp<std::size_t>(wanted, 1, order.size()));
    std::sort(order.begin(), order.end());
    return order;
  }
};

}  // namespace rankgrad
