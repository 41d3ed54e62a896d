// A test that could wait for ever ends the program instead.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <future>
#include <thread>

namespace test {

/// Runs f() in a thread and hands on what it throws.
template <class F>
void within_seconds(int seconds, F&& f) {
  std::packaged_task<void()> task([&] { f(); });
  std::future<void> done = task.get_future();
  std::thread thread(std::move(task));
  if (done.wait_for(std::chrono::seconds(seconds)) != std::future_status::ready) {
    std::fprintf(stderr, "still waiting after %d s\n", seconds);
    std::_Exit(1);
  }
  thread.join();
  done.get();
}

/// What f() throws, or "".
template <class F>
std::string thrown_by(F&& f) {
  try {
    f();
  } catch (const std::exception& e) {
    return e.what();
  }
  return "";
}

}  // namespace test
