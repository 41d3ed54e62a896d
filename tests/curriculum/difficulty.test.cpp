#include "support/catch.hpp"

#include <rankgrad/curriculum/difficulty.hpp>

#include <limits>
#include <vector>

namespace rg = rankgrad;
namespace curriculum = rankgrad::curriculum;


namespace {
template <class T, class H>
std::vector<T> easiness(const H& heuristic, const std::vector<T>& run) {
  std::vector<T> out(run.size(), T(-1));
  rg::Workspace workspace;
  curriculum::fill_easiness(heuristic, run, out, workspace);
  return out;
}
}  // namespace

TEST_CASE("reciprocal rank", "[curriculum]") {
  const std::vector<std::uint32_t> ranks{1, 4, 0, 1000};
  std::vector<double> out(4);
  curriculum::ReciprocalRank{}.from_ranks(ranks, out);
  CHECK(out == std::vector<double>{1, 0.25, 0.001, 0.001});
  curriculum::ReciprocalRank{.absent_rank = 50}.from_ranks(ranks, out);
  CHECK(out[2] == 0.02);
  CHECK((out[0] - out[1] + 1) / 2 == 0.875);

  const std::vector<double> run{2, 7, 2, -1, 2};
  CHECK(easiness(curriculum::ReciprocalRank{}, run) == std::vector<double>{1.0 / 2, 1, 1.0 / 3, 1.0 / 5, 1.0 / 4});
  // Equal scores: the larger id, which stands later, ranks higher.
  CHECK(easiness(curriculum::ReciprocalRank{.ties = curriculum::RunTies::later_first}, run) ==
        std::vector<double>{1.0 / 4, 1, 1.0 / 3, 1.0 / 5, 1.0 / 2});
}

TEST_CASE("normalised score", "[curriculum]") {
  CHECK(easiness(curriculum::NormalizedScore{}, std::vector<double>{3, 1, 2, 5}) == std::vector<double>{0.5, 0, 0.25, 1});
  CHECK(easiness(curriculum::NormalizedScore{}, std::vector<float>{4, 4, 4}) == std::vector<float>{0.5f, 0.5f, 0.5f});
  CHECK(easiness(curriculum::NormalizedScore{}, std::vector<float>{4}) == std::vector<float>{0.5f});
  const double most = std::numeric_limits<double>::max();
  CHECK(easiness(curriculum::NormalizedScore{}, std::vector<double>{-most, 0, most}) == std::vector<double>{0, 0.5, 1});
}

TEST_CASE("kernel density", "[curriculum]") {
  const std::vector<double> run{3, 1, 2, 7};
  CHECK(curriculum::KernelDensity::bandwidth(std::span<const double>(run)) == Approx(1.9931337).epsilon(1e-7));
  const std::vector<double> expected{0.514157, 0.241765, 0.376515, 0.867564};
  const auto d = easiness(curriculum::KernelDensity{}, run);
  const auto f = easiness(curriculum::KernelDensity{}, std::vector<float>(run.begin(), run.end()));
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(d[i] == Approx(expected[i]).margin(5e-7));
    CHECK(static_cast<double>(f[i]) == Approx(d[i]).epsilon(1e-7));
  }
  // Scale and shift of the run scores do not matter, however extreme.
  for (const double scale : {1e-250, 1e300}) {
    std::vector<double> moved;
    for (const double r : run) moved.push_back(scale * (r - 2));
    const auto same = easiness(curriculum::KernelDensity{}, moved);
    for (std::size_t i = 0; i < 4; ++i) CHECK(same[i] == Approx(d[i]).epsilon(1e-12));
  }
  CHECK(easiness(curriculum::KernelDensity{}, std::vector<double>{5}) == std::vector<double>{0.5});
  CHECK(easiness(curriculum::KernelDensity{}, std::vector<double>{5, 5, 5}) == std::vector<double>{0.5, 0.5, 0.5});
  CHECK(easiness(curriculum::KernelDensity{}, std::vector<double>{}).empty());
}

TEST_CASE("easiness of a batch is that of its lists", "[curriculum]") {
  const std::vector<float> run{3, 1, 2, 7, 5, 1, 2};
  const std::vector<std::uint32_t> offsets{0, 4, 4, 5, 7};
  rg::Workspace workspace;
  std::vector<float> out(7);
  curriculum::fill_easiness(curriculum::KernelDensity{}, run, offsets, out, workspace);
  const auto first = easiness(curriculum::KernelDensity{}, std::vector<float>{3, 1, 2, 7});
  CHECK(std::vector<float>(out.begin(), out.begin() + 4) == first);
  CHECK(out[4] == 0.5f);
  CHECK(static_cast<double>(out[5] + out[6]) == Approx(1));
  curriculum::fill_easiness(curriculum::ReciprocalRank{}, run, offsets, out, workspace);
  CHECK(out == std::vector<float>{0.5f, 0.25f, 1.0f / 3, 1, 1, 0.5f, 1});
}

TEST_CASE("what is wrong with run scores is said", "[curriculum]") {
  std::vector<double> out(3, -1.0);
  rg::Workspace workspace;
  const std::vector<std::uint32_t> offsets{0, 1, 3}, backwards{0, 2, 1, 3};
  const std::vector<double> broken{1, std::numeric_limits<double>::quiet_NaN(), 2}, two{1, 2}, fine{1, 2, 3};
  CHECK_THROWS_WITH(curriculum::fill_easiness(curriculum::NormalizedScore{}, broken, out, workspace), contains("run_scores[1] is") && contains("nan"));
  CHECK_THROWS_WITH(curriculum::fill_easiness(curriculum::KernelDensity{}, broken, offsets, out, workspace), contains("run_scores[1] is"));
  CHECK_THROWS_WITH(curriculum::fill_easiness(curriculum::KernelDensity{}, two, out, workspace), contains("easiness has 3 elements where 2 are expected"));
  CHECK_THROWS_WITH(curriculum::fill_easiness(curriculum::KernelDensity{}, fine, backwards, out, workspace), contains("offsets[2] is 1, below"));
  CHECK_THROWS_WITH(curriculum::fill_easiness(curriculum::ReciprocalRank{.absent_rank = 0}, fine, out, workspace), contains("absent_rank is 0"));
  CHECK(out == std::vector<double>(3, -1.0));
}
