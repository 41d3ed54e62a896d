// rankgrad/core/executor.hpp: the executor that everything runs on unless told otherwise, and how one large list is cut
// into pieces.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/concepts.hpp>

#include <algorithm>
#include <span>

namespace rankgrad::inline RANKGRAD_ABI {

/// One task after the other in the calling thread. Pools: exec/threads.hpp, exec/openmp.hpp.
struct Serial {
  static constexpr std::size_t workers() noexcept { return 1; }

  template <class Task>
  void operator()(std::size_t tasks, Task&& task) const {
    for (std::size_t t = 0; t < tasks; ++t) task(t, std::size_t{0});
  }
};

/// An executor and the scratch of its workers, the executor's type forgotten: what a loss spreads one large list over.
/// Worker 0 is the thread that evaluates the list, and its scratch the workspace that the loss was given.
class Team {
 public:
  template <class E>
  Team(const E& executor, std::span<Workspace> scratch) noexcept
      : executor_(&executor), workers_(executor.workers()), scratch_(scratch), run_([](const Team& team, std::size_t pieces, Call call, const void* task) {
          (*static_cast<const E*>(team.executor_))(
              pieces, [&](std::size_t piece, std::size_t worker) { call(task, piece, team.scratch_[worker]); });
        }) {}

  std::size_t workers() const noexcept { return workers_; }

  template <class Task>
  void operator()(std::size_t pieces, const Task& task) const {
    run_(*this, pieces,
         [](const void* t, std::size_t piece, Workspace& workspace) { (*static_cast<const Task*>(t))(piece, workspace); }, &task);
  }

 private:
  using Call = void (*)(const void* task, std::size_t piece, Workspace& workspace);
  const void* executor_;
  std::size_t workers_;
  std::span<Workspace> scratch_;
  void (*run_)(const Team&, std::size_t, Call, const void*);
};

/// Runs task(piece, workspace of the worker) for every piece below `pieces`, on the team of the list's workspace where it
/// has one. Pieces must depend on the list alone, write to places of their own, and what they leave must be put together
/// in their order: then the result has the same bits whoever computed it.
template <class Task>
void for_each_piece(std::size_t pieces, Workspace& workspace, const Task& task) {
  if (const Team* team = workspace.team(); team && pieces > 1) {
    const Workspace::TeamLoan busy(workspace, nullptr);   // a piece is not cut again
    return (*team)(pieces, task);
  }
  for (std::size_t piece = 0; piece < pieces; ++piece) task(piece, workspace);
}

/// Long lists go in stretches of this many items where each item is a few operations.
inline constexpr std::size_t stretch_items = 8192;
constexpr std::size_t stretches_of(std::size_t n) { return (n + stretch_items - 1) / stretch_items; }

/// Runs task(number, begin, end) for the stretches of [0, n), the same ones whoever is there: for sums.
template <class Task>
void for_each_numbered_stretch(std::size_t n, Workspace& workspace, const Task& task) {
  for_each_piece(stretches_of(n), workspace, [&](std::size_t s, Workspace&) {
    task(s, s * stretch_items, std::min(n, (s + 1) * stretch_items));
  });
}
/// Runs task(begin, end) for stretches that make up [0, n), the whole of it where there is no team: for what is done item
/// by item, so that it does not matter where the cuts are.
template <class Task>
void for_each_stretch(std::size_t n, Workspace& workspace, const Task& task) {
  if (!workspace.team()) return task(std::size_t{0}, n);
  for_each_numbered_stretch(n, workspace, [&](std::size_t, std::size_t begin, std::size_t end) { task(begin, end); });
}

}  // namespace rankgrad
