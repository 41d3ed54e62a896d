#include "support/catch.hpp"
#include "support/lists.hpp"

#include <rankgrad/auc/partial_auc.hpp>
#include <rankgrad/check/gradient_check.hpp>
#include <rankgrad/core/batch_evaluator.hpp>
#include <rankgrad/metric/auc.hpp>

#include <limits>

namespace rg = rankgrad;
using rg::Surrogate;

namespace {

struct Outcome {
  double value = 0;
  bool valid = false;
  std::vector<double> gradient, curvature;
};
template <class L>
Outcome outcome_of(const L& loss, const rg::ListView<double>& list) {
  Outcome o{0, false, std::vector<double>(list.size()), std::vector<double>(list.size())};
  rg::Workspace workspace;
  const auto part = loss.value_and_gradient(list, rg::GradientSink<double>{o.gradient.data(), o.curvature.data()}, workspace);
  o.value = part.value;
  o.valid = part.valid;
  return o;
}

// Positives 3, 0; negatives 2, 1, -1, -2.
const std::vector<double> s{3, 2, 1, 0, -1, -2}, y{1, 0, 0, 1, 0, 0};
const rg::ListView<double> list{.scores = s, .labels = y};

}  // namespace

TEST_CASE("partial AUC: one-way, worked by hand", "[auc]") {
  SECTION("half of the negatives: 2 and 1; z = 1, 2, -2, -1") {
    const Outcome o = outcome_of(rg::PartialAuc{.max_fpr = 0.5, .surrogate = Surrogate::hinge}, list);
    CHECK(o.value == Approx((0 + 0 + 3 + 2) / 4.0));
    CHECK(o.gradient == std::vector<double>{0, 0.25, 0.25, -0.5, 0, 0});
  }
  SECTION("three eighths: negative 2 and half of negative 1") {
    const Outcome o = outcome_of(rg::PartialAuc{.max_fpr = 0.375, .surrogate = Surrogate::hinge}, list);
    CHECK(o.value == Approx((3 + 0.5 * 2) / 3));
    CHECK(o.gradient[1] == Approx(1 / 3.0));
    CHECK(o.gradient[2] == Approx(0.5 / 3));
  }
  SECTION("less than one negative is its share of the hardest") {
    CHECK(outcome_of(rg::PartialAuc{.max_fpr = 0.1, .surrogate = Surrogate::hinge}, list).value == Approx(1.5));
  }
  SECTION("from one quarter to three quarters: negatives 1 and -1") {
    const Outcome o = outcome_of(rg::PartialAuc{.max_fpr = 0.75, .min_fpr = 0.25, .surrogate = Surrogate::squared_hinge}, list);
    CHECK(o.value == Approx(4 / 4.0));   // z = 2, 4, -1, 1: the last exactly at the margin
    CHECK(o.gradient[3] == Approx(-1));
    CHECK(o.gradient[2] == Approx(1));
    CHECK(o.gradient[1] == 0.0);
  }
  SECTION("the conditional value at risk: the mean of the K largest losses of each positive") {
    const Outcome o = outcome_of(rg::PartialAuc{.max_fpr = 0.5, .surrogate = Surrogate::logistic}, list);
    const auto softplus = [](double x) { return std::log1p(std::exp(x)); };
    CHECK(o.value == Approx((softplus(-1) + softplus(-2) + softplus(2) + softplus(1)) / 4));
  }
}

TEST_CASE("partial AUC: two-way keeps the hardest positives", "[auc]") {
  const Outcome o = outcome_of(rg::PartialAuc{.max_fpr = 0.5, .min_tpr = 0.5, .surrogate = Surrogate::hinge}, list);
  CHECK(o.value == Approx(2.5));
  CHECK(o.gradient == std::vector<double>{0, 0.5, 0.5, -1, 0, 0});
}

TEST_CASE("partial AUC: the whole curve is Mann-Whitney", "[auc]") {
  const auto random = test::make_list<double>(50, 2, {.spread = 2, .offset = 10, .grades = 2, .weights = true, .tied_scores = true});
  for (const Surrogate surrogate : {Surrogate::logistic, Surrogate::hinge, Surrogate::squared_hinge, Surrogate::square, Surrogate::exponential}) {
    const rg::PartialAuc part{.max_fpr = 1, .temperature = 1.3, .surrogate = surrogate};
    const Outcome a = outcome_of(part, random.view()), b = outcome_of(part.pairs(), random.view());
    CHECK(a.value == Approx(b.value).epsilon(1e-13));
    for (std::size_t i = 0; i < random.size(); ++i) {
      CHECK(a.gradient[i] == Approx(b.gradient[i]).margin(1e-13));
      CHECK(a.curvature[i] == Approx(b.curvature[i]).margin(1e-13));
    }
  }
}

TEST_CASE("partial AUC: equal scores at the border share what is inside", "[auc]") {
  const std::vector<double> tied{0, 1, 1, 1, -5}, label{1, 0, 0, 0, 0};
  const Outcome o = outcome_of(rg::PartialAuc{.max_fpr = 0.5, .surrogate = Surrogate::hinge}, {.scores = tied, .labels = label});
  CHECK(o.value == Approx(2));
  for (const std::size_t k : {1u, 2u, 3u}) CHECK(o.gradient[k] == Approx(1 / 3.0));
  CHECK(o.gradient[4] == 0.0);
}

TEST_CASE("partial AUC: gradients are slopes where no score is near the border", "[auc]") {
  for (const std::uint64_t seed : {1u, 2u, 3u}) {
    const auto random = test::make_list<double>(30, seed, {.spread = 3, .grades = 2, .weights = true});
    for (const Surrogate surrogate : {Surrogate::logistic, Surrogate::square, Surrogate::exponential}) {
      const rg::PartialAuc loss{.max_fpr = 0.45, .min_fpr = 0.1, .min_tpr = 0.2, .surrogate = surrogate};
      CHECK(rg::check_gradient(loss, random.view()).max_relative_error < 1e-8);
    }
  }
}

TEST_CASE("partial AUC: the metric of the region is the AUC of what is selected", "[auc]") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const auto random = test::make_list<double>(33, seed, {.spread = 1, .grades = 2, .weights = true});
    rg::Workspace workspace;
    const auto frame = workspace.frame();
    const rg::auc::RocRegion region{0.1 * static_cast<double>(seed % 3), 0.55, 0.2 * static_cast<double>(seed % 4)};
    const auto inside = rg::auc::select(random.view(), region, workspace.take<std::uint32_t>(33), workspace);
    CHECK(rg::value(rg::Auc{.max_fpr = region.max_fpr, .min_fpr = region.min_fpr, .min_tpr = region.min_tpr}, random.view()) ==
          Approx(rg::value(rg::Auc{}, inside)).epsilon(1e-13));
  }
}

TEST_CASE("partial AUC: one less the metric is bounded by the loss", "[auc]") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    const auto random = test::make_list<double>(25, seed, {.spread = 1, .grades = 2, .weights = true, .tied_scores = seed % 2 == 0});
    const rg::PartialAuc loss{.max_fpr = 0.3, .min_tpr = 0.4, .surrogate = Surrogate::logistic};
    rg::Workspace workspace;
    const double metric = rg::Auc{.max_fpr = 0.3, .min_tpr = 0.4}.value(random.view(), workspace).value;
    CHECK(1 - metric <= rg::area_over_curve_bound(loss.pairs(), outcome_of(loss, random.view()).value));
  }
}

TEST_CASE("partial AUC: a NaN anywhere shows, also in an item that would not be selected", "[auc]") {
  for (std::size_t i = 0; i < s.size(); ++i) {
    auto broken = s;
    broken[i] = std::numeric_limits<double>::quiet_NaN();
    for (const Surrogate surrogate : {Surrogate::logistic, Surrogate::hinge, Surrogate::squared_hinge, Surrogate::square, Surrogate::exponential})
      CHECK(std::isnan(outcome_of(rg::PartialAuc{.max_fpr = 0.25, .surrogate = surrogate}, {.scores = broken, .labels = y}).value));
  }
}

TEST_CASE("partial AUC: pooled over the batch, no signal, and parameters out of range", "[auc]") {
  const auto batch = test::make_batch<double>(6, 3, 9, 8, {.grades = 2});
  std::vector<double> gradient(batch.items.size());
  rg::BatchEvaluator<double> evaluate;
  const rg::PartialAuc loss{.scope = rg::Scope::batch};
  CHECK(evaluate(loss, batch.view(), gradient) == Approx(outcome_of(loss, batch.view().pooled()).value));

  const std::vector<double> none{0, 0, 0, 0, 0, 0};
  CHECK_FALSE(outcome_of(rg::PartialAuc{}, {}).valid);
  CHECK_FALSE(outcome_of(rg::PartialAuc{}, {.scores = s, .labels = none}).valid);
  CHECK_FALSE(outcome_of(rg::PartialAuc{}, {.scores = s, .labels = y, .weights = none}).valid);
  CHECK_FALSE(rg::PartialAuc{.max_fpr = 0}.check());
  CHECK_FALSE(rg::PartialAuc{.max_fpr = 1.1}.check());
  CHECK_FALSE(rg::PartialAuc{.max_fpr = 0.2, .min_fpr = 0.2}.check());
  CHECK_FALSE(rg::PartialAuc{.min_tpr = 1}.check());
  CHECK_FALSE(rg::PartialAuc{.temperature = -1}.check());
  CHECK(rg::PartialAuc{.max_fpr = 1}.check());
}
