#include <rankgrad/scoring/feedback_distillation.hpp>

#include "support/catch.hpp"

#include <rankgrad/contrastive/distribution_alignment.hpp>
#include <rankgrad/core/random.hpp>
#include <rankgrad/listwise/softmax.hpp>
#include <rankgrad/pairwise/rank_weighted_ranknet.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

namespace rg = rankgrad;

namespace {
template <class T>
struct Case {
  std::vector<T> passages, labels, query;
  std::size_t n() const { return labels.size(); }
  std::size_t d() const { return query.size(); }
  double score(std::size_t i) const {
    return std::inner_product(query.begin(), query.end(), passages.begin() + static_cast<std::ptrdiff_t>(i * d()), 0.0);
  }
  /// The number of pairs that the query orders as the teacher does not.
  int discordant() const {
    int pairs = 0;
    for (std::size_t i = 0; i < n(); ++i)
      for (std::size_t j = 0; j < n(); ++j) pairs += labels[i] > labels[j] && !(score(i) > score(j));
    return pairs;
  }
};
/// The teacher knows another query, and multiplies its scores.
template <class T>
Case<T> make(std::size_t n, std::size_t d, std::uint64_t seed) {
  rg::Random random(seed);
  const auto values = [&](std::size_t size) {
    std::vector<T> v(size);
    for (T& x : v) x = static_cast<T>(random.normal() / std::sqrt(static_cast<double>(d)));
    return v;
  };
  Case<T> c{values(n * d), std::vector<T>(n), values(d)};
  const auto own = c.query;
  c.query = values(d);
  for (std::size_t i = 0; i < n; ++i) c.labels[i] = static_cast<T>(20 * c.score(i));
  c.query = own;
  return c;
}
template <class T, class L>
rg::QueryRefined<T> refine(const L& loss, Case<T>& c, const rg::QueryRefinement& options) {
  rg::Workspace workspace;
  return rg::refine_query<L, T>(loss, c.passages, c.labels, c.query, options, workspace);
}
}  // namespace

TEST_CASE("the ratio of two ranges", "[scoring]") {
  const std::vector<double> teacher{3, -1, 0}, scores{.5, .25, .3, .35}, flat{2, 2};
  CHECK(rg::range_ratio<double>(teacher, scores) == Approx(16));
  CHECK(rg::range_ratio<double>(teacher, flat) == 1.0);
  CHECK(rg::range_ratio<double>(flat, scores) == 1.0);
  CHECK(rg::range_ratio<double>(teacher, {}) == 1.0);
  const std::vector<double> far{-1e308, 1e308}, near{0, 1e-300}, broken{0, std::numeric_limits<double>::infinity()};
  CHECK(rg::range_ratio<double>(far, scores) == 1.0);
  CHECK(rg::range_ratio<double>(std::vector<double>{0, 1e300}, near) == 1.0);
  CHECK(rg::range_ratio<double>(teacher, broken) == 1.0);
}

TEST_CASE("query refinement: the first step of Adam by hand", "[scoring]") {
  // Scores .2, .4 spread a fifth as wide as the labels 1, 0: scale 5, scores 1, 2. ListNet: p = s(-1), s(1), targets the
  // other way round; the value is -s(1) log s(-1) - s(-1) log s(1). The first step is as long as the learning rate.
  const auto s = [](double x) { return 1 / (1 + std::exp(-x)); };
  const auto loss = [&](double apart) { return -s(1) * std::log(s(-apart)) - s(-1) * std::log(s(apart)); };
  Case<double> c{{1, 0, 0, 1}, {1, 0}, {.2, .4}};
  const auto r = refine(rg::ListNet{}, c, {.learning_rate = 0.01, .steps = 1});
  CHECK(r.scale == Approx(5));
  CHECK(r.before == Approx(loss(1)));
  CHECK(r.after == Approx(loss(5 * .18)));
  CHECK(c.query[0] == Approx(.21));
  CHECK(c.query[1] == Approx(.39));
  // The released code's half, and no matching at all.
  Case<double> half{{1, 0, 0, 1}, {1, 0}, {.2, .4}}, plain = half;
  CHECK(refine(rg::ListNet{}, half, {.steps = 0, .scale_factor = 0.5}).before == Approx(loss(.5)));
  CHECK(half.query == std::vector<double>{.2, .4});
  CHECK(refine(rg::ListNet{}, plain, {.steps = 0, .match_range = false}).before == Approx(loss(.2)));
}

TEMPLATE_TEST_CASE("query refinement: many steps are those of Adam's definition", "[scoring]", float, double) {
  using T = TestType;
  auto c = make<T>(7, 19, 4);
  const rg::QueryRefinement options{.learning_rate = 0.02, .steps = 12, .scale_factor = 0.5, .beta1 = 0.8, .beta2 = 0.95};
  std::vector<double> q(c.query.begin(), c.query.end()), mean(19), square(19), slope(7), scores(7);
  const std::vector<double> labels(c.labels.begin(), c.labels.end());
  const auto [low, high] = std::minmax_element(labels.begin(), labels.end());
  const auto score = [&](double scale) {
    for (std::size_t i = 0; i < 7; ++i) {
      scores[i] = 0;
      for (std::size_t k = 0; k < 19; ++k) scores[i] += scale * q[k] * static_cast<double>(c.passages[i * 19 + k]);
    }
  };
  score(1);
  const auto [least, most] = std::minmax_element(scores.begin(), scores.end());
  const double scale = 0.5 * (*high - *low) / (*most - *least);
  for (int step = 1; step <= 12; ++step) {
    score(scale);
    rg::value_and_gradient(rg::RankWeightedRankNet{}, rg::ListView<double>{.scores = scores, .labels = labels}, slope);
    for (std::size_t k = 0; k < 19; ++k) {
      double g = 0;
      for (std::size_t i = 0; i < 7; ++i) g += scale * slope[i] * static_cast<double>(c.passages[i * 19 + k]);
      mean[k] = 0.8 * mean[k] + 0.2 * g;
      square[k] = 0.95 * square[k] + 0.05 * g * g;
      q[k] -= 0.02 * mean[k] / (1 - std::pow(0.8, step)) / (std::sqrt(square[k] / (1 - std::pow(0.95, step))) + 1e-8);
    }
  }
  const auto r = refine(rg::RankWeightedRankNet{}, c, options);
  CHECK(r.scale == Approx(scale).epsilon(1e-6));
  for (std::size_t k = 0; k < 19; ++k) CHECK(static_cast<double>(c.query[k]) == Approx(q[k]).margin(sizeof(T) == 4 ? 1e-4 : 1e-12));
}

TEMPLATE_TEST_CASE("query refinement: the query learns to rank as the teacher does", "[scoring]", float, double) {
  using T = TestType;
  for (const std::uint64_t seed : {1u, 2u, 3u}) {
    auto first = make<T>(30, 48, seed);
    const int before = first.discordant();
    REQUIRE(before > 100);   // of 435
    // KL, as ListNet less the teacher's entropy, falls towards 0.
    auto kl = first;
    const auto aligned = refine(rg::DistributionAlignment{.temperature = 1, .label_temperature = 1, .forward = 1, .backward = 0}, kl, {});
    CHECK(static_cast<double>(aligned.after) < 0.05 * static_cast<double>(aligned.before));
    const auto listnet = refine(rg::ListNet{}, first, {});
    CHECK(static_cast<double>(listnet.before - listnet.after) == Approx(static_cast<double>(aligned.before - aligned.after)).epsilon(1e-3));
    CHECK(first.discordant() < before);
    for (std::size_t k = 0; k < 48; ++k) CHECK(static_cast<double>(first.query[k]) == Approx(static_cast<double>(kl.query[k])).margin(1e-2));
    // The order by ranks alone.
    auto second = first;
    std::vector<T> ranks(30);
    for (std::size_t i = 0; i < 30; ++i)
      ranks[i] = -static_cast<T>(1 + std::count_if(first.labels.begin(), first.labels.end(), [&](T y) { return y > first.labels[i]; }));
    second.labels = ranks;
    const auto ranknet = refine(rg::RankWeightedRankNet{}, second, {.learning_rate = 0.01, .steps = 400});
    CHECK(ranknet.after < ranknet.before);
    second.labels = first.labels;
    CHECK(second.discordant() == 0);
  }
}

TEST_CASE("query refinement: no signal, extremes, NaN, allocation, the contract", "[scoring]") {
  Case<double> tied{{1, 0, 0, 1}, {1, 1}, {.2, .4}}, none{{}, {}, {.2, .4}}, same{{1, 2, 1, 2}, {1, 0}, {.2, .4}};
  const auto r = refine(rg::RankWeightedRankNet{}, tied, {});
  CHECK(r.before == 0.0);
  CHECK(r.after == 0.0);
  CHECK(r.scale == 1.0);   // the labels have no range
  CHECK(tied.query == std::vector<double>{.2, .4});
  CHECK(refine(rg::ListNet{}, none, {}).after == 0.0);
  CHECK(none.query == std::vector<double>{.2, .4});
  CHECK(refine(rg::ListNet{}, same, {}).scale == 1.0);   // equal passages: no range, and nothing to learn
  CHECK(same.query[0] == Approx(.2).margin(1e-9));

  auto far = make<float>(9, 5, 1);
  for (float& x : far.passages) x *= 1e4f;
  for (float& y : far.labels) y *= 1e4f;
  CHECK(rg::is_finite(refine(rg::ListNet{}, far, {}).after));
  for (const float q : far.query) CHECK(rg::is_finite(q));

  auto broken = make<double>(9, 5, 1);
  broken.passages[7] = std::numeric_limits<double>::quiet_NaN();
  CHECK_FALSE(rg::is_finite(refine(rg::ListNet{}, broken, {}).before));

  auto c = make<double>(20, 33, 2);
  rg::Workspace workspace;
  const auto run = [&] { rg::refine_query<rg::RankWeightedRankNet, double>({}, c.passages, c.labels, c.query, {.steps = 3}, workspace); };
  run();
  const std::size_t warm = workspace.growths();
  run();
  CHECK(workspace.growths() == warm);

  auto wrong = c;
  wrong.passages.pop_back();
  CHECK_THROWS_AS(refine(rg::ListNet{}, wrong, {}), std::invalid_argument);
  CHECK_THROWS_AS(refine(rg::ListNet{}, c, {.learning_rate = 0}), std::invalid_argument);
  CHECK_THROWS_AS(refine(rg::ListNet{}, c, {.beta2 = 1}), std::invalid_argument);
  CHECK_THROWS_AS(refine(rg::ListNet{.temperature = 0}, c, {}), std::invalid_argument);
  c.labels[3] = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_AS(refine(rg::ListNet{}, c, {}), std::invalid_argument);
}
