#include <rankgrad/contrastive/soft_label.hpp>

#include "support/catch.hpp"
#include "support/lists.hpp"

#include <rankgrad/core/batch_evaluator.hpp>

#include <vector>

namespace rg = rankgrad;

TEST_CASE("soft-label InfoNCE: one normaliser for the batch", "[contrastive]") {
  // -sum y log p / 2.5 over both rows, tau 0.1.
  const std::vector<double> y{0, 1, .5, .2, .8, 0}, s{.1, .6, .4, .3, .5, -.2};
  const std::vector<std::uint32_t> offsets{0, 3, 6};
  rg::RaggedBatch<double> batch{.scores = s, .labels = y, .offsets = offsets};
  const std::vector<double> masses{rg::soft_label_mass(batch[0]), rg::soft_label_mass(batch[1])};
  CHECK(masses == std::vector<double>{1.5, 1.0});
  batch.list_weights = masses;
  std::vector<double> gradient(6);
  rg::BatchEvaluator<double> evaluate;
  CHECK(evaluate(rg::SoftLabelInfoNce{}, batch, gradient) == Approx(0.69079949).margin(1e-8));
  const std::vector<double> expected{0.035399, 1.253604, -1.289002, -0.323571, 0.320361, 0.00321};
  for (std::size_t i = 0; i < 6; ++i) CHECK(gradient[i] == Approx(expected[i]).margin(1e-6));
}

TEST_CASE("soft-label InfoNCE: labels at the threshold are negatives", "[contrastive]") {
  const std::vector<double> s{1, 2, 3}, y{0.5, 0.25, 0.125}, hard{0.5, 0.25, 0}, w{1, 2, 4};
  const rg::SoftLabelInfoNce loss{.positive_above = 0.125};
  CHECK(rg::value(loss, rg::ListView<double>{.scores = s, .labels = y}) ==
        Approx(rg::value(rg::Softmax{.temperature = 0.1, .normalize = rg::Normalize::mean}, rg::ListView<double>{.scores = s, .labels = hard})));
  CHECK(rg::soft_label_mass(rg::ListView<double>{.scores = s, .labels = y, .weights = w}, 0.125) == 1.0);
  CHECK(rg::value(rg::SoftLabelInfoNce{.positive_above = 0.5}, rg::ListView<double>{.scores = s, .labels = y}) == 0.0);
  CHECK_THAT(rg::SoftLabelInfoNce{.temperature = 0}.check().message(), contains("SoftLabelInfoNce.temperature"));
  CHECK_THAT(rg::SoftLabelInfoNce{.positive_above = -1}.check().message(), contains("positive_above"));
}

TEST_CASE("distribution cross-entropy: the mass of the targets need not be 1", "[contrastive]") {
  // (sum y) p - y, p = 1/4, 3/4.
  const std::vector<double> s{0, std::log(3.0)}, y{0.9, 0.3};
  std::vector<double> gradient(2);
  CHECK(rg::value_and_gradient(rg::DistributionCrossEntropy{}, rg::ListView<double>{.scores = s, .labels = y}, gradient) ==
        Approx(0.9 * std::log(4) + 0.3 * std::log(4 / 3.0)));
  CHECK(gradient[0] == Approx(0.3 - 0.9));
  CHECK(gradient[1] == Approx(0.9 - 0.3));
}
