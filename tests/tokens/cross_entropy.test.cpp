#include <rankgrad/tokens/cross_entropy.hpp>
#include <rankgrad/tokens/evaluator.hpp>
#include <rankgrad/tokens/rank_importance.hpp>

#include "support/catch.hpp"
#include "tokens/token_batch.hpp"

#include <rankgrad/core/combinators.hpp>
#include <rankgrad/exec/threads.hpp>

#include <limits>

namespace rg = rankgrad;
using test::Logits;

namespace {

/// The formula, token by token, on any logits.
long double defined(const rg::TokenCrossEntropy& loss, const rg::TokenView<double>& view, const Logits& z) {
  const std::size_t V = view.vocabulary;
  const long double e = loss.label_smoothing;
  std::vector<long double> of_sequence, counts, u;
  for (std::size_t q = 0; q + 1 < view.offsets.size(); ++q) {
    long double sum = 0, count = 0;
    for (std::size_t t = view.offsets[q]; t < view.offsets[q + 1]; ++t) {
      const long double w = view.weights.empty() ? 1 : view.weights[t];
      if ((!view.mask.empty() && !view.mask[t]) || view.targets[t] == view.ignore_index || w == 0) continue;
      const long double all = test::log_sum_exp(&z[t * V], V);
      long double l = 0;
      for (std::size_t v = 0; v < V; ++v) {
        const bool target = v == view.targets[t];
        const long double share = loss.smoothing == rg::LabelSmoothing::all_tokens ? e / V : target ? 0 : e / (V - 1);
        l += ((target ? 1 - e : 0) + share) * (all - z[t * V + v]);
      }
      sum += w * l;
      count += loss.normalizer == rg::TokenNormalizer::count ? 1 : w;
    }
    of_sequence.push_back(sum);
    counts.push_back(count);
    u.push_back(view.sequence_weights.empty() ? 1 : view.sequence_weights[q]);
  }
  long double above = 0, below = 0;
  for (std::size_t q = 0; q < u.size(); ++q) {
    if (counts[q] == 0) continue;
    if (loss.reduction == rg::SequenceReduction::sequence_mean) {
      above += u[q] * of_sequence[q] / counts[q];
      below += u[q];
    } else {
      above += u[q] * of_sequence[q];
      below += loss.normalizer == rg::TokenNormalizer::count ? counts[q] : u[q] * counts[q];
    }
  }
  return loss.reduction == rg::SequenceReduction::sum ? above : above / below;
}

}  // namespace

TEST_CASE("token cross-entropy: a token worked by hand", "[tokens]") {
  // z = (log 1, log 2, log 5), p = (1, 2, 5) / 8; the target is the middle one: l = log 4.
  const std::vector<double> logits{0, std::log(2.0), std::log(5.0)};
  const std::vector<std::uint32_t> targets{1};
  const rg::TokenView<double> view{.logits = logits, .vocabulary = 3, .targets = targets};
  std::vector<double> gradient(3), curvature(3);
  CHECK(rg::value_gradient_and_curvature(rg::TokenCrossEntropy{}, view, gradient, curvature) == Approx(std::log(4.0)).epsilon(1e-12));
  CHECK(gradient[0] == Approx(1.0 / 8).epsilon(1e-12));
  CHECK(gradient[1] == Approx(-3.0 / 4).epsilon(1e-12));
  CHECK(gradient[2] == Approx(5.0 / 8).epsilon(1e-12));
  CHECK(curvature[0] == Approx(7.0 / 64).epsilon(1e-12));
  CHECK(curvature[1] == Approx(3.0 / 16).epsilon(1e-12));
  CHECK(curvature[2] == Approx(15.0 / 64).epsilon(1e-12));
  // 0.3 of smoothing. Over all: q = (.1, .8, .1), l = .1 log 8 + .8 log 4 + .1 log 1.6; over others: q = (.15, .7, .15).
  rg::TokenCrossEntropy loss{.label_smoothing = 0.3};
  CHECK(rg::value_and_gradient(loss, view, gradient) == Approx(0.1 * std::log(8.0) + 0.8 * std::log(4.0) + 0.1 * std::log(1.6)).epsilon(1e-12));
  CHECK(gradient[0] == Approx(1.0 / 8 - 0.1).epsilon(1e-12));
  CHECK(gradient[1] == Approx(1.0 / 4 - 0.8).epsilon(1e-12));
  loss.smoothing = rg::LabelSmoothing::other_tokens;
  CHECK(rg::value_and_gradient(loss, view, gradient) == Approx(0.15 * std::log(8.0) + 0.7 * std::log(4.0) + 0.15 * std::log(1.6)).epsilon(1e-12));
  CHECK(gradient[1] == Approx(1.0 / 4 - 0.7).epsilon(1e-12));
  CHECK(gradient[2] == Approx(5.0 / 8 - 0.15).epsilon(1e-12));
}

TEST_CASE("token cross-entropy: value, gradient and curvature of every reduction and smoothing are those of the definition", "[tokens]") {
  for (const std::size_t V : {2u, 3u, 9u, 70u}) {
    test::TokenBatch<double> batch({0, 3, 3, 8, 9}, V, static_cast<unsigned>(V));
    for (const bool decorated : {false, true}) {
      if (decorated) batch.decorate();
      for (const auto reduction : {rg::SequenceReduction::token_mean, rg::SequenceReduction::sequence_mean, rg::SequenceReduction::sum})
        for (const auto normalizer : {rg::TokenNormalizer::weight_sum, rg::TokenNormalizer::count})
          for (const auto smoothing : {rg::LabelSmoothing::all_tokens, rg::LabelSmoothing::other_tokens})
            for (const double e : {0.0, 0.1, 0.8}) {
              const rg::TokenCrossEntropy loss{.label_smoothing = e, .smoothing = smoothing, .reduction = reduction, .normalizer = normalizer};
              const auto view = batch.view();
              const auto definition = [&](const Logits& z) { return defined(loss, view, z); };
              std::vector<double> gradient(batch.logits.size(), 7), curvature(batch.logits.size(), 7);
              const double value = rg::value_gradient_and_curvature(loss, view, gradient, curvature);
              CHECK(value == Approx(static_cast<double>(test::moved(definition, batch.logits, 0, 0))).epsilon(1e-12));
              for (std::size_t k = 0; k < gradient.size(); k += 1 + V / 8) {
                CHECK(gradient[k] == Approx(static_cast<double>(test::first_derivative(definition, batch.logits, k))).margin(1e-9));
                CHECK(curvature[k] == Approx(static_cast<double>(test::second_derivative(definition, batch.logits, k))).margin(1e-7));
              }
            }
    }
  }
}

TEST_CASE("token cross-entropy: rows longer than a block, rising and falling, in float", "[tokens]") {
  test::TokenBatch<double> batch({0, 4}, 3001, 5, 3);
  for (std::size_t v = 0; v < 3001; ++v) {
    batch.logits[v] = static_cast<double>(v) / 100;          // every block raises the highest logit
    batch.logits[3001 + v] = -static_cast<double>(v) / 100;
  }
  batch.targets = {3000, 3000, 0, 1500};
  const auto narrow = batch.as<float>();
  const rg::TokenCrossEntropy loss{.label_smoothing = 0.1};
  Logits z(narrow.logits.begin(), narrow.logits.end());
  std::vector<float> gradient(z.size());
  const auto exact = static_cast<double>(defined(loss, batch.view(), z));
  CHECK(rg::value_and_gradient(loss, narrow.view(), gradient) == Approx(exact).epsilon(1e-6));
  for (std::size_t t = 0; t < 4; ++t) {
    const Logits p = test::probabilities(&z[t * 3001], 3001);
    double worst = 0;
    for (std::size_t v = 0; v < 3001; ++v) {
      const long double q = (v == batch.targets[t] ? 0.9L : 0) + 0.1L / 3001;
      worst = std::max(worst, std::abs(static_cast<double>((p[v] - q) / 4) - static_cast<double>(gradient[t * 3001 + v])));
    }
    CHECK(worst < 1e-7);
  }
}

TEST_CASE("token cross-entropy: a token that is nearly certain keeps the relative accuracy of its loss", "[tokens]") {
  const std::vector<float> logits{30, 0, 1};
  const std::vector<std::uint32_t> targets{0};
  std::vector<float> gradient(3);
  const double exact = std::log1p(std::exp(-30.0) * (1 + std::exp(1.0)));
  CHECK(rg::value_and_gradient(rg::TokenCrossEntropy{}, rg::TokenView<float>{.logits = logits, .vocabulary = 3, .targets = targets}, gradient) ==
        Approx(exact).epsilon(1e-6).margin(0));
  CHECK(gradient[0] == Approx(-exact).epsilon(1e-6).margin(0));
}

TEST_CASE("token cross-entropy: extremes stay finite, forbidden tokens are none", "[tokens]") {
  const float inf = std::numeric_limits<float>::infinity();
  const std::vector<std::uint32_t> targets{1, 0, 1, 2};
  const std::vector<float> logits{1e4f, -1e4f, 0, 1e4f, -1e4f, 0, -inf, 2, 1, -inf, -inf, 5};
  const rg::TokenView<float> view{.logits = logits, .vocabulary = 3, .targets = targets};
  std::vector<float> gradient(12), curvature(12);
  const float value = rg::value_gradient_and_curvature(rg::TokenCrossEntropy{.reduction = rg::SequenceReduction::sum}, view, gradient, curvature);
  CHECK(value == Approx(2e4 + std::log1p(std::exp(-1.0))).epsilon(1e-6));
  CHECK(gradient[0] == 1.0f);
  CHECK(gradient[1] == -1.0f);
  for (const std::size_t k : {2u, 3u, 4u, 5u, 6u, 9u, 10u, 11u}) CHECK(gradient[k] == 0.0f);
  for (const float h : curvature) CHECK((h >= 0 && h <= 0.25f));
  const rg::TokenView<float> finite{.logits = std::span(logits).first(6), .vocabulary = 3, .targets = std::span(targets).first(2)};
  const float smoothed = rg::value(rg::TokenCrossEntropy{.label_smoothing = 0.1}, finite);
  CHECK(std::isfinite(smoothed));
}

TEST_CASE("token cross-entropy: NaN stays in its own token; absent tokens are not read", "[tokens]") {
  test::TokenBatch<double> batch({0, 4}, 20, 3);
  batch.mask = {1, 0, 1, 1};
  const double clean = rg::value(rg::TokenCrossEntropy{}, batch.view());
  for (std::size_t v = 0; v < 20; ++v) batch.logits[20 + v] = std::nan("");
  batch.targets[1] = 99;
  CHECK(rg::value(rg::TokenCrossEntropy{}, batch.view()) == clean);
  batch.logits[2 * 20 + 7] = std::nan("");
  std::vector<double> gradient(80, 3);
  CHECK(std::isnan(rg::value_and_gradient(rg::TokenCrossEntropy{}, batch.view(), gradient)));
  for (std::size_t v = 0; v < 20; ++v) {
    CHECK(std::isfinite(gradient[v]));
    CHECK(gradient[20 + v] == 0.0);
    CHECK(std::isnan(gradient[40 + v]));
    CHECK(std::isfinite(gradient[60 + v]));
  }
}

TEST_CASE("token cross-entropy: the ignored index, the mask and the weight 0 are one and the same, and a weight of 2 is the token twice", "[tokens]") {
  test::TokenBatch<double> batch({0, 2, 5}, 11, 8);
  auto masked = batch, weighted = batch, ignored = batch;
  masked.mask = {1, 1, 0, 1, 1};
  weighted.weights = {1, 1, 0, 1, 1};
  ignored.targets[2] = static_cast<std::uint32_t>(-100);
  auto view = ignored.view();
  view.ignore_index = static_cast<std::uint32_t>(-100);
  for (const auto reduction : {rg::SequenceReduction::token_mean, rg::SequenceReduction::sequence_mean, rg::SequenceReduction::sum})
    for (const auto normalizer : {rg::TokenNormalizer::weight_sum, rg::TokenNormalizer::count}) {
      const rg::TokenCrossEntropy loss{.reduction = reduction, .normalizer = normalizer};
      std::vector<double> a(55), b(55), c(55);
      const double value = rg::value_and_gradient(loss, masked.view(), a);
      CHECK(rg::value_and_gradient(loss, weighted.view(), b) == value);
      CHECK(rg::value_and_gradient(loss, view, c) == value);
      CHECK(a == b);
      CHECK(a == c);
    }
  auto twice = batch, doubled = batch;
  twice.targets.push_back(twice.targets[4]);
  twice.logits.insert(twice.logits.end(), batch.logits.begin() + 44, batch.logits.end());
  twice.offsets = {0, 2, 6};
  doubled.weights = {1, 1, 1, 1, 2};
  for (const auto reduction : {rg::SequenceReduction::token_mean, rg::SequenceReduction::sequence_mean, rg::SequenceReduction::sum})
    CHECK(rg::value(rg::TokenCrossEntropy{.reduction = reduction}, twice.view()) ==
          Approx(rg::value(rg::TokenCrossEntropy{.reduction = reduction}, doubled.view())).epsilon(1e-13));
}

TEST_CASE("token cross-entropy: nothing to predict is no signal", "[tokens]") {
  const rg::TokenCrossEntropy loss;
  rg::Workspace workspace;
  CHECK_FALSE(loss.value_and_gradient(rg::TokenView<double>{}, rg::GradientSink<double>{}, workspace).valid);
  test::TokenBatch<double> batch({0, 2}, 5, 1);
  batch.mask = {0, 0};
  std::vector<double> gradient(10, 4), curvature(10, 4);
  CHECK_FALSE(loss.value_and_gradient(batch.view(), rg::GradientSink<double>{gradient.data()}, workspace).valid);
  CHECK(gradient == std::vector<double>(10, 4));
  CHECK(rg::value_gradient_and_curvature(loss, batch.view(), gradient, curvature) == 0.0);
  CHECK(gradient == std::vector<double>(10, 0));
  CHECK(curvature == std::vector<double>(10, 0));
  test::TokenBatch<double> certain({0, 2}, 1, 1);
  std::vector<double> two(2, 4);
  for (const double e : {0.0, 0.1}) {
    CHECK(rg::value_and_gradient(rg::TokenCrossEntropy{.label_smoothing = e, .smoothing = rg::LabelSmoothing::other_tokens}, certain.view(), two) == 0.0);
    CHECK(two == std::vector<double>(2, 0));
  }
}

TEST_CASE("token cross-entropy: adding, writing over and writing over the logits agree", "[tokens]") {
  test::TokenBatch<float> batch({0, 3, 9}, 133, 4);
  batch.decorate();
  const rg::TokenCrossEntropy loss{.label_smoothing = 0.1};
  std::vector<float> over(batch.logits.size(), 5), added(batch.logits.size(), 0), h_over(over), h_added(added);
  const float value = rg::value_gradient_and_curvature(loss, batch.view(), over, h_over);
  rg::Workspace workspace;
  CHECK(loss.value_and_gradient(batch.view(), rg::GradientSink<float>{added.data(), h_added.data()}, workspace).value == value);
  CHECK(over == added);
  CHECK(h_over == h_added);
  loss.value_and_gradient(batch.view(), rg::GradientSink<float>{added.data(), nullptr, 2}, workspace);
  for (std::size_t k = 0; k < over.size(); ++k) CHECK(added[k] == Approx(3 * over[k]).margin(1e-7));
  CHECK(rg::value_and_gradient(loss, batch.view(), std::span<float>(batch.logits)) == value);
  CHECK(batch.logits == over);
  // A mixture has nothing to write over with, and adds.
  test::TokenBatch<float> again({0, 3, 9}, 133, 4);
  again.decorate();
  std::vector<float> mixed(over.size(), 9);
  CHECK(rg::value_and_gradient(0.5 * loss + 0.5 * loss, again.view(), mixed) == Approx(value));
  for (std::size_t k = 0; k < over.size(); ++k) CHECK(mixed[k] == Approx(over[k]).margin(1e-8));
}

TEST_CASE("token cross-entropy: the same bits for any number of threads, and no allocation once warm", "[tokens]") {
  test::TokenBatch<float> batch({0, 50, 51, 300}, 517, 9);
  batch.mask.assign(300, 1);
  batch.mask[7] = 0;
  const rg::TokenCrossEntropy loss{.label_smoothing = 0.1, .reduction = rg::SequenceReduction::sequence_mean};
  std::vector<float> alone(batch.logits.size()), together(alone), h_alone(alone), h_together(alone);
  rg::TokenEvaluator evaluate;
  const float value = evaluate.with_curvature(loss, batch.view(), alone, h_alone, 0);
  const rg::exec::Threads pool(3);
  for (int k = 0; k < 3; ++k) {
    CHECK(evaluate.with_curvature(loss, batch.view(), together, h_together, 0, pool) == value);
    CHECK(alone == together);
    CHECK(h_alone == h_together);
  }
  CHECK(rg::value_and_gradient(loss, batch.view(), together) == value);
  CHECK(alone == together);
  const std::size_t warm = evaluate.growths();
  evaluate(loss, batch.view(), together, pool);
  CHECK(evaluate.growths() == warm);
}

TEST_CASE("token cross-entropy of log-probabilities", "[tokens]") {
  const std::vector<double> logs{-0.5, -1.5, -2}, weights{1, 2, 1};
  const std::vector<std::uint32_t> offsets{0, 1, 3};
  const rg::LogProbabilityView<double> view{.log_probabilities = logs, .offsets = offsets, .weights = weights};
  std::vector<double> gradient(3);
  CHECK(rg::value_and_gradient(rg::TokenCrossEntropy{}, view, gradient) == Approx((0.5 + 3 + 2) / 4));
  CHECK(gradient == std::vector<double>{-0.25, -0.5, -0.25});
  CHECK(rg::value_and_gradient(rg::TokenCrossEntropy{.reduction = rg::SequenceReduction::sequence_mean}, view, gradient) == Approx((0.5 + 5.0 / 3) / 2));
  CHECK(gradient[1] == Approx(-1.0 / 3));
  CHECK_THROWS_WITH(rg::value(rg::TokenCrossEntropy{.label_smoothing = 0.1}, view), contains("needs the logits of all tokens"));
}

TEST_CASE("tokens: input is checked at the door, with what and where", "[tokens]") {
  test::TokenBatch<double> batch({0, 2, 4}, 6, 1);
  std::vector<double> gradient(24);
  const auto message = [&](const rg::TokenView<double>& view) {
    const rg::Status status = rg::validate(view);
    CHECK_FALSE(status);
    CHECK_THROWS_AS(rg::value_and_gradient(rg::TokenCrossEntropy{}, view, gradient), std::invalid_argument);
    return std::string(status.message());
  };
  CHECK(rg::validate(batch.view()));
  auto bad = batch;
  bad.targets[2] = 6;
  CHECK(message(bad.view()) == "rankgrad: targets[2] is 6; the vocabulary has 6 tokens (mask it, or make it ignore_index)");
  bad = batch;
  bad.logits.pop_back();
  CHECK(message(bad.view()) == "rankgrad: logits has 23 elements where 24 are expected");
  bad = batch;
  bad.offsets = {0, 3, 2, 4};
  CHECK(message(bad.view()) == "rankgrad: offsets[2] is 2, below offsets[1], which is 3");
  bad = batch;
  bad.offsets = {0, 3};
  CHECK(message(bad.view()) == "rankgrad: the last of offsets is 3; there are 4 tokens");
  bad = batch;
  bad.weights = {1, -1, 1, 1};
  CHECK_THAT(message(bad.view()), contains("weights[1] is -1"));
  bad = batch;
  bad.sequence_weights = {1};
  CHECK(message(bad.view()) == "rankgrad: sequence_weights has 1 elements where 2 are expected");
  bad = batch;
  bad.vocabulary = 0;
  CHECK(message(bad.view()) == "rankgrad: the vocabulary of 4 tokens is 0");
  CHECK_FALSE(rg::TokenCrossEntropy{.label_smoothing = 1}.check());
  CHECK_FALSE(rg::TokenCrossEntropy{.label_smoothing = -0.1}.check());
}

TEST_CASE("rank importance: weights of the identifiers, 1 for separators", "[tokens]") {
  const rg::RankImportance importance;
  CHECK(importance(0) == 1.0);
  CHECK(importance(1) == Approx(2.0));
  CHECK(importance(3) == Approx(1.5));
  CHECK(importance(100) == Approx(1 + 1 / 6.658211482751795).epsilon(1e-12));   // log2(101)
  CHECK(rg::RankImportance{.base = 4, .offset = 3}(1) == Approx(2.0));
  CHECK_FALSE(rg::RankImportance{.base = 1}.check());
  CHECK_FALSE(rg::RankImportance{.offset = 0}.check());
  // "[ 4 ] > [ 1 2 ] end": the brackets, every digit and what follows the last identifier share its rank.
  const std::vector<std::uint32_t> targets{10, 4, 11, 77, 10, 1, 2, 11, 2};
  std::vector<std::uint32_t> ranks(9);
  CHECK(rg::ranks_by_separator(targets, 77, 2, ranks));
  CHECK(ranks == std::vector<std::uint32_t>{1, 1, 1, 0, 2, 2, 2, 2, 2});
  CHECK(std::string(rg::ranks_by_separator(targets, 78, 2, ranks).message()) ==
        "rankgrad: the target has 0 separators (token 78); a ranking of 2 items has 1");
}

TEST_CASE("rank importance: the importance-aware objective divides by the number of tokens", "[tokens]") {
  test::TokenBatch<double> batch({0, 5}, 9, 2);
  batch.targets = {3, 8, 1, 8, 2};
  std::vector<std::uint32_t> ranks(5);
  CHECK(rg::ranks_by_separator(batch.targets, 8, 3, ranks));
  batch.weights.resize(5);
  rg::RankImportance{}(ranks, std::span<double>(batch.weights));
  long double sum = 0, weights = 0;
  const double w[5] = {2, 1, 1 + 1 / std::log2(3.0), 1, 1.5};
  for (std::size_t t = 0; t < 5; ++t) {
    const Logits z(batch.logits.begin() + static_cast<std::ptrdiff_t>(t * 9), batch.logits.begin() + static_cast<std::ptrdiff_t>(t * 9 + 9));
    sum += w[t] * (test::log_sum_exp(z.data(), 9) - z[batch.targets[t]]);
    weights += w[t];
  }
  CHECK(rg::value(rg::TokenCrossEntropy{.normalizer = rg::TokenNormalizer::count}, batch.view()) == Approx(static_cast<double>(sum / 5)).epsilon(1e-12));
  CHECK(rg::value(rg::TokenCrossEntropy{}, batch.view()) == Approx(static_cast<double>(sum / weights)).epsilon(1e-12));
}
