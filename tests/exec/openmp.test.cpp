// Compiled to something only where the compiler was asked for OpenMP.
#ifdef _OPENMP
#include "support/catch.hpp"
#include "support/lists.hpp"

#include <rankgrad/core/batch_evaluator.hpp>
#include <rankgrad/exec/openmp.hpp>
#include <rankgrad/pairwise/ranknet.hpp>

#include <atomic>
#include <vector>

namespace rg = rankgrad;

static_assert(rg::Executor<rg::exec::OpenMp>);

TEST_CASE("OpenMP runs every task once, on a worker that exists", "[exec]") {
  const rg::exec::OpenMp pool{.threads = 3};
  CHECK(pool.workers() == 3);
  std::vector<std::atomic<int>> runs(500);
  std::atomic<bool> in_range{true};
  pool(500, [&](std::size_t task, std::size_t worker) {
    ++runs[task];
    if (worker >= 3) in_range = false;
  });
  bool once = true;
  for (const auto& count : runs) once = once && count == 1;
  CHECK(once);
  CHECK(in_range);
}

TEST_CASE("OpenMP gives the same bits as one thread", "[exec]") {
  const auto owned = test::make_batch<float>(80, 0, 90, 3, {.weights = true});
  const auto batch = owned.view();
  std::vector<float> serial(batch.items()), parallel(batch.items());
  rg::BatchEvaluator<float> one, many;
  const float value = one(rg::RankNet{}, batch, serial);
  CHECK(many(rg::RankNet{}, batch, parallel, rg::Reduction::mean, rg::exec::OpenMp{.threads = 4}) == value);
  CHECK(parallel == serial);
}
#endif
