#include "support/catch.hpp"
#include "support/lists.hpp"

#include <rankgrad/interop/gbdt.hpp>
#include <rankgrad/pairwise/lambdarank.hpp>

namespace rg = rankgrad;

TEST_CASE("offsets from group sizes of any integer type", "[interop]") {
  CHECK(rg::gbdt::offsets_from_sizes(std::vector<int>{3, 0, 2}) == std::vector<std::uint32_t>{0, 3, 3, 5});
  CHECK(rg::gbdt::offsets_from_sizes(std::vector<std::uint64_t>{}) == std::vector<std::uint32_t>{0});
  CHECK_THROWS_WITH(rg::gbdt::offsets_from_sizes(std::vector<int>{3, -1}), "rankgrad: a group size is negative");
}

TEST_CASE("a custom objective sums over lists, floors the curvature and takes double scores", "[interop]") {
  const auto batch = test::make_batch<float>(20, 1, 30, 5);
  const auto view = batch.view();
  const rg::LambdaRank loss{.k = 10};
  rg::gbdt::Objective<rg::LambdaRank> objective(loss, view.labels, {batch.offsets.begin(), batch.offsets.end()}, 0.01f);

  std::vector<float> gradient(view.items()), hessian(view.items()), expected(view.items());
  const std::vector<double> scores(view.scores.begin(), view.scores.end());
  const float value = objective(std::span<const double>(scores), std::span<float>(gradient), std::span<float>(hessian));

  rg::BatchEvaluator<float> evaluate;
  CHECK(value == evaluate(loss, view, expected, rg::Reduction::sum));
  CHECK(gradient == expected);
  for (const float h : hessian) CHECK(h >= 0.01f);
  CHECK(*std::max_element(hessian.begin(), hessian.end()) > 0.01f);

  CHECK_THROWS_WITH(rg::gbdt::Objective<rg::LambdaRank>(loss, view.labels, {0, 1}), contains("the last of offsets is 1"));
}
