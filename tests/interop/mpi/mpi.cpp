// Run by mpirun with 1 to 4 ranks. All ranks run the same tests in the same order; CHECK only, for REQUIRE would leave the others
// waiting.
#include "distributed/checks.hpp"
#include "distributed/spread.hpp"
#include "support/catch.hpp"

#include <rankgrad/distributed/auc.hpp>
#include <rankgrad/distributed/mann_whitney.hpp>
#include <rankgrad/interop/mpi.hpp>

namespace rg = rankgrad;
namespace dist = rankgrad::distributed;

static_assert(dist::Communicator<dist::MpiCommunicator> && dist::Communicator<dist::Counting<dist::MpiCommunicator>>);

namespace {

// Chunks that cut everything, some things, and nothing.
constexpr std::size_t chunks[] = {1, 7, 1000, 0x7fffffff};

}  // namespace

TEST_CASE("MPI: blocks go round the ring, in chunks", "[mpi]") {
  for (const std::size_t chunk : chunks) {
    dist::MpiCommunicator comm(MPI_COMM_WORLD, chunk);
    for (const std::size_t length : {0u, 1u, 300u}) CHECK(test::ring_problem(comm, length) == "");
  }
}

TEST_CASE("MPI: sums in the order of the ranks, to the bit, in chunks", "[mpi]") {
  for (const std::size_t chunk : chunks) {
    dist::MpiCommunicator comm(MPI_COMM_WORLD, chunk);
    for (const std::size_t length : {0u, 1u, 5u, 2000u}) CHECK(test::reduce_problem(comm, length) == "");
  }
}

TEST_CASE("MPI: gathered blocks, and ranks that agree or all raise the same error, in chunks", "[mpi]") {
  for (const std::size_t chunk : chunks) {
    dist::MpiCommunicator comm(MPI_COMM_WORLD, chunk);
    CHECK(test::gather_problem(comm) == "");
    CHECK(test::agree_problem(comm) == "");
  }
}

TEST_CASE("MPI: a message does not meet those of the communicator it came from", "[mpi]") {
  dist::MpiCommunicator comm(MPI_COMM_WORLD);
  const int own = static_cast<int>(comm.rank()), next = static_cast<int>(dist::next_rank(comm)),
            previous = static_cast<int>(dist::previous_rank(comm));
  MPI_Request request;   // a message with the same tag, on its way meanwhile
  MPI_Isend(&own, 1, MPI_INT, next, 0, MPI_COMM_WORLD, &request);
  CHECK(test::ring_problem(comm, 3) == "");
  int received = -1;
  MPI_Recv(&received, 1, MPI_INT, previous, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
  MPI_Wait(&request, MPI_STATUS_IGNORE);
  CHECK(received == previous);
}

TEST_CASE("MPI: what MPI refuses becomes an exception that says so", "[mpi]") {
  dist::MpiCommunicator comm(MPI_COMM_WORLD);
  std::byte block[8] = {}, received[8];
  CHECK_THROWS_WITH(comm.exchange(comm.size(), block, comm.size(), received),
                    contains("rankgrad: MPI_Sendrecv failed: ") && contains("rank"));
  CHECK(test::ring_problem(comm, 3) == "");   // and the others are still with us
}

TEST_CASE("MPI: a block of another size than was sent is an error", "[mpi]") {
  dist::MpiCommunicator comm(MPI_COMM_WORLD);
  std::byte block[8] = {}, received[16];
  CHECK_THROWS_WITH(comm.exchange(dist::next_rank(comm), block, dist::previous_rank(comm), received), contains("another size"));
  CHECK_THROWS_AS(comm.exchange(dist::next_rank(comm), block, dist::previous_rank(comm), std::span(received).first(4)),
                  std::runtime_error);
}

TEST_CASE("MPI: Mann-Whitney loss and AUC of parts are those of the whole list", "[mpi]") {
  const auto list = test::make_list<float>(3000, 5, {.spread = 2, .grades = 2, .weights = true});
  const auto wide = list.as<double>();
  const double area = rg::value(rg::Auc{}, wide.view());
  for (const std::size_t chunk : {std::size_t{100}, chunks[3]}) {
    dist::MpiCommunicator comm(MPI_COMM_WORLD, chunk);
    const auto begins = test::borders(list.size(), comm.size());
    const auto own = test::part_of(list.view(), begins, comm.rank());
    CHECK(static_cast<double>(dist::value(comm, rg::Auc{}, own).value) == Approx(area).epsilon(1e-7));
    for (const auto surrogate : {rg::Surrogate::logistic, rg::Surrogate::squared_hinge, rg::Surrogate::square})
      for (const auto way : {dist::Way::automatic, dist::Way::ring}) {
        const rg::MannWhitney loss{.temperature = 0.3, .surrogate = surrogate};
        std::vector<double> expected(list.size());
        const double whole = rg::value_and_gradient(loss, wide.view(), expected);
        std::vector<float> gradient(own.size());
        rg::Workspace workspace;
        CHECK(static_cast<double>(dist::value_and_gradient(comm, loss, own, gradient, workspace, way)) == Approx(whole).epsilon(1e-6));
        double top = 0, worst = 0;
        for (const double x : expected) top = std::max(top, std::abs(x));
        for (std::size_t i = 0; i < own.size(); ++i)
          worst = std::max(worst, std::abs(static_cast<double>(gradient[i]) - expected[begins[comm.rank()] + i]));
        CHECK(worst <= 1e-5 * top);
      }
  }
}

TEST_CASE("MPI: input that is wrong on the last rank is the same error on all", "[mpi]") {
  dist::MpiCommunicator comm(MPI_COMM_WORLD);
  const bool last = comm.rank() + 1 == comm.size();
  const std::vector<float> scores{1, 2}, labels{0, last ? std::numeric_limits<float>::quiet_NaN() : 1.0f};
  std::vector<float> gradient(2);
  const auto error = test::thrown_by(
      [&] { dist::value_and_gradient(comm, rg::MannWhitney{}, rg::ListView<float>{.scores = scores, .labels = labels}, gradient); });
  CHECK_THAT(error, contains(("rank " + test::number(comm.size() - 1) + " of " + test::number(comm.size()) + ": labels[1] is nan").c_str()));
}
