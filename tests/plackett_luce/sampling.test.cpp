#include "support/catch.hpp"
#include "support/lists.hpp"

#include <rankgrad/plackett_luce/sampling.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

namespace rg = rankgrad;

namespace {
using Ranking = std::vector<std::uint32_t>;

/// P(ranking) as a product of softmaxes.
double probability(const std::vector<double>& s, const Ranking& ranking, double temperature) {
  std::vector<bool> gone(s.size());
  double p = 1;
  for (const std::uint32_t item : ranking) {
    double below = 0;
    for (std::size_t j = 0; j < s.size(); ++j)
      if (!gone[j]) below += std::exp((s[j] - s[item]) / temperature);
    p /= below;
    gone[item] = true;
  }
  return p;
}
}  // namespace

TEST_CASE("Plackett-Luce samples have the probabilities of the model", "[plackett_luce]") {
  const std::vector<double> s{0.5, -1.0, 1.2, 0.25};
  rg::Workspace workspace;
  for (const std::size_t k : {1u, 2u, 4u}) {
    for (const double temperature : {1.0, 0.5}) {
      constexpr int draws = 40000;
      std::map<Ranking, int> counts;
      rg::Random random(5, k);
      Ranking ranking(k);
      for (int i = 0; i < draws; ++i) {
        rg::sample_ranking<double>(s, ranking, random, workspace, temperature);
        ++counts[ranking];
      }
      double total = 0, worst = 0;
      Ranking all{0, 1, 2, 3};
      std::map<Ranking, double> probabilities;
      do probabilities[Ranking(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(k))] = 0;
      while (std::next_permutation(all.begin(), all.end()));
      for (auto& [r, p] : probabilities) {
        p = probability(s, r, temperature);
        total += p;
        worst = std::max(worst, std::abs(counts[r] - draws * p) / std::sqrt(draws * p * (1 - p)));
        CHECK(rg::ranking_log_probability<double>(s, r, workspace, temperature) == Approx(std::log(p)).epsilon(1e-14));
      }
      CHECK(total == Approx(1.0));
      INFO("worst deviation, in standard errors: " << worst);
      CHECK(worst < 4);
    }
  }
}

TEST_CASE("Plackett-Luce samples are permutations, the same for the same seed, top-k the start of the whole", "[plackett_luce]") {
  rg::Workspace workspace;
  const auto list = test::make_list<float>(150, 1, {.spread = 3});
  Ranking whole(150), again(150), top(20);
  const auto draw = [&](Ranking& ranking, std::uint64_t seed, std::uint64_t stream) {
    rg::Random random(seed, stream);
    rg::sample_ranking<float>(list.scores, ranking, random, workspace);
  };
  draw(whole, 3, 9);
  draw(again, 3, 9);
  CHECK(whole == again);
  draw(top, 3, 9);
  CHECK(std::equal(top.begin(), top.end(), whole.begin()));
  draw(again, 3, 10);
  CHECK(whole != again);
  draw(again, 4, 9);
  CHECK(whole != again);
  std::sort(whole.begin(), whole.end());
  for (std::uint32_t i = 0; i < 150; ++i) CHECK(whole[i] == i);

  const std::size_t growths = workspace.growths();
  for (std::uint64_t i = 0; i < 50; ++i) draw(again, i, i);
  CHECK(workspace.growths() == growths);
}

TEST_CASE("Plackett-Luce sampling survives extremes", "[plackett_luce]") {
  rg::Workspace workspace;
  rg::Random random(1);
  const std::vector<float> far{-1e8f, 1e8f, 0, 1e30f, -1e30f};
  Ranking ranking(5);
  rg::sample_ranking<float>(far, ranking, random, workspace);
  CHECK(ranking == Ranking{3, 1, 2, 0, 4});
  CHECK(rg::ranking_log_probability<float>(far, ranking, workspace) == 0.0);
  const Ranking wrong{4, 3};
  CHECK(rg::ranking_log_probability<float>(far, wrong, workspace) == Approx(-2e30).epsilon(1e-6));
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> broken{nan, 1, nan, 2, nan};
  for (const std::size_t k : {2u, 5u}) {
    Ranking part(k);
    rg::sample_ranking<float>(broken, part, random, workspace);
    std::sort(part.begin(), part.end());
    CHECK(std::unique(part.begin(), part.end()) == part.end());
  }
  rg::sample_ranking<float>({}, std::span<std::uint32_t>{}, random, workspace);
  CHECK(rg::ranking_log_probability<float>({}, {}, workspace) == 0.0);
  const Ranking twice{1, 1};
  CHECK_THROWS(rg::ranking_log_probability<float>(far, twice, workspace));
  CHECK_THROWS(rg::sample_ranking<float>(std::span<const float>(far).first(4), ranking, random, workspace));
}
