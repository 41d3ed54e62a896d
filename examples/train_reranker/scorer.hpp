// train_reranker/scorer.hpp: what is trained: features -> score, linear or with one hidden layer.
// SPDX-License-Identifier: MIT
#pragma once

#include "dataset.hpp"

#include <Eigen/Core>

#include <cstdint>

namespace reranker {

enum class Activation { relu, tanh };

struct Shape {
  Eigen::Index inputs = 0;
  Eigen::Index hidden = 16;   ///< 0: a linear scorer
  Activation activation = Activation::relu;

  Eigen::Index parameters() const { return hidden == 0 ? inputs + 1 : hidden * (inputs + 2) + 1; }
};

/// s = v . a(W x + b) + c, or s = v . x + c. All parameters stand in one vector [W by rows, b, v, c], which is all that an
/// optimiser needs to know.
class Scorer {
 public:
  /// What the backward pass needs from the forward pass; keep one per loop to keep its memory.
  struct Activations {
    Matrix hidden, hidden_gradient;
    Eigen::VectorXf scores;
  };

  Scorer(Shape shape, std::uint64_t seed);

  /// activations.scores = the scores of the rows of `features`.
  void forward(const Matrix& features, Activations& activations) const;
  /// Overwrites `gradient` [parameters] with the chain rule's product, given dL/dscores of the last forward().
  void backward(const Matrix& features, Activations& activations, const Eigen::VectorXf& score_gradient,
                Eigen::VectorXf& gradient) const;

  std::vector<float> scores(const Matrix& features) const;

  const Shape& shape() const { return shape_; }
  Eigen::VectorXf parameters;

 private:
  Shape shape_;
};

}  // namespace reranker
