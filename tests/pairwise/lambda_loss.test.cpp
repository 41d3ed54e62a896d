// LambdaLoss: golden numbers, agreement with its relatives, the gradient at constant weights, the cut-off.
#include "properties/oracles/pairwise.hpp"

namespace rg = rankgrad;
using rg::LambdaLoss;
using S = rg::LambdaScheme;

namespace {
const std::vector<double> scores{0.5, -1, 2, 0.25}, labels{1, 0, 2, 3};
const rg::ListView<double> list{.scores = scores, .labels = labels};
constexpr auto mean = rg::Normalize::mean;
constexpr auto nats = rg::LogUnit::nats;
}  // namespace

TEST_CASE("LambdaLoss: golden numbers", "[pairwise]") {
  // Ranks 2, 4, 1, 3; six pairs. E.g. items 3 and 0 stand one rank apart: delta = 1 / log2(2) - 1 / log2(3).
  CHECK(rg::value(LambdaLoss{}, list) == Approx(0.5629912197280991).epsilon(1e-12));
  CHECK(rg::value(LambdaLoss{.normalize = mean}, list) == Approx(0.09383186995468318).epsilon(1e-12));
  CHECK(rg::value(LambdaLoss{.scheme = S::lambdarank}, list) == Approx(0.7470190644699916).epsilon(1e-12));
  CHECK(rg::value(LambdaLoss{.scheme = S::ndcg_loss2pp}, list) == Approx(10 * 0.5629912197280991 + 0.7470190644699916).epsilon(1e-12));
}

TEST_CASE("NDCG-Loss1 by hand: both directions of a pair, labels equal or not", "[pairwise]") {
  // Two items of gain 1, ranks 1 and 2; IDCG = 1 + 1 / log2(3).
  const std::vector<double> s{1, 0}, y{1, 1};
  const rg::ListView<double> pair{.scores = s, .labels = y};
  const double second = 1 / std::log2(3.), ideal = 1 + second;
  const double falling = std::log1p(std::exp(-1.)), rising = std::log1p(std::exp(1.));
  std::vector<double> gradient(2);
  CHECK(rg::value_and_gradient(LambdaLoss{.scheme = S::ndcg_loss1, .unit = nats}, pair, gradient) ==
        Approx((falling + second * rising) / ideal).epsilon(1e-14));
  const double wrong = 1 / (1 + std::exp(1.));
  CHECK(gradient[0] == Approx((-wrong + second * (1 - wrong)) / ideal).epsilon(1e-13));
  CHECK(gradient[1] == Approx(-gradient[0]).epsilon(1e-14));
  CHECK(rg::value(LambdaLoss{.scheme = S::ndcg_loss1, .unit = nats, .normalize = mean}, pair) ==
        Approx((falling + second * rising) / ideal / 2).epsilon(1e-14));
}

TEST_CASE("LambdaLoss agrees with LambdaRank and RankNet", "[pairwise]") {
  const auto made = test::make_list<double>(60, 4, {.weights = true});
  std::vector<double> a(60), b(60);
  for (const std::size_t k : {std::size_t{0}, std::size_t{5}}) {
    const double value = rg::value_and_gradient(LambdaLoss{.scheme = S::lambdarank, .sigma = 2, .k = k, .unit = nats}, made.view(), a);
    CHECK(value == rg::value_and_gradient(rg::LambdaRank{.sigma = 2, .k = k}, made.view(), b));
    CHECK(a == b);
  }
  CHECK(rg::value_and_gradient(LambdaLoss{.scheme = S::ranknet, .unit = nats, .normalize = mean}, made.view(), a) ==
        rg::value_and_gradient(rg::RankNet{}, made.view(), b));
  CHECK(a == b);
  // NDCG-Loss2++ without its first part weighs as LambdaRank does.
  CHECK(rg::value_and_gradient(LambdaLoss{.scheme = S::ndcg_loss2pp, .mu = 0, .unit = nats}, made.view(), a) ==
        Approx(rg::value_and_gradient(rg::LambdaRank{}, made.view(), b)).epsilon(1e-12));
  for (std::size_t i = 0; i < 60; ++i) CHECK(a[i] == Approx(b[i]).margin(1e-14));
  CHECK(rg::value(LambdaLoss{}, made.view()) * std::log(2) == Approx(rg::value(LambdaLoss{.unit = nats}, made.view())).epsilon(1e-14));
}

TEMPLATE_TEST_CASE("the gradient and curvature of LambdaLoss, its weights held constant", "[pairwise][long]", float, double) {
  using O = test::Oracle<LambdaLoss>;
  for (const auto& loss : O::instances())
    for (const bool weights : {false, true}) {
      INFO("scheme " << static_cast<int>(loss.scheme) << ", k " << loss.k << ", weights " << weights);
      const auto made = test::make_list<TestType>(37, 8, {.weights = weights});
      const auto r = test::run(loss, made);
      const auto at = test::Definition::of(made);
      auto moved = at;
      std::vector<long double> slopes, bends;
      for (std::size_t i = 0; i < at.size(); ++i) {
        const auto f = [&](long double by) {
          moved.scores[i] = at.scores[i] + by;
          const long double v = O::value(loss, moved, at);
          moved.scores[i] = at.scores[i];
          return v;
        };
        const long double h = 1e-4L, b = 1e-2L;
        slopes.push_back((8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * h));
        bends.push_back((16 * (f(b) + f(-b) - 2 * f(0)) - (f(2 * b) + f(-2 * b) - 2 * f(0))) / (12 * b * b));
      }
      const double noise = sizeof(TestType) == 8 ? 4096 : 16;
      test::check_close(r.gradient, slopes, noise, test::largest(slopes), "gradient");
      test::check_close(r.curvature, bends, sizeof(TestType) == 8 ? 1e9 : 32, test::largest(bends), "curvature");
    }
}

TEST_CASE("LambdaLoss: only pairs within the first k ranks", "[pairwise]") {
  // The first two ranks are held by items 2 and 0, in the right order: gains 3 and 1, ideal 7 + 3 / log2(3).
  const double ideal = 7 + 3 / std::log2(3.), delta = 1 - 1 / std::log2(3.), near = std::log1p(std::exp(-1.5));
  std::vector<double> gradient(4);
  CHECK(rg::value_and_gradient(LambdaLoss{.k = 2, .unit = nats, .normalize = mean}, list, gradient) == Approx(2 * delta / ideal * near).epsilon(1e-14));
  CHECK(gradient[1] == 0.0);
  CHECK(gradient[3] == 0.0);
  CHECK(rg::value(LambdaLoss{.scheme = S::ranknet, .k = 2, .unit = nats}, list) == Approx(near).epsilon(1e-14));
  CHECK(rg::value(LambdaLoss{.k = 1}, list) == 0.0);   // one item, no pair
}

TEST_CASE("a hopeless pair keeps its gradient", "[pairwise]") {
  const std::vector<double> s{-1000, 1000}, y{1, 0};
  std::vector<double> gradient(2);
  const double weight = 1 - 1 / std::log2(3.);   // IDCG = 1
  CHECK(rg::value_and_gradient(LambdaLoss{.unit = nats}, rg::ListView<double>{.scores = s, .labels = y}, gradient) == Approx(2000 * weight));
  CHECK(gradient[0] == Approx(-weight));
}

TEST_CASE("LambdaLoss: no gain, no signal; labels below 0 gain nothing", "[pairwise]") {
  const std::vector<double> negative{-1, -2, -3, -4}, some{-1, -2, 1, -4}, same{0, 0, 1, 0};
  rg::ListView<double> other = list;
  rg::Workspace workspace;
  std::vector<double> gradient(4);
  other.labels = negative;
  for (const S scheme : {S::ndcg_loss1, S::ndcg_loss2, S::ndcg_loss2pp})
    CHECK_FALSE(LambdaLoss{.scheme = scheme}.value_and_gradient(other, rg::GradientSink<double>{gradient.data()}, workspace).valid);
  CHECK(gradient == std::vector<double>(4, 0.0));
  other.labels = some;
  const double clipped = rg::value(LambdaLoss{}, other);
  other.labels = same;
  CHECK(clipped == rg::value(LambdaLoss{}, other));
}

TEST_CASE("LambdaLoss parameters are checked, with their names", "[pairwise]") {
  CHECK_THAT(LambdaLoss{.sigma = 0}.check().message(), contains("LambdaLoss.sigma is 0"));
  CHECK_THAT(LambdaLoss{.mu = -1}.check().message(), contains("LambdaLoss.mu is -1"));
  CHECK_THAT(LambdaLoss{.ties = rg::Ties::expected}.check().message(), contains("LambdaLoss.ties cannot be `expected`"));
}
