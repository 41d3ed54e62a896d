// Losses over a batch as one writes them with Eigen: the matrix of similarities in memory, a product for it and two for the
// gradients, between them array expressions, of InfoNCE over the whole matrix, of the others row by row, so that a row stays in the
// nearest cache. Everything is allocated once. Document i is the only positive of query i.
#include "support/problem.hpp"

#include <Eigen/Dense>

#include <cmath>
#include <memory>

namespace bench::eigen {
namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Eigen::Index;

struct Kept {
  Matrix logits, slopes, transposed, transposed_slopes;
  Eigen::VectorXf top, sum;
  Eigen::VectorXd pull;
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
double info_nce(Kept& kept, bool both) {
  const float f = (both ? 0.5f : 1.0f) / static_cast<float>(kept.logits.rows());
  const double value = softmax<false>(kept, f);
  return both ? value + softmax<true>(kept, f) : value;
}

// --- row by row: the logits s of an anchor, g where their slopes go, i the place of its positive

constexpr float absent = -1e30f;   // in the place of the positive: its exponential is 0

template <class Anchor>
double over_rows(Matrix& logits, Matrix& slopes, const Anchor& anchor) {
  slopes.resize(logits.rows(), logits.cols());
  double total = 0;
  for (Index i = 0; i < logits.rows(); ++i) total += anchor(i, logits.row(i).array(), slopes.row(i).array());
  return total;
}
template <class Anchor>
double both_directions(Kept& kept, const Anchor& anchor) {
  kept.transposed = kept.logits.transpose();
  double total = over_rows(kept.logits, kept.slopes, anchor);
  total += over_rows(kept.transposed, kept.transposed_slopes, anchor);
  kept.slopes += kept.transposed_slopes.transpose();
  return total;
}
template <class Row>
double softplus_sum(const Row& x) {
  return static_cast<double>((x.max(0.0f) + (-x.abs()).exp().log1p()).sum());
}

double sigmoid(Kept& kept) {
  const float f = 1 / static_cast<float>(kept.logits.rows());
  kept.logits.array() -= 10.0f;
  const double total = over_rows(kept.logits, kept.slopes, [f](Index i, auto s, auto g) {
    g = f * s.logistic();
    g(i) -= f;
    return softplus_sum(s) - static_cast<double>(s(i));   // softplus(-x) = softplus(x) - x
  });
  return static_cast<double>(f) * total;
}

double triplet_log_sum_exp(Kept& kept) {
  constexpr float temperature = 0.015f;
  return both_directions(kept, [](Index i, auto s, auto g) {
    const double own = static_cast<double>(s(i));
    s(i) = absent;
    const float top = s.maxCoeff();
    g = ((s - top) * (1 / temperature)).exp();
    const float sum = g.sum();
    const double h = 0.1 - own + static_cast<double>(top) + 0.015 * std::log(static_cast<double>(sum));
    if (h <= 0) {
      g.setZero();
      return 0.0;
    }
    g *= 1 / sum;
    g(i) -= 1.0f;
    return h;
  });
}

/// alpha 1, beta 50, base 0, mining 0.1.
double multi_similarity(Kept& kept) {
  const float f = 1 / static_cast<float>(kept.logits.rows());
  const double total = over_rows(kept.logits, kept.slopes, [f](Index i, auto s, auto g) {
    const double own = static_cast<double>(s(i));
    s(i) = absent;
    const float high = s.maxCoeff(), reference = std::max(high, 0.0f), easy = static_cast<float>(own - 0.1);
    if (high <= easy) {
      g.setZero();
      return 0.0;
    }
    g = (50.0f * (s - reference)).exp();
    for (Index j = 0; j < s.size(); ++j) g(j) = s(j) > easy ? g(j) : 0.0f;
    const double sum = static_cast<double>(g.sum()), above = static_cast<double>(reference), all = std::exp(-50 * above) + sum;
    const double positive = std::exp(-own);   // mined, as the highest negative is
    g *= f / static_cast<float>(all);
    g(i) = -f * static_cast<float>(positive / (1 + positive));
    return std::log1p(positive) + above + std::log(all) / 50;
  });
  return static_cast<double>(f) * total;
}

double mann_whitney_of_rows(Kept& kept) {
  const auto n = static_cast<double>(kept.logits.rows());
  const float f = static_cast<float>(1 / (n * (n - 1)));
  const double total = over_rows(kept.logits, kept.slopes, [f](Index i, auto s, auto g) {
    s -= float(s(i));
    s(i) = absent;
    g = f * s.logistic();
    g(i) = 0;
    g(i) = -g.sum();
    return softplus_sum(s);
  });
  return total / (n * (n - 1));
}

/// Every positive against every negative, pair by pair.
double mann_whitney(Kept& kept) {
  const Index count = kept.logits.rows();
  const auto n = static_cast<double>(count);
  const double inverse = 1 / (n * n * (n - 1));
  kept.top = kept.logits.diagonal();
  kept.logits.diagonal().setConstant(absent);
  kept.pull.setZero(count);
  const double total = over_rows(kept.logits, kept.slopes, [&](Index, auto s, auto g) {
    double value = 0;
    g.setZero();
    for (Index p = 0; p < count; ++p) {
      const auto x = s - kept.top(p);
      kept.transposed = x.logistic();
      g += kept.transposed.array();
      kept.pull(p) += static_cast<double>(kept.transposed.sum());
      value += softplus_sum(x);
    }
    return value;
  });
  kept.slopes.diagonal() = -kept.pull.cast<float>();
  kept.slopes *= static_cast<float>(inverse);
  return inverse * total;
}

/// One negative a row and a column: gradients without products.
template <class Embeddings, class Gradient>
double hardest_negatives(Matrix& logits, const Embeddings& q, const Embeddings& k, Gradient& dq, Gradient& dk) {
  double total = 0;
  for (Index i = 0; i < logits.rows(); ++i) {
    auto s = logits.row(i);
    const float own = s(i);
    s(i) = absent;
    const float top = s.maxCoeff();
    const double h = 0.1 + (static_cast<double>(top) - static_cast<double>(own));
    if (h <= 0) continue;
    total += h;
    const Index hardest = std::find(s.data(), s.data() + s.size(), top) - s.data();
    dq.row(i) += k.row(hardest) - k.row(i);
    dk.row(hardest) += q.row(i);
    dk.row(i) -= q.row(i);
  }
  return total;
}

/// From similarities times `scale` to the loss and, by way of their slopes, to the gradients of the embeddings.
template <class Loss>
auto over_matrix(float scale, bool gradient_wanted, const Loss& loss) {
  return [=, kept = std::make_shared<Kept>()](const Embeddings<float>& in, std::span<float> gradient) {
    const auto n = static_cast<Index>(in.rows()), d = static_cast<Index>(in.dimension);
    const Eigen::Map<const Matrix> q(in.queries.data(), n, d), k(in.documents.data(), n, d);
    Eigen::Map<Matrix> dq(gradient.data(), n, d), dk(gradient.data() + n * d, n, d);
    kept->logits.noalias() = scale * q * k.transpose();
    const double value = loss(*kept);
    if (!gradient_wanted) return value;
    dq.noalias() = scale * kept->slopes * k;
    dk.noalias() = scale * kept->slopes.transpose() * q;
    return value;
  };
}
auto over_hardest_negatives() {
  return [kept = std::make_shared<Kept>()](const Embeddings<float>& in, std::span<float> gradient) {
    const auto n = static_cast<Index>(in.rows()), d = static_cast<Index>(in.dimension);
    const Eigen::Map<const Matrix> q(in.queries.data(), n, d), k(in.documents.data(), n, d);
    Eigen::Map<Matrix> dq(gradient.data(), n, d), dk(gradient.data() + n * d, n, d);
    kept->logits.noalias() = q * k.transpose();
    kept->transposed = kept->logits.transpose();
    dq.setZero(), dk.setZero();
    return hardest_negatives(kept->logits, q, k, dq, dk) + hardest_negatives(kept->transposed, k, q, dk, dq);
  };
}

}  // namespace

void append_embeddings(std::string_view loss, Methods<Embeddings<float>>& methods) {
  const auto add = [&](std::string_view name, auto run, std::size_t largest = ~std::size_t{0}) {
    if (loss == name) methods.push_back({"eigen", run, largest});
  };
  const auto of_rows = [](bool both) { return [both](Kept& kept) { return info_nce(kept, both); }; };
  add("embedding/info_nce_value", over_matrix(20, false, of_rows(false)));
  add("embedding/info_nce", over_matrix(20, true, of_rows(false)));
  add("embedding/info_nce_both", over_matrix(20, true, of_rows(true)));
  add("embedding/sigmoid", over_matrix(10, true, sigmoid));
  add("embedding/triplet_log_sum_exp", over_matrix(1, true, triplet_log_sum_exp));
  add("embedding/hardest_negative", over_hardest_negatives());
  add("embedding/multi_similarity", over_matrix(1, true, multi_similarity));
  add("embedding/mann_whitney_of_rows", over_matrix(20, true, mann_whitney_of_rows));
  add("embedding/mann_whitney", over_matrix(20, true, mann_whitney), 512);   // rows to the third exponentials
}

}  // namespace bench::eigen
