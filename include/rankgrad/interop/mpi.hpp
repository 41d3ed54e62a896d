// rankgrad/interop/mpi.hpp: MPI as the communicator of distributed/. Opt-in: needs an MPI library, of which the C interface only.
// SPDX-License-Identifier: MIT
//
//   MPI_Init(&argc, &argv);
//   {
//     rankgrad::distributed::MpiCommunicator comm(MPI_COMM_WORLD);
//     float loss = rankgrad::distributed::value_and_gradient(comm, rankgrad::MannWhitney{}, list, gradient);
//   }
//   MPI_Finalize();
//
// CMake: find_package(MPI COMPONENTS C) and MPI::MPI_C. The C++ interface, which MPI has given up, is left out: its macros stand
// below and must be in force wherever mpi.h is included first.
#pragma once

#include <rankgrad/distributed/communicator.hpp>

#ifndef OMPI_SKIP_MPICXX
#define OMPI_SKIP_MPICXX 1
#endif
#ifndef MPICH_SKIP_MPICXX
#define MPICH_SKIP_MPICXX 1
#endif
#include <mpi.h>

#include <limits>
#if RANKGRAD_DETAIL_EXCEPTIONS
#include <stdexcept>
#include <string>
#endif

namespace rankgrad::inline RANKGRAD_ABI::distributed {

/// A rank of an MPI communicator, of which it keeps a duplicate: its messages meet no others. Making and destroying it are
/// collective; MPI_Init comes before, MPI_Finalize after. One thread of each rank at a time uses it (MPI_THREAD_FUNNELED or
/// more where there are others).
///
/// Sizes are std::size_t: what is longer than MPI's int goes in pieces of at most `chunk` bytes or numbers.
///
/// all_reduce_sum  adds in the order of the ranks: each rank gets its part of the values from all (MPI_Alltoallv), adds, and
///                 all get the sums (MPI_Allgatherv): 2 (P - 1) / P of the bytes are sent, as by a good MPI_Allreduce, which
///                 does not promise the same bits on every rank. Other numbers of ranks give other roundings.
/// Errors          a return code of MPI raises std::runtime_error with the call and MPI's own text (prints and aborts without
///                 exceptions). The duplicate has MPI_ERRORS_RETURN; the communicator that was passed keeps its handler.
/// A rank that throws between two calls leaves the others in theirs, as in any MPI program. Let the exception end the process,
/// or call MPI_Abort: either ends all. Bad input never comes to that: agree() tells all ranks.
class MpiCommunicator {
 public:
  explicit MpiCommunicator(MPI_Comm comm, std::size_t chunk = std::size_t{std::numeric_limits<int>::max()}) : chunk_(chunk) {
    RANKGRAD_EXPECTS(chunk > 0 && chunk <= std::size_t{std::numeric_limits<int>::max()}, "the chunk of an MpiCommunicator is no int");
    check(MPI_Comm_dup(comm, &comm_), "MPI_Comm_dup");
    check(MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
    int rank = 0, size = 1;
    check(MPI_Comm_rank(comm_, &rank), "MPI_Comm_rank");
    check(MPI_Comm_size(comm_, &size), "MPI_Comm_size");
    rank_ = static_cast<std::size_t>(rank);
    parts_.resize(static_cast<std::size_t>(size));
  }
  ~MpiCommunicator() {
    int over = 0;
    if (MPI_Finalized(&over) == MPI_SUCCESS && !over) MPI_Comm_free(&comm_);
  }
  MpiCommunicator(const MpiCommunicator&) = delete;
  MpiCommunicator& operator=(const MpiCommunicator&) = delete;

  std::size_t rank() const noexcept { return rank_; }
  std::size_t size() const noexcept { return parts_.size(); }

  void exchange(std::size_t to, std::span<const std::byte> out, std::size_t from, std::span<std::byte> in) {
    if (to == rank_ && from == rank_) {
      if (out.size() != in.size()) fail(other_size, "");
      if (!out.empty()) std::memcpy(in.data(), out.data(), out.size());
      return;
    }
    while (!out.empty() || !in.empty()) {
      const auto send = out.first(std::min(chunk_, out.size()));
      const auto receive = in.first(std::min(chunk_, in.size()));
      MPI_Status status;
      check(MPI_Sendrecv(send.data(), number(send.size()), MPI_BYTE, send.empty() ? MPI_PROC_NULL : number(to), 0, receive.data(),
                         number(receive.size()), MPI_BYTE, receive.empty() ? MPI_PROC_NULL : number(from), 0, comm_, &status),
            "MPI_Sendrecv");
      int count = 0;
      check(MPI_Get_count(&status, MPI_BYTE, &count), "MPI_Get_count");
      if (count != number(receive.size())) fail(other_size, "");
      out = out.subspan(send.size());
      in = in.subspan(receive.size());
    }
  }

  void all_reduce_sum(std::span<double> values) {
    constexpr std::size_t most = std::size_t{1} << 20;   // bounds the scratch
    for (; !values.empty() && size() > 1; values = values.subspan(std::min({chunk_, most, values.size()})))
      sum_piece(values.first(std::min({chunk_, most, values.size()})));
  }

  void all_reduce_max(std::span<double> values) {
    for (; !values.empty() && size() > 1; values = values.subspan(std::min(chunk_, values.size())))
      check(MPI_Allreduce(MPI_IN_PLACE, values.data(), number(std::min(chunk_, values.size())), MPI_DOUBLE, MPI_MAX, comm_),
            "MPI_Allreduce");
  }

  void all_gather(std::span<const std::byte> own, std::span<std::byte> all) {
    RANKGRAD_EXPECTS(all.size() == size() * own.size(), "all_gather() has no room for all blocks");
    std::vector<std::byte> piece(size() * std::min(chunk_, own.size()));
    for (std::size_t begin = 0; begin < own.size(); begin += chunk_) {
      const std::size_t n = std::min(chunk_, own.size() - begin);
      check(MPI_Allgather(own.data() + begin, number(n), MPI_BYTE, piece.data(), number(n), MPI_BYTE, comm_), "MPI_Allgather");
      for (std::size_t r = 0; r < size(); ++r) std::memcpy(all.data() + r * own.size() + begin, piece.data() + r * n, n);
    }
  }

 private:
  static constexpr const char* other_size = "exchange() receives another size than was sent";
  static int number(std::size_t n) { return static_cast<int>(n); }

  [[noreturn]] static void fail(const char* what, const char* why) {
#if RANKGRAD_DETAIL_EXCEPTIONS
    throw std::runtime_error(std::string("rankgrad: ") + what + why);
#else
    std::fprintf(stderr, "rankgrad: %s%s\n", what, why);
    std::abort();
#endif
  }
  static void check(int code, const char* call) {
    if (code == MPI_SUCCESS) return;
    char text[MPI_MAX_ERROR_STRING + 32];
    std::snprintf(text, sizeof text, " failed: ");
    int length = 0;
    MPI_Error_string(code, text + std::strlen(text), &length);
    fail(call, text);
  }

  /// Which values a rank adds up, and where what it receives for that stands.
  struct Parts {
    std::vector<int> counts, begins, own_counts, own_begins;
    std::size_t size() const noexcept { return counts.size(); }
    void resize(std::size_t ranks) {
      for (std::vector<int>* each : {&counts, &begins, &own_counts, &own_begins}) each->resize(ranks);
    }
  };
  void sum_piece(std::span<double> values) {
    const std::size_t n = values.size();
    const auto begin = [&](std::size_t r) { return n * r / size(); };
    const std::size_t own = begin(rank_ + 1) - begin(rank_);
    for (std::size_t r = 0; r < size(); ++r) {
      parts_.begins[r] = number(begin(r));
      parts_.counts[r] = number(begin(r + 1) - begin(r));
      parts_.own_begins[r] = number(r * own);
      parts_.own_counts[r] = number(own);
    }
    scratch_.resize(std::max(scratch_.size(), size() * own));
    check(MPI_Alltoallv(values.data(), parts_.counts.data(), parts_.begins.data(), MPI_DOUBLE, scratch_.data(),
                        parts_.own_counts.data(), parts_.own_begins.data(), MPI_DOUBLE, comm_),
          "MPI_Alltoallv");
    for (std::size_t r = 1; r < size(); ++r)
      for (std::size_t i = 0; i < own; ++i) scratch_[i] += scratch_[r * own + i];
    check(MPI_Allgatherv(scratch_.data(), number(own), MPI_DOUBLE, values.data(), parts_.counts.data(), parts_.begins.data(),
                         MPI_DOUBLE, comm_),
          "MPI_Allgatherv");
  }

  MPI_Comm comm_ = MPI_COMM_NULL;
  std::size_t chunk_, rank_ = 0;
  Parts parts_;
  std::vector<double> scratch_;
};

}  // namespace rankgrad::distributed
