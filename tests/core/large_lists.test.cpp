// Lists that are large enough for several workers: the same bits on any number of them, among lists of every other size.
#include "support/catch.hpp"
#include "support/lists.hpp"

#include <rankgrad/auc/mann_whitney.hpp>
#include <rankgrad/core/batch_evaluator.hpp>
#include <rankgrad/exec/threads.hpp>
#include <rankgrad/listwise/softmax.hpp>
#include <rankgrad/pairwise/lambdarank.hpp>
#include <rankgrad/pairwise/ranknet.hpp>
#include <rankgrad/plackett_luce/list_mle.hpp>

#include <algorithm>
#include <limits>
#include <string>

namespace rg = rankgrad;

namespace {

template <class T>
test::OwnedBatch<T> batch_with(std::initializer_list<std::size_t> sizes, const test::ListOptions& options) {
  test::OwnedBatch<T> batch;
  std::uint64_t seed = 0;
  for (const std::size_t n : sizes) {
    const auto list = test::make_list<T>(n, ++seed, options);
    for (std::size_t i = 0; i < n; ++i) batch.items.append(list, i);
    batch.offsets.push_back(static_cast<std::uint32_t>(batch.items.size()));
  }
  return batch;
}

template <class T, class L>
void check_on_teams(const L& loss, const rg::RaggedBatch<T>& view) {
  std::vector<T> serial(view.items()), serial_curvature(view.items()), other(view.items(), T(7)), other_curvature(view.items(), T(7));
  rg::BatchEvaluator<T> one;
  const T value = one.with_curvature(loss, view, serial, serial_curvature, T(0));
  for (const std::size_t workers : {2u, 5u}) {
    const rg::exec::Threads pool(workers);
    rg::BatchEvaluator<T> several;
    CHECK(several.with_curvature(loss, view, other, other_curvature, T(0), rg::Reduction::mean, pool) == value);
    CHECK(other == serial);
    CHECK(other_curvature == serial_curvature);
    CHECK(several(loss, view, other, rg::Reduction::mean, pool) == Approx(static_cast<double>(value)).epsilon(1e-6));
  }
}

}  // namespace

TEMPLATE_TEST_CASE("large lists give the same bits on any number of threads", "[core]", float, double) {
  for (const double spread : {1.0, 40.0})   // few bins, many bins
    for (const bool weights : {false, true}) {
      INFO("spread " << spread << ", weights " << weights);
      const auto batch = batch_with<TestType>({10, 40000, 0, 3, 50000, 100}, {.spread = spread, .weights = weights});
      check_on_teams<TestType>(rg::RankNet{}, batch.view());
      check_on_teams<TestType>(rg::MannWhitney{.temperature = 0.7}, batch.view());
      check_on_teams<TestType>(rg::MannWhitney{.scope = rg::Scope::batch}, batch.view());
    }
  for (const bool weights : {false, true}) {   // of more than one piece in every instruction set
    const auto batch = batch_with<TestType>({140000, 3}, {.spread = 5, .weights = weights});
    check_on_teams<TestType>(rg::Softmax{}, batch.view());
    check_on_teams<TestType>(rg::ListNet{.temperature = 0.5}, batch.view());
  }
}

TEMPLATE_TEST_CASE("large lists of ListMLE give the same bits on any number of threads", "[core]", float, double) {
  using rg::ListMle, rg::TargetTies;
  for (const std::size_t grades : {0u, 2000u, 5u})   // few ties, small groups, groups that are cut
    for (const bool weights : {false, true}) {
      INFO("grades " << grades << ", weights " << weights);
      const auto batch = batch_with<TestType>({10, 40000, 70001}, {.grades = grades, .weights = weights});
      for (const TargetTies ties : {TargetTies::stable, TargetTies::shuffled, TargetTies::breslow, TargetTies::efron})
        check_on_teams<TestType>(ListMle{.ties = ties}, batch.view());
      check_on_teams<TestType>(ListMle{.temperature = 0.7, .k = 20000}, batch.view());
      check_on_teams<TestType>(ListMle{.position_weight = rg::PositionWeight::p_list_mle()}, batch.view());
      const auto log2 = rg::PositionWeight::log2();
      check_on_teams<TestType>(ListMle{.position_weight = log2, .normalize = rg::Normalize::mean}, batch.view());
      check_on_teams<TestType>(ListMle{.temperature = 0.01}, batch.view());   // scores far apart
    }
  check_on_teams<TestType>(ListMle{.ties = TargetTies::exact}, batch_with<TestType>({33000}, {.grades = 3}).view());
  check_on_teams<TestType>(ListMle{}, batch_with<TestType>({33000}, {.grades = 1}).view());
}

TEMPLATE_TEST_CASE("a large list of LambdaRank gives the same bits on any number of threads", "[core][lambda_tree]", float, double) {
  for (const double spread : {0.01, 0.3, 1.0, 300.0})   // one node that is swept, one bin, some, many
    for (const bool weights : {false, true}) {
      INFO("spread " << spread << ", weights " << weights);
      const auto batch = batch_with<TestType>({10, 33000, 3, 70001}, {.spread = spread, .weights = weights});
      check_on_teams<TestType>(rg::LambdaRank{}, batch.view());
    }
  auto batch = batch_with<TestType>({50000}, {.weights = true});
  for (std::size_t i = 0; i < 50000; i += 7) batch.items.scores[i] += TestType(i % 5 * 1000);   // chains of bins, far apart
  check_on_teams<TestType>(rg::LambdaRank{.k = 20000, .normalize = rg::Normalize::mean}, batch.view());
  for (std::size_t i = 0; i < 50000; ++i) batch.items.labels[i] += TestType(0.25);   // not whole
  check_on_teams<TestType>(rg::LambdaRank{.ties = rg::Ties::shuffled}, batch.view());
  std::fill(batch.items.scores.begin(), batch.items.scores.end(), TestType(0.5));
  check_on_teams<TestType>(rg::LambdaRank{}, batch.view());
}

TEST_CASE("a large batch is checked by all workers, and what is wrong is said as one would", "[core]") {
  auto batch = batch_with<float>({100000}, {.weights = true});
  const rg::exec::Threads pool(3);
  CHECK(rg::validate(batch.view(), pool));
  batch.items.weights[99999] = -0.0f;
  CHECK(rg::validate(batch.view(), pool));
  batch.items.weights[99999] = -1e-30f;
  CHECK(std::string(rg::validate(batch.view(), pool).message()) == rg::validate(batch.view()).message());
  CHECK_THAT(std::string(rg::validate(batch.view(), pool).message()), contains("weights[99999] is -1e-30"));
  batch.items.labels[70000] = std::numeric_limits<float>::quiet_NaN();
  CHECK_THAT(std::string(rg::validate(batch.view(), pool).message()), contains("labels[70000]"));
}
