#include "distributed/checks.hpp"
#include "distributed/on_ranks.hpp"
#include "support/catch.hpp"

#include <rankgrad/distributed/communicator.hpp>

#include <atomic>
#include <string>
#include <vector>

namespace rg = rankgrad;
namespace dist = rankgrad::distributed;

static_assert(dist::Communicator<dist::Alone> && dist::Communicator<const dist::Alone>);
static_assert(dist::Communicator<dist::ThreadCommunicator> && dist::Communicator<dist::Counting<dist::ThreadCommunicator>>);

using test::fine;
using test::on_ranks;

namespace {

constexpr std::size_t rank_counts[] = {1, 2, 3, 4, 7};

}  // namespace

TEST_CASE("ranks are numbered, and each is there once", "[distributed]") {
  for (const std::size_t ranks : rank_counts) {
    std::vector<std::atomic<int>> seen(ranks);
    dist::run_ranks(ranks, [&](auto& comm) {
      if (comm.size() == ranks) ++seen[comm.rank()];
    });
    for (const auto& count : seen) CHECK(count == 1);
  }
}

TEST_CASE("blocks go round the ring, large and empty ones, and of any size", "[distributed]") {
  for (const std::size_t ranks : rank_counts)
    for (const std::size_t length : {0u, 1u, 30000u})
      CHECK(on_ranks(ranks, [&](auto& comm) { return test::ring_problem(comm, length); }) == fine(ranks));
}

TEST_CASE("sums are made in the order of the ranks: the same bits everywhere", "[distributed]") {
  for (const std::size_t ranks : rank_counts)
    for (const std::size_t length : {0u, 1u, 5u, 1000u})
      CHECK(on_ranks(ranks, [&](auto& comm) { return test::reduce_problem(comm, length); }) == fine(ranks));
}

TEST_CASE("gathered blocks stand in the order of the ranks", "[distributed]") {
  for (const std::size_t ranks : rank_counts)
    CHECK(on_ranks(ranks, [](auto& comm) { return test::gather_problem(comm); }) == fine(ranks));
}

TEST_CASE("ranks agree, or all raise the same error", "[distributed]") {
  for (const std::size_t ranks : rank_counts)
    CHECK(on_ranks(ranks, [](auto& comm) { return test::agree_problem(comm); }) == fine(ranks));
}

TEST_CASE("one rank alone does the same", "[distributed]") {
  dist::Alone alone;
  CHECK(test::ring_problem(alone, 5) == "");
  CHECK(test::reduce_problem(alone, 5) == "");
  CHECK(test::gather_problem(alone) == "");
  CHECK(test::agree_problem(alone) == "");
}

TEST_CASE("a counting communicator counts what is handed over, and nothing for one rank", "[distributed]") {
  std::vector<std::uint64_t> reduced(3), gathered(3), calls(3);
  dist::run_ranks(3, [&](auto& comm) {
    dist::Counting counting(comm);
    std::vector<double> values(5);
    counting.all_reduce_sum(values);
    counting.all_reduce_max(std::span(values).first(2));
    dist::gathered(counting, comm.rank());
    reduced[comm.rank()] = counting.reduced, gathered[comm.rank()] = counting.gathered, calls[comm.rank()] = counting.calls;
  });
  CHECK(reduced == std::vector<std::uint64_t>(3, 7 * sizeof(double)));
  CHECK(gathered == std::vector<std::uint64_t>(3, sizeof(std::size_t)));
  CHECK(calls == std::vector<std::uint64_t>(3, 3));
  dist::Alone alone;
  dist::Counting counting(alone);
  std::vector<double> values(5);
  counting.all_reduce_sum(values);
  CHECK(counting.reduced == 0);
}

TEST_CASE("a message that is too long is cut, not lost", "[distributed]") {
  const auto errors = on_ranks(2, [](auto& comm) {
    dist::agree(comm, comm.rank() == 1 ? rg::Status::error("rankgrad: %s", std::string(500, 'x').c_str()) : rg::Status{});
    return "";
  });
  CHECK(errors[0] == errors[1]);
  CHECK_THAT(errors[0], contains("rankgrad: rank 1 of 2: xxxxxxxxxx"));
}

TEST_CASE("where a rank throws, those that wait for it end too", "[distributed]") {
  for (const std::size_t ranks : {2u, 3u, 4u, 7u}) {
    std::vector<std::string> errors(ranks);
    test::within_seconds(20, [&] {
      CHECK_THROWS_WITH(dist::run_ranks(ranks, [&](auto& comm) {
        double x[1] = {1};
        comm.all_reduce_sum(x);
        if (comm.rank() == 1) throw std::runtime_error("out of luck");
        errors[comm.rank()] = test::thrown_by([&] { comm.all_reduce_sum(x); });
        throw std::runtime_error(errors[comm.rank()]);
      }), "out of luck");
    });
    for (std::size_t r = 0; r < ranks; ++r)
      if (r != 1) CHECK(errors[r] == "rankgrad: rank " + std::to_string(r) + " stopped, for rank 1 failed: out of luck");
  }
}

TEST_CASE("where a rank returns early, those that wait for it end with an error", "[distributed]") {
  test::within_seconds(20, [] {
    CHECK_THROWS_WITH(dist::run_ranks(3, [](auto& comm) {
      double x[1] = {1};
      if (comm.rank() != 2) comm.all_reduce_sum(x);
    }), contains("waits for a rank that has returned"));
  });
}

TEST_CASE("calls that do not fit each other are errors", "[distributed]") {
  const auto run = [](auto f) {
    test::within_seconds(20, [&] {
      dist::run_ranks(3, [&](auto& comm) {
        std::vector<double> values(4);
        f(comm, values);
        comm.all_reduce_sum(values);
      });
    });
  };
  const auto bytes = [](std::vector<double>& values, std::size_t n) {
    return std::as_writable_bytes(std::span(values).first(n));
  };
  CHECK_THROWS_WITH(run([](auto& comm, auto& values) { comm.all_reduce_sum(std::span(values).first(comm.rank() == 1 ? 2 : 3)); }),
                    contains("different sizes"));
  CHECK_THROWS_WITH(run([](auto& comm, auto& values) {
    if (comm.rank() == 1) comm.all_reduce_max(values);
    else comm.all_reduce_sum(values);
  }), contains("different calls"));
  CHECK_THROWS_WITH(run([&](auto& comm, auto& values) {
    std::vector<double> in(4);
    comm.exchange(dist::next_rank(comm), bytes(values, 4), dist::previous_rank(comm), bytes(in, comm.rank() == 1 ? 2 : 4));
  }), contains("another size"));
  CHECK_THROWS_WITH(run([&](auto& comm, auto& values) {
    std::vector<double> in(4);
    comm.exchange(dist::next_rank(comm), bytes(values, 4), dist::next_rank(comm), bytes(in, 4));
  }), contains("sends to another"));
}
