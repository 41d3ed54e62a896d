#include "distributed/on_ranks.hpp"
#include "distributed/ring_checks.hpp"
#include "support/catch.hpp"

#include <rankgrad/exec/threads.hpp>

namespace rg = rankgrad;
namespace dist = rankgrad::distributed;

using test::fine;
using test::on_ranks;

#ifdef RANKGRAD_TEST_ONE_TYPE   // sanitizers, for one
constexpr std::size_t step = 4;
#else
constexpr std::size_t step = 1;
#endif

TEST_CASE("InfoNCE round a ring is InfoNCE of the whole batch, in float", "[distributed]") {
  for (std::size_t ranks = 1; ranks <= 4; ++ranks)
    CHECK(on_ranks(ranks, [](auto& comm) { return test::ring_info_nce_problem<float>(comm, step); }) == fine(ranks));
}

TEST_CASE("InfoNCE round a ring is InfoNCE of the whole batch, in double", "[distributed]") {
  for (std::size_t ranks = 1; ranks <= 4; ++ranks)
    CHECK(on_ranks(ranks, [](auto& comm) { return test::ring_info_nce_problem<double>(comm, step); }) == fine(ranks));
}

TEST_CASE("InfoNCE round a ring: what is wrong or different on one rank is an error on all", "[distributed]") {
  for (std::size_t ranks = 1; ranks <= 3; ++ranks)
    CHECK(on_ranks(ranks, [](auto& comm) { return test::ring_errors_problem(comm); }) == fine(ranks));
}

TEST_CASE("InfoNCE round a ring: a NaN shows on every rank", "[distributed]") {
  CHECK(on_ranks(3, [](auto& comm) { return test::ring_nan_problem(comm); }) == fine(3));
}

TEST_CASE("InfoNCE round a ring: one rank alone, and with workers of its own the same bits", "[distributed]") {
  const test::RingCase settings{.loss = {.temperature = 0.7, .direction = rg::Direction::both, .smoothing = 0.1,
                                         .tiles = {.rows = 48, .columns = 96, .tiles_at_once = 2}}, .size = 3, .ids = true};
  const auto parts = test::parts_of<float>(settings, {{200, 30}, {400, 33}});
  std::vector<std::vector<float>> gradients[2];
  for (const bool workers : {false, true}) {
    std::vector<std::vector<float>>& found = gradients[workers];
    found.resize(4);
    dist::run_ranks(2, [&](auto& comm) {
      const test::PartView<float> own(parts, comm.rank(), comm.rank() + 1, true);
      std::vector<float>&dq = found[2 * comm.rank()], &dk = found[2 * comm.rank() + 1];
      dq.resize(own.view.queries.size()), dk.resize(own.view.documents.size());
      dist::RingInfoNce<float> evaluate;
      rg::exec::Threads pool(3);
      if (workers) dq.push_back(evaluate(comm, settings.loss, own.view, {std::span(dq), std::span(dk)}, pool).value);
      else dq.push_back(evaluate(comm, settings.loss, own.view, {std::span(dq), std::span(dk)}).value);
    });
  }
  CHECK(gradients[0] == gradients[1]);
  dist::Alone alone;
  CHECK(test::ring_info_nce_problem<float>(alone, step) == "");
}
