#include "distributed/deadline.hpp"
#include "support/catch.hpp"

#include <rankgrad/distributed/communicator.hpp>
#include <rankgrad/distributed/threads.hpp>

#include <atomic>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

namespace rg = rankgrad;
namespace dist = rankgrad::distributed;

static_assert(dist::Communicator<dist::Alone> && dist::Communicator<const dist::Alone>);
static_assert(dist::Communicator<dist::ThreadCommunicator> && dist::Communicator<dist::Counting<dist::ThreadCommunicator>>);

namespace {

constexpr std::size_t rank_counts[] = {1, 2, 3, 4, 7};

/// Runs f on all ranks and returns what each has thrown, "" for nothing.
template <class F>
std::vector<std::string> errors_of(std::size_t ranks, const F& f) {
  std::vector<std::string> errors(ranks);
  test::within_seconds(20, [&] {
    dist::run_ranks(ranks, [&](auto& comm) { errors[comm.rank()] = test::thrown_by([&] { f(comm); }); });
  });
  return errors;
}

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

TEST_CASE("blocks go round the ring, large and empty ones", "[distributed]") {
  for (const std::size_t ranks : rank_counts)
    for (const std::size_t length : {0u, 1u, 100000u}) {
      std::vector<int> right(ranks);
      test::within_seconds(20, [&] {
        dist::run_ranks(ranks, [&](auto& comm) {
          dist::Counting counting(comm);
          std::vector<double> block(length), next(length);
          std::iota(block.begin(), block.end(), static_cast<double>(1000 * comm.rank()));
          for (std::size_t step = 0; step + 1 < ranks; ++step) {
            counting.exchange(dist::next_rank(comm), std::as_bytes(std::span(block)), dist::previous_rank(comm),
                              std::as_writable_bytes(std::span(next)));
            block.swap(next);
          }
          const auto came_from = static_cast<double>(1000 * dist::next_rank(comm));
          right[comm.rank()] = counting.exchanged == (ranks - 1) * length * sizeof(double);
          for (std::size_t i = 0; i < length; ++i) right[comm.rank()] &= block[i] == came_from + static_cast<double>(i);
        });
      });
      CHECK(right == std::vector<int>(ranks, 1));
    }
}

TEST_CASE("sums are made in the order of the ranks: the same bits everywhere", "[distributed]") {
  for (const std::size_t ranks : rank_counts)
    for (const std::size_t length : {0u, 1u, 5u, 1000u}) {
      const auto value = [](std::size_t rank, std::size_t i) {   // with digits that an addition loses
        return std::sin(static_cast<double>(1 + 31 * rank + i)) * std::pow(10.0, static_cast<double>((i + 5 * rank) % 17));
      };
      std::vector<std::vector<double>> sums(ranks, std::vector<double>(length)), highest = sums;
      dist::run_ranks(ranks, [&](auto& comm) {
        for (std::size_t i = 0; i < length; ++i) sums[comm.rank()][i] = highest[comm.rank()][i] = value(comm.rank(), i);
        comm.all_reduce_sum(sums[comm.rank()]);
        comm.all_reduce_max(highest[comm.rank()]);
      });
      for (std::size_t i = 0; i < length; ++i) {
        double sum = value(0, i), most = sum;
        for (std::size_t r = 1; r < ranks; ++r) sum += value(r, i), most = std::max(most, value(r, i));
        bool same = true;
        for (std::size_t r = 0; r < ranks; ++r) same = same && sums[r][i] == sum && highest[r][i] == most;
        if (!same) FAIL_CHECK("value " << i << " of " << ranks << " ranks");
      }
    }
}

TEST_CASE("gathered blocks stand in the order of the ranks", "[distributed]") {
  for (const std::size_t ranks : rank_counts) {
    std::vector<int> right(ranks);
    dist::run_ranks(ranks, [&](auto& comm) {
      const auto all = dist::gathered(comm, 10 * comm.rank());
      right[comm.rank()] = all.size() == ranks;
      for (std::size_t r = 0; r < all.size(); ++r) right[comm.rank()] &= all[r] == 10 * r;
    });
    CHECK(right == std::vector<int>(ranks, 1));
  }
  dist::Alone alone;
  CHECK(dist::gathered(alone, 3.5) == std::vector<double>{3.5});
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

TEST_CASE("ranks agree, or all raise the same error", "[distributed]") {
  for (const std::size_t ranks : rank_counts) {
    CHECK(errors_of(ranks, [](auto& comm) {
      dist::agree(comm, {}, {{"dims", 24u}, {"temperature", 0.1}});
      dist::agree(comm, {});
    }) == std::vector<std::string>(ranks));
    for (std::size_t bad = 0; bad < ranks; ++bad) {
      const auto input = errors_of(ranks, [&](auto& comm) {
        const bool fails = comm.rank() >= bad;   // the lowest one is named
        rg::Status own;
        if (fails) own = rg::Status::error("rankgrad: labels[%zu] is nan", comm.rank());
        dist::agree(comm, own, {{"temperature", fails ? std::numeric_limits<double>::quiet_NaN() : 1.0}});
      });
      const auto number = [](std::size_t i) { return std::to_string(i); };
      CHECK(input == std::vector<std::string>(ranks, "rankgrad: rank " + number(bad) + " of " + number(ranks) + ": labels[" +
                                                         number(bad) + "] is nan"));
      if (bad == 0) continue;
      const auto shapes = errors_of(ranks, [&](auto& comm) {
        dist::agree(comm, {}, {{"rows", 7}, {"dims", comm.rank() == bad ? 32 : 24}});
      });
      CHECK(shapes == std::vector<std::string>(ranks, "rankgrad: dims is 24 on rank 0 and 32 on rank " + number(bad) +
                                                          "; it must be the same on all ranks"));
    }
  }
}

TEST_CASE("a message that is too long is cut, not lost", "[distributed]") {
  const auto errors = errors_of(2, [](auto& comm) {
    dist::agree(comm, comm.rank() == 1 ? rg::Status::error("rankgrad: %s", std::string(500, 'x').c_str()) : rg::Status{});
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
  const auto bytes = [](std::vector<double>& values, std::size_t n) { return std::as_writable_bytes(std::span(values).first(n)); };
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
