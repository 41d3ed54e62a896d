// rankgrad/exec/openmp.hpp: OpenMP as the executor of BatchEvaluator. Opt-in: compile with -fopenmp.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/concepts.hpp>

#ifndef _OPENMP
#error "rankgrad/exec/openmp.hpp needs OpenMP: compile with -fopenmp, or use rankgrad/exec/threads.hpp"
#endif
#include <omp.h>

namespace rankgrad::inline RANKGRAD_ABI::exec {

struct OpenMp {
  int threads = omp_get_max_threads();

  std::size_t workers() const noexcept { return static_cast<std::size_t>(threads); }

  template <class Task>
  void operator()(std::size_t tasks, const Task& task) const {
    const auto count = static_cast<std::ptrdiff_t>(tasks);
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (std::ptrdiff_t t = 0; t < count; ++t) task(static_cast<std::size_t>(t), static_cast<std::size_t>(omp_get_thread_num()));
  }
};

}  // namespace rankgrad::exec
