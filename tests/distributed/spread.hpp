// A list cut up among ranks, and what they find put together again.
#pragma once

#include "distributed/deadline.hpp"
#include "support/lists.hpp"

#include <rankgrad/distributed/threads.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace test {

namespace dist = rankgrad::distributed;

/// Where each rank's part begins: parts of unequal length; with three ranks or more the second has nothing.
inline std::vector<std::size_t> borders(std::size_t n, std::size_t ranks) {
  std::vector<std::size_t> all(ranks + 1);
  for (std::size_t r = 0; r <= ranks; ++r) all[r] = n * r * (r + 1) / (ranks * (ranks + 1));
  if (ranks > 2) all[2] = all[1];
  return all;
}

template <class T>
rg::ListView<T> part_of(const rg::ListView<T>& list, const std::vector<std::size_t>& begins, std::size_t rank) {
  return list.part(begins[rank], begins[rank + 1] - begins[rank], 0);
}

/// body(communicator that counts, first, count) on every rank for its part of n items, within 20 s. Returns what each rank has
/// thrown, "" for nothing.
template <class Body>
std::vector<std::string> on_parts(std::size_t n, std::size_t ranks, const Body& body) {
  const auto begins = borders(n, ranks);
  std::vector<std::string> errors(ranks);
  const auto run = [&] {
    dist::run_ranks(ranks, [&](auto& comm) {
      dist::Counting counting(comm);
      const std::size_t r = comm.rank();
      errors[r] = thrown_by([&] { body(counting, begins[r], begins[r + 1] - begins[r]); });
      if (!errors[r].empty()) throw std::runtime_error(errors[r]);   // the others must not wait
    });
  };
  within_seconds(20, [&] { thrown_by(run); });
  return errors;
}

}  // namespace test
