// InfoNCE over a batch as one writes it with Eigen: the matrix of similarities in memory, three products, array expressions,
// everything allocated once.
#include "support/problem.hpp"

#include <Eigen/Dense>

#include <memory>

namespace bench::eigen {
namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

struct Kept {
  Matrix logits, slopes;
  Eigen::VectorXf top, sum;
};

/// Adds f (softmax - identity) along the rows (or, with Columns, the columns) of the logits to `slopes`; returns f times the
/// cross-entropies.
template <bool Columns>
double softmax(Kept& kept, float f) {
  const auto& s = kept.logits;
  if constexpr (Columns) {
    kept.top = s.colwise().maxCoeff().transpose();
    kept.sum = (s.rowwise() - kept.top.transpose()).array().exp().colwise().sum().transpose();
    kept.slopes.array() += ((s.rowwise() - kept.top.transpose()).array().exp()).rowwise() * (f * kept.sum.array().inverse()).transpose();
  } else {
    kept.top = s.rowwise().maxCoeff();
    kept.slopes = (s.colwise() - kept.top).array().exp();
    kept.sum = kept.slopes.rowwise().sum();
    kept.slopes.array().colwise() *= f * kept.sum.array().inverse();
  }
  kept.slopes.diagonal().array() -= f;
  return static_cast<double>(f) * static_cast<double>((kept.top.array() + kept.sum.array().log() - s.diagonal().array()).sum());
}

}  // namespace

void append_embeddings(std::string_view loss, Methods<Embeddings<float>>& methods) {
  if (loss.starts_with("threads/") || loss.starts_with("limit/")) return;
  const bool both = loss.ends_with("_both"), value_only = loss.ends_with("_value");
  methods.push_back({"eigen", [=, kept = std::make_shared<Kept>()](const Embeddings<float>& in, std::span<float> gradient) {
                       const auto n = static_cast<Eigen::Index>(in.rows()), d = static_cast<Eigen::Index>(in.dimension);
                       const Eigen::Map<const Matrix> q(in.queries.data(), n, d), k(in.documents.data(), n, d);
                       Eigen::Map<Matrix> dq(gradient.data(), n, d), dk(gradient.data() + n * d, n, d);
                       constexpr float scale = 20;
                       const float f = (both ? 0.5f : 1.0f) / static_cast<float>(n);
                       kept->logits.noalias() = scale * q * k.transpose();
                       double value = softmax<false>(*kept, f);
                       if (both) value += softmax<true>(*kept, f);
                       if (value_only) return value;
                       dq.noalias() = scale * kept->slopes * k;
                       dk.noalias() = scale * kept->slopes.transpose() * q;
                       return value;
                     }});
}

}  // namespace bench::eigen
