#include <rankgrad/tokens/sequence_score.hpp>

#include "support/catch.hpp"
#include "tokens/token_batch.hpp"

#include <rankgrad/listwise/softmax.hpp>
#include <rankgrad/pairwise/ranknet.hpp>

namespace rg = rankgrad;
using test::Logits;
using Mode = rg::SequenceScore::Mode;

namespace {
/// The scores of all sequences of a view without weights, from any logits.
Logits defined(const rg::SequenceScore& score, const rg::TokenView<double>& view, const Logits& z) {
  Logits scores;
  for (std::size_t q = 0; q + 1 < view.offsets.size(); ++q) {
    long double sum = 0, length = 0;
    for (std::size_t t = view.offsets[q]; t < view.offsets[q + 1]; ++t) {
      if (!view.mask.empty() && !view.mask[t]) continue;
      const long double log_p = z[t * view.vocabulary + view.targets[t]] - test::log_sum_exp(&z[t * view.vocabulary], view.vocabulary);
      sum += score.mode == Mode::probability ? std::exp(log_p) : log_p;
      length += 1;
    }
    scores.push_back(length == 0 ? 0 : score.scale * sum / std::pow(length + score.adding, static_cast<long double>(score.alpha)));
  }
  return scores;
}
}  // namespace

TEST_CASE("sequence score: lengths by hand", "[tokens]") {
  const std::vector<double> logs{-1, -2, -3, -4};
  const std::vector<std::uint32_t> offsets{0, 1, 1, 4};
  const rg::LogProbabilityView<double> view{.log_probabilities = logs, .offsets = offsets};
  rg::Workspace workspace;
  std::vector<double> scores(3), gradient(4, 9);
  rg::SequenceScore{}.scores(view, scores, workspace);
  CHECK(scores == std::vector<double>{-1, 0, -3});   // the mean; an empty sequence scores 0
  rg::SequenceScore{.alpha = 2, .adding = 1, .scale = 0.5}.scores(view, scores, workspace);
  CHECK(scores[0] == Approx(-0.5 / 4));
  CHECK(scores[2] == Approx(-0.5 * 9 / 16));
  rg::SequenceScore{.mode = Mode::probability}.scores(view, scores, workspace);
  CHECK(scores[2] == Approx((std::exp(-2) + std::exp(-3) + std::exp(-4)) / 3));
  const std::vector<double> of_scores{2, 5, -3};
  rg::SequenceScore{.alpha = 2}.backward(view, of_scores, gradient, workspace);
  CHECK(gradient[0] == Approx(2.0));
  for (const std::size_t t : {1u, 2u, 3u}) CHECK(gradient[t] == Approx(-3.0 / 9));
  // Absent tokens do not count in the length.
  const std::vector<std::uint8_t> mask{1, 1, 0, 1};
  auto masked = view;
  masked.mask = mask;
  rg::SequenceScore{}.scores(masked, scores, workspace);
  CHECK(scores[2] == Approx(-3.0));
  rg::SequenceScore{}.backward(masked, of_scores, gradient, workspace);
  CHECK(gradient == std::vector<double>{2, -1.5, 0, -1.5});
}

TEST_CASE("sequence score: a weight of 2 is the token twice", "[tokens]") {
  const std::vector<double> logs{-1, -2}, twice{-1, -2, -2}, weights{1, 2}, one{1};
  rg::Workspace workspace;
  for (const auto mode : {Mode::log_probability, Mode::probability}) {
    const rg::SequenceScore score{.alpha = 0.6, .adding = 1, .mode = mode};
    std::vector<double> a(1), b(1), by_weight(2), by_token(3);
    score.scores(rg::LogProbabilityView<double>{.log_probabilities = logs, .weights = weights}, a, workspace);
    score.scores(rg::LogProbabilityView<double>{.log_probabilities = twice}, b, workspace);
    CHECK(a[0] == Approx(b[0]).epsilon(1e-14));
    score.backward(rg::LogProbabilityView<double>{.log_probabilities = logs, .weights = weights}, one, by_weight, workspace);
    score.backward(rg::LogProbabilityView<double>{.log_probabilities = twice}, one, by_token, workspace);
    CHECK(by_weight[0] == Approx(by_token[0]).epsilon(1e-14));
    CHECK(by_weight[1] == Approx(by_token[1] + by_token[2]).epsilon(1e-14));
  }
}

TEST_CASE("sequence score: log-probabilities of targets, and their chain back", "[tokens]") {
  test::TokenBatch<double> batch({0, 2, 5}, 17, 3);
  batch.mask = {1, 1, 0, 1, 1};
  rg::Workspace workspace;
  std::vector<double> logs(5, 9), gradient(85, 9);
  rg::token_log_probabilities(batch.view(), logs, workspace);
  const Logits z(batch.logits.begin(), batch.logits.end());
  for (const std::size_t t : {0u, 1u, 3u, 4u})
    CHECK(logs[t] == Approx(static_cast<double>(z[17 * t + batch.targets[t]] - test::log_sum_exp(&z[17 * t], 17))).epsilon(1e-12));
  CHECK(logs[2] == 0.0);
  const std::vector<double> g{1, -2, 3, 0, 0.5};
  rg::backward_log_probabilities(batch.view(), g, gradient, workspace);
  for (std::size_t t = 0; t < 5; ++t) {
    const Logits p = test::probabilities(&z[17 * t], 17);
    for (std::size_t v = 0; v < 17; ++v)
      CHECK(gradient[17 * t + v] == Approx(t == 2 ? 0 : g[t] * ((v == batch.targets[t]) - static_cast<double>(p[v]))).margin(1e-13));
  }
  auto twice = gradient;
  rg::backward_log_probabilities<false>(batch.view(), g, twice, workspace);
  for (std::size_t k = 0; k < 85; ++k) CHECK(twice[k] == Approx(2 * gradient[k]).margin(1e-15));
}

TEST_CASE("sequence score: a ranking loss of candidates trains their logits", "[tokens]") {
  test::TokenBatch<double> batch({0, 3, 4, 9, 11}, 13, 12);
  batch.mask = {1, 1, 0, 1, 1, 1, 1, 1, 0, 1, 1};
  const std::vector<double> quality{1, 3, 2, 0};
  const auto view = batch.view();
  rg::Workspace workspace;
  for (const auto mode : {Mode::log_probability, Mode::probability})
    for (const double alpha : {0.6, 1.0, 2.0}) {
      const rg::SequenceScore score{.alpha = alpha, .adding = 0.5, .scale = 3, .mode = mode};
      std::vector<double> scores(4), of_scores(4), gradient(batch.logits.size(), 5);
      score.scores(view, scores, workspace);
      const auto expected = defined(score, view, Logits(batch.logits.begin(), batch.logits.end()));
      for (std::size_t q = 0; q < 4; ++q) CHECK(scores[q] == Approx(static_cast<double>(expected[q])).epsilon(1e-12));
      rg::value_and_gradient(rg::RankNet{.normalize = rg::Normalize::sum}, rg::ListView<double>{.scores = scores, .labels = quality}, of_scores, workspace);
      score.backward(view, of_scores, gradient, workspace);
      const auto definition = [&](const Logits& z) {
        const Logits s = defined(score, view, z);
        long double sum = 0;
        for (std::size_t i = 0; i < 4; ++i)
          for (std::size_t j = 0; j < 4; ++j)
            if (quality[i] > quality[j]) sum += std::log1p(std::exp(s[j] - s[i]));
        return sum;
      };
      for (std::size_t k = 0; k < gradient.size(); k += 3)
        CHECK(gradient[k] == Approx(static_cast<double>(test::first_derivative(definition, batch.logits, k))).margin(1e-9));
      auto in_place = batch;
      score.backward(in_place.view(), of_scores, std::span<double>(in_place.logits), workspace);
      CHECK(in_place.logits == gradient);
    }
}

TEST_CASE("sequence score: scratch is kept, and bad input is named", "[tokens]") {
  test::TokenBatch<float> batch({0, 3, 9}, 40, 1);
  rg::Workspace workspace;
  std::vector<float> scores(2), gradient(batch.logits.size());
  const rg::SequenceScore score{.mode = Mode::probability};
  score.scores(batch.view(), scores, workspace);
  score.backward(batch.view(), scores, gradient, workspace);
  const std::size_t warm = workspace.growths();
  score.scores(batch.view(), scores, workspace);
  score.backward(batch.view(), scores, gradient, workspace);
  CHECK(workspace.growths() == warm);
  CHECK_THROWS_WITH(score.scores(batch.view(), std::span<float>(scores).first(1), workspace), contains("scores and sequences differ"));
  CHECK_FALSE(rg::SequenceScore{.alpha = -1}.check());
  CHECK_FALSE(rg::SequenceScore{.adding = -1}.check());
  CHECK_FALSE(rg::SequenceScore{.scale = std::nan("")}.check());
}

TEST_CASE("path score: the sum over the hops of a path", "[tokens]") {
  const std::vector<double> titles{-1, -2, -3}, sentences{-0.5, -0.25, -0.125};
  const std::vector<std::uint32_t> offsets{0, 2, 3};
  std::vector<double> scores(2);
  rg::path_scores<double>(titles, sentences, offsets, scores);
  CHECK(scores == std::vector<double>{-3.75, -3.125});
  rg::path_scores<double>(titles, {}, offsets, scores);
  CHECK(scores == std::vector<double>{-3, -3});
}
