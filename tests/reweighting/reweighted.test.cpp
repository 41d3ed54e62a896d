#include "support/catch.hpp"
#include "support/lists.hpp"

#include <rankgrad/auc/mann_whitney.hpp>
#include <rankgrad/exec/threads.hpp>
#include <rankgrad/listwise/softmax.hpp>
#include <rankgrad/pairwise/ranknet.hpp>
#include <rankgrad/reweighting/reweighted.hpp>

#include <cmath>
#include <limits>
#include <vector>

namespace rg = rankgrad;

namespace {

template <class L, class T>
void check_reweighted(const L& loss) {
  auto owned = test::make_batch<T>(57, 0, 40, 5, {.spread = 1.3, .weights = true});
  for (std::size_t i = owned.offsets[3]; i < owned.offsets[5]; ++i) owned.items.labels[i] = T(0);
  const rg::RaggedBatch<T> batch = owned.view();
  const rg::LinUpper map{.temperature = 0.4};
  std::vector<T> gradient(batch.items()), curvature(batch.items()), plain(batch.items()), bend(batch.items());
  rg::ReweightedEvaluator<T> evaluate;
  const T value = evaluate.with_curvature(rg::reweighted(loss, map), batch, gradient, curvature, T(0));

  // The weights are those of the losses, and constants: each list has its weight times its own gradient, to the bit.
  rg::BatchEvaluator<T> unweighted;
  unweighted.with_curvature(loss, batch, plain, bend, T(0), rg::Reduction::none);
  std::vector<T> losses, weights;
  for (const auto& part : unweighted.per_list())
    if (part.valid) losses.push_back(part.value);
  REQUIRE(losses.size() > 40);
  REQUIRE(losses.size() < 57);   // some have no signal
  weights.resize(losses.size());
  rg::loss_weights(map, std::span<const T>(losses), weights);
  double expected = 0, total = 0;
  for (std::size_t q = 0, k = 0; q < batch.lists(); ++q) {
    const bool valid = unweighted.per_list()[q].valid;
    const T w = valid ? weights[k] : T(0);
    CHECK(static_cast<double>(evaluate.weights()[q]) == Approx(static_cast<double>(w)).epsilon(1e-5));
    total += static_cast<double>(evaluate.weights()[q]);
    if (valid) expected += static_cast<double>(w) * static_cast<double>(losses[k++]);
    for (std::size_t i = batch.offsets[q]; i < batch.offsets[q + 1]; ++i) {
      CHECK(gradient[i] == plain[i] * evaluate.weights()[q]);
      CHECK(curvature[i] == bend[i] * evaluate.weights()[q]);
    }
  }
  CHECK(total == Approx(1.0).epsilon(1e-5));
  CHECK(static_cast<double>(value) == Approx(expected).epsilon(1e-5));

  // The same as weights known beforehand.
  rg::RaggedBatch<T> given = batch;
  given.list_weights = evaluate.weights();
  const T same = unweighted(loss, given, plain, rg::Reduction::sum);
  CHECK(static_cast<double>(same) == Approx(static_cast<double>(value)).epsilon(1e-5));
  for (std::size_t i = 0; i < batch.items(); ++i)
    CHECK(static_cast<double>(plain[i]) == Approx(static_cast<double>(gradient[i])).epsilon(1e-4).margin(1e-6));

  // Any number of threads, to the bit; no allocation once warm.
  for (const std::size_t workers : {2u, 5u}) {
    const rg::exec::Threads pool(workers);
    rg::ReweightedEvaluator<T> threaded;
    std::vector<T> again(batch.items()), again_bend(batch.items());
    CHECK(threaded.with_curvature(rg::reweighted(loss, map), batch, again, again_bend, T(0), pool) == value);
    CHECK(again == gradient);
    CHECK(again_bend == curvature);
  }
  const std::size_t growths = evaluate.growths();
  evaluate.with_curvature(rg::reweighted(loss, map), batch, plain, bend, T(0.5));
  CHECK(evaluate.growths() == growths);
  for (const T h : bend) CHECK(h >= T(0.5));
}

}  // namespace

TEMPLATE_TEST_CASE("a reweighted loss is the sum of frozen weights times losses", "[reweighting]", float, double) {
  check_reweighted<rg::RankNet, TestType>({});
  check_reweighted<rg::Softmax, TestType>({});
}

TEST_CASE("uniform weights are the mean over lists, list weights and all", "[reweighting]") {
  auto owned = test::make_batch<double>(20, 0, 9, 8, {});
  std::vector<double> list_weights;
  for (std::size_t q = 0; q < 20; ++q) list_weights.push_back(static_cast<double>(q % 3));
  rg::RaggedBatch<double> batch = owned.view();
  batch.list_weights = list_weights;
  std::vector<double> gradient(batch.items()), mean(batch.items());
  rg::ReweightedEvaluator<double> evaluate;
  rg::BatchEvaluator<double> plain;
  const double expected = plain(rg::RankNet{}, batch, mean);
  CHECK(evaluate(rg::reweighted(rg::RankNet{}, rg::UniformWeights{}), batch, gradient) == Approx(expected).epsilon(1e-13));
  for (std::size_t i = 0; i < gradient.size(); ++i) CHECK(gradient[i] == Approx(mean[i]).epsilon(1e-12).margin(1e-15));
}

TEST_CASE("a list with a NaN loss is left out, its gradient too", "[reweighting]") {
  auto owned = test::make_batch<double>(6, 4, 4, 3, {});
  owned.items.scores[9] = std::numeric_limits<double>::quiet_NaN();   // list 2
  const auto batch = owned.view();
  std::vector<double> gradient(batch.items());
  rg::ReweightedEvaluator<double> evaluate;
  const double value = evaluate(rg::reweighted(rg::Softmax{}, rg::LinUpper{}), batch, gradient);
  CHECK(std::isfinite(value));
  CHECK(evaluate.weights()[2] == 0);
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    CHECK(std::isfinite(gradient[i]));
    if (i / 4 == 2) CHECK(gradient[i] == 0);
  }
}

TEST_CASE("a batch of no lists and a loss of batch scope", "[reweighting]") {
  const std::vector<std::uint32_t> offsets{0};
  rg::RaggedBatch<double> none;
  none.offsets = offsets;
  rg::ReweightedEvaluator<double> evaluate;
  CHECK(evaluate(rg::reweighted(rg::RankNet{}, rg::LinUpper{}), none, {}) == 0);
  CHECK_THROWS_WITH(evaluate(rg::reweighted(rg::MannWhitney{.scope = rg::Scope::batch}, rg::LinUpper{}), none, {}),
                    contains("batch scope"));
}

TEST_CASE("a risk of the losses has the gradient of the whole", "[reweighting]") {
  auto owned = test::make_batch<double>(9, 3, 6, 11, {.grades = 3});
  std::vector<double> list_weights{1, 2, 0.5, 1, 1, 0, 3, 1, 1};
  rg::RaggedBatch<double> batch = owned.view();
  batch.list_weights = list_weights;
  rg::ReweightedEvaluator<double> evaluate;
  const auto check = [&](const auto& risk) {
    std::vector<double> gradient(batch.items()), curvature(batch.items()), scrap(batch.items());
    evaluate.with_curvature(rg::reweighted(rg::RankNet{}, risk), batch, gradient, curvature, 0);
    for (const double h : curvature) CHECK(h >= 0);
    for (std::size_t i = 0; i < batch.items(); ++i) {
      const double rest = owned.items.scores[i], h = 1e-5;
      owned.items.scores[i] = rest + h;
      const double up = evaluate(rg::reweighted(rg::RankNet{}, risk), batch, scrap);
      owned.items.scores[i] = rest - h;
      const double down = evaluate(rg::reweighted(rg::RankNet{}, risk), batch, scrap);
      owned.items.scores[i] = rest;
      CHECK(gradient[i] == Approx((up - down) / (2 * h)).epsilon(1e-6).margin(1e-9));
    }
    const std::size_t growths = evaluate.growths();
    evaluate(rg::reweighted(rg::RankNet{}, risk), batch, scrap);
    CHECK(evaluate.growths() == growths);
  };
  check(rg::MeanVariance{.lambda = 3});
  check(rg::Cvar{.fraction = 0.37});
}

TEST_CASE("scale_lists() multiplies list by list, and 0 clears even a NaN", "[reweighting]") {
  const std::vector<float> scores(5), labels(5), weights{2, 0, -3};
  const std::vector<std::uint32_t> offsets{0, 2, 4, 5};
  const rg::RaggedBatch<float> batch{.scores = scores, .labels = labels, .offsets = offsets};
  std::vector<float> gradient{1, -1, std::numeric_limits<float>::quiet_NaN(), 4, 5}, curvature{1, 2, 3, 4, 5};
  rg::scale_lists(batch, weights, gradient, curvature);
  CHECK(gradient == std::vector<float>{2, -2, 0, 0, -15});
  CHECK(curvature == std::vector<float>{2, 4, 0, 0, 15});
  CHECK_THROWS_WITH(rg::scale_lists(batch, std::span(weights).first(2), gradient), contains("one weight per list"));
  // Offsets that do not fit would be written past the end of the gradient.
  const std::vector<std::uint32_t> beyond{0, 2, 4, 500}, falling{0, 4, 2, 5};
  const auto before = gradient;
  CHECK_THROWS_WITH(rg::scale_lists<float>({.scores = scores, .labels = labels, .offsets = beyond}, weights, gradient), contains("the last of offsets is 500"));
  CHECK_THROWS_WITH(rg::scale_lists<float>({.scores = scores, .labels = labels, .offsets = falling}, weights, gradient), contains("offsets[2] is 2"));
  CHECK_THROWS_WITH(rg::scale_lists<float>({.scores = scores, .labels = labels}, {}, gradient), contains("offsets is empty"));
  CHECK(gradient == before);
}
