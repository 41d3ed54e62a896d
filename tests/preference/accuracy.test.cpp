#include "preference/pairs.hpp"
#include "support/catch.hpp"

#include <rankgrad/preference/difficulty.hpp>

#include <cmath>
#include <vector>

namespace rg = rankgrad;

namespace {

const std::vector<double> chosen{-10, -20, -30, -4}, rejected{-10, -19, -40, -6}, reference_chosen{-12, -25, -28, -6},
    reference_rejected{-9, -20, -29, -4}, chosen_lengths{10, 40, 10, 4}, rejected_lengths{5, 19, 20, 4}, weights{1, 2, 3, 2};
const rg::PreferenceView<double> pairs{.chosen = chosen, .rejected = rejected, .reference_chosen = reference_chosen,
                                       .reference_rejected = reference_rejected, .chosen_lengths = chosen_lengths,
                                       .rejected_lengths = rejected_lengths};

}  // namespace

TEST_CASE("ranking accuracy counts equal answers as right", "[preference]") {
  // D = (0, -1, 10, 2); per token (-1 + 2, -0.5 + 1, -3 + 2, -1 + 1.5).
  CHECK(rg::RankingAccuracy{}(pairs).value == 0.75);
  CHECK(rg::RankingAccuracy{.likelihood = rg::AnswerLikelihood::log_probability_per_token}(pairs).value == 0.75);
  auto weighted = pairs;
  weighted.weights = weights;
  CHECK(rg::RankingAccuracy{}(weighted).value == Approx(6.0 / 8));
  const std::vector<std::uint8_t> mask{1, 1, 0, 0}, none{0, 0, 0, 0};
  weighted.mask = mask;
  CHECK(rg::RankingAccuracy{}(weighted).value == Approx(1.0 / 3));
  weighted.mask = none;
  CHECK_FALSE(rg::RankingAccuracy{}(weighted).valid);
  CHECK_FALSE(rg::RankingAccuracy{}(rg::PreferenceView<double>{}).valid);
}

TEST_CASE("ranking accuracy with the raters' shares", "[preference]") {
  // Pair 0 tied and equal: right. Pair 1: most prefer the rejected one, and so does the policy: right. Pair 2: right. Pair 3 tied,
  // but 2 nats apart: wrong, unless whole probabilities are compared, e^-4 - e^-6 = 0.0158 - which is above 0.01 too, so with 0.02.
  const std::vector<double> share{0.5, 0.25, 0.75, 0.5};
  auto shared = pairs;
  shared.chosen_share = share;
  CHECK(rg::RankingAccuracy{}(shared).value == 0.75);
  CHECK(rg::RankingAccuracy{.tie_threshold = 3}(shared).value == 1.0);
  CHECK(rg::RankingAccuracy{.likelihood = rg::AnswerLikelihood::probability}(shared).value == 0.75);
  CHECK(rg::RankingAccuracy{.likelihood = rg::AnswerLikelihood::probability, .tie_threshold = 0.02}(shared).value == 1.0);
  // Per token: pair 0 is 1 nat apart (wrong), pair 1 prefers the chosen (wrong), pair 2 the rejected (wrong), pair 3 half a nat.
  CHECK(rg::RankingAccuracy{.likelihood = rg::AnswerLikelihood::log_probability_per_token, .tie_threshold = 0.6}(shared).value == 0.25);
  // e^-1 - e^-1.5 = 0.145, e^-1 - e^-2 = 0.233.
  CHECK(rg::RankingAccuracy{.likelihood = rg::AnswerLikelihood::probability_per_token, .tie_threshold = 0.2}(shared).value == 0.25);
  CHECK(rg::RankingAccuracy{.likelihood = rg::AnswerLikelihood::probability_per_token, .tie_threshold = 0.24}(shared).value == 0.5);
  // A strict order asks for a strict majority of probability.
  const std::vector<double> clear{1, 0, 1, 1};
  shared.chosen_share = clear;
  CHECK(rg::RankingAccuracy{}(shared).value == 0.75);   // pair 0 is equal, and no longer right
}

TEST_CASE("reward accuracy is not ranking accuracy", "[preference]") {
  // R = (-3, -5, 1, -2), D - R = (3, 4, 9, 4).
  CHECK(rg::reward_accuracy(pairs).value == 1.0);
  auto alone = pairs;
  alone.reference_chosen = alone.reference_rejected = {};
  CHECK(rg::reward_accuracy(alone).value == 0.5);   // D > 0, strictly
}

TEST_CASE("idealised ranking accuracy and the alignment gap", "[preference]") {
  // All raters agree: log(999) / beta = 6.907 / beta against -R = (3, 5, -1, 2).
  CHECK(rg::idealised_ranking_accuracy(pairs, 1).value == 1.0);
  CHECK(rg::idealised_ranking_accuracy(pairs, 2).value == 0.75);   // 3.45
  CHECK(rg::idealised_ranking_accuracy(pairs, 3).value == 0.5);    // 2.30
  CHECK(rg::idealised_ranking_accuracy(pairs, 10).value == 0.25);
  CHECK(rg::alignment_gap(pairs, 1).value == 0.25);
  CHECK(rg::alignment_gap(pairs, 10).value == -0.5);
  const auto range = rg::idealised_ranking_accuracies(pairs);   // betas 0.01, 0.1, 1, 5 (1.38), 10
  CHECK((range.valid && range.lowest == 0.25 && range.median == 1.0 && range.highest == 1.0));
  const auto even = rg::idealised_ranking_accuracies<double, 4>(pairs, {10, 2, 3, 1});
  CHECK((even.lowest == 0.25 && even.median == 0.625 && even.highest == 1.0));
  // Shares of 3/4 are worth log 3 = 1.0986 nats: at beta = 1/2, 2.197 beat R = -2 and not -3, -5. A quarter: the other way.
  const std::vector<double> most(4, 0.75), few(4, 0.25), half(4, 0.5);
  auto shared = pairs;
  shared.chosen_share = most;
  CHECK(rg::idealised_ranking_accuracy(shared, 0.5).value == 0.5);
  shared.chosen_share = few;
  CHECK(rg::idealised_ranking_accuracy(shared, 0.5).value == 1.0);   // R - 2.197 < 0 for all
  shared.chosen_share = half;
  CHECK(rg::idealised_ranking_accuracy(shared, 0.5).value == 0.25);  // R alone
  CHECK_FALSE(rg::idealised_ranking_accuracies(rg::PreferenceView<double>{}).valid);
  CHECK_THROWS_WITH(rg::idealised_ranking_accuracy(pairs, 0), contains("beta"));
}

TEST_CASE("a whole order is right or wrong", "[preference]") {
  const std::vector<double> falling{-1, -2, -2, -9}, broken{-1, -2, -1.5, -9};
  CHECK(rg::ranked_in_order(std::span<const double>(falling)));
  CHECK_FALSE(rg::ranked_in_order(std::span<const double>(broken)));
  CHECK(rg::ranked_in_order(std::span<const double>()));
}

TEST_CASE("a pair is ranked rightly exactly below its threshold", "[preference]") {
  auto own = test::make_pairs<double>(200, 8, false, 3);
  const auto view = own.view();
  std::size_t right = 0;
  for (std::size_t i = 0; i < own.size(); ++i) {
    const rg::PreferenceView<double> pair{.chosen = view.chosen.subspan(i, 1), .rejected = view.rejected.subspan(i, 1),
                                          .reference_chosen = view.reference_chosen.subspan(i, 1), .reference_rejected = view.reference_rejected.subspan(i, 1),
                                          .chosen_lengths = view.chosen_lengths.subspan(i, 1), .rejected_lengths = view.rejected_lengths.subspan(i, 1)};
    right += view.policy_ratio(i) >= 0;
    for (const double gamma : {0.0, 0.5, 1.0, 2.0}) {
      const rg::Dpo dpo{.beta = 0.3, .gamma = gamma};
      const auto d = rg::difficulty(dpo, view, i);
      CHECK(d.loss == Approx(rg::value(dpo, pair)).epsilon(1e-12));
      CHECK((d.slack() <= 0) == (view.policy_ratio(i) >= 0));
      CHECK((d.required_drop() <= 0) == (view.reference_ratio(i) >= 0));
      if (gamma == 1) CHECK(d.initial == Approx(std::log(2.0)).epsilon(1e-14));
    }
    const rg::Ipo ipo{.tau = 0.2};
    const auto p = rg::difficulty(ipo, view, i);
    CHECK(p.loss == Approx(rg::value(ipo, pair)).epsilon(1e-12).margin(1e-12));
    if (p.slack() <= 0) CHECK(view.policy_ratio(i) >= 0);
    if (p.threshold < 0) CHECK(view.reference_ratio(i) + ipo.margin() < 0);   // at loss 0, D = R + margin
    const rg::SimPo simpo{};
    const auto s = rg::difficulty(simpo, view, i);
    CHECK(s.loss == Approx(rg::value(simpo, pair)).epsilon(1e-12));
    CHECK((s.slack() <= 0) == (view.policy_ratio_per_token(i) >= 0));
  }
  CHECK((right > 50 && right < 150));
}

TEST_CASE("difficulty by hand", "[preference]") {
  // Pair 0: R = -3, beta 0.1: threshold log(1 + e^-0.3) = 0.5544, loss now log(1 + e^-0.3) too, for D = 0.
  const auto d = rg::difficulty(rg::Dpo{}, pairs, 0);
  CHECK(d.threshold == Approx(std::log1p(std::exp(-0.3))).epsilon(1e-14));
  CHECK(d.slack() == Approx(0).margin(1e-16));
  CHECK(d.required_drop() == Approx(std::log(2.0) - std::log1p(std::exp(-0.3))).epsilon(1e-13));
  // Where the reference is right already, a loss of 0.6 is low enough.
  CHECK(rg::difficulty(rg::Dpo{}, pairs, 2).threshold > 0.6);
  // IPO, tau = 1/4: margin 2. Pair 0: -3 < -2, no loss is enough. Pair 3: R = -2, threshold 0. Pair 2: (1 + 2)^2.
  CHECK(rg::difficulty(rg::Ipo{.tau = 0.25}, pairs, 0).threshold == -1);
  CHECK(rg::difficulty(rg::Ipo{.tau = 0.25}, pairs, 3).threshold == 0);
  CHECK(rg::difficulty(rg::Ipo{.tau = 0.25}, pairs, 2).threshold == 9);
}

TEST_CASE("the difficulty per token asks for lengths", "[preference]") {
  const std::vector<double> liked{-1}, disliked{-2};
  rg::PreferenceView<double> view;
  view.chosen = liked;
  view.rejected = disliked;
  CHECK_THROWS_WITH(rg::difficulty(rg::SimPo{}, view, 0), contains("no lengths"));
}
