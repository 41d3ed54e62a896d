// One problem on the ranks of this process.
#pragma once

#include "distributed/deadline.hpp"

#include <rankgrad/distributed/threads.hpp>

#include <string>
#include <vector>

namespace test {

/// What problem(comm) says on each rank, an exception counting as such.
template <class F>
std::vector<std::string> on_ranks(std::size_t ranks, const F& problem) {
  std::vector<std::string> found(ranks);
  // Under sanitizers and on a busy machine it takes its time.
  within_seconds(300, [&] {
    rankgrad::distributed::run_ranks(ranks, [&](auto& comm) {
      std::string& own = found[comm.rank()];
      if (const std::string thrown = thrown_by([&] { own = problem(comm); }); !thrown.empty()) own = thrown;
    });
  });
  return found;
}
inline std::vector<std::string> fine(std::size_t ranks) { return std::vector<std::string>(ranks); }

}  // namespace test
