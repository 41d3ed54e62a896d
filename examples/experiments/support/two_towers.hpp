// experiments/support/two_towers.hpp: two linear encoders whose cosine similarities are trained, in double.
// SPDX-License-Identifier: MIT
#pragma once

#include "scorer.hpp"

#include <rankgrad/core/evaluate.hpp>
#include <rankgrad/triplet/similarity_view.hpp>

#include <numeric>
#include <vector>

namespace experiments {

/// One modality: x -> x W / |x W|.
class Tower {
 public:
  Matrix unit;

  void forward(const Matrix& x, const Matrix& weights) {
    unit.noalias() = x * weights;
    inverse_length_ = unit.rowwise().norm().cwiseInverse();
    unit = inverse_length_.asDiagonal() * unit;
  }
  /// dL/dW from dL/dunit.
  Matrix backward(const Matrix& x, const Matrix& gradient) const {
    const Vector along = (gradient.array() * unit.array()).rowwise().sum();
    return x.transpose() * (inverse_length_.asDiagonal() * (gradient - along.asDiagonal() * unit));
  }

 private:
  Vector inverse_length_;
};

/// Pairs (a_i, b_i); similarity(i, j) compares a_i with b_j.
class TwoTowers {
 public:
  TwoTowers(const Matrix& first, const Matrix& second, double rate)
      : first_weights_(first), second_weights_(second), first_adam_(first.size(), rate), second_adam_(second.size(), rate) {}

  const Matrix& forward(const Matrix& a, const Matrix& b) {
    first_.forward(a, first_weights_);
    second_.forward(b, second_weights_);
    similarity_.noalias() = first_.unit * second_.unit.transpose();
    return similarity_;
  }

  /// The similarities of the last forward() as what a loss looks at; every sample is a positive of itself only.
  rankgrad::SimilarityView<double> view(std::span<const double> weights) {
    ids_.resize(static_cast<std::size_t>(similarity_.rows()));
    std::iota(ids_.begin(), ids_.end(), std::int64_t{0});
    return {{similarity_.data(), static_cast<std::size_t>(similarity_.size())}, ids_, weights, {}};
  }

  template <class L>
  void step(const Matrix& a, const Matrix& b, std::span<const double> weights, const L& loss) {
    forward(a, b);
    slope_.resize(a.rows(), b.rows());
    rankgrad::value_and_gradient(loss, view(weights), {slope_.data(), static_cast<std::size_t>(slope_.size())}, workspace_);
    apply(first_adam_, first_weights_, first_.backward(a, slope_ * second_.unit));
    apply(second_adam_, second_weights_, second_.backward(b, slope_.transpose() * first_.unit));
  }

  /// Recall at 1, mean of both directions: how often the partner is the most similar of all.
  double recall(const Matrix& a, const Matrix& b) {
    forward(a, b);
    double hits = 0;
    for (Eigen::Index i = 0, best = 0; i < similarity_.rows(); ++i) {
      similarity_.row(i).maxCoeff(&best), hits += best == i;
      similarity_.col(i).maxCoeff(&best), hits += best == i;
    }
    return hits / (2 * static_cast<double>(similarity_.rows()));
  }

 private:
  static void apply(examples::Adam<double>& adam, Matrix& weights, const Matrix& gradient) {
    Vector flat = weights.reshaped<Eigen::RowMajor>();
    adam.step(flat, gradient.reshaped<Eigen::RowMajor>());
    weights.reshaped<Eigen::RowMajor>() = flat;
  }

  Matrix first_weights_, second_weights_, similarity_{}, slope_{};
  Tower first_{}, second_{};
  examples::Adam<double> first_adam_, second_adam_;
  std::vector<std::int64_t> ids_{};
  rankgrad::Workspace workspace_{};
};

}  // namespace experiments
