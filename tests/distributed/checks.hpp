// What every communicator must do, as functions that all ranks call. Each returns what is wrong, or "": ranks that are threads
// may not use Catch2 themselves.
#pragma once

#include "distributed/deadline.hpp"

#include <rankgrad/distributed/communicator.hpp>

#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

namespace test {

namespace dist = rankgrad::distributed;

inline std::string number(std::size_t n) { return std::to_string(n); }

/// P - 1 steps round the ring, with blocks of length * (rank + 1) numbers.
template <class C>
std::string ring_problem(C& comm, std::size_t length) {
  dist::Counting counting(comm);
  const std::size_t ranks = comm.size(), rank = comm.rank();
  const auto block_of = [&](std::size_t owner) {
    std::vector<double> block(length * (owner + 1));
    std::iota(block.begin(), block.end(), static_cast<double>(1000 * owner));
    return block;
  };
  std::vector<double> block = block_of(rank);
  std::size_t sent = 0;
  for (std::size_t step = 1; step < ranks; ++step) {
    const std::size_t owner = (rank + ranks - step) % ranks;
    std::vector<double> received(length * (owner + 1));
    sent += block.size() * sizeof(double);
    counting.exchange(dist::next_rank(comm), std::as_bytes(std::span(block)), dist::previous_rank(comm),
                      std::as_writable_bytes(std::span(received)));
    if (received != block_of(owner)) return "step " + number(step) + " brought something else than the block of rank " + number(owner);
    block.swap(received);
  }
  return counting.exchanged == sent ? "" : "counted " + number(counting.exchanged) + " bytes where " + number(sent) + " were sent";
}

/// Numbers whose sum depends on the order of the additions.
inline double rough(std::size_t rank, std::size_t i) {
  return std::sin(static_cast<double>(1 + 31 * rank + i)) * std::pow(10.0, static_cast<double>((i + 5 * rank) % 17));
}

/// Sums are made in the order of the ranks, to the bit.
template <class C>
std::string reduce_problem(C& comm, std::size_t length) {
  std::vector<double> sums(length), highest(length);
  for (std::size_t i = 0; i < length; ++i) sums[i] = highest[i] = rough(comm.rank(), i);
  comm.all_reduce_sum(sums);
  comm.all_reduce_max(highest);
  for (std::size_t i = 0; i < length; ++i) {
    double sum = rough(0, i), most = sum;
    for (std::size_t r = 1; r < comm.size(); ++r) sum += rough(r, i), most = std::max(most, rough(r, i));
    if (sums[i] != sum || highest[i] != most) return "value " + number(i) + " is another sum or maximum";
  }
  return "";
}

template <class C>
std::string gather_problem(C& comm) {
  struct Block {
    std::size_t rank;
    char text[100];
  } own{comm.rank(), {}};
  std::snprintf(own.text, sizeof own.text, "this is what rank %zu has to say", comm.rank());
  const auto all = dist::gathered(comm, own);
  for (std::size_t r = 0; r < comm.size(); ++r)
    if (all[r].rank != r || all[r].text != "this is what rank " + number(r) + " has to say") return "block " + number(r);
  return all.size() == comm.size() ? "" : "the number of blocks";
}

/// Whichever rank fails or has another number, all throw the same; and where none does, nobody throws.
template <class C>
std::string agree_problem(C& comm) {
  const std::size_t ranks = comm.size(), rank = comm.rank();
  const auto fine = thrown_by([&] {
    dist::agree(comm, {}, {{"dims", 24u}, {"temperature", 0.1}});
    dist::agree(comm, {});
  });
  if (!fine.empty()) return fine;
  for (std::size_t bad = 0; bad < ranks; ++bad) {
    const auto input = thrown_by([&] {   // ranks bad .. P - 1 fail: the lowest is named
      rankgrad::Status own;
      if (rank >= bad) own = rankgrad::Status::error("rankgrad: labels[%zu] is nan", rank);
      dist::agree(comm, own, {{"temperature", rank >= bad ? std::numeric_limits<double>::quiet_NaN() : 1.0}});
    });
    if (input != "rankgrad: rank " + number(bad) + " of " + number(ranks) + ": labels[" + number(bad) + "] is nan") return input;
    const auto shapes = thrown_by([&] { dist::agree(comm, {}, {{"rows", 7}, {"dims", rank == bad ? 32 : 24}}); });
    std::string expected;
    if (bad > 0) expected = "24 on rank 0 and 32 on rank " + number(bad);
    else if (ranks > 1) expected = "32 on rank 0 and 24 on rank 1";
    if (!expected.empty()) expected = "rankgrad: dims is " + expected + "; it must be the same on all ranks";
    if (shapes != expected) return shapes;
  }
  return "";
}

}  // namespace test
