// The parts of examples/train_reranker that have a right answer: derivatives, mixtures, adapters, standardisation.
#include "dataset.hpp"
#include "list_adapters.hpp"
#include "losses.hpp"
#include "report.hpp"
#include "scorer.hpp"

#include "support/catch.hpp"

#include <rankgrad/bradley_terry/bradley_terry.hpp>
#include <rankgrad/bradley_terry/win_tie.hpp>
#include <rankgrad/check/gradient_check.hpp>
#include <rankgrad/core/random.hpp>

#include <cmath>
#include <set>

namespace {

using namespace reranker;
namespace rg = rankgrad;

rg::ListView<double> view(const std::vector<double>& scores, const std::vector<double>& labels) {
  return {.scores = scores, .labels = labels};
}

std::string usage_error(std::string_view text) {
  try {
    (void)parse_objective(text, {});
  } catch (const UsageError& error) {
    return error.what();
  }
  return {};
}

}  // namespace

TEST_CASE("scorer: backward() is the slope of forward()") {
  for (const Shape shape : {Shape{5, 0, Activation::relu}, Shape{5, 4, Activation::tanh}, Shape{5, 4, Activation::relu}}) {
    INFO("hidden " << shape.hidden);
    Scorer scorer(shape, 3);
    rg::Random random(1);
    for (float& p : scorer.parameters) p = static_cast<float>(random.normal());
    Matrix features(7, 5);
    Eigen::VectorXf weights(7), gradient;
    for (Eigen::Index i = 0; i < features.size(); ++i) features.data()[i] = static_cast<float>(random.normal());
    for (float& w : weights) w = static_cast<float>(random.normal());
    Scorer::Activations activations;
    const auto value = [&] {
      scorer.forward(features, activations);
      return activations.scores.cast<double>().dot(weights.cast<double>());
    };
    value();
    scorer.backward(features, activations, weights, gradient);
    REQUIRE(gradient.size() == shape.parameters());
    for (Eigen::Index p = 0; p < gradient.size(); ++p) {
      const float rest = scorer.parameters[p], h = 1.0f / 512;
      scorer.parameters[p] = rest + h;
      const double up = value();
      scorer.parameters[p] = rest - h;
      const double down = value();
      scorer.parameters[p] = rest;
      CHECK((up - down) / (2 * static_cast<double>(h)) == Approx(static_cast<double>(gradient[p])).margin(2e-3).epsilon(2e-3));
    }
  }
}

TEST_CASE("losses: names are different, and every loss gives finite gradients, also on lists of one document") {
  const std::vector<float> scores{0.3f, -1, 2, 0.5f, 0.5f, 1}, labels{1, 0, 3, 2, 0, 0}, easiness{0.5f, 1, 0, 0.25f, 1, 1};
  const std::vector<std::uint32_t> offsets{0, 4, 5, 6};
  const rg::RaggedBatch<float> batch{.scores = scores, .labels = labels, .easiness = easiness, .offsets = offsets};
  std::set<std::string_view> names;
  rg::BatchEvaluator<float> evaluate;
  for (const NamedLoss& loss : all_losses()) {
    INFO(loss.name);
    CHECK(names.insert(loss.name).second);
    std::vector<float> gradient(6);
    const float value = loss.evaluate(evaluate, batch, {}, gradient);
    CHECK(std::isfinite(value));
    CHECK(std::any_of(gradient.begin(), gradient.end(), [](float g) { return g != 0; }));
    CHECK(std::all_of(gradient.begin(), gradient.end(), [](float g) { return std::isfinite(g); }));
    if (!loss.with_curriculum) continue;
    std::vector<float> at_the_end(6);
    CHECK(loss.with_curriculum(evaluate, batch, {.progress = 1}, at_the_end) == value);
    CHECK(at_the_end == gradient);
  }
}

TEST_CASE("losses: a mixture is the weighted sum of its terms") {
  const std::vector<float> scores{0.3f, -1, 2, 0.5f, 0.25f}, labels{1, 0, 0, 2, 1};
  const std::vector<std::uint32_t> offsets{0, 3, 5};
  const rg::RaggedBatch<float> batch{.scores = scores, .labels = labels, .offsets = offsets};
  const auto run = [&](std::string_view text, std::vector<float>& gradient) {
    const Objective objective = parse_objective(text, {});
    gradient.assign(5, 99.0f);
    return ObjectiveEvaluator(objective)(batch, {}, gradient);
  };
  std::vector<float> a, b, mixture;
  const double value_a = run("ranknet", a), value_b = run("softmax", b);
  CHECK(run("0.75*ranknet + 0.25 * softmax", mixture) == Approx(0.75 * value_a + 0.25 * value_b));
  for (std::size_t i = 0; i < 5; ++i)
    CHECK(static_cast<double>(mixture[i]) == Approx(0.75 * static_cast<double>(a[i]) + 0.25 * static_cast<double>(b[i])).margin(1e-7));
}

TEST_CASE("losses: what parse_objective() refuses") {
  CHECK(usage_error("ranknett") == "there is no loss 'ranknett'; --list-losses shows all");
  CHECK(usage_error("") == "there is no loss ''; --list-losses shows all");
  CHECK(usage_error("ranknet +") == "there is no loss ''; --list-losses shows all");
  CHECK(usage_error("-1*ranknet") == "'-1' in the loss '-1*ranknet' is not a weight, a number from 0 up");
  CHECK(usage_error("x*ranknet") == "'x' in the loss 'x*ranknet' is not a weight, a number from 0 up");
  CHECK(usage_error("nan*ranknet") == "'nan' in the loss 'nan*ranknet' is not a weight, a number from 0 up");
  CHECK(usage_error("curriculum_softmax") == "softmax cannot be put under a curriculum: only pointwise and pairwise losses can");
}

TEST_CASE("losses: a curriculum reaches the terms that take one, and no others") {
  const Objective objective = parse_objective("ranknet + softmax", {.easiness = Easiness::recip});
  CHECK(objective.terms[0].curriculum);
  CHECK_FALSE(objective.terms[1].curriculum);
  Dataset data;
  data.first_stage = {3, 7, 5, 1};
  data.offsets = {0, 3, 4};
  CHECK(easiness_of(objective, data) == std::vector<float>{1.0f / 3, 1, 0.5f, 1});
  CHECK(easiness_of(parse_objective("ranknet", {}), data).empty());
}

TEST_CASE("adapters: comparisons of all pairs") {
  // Labels 2, 0, 0: two wins of item 0 and one tie, by hand: mean of f(1), f(-0.5) and g(-1.5), margin 1, tie weight 0.1.
  const std::vector<double> scores{1, 0, 1.5}, labels{2, 0, 0};
  const auto softplus = [](double x) { return std::log1p(std::exp(x)); };
  const OnComparisons<rg::WinTieBradleyTerry> loss{.loss = {.margin = 1, .tie_weight = 0.1}};
  const double expected = (softplus(1 - 1) + softplus(1 + 0.5) + 0.1 * (softplus(1 + 1.5) + softplus(1 - 1.5))) / 3;
  CHECK(rg::value(loss, view(scores, labels)) == Approx(expected).epsilon(1e-12));
  const auto report = rg::check_gradient(loss, view(scores, labels));
  CHECK(report.max_relative_error < 1e-8);
  CHECK(report.accumulates);
}

TEST_CASE("adapters: drawn comparisons are a matter of seed and list, and never of an item with itself") {
  const std::vector<double> scores{1, 0, 1.5, 2, -1}, labels{2, 0, 0, 1, 1};
  OnComparisons<rg::WinTieBradleyTerry> loss{.most = 6, .seed = 5};
  CHECK(rg::value(loss, view(scores, labels)) == rg::value(loss, view(scores, labels)));
  CHECK(rg::check_gradient(loss, view(scores, labels)).max_relative_error < 1e-8);
  const double first = rg::value(loss, view(scores, labels));
  loss.seed = 6;
  CHECK(rg::value(loss, view(scores, labels)) != first);
}

TEST_CASE("adapters: a list as rows of similarities, one anchor for each grade") {
  const std::vector<double> scores{0.4, -0.3, 0.9, 0.1};
  const OnSimilarities<rg::TripletLogSumExp> loss{{.temperature = 0.5, .margin = 1, .direction = rg::Direction::rows}};
  const auto lse = [](std::initializer_list<double> values) {
    double sum = 0;
    for (const double v : values) sum += std::exp(v / 0.5);
    return 0.5 * std::log(sum);
  };
  SECTION("one relevant document") {
    const std::vector<double> labels{0, 1, 0, 0};
    CHECK(rg::value(loss, view(scores, labels)) == Approx(1 + 0.3 + lse({0.4, 0.9, 0.1})).epsilon(1e-12));
    const auto report = rg::check_gradient(loss, view(scores, labels));
    CHECK(report.max_relative_error < 1e-8);
    CHECK(report.accumulates);
  }
  SECTION("two grades above the lowest") {
    const std::vector<double> labels{0, 2, 0, 1};
    const double a = std::exp(-0.3 / 0.5), b = std::exp(0.1 / 0.5), positives = (a * -0.3 + b * 0.1) / (a + b);
    const double low = 1 - positives + lse({0.4, 0.9}), high = 1 + 0.3 + lse({0.4, 0.9, 0.1});
    CHECK(rg::value(loss, view(scores, labels)) == Approx((low + high) / 2).epsilon(1e-12));
  }
  SECTION("no signal without two grades") {
    std::vector<double> gradient(4, 7.0);
    rg::Workspace workspace;
    CHECK_FALSE(loss.value_and_gradient(view(scores, {1, 1, 1, 1}), rg::GradientSink<double>{gradient.data()}, workspace).valid);
    CHECK(gradient == std::vector<double>(4, 7.0));
  }
}

TEST_CASE("dataset: columns of mean 0 and variance 1 on the training rows, absent features are 0") {
  Rows rows;
  const auto add = [&](std::vector<Entry> entries) {
    rows.entries.insert(rows.entries.end(), entries.begin(), entries.end());
    rows.row_begin.push_back(rows.entries.size());
    rows.labels.push_back(1);
    rows.documents.emplace_back("d");
  };
  add({{3, 6}, {9, 5}});
  add({{9, 5}});
  add({{3, 3}, {9, 5}});
  rows.offsets.push_back(3);
  rows.queries.emplace_back("q");
  const Columns columns = Columns::fit(rows);
  CHECK(columns.features == std::vector<std::uint32_t>{3, 9});
  const Dataset data = make_dataset(rows, columns, 3u);
  const float unit = std::sqrt(1.5f);   // values 6, 0, 3: mean 3, variance 6
  CHECK(data.features(0, 0) == Approx(unit));
  CHECK(data.features(1, 0) == Approx(-unit));
  CHECK(data.features(2, 0) == Approx(0).margin(1e-6));
  for (Eigen::Index i = 0; i < 3; ++i) CHECK(data.features(i, 1) == 0);   // a constant feature says nothing
  CHECK(data.first_stage == std::vector<float>{6, 0, 3});
  CHECK(make_dataset(rows, columns, {}).first_stage == std::vector<float>{0, -1, -2});

  rows.entries[0] = {3, 3e38f};   // far outside of what was fitted
  rows.entries[1].feature = 8;    // and unknown
  const Dataset other = make_dataset(rows, columns, {});
  CHECK(other.features(0, 0) == 10);
  CHECK(other.features.allFinite());
}

TEST_CASE("report: run files and file names") {
  Dataset data;
  data.labels = {0, 1, 0};
  data.offsets = {0, 2, 3};
  data.queries = {"7", "8"};
  data.documents = {"a", "b", "c"};
  CHECK(trec_run(data, std::vector<float>{1, 2.5f, 0}, "tag") == "7 Q0 b 1 2.5 tag\n7 Q0 a 2 1 tag\n8 Q0 c 1 0 tag\n");
  CHECK(file_name("0.8*ranknet + 0.2*listmle") == "0.8_ranknet_0.2_listmle");
}
