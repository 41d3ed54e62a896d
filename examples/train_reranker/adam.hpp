// train_reranker/adam.hpp: Adam with decoupled weight decay, on one flat vector.
// SPDX-License-Identifier: MIT
#pragma once

#include <Eigen/Core>

#include <cmath>

namespace reranker {

/// Kingma and Ba, Adam, ICLR 2015, algorithm 1; decay as in Loshchilov and Hutter, ICLR 2019 (AdamW).
class Adam {
 public:
  Adam(Eigen::Index parameters, double learning_rate, double weight_decay)
      : learning_rate_(learning_rate),
        weight_decay_(weight_decay),
        mean_(Eigen::VectorXf::Zero(parameters)),
        square_(Eigen::VectorXf::Zero(parameters)) {}

  void step(Eigen::VectorXf& parameters, const Eigen::VectorXf& gradient) {
    constexpr double beta1 = 0.9, beta2 = 0.999;
    ++steps_;
    mean_ += static_cast<float>(1 - beta1) * (gradient - mean_);
    square_ += static_cast<float>(1 - beta2) * (gradient.cwiseAbs2() - square_);
    const auto rate = static_cast<float>(learning_rate_ / (1 - std::pow(beta1, steps_)));
    const auto unbias = static_cast<float>(1 / std::sqrt(1 - std::pow(beta2, steps_)));
    parameters *= static_cast<float>(1 - learning_rate_ * weight_decay_);
    parameters.array() -= rate * mean_.array() / (unbias * square_.array().sqrt() + 1e-8f);
  }

 private:
  double learning_rate_, weight_decay_;
  int steps_ = 0;
  Eigen::VectorXf mean_, square_;
};

}  // namespace reranker
