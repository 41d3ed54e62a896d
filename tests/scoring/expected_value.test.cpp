#include <rankgrad/scoring/expected_value.hpp>

#include "support/catch.hpp"

#include <rankgrad/core/random.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace rg = rankgrad;
namespace scoring = rankgrad::scoring;

TEMPLATE_TEST_CASE("expected value: the definition", "[scoring]", float, double) {
  using T = TestType;
  const double epsilon = static_cast<double>(std::numeric_limits<T>::epsilon());
  rg::Random random(4);
  for (const std::size_t K : {1u, 2u, 3u, 8u, 11u, 40u}) {
    const std::size_t n = 5;
    std::vector<T> logits, values, scores(n), slopes(n * K), alone(n);
    for (std::size_t k = 0; k < K; ++k) values.push_back(static_cast<T>(k));
    for (std::size_t j = 0; j < n * K; ++j) logits.push_back(static_cast<T>(static_cast<float>(3 * random.normal() + (j < K ? 1000 : 0))));
    scoring::fill_expected_values<T>(logits, values, scores, slopes);
    scoring::fill_expected_values<T>(logits, values, alone);
    CHECK(alone == scores);
    for (std::size_t i = 0; i < n; ++i) {
      long double top = -1e30L, mass = 0, mean = 0;
      for (std::size_t k = 0; k < K; ++k) top = std::max<long double>(top, logits[i * K + k]);
      for (std::size_t k = 0; k < K; ++k) mass += expl(logits[i * K + k] - top);
      for (std::size_t k = 0; k < K; ++k) mean += static_cast<long double>(k) * expl(logits[i * K + k] - top) / mass;
      CHECK(static_cast<double>(scores[i]) == Approx(static_cast<double>(mean)).margin(8 * epsilon * static_cast<double>(K)));
      for (std::size_t k = 0; k < K; ++k) {
        const long double slope = expl(logits[i * K + k] - top) / mass * (static_cast<long double>(k) - mean);
        CHECK(static_cast<double>(slopes[i * K + k]) == Approx(static_cast<double>(slope)).margin(8 * epsilon * static_cast<double>(K)));
      }
    }
  }
}

TEST_CASE("expected value: two answers are the sigmoid of the logit difference; the slope is that of the value", "[scoring]") {
  const std::vector<double> values{0, 1};
  std::vector<double> logits{0.5, 1.7}, score(1), slopes(2), moved(1);
  scoring::fill_expected_values<double>(logits, values, score, slopes);
  const double p = 1 / (1 + std::exp(-1.2));
  CHECK(score[0] == Approx(p).epsilon(1e-14));
  CHECK(slopes[1] == Approx(p * (1 - p)).epsilon(1e-14));
  CHECK(slopes[0] == Approx(-p * (1 - p)).epsilon(1e-14));

  const std::vector<double> grades{1, 2, 5};
  std::vector<double> z{0.3, -1, 2}, three(3);
  scoring::fill_expected_values<double>(z, grades, score, three);
  for (std::size_t k = 0; k < 3; ++k) {
    std::vector<double> up = z, down = z;
    up[k] += 1e-6, down[k] -= 1e-6;
    scoring::fill_expected_values<double>(up, grades, moved);
    const double above = moved[0];
    scoring::fill_expected_values<double>(down, grades, moved);
    CHECK(three[k] == Approx((above - moved[0]) / 2e-6).margin(1e-9));
  }
}

TEST_CASE("expected value: edges", "[scoring]") {
  std::vector<float> score(2), slopes(4);
  scoring::fill_expected_values<float>(std::vector<float>{1e4f, -1e4f, 3, std::nanf("")}, std::vector<float>{2, 7}, score, slopes);
  CHECK(score[0] == 2.0f);
  CHECK(slopes[0] == 0.0f);
  CHECK(slopes[1] == 0.0f);
  CHECK_FALSE(rg::is_finite(score[1]));   // its own row
  scoring::fill_expected_values<float>(std::vector<float>{1, 2, 3, 4}, std::vector<float>{7, 7}, score, slopes);
  CHECK(score == std::vector<float>{7, 7});
  for (const float s : slopes) CHECK(s == 0.0f);
  std::vector<float> none;
  scoring::fill_expected_values<float>(none, std::vector<float>{1}, none);
  CHECK_THROWS_WITH(scoring::fill_expected_values<float>(none, none, none), contains("values is empty"));
  CHECK_THROWS_WITH(scoring::fill_expected_values<float>(score, score, score), contains("logits has 2 elements where 4"));
  CHECK_THROWS_WITH(scoring::fill_expected_values<float>(slopes, score, score, score), contains("slopes has 2 elements where 4"));
  const std::vector<float> broken{1, std::nanf("")};
  CHECK_THROWS_WITH(scoring::fill_expected_values<float>(slopes, broken, score), contains("values[1]"));
}

TEST_CASE("value times probability is not the expectation", "[scoring]") {
  CHECK(scoring::value_times_probability(9, std::log(0.4)) == Approx(3.6));
  CHECK(scoring::value_times_probability(4, std::log(0.95)) == Approx(3.8));
  CHECK(scoring::value_times_probability(0, 0) == 0.0);
  CHECK(scoring::value_times_probability(10, -1e4) == 0.0);
}
