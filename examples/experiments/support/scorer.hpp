// experiments/support/scorer.hpp: features -> score, linear or with one hidden layer, in double.
// SPDX-License-Identifier: MIT
#pragma once

#include "common/adam.hpp"

#include <rankgrad/core/random.hpp>

#include <Eigen/Core>

#include <cmath>

namespace experiments {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Vector = Eigen::VectorXd;

inline Matrix normal(rankgrad::Random& random, Eigen::Index rows, Eigen::Index columns, double spread = 1) {
  Matrix m(rows, columns);
  for (Eigen::Index i = 0; i < m.size(); ++i) m.data()[i] = spread * random.normal();
  return m;
}
inline Vector normal(rankgrad::Random& random, Eigen::Index n, double spread = 1) { return normal(random, n, 1, spread); }

/// s = w . x, or s = v . a(W x + b) + c with a = tanh or relu. One flat vector of parameters: w, or [W by rows, b, v, c].
class Scorer {
 public:
  enum class Activation { tanh, relu };

  Vector parameters;

  static Scorer linear(Vector weights) {
    Scorer scorer;
    scorer.inputs_ = weights.size();
    scorer.parameters = std::move(weights);
    return scorer;
  }
  /// W of variance 1 / inputs (2 / inputs before a ReLU, which drops half of it), v of 1 / hidden, no bias to start with.
  static Scorer hidden_layer(Eigen::Index inputs, Eigen::Index hidden, rankgrad::Random& random,
                             Activation activation = Activation::tanh) {
    Scorer scorer;
    scorer.inputs_ = inputs;
    scorer.hidden_ = hidden;
    scorer.activation_ = activation;
    scorer.parameters = Vector::Zero(hidden * (inputs + 2) + 1);
    const double gain = activation == Activation::relu ? 2 : 1;
    scorer.parameters.head(hidden * inputs) = normal(random, hidden * inputs, std::sqrt(gain / static_cast<double>(inputs)));
    scorer.parameters.segment(hidden * (inputs + 1), hidden) = normal(random, hidden, std::sqrt(1 / static_cast<double>(hidden)));
    return scorer;
  }

  /// The scores of the rows of x. backward() needs what the last forward() left.
  Vector forward(const Matrix& x) {
    if (hidden_ == 0) return x * parameters;
    activations_.noalias() = x * layer().transpose();
    activations_.rowwise() += parameters.segment(hidden_ * inputs_, hidden_).transpose();
    if (activation_ == Activation::relu) activations_ = activations_.cwiseMax(0.0);
    else activations_ = activations_.array().tanh();
    return (activations_ * output()).array() + parameters[parameters.size() - 1];
  }
  /// The chain rule's product: dL/dparameters from dL/dscores.
  Vector backward(const Matrix& x, const Vector& score_gradient) const {
    if (hidden_ == 0) return x.transpose() * score_gradient;
    Vector gradient(parameters.size());
    Matrix d = score_gradient * output().transpose();
    if (activation_ == Activation::relu) d.array() *= (activations_.array() > 0).cast<double>();
    else d.array() *= 1 - activations_.array().square();
    Eigen::Map<Matrix>(gradient.data(), hidden_, inputs_).noalias() = d.transpose() * x;
    gradient.segment(hidden_ * inputs_, hidden_) = d.colwise().sum();
    gradient.segment(hidden_ * (inputs_ + 1), hidden_).noalias() = activations_.transpose() * score_gradient;
    gradient[gradient.size() - 1] = score_gradient.sum();
    return gradient;
  }

 private:
  Eigen::Map<const Matrix> layer() const { return {parameters.data(), hidden_, inputs_}; }
  Eigen::Map<const Vector> output() const { return {parameters.data() + hidden_ * (inputs_ + 1), hidden_}; }

  Eigen::Index inputs_ = 0, hidden_ = 0;
  Activation activation_ = Activation::tanh;
  Matrix activations_{};
};

}  // namespace experiments
