// rankgrad/distributed/ring.hpp: every rank's block past every rank, one step at a time.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/list_view.hpp>
#include <rankgrad/core/workspace.hpp>
#include <rankgrad/distributed/communicator.hpp>

namespace rankgrad::inline RANKGRAD_ABI::distributed {

/// visit(owner, block) for the block of every rank, the own one first, then those of the ranks before it in turn. sizes(r)
/// numbers are the block of rank r. All ranks do this together; P - 1 exchanges. A rank sends every block but that of the rank after it:
/// sum_r sizes(r) - sizes(rank + 1) numbers. Scratch: two blocks of the largest size, whatever P is.
template <Communicator C, class T, class Sizes, class Visit>
void pass_round(C& comm, const T* own, const Sizes& sizes, Workspace& workspace, const Visit& visit) {
  const auto frame = workspace.frame();
  const std::size_t ranks = comm.size(), rank = comm.rank();
  std::size_t most = 0;
  for (std::size_t r = 0; r < ranks; ++r) most = std::max(most, sizes(r));
  T* room[2] = {workspace.take<T>(most), workspace.take<T>(most)};
  const T* block = own;
  for (std::size_t step = 0;; ++step) {
    const std::size_t owner = (rank + ranks - step) % ranks, next = (owner + ranks - 1) % ranks;
    visit(owner, block);
    if (step + 1 == ranks) return;
    T* received = room[step % 2];
    comm.exchange(next_rank(comm), std::as_bytes(std::span(block, sizes(owner))), previous_rank(comm),
                  std::as_writable_bytes(std::span(received, sizes(next))));
    block = received;
  }
}

/// The parts of all ranks, one after the other in the order of the ranks, and where the own one begins. For what is small beside
/// the scores: one number for each list.
template <class T>
struct Joined {
  std::span<const T> all;
  std::size_t first;
};
template <Communicator C, class T>
Joined<T> join(C& comm, std::span<const T> own, Workspace& workspace) {
  const std::vector<std::uint64_t> sizes = gathered(comm, std::uint64_t{own.size()});
  std::size_t *begins = workspace.take<std::size_t>(sizes.size() + 1), n = 0;
  for (std::size_t r = 0; r < sizes.size(); ++r) n += (begins[r] = n, static_cast<std::size_t>(sizes[r]));
  T* all = workspace.take<T>(n);
  pass_round(comm, own.data(), [&](std::size_t r) { return static_cast<std::size_t>(sizes[r]); }, workspace,
             [&](std::size_t owner, const T* block) { std::copy_n(block, sizes[owner], all + begins[owner]); });
  return {{all, n}, begins[comm.rank()]};
}

/// How many items of two classes a rank has, and what they weigh.
struct ClassCensus {
  std::uint64_t positives = 0, negatives = 0;
  double positive_weight = 0, negative_weight = 0;
  std::uint64_t weighted = 0;   ///< are the weights other than 1?
  std::uint64_t nan = 0;        ///< is a score NaN?

  std::size_t items() const noexcept { return static_cast<std::size_t>(positives + negatives); }
  void add(const ClassCensus& other) noexcept {
    positives += other.positives, negatives += other.negatives;
    positive_weight += other.positive_weight, negative_weight += other.negative_weight;
    weighted |= other.weighted, nan |= other.nan;
  }
};

/// The items of one class and one rank.
template <Real T>
struct ClassPart {
  std::size_t n = 0;
  double weight = 0;
  const T *scores = nullptr, *weights = nullptr;   ///< weights null for 1
  const std::uint32_t* items = nullptr;            ///< where they came from; null for those of other ranks

  double weight_of(std::size_t i) const { return weights ? static_cast<double>(weights[i]) : 1; }
};
template <Real T>
struct ClassParts {
  ClassPart<T> positives, negatives;
};

/// The positives and the negatives of a list that is spread over the ranks, past every rank. Exchanges for each item but those
/// of the next rank its score, and its weight where any rank has weights; before that each rank's census is gathered.
template <Communicator C, Real T>
class ClassRing {
 public:
  /// positive(i): is item i of the own list one?
  template <class Positive>
  ClassRing(C& comm, const ListView<T>& own, const Positive& positive, Workspace& workspace)
      : comm_(comm), workspace_(workspace), list_(own), items_(workspace.take<std::uint32_t>(own.size())),
        census_(workspace.take<ClassCensus>(comm.size())) {
    ClassCensus mine;
    mine.weighted = !own.weights.empty();
    std::size_t count = 0;
    for (const bool which : {true, false}) {
      double weight = 0;
      for (std::size_t i = 0; i < own.size(); ++i)
        if (positive(i) == which) {
          items_[count++] = static_cast<std::uint32_t>(i);
          weight += static_cast<double>(own.weight(i));
          mine.nan |= own.scores[i] != own.scores[i];
        }
      (which ? mine.positive_weight : mine.negative_weight) = weight;
      if (which) mine.positives = count;
    }
    mine.negatives = count - mine.positives;
    comm.all_gather(std::as_bytes(std::span(&mine, 1)), std::as_writable_bytes(std::span(census_, comm.size())));
    for (std::size_t r = 0; r < comm.size(); ++r) all_.add(census_[r]);
  }

  /// Of all ranks together: the same on every rank.
  const ClassCensus& all() const noexcept { return all_; }

  /// The own items of each class by falling score, from here on.
  void sort() {
    const auto higher = [&](std::uint32_t a, std::uint32_t b) {
      return list_.scores[a] != list_.scores[b] ? list_.scores[a] > list_.scores[b] : a < b;
    };
    std::uint32_t* border = items_ + census_[comm_.rank()].positives;
    std::sort(items_, border, higher);
    std::sort(border, items_ + list_.size(), higher);
  }

  /// visit(own parts, parts of a rank, whether these are the own ones).
  template <class Visit>
  void pass(const Visit& visit) {
    const auto frame = workspace_.frame();
    const std::size_t n = list_.size(), columns = all_.weighted ? 2 : 1;
    T* block = workspace_.take<T>(columns * n);
    for (std::size_t i = 0; i < n; ++i) {
      block[i] = list_.scores[items_[i]];
      if (all_.weighted) block[n + i] = list_.weight(items_[i]);
    }
    const ClassParts<T> own = parts(comm_.rank(), block, items_);
    pass_round(comm_, static_cast<const T*>(block), [&](std::size_t r) { return columns * census_[r].items(); }, workspace_,
               [&](std::size_t owner, const T* theirs) {
      const bool mine = theirs == block;
      visit(own, mine ? own : parts(owner, theirs, nullptr), mine);
    });
  }

 private:
  ClassParts<T> parts(std::size_t rank, const T* block, const std::uint32_t* items) const {
    const ClassCensus& of = census_[rank];
    const auto positives = static_cast<std::size_t>(of.positives), negatives = static_cast<std::size_t>(of.negatives);
    const T* weights = all_.weighted ? block + of.items() : nullptr;
    return {{positives, of.positive_weight, block, weights, items},
            {negatives, of.negative_weight, block + positives, weights ? weights + positives : nullptr,
             items ? items + positives : nullptr}};
  }

  C& comm_;
  Workspace& workspace_;
  const ListView<T> list_;
  std::uint32_t* items_;
  ClassCensus *census_, all_;
};

}  // namespace rankgrad::distributed
