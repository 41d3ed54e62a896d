// GradCache: a batch in chunks has the gradient of the batch at once.
#include "support/catch.hpp"

#include <rankgrad/core/random.hpp>
#include <rankgrad/embedding/gradient_cache.hpp>
#include <rankgrad/embedding/in_batch_info_nce.hpp>

#include <vector>

namespace rg = rankgrad;

namespace {

constexpr std::size_t inputs = 5, dimension = 7;

/// A linear encoder: row i of x times the weights.
struct Encoder {
  std::vector<double> x, weights, gradient = std::vector<double>(inputs * dimension);
  std::size_t encoded = 0, replayed = 0, most = 0;

  Encoder(std::size_t rows, std::uint64_t seed) : x(rows * inputs), weights(inputs * dimension) {
    rg::Random random(seed, 0);
    for (double& v : x) v = random.normal();
    for (double& v : weights) v = random.normal();
  }
  std::size_t rows() const { return x.size() / inputs; }
  void encode(std::size_t begin, std::size_t end, std::span<double> out) {
    encoded += end - begin;
    most = std::max(most, end - begin);
    for (std::size_t i = begin; i < end; ++i)
      for (std::size_t k = 0; k < dimension; ++k) {
        double sum = 0;
        for (std::size_t f = 0; f < inputs; ++f) sum += x[i * inputs + f] * weights[f * dimension + k];
        out[(i - begin) * dimension + k] = sum;
      }
  }
  void replay(std::size_t begin, std::size_t end, std::span<const double> by) {
    replayed += end - begin;
    for (std::size_t i = begin; i < end; ++i)
      for (std::size_t k = 0; k < dimension; ++k)
        for (std::size_t f = 0; f < inputs; ++f) gradient[f * dimension + k] += x[i * inputs + f] * by[(i - begin) * dimension + k];
  }
};

rg::EmbeddingValue<double> step(rg::GradientCache<double>& cache, Encoder& q, Encoder& d, const rg::EmbeddingView<double>& view = {}) {
  const auto tower = [](Encoder& e) {
    return rg::Tower{e.rows(), [&](auto begin, auto end, std::span<double> out) { e.encode(begin, end, out); },
                     [&](auto begin, auto end, std::span<const double> by) { e.replay(begin, end, by); }};
  };
  return cache(rg::InBatchInfoNce{.temperature = 0.5, .similarity = rg::Similarity::cosine}, tower(q), tower(d), view);
}

}  // namespace

TEST_CASE("the gradient of a cached batch is that of the whole batch, and of its value", "[embedding]") {
  Encoder q(10, 1), d(13, 2), q_whole = q, d_whole = d;
  rg::GradientCache<double> cache(dimension, 4), whole(dimension, 100);
  const auto result = step(cache, q, d), expected = step(whole, q_whole, d_whole);
  CHECK(result.value == expected.value);
  CHECK(q.most == 4);
  CHECK((q.encoded == 10 && q.replayed == 10 && d.encoded == 13 && d.replayed == 13));
  for (std::size_t k = 0; k < q.gradient.size(); ++k) {
    CHECK(q.gradient[k] == Approx(q_whole.gradient[k]).epsilon(1e-12));
    CHECK(d.gradient[k] == Approx(d_whole.gradient[k]).epsilon(1e-12));
  }
  for (const std::size_t k : {0u, 9u, 34u}) {   // finite differences through encoder and loss
    Encoder up = d, down = d;
    const double h = 1e-6;
    up.weights[k] += h;
    down.weights[k] -= h;
    const double slope = (step(cache, q, up).value - step(cache, q, down).value) / (2 * h);
    CHECK(d_whole.gradient[k] == Approx(slope).epsilon(1e-6).margin(1e-9));
  }
}

TEST_CASE("a gradient cache passes on what belongs together, and raises what is wrong before any replay", "[embedding]") {
  Encoder q(3, 1), d(3, 2);
  rg::GradientCache<double> cache(dimension, 2);
  const std::uint32_t offsets[] = {0, 1, 2, 3}, positives[] = {2, 0, 1};
  rg::EmbeddingView<double> view;
  view.positive_offsets = offsets;
  view.positives = positives;
  CHECK(step(cache, q, d, view).value != step(cache, q, d).value);
  CHECK(cache.query_embeddings().size() == 3 * dimension);
  q.replayed = 0;
  const std::uint32_t wrong[] = {2, 0, 3};
  view.positives = wrong;
  CHECK_THROWS(step(cache, q, d, view));
  CHECK(q.replayed == 0);
  CHECK_THROWS(rg::GradientCache<double>(0, 1));
}
