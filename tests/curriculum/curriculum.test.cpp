#include "support/catch.hpp"
#include "support/lists.hpp"

#include <rankgrad/check/gradient_check.hpp>
#include <rankgrad/core/batch_evaluator.hpp>
#include <rankgrad/curriculum/curriculum.hpp>
#include <rankgrad/pairwise/hinge.hpp>
#include <rankgrad/pairwise/lambdarank.hpp>
#include <rankgrad/pairwise/pairwise_softmax.hpp>
#include <rankgrad/pairwise/ranknet.hpp>
#include <rankgrad/pointwise/mean_squared_error.hpp>
#include <rankgrad/pointwise/sigmoid_cross_entropy.hpp>

#include <string>
#include <vector>

namespace rg = rankgrad;


namespace {

template <class L, class T>
T evaluate(const L& loss, const rg::ListView<T>& list, std::vector<T>& gradient) {
  gradient.assign(list.size(), T(99));
  return rg::value_and_gradient(loss, list, gradient);
}

/// Losses as a user writes them.
struct Cubic {   // |s - y|^3 per item
  struct Phi {
    template <class T>
    rg::Term<T> operator()(rg::simd::Pack<T> score, rg::simd::Pack<T> label) const {
      const rg::simd::Pack<T> e = rg::simd::abs(score - label), three(T(3));
      return {e * e * e, three * e * (score - label), three * (e + e)};
    }
  };
  Phi phi() const { return {}; }
  template <rg::Real T>
  rg::Contribution<T> value_and_gradient(rg::ListView<T> list, rg::GradientSink<T> out, rg::Workspace&) const {
    return rg::pointwise::sum_over_items(phi(), rg::Normalize::mean, list, out);
  }
};
struct SquaredGap {   // (2 - d)^2 per pair
  rg::pairwise::Square phi() const { return {2}; }
  rg::Normalize normalize = rg::Normalize::sum;
  template <rg::Real T>
  rg::Contribution<T> value_and_gradient(rg::ListView<T> list, rg::GradientSink<T> out, rg::Workspace& workspace) const {
    return rg::pairwise::comparable_pairs(phi(), normalize, list, out, workspace);
  }
};

const std::vector<double> scores{0.5, -1, 2, 0.25}, labels{1, 0, 2, 0}, easiness{0.25, 0.9, 0.75, 0.5};
const rg::ListView<double> list{.scores = scores, .labels = labels, .easiness = easiness};

}  // namespace

TEST_CASE("a curriculum weighs one pair by the schedule", "[curriculum]") {
  // Ranks 1 and 4, epoch 5 of 20: D = (1 - 1/4 + 1) / 2 = 0.875, W = 0.90625.
  const std::vector<double> s{0.3, -0.2}, y{1, 0}, easy{1, 0.25};
  const rg::ListView<double> pair{.scores = s, .labels = y, .easiness = easy};
  const rg::CurriculumSchedule schedule{.epochs = 20};
  std::vector<double> plain(2), weighted(2);
  const double without = evaluate(rg::RankNet{}, pair, plain);
  const double with = evaluate(rg::Curriculum<rg::RankNet>{.progress = schedule.progress(5)}, pair, weighted);
  CHECK(with == Approx((0.90625 + 7.5e-9) * without).epsilon(1e-14));
  CHECK(weighted[0] == Approx((0.90625 + 7.5e-9) * plain[0]).epsilon(1e-14));
  CHECK(weighted[1] == -weighted[0]);
  // anti: (0 - 0.75 + 1) / 2 = 0.125, W = 0.125 * 0.75 + 0.25
  const double anti = evaluate(rg::Curriculum<rg::RankNet>{.progress = 0.25, .anti = true}, pair, weighted);
  CHECK(anti == Approx((0.34375 + 7.5e-9) * without).epsilon(1e-14));
}

TEST_CASE("per_sample and batch_mean differ where loss and weight are correlated", "[curriculum]") {
  // Squared errors 0.25, 1, 0, 0.0625; weights of the items at p = 0: D where y > 0, else 1 - D: 0.25, 0.1, 0.75, 0.5.
  std::vector<double> gradient;
  const double per_sample = evaluate(rg::Curriculum<rg::MeanSquaredError>{}, list, gradient);
  CHECK(per_sample == Approx((0.25 * 0.25 + 0.1 * 1 + 0.5 * 0.0625) / 4).epsilon(1e-7));
  CHECK(gradient[1] == Approx(0.1 * 2 * -1 / 4).epsilon(1e-6));
  CHECK(gradient[2] == 0.0);
  const double batch_mean =
      evaluate(rg::Curriculum<rg::MeanSquaredError>{.weighting = rg::CurriculumWeighting::batch_mean}, list, gradient);
  CHECK(batch_mean == Approx(1.3125 / 4 * 1.6 / 4).epsilon(1e-7));
  CHECK(gradient[1] == Approx(0.4 * 2 * -1 / 4).epsilon(1e-7));
}

TEST_CASE("joint negatives take the easiness of the hardest pair", "[curriculum]") {
  // Anchor 2 (label 2) against 0, 1, 3: (0.75 - 0.9 + 1) / 2 = 0.425. Anchor 0 (label 1) against 1, 3: (0.25 - 0.9 + 1) / 2 = 0.175.
  const double third = std::exp(0.5) + std::exp(-1) + std::exp(0.25), low = std::exp(-1) + std::exp(0.25);
  const double p2 = std::exp(2) / (std::exp(2) + third), p0 = std::exp(0.5) / (std::exp(0.5) + low);
  std::vector<double> gradient;
  const rg::PairwiseSoftmax joint{.negatives = rg::Negatives::joint};
  CHECK(evaluate(rg::Curriculum<rg::PairwiseSoftmax>{.loss = joint}, list, gradient) ==
        Approx((0.425 * (1 - p2) + 0.175 * (1 - p0)) / 2).epsilon(1e-7));
  CHECK(gradient[2] == Approx(-0.425 * p2 * (1 - p2) / 2).epsilon(1e-7));
  // anti: D -> 1 - D, the hardest is now 3 for anchor 2 ((0.25 - 0.75 + 1)/2 with item 0: D' = 0.75) and item 3 for anchor 0.
  CHECK(evaluate(rg::Curriculum<rg::PairwiseSoftmax>{.loss = joint, .anti = true}, list, gradient) ==
        Approx((0.25 * (1 - p2) + 0.625 * (1 - p0)) / 2).epsilon(1e-7));
  CHECK(evaluate(rg::Curriculum<rg::PairwiseSoftmax>{.loss = joint, .weighting = rg::CurriculumWeighting::batch_mean}, list, gradient) ==
        Approx(0.3 * ((1 - p2) + (1 - p0)) / 2).epsilon(1e-7));
  // An item of weight 0 is not there: without item 1 the hardest pair of anchor 2 is with item 3.
  const std::vector<double> weights{1, 0, 1, 1};
  rg::ListView<double> without = list;
  without.weights = weights;
  const double q2 = std::exp(2) / (std::exp(2) + third - std::exp(-1)), q0 = std::exp(0.5) / (std::exp(0.5) + low - std::exp(-1));
  CHECK(evaluate(rg::Curriculum<rg::PairwiseSoftmax>{.loss = joint}, without, gradient) ==
        Approx((0.625 * (1 - q2) + 0.375 * (1 - q0)) / 2).epsilon(1e-7));
  CHECK(gradient[1] == 0.0);
}

TEMPLATE_TEST_CASE("a curriculum that has ended is the plain loss to the last bit", "[curriculum]", rg::RankNet, rg::Hinge,
                   rg::SquaredHinge, rg::LambdaRank, rg::PairwiseSoftmax, rg::PairwiseCrossEntropy, rg::MeanSquaredError,
                   rg::SigmoidCrossEntropy, Cubic, SquaredGap) {
  const auto many = test::make_list<float>(41, 3, {.weights = true});
  for (const bool with_easiness : {true, false}) {
    auto view = many.view();
    if (!with_easiness) view.easiness = {};
    for (const double progress : {1.0, 1.5}) {
      std::vector<float> plain, ended;
      const float a = evaluate(TestType{}, view, plain);
      const float b = evaluate(rg::Curriculum<TestType>{.progress = progress, .weighting = rg::CurriculumWeighting::batch_mean, .anti = true}, view, ended);
      CHECK(a == b);
      CHECK(plain == ended);
    }
  }
}

TEST_CASE("losses that users write compose by their phi()", "[curriculum]") {
  std::vector<double> gradient;
  CHECK(evaluate(rg::Curriculum<Cubic>{}, list, gradient) == Approx((0.25 * 0.125 + 0.1 * 1 + 0.5 * 0.015625) / 4).epsilon(1e-7));
  // Pairs (2, 0), (2, 1), (2, 3), (0, 1), (0, 3): d = 1.5, 3, 1.75, 1.5, 0.25 and D = 0.75, 0.425, 0.625, 0.175, 0.375.
  CHECK(evaluate(rg::Curriculum<SquaredGap>{}, list, gradient) ==
        Approx(0.75 * 0.25 + 0.425 * 1 + 0.625 * 0.0625 + 0.175 * 0.25 + 0.375 * 3.0625).epsilon(1e-6));
  CHECK(gradient[3] == Approx(0.625 * 2 * 0.25 + 0.375 * 2 * 1.75).epsilon(1e-6));
  const auto smooth = test::make_list<double>(23, 8, {.weights = true});
  CHECK(rg::check_gradient(rg::Curriculum<SquaredGap>{.progress = 0.3}, smooth.view()).max_relative_error < 1e-8);
  CHECK(rg::check_gradient(rg::Curriculum<rg::PairwiseSoftmax>{.loss = {.negatives = rg::Negatives::joint}, .anti = true}, smooth.view()).max_relative_error < 1e-8);
}

TEST_CASE("the pair weights of LambdaRank and of a curriculum multiply", "[curriculum]") {
  // Two items: one pair, so the product is the plain value times W, whatever |dNDCG| is.
  const std::vector<double> s{0.2, 0.7}, y{3, 1}, easy{0.4, 0.6};
  const rg::ListView<double> pair{.scores = s, .labels = y, .easiness = easy};
  std::vector<double> plain, weighted;
  const double value = evaluate(rg::LambdaRank{}, pair, plain);
  CHECK(value > 0);
  CHECK(evaluate(rg::Curriculum<rg::LambdaRank>{}, pair, weighted) == Approx(0.4 * value).epsilon(1e-7));
  CHECK(weighted[0] == Approx(0.4 * plain[0]).epsilon(1e-7));
  // No gain at all: no signal, as the plain loss.
  const std::vector<double> none{0, 0};
  rg::ListView<double> flat = pair;
  flat.labels = none;
  CHECK(evaluate(rg::Curriculum<rg::LambdaRank>{}, flat, weighted) == 0.0);
}

TEST_CASE("no pair is ever without weight, in float too", "[curriculum]") {
  const std::vector<float> s{0, 1}, y{1, 0}, easy{0, 1};
  const rg::ListView<float> pair{.scores = s, .labels = y, .easiness = easy};
  std::vector<float> gradient;
  const double value = static_cast<double>(evaluate(rg::Curriculum<rg::RankNet>{}, pair, gradient));
  CHECK(value == Approx(1e-8 * 1.3132617).epsilon(1e-5));
}

TEST_CASE("missing easiness is raised at the door and nothing is written", "[curriculum]") {
  rg::ListView<double> bare = list;
  bare.easiness = {};
  std::vector<double> gradient(4, 7.0);
  const auto message = contains("Curriculum needs `easiness`");
  CHECK_THROWS_WITH(rg::value_and_gradient(rg::Curriculum<rg::RankNet>{}, bare, gradient), message);
  CHECK_THROWS_WITH(rg::value_and_gradient(0.5 * rg::RankNet{} + 0.5 * rg::Curriculum<rg::RankNet>{}, bare, gradient), message);
  const std::vector<std::uint32_t> offsets{0, 2, 4};
  const rg::RaggedBatch<double> batch{.scores = scores, .labels = labels, .offsets = offsets};
  rg::BatchEvaluator<double> evaluate_batch;
  CHECK_THROWS_WITH(evaluate_batch(rg::Curriculum<rg::MeanSquaredError>{}, batch, gradient), message);
  CHECK(gradient == std::vector<double>(4, 7.0));
  rg::Workspace workspace;
  CHECK_THROWS_WITH((rg::Curriculum<rg::RankNet>{}.value_and_gradient(bare, rg::GradientSink<double>{gradient.data()}, workspace)), message);
  CHECK(rg::value(rg::Curriculum<rg::RankNet>{.progress = 1}, bare) == rg::value(rg::RankNet{}, bare));
  CHECK(rg::value(rg::Curriculum<rg::RankNet>{}, rg::ListView<double>{}) == 0.0);
}

TEST_CASE("parameters of a curriculum are checked", "[curriculum]") {
  CHECK_THAT(rg::Curriculum<rg::RankNet>{.progress = -0.5}.check().message(), contains("Curriculum.progress is -0.5"));
  CHECK_THAT((rg::Curriculum<rg::RankNet>{.loss = {.sigma = 0}}.check().message()), contains("RankNet.sigma is 0"));
  CHECK_THAT(rg::Curriculum<rg::RankNet>{.scope = rg::Scope::batch}.check().message(), contains("pair items of different lists"));
  CHECK(rg::Curriculum<rg::MeanSquaredError>{.scope = rg::Scope::batch}.check());
}

TEST_CASE("batch scope gives the source's product of two batch means", "[curriculum]") {
  // Lists {0, 1} and {2, 3} of the list above as one training batch: mean loss 1.3125 / 4 times mean weight 1.6 / 4.
  const std::vector<std::uint32_t> offsets{0, 2, 4};
  const rg::RaggedBatch<double> batch{.scores = scores, .labels = labels, .easiness = easiness, .offsets = offsets};
  rg::Curriculum<rg::MeanSquaredError> loss{.weighting = rg::CurriculumWeighting::batch_mean, .scope = rg::Scope::batch};
  rg::BatchEvaluator<double> evaluate_batch;
  std::vector<double> gradient(4);
  CHECK(evaluate_batch(loss, batch, gradient) == Approx(1.3125 / 4 * 0.4).epsilon(1e-7));
  // The list as the batch: (1.25 / 2 * 0.35 / 2 + 0.0625 / 2 * 1.25 / 2) / 2.
  loss.scope = rg::Scope::list;
  CHECK(evaluate_batch(loss, batch, gradient) == Approx((0.625 * 0.175 + 0.03125 * 0.625) / 2).epsilon(1e-7));
}
