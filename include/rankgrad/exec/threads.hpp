// rankgrad/exec/threads.hpp: a pool of std::thread for BatchEvaluator. Opt-in: link the system's thread library.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/concepts.hpp>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace rankgrad::inline RANKGRAD_ABI::exec {

/// Workers that sleep between calls; the calling thread is one of them. Make it once and pass it by reference: starting
/// threads costs more than most batches. One call at a time. Tasks are taken from a counter, so unequal tasks balance.
class Threads {
 public:
  /// 0 means one worker for every hardware thread.
  explicit Threads(std::size_t workers = 0) {
    if (workers == 0) workers = std::max<std::size_t>(1, std::thread::hardware_concurrency());
    for (std::size_t w = 1; w < workers; ++w) threads_.emplace_back([this, w] { serve(w); });
  }
  ~Threads() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
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
    Job job{[](const void* t, std::size_t index, std::size_t worker) noexcept { (*static_cast<const Task*>(t))(index, worker); },
            &task, tasks, 0};
    {
      const std::lock_guard lock(mutex_);
      job_ = &job;
      busy_ = threads_.size();
      ++generation_;
    }
    wake_.notify_all();
    work(job, 0);
    std::unique_lock lock(mutex_);
    done_.wait(lock, [&] { return busy_ == 0; });
    job_ = nullptr;
  }

 private:
  struct Job {
    void (*call)(const void*, std::size_t, std::size_t);
    const void* task;
    std::size_t tasks;
    std::atomic<std::size_t> next;
  };

  static void work(Job& job, std::size_t worker) {
    for (std::size_t t; (t = job.next.fetch_add(1, std::memory_order_relaxed)) < job.tasks;) job.call(job.task, t, worker);
  }

  void serve(std::size_t worker) {
    for (std::size_t seen = 0;;) {
      Job* job = nullptr;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [&] { return stopping_ || generation_ != seen; });
        if (stopping_) return;
        seen = generation_;
        job = job_;
      }
      work(*job, worker);
      const std::lock_guard lock(mutex_);
      if (--busy_ == 0) done_.notify_one();
    }
  }

  std::vector<std::thread> threads_;
  mutable std::mutex mutex_;
  mutable std::condition_variable wake_, done_;
  mutable Job* job_ = nullptr;
  mutable std::size_t busy_ = 0, generation_ = 0;
  bool stopping_ = false;
};

}  // namespace rankgrad::exec
