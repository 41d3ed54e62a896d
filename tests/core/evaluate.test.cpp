#include "support/catch.hpp"
#include "support/lists.hpp"

#include <rankgrad/check/gradient_check.hpp>
#include <rankgrad/core/evaluate.hpp>
#include <rankgrad/listwise/softmax.hpp>
#include <rankgrad/pairwise/hinge.hpp>
#include <rankgrad/pairwise/ranknet.hpp>

#include <limits>
#include <vector>

namespace rg = rankgrad;

namespace {
const std::vector<float> scores{1.0f, -0.5f, 2.0f}, labels{1, 0, 0};
const rg::ListView<float> list{.scores = scores, .labels = labels};

/// Twice the right gradient, and it overwrites.
struct Wrong {
  template <rg::Real T>
  rg::Contribution<T> value_and_gradient(rg::ListView<T> view, rg::GradientSink<T> out, rg::Workspace&) const {
    T value = 0;
    for (std::size_t i = 0; i < view.size(); ++i) value += view.scores[i] * view.scores[i], out.grad[i] = 4 * view.scores[i];
    return {value, view.size() > 0};
  }
};
}  // namespace

TEST_CASE("the door overwrites the gradient and returns the value", "[core]") {
  std::vector<float> gradient(3, 99.0f), again(3), curvature(3, 99.0f);
  const float value = rg::value_and_gradient(rg::Softmax{.temperature = 0.5}, list, gradient);
  CHECK(value == Approx(2.1328).margin(5e-5));
  CHECK(gradient[0] == Approx(-1.7630).margin(5e-5));
  CHECK(gradient[1] == Approx(0.0118).margin(5e-5));
  CHECK(gradient[2] == Approx(1.7512).margin(5e-5));
  CHECK(rg::value(rg::Softmax{.temperature = 0.5}, list) == value);
  rg::Workspace workspace;
  CHECK(rg::value_and_gradient(rg::Softmax{.temperature = 0.5}, list, again, workspace) == value);
  CHECK(again == gradient);
  CHECK(rg::value(rg::Softmax{.temperature = 0.5}, list, workspace) == value);
  CHECK(rg::value_gradient_and_curvature(rg::Softmax{.temperature = 0.5}, list, again, curvature) == value);
  CHECK(curvature[1] > 0.0f);
  CHECK(curvature[1] < 1.0f);
}

TEST_CASE("the curvature is raised to the floor", "[core]") {
  std::vector<float> gradient(3), curvature(3);
  rg::value_gradient_and_curvature(rg::Hinge{}, list, gradient, curvature, 0.25f);
  CHECK(curvature == std::vector<float>(3, 0.25f));
  rg::value_gradient_and_curvature(rg::Hinge{}, list, gradient, curvature);
  CHECK(curvature == std::vector<float>(3, 0.0f));
}

TEST_CASE("no signal: value and gradient are 0", "[core]") {
  const std::vector<float> flat(3, 1.0f);
  std::vector<float> gradient(3, 99.0f), empty;
  CHECK(rg::value_and_gradient(rg::RankNet{}, rg::ListView<float>{.scores = scores, .labels = flat}, gradient) == 0.0f);
  CHECK(gradient == std::vector<float>(3, 0.0f));
  CHECK(rg::value_and_gradient(rg::RankNet{}, rg::ListView<float>{}, empty) == 0.0f);
}

TEST_CASE("what is wrong is raised before anything is written", "[core]") {
  std::vector<float> gradient(3, 7.0f), curvature(3, 7.0f), two(2, 7.0f);
  const std::vector<float> broken{0, std::numeric_limits<float>::quiet_NaN(), 1};
  const rg::ListView<float> bad{.scores = scores, .labels = broken};
  CHECK_THROWS_WITH(rg::value_gradient_and_curvature(rg::RankNet{}, bad, gradient, curvature), contains("labels[1] is"));
  CHECK_THROWS_WITH(rg::value_gradient_and_curvature(rg::RankNet{.sigma = 0}, list, gradient, curvature), contains("RankNet.sigma is 0"));
  CHECK_THROWS_WITH(rg::value_gradient_and_curvature(rg::RankNet{}, list, gradient, two), contains("curvature and scores differ in size"));
  CHECK_THROWS_WITH(rg::value_gradient_and_curvature(rg::RankNet{}, list, gradient, curvature, -1.0f), contains("the curvature floor is negative"));
  CHECK_THROWS_WITH(rg::value_and_gradient(rg::RankNet{}, list, two), contains("gradient and scores differ in size"));
  CHECK(gradient == std::vector<float>(3, 7.0f));
  CHECK(curvature == std::vector<float>(3, 7.0f));
  CHECK(two == std::vector<float>(2, 7.0f));
}

TEST_CASE("the gradient check passes right losses and fails wrong ones", "[core]") {
  const auto a = test::make_list<double>(9, 1), b = test::make_list<double>(5, 2, {.weights = true});
  const auto right = rg::check_gradient(rg::RankNet{}, {a.view(), b.view()});
  CHECK(right.max_relative_error < 1e-9);
  CHECK(right.accumulates);
  CHECK(right.finite);
  const auto wrong = rg::check_gradient(Wrong{}, {a.view(), b.view()});
  CHECK(wrong.max_relative_error > 0.9);
  CHECK_FALSE(wrong.accumulates);
}
