#include <rankgrad/bradley_terry/pairing.hpp>

#include "support/catch.hpp"
#include "support/lists.hpp"

#include <rankgrad/bradley_terry/bradley_terry.hpp>
#include <rankgrad/pairwise/ranknet.hpp>

#include <set>
#include <tuple>
#include <vector>

namespace rg = rankgrad;
using rg::Outcome;

namespace {

struct Pairs {
  std::vector<std::uint32_t> first, second;
  std::vector<Outcome> outcome;
  std::size_t size() const { return first.size(); }
  std::set<std::tuple<std::uint32_t, std::uint32_t, Outcome>> as_set() const {
    std::set<std::tuple<std::uint32_t, std::uint32_t, Outcome>> all;
    for (std::size_t c = 0; c < size(); ++c) all.emplace(first[c], second[c], outcome[c]);
    return all;
  }
};

Pairs pairs_of(const rg::CrossPromptPairing& pairing, const std::vector<double>& labels, const std::vector<std::int64_t>& prompts) {
  rg::Workspace workspace;
  const std::size_t count = rg::count_pairs<double>(pairing, labels, prompts, workspace);
  Pairs p{std::vector<std::uint32_t>(count), std::vector<std::uint32_t>(count), std::vector<Outcome>(count)};
  rg::write_pairs<double>(pairing, labels, prompts, p.first, p.second, p.outcome, workspace);
  return p;
}

}  // namespace

TEST_CASE("cross-prompt pairing: all pairs, by hand", "[bradley_terry]") {
  const std::vector<double> labels{1, 0, 1, 0, 1};
  const std::vector<std::int64_t> prompts{10, 10, 20, 20, 10};
  const Pairs wins = pairs_of({}, labels, prompts);
  CHECK(wins.as_set() == std::set<std::tuple<std::uint32_t, std::uint32_t, Outcome>>{
                             {0, 3, Outcome::first}, {2, 1, Outcome::first}, {4, 3, Outcome::first}});
  CHECK(wins.size() == 3);
  const Pairs both = pairs_of({.ties = true}, labels, prompts);
  CHECK(both.as_set() == std::set<std::tuple<std::uint32_t, std::uint32_t, Outcome>>{
                             {0, 3, Outcome::first}, {2, 1, Outcome::first}, {4, 3, Outcome::first}, {0, 2, Outcome::tie}, {2, 4, Outcome::tie}});
  CHECK(both.size() == 5);
}

TEST_CASE("cross-prompt pairing: nothing to pair", "[bradley_terry]") {
  CHECK(pairs_of({.ties = true}, {}, {}).size() == 0);
  CHECK(pairs_of({.ties = true}, {1}, {1}).size() == 0);
  CHECK(pairs_of({.ties = true}, {0, 0, 0}, {1, 2, 3}).size() == 0);
  CHECK(pairs_of({.ties = true}, {1, 0, 1}, {1, 1, 1}).size() == 0);   // one prompt
  CHECK(pairs_of({.per_positive = 4, .ties = true}, {1, 0, 1}, {1, 1, 1}).size() == 0);
}

TEST_CASE("cross-prompt pairing: drawn pairs", "[bradley_terry]") {
  rg::Random random(9);
  std::vector<double> labels;
  std::vector<std::int64_t> prompts;
  for (int i = 0; i < 120; ++i) {
    labels.push_back(random.uniform() < 0.4);
    prompts.push_back(static_cast<std::int64_t>(random.below(15)));
  }
  const rg::CrossPromptPairing pairing{.per_positive = 5, .ties = true, .seed = 3, .epoch = 1};
  const Pairs p = pairs_of(pairing, labels, prompts);
  std::vector<std::size_t> wins(120), ties(120);
  for (std::size_t c = 0; c < p.size(); ++c) {
    CHECK(prompts[p.first[c]] != prompts[p.second[c]]);
    CHECK(labels[p.first[c]] > 0);
    CHECK((labels[p.second[c]] > 0) == (p.outcome[c] == Outcome::tie));
    ++(p.outcome[c] == Outcome::tie ? ties : wins)[p.first[c]];
  }
  for (std::size_t i = 0; i < 120; ++i) {
    CHECK(wins[i] == (labels[i] > 0 ? 5u : 0u));
    CHECK(ties[i] == (labels[i] > 0 ? 5u : 0u));
  }
  CHECK(p.as_set().size() == p.size());   // without replacement
  const Pairs same = pairs_of(pairing, labels, prompts);
  CHECK(same.second == p.second);
  rg::CrossPromptPairing next = pairing;
  next.epoch = 2;
  CHECK(pairs_of(next, labels, prompts).second != p.second);
  next = pairing;
  next.seed = 4;
  CHECK(pairs_of(next, labels, prompts).second != p.second);

  // More than there are: every one of them, as without a limit.
  CHECK(pairs_of({.per_positive = 1000}, labels, prompts).as_set() == pairs_of({}, labels, prompts).as_set());
}

TEST_CASE("cross-prompt pairing: every negative is drawn equally often", "[bradley_terry]") {
  std::vector<double> labels{1};
  std::vector<std::int64_t> prompts{0};
  for (int j = 1; j <= 12; ++j) labels.push_back(0), prompts.push_back(j % 4);   // nine of other prompts
  std::vector<double> drawn(13, 0.0);
  constexpr std::size_t epochs = 9000;
  for (std::size_t epoch = 0; epoch < epochs; ++epoch) {
    const Pairs p = pairs_of({.per_positive = 3, .seed = 1, .epoch = epoch}, labels, prompts);
    REQUIRE(p.size() == 3);
    for (const std::uint32_t j : p.second) ++drawn[j];
  }
  for (std::size_t j = 1; j <= 12; ++j) {   // 3000 of 9000, standard deviation 45
    if (j % 4 == 0) CHECK(drawn[j] == 0.0);
    else CHECK(drawn[j] == Approx(3000.0).margin(225));
  }
}

TEST_CASE("cross-prompt pairing: all wins under Bradley-Terry are the pooled logistic Mann-Whitney loss", "[bradley_terry]") {
  const auto list = test::make_list<double>(60, 4, {.grades = 2});
  std::vector<std::int64_t> own(60), shared(60);
  for (std::size_t i = 0; i < 60; ++i) own[i] = static_cast<std::int64_t>(i), shared[i] = static_cast<std::int64_t>(i / 4);
  const auto loss_of = [&](const std::vector<std::int64_t>& prompts, std::vector<double>& gradient) {
    const Pairs p = pairs_of({}, list.labels, prompts);
    const rg::ComparisonView<double> view{.scores = list.scores, .first = p.first, .second = p.second, .outcome = p.outcome};
    return rg::value_and_gradient(rg::BradleyTerry{.normalize = rg::Normalize::sum}, view, gradient);
  };
  const rg::RankNet pooled{.normalize = rg::Normalize::sum};
  std::vector<double> a(60), b(60);
  CHECK(loss_of(own, a) == Approx(rg::value_and_gradient(pooled, list.view(), b)).epsilon(1e-13));
  for (std::size_t i = 0; i < 60; ++i) CHECK(a[i] == Approx(b[i]).epsilon(1e-12).margin(1e-13));

  // With four items to a prompt, what is missing are the pairs inside the prompts.
  double inside = 0;
  for (std::size_t q = 0; q < 60; q += 4) {
    const std::span<const double> scores(list.scores), labels(list.labels);
    inside += rg::value(pooled, rg::ListView<double>{.scores = scores.subspan(q, 4), .labels = labels.subspan(q, 4)});
  }
  REQUIRE(inside > 0.0);
  CHECK(loss_of(shared, a) + inside == Approx(rg::value(pooled, list.view())).epsilon(1e-13));
}

TEST_CASE("cross-prompt pairing: arrays of the wrong size", "[bradley_terry]") {
  const std::vector<double> labels{1, 0, 0};
  const std::vector<std::int64_t> prompts{1, 2, 3};
  rg::Workspace workspace;
  for (const std::size_t n : {std::size_t{1}, std::size_t{3}}) {
    std::vector<std::uint32_t> first(n), second(n);
    std::vector<Outcome> outcome(n);
    CHECK_THROWS_AS(rg::write_pairs<double>({}, labels, prompts, first, second, outcome, workspace), std::invalid_argument);
  }
  CHECK_THROWS_AS(rg::count_pairs<double>({}, labels, std::span(prompts).first(2), workspace), std::invalid_argument);
}
