#include <rankgrad/scoring/logit_difference.hpp>

#include "support/catch.hpp"

#include <rankgrad/core/evaluate.hpp>
#include <rankgrad/pointwise/sigmoid_cross_entropy.hpp>

#include <cmath>
#include <vector>

namespace rg = rankgrad;
namespace scoring = rankgrad::scoring;

TEST_CASE("logit difference", "[scoring]") {
  for (const std::size_t n : {0u, 1u, 3u, 8u, 37u}) {
    std::vector<float> yes, no, scores(n, 99);
    for (std::size_t i = 0; i < n; ++i) yes.push_back(static_cast<float>(i)), no.push_back(0.25f * static_cast<float>(i * i));
    scoring::fill_logit_differences<float>(yes, no, scores);
    for (std::size_t i = 0; i < n; ++i) CHECK(scores[i] == yes[i] - no[i]);
  }
  std::vector<float> two(2), three(3);
  CHECK_THROWS_WITH(scoring::fill_logit_differences<float>(two, three, two), contains("negative_logits has 3"));
  CHECK_THROWS_WITH(scoring::fill_logit_differences<float>(two, two, three), contains("scores has 3"));
}

TEST_CASE("logit difference: the display scale", "[scoring]") {
  const scoring::DisplayScale large, base{.largest = 9};
  CHECK(large(6) == 0.5);
  CHECK(base(4.5) == 0.5);
  CHECK(large(12) == Approx(1 / (1 + std::exp(-6))).epsilon(1e-15));
  CHECK(large(0) == Approx(1 / (1 + std::exp(6))).epsilon(1e-14));
  CHECK(large(-1e4) == 0.0);
  CHECK(large(1e4) == 1.0);
  CHECK(large(3) < large(3.001));
}

TEST_CASE("logit difference: its soft cross-entropy is SigmoidCrossEntropy", "[scoring]") {
  // -y log p_1 - (1 - y) log p_0 of the softmax of two logits, and its slopes by them
  const std::vector<double> yes{2, -1, 0.5}, no{1, 1.5, 0.5}, labels{1, 0.3, 0};
  std::vector<double> scores(3), gradient(3);
  scoring::fill_logit_differences<double>(yes, no, scores);
  const double value = rg::value_and_gradient(rg::SigmoidCrossEntropy{}, rg::ListView<double>{.scores = scores, .labels = labels}, gradient);
  double expected = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    const double p = std::exp(yes[i]) / (std::exp(yes[i]) + std::exp(no[i])), y = labels[i];
    expected -= (y * std::log(p) + (1 - y) * std::log(1 - p)) / 3;
    CHECK(gradient[i] == Approx((p - y) / 3).epsilon(1e-13));
  }
  CHECK(value == Approx(expected).epsilon(1e-13));
}
