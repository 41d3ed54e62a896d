// rankgrad/exec/threads.hpp: a pool of std::thread for BatchEvaluator. Opt-in: link the system's thread library.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/concepts.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace rankgrad::inline RANKGRAD_ABI::exec {

/// Workers that wait between calls; the calling thread is one of them. Make it once and pass it by reference: starting
/// threads costs more than most batches. One call at a time. Every worker takes the tasks of its own share from a counter,
/// then those that are left of the others' shares: unequal tasks balance, and what a worker wrote in one call is in its
/// cache in the next.
///
/// A worker that runs out of tasks watches for the next call for some ten microseconds, as it comes at once in a
/// training loop, and then sleeps. A call does not wait for workers that are still asleep when its tasks are done.
class Threads {
 public:
  /// 0 means one worker for every hardware thread.
  explicit Threads(std::size_t workers = 0) {
    if (workers == 0) workers = std::max<std::size_t>(1, std::thread::hardware_concurrency());
    shares_ = std::vector<Share>(workers);
    for (std::size_t w = 1; w < workers; ++w) threads_.emplace_back([this, w] { serve(w); });
  }
  ~Threads() {
    stopping_.store(true, std::memory_order_relaxed);
    announce();
    for (std::thread& thread : threads_) thread.join();
  }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

  std::size_t workers() const noexcept { return threads_.size() + 1; }

  /// Runs task(index, worker) for every index below `tasks`. An exception in a task ends the program, as in any thread:
  /// check the input first.
  template <class Task>
  void operator()(std::size_t tasks, const Task& task) const {
    if (tasks <= 1 || threads_.empty()) {
      for (std::size_t t = 0; t < tasks; ++t) task(t, std::size_t{0});
      return;
    }
    const auto call = [](const void* t, std::size_t index, std::size_t worker) noexcept {
      (*static_cast<const Task*>(t))(index, worker);
    };
    const Job job{call, &task};
    job_ = &job;
    for (std::size_t w = 0; w < workers(); ++w) {
      shares_[w].next.store(tasks * w / workers(), std::memory_order_relaxed);
      shares_[w].end = tasks * (w + 1) / workers();
    }
    gate_.store(open, std::memory_order_release);
    announce();
    work(job, 0);
    gate_.fetch_and(~open, std::memory_order_acq_rel);
    for (std::size_t spins = 0; gate_.load(std::memory_order_acquire) != 0; ++spins) pause(spins);
  }

 private:
  struct Job {
    void (*call)(const void*, std::size_t, std::size_t);
    const void* task;
  };
  struct alignas(64) Share {   // a cache line each
    std::atomic<std::size_t> next{0};
    std::size_t end = 0;
  };
  static constexpr std::uint32_t open = 1u << 31;   // of the gate; the rest counts the workers inside
  static constexpr std::size_t patience = 1000;     // pauses, of some ten nanoseconds each

  static void pause(std::size_t spins) {
    if (spins >= patience) return std::this_thread::yield();
#if defined(__SSE2__)
    _mm_pause();
#endif
  }

  void announce() const {
    calls_.fetch_add(1, std::memory_order_release);
    calls_.notify_all();
  }

  void work(const Job& job, std::size_t worker) const {
    for (std::size_t w = 0; w < workers(); ++w) {
      Share& share = shares_[(worker + w) % workers()];
      for (std::size_t t; (t = share.next.fetch_add(1, std::memory_order_relaxed)) < share.end;) job.call(job.task, t, worker);
    }
  }

  /// The job may be looked at between entering and leaving only: its caller waits until nobody is inside.
  bool enter() const {
    std::uint32_t gate = gate_.load(std::memory_order_relaxed);
    while (gate & open)
      if (gate_.compare_exchange_weak(gate, gate + 1, std::memory_order_acq_rel, std::memory_order_relaxed)) return true;
    return false;
  }

  void serve(std::size_t worker) {
    for (std::uint32_t seen = 0;;) {
      for (std::size_t spins = 0; spins < patience && calls_.load(std::memory_order_acquire) == seen; ++spins) pause(spins);
      calls_.wait(seen, std::memory_order_acquire);
      seen = calls_.load(std::memory_order_acquire);
      if (stopping_.load(std::memory_order_relaxed)) return;
      if (!enter()) continue;
      work(*job_, worker);
      gate_.fetch_sub(1, std::memory_order_acq_rel);
    }
  }

  mutable std::vector<Share> shares_;
  std::vector<std::thread> threads_;
  mutable const Job* job_ = nullptr;
  mutable std::atomic<std::uint32_t> gate_{0}, calls_{0};
  std::atomic<bool> stopping_{false};
};

}  // namespace rankgrad::exec
