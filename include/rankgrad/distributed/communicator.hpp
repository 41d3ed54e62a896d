// rankgrad/distributed/communicator.hpp: what the losses over several processes ask of whatever connects them.
// SPDX-License-Identifier: MIT
//
// P ranks, numbered from 0, each with a part of the batch. Every call below is made by all ranks, in the same order and with
// sizes that fit: they are collective, and a rank that leaves one out lets the others wait. Nothing here overlaps; calls return
// when the caller's memory is its own again.
//
// Implementations: Alone (one rank), distributed/threads.hpp (threads of one process), interop/mpi.hpp (MPI).
#pragma once

#include <rankgrad/core/contract.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <span>
#include <vector>

namespace rankgrad::inline RANKGRAD_ABI::distributed {

/// rank() < size().
/// exchange(to, out, from, in)   sends `out` to rank `to` while it receives `in`, of exactly that many bytes, from rank `from`.
///                               The two do not overlap. To oneself it is a copy.
/// all_reduce_sum(values)        values[i] becomes the sum over the ranks: the same bits on every rank. The same bits again for
///                               the same values and ranks.
/// all_reduce_max(values)        likewise the highest. No value may be NaN.
/// all_gather(own, all)          all, [P own.size()], becomes the blocks of all ranks in order. For small blocks.
template <class C>
concept Communicator = requires(C& comm, std::size_t rank, std::span<const std::byte> out, std::span<std::byte> in,
                                std::span<double> values) {
  { comm.rank() } -> std::convertible_to<std::size_t>;
  { comm.size() } -> std::convertible_to<std::size_t>;
  comm.exchange(rank, out, rank, in);
  comm.all_reduce_sum(values);
  comm.all_reduce_max(values);
  comm.all_gather(out, in);
};

/// The only rank there is.
struct Alone {
  static constexpr std::size_t rank() noexcept { return 0; }
  static constexpr std::size_t size() noexcept { return 1; }
  void exchange(std::size_t, std::span<const std::byte> out, std::size_t, std::span<std::byte> in) const {
    RANKGRAD_EXPECTS(out.size() == in.size(), "what a rank sends to itself and what it receives differ in size");
    if (!out.empty()) std::memcpy(in.data(), out.data(), out.size());
  }
  void all_reduce_sum(std::span<double>) const noexcept {}
  void all_reduce_max(std::span<double>) const noexcept {}
  void all_gather(std::span<const std::byte> own, std::span<std::byte> all) const { exchange(0, own, 0, all); }
};

/// A communicator that counts what its rank hands over. Bytes, each counted once, whatever the collective makes of them: a good
/// all-reduce sends 2 (P - 1) / P of `reduced`, an all-gather (P - 1) of `gathered`. What a rank sends to itself does not count.
template <Communicator C>
class Counting {
 public:
  std::uint64_t exchanged = 0, reduced = 0, gathered = 0;
  std::uint64_t calls = 0;   ///< of all kinds

  explicit Counting(C& comm) noexcept : comm_(comm) {}

  std::size_t rank() const { return comm_.rank(); }
  std::size_t size() const { return comm_.size(); }
  void exchange(std::size_t to, std::span<const std::byte> out, std::size_t from, std::span<std::byte> in) {
    count(exchanged, to == rank() ? 0 : out.size());
    comm_.exchange(to, out, from, in);
  }
  void all_reduce_sum(std::span<double> values) {
    count(reduced, values.size_bytes());
    comm_.all_reduce_sum(values);
  }
  void all_reduce_max(std::span<double> values) {
    count(reduced, values.size_bytes());
    comm_.all_reduce_max(values);
  }
  void all_gather(std::span<const std::byte> own, std::span<std::byte> all) {
    count(gathered, own.size());
    comm_.all_gather(own, all);
  }

 private:
  void count(std::uint64_t& of, std::size_t bytes) {
    of += size() > 1 ? bytes : 0;
    ++calls;
  }
  C& comm_;
};

/// For kernels over a list of which each rank has a part: what AllHere is where all of it is here (core/all_here.hpp).
template <Communicator C>
struct AddUp {
  C& comm;
  void operator()(std::span<double> sums) const { comm.all_reduce_sum(sums); }
};

/// One small value of every rank, in order.
template <class T, Communicator C>
std::vector<T> gathered(C& comm, const T& own) {
  static_assert(std::is_trivially_copyable_v<T>);
  std::vector<T> all(comm.size());
  comm.all_gather(std::as_bytes(std::span(&own, 1)), std::as_writable_bytes(std::span(all)));
  return all;
}

/// A number that must be the same on all ranks: a size, a parameter.
struct Agreed {
  const char* name = "";
  double value = 0;   ///< whole numbers up to 2^53 are exact

  template <class N>
    requires std::integral<N> || std::floating_point<N>
  constexpr Agreed(const char* n, N v) noexcept : name(n), value(static_cast<double>(v)) {}
};

inline constexpr std::size_t most_agreed = 16;

/// The first of some checks that has failed.
inline Status first_failure(std::initializer_list<Status> checks) {
  for (const Status& check : checks)
    if (!check) return check;
  return {};
}

/// What stands before the first communication of every distributed loss. All ranks call it, also those whose input is broken:
/// `own` is what a rank has found wrong with its own input. Where all are fine and all numbers are the same on all ranks it
/// returns. Else every rank raises the same message: what the lowest rank with a failure has found; or which number is
/// different on which rank. So a wrong input ends in an error everywhere, and no rank waits for one that has given up.
///
/// Costs an all-reduce of 1 + 2 K doubles for K <= 16 numbers.
template <Communicator C>
void agree(C& comm, const Status& own, std::initializer_list<Agreed> numbers = {}) {
  const std::size_t k = std::min(numbers.size(), most_agreed), ranks = comm.size(), rank = comm.rank();
  RANKGRAD_EXPECTS(numbers.size() <= most_agreed, "agree() takes at most 16 numbers");
  std::array<double, 1 + 2 * most_agreed> votes{};
  std::array<double, most_agreed> mine{};
  votes[0] = own ? 0 : static_cast<double>(ranks - rank);
  for (std::size_t i = 0; i < k; ++i) {
    mine[i] = numbers.begin()[i].value;
    if (!own && !(mine[i] == mine[i])) mine[i] = 0;   // a parameter that is NaN, which `own` has said
    votes[1 + i] = mine[i];
    votes[1 + k + i] = -mine[i];
  }
  comm.all_reduce_max(std::span(votes).first(1 + 2 * k));

  if (votes[0] > 0) {
    struct Text {
      char of[192];
    } text{};
    std::snprintf(text.of, sizeof text.of, "%s", own.message());
    const std::size_t failed = ranks - static_cast<std::size_t>(votes[0]);
    const auto texts = gathered(comm, text);
    const char* found = texts[failed].of;
    constexpr char prefix[] = "rankgrad: ";
    if (std::strncmp(found, prefix, sizeof prefix - 1) == 0) found += sizeof prefix - 1;
    return require(Status::error("rankgrad: rank %zu of %zu: %s", failed, ranks, found));
  }
  for (std::size_t i = 0; i < k; ++i) {
    if (votes[1 + i] == -votes[1 + k + i]) continue;
    const auto all = gathered(comm, mine[i]);
    const auto other = static_cast<std::size_t>(std::find_if(all.begin(), all.end(), [&](double x) { return x != all[0]; }) -
                                                all.begin());
    return require(Status::error("rankgrad: %s is %.10g on rank 0 and %.10g on rank %zu; it must be the same on all ranks",
                                 numbers.begin()[i].name, all[0], all[other], other));
  }
}

/// The ranks before and after this one, in a ring.
template <Communicator C>
std::size_t next_rank(const C& comm) { return (comm.rank() + 1) % comm.size(); }
template <Communicator C>
std::size_t previous_rank(const C& comm) { return (comm.rank() + comm.size() - 1) % comm.size(); }

}  // namespace rankgrad::distributed
