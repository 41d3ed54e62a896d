#include "support/catch.hpp"
#include "support/lists.hpp"

#include <rankgrad/core/evaluate.hpp>
#include <rankgrad/metric/auc.hpp>
#include <rankgrad/pairwise/pairwise_softmax.hpp>
#include <rankgrad/pairwise/soft_zero_one.hpp>

#include <cmath>
#include <vector>

namespace rg = rankgrad;
using rg::PairwiseSoftZeroOne;

TEST_CASE("soft zero-one loss by hand", "[pairwise]") {
  const std::vector<double> scores{0, 1, -2}, labels{2, 1, 1};
  const rg::ListView<double> list{.scores = scores, .labels = labels};
  const auto s = [](double x) { return 1 / (1 + std::exp(-x)); };
  std::vector<double> gradient(3), curvature(3);
  CHECK(rg::value_gradient_and_curvature(PairwiseSoftZeroOne{.sigma = 2}, list, gradient, curvature) == Approx((s(2) + s(-4)) / 2));
  CHECK(gradient[1] == Approx(s(2) * s(-2)));
  CHECK(gradient[2] == Approx(s(4) * s(-4)));
  CHECK(gradient[0] == Approx(-gradient[1] - gradient[2]));
  CHECK(curvature[1] == Approx(2 * s(2) * s(-2)));
}

TEST_CASE("soft zero-one at sigma 1 is the pairwise softmax; when steep, the share of wrong pairs", "[pairwise]") {
  const auto list = test::make_list<double>(40, 3, {.grades = 2});
  CHECK(rg::value(PairwiseSoftZeroOne{}, list.view()) == rg::value(rg::PairwiseSoftmax{}, list.view()));
  CHECK(rg::value(PairwiseSoftZeroOne{.sigma = 1e7}, list.view()) == Approx(1 - rg::value(rg::Auc{}, list.view())).epsilon(1e-12));
  CHECK_THAT(PairwiseSoftZeroOne{.sigma = -1}.check().message(), contains("PairwiseSoftZeroOne.sigma is -1"));
}
