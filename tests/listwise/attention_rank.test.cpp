#include "support/catch.hpp"

#include <rankgrad/core/evaluate.hpp>
#include <rankgrad/listwise/attention_rank.hpp>

#include <cmath>
#include <vector>

namespace rg = rankgrad;
using rg::AttentionRank;

TEST_CASE("AttentionRank by hand: nothing for labels that are not above 0", "[listwise]") {
  // Attention: e^{ln 3} = 3, 0, e^{ln 2} = 2, 0: targets 3/5 and 2/5. p = 1/8, 2/8, 1/8, 4/8.
  const std::vector<double> scores{0, std::log(2.), 0, std::log(4.)}, labels{std::log(3.), 0, std::log(2.), -1};
  const rg::ListView<double> list{.scores = scores, .labels = labels};
  std::vector<double> gradient(4), curvature(4);
  CHECK(rg::value_gradient_and_curvature(AttentionRank{}, list, gradient, curvature) == Approx(std::log(8)));
  CHECK(gradient[0] == Approx(1. / 8 - 3. / 5));
  CHECK(gradient[1] == Approx(2. / 8));
  CHECK(gradient[3] == Approx(4. / 8));
  CHECK(curvature[3] == Approx(1. / 4));
  // As released: targets 3 and 2, so the gradient is 5 p - t.
  CHECK(rg::value_and_gradient(AttentionRank{.unnormalized = true}, list, gradient) == Approx(5 * std::log(8)));
  CHECK(gradient[0] == Approx(5. / 8 - 3));
  CHECK(gradient[1] == Approx(5 * 2. / 8));
}

TEST_CASE("AttentionRank: no label above 0, no signal; large labels stay finite", "[listwise]") {
  const std::vector<float> scores{1, 2}, none{0, -3}, large{300, 299};
  std::vector<float> gradient(2);
  rg::Workspace workspace;
  const rg::GradientSink<float> out{gradient.data()};
  CHECK_FALSE(AttentionRank{}.value_and_gradient(rg::ListView<float>{.scores = scores, .labels = none}, out, workspace).valid);
  CHECK(gradient == std::vector<float>{0, 0});
  rg::value_and_gradient(AttentionRank{}, rg::ListView<float>{.scores = scores, .labels = large}, gradient);
  CHECK(gradient[1] == Approx(1 / (1 + std::exp(-1.)) - 1 / (1 + std::exp(1.))));
}

TEST_CASE("AttentionRank checks its temperature", "[listwise]") {
  CHECK_THAT(AttentionRank{.temperature = 0}.check().message(), contains("AttentionRank.temperature is 0"));
}
