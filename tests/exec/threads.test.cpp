#include "support/catch.hpp"

#include <rankgrad/exec/threads.hpp>
#include <rankgrad/core/executor.hpp>

#include <atomic>
#include <chrono>
#include <set>
#include <vector>

namespace rg = rankgrad;

static_assert(rg::Executor<rg::Serial> && rg::Executor<rg::exec::Threads>);

TEST_CASE("every task runs once, on a worker that exists", "[exec]") {
  for (const std::size_t workers : {1u, 2u, 3u, 8u}) {
    const rg::exec::Threads pool(workers);
    CHECK(pool.workers() == workers);
    for (const std::size_t tasks : {0u, 1u, 2u, 7u, 1000u}) {
      std::vector<std::atomic<int>> runs(tasks);
      std::atomic<bool> in_range{true};
      pool(tasks, [&](std::size_t task, std::size_t worker) {
        ++runs[task];
        if (worker >= workers) in_range = false;
      });
      bool once = true;
      for (const auto& count : runs) once = once && count == 1;
      INFO(workers << " workers, " << tasks << " tasks");
      CHECK(once);
      CHECK(in_range);
    }
  }
}

TEST_CASE("no two tasks share a worker at the same time", "[exec]") {
  const rg::exec::Threads pool(4);
  std::vector<std::atomic<int>> busy(4);
  std::atomic<bool> shared{false};
  pool(400, [&](std::size_t, std::size_t worker) {
    if (busy[worker]++ != 0) shared = true;
    std::this_thread::yield();
    --busy[worker];
  });
  CHECK_FALSE(shared);
}

TEST_CASE("the workers work at the same time, the caller among them, and it sees what they wrote", "[exec]") {
  const rg::exec::Threads pool(3);
  std::vector<std::thread::id> ids(3);
  std::atomic<int> arrived{0};
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  pool(3, [&](std::size_t task, std::size_t) {   // nobody leaves before all three have come
    ids[task] = std::this_thread::get_id();
    ++arrived;
    while (arrived < 3 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  });
  const std::set<std::thread::id> used(ids.begin(), ids.end());
  CHECK(used.size() == 3);
  CHECK(used.count(std::this_thread::get_id()) == 1);
}

TEST_CASE("a pool serves many short calls", "[exec]") {
  const rg::exec::Threads pool(3);
  std::size_t total = 0;
  for (int call = 0; call < 3000; ++call) {
    std::atomic<std::size_t> sum{0};
    pool(5, [&](std::size_t task, std::size_t) { sum += task; });
    total += sum;
  }
  CHECK(total == 30000);
}

TEST_CASE("0 workers means one for every hardware thread", "[exec]") {
  CHECK(rg::exec::Threads().workers() == std::max(1u, std::thread::hardware_concurrency()));
}

TEST_CASE("the serial executor runs in order", "[exec]") {
  std::vector<std::size_t> order;
  rg::Serial{}(4, [&](std::size_t task, std::size_t worker) {
    order.push_back(task);
    CHECK(worker == 0);
  });
  CHECK(order == std::vector<std::size_t>{0, 1, 2, 3});
  CHECK(rg::Serial::workers() == 1);
}

TEST_CASE("the pieces of one list run on a team, each with the workspace of its worker", "[exec]") {
  const rg::exec::Threads pool(3);
  std::vector<rg::Workspace> scratch(3);
  const rg::Team team(pool, scratch);
  std::vector<double> sums(100);
  std::atomic<bool> foreign{false};
  const auto piece = [&](std::size_t p, rg::Workspace& workspace) {
    if (&workspace < scratch.data() || &workspace >= scratch.data() + scratch.size()) foreign = true;
    const auto frame = workspace.frame();
    double* own = workspace.take<double>(1000, static_cast<double>(p));
    for (std::size_t i = 0; i < 1000; ++i) sums[p] += own[i];
  };
  {
    const auto frame = scratch[0].frame();   // the loss has scratch of its own meanwhile
    double* kept = scratch[0].take<double>(10, 7.0);
    const rg::Workspace::TeamLoan loan(scratch[0], team);
    rg::for_each_piece(100, scratch[0], piece);
    CHECK(kept[9] == 7.0);
  }
  CHECK_FALSE(foreign);
  CHECK(scratch[0].team() == nullptr);
  const std::vector<double> first = sums;
  for (std::size_t p = 0; p < 100; ++p) CHECK(first[p] == 1000.0 * static_cast<double>(p));
  std::fill(sums.begin(), sums.end(), 0.0);
  rg::for_each_piece(100, scratch[0], piece);   // without a team: one after the other
  CHECK(sums == first);
}
