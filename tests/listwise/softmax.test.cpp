#include "support/catch.hpp"
#include "support/lists.hpp"

#include <rankgrad/core/evaluate.hpp>
#include <rankgrad/listwise/softmax.hpp>

#include <cmath>
#include <limits>
#include <vector>

namespace rg = rankgrad;

TEMPLATE_TEST_CASE("softmax of three items", "[listwise]", float, double) {
  using T = TestType;
  const std::vector<T> scores{T(1), T(-0.5), T(2)}, labels{1, 0, 0};
  std::vector<T> gradient(3);
  const rg::ListView<T> list{.scores = scores, .labels = labels};
  CHECK(rg::value_and_gradient(rg::Softmax{.temperature = 0.5}, list, gradient) == Approx(2.1328).margin(5e-5));
  CHECK(gradient[0] == Approx(-1.7630).margin(5e-5));
  CHECK(gradient[1] == Approx(0.0118).margin(5e-5));
  CHECK(gradient[2] == Approx(1.7512).margin(5e-5));
}

TEST_CASE("softmax by hand: graded and weighted labels", "[listwise]") {
  const std::vector<double> scores{std::log(1.0), std::log(2.0), std::log(5.0)}, labels{2, 0, 1}, weights{1, 7, 0.5};
  rg::ListView<double> list{.scores = scores, .labels = labels};
  std::vector<double> gradient(3), curvature(3);
  CHECK(rg::value_gradient_and_curvature(rg::Softmax{}, list, gradient, curvature) == Approx(2 * std::log(8) + std::log(8 / 5.0)));
  CHECK(gradient[0] == Approx(3 / 8.0 - 2));
  CHECK(gradient[1] == Approx(6 / 8.0));
  CHECK(curvature[2] == Approx(3 * (5 / 8.0) * (3 / 8.0)));
  CHECK(rg::value(rg::Softmax{.normalize = rg::Normalize::mean}, list) == Approx((2 * std::log(8) + std::log(8 / 5.0)) / 3));
  list.weights = weights;   // targets 2, 0, 0.5
  CHECK(rg::value_and_gradient(rg::Softmax{}, list, gradient) == Approx(2 * std::log(8) + 0.5 * std::log(8 / 5.0)));
  CHECK(gradient[1] == Approx(2.5 * 2 / 8));
}

TEST_CASE("ListNet by hand", "[listwise]") {
  const std::vector<double> scores{0, std::log(3.0)}, labels{std::log(4.0), 0};
  const rg::ListView<double> list{.scores = scores, .labels = labels};   // targets 4/5, 1/5; p = 1/4, 3/4
  std::vector<double> gradient(2);
  CHECK(rg::value_and_gradient(rg::ListNet{}, list, gradient) == Approx(0.8 * std::log(4) + 0.2 * std::log(4 / 3.0)));
  CHECK(gradient[0] == Approx(0.25 - 0.8));
  CHECK(gradient[1] == Approx(0.75 - 0.2));
  // Targets of temperature 1/2: 16/17, 1/17.
  CHECK(rg::value(rg::ListNet{.label_temperature = 0.5}, list) == Approx((16 * std::log(4) + std::log(4 / 3.0)) / 17));
}

TEST_CASE("softmax far from 0 and far apart", "[listwise]") {
  const std::vector<float> labels{1, 0};
  std::vector<float> gradient(2);
  const std::vector<float> wrong{-1e4f, 1e4f}, right{1e30f, -1e30f};
  CHECK(rg::value_and_gradient(rg::Softmax{}, rg::ListView<float>{.scores = wrong, .labels = labels}, gradient) == 2e4f);
  CHECK(gradient == std::vector<float>{-1, 1});
  CHECK(rg::value_and_gradient(rg::Softmax{}, rg::ListView<float>{.scores = right, .labels = labels}, gradient) == 0.0f);
  CHECK(gradient == std::vector<float>{0, 0});
}

TEST_CASE("no relevant item, no signal; ListNet needs none", "[listwise]") {
  const std::vector<double> scores{1, 2}, labels{0, 0}, negative{1, -1};
  std::vector<double> gradient{5, 5};
  const rg::GradientSink<double> out{gradient.data()};
  rg::Workspace workspace;
  const rg::ListView<double> list{.scores = scores, .labels = labels};
  CHECK_FALSE(rg::Softmax{}.value_and_gradient(list, out, workspace).valid);
  CHECK_FALSE(rg::Softmax{}.value_and_gradient(rg::ListView<double>{.scores = scores, .labels = negative}, out, workspace).valid);
  CHECK_FALSE(rg::Softmax{}.value_and_gradient(rg::ListView<double>{}, out, workspace).valid);
  CHECK_FALSE(rg::ListNet{}.value_and_gradient(rg::ListView<double>{}, out, workspace).valid);
  CHECK(gradient == std::vector<double>{5, 5});
  CHECK(rg::ListNet{}.value_and_gradient(list, out, workspace).valid);
}

TEST_CASE("softmax parameters are checked, with their names", "[listwise]") {
  CHECK_THAT(rg::Softmax{.temperature = 0}.check().message(), contains("Softmax.temperature is 0; it must be finite and above 0"));
  CHECK_THAT(rg::ListNet{.temperature = -1}.check().message(), contains("ListNet.temperature is -1"));
  CHECK_THAT(rg::ListNet{.label_temperature = 0}.check().message(), contains("ListNet.label_temperature is 0"));
}

TEST_CASE("a NaN score shows wherever it stands", "[listwise]") {
  for (std::size_t where = 0; where < 21; ++where) {
    auto list = test::make_list<float>(21, 6);
    list.scores[where] = std::numeric_limits<float>::quiet_NaN();
    INFO("item " << where);
    CHECK(std::isnan(rg::value(rg::Softmax{}, list.view())));
    CHECK(std::isnan(rg::value(rg::ListNet{}, list.view())));
  }
}

TEST_CASE("long rows stay accurate in float", "[listwise]") {
  const auto wide = test::make_list<double>(100000, 6, {.spread = 2});
  std::vector<double> a(wide.size());
  std::vector<float> b(wide.size());
  CHECK(static_cast<double>(rg::value_and_gradient(rg::Softmax{}, wide.as<float>().view(), b)) ==
        Approx(rg::value_and_gradient(rg::Softmax{}, wide.view(), a)).epsilon(1e-7));
}
