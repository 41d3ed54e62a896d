#include "distributed/ring_checks.hpp"
#include "support/catch.hpp"

#include <rankgrad/distributed/threads.hpp>

namespace rg = rankgrad;
namespace dist = rankgrad::distributed;

namespace {

/// What problem(comm) says on each rank, an exception counting as such.
template <class F>
std::vector<std::string> on_ranks(std::size_t ranks, const F& problem) {
  std::vector<std::string> found(ranks);
  test::within_seconds(60, [&] {
    dist::run_ranks(ranks, [&](auto& comm) {
      std::string& own = found[comm.rank()];
      if (const std::string thrown = test::thrown_by([&] { own = problem(comm); }); !thrown.empty()) own = thrown;
    });
  });
  return found;
}
std::vector<std::string> fine(std::size_t ranks) { return std::vector<std::string>(ranks); }

}  // namespace

TEST_CASE("InfoNCE round a ring is InfoNCE of the whole batch, in float", "[distributed]") {
  for (std::size_t ranks = 1; ranks <= 4; ++ranks)
    CHECK(on_ranks(ranks, [](auto& comm) { return test::ring_info_nce_problem<float>(comm); }) == fine(ranks));
}

TEST_CASE("InfoNCE round a ring is InfoNCE of the whole batch, in double", "[distributed]") {
  for (std::size_t ranks = 1; ranks <= 4; ++ranks)
    CHECK(on_ranks(ranks, [](auto& comm) { return test::ring_info_nce_problem<double>(comm); }) == fine(ranks));
}
