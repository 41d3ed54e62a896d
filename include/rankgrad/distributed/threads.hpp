// rankgrad/distributed/threads.hpp: ranks that are threads of one process. Opt-in: link the system's thread library.
// SPDX-License-Identifier: MIT
//
// For tests, and for trying a distributed loss without MPI. (Where threads only should share the work of one batch, an
// executor does that better: exec/threads.hpp.)
#pragma once

#include <rankgrad/distributed/communicator.hpp>

#include <condition_variable>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#if !RANKGRAD_DETAIL_EXCEPTIONS
#error "rankgrad/distributed/threads.hpp needs exceptions: a rank that fails ends the others by one"
#endif

namespace rankgrad::inline RANKGRAD_ABI::distributed {

/// What the ranks of one run share. Every call is: show the others what one has, wait for all, copy or add what is theirs, wait
/// again. Sums are made in the order of the ranks, each rank making a part of them for all.
class ThreadGroup {
 public:
  enum class Call { exchange, sum, max, gather };
  struct Shown {
    Call call = Call::exchange;
    std::size_t to = 0, size = 0;
    const std::byte* out = nullptr;
    double* values = nullptr;
  };

  explicit ThreadGroup(std::size_t ranks) : shown_(ranks) {}
  std::size_t size() const noexcept { return shown_.size(); }

  /// Shows, waits for all, lets `act` read what all have shown, waits again: also where `act` fails, for others still read.
  template <class Act>
  void meet(std::size_t rank, const Shown& own, const Act& act) {
    shown_[rank] = own;
    wait(rank);
    std::exception_ptr wrong;
    try {
      act(static_cast<const std::vector<Shown>&>(shown_));
    } catch (...) {
      wrong = std::current_exception();
    }
    wait(rank);
    if (wrong) std::rethrow_exception(wrong);
  }

  /// The first failure ends every later wait of the others, with a message that names it.
  void fail(std::size_t rank, std::exception_ptr what, const char* message) noexcept {
    const std::lock_guard lock(mutex_);
    if (failure_) return;
    failure_ = what;
    failed_ = rank;
    std::snprintf(text_, sizeof text_, "%s", message);
    changed_.notify_all();
  }
  /// No more calls will come from this rank.
  void leave() noexcept {
    const std::lock_guard lock(mutex_);
    ++gone_;
    changed_.notify_all();
  }
  std::exception_ptr failure() const noexcept { return failure_; }   ///< once all have left

 private:
  void wait(std::size_t rank) {
    std::unique_lock lock(mutex_);
    const std::size_t here = generation_;
    for (bool arrived = false; generation_ == here; changed_.wait(lock)) {
      if (failure_ || gone_ > 0) stop(rank);
      if (std::exchange(arrived, true)) continue;
      if (++arrived_ < size()) continue;
      arrived_ = 0;
      ++generation_;
      changed_.notify_all();
      return;
    }
  }
  [[noreturn]] void stop(std::size_t rank) const {
    const std::string me = "rankgrad: rank " + std::to_string(rank);
    if (failure_) throw std::runtime_error(me + " stopped, for rank " + std::to_string(failed_) + " failed: " + text_);
    throw std::runtime_error(me + " waits for a rank that has returned: all ranks must make the same calls");
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Shown> shown_;
  std::size_t arrived_ = 0, generation_ = 0, gone_ = 0, failed_ = 0;
  std::exception_ptr failure_;
  char text_[256] = "";
};

/// One rank of a group. Calls that do not fit each other (sums of different lengths, a block that nobody sent) throw
/// std::logic_error.
class ThreadCommunicator {
 public:
  ThreadCommunicator(ThreadGroup& group, std::size_t rank) noexcept : group_(&group), rank_(rank) {}

  std::size_t rank() const noexcept { return rank_; }
  std::size_t size() const noexcept { return group_->size(); }

  void exchange(std::size_t to, std::span<const std::byte> out, std::size_t from, std::span<std::byte> in) {
    group_->meet(rank_, {Call::exchange, to, out.size(), out.data(), nullptr}, [&](const std::vector<Shown>& all) {
      for (const Shown& other : all) expect(other.call == Call::exchange, "the ranks are in different calls");
      expect(from < size() && all[from].to == rank_, "exchange() waits for a rank that sends to another one");
      expect(all[from].size == in.size(), "exchange() receives another size than was sent");
      if (!in.empty()) std::memcpy(in.data(), all[from].out, in.size());
    });
  }
  void all_reduce_sum(std::span<double> values) {
    reduce(Call::sum, values, [](double& sum, double x) { sum += x; });
  }
  void all_reduce_max(std::span<double> values) {
    reduce(Call::max, values, [](double& most, double x) { most = std::max(most, x); });
  }
  void all_gather(std::span<const std::byte> own, std::span<std::byte> all) {
    expect(all.size() == size() * own.size(), "all_gather() has no room for all blocks");
    group_->meet(rank_, {Call::gather, 0, own.size(), own.data(), nullptr}, [&](const std::vector<Shown>& shown) {
      expect_same(shown, Call::gather, own.size());
      for (std::size_t r = 0; r < size() && !own.empty(); ++r)
        std::memcpy(all.data() + r * own.size(), shown[r].out, own.size());
    });
  }

 private:
  using Call = ThreadGroup::Call;
  using Shown = ThreadGroup::Shown;

  static void expect(bool fits, const char* message) {
    if (!fits) throw std::logic_error(std::string("rankgrad: ") + message);
  }
  static void expect_same(const std::vector<Shown>& all, Call call, std::size_t size) {
    for (const Shown& other : all) {
      expect(other.call == call, "the ranks are in different calls");
      expect(other.size == size, "a collective call has different sizes on different ranks");
    }
  }
  /// Each rank its part of the values, for all.
  template <class Add>
  void reduce(Call call, std::span<double> values, const Add& add) {
    group_->meet(rank_, {call, 0, values.size(), nullptr, values.data()}, [&](const std::vector<Shown>& all) {
      expect_same(all, call, values.size());
      const std::size_t end = values.size() * (rank_ + 1) / size();
      for (std::size_t i = values.size() * rank_ / size(); i < end; ++i) {
        double result = all[0].values[i];
        for (std::size_t r = 1; r < size(); ++r) add(result, all[r].values[i]);
        for (const Shown& each : all) each.values[i] = result;
      }
    });
  }

  ThreadGroup* group_;
  std::size_t rank_;
};

/// Runs f(ThreadCommunicator&) as `ranks` ranks, waits for all and throws what the first rank that failed has thrown. The
/// others, where they wait for it, end too.
template <class F>
void run_ranks(std::size_t ranks, F&& f) {
  ThreadGroup group(ranks);
  std::vector<std::thread> threads;
  threads.reserve(ranks);
  const auto run = [&](std::size_t rank) {
    try {
      ThreadCommunicator comm(group, rank);
      f(comm);
    } catch (const std::exception& e) {
      group.fail(rank, std::current_exception(), e.what());
    } catch (...) {
      group.fail(rank, std::current_exception(), "an exception that is no std::exception");
    }
    group.leave();
  };
  try {
    while (threads.size() < ranks) threads.emplace_back(run, threads.size());
  } catch (const std::exception& e) {   // no more threads to be had
    group.fail(threads.size(), std::current_exception(), e.what());
  }
  for (std::thread& thread : threads) thread.join();
  if (group.failure()) std::rethrow_exception(group.failure());
}

}  // namespace rankgrad::distributed
