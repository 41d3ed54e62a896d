#include <rankgrad/triplet/triplet_log_sum_exp.hpp>

#include "properties/oracles/triplet.hpp"
#include "support/catch.hpp"

#include <rankgrad/core/combinators.hpp>

namespace rg = rankgrad;

namespace {
const std::vector<double> similarity{.8, .6, .5, .4, .7, .65, .3, .2, .45};
const std::vector<std::int64_t> ids{0, 0, 1};
const rg::SimilarityView<double> three{.similarity = similarity, .ids = ids};
}  // namespace

TEST_CASE("triplet log-sum-exp: three samples, two of one identity", "[triplet]") {
  const rg::TripletLogSumExp loss{.temperature = 0.1, .margin = 0.1};
  std::vector<double> gradient(9), losses(3);
  CHECK(rg::value_and_gradient(loss, three, gradient) == Approx(0.384369).margin(1e-6));
  const std::vector<double> expected{0, 0, 0.182426, -0.047426, -0.952574, 1.817574, 0, 0, -1};
  for (std::size_t k = 0; k < 9; ++k) CHECK(gradient[k] == Approx(expected[k]).margin(1e-6));
  rg::per_sample_losses(loss, three, losses);
  CHECK(losses[0] == Approx(0.0).margin(1e-12));
  CHECK(losses[1] == Approx(0.064228).margin(1e-6));
  CHECK(losses[2] == Approx(0.320141).margin(1e-6));
}

TEST_CASE("triplet log-sum-exp: one positive, one negative, by hand", "[triplet]") {
  // With one negative the log-sum-exp is that negative: h_0 = m - .5 + .45, h_1 = m - .9 + .2; the columns see .2 and .45.
  const std::vector<double> s{.5, .45, .2, .9};
  const std::vector<std::int64_t> two{7, -7};
  const rg::SimilarityView<double> view{.similarity = s, .ids = two};
  std::vector<double> gradient(4), curvature(4);
  const double value = rg::value_gradient_and_curvature(rg::TripletLogSumExp{}, view, gradient, curvature);
  CHECK(value == Approx(0.05));
  CHECK(gradient[0] == Approx(-1.0));
  CHECK(gradient[1] == Approx(1.0));
  CHECK(gradient[2] == 0.0);
  CHECK(gradient[3] == 0.0);
  for (const double h : curvature) CHECK(h == Approx(0.0).margin(1e-15));
}

TEST_CASE("triplet log-sum-exp: directions add up", "[triplet]") {
  const auto m = test::make_matrix(20, 4);
  std::vector<double> both(400), rows(400), columns(400);
  const double sum = rg::value_and_gradient(rg::TripletLogSumExp{.direction = rg::Direction::rows}, m.view(), rows) +
                     rg::value_and_gradient(rg::TripletLogSumExp{.direction = rg::Direction::columns}, m.view(), columns);
  CHECK(rg::value_and_gradient(rg::TripletLogSumExp{}, m.view(), both) == Approx(sum));
  for (std::size_t k = 0; k < 400; ++k) CHECK(both[k] == Approx(rows[k] + columns[k]).margin(1e-14));
}

TEST_CASE("triplet log-sum-exp: an active row has a gradient of absolute sum 2, whatever the temperature", "[triplet]") {
  const auto m = test::make_matrix(17, 9);
  for (const double temperature : {0.001, 0.015, 0.5}) {
    const rg::TripletLogSumExp loss{.temperature = temperature, .margin = 5, .direction = rg::Direction::rows};
    std::vector<double> gradient(17 * 17);
    rg::value_and_gradient(loss, m.view(), gradient);
    for (std::size_t i = 0; i < 17; ++i) {
      double sum = 0;
      for (std::size_t j = 0; j < 17; ++j) sum += std::abs(gradient[i * 17 + j]);
      CHECK(sum == Approx(2.0));
    }
  }
}

TEST_CASE("triplet log-sum-exp: where the raw exponential would overflow", "[triplet]") {
  // exp(40 / 0.015) has no float. The first code of the source would clamp; here both rows are what the formula says.
  const std::vector<float> s{40, 39, 38, 37};
  const std::vector<std::int64_t> two{0, 1};
  const rg::SimilarityView<float> view{.similarity = s, .ids = two};
  // rows: .1 - 40 + 39 < 0, .1 - 37 + 38; columns: .1 - 40 + 38 < 0, .1 - 37 + 39
  CHECK(rg::value(rg::TripletLogSumExp{}, view) == Approx(3.2));
}

TEST_CASE("triplet log-sum-exp: the contract", "[triplet]") {
  std::vector<double> gradient(9);
  CHECK_THROWS_AS(rg::value_and_gradient(rg::TripletLogSumExp{.temperature = 0}, three, gradient), std::invalid_argument);
  CHECK_THROWS_AS(rg::value_and_gradient(rg::TripletLogSumExp{.margin = std::numeric_limits<double>::infinity()}, three, gradient), std::invalid_argument);
  rg::SimilarityView<double> wrong = three;
  wrong.similarity = wrong.similarity.first(8);
  CHECK_FALSE(rg::validate(wrong));
  const std::vector<double> negative{1, -1, 1};
  wrong = three;
  wrong.weights = negative;
  CHECK_FALSE(rg::validate(wrong));
  const std::vector<std::uint8_t> mask{1, 0, 1};
  wrong.mask = mask;   // the negative weight is of an absent sample
  CHECK(rg::validate(wrong));
  wrong.weights = wrong.weights.first(2);
  CHECK_FALSE(rg::validate(wrong));
}

TEST_CASE("mixtures of triplet losses by operators", "[triplet]") {
  const rg::TripletLogSumExp loss{.temperature = 0.1, .margin = 0.1};
  const auto mixture = 0.25 * loss + loss * 0.5 + loss;
  CHECK(rg::value(mixture, three) == Approx(1.75 * rg::value(loss, three)));
  CHECK(rg::parts(mixture)[0].name == "triplet_log_sum_exp");
  CHECK(rg::parts(2.0 * mixture)[1].weight == 1.0);
}
