#include <rankgrad/triplet/multi_similarity.hpp>

#include "properties/oracles/triplet.hpp"
#include "support/catch.hpp"

namespace rg = rankgrad;

TEST_CASE("multi-similarity: by hand", "[triplet]") {
  // Only the first sample counts: positive e^-S = 1/2, negatives e^S = 3 and, too easy for mining, e^-5; itself is no pair.
  const std::vector<double> s{9, std::log(2.0), std::log(3.0), -5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  const std::vector<std::int64_t> ids{1, 1, 2, 3};
  const std::vector<double> weights{1, 0, 0, 0};
  const rg::SimilarityView<double> view{.similarity = s, .ids = ids, .weights = weights};
  std::vector<double> gradient(16), curvature(16);
  CHECK(rg::value_gradient_and_curvature(rg::MultiSimilarity{.beta = 1}, view, gradient, curvature) == Approx(std::log(1.5) + std::log(4.0)));
  CHECK(gradient[1] == Approx(-1 / 3.0));
  CHECK(gradient[2] == Approx(3 / 4.0));
  CHECK(curvature[1] == Approx(2 / 9.0));
  CHECK(curvature[2] == Approx(3 / 16.0));
  for (const std::size_t k : {0u, 3u, 4u, 5u, 15u}) CHECK(gradient[k] == 0.0);
  // beta 2: e^{2 S} = 9, half the logarithm, the gradient without the factor.
  CHECK(rg::value_and_gradient(rg::MultiSimilarity{.beta = 2}, view, gradient) == Approx(std::log(1.5) + std::log(10.0) / 2));
  CHECK(gradient[2] == Approx(9 / 10.0));
  // base log 2: 1 for the positive, 3/2 for the negative.
  CHECK(rg::value(rg::MultiSimilarity{.beta = 1, .base = std::log(2.0)}, view) == Approx(std::log(2.0) + std::log(2.5)));
  CHECK(rg::value(rg::MultiSimilarity{.beta = 1, .mining = std::nullopt}, view) == Approx(std::log(1.5) + std::log(4 + std::exp(-5.0))));
  CHECK(rg::value(rg::MultiSimilarity{.beta = 1, .self_pairs = true}, view) == Approx(std::log(1.5) + std::log(4.0)));   // e^-9 is easy
  CHECK(rg::value(rg::MultiSimilarity{.beta = 1, .mining = 10, .self_pairs = true}, view) == Approx(std::log(1.5 + std::exp(-9.0)) + std::log(4 + std::exp(-5.0))));
  // Without weights all four count: the row of the second holds zeros, log 2 + log 3; the others have no positive.
  const rg::SimilarityView<double> all{.similarity = s, .ids = ids};
  const auto value = [&](rg::Direction direction) { return rg::value(rg::MultiSimilarity{.beta = 1, .direction = direction}, all); };
  CHECK(value(rg::Direction::rows) == Approx((std::log(1.5) + std::log(4.0) + std::log(2.0) + std::log(3.0)) / 4));
  CHECK(value(rg::Direction::columns) == Approx((std::log(2.0) + std::log(3.0)) / 4));   // that of the first; the second is well apart in its column
  CHECK(value(rg::Direction::both) == Approx(value(rg::Direction::rows) + value(rg::Direction::columns)));
}

TEST_CASE("multi-similarity: mining is strict, and nothing mined is a loss of 0 that counts", "[triplet]") {
  const std::vector<double> s{0, .5, .25, 0, 0, 0, 0, 0, 0};
  const std::vector<std::int64_t> ids{1, 1, 2};
  const std::vector<double> weights{1, 0, 0};
  const rg::SimilarityView<double> view{.similarity = s, .ids = ids, .weights = weights};
  std::vector<double> gradient(9);
  rg::Workspace workspace;
  const auto part = rg::MultiSimilarity{.mining = 0.25}.value_and_gradient(view, rg::GradientSink<double>{gradient.data()}, workspace);
  CHECK(part.valid);
  CHECK(part.value == 0.0);
  CHECK(gradient == std::vector<double>(9));
  rg::value_and_gradient(rg::MultiSimilarity{.mining = 0.26}, view, gradient);
  CHECK(gradient[1] < 0);
  CHECK(gradient[2] > 0);
}

TEST_CASE("multi-similarity: without positives only unmined negatives push", "[triplet]") {
  const std::vector<double> s{.9, .2, .3, .8};
  const std::vector<std::int64_t> ids{1, 2};
  const rg::SimilarityView<double> view{.similarity = s, .ids = ids};
  CHECK(rg::value(rg::MultiSimilarity{}, view) == 0.0);
  CHECK(rg::value(rg::MultiSimilarity{.beta = 10, .mining = std::nullopt}, view) ==
        Approx((std::log1p(std::exp(2.0)) + std::log1p(std::exp(3.0))) / 20));
}

TEST_CASE("multi-similarity: sharp temperatures stay finite in float and tend to the hardest negative", "[triplet]") {
  const auto m = test::make_matrix(25, 3, 0.2, 2).as<float>();
  std::vector<float> gradient(625), curvature(625);
  const float sharp = rg::value_gradient_and_curvature(rg::MultiSimilarity{.alpha = 1e6, .beta = 1e6}, m.view(), gradient, curvature);
  for (std::size_t k = 0; k < 625; ++k) CHECK((rg::is_finite(gradient[k]) && rg::is_finite(curvature[k])));
  double expected = 0;
  for (std::size_t i = 0; i < 25; ++i) {
    double negative = -1e9, positive = 1e9;
    for (std::size_t j = 0; j < 25; ++j) {
      if (m.ids[i] != m.ids[j]) negative = std::max(negative, static_cast<double>(m.at(i, j)));
      else if (i != j) positive = std::min(positive, static_cast<double>(m.at(i, j)));
    }
    if (positive < 1e9 && negative > positive - 0.1) expected += (std::max(0.0, negative) + std::max(0.0, -positive)) / 25;
  }
  CHECK(static_cast<double>(sharp) == Approx(expected).margin(1e-5));
}

TEST_CASE("multi-similarity: the contract", "[triplet]") {
  CHECK(rg::MultiSimilarity{}.check());
  CHECK_FALSE(rg::MultiSimilarity{.alpha = 0}.check());
  CHECK_FALSE(rg::MultiSimilarity{.beta = -1}.check());
  CHECK_FALSE(rg::MultiSimilarity{.base = std::numeric_limits<double>::quiet_NaN()}.check());
  CHECK_FALSE(rg::MultiSimilarity{.mining = -0.1}.check());
}
