// rankgrad/core/executor.hpp: the executor that everything runs on unless told otherwise.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/concepts.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// One task after the other in the calling thread. Pools: exec/threads.hpp, exec/openmp.hpp.
struct Serial {
  static constexpr std::size_t workers() noexcept { return 1; }

  template <class Task>
  void operator()(std::size_t tasks, Task&& task) const {
    for (std::size_t t = 0; t < tasks; ++t) task(t, std::size_t{0});
  }
};

}  // namespace rankgrad
