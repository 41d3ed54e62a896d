#include "distributed/ring_checks.hpp"
#include "support/catch.hpp"

#include <rankgrad/interop/mpi.hpp>

namespace dist = rankgrad::distributed;

TEST_CASE("MPI: InfoNCE round a ring is InfoNCE of the whole batch", "[mpi]") {
  dist::MpiCommunicator comm(MPI_COMM_WORLD);
  CHECK(test::ring_info_nce_problem<float>(comm, 4) == "");   // all of them: tests/distributed, on threads
  CHECK(test::ring_info_nce_problem<double>(comm, 4) == "");
}

TEST_CASE("MPI: InfoNCE round a ring, what is wrong on one rank is an error on all, and a NaN shows on all", "[mpi]") {
  dist::MpiCommunicator comm(MPI_COMM_WORLD, 1000);   // in chunks
  CHECK(test::ring_errors_problem(comm) == "");
  CHECK(test::ring_nan_problem(comm) == "");
}
