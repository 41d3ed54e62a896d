// A batch whose activations do not fit: embeddings first, the loss of the whole batch, then the encoder again chunk by chunk.
#include <rankgrad/core/random.hpp>
#include <rankgrad/embedding/gradient_cache.hpp>
#include <rankgrad/embedding/in_batch_info_nce.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <span>
#include <utility>
#include <vector>

namespace rg = rankgrad;

constexpr std::size_t batch = 256, inputs = 8, hidden = 32, dimension = 16;

/// x -> tanh(x A) B for the rows of one side. What a backward pass needs, tanh(x A), is kept for the rows it is at and no others.
struct Encoder {
  std::vector<float> x, weights, gradient, activations;
  std::size_t most = 0;   // rows whose activations were in memory at once

  explicit Encoder(std::vector<float> data) : x(std::move(data)), weights((inputs + dimension) * hidden), gradient(weights.size()) {
    rg::Random random(7, 0);
    for (float& w : weights) w = static_cast<float>(0.3 * random.normal());
  }
  std::size_t rows() const { return x.size() / inputs; }

  void forward(std::size_t begin, std::size_t end, std::span<float> embeddings) {
    most = std::max(most, end - begin);
    activations.assign((end - begin) * hidden, 0);
    std::fill(embeddings.begin(), embeddings.end(), 0.0f);
    for (std::size_t i = 0; i < end - begin; ++i)
      for (std::size_t h = 0; h < hidden; ++h) {
        float sum = 0;
        for (std::size_t f = 0; f < inputs; ++f) sum += x[(begin + i) * inputs + f] * weights[f * hidden + h];
        const float a = activations[i * hidden + h] = std::tanh(sum);
        for (std::size_t k = 0; k < dimension; ++k) embeddings[i * dimension + k] += a * weights[(inputs + k) * hidden + h];
      }
  }
  void backward(std::size_t begin, std::size_t end, std::span<const float> by_embeddings) {
    std::vector<float> again(by_embeddings.size());
    forward(begin, end, again);
    for (std::size_t i = 0; i < end - begin; ++i)
      for (std::size_t h = 0; h < hidden; ++h) {
        const float a = activations[i * hidden + h];
        float by_a = 0;
        for (std::size_t k = 0; k < dimension; ++k) {
          const float g = by_embeddings[i * dimension + k];
          by_a += g * weights[(inputs + k) * hidden + h];
          gradient[(inputs + k) * hidden + h] += g * a;
        }
        for (std::size_t f = 0; f < inputs; ++f) gradient[f * hidden + h] += x[(begin + i) * inputs + f] * by_a * (1 - a * a);
      }
  }
  auto tower() {
    return rg::Tower{rows(), [this](auto begin, auto end, std::span<float> to) { forward(begin, end, to); },
                     [this](auto begin, auto end, std::span<const float> by) { backward(begin, end, by); }};
  }
  void descend(float rate) {
    for (std::size_t w = 0; w < weights.size(); ++w) weights[w] -= rate * gradient[w];
    std::fill(gradient.begin(), gradient.end(), 0.0f);
  }
};

int main() {
  // A document is its query, seen with noise.
  rg::Random random(1, 0);
  std::vector<float> asked, shown;
  for (std::size_t i = 0; i < batch * inputs; ++i) {
    asked.push_back(static_cast<float>(random.normal()));
    shown.push_back(asked.back() + static_cast<float>(0.5 * random.normal()));
  }
  Encoder queries(asked), documents(shown);
  const rg::InBatchInfoNce loss{.temperature = 0.1, .similarity = rg::Similarity::cosine};

  rg::GradientCache<float> whole(dimension, batch), chunks(dimension, 32);   // keep it: it stops allocating once warm
  std::vector<float> gradients[2];
  for (rg::GradientCache<float>* cache : {&whole, &chunks}) {
    queries.most = 0;
    const auto result = (*cache)(loss, queries.tower(), documents.tower());
    std::printf("loss of %zu pairs: %.4f, activations of %3zu rows\n", batch, static_cast<double>(result.value), queries.most);
    gradients[cache == &chunks] = queries.gradient;
    std::fill(queries.gradient.begin(), queries.gradient.end(), 0.0f);
    std::fill(documents.gradient.begin(), documents.gradient.end(), 0.0f);
  }
  std::printf("the same gradient of the weights: %s\n", gradients[0] == gradients[1] ? "yes" : "no");

  for (int step = 0; step < 60; ++step) {
    const auto result = chunks(loss, queries.tower(), documents.tower());
    if (step % 20 == 0) std::printf("step %2d: %.2f\n", step, static_cast<double>(result.value));
    queries.descend(0.5f);
    documents.descend(0.5f);
  }
}
