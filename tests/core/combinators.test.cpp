#include "support/catch.hpp"
#include "support/lists.hpp"

#include <rankgrad/core/batch_evaluator.hpp>
#include <rankgrad/listwise/softmax.hpp>
#include <rankgrad/pairwise/hinge.hpp>
#include <rankgrad/pairwise/ranknet.hpp>
#include <rankgrad/pointwise/mean_squared_error.hpp>

#include <string>
#include <vector>

namespace rg = rankgrad;

namespace elsewhere {
/// A loss of somebody else's namespace: the sum of the scores.
struct SumOfScores {
  template <rg::Real T>
  rg::Contribution<T> value_and_gradient(rg::ListView<T> view, rg::GradientSink<T> out, rg::Workspace&) const {
    T value = 0;
    for (std::size_t i = 0; i < view.size(); ++i) value += view.scores[i], out.add(i, T(1));
    return {value, view.size() > 0};
  }
};
}  // namespace elsewhere

TEST_CASE("a mixture is the weighted sum of its parts", "[core]") {
  const auto list = test::make_list<double>(13, 3, {.weights = true});
  const auto mixture = 0.5 * rg::RankNet{} + 2.0 * rg::Softmax{.temperature = 2} + rg::Hinge{};
  std::vector<double> g(13), a(13), b(13), c(13), h(13), ha(13), hb(13);
  const double value = rg::value_gradient_and_curvature(mixture, list.view(), g, h);
  const double va = rg::value_gradient_and_curvature(rg::RankNet{}, list.view(), a, ha);
  const double vb = rg::value_gradient_and_curvature(rg::Softmax{.temperature = 2}, list.view(), b, hb);
  const double vc = rg::value_and_gradient(rg::Hinge{}, list.view(), c);
  CHECK(value == Approx(0.5 * va + 2 * vb + vc).epsilon(1e-14));
  for (std::size_t i = 0; i < 13; ++i) {
    CHECK(g[i] == Approx(0.5 * a[i] + 2 * b[i] + c[i]).margin(1e-14));
    CHECK(h[i] == Approx(0.5 * ha[i] + 2 * hb[i]).margin(1e-14));
  }
}

TEST_CASE("parts() lists a mixture with its weights multiplied out", "[core]") {
  const auto mixture = 0.5 * (2.0 * rg::RankNet{} + rg::Softmax{} * 3.0) + elsewhere::SumOfScores{};
  const auto parts = rg::parts(mixture);
  REQUIRE(parts.size() == 3);
  CHECK(std::string(parts[0].name) == "ranknet");
  CHECK(parts[0].weight == 1.0);
  CHECK(std::string(parts[1].name) == "softmax");
  CHECK(parts[1].weight == 1.5);
  CHECK(std::string(parts[2].name) == "loss");
  CHECK(parts[2].weight == 1.0);
  CHECK(rg::parts(rg::RankNet{}).size() == 1);
  // The weight is a value: a schedule never changes the type.
  static_assert(std::is_same_v<decltype(0.1 * rg::RankNet{}), decltype(0.9 * (0.5 * rg::RankNet{}))>);
}

TEST_CASE("losses of other namespaces mix by name or by the operators", "[core]") {
  const std::vector<float> scores{1, 2}, labels{1, 0};
  const rg::ListView<float> list{.scores = scores, .labels = labels};
  using namespace rg::operators;
  CHECK(rg::value(rg::weighted(2, elsewhere::SumOfScores{}), list) == 6.0f);
  CHECK(rg::value(rg::plus(elsewhere::SumOfScores{}, elsewhere::SumOfScores{}), list) == 6.0f);
  CHECK(rg::value(2.0 * elsewhere::SumOfScores{} + elsewhere::SumOfScores{}, list) == 9.0f);
}

TEST_CASE("the parameters of every part are checked", "[core]") {
  CHECK_THAT((0.5 * rg::RankNet{} + 0.5 * rg::Softmax{.temperature = -1}).check().message(), contains("Softmax.temperature is -1"));
  CHECK_THAT((-0.5 * rg::RankNet{}).check().message(), contains("the weight of a loss is -0.5"));
  CHECK((0.0 * rg::RankNet{} + rg::Softmax{}).check());
}

TEST_CASE("a list has a signal where any part has one", "[core]") {
  const std::vector<double> scores{1, 2}, equal{1, 1};
  const rg::ListView<double> list{.scores = scores, .labels = equal};
  std::vector<double> gradient(2);
  rg::Workspace workspace;
  const auto mixture = rg::RankNet{} + rg::MeanSquaredError{};
  const auto result = mixture.value_and_gradient(list, rg::GradientSink<double>{gradient.data()}, workspace);
  CHECK(result.valid);
  CHECK(result.value == 0.5);
  CHECK_FALSE((rg::RankNet{} + rg::Hinge{}).value_and_gradient(list, rg::GradientSink<double>{gradient.data()}, workspace).valid);
}

TEST_CASE("the curvature of a mixture is stated where its parts agree", "[core]") {
  CHECK(rg::curvature_of<decltype(rg::RankNet{} + 0.5 * rg::Softmax{})>() == rg::Curvature::diagonal);
  CHECK(rg::curvature_of<decltype(rg::RankNet{} + elsewhere::SumOfScores{})>() == rg::Curvature::unstated);
}
