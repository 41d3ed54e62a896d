// common/progress.hpp: a bar on a terminal, nothing in a log.
// SPDX-License-Identifier: MIT
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <mutex>
#include <string>

#include <unistd.h>

namespace examples {

/// Counts what is done by several trainings at once; draws on stderr where that is a terminal, at most ten times a second.
class Progress {
 public:
  explicit Progress(std::size_t total) : total_(std::max<std::size_t>(total, 1)), visible_(isatty(STDERR_FILENO) == 1) {}
  ~Progress() {
    if (visible_) fmt::print(stderr, "\r\033[K");
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void advance(std::size_t more, const std::string& what) {
    if (!visible_) return;
    const std::lock_guard lock(mutex_);
    done_ = std::min(done_ + more, total_);
    const auto now = std::chrono::steady_clock::now();
    if (now - drawn_ < std::chrono::milliseconds(100)) return;
    drawn_ = now;
    constexpr std::size_t width = 30;
    const std::size_t filled = width * done_ / total_;
    fmt::print(stderr, "\r\033[K[{:#<{}}{:.<{}}] {:3}%  {}", "", filled, "", width - filled, 100 * done_ / total_, what);
    std::fflush(stderr);
  }

 private:
  std::mutex mutex_;
  std::size_t total_, done_ = 0;
  bool visible_;
  std::chrono::steady_clock::time_point drawn_{};
};

}  // namespace examples
