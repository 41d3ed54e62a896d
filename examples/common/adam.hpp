// common/adam.hpp: Adam with decoupled weight decay, on one flat vector.
// SPDX-License-Identifier: MIT
#pragma once

#include <Eigen/Core>

#include <cmath>

namespace examples {

/// Kingma and Ba, Adam, ICLR 2015, algorithm 1; decay as in Loshchilov and Hutter, ICLR 2019 (AdamW).
template <class T>
class Adam {
 public:
  using Vector = Eigen::Matrix<T, Eigen::Dynamic, 1>;

  double learning_rate, weight_decay = 0;
  double beta1 = 0.9, beta2 = 0.999;

  Adam(Eigen::Index parameters, double rate, double decay = 0)
      : learning_rate(rate), weight_decay(decay), mean_(Vector::Zero(parameters)), square_(Vector::Zero(parameters)) {}

  void step(Vector& parameters, const Vector& gradient) {
    ++steps_;
    mean_ += static_cast<T>(1 - beta1) * (gradient - mean_);
    square_ += static_cast<T>(1 - beta2) * (gradient.cwiseAbs2() - square_);
    const auto rate = static_cast<T>(learning_rate / (1 - std::pow(beta1, steps_)));
    const auto unbias = static_cast<T>(1 / std::sqrt(1 - std::pow(beta2, steps_)));
    parameters *= static_cast<T>(1 - learning_rate * weight_decay);
    parameters.array() -= rate * mean_.array() / (unbias * square_.array().sqrt() + static_cast<T>(1e-8));
  }

 private:
  int steps_ = 0;
  Vector mean_, square_;
};

}  // namespace examples
