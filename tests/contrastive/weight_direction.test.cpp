#include <rankgrad/contrastive/weight_direction.hpp>

#include "support/catch.hpp"
#include "tokens/token_batch.hpp"

#include <rankgrad/listwise/softmax.hpp>

namespace rg = rankgrad;
using rg::PushDirection;
using rg::PushWeight;
using test::Logits;

namespace {
const std::vector<double> yes{1, 0.5, -0.2}, no{0.2, 0.4, 0.9};
const rg::YesNoView<double> three{.yes = yes, .no = no};

long double sigmoid(long double x) { return 1 / (1 + std::exp(-x)); }

struct Documents {
  std::vector<double> yes, no, labels;
  std::vector<std::uint8_t> mask;
  Documents(std::size_t n, unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<double> normal(0, 1.5);
    for (std::size_t i = 0; i < n; ++i) {
      yes.push_back(normal(random));
      no.push_back(normal(random));
      labels.push_back(i % 3 == 1);
      mask.push_back(i % 5 != 4);
    }
  }
  rg::YesNoView<double> view() const { return {.yes = yes, .no = no, .labels = labels, .mask = mask}; }
  std::vector<double> both() const {
    auto all = yes;
    all.insert(all.end(), no.begin(), no.end());
    return all;
  }
};
/// The parents, of yes and no in one array.
long double supervised(const rg::YesNoView<double>& view, const Logits& z) {
  long double sum = 0;
  for (std::size_t i = 0; i < view.size(); ++i) {
    const long double d = z[i] - z[view.size() + i];
    if (view.present(i)) sum += -std::log(sigmoid(view.positive(i) ? d : -d));
  }
  return sum;
}
long double contrastive(const rg::YesNoView<double>& view, const Logits& z) {
  long double sum = 0, positives = 0;
  for (std::size_t i = 0; i < view.size(); ++i) {
    if (!view.present(i) || !view.positive(i)) continue;
    long double all = std::exp(z[i]);
    for (std::size_t j = 0; j < view.size(); ++j)
      if (view.present(j) && !view.positive(j)) all += std::exp(z[j]);
    sum += std::log(all) - z[i];
    positives += 1;
  }
  return sum / positives;
}
}  // namespace

TEST_CASE("weight and direction: both parents by known numbers", "[contrastive]") {
  std::vector<double> gradient(6);
  const rg::WeightDirection cl;
  CHECK(rg::value_and_gradient(cl, three, gradient) == Approx(0.64591137).epsilon(1e-8));
  CHECK(gradient[0] == Approx(-0.475815).margin(5e-7));
  CHECK(gradient[1] == Approx(0.317934).margin(5e-7));
  CHECK(gradient[2] == Approx(0.157881).margin(5e-7));
  for (const std::size_t i : {3u, 4u, 5u}) CHECK(gradient[i] == 0.0);
  const rg::WeightDirection sft{.weight = PushWeight::supervised, .direction = PushDirection::supervised, .documents = rg::Normalize::mean};
  CHECK(rg::value_and_gradient(sft, three, gradient) == Approx(0.46761088).epsilon(1e-8));
  const double expected[3] = {-0.103342, 0.174993, 0.083247};
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(gradient[i] == Approx(expected[i]).margin(5e-7));
    CHECK(gradient[3 + i] == -gradient[i]);
  }
}

TEST_CASE("weight and direction: one positive is the softmax cross-entropy of yes", "[contrastive]") {
  const std::vector<double> labels{1, 0, 0};
  std::vector<double> gradient(6), curvature(6), softmax(3), bent(3);
  const double value = rg::value_gradient_and_curvature(rg::WeightDirection{}, three, gradient, curvature);
  CHECK(value == Approx(rg::value_gradient_and_curvature(rg::Softmax{}, rg::ListView<double>{.scores = yes, .labels = labels}, softmax, bent)).epsilon(1e-12));
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(gradient[i] == Approx(softmax[i]).epsilon(1e-12));
    CHECK(curvature[i] == Approx(bent[i]).epsilon(1e-12));
  }
}

TEST_CASE("weight and direction: of one kind they are their parent, with several positives and a mask", "[contrastive]") {
  for (const std::size_t n : {2u, 5u, 17u, 40u}) {
    const Documents documents(n, static_cast<unsigned>(n));
    const auto view = documents.view();
    std::vector<double> gradient(2 * n), curvature(2 * n);
    for (const bool contrast : {false, true})
      for (const auto mean : {rg::Normalize::sum, rg::Normalize::mean}) {
        const rg::WeightDirection loss{.weight = contrast ? PushWeight::contrastive : PushWeight::supervised,
                                       .direction = contrast ? PushDirection::contrastive : PushDirection::supervised, .documents = mean};
        long double present = 0;
        for (const auto m : documents.mask) present += m;
        const long double f = mean == rg::Normalize::mean ? 1 / present : 1;
        const auto definition = [&](const Logits& z) { return f * (contrast ? contrastive(view, z) : supervised(view, z)); };
        const auto both = documents.both();
        CHECK(rg::value_gradient_and_curvature(loss, view, gradient, curvature) == Approx(static_cast<double>(test::moved(definition, both, 0, 0))).epsilon(1e-12));
        for (std::size_t k = 0; k < 2 * n; ++k) {
          CHECK(gradient[k] == Approx(static_cast<double>(test::first_derivative(definition, both, k))).margin(1e-9));
          CHECK(curvature[k] == Approx(static_cast<double>(test::second_derivative(definition, both, k))).margin(1e-7));
        }
      }
  }
}

TEST_CASE("weight and direction: mixed kinds, and the parent's value for logs", "[contrastive]") {
  std::vector<double> sft(6), cl(6), gradient(6), curvature(6);
  const double of_sft = rg::value_and_gradient(rg::WeightDirection{.weight = PushWeight::supervised, .direction = PushDirection::supervised}, three, sft);
  const double of_cl = rg::value_and_gradient(rg::WeightDirection{}, three, cl);
  // Weights of SFT in the direction of CL: its gradient of yes, and none of no.
  CHECK(rg::value_and_gradient(rg::WeightDirection{.weight = PushWeight::supervised}, three, gradient) == of_sft);
  for (std::size_t i = 0; i < 3; ++i) CHECK((gradient[i] == sft[i] && gradient[3 + i] == 0));
  // And the other way round.
  CHECK(rg::value_and_gradient(rg::WeightDirection{.direction = PushDirection::supervised}, three, gradient) == of_cl);
  for (std::size_t i = 0; i < 3; ++i) CHECK((gradient[i] == cl[i] && gradient[3 + i] == -cl[i]));
  CHECK(rg::value_gradient_and_curvature(rg::WeightDirection{.weight = PushWeight::one}, three, gradient, curvature) == of_cl);
  CHECK(gradient == std::vector<double>{-1, 1, 1, 0, 0, 0});
  CHECK(curvature == std::vector<double>(6, 0));
  CHECK(rg::value_and_gradient(rg::WeightDirection{.weight = PushWeight::one, .direction = PushDirection::supervised}, three, gradient) == of_sft);
  CHECK(gradient == std::vector<double>{-1, 1, 1, 1, -1, -1});
}

TEST_CASE("weight and direction: easy documents get no gradient, and the value stays", "[contrastive]") {
  // s(y - n) = 0.9526, 0.8808, 0.0474, 0.1192: positives 0 and 1, negatives 2 and 3.
  const std::vector<double> y{3, 2, -3, -2}, n(4, 0.0), labels{1, 1, 0, 0};
  const rg::YesNoView<double> view{.yes = y, .no = n, .labels = labels};
  std::vector<double> all(8), hard(8), curvature(8);
  const double value = rg::value_and_gradient(rg::WeightDirection{.direction = PushDirection::supervised}, view, all);
  CHECK(rg::value_gradient_and_curvature(rg::WeightDirection{.direction = PushDirection::supervised, .easy = 0.1}, view, hard, curvature) == value);
  for (const std::size_t i : {0u, 2u, 4u, 6u}) {
    CHECK(all[i] != 0.0);
    CHECK(hard[i] == 0.0);
    CHECK(curvature[i] == 0.0);
  }
  for (const std::size_t i : {1u, 3u, 5u, 7u}) CHECK(hard[i] == all[i]);
  CHECK_FALSE(rg::WeightDirection{.easy = 0.5}.check());
  CHECK_FALSE(rg::WeightDirection{.easy = -0.1}.check());
}

TEST_CASE("weight and direction: without negatives contrast is silent and fine-tuning is not", "[contrastive]") {
  rg::Workspace workspace;
  std::vector<double> gradient(2);
  const rg::YesNoView<double> alone{.yes = std::span(yes).first(1), .no = std::span(no).first(1)};
  const rg::GradientSink<double> sink{gradient.data()};
  CHECK_FALSE(rg::WeightDirection{}.value_and_gradient(alone, sink, workspace).valid);
  CHECK(gradient == std::vector<double>(2, 0));
  CHECK(rg::WeightDirection{.weight = PushWeight::supervised}.value_and_gradient(alone, sink, workspace).valid);
  CHECK(gradient[0] == Approx(-1 / (1 + std::exp(0.8))));
  CHECK_FALSE(rg::WeightDirection{.weight = PushWeight::supervised}.value_and_gradient(rg::YesNoView<double>{}, sink, workspace).valid);
  const std::vector<double> nobody{0, 0, 0};
  std::vector<double> six(6);
  auto view = three;
  view.labels = nobody;
  CHECK_FALSE(rg::WeightDirection{}.value_and_gradient(view, rg::GradientSink<double>{six.data()}, workspace).valid);
  view.labels = std::span(nobody).first(2);
  CHECK_THROWS_WITH(rg::value(rg::WeightDirection{}, view), contains("labels has 2 elements where 3"));
}

TEST_CASE("weight and direction: extremes, float, scratch", "[contrastive]") {
  const std::vector<float> y{1e4f, -1e4f, 0, 1e4f}, n{-1e4f, 1e4f, 0, 0}, labels{1, 0, 0, 0};
  const rg::YesNoView<float> view{.yes = y, .no = n, .labels = labels};
  std::vector<float> gradient(8), curvature(8);
  rg::Workspace workspace;
  std::size_t warm = 0;
  for (int round = 0; round < 2; ++round) {
    for (const auto w : {PushWeight::supervised, PushWeight::contrastive, PushWeight::one})
      for (const auto d : {PushDirection::supervised, PushDirection::contrastive}) {
        CHECK(std::isfinite(rg::value_gradient_and_curvature(rg::WeightDirection{.weight = w, .direction = d}, view, gradient, curvature, 0, workspace)));
        for (std::size_t k = 0; k < 8; ++k) CHECK((std::abs(gradient[k]) <= 1 && curvature[k] >= 0 && curvature[k] <= 0.25f));
      }
    if (round == 0) warm = workspace.growths();
  }
  CHECK(workspace.growths() == warm);
  // A positive that has all but won keeps its weight: 1 - p_0 = e^-20.
  const std::vector<float> won{20, 0}, zero{0, 0};
  std::vector<float> four(4);
  CHECK(rg::value_and_gradient(rg::WeightDirection{}, rg::YesNoView<float>{.yes = won, .no = zero}, four) == Approx(std::exp(-20.0)).epsilon(1e-5).margin(0));
  CHECK(four[0] == Approx(-std::exp(-20.0)).epsilon(1e-5).margin(0));
}
