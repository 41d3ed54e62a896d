// train_reranker/scorer.cpp
// SPDX-License-Identifier: MIT
#include "scorer.hpp"

#include <rankgrad/core/random.hpp>

#include <cmath>

namespace reranker {
namespace {

/// The flat vector seen as W [hidden x inputs], b [hidden], v [hidden or inputs], c.
template <class Vector>
struct Layers {
  using Scalar = std::conditional_t<std::is_const_v<Vector>, const float, float>;
  template <class Dense>
  using View = Eigen::Map<std::conditional_t<std::is_const_v<Vector>, const Dense, Dense>>;

  View<Matrix> W;
  View<Eigen::VectorXf> b, v;
  Scalar& c;

  Layers(Vector& flat, const Shape& shape)
      : W(flat.data(), shape.hidden, shape.inputs),
        b(flat.data() + W.size(), shape.hidden),
        v(flat.data() + W.size() + b.size(), shape.hidden == 0 ? shape.inputs : shape.hidden),
        c(flat[flat.size() - 1]) {}
};

}  // namespace

Scorer::Scorer(Shape shape, std::uint64_t seed) : parameters(Eigen::VectorXf::Zero(shape.parameters())), shape_(shape) {
  // Variance 1 / inputs (2 / inputs before a ReLU, which drops half of it); biases and the linear scorer start at 0.
  if (shape.hidden == 0) return;
  rankgrad::Random random(seed);
  Layers layers(parameters, shape);
  const double gain = shape.activation == Activation::relu ? 2 : 1;
  const double spread = std::sqrt(gain / static_cast<double>(shape.inputs)), output = std::sqrt(1 / static_cast<double>(shape.hidden));
  for (Eigen::Index i = 0; i < layers.W.size(); ++i) layers.W.data()[i] = static_cast<float>(spread * random.normal());
  for (Eigen::Index i = 0; i < layers.v.size(); ++i) layers.v[i] = static_cast<float>(output * random.normal());
}

void Scorer::forward(const Matrix& features, Activations& activations) const {
  const Layers layers(parameters, shape_);
  if (shape_.hidden == 0) {
    activations.scores.noalias() = features * layers.v;
  } else {
    activations.hidden.noalias() = features * layers.W.transpose();
    activations.hidden.rowwise() += layers.b.transpose();
    if (shape_.activation == Activation::relu) activations.hidden = activations.hidden.cwiseMax(0.0f);
    else activations.hidden = activations.hidden.array().tanh();
    activations.scores.noalias() = activations.hidden * layers.v;
  }
  activations.scores.array() += layers.c;
}

void Scorer::backward(const Matrix& features, Activations& activations, const Eigen::VectorXf& score_gradient,
                      Eigen::VectorXf& gradient) const {
  gradient.resize(parameters.size());
  const Layers layers(parameters, shape_);
  Layers out(gradient, shape_);
  out.c = score_gradient.sum();
  if (shape_.hidden == 0) {
    out.v.noalias() = features.transpose() * score_gradient;
    return;
  }
  const auto& h = activations.hidden;
  Matrix& d = activations.hidden_gradient;
  out.v.noalias() = h.transpose() * score_gradient;
  d.noalias() = score_gradient * layers.v.transpose();
  if (shape_.activation == Activation::relu) d.array() *= (h.array() > 0.0f).cast<float>();
  else d.array() *= 1.0f - h.array().square();
  out.W.noalias() = d.transpose() * features;
  out.b = d.colwise().sum();
}

std::vector<float> Scorer::scores(const Matrix& features) const {
  Activations activations;
  forward(features, activations);
  return {activations.scores.begin(), activations.scores.end()};
}

}  // namespace reranker
