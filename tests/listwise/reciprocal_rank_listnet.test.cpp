// ListNet to reciprocal ranks: by hand, and what a second softmax makes of it.
#include "properties/oracles/listwise.hpp"

namespace rg = rankgrad;
using rg::ReciprocalRankListNet;

TEST_CASE("ListNet to reciprocal ranks by hand", "[listwise]") {
  // Ranks 2, 1, 3 at tau = 1/2: t ~ e^1, e^2, e^{2/3}; p = softmax(2 s).
  const std::vector<double> scores{0, 0.5, 1}, labels{5, 7, -2};
  const double t[] = {std::exp(1.), std::exp(2.), std::exp(2. / 3)}, all = t[0] + t[1] + t[2];
  const double e[] = {1, std::exp(1.), std::exp(2.)}, sum = e[0] + e[1] + e[2];
  std::vector<double> gradient(3);
  const double value = rg::value_and_gradient(ReciprocalRankListNet{.temperature = 0.5}, rg::ListView<double>{.scores = scores, .labels = labels}, gradient);
  CHECK(value == Approx(std::log(sum) - t[1] / all - 2 * t[2] / all).epsilon(1e-14));
  for (std::size_t i = 0; i < 3; ++i) CHECK(gradient[i] == Approx(2 * (e[i] / sum - t[i] / all)).epsilon(1e-13));
}

TEST_CASE("equal labels share a rank", "[listwise]") {
  const std::vector<double> scores{0, 0, 0}, labels{2, 1, 1};   // ranks 1, 2, 2
  std::vector<double> gradient(3);
  rg::value_and_gradient(ReciprocalRankListNet{.temperature = 1}, rg::ListView<double>{.scores = scores, .labels = labels}, gradient);
  CHECK(gradient[1] == gradient[2]);
  CHECK(gradient[1] == Approx(1. / 3 - 1 / (std::exp(0.5) + 2)));
}

TEST_CASE("a second softmax keeps the loss up and the gradient small", "[listwise]") {
  // A perfect, hopelessly sure model: p is one-hot, q at most e / (e + n - 1).
  const std::size_t n = 8;
  std::vector<double> scores(n, 0.0), labels(n, 0.0), gradient(n);
  scores[3] = 100, labels[3] = 1;
  const rg::ListView<double> list{.scores = scores, .labels = labels};
  const double floor = std::log(1 + static_cast<double>(n - 1) / std::exp(1.));
  CHECK(rg::value(ReciprocalRankListNet{.double_softmax = true}, list) > floor);
  rg::value_and_gradient(ReciprocalRankListNet{.double_softmax = true}, list, gradient);
  for (const double g : gradient) CHECK(std::abs(g) < 1e-30);   // p_k is all or nothing
}

TEST_CASE("Gauss-Newton of the second softmax", "[listwise]") {
  // H_kk = v' (diag q - q q') v / tau^2 with v_i = p_k (1[i = k] - p_i), for weights of 1; Y times that with weights.
  for (const bool weights : {false, true})
    for (const auto normalize : {rg::Normalize::sum, rg::Normalize::mean}) {
      const auto made = test::make_list<double>(21, 4, {.weights = weights});
      const auto at = test::Definition::of(made);
      const ReciprocalRankListNet loss{.double_softmax = true, .normalize = normalize};
      const auto p = test::softmax_of(at.scores, 0.8L), q = test::softmax_of(p, 1), t = test::reciprocal_rank_targets(at, 0.8L);
      long double y = 0;
      for (std::size_t i = 0; i < 21; ++i) y += normalize == rg::Normalize::mean ? t[i] : t[i] * at.weights[i];
      std::vector<long double> expected;
      for (std::size_t k = 0; k < 21; ++k) {
        long double square = 0, mean = 0;
        for (std::size_t i = 0; i < 21; ++i) {
          const long double v = p[k] * ((i == k ? 1 : 0) - p[i]);
          square += q[i] * v * v;
          mean += q[i] * v;
        }
        expected.push_back(y * (square - mean * mean) / (0.8L * 0.8L));
      }
      test::check_close(test::run(loss, made).curvature, expected, 256, test::largest(expected), "curvature");
    }
}

TEST_CASE("ReciprocalRankListNet checks its temperature", "[listwise]") {
  CHECK_THAT(ReciprocalRankListNet{.temperature = -1}.check().message(), contains("ReciprocalRankListNet.temperature is -1"));
}
