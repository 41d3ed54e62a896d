#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/lists.hpp"

#include <rankgrad/core/batch_evaluator.hpp>
#include <rankgrad/exec/threads.hpp>
#include <rankgrad/listwise/softmax.hpp>
#include <rankgrad/pairwise/lambdarank.hpp>
#include <rankgrad/pairwise/ranknet.hpp>
#include <rankgrad/pointwise/mean_squared_error.hpp>

#include <limits>
#include <vector>

namespace rg = rankgrad;

namespace {

/// Sum of the squared scores of what it sees; counts how many items that are.
struct Energy {
  rg::Scope scope = rg::Scope::list;
  template <rg::Real T>
  rg::Contribution<T> value_and_gradient(rg::ListView<T> list, rg::GradientSink<T> out, rg::Workspace&) const {
    T value = 0;
    for (std::size_t i = 0; i < list.size(); ++i) value += list.scores[i] * list.scores[i], out.add(i, 2 * list.scores[i], T(2));
    return {value, list.size() > 0};
  }
};
/// Number of items; leaves lists of one item out.
struct Size {
  template <rg::Real T>
  rg::Contribution<T> value(rg::ListView<T> list, rg::Workspace&) const {
    return {T(list.size()), list.size() > 1};
  }
};

// Lists {1, 2}, {}, {3}, {4, 5, 6}.
const std::vector<double> scores{1, 2, 3, 4, 5, 6}, labels{0, 1, 0, 1, 2, 0}, list_weights{2, 5, 1, 0.5};
const std::vector<std::uint32_t> offsets{0, 2, 2, 3, 6};
const rg::RaggedBatch<double> batch{.scores = scores, .labels = labels, .offsets = offsets};

rg::RaggedBatch<double> weighted() {
  auto view = batch;
  view.list_weights = list_weights;
  return view;
}

}  // namespace

TEST_CASE("reductions: mean over the lists with a signal, sum, none", "[core]") {
  rg::BatchEvaluator<double> evaluate;
  std::vector<double> gradient(6, 99.0), curvature(6, 99.0);
  CHECK(evaluate(Energy{}, batch, gradient) == Approx((5 + 9 + 77) / 3.0));
  CHECK(gradient[5] == Approx(12 / 3.0));
  CHECK(evaluate(Energy{}, batch, gradient, rg::Reduction::sum) == 91.0);
  CHECK(gradient == std::vector<double>{2, 4, 6, 8, 10, 12});
  CHECK(evaluate(Energy{}, batch, gradient, rg::Reduction::none) == 91.0);
  REQUIRE(evaluate.per_list().size() == 4);
  CHECK(evaluate.per_list()[0].value == 5.0);
  CHECK_FALSE(evaluate.per_list()[1].valid);
  CHECK(evaluate.per_list()[3].value == 77.0);
  CHECK(evaluate.with_curvature(Energy{}, batch, gradient, curvature, 1.0) == Approx(91 / 3.0));
  CHECK(curvature == std::vector<double>(6, 1.0));   // 2 / 3, raised to the floor
}

TEST_CASE("list weights weigh lists against each other", "[core]") {
  rg::BatchEvaluator<double> evaluate;
  std::vector<double> gradient(6), curvature(6);
  CHECK(evaluate(Energy{}, weighted(), gradient, rg::Reduction::sum) == 2 * 5 + 9 + 0.5 * 77);
  CHECK(gradient == std::vector<double>{4, 8, 6, 4, 5, 6});
  // The empty list has no signal, so its weight does not count.
  CHECK(evaluate.with_curvature(Energy{}, weighted(), gradient, curvature, 0.0) == Approx((2 * 5 + 9 + 0.5 * 77) / 3.5));
  CHECK(gradient[0] == Approx(4 / 3.5));
  CHECK(curvature[5] == Approx(1 / 3.5));
  CHECK(evaluate.per_list()[3].value == 77.0);
  CHECK(evaluate.metric(Size{}, batch) == 2.5);
  CHECK(evaluate.metric(Size{}, weighted()) == Approx((2 * 2 + 0.5 * 3) / 2.5));
}

TEST_CASE("the factor of a mean foreseen and the one that came about give the same", "[core]") {
  // Softmax has no signal in a list of zeros: 5 of 6 lists, 3 of 6, none.
  rg::BatchEvaluator<double> evaluate;
  const rg::exec::Threads pool(2);
  const std::vector<double> s{1, 2, 3, 4, 5, 6, 1, 0, 2, 1, 0, 3}, weights{1, 2, 0.5, 1, 3, 1};
  const std::vector<std::uint32_t> pairs{0, 2, 4, 6, 8, 10, 12};
  for (const std::size_t silent : {0u, 1u, 3u, 6u})
    for (const bool weigh : {false, true}) {
      std::vector<double> y(12, 1.0), gradient(12, 9.0), threaded(12, 8.0), curvature(12, 9.0);
      std::fill_n(y.begin(), 2 * silent, 0.0);
      rg::RaggedBatch<double> view{.scores = s, .labels = y, .offsets = pairs};
      if (weigh) view.list_weights = weights;
      const double mean = evaluate.with_curvature(rg::Softmax{}, view, gradient, curvature, 0.0);
      CHECK(evaluate(rg::Softmax{}, view, threaded, rg::Reduction::mean, pool) == mean);
      CHECK(threaded == gradient);
      double total = 0, value = 0;
      for (std::size_t q = silent; q < 6; ++q) total += weigh ? weights[q] : 1;
      for (std::size_t q = 0; q < 6; ++q) {
        std::vector<double> alone(2), bend(2);
        const double u = q < silent ? 0 : (weigh ? weights[q] : 1) / total;
        value += u * rg::value_gradient_and_curvature(rg::Softmax{}, view[q], alone, bend);
        for (std::size_t i = 0; i < 2; ++i) {
          CHECK(gradient[2 * q + i] == Approx(u * alone[i]).margin(1e-16));
          CHECK(curvature[2 * q + i] == Approx(u * bend[i]).margin(1e-16));
        }
      }
      CHECK(mean == Approx(value));
    }
}

TEST_CASE("nothing but empty lists: value 0 and no NaN", "[core]") {
  const std::vector<std::uint32_t> none{0}, empty{0, 0, 0};
  rg::BatchEvaluator<float> evaluate;
  std::vector<float> gradient;
  CHECK(evaluate(Energy{}, rg::RaggedBatch<float>{.offsets = none}, gradient) == 0.0f);
  CHECK(evaluate(Energy{}, rg::RaggedBatch<float>{.offsets = empty}, gradient) == 0.0f);
  CHECK(evaluate.metric(Size{}, rg::RaggedBatch<float>{.offsets = empty}) == 0.0);
}

TEST_CASE("a loss of batch scope sees all lists as one", "[core]") {
  rg::BatchEvaluator<double> evaluate;
  std::vector<double> gradient(6);
  CHECK(evaluate(Energy{.scope = rg::Scope::batch}, weighted(), gradient) == 91.0);
  CHECK(gradient == std::vector<double>{2, 4, 6, 8, 10, 12});
  CHECK(evaluate.per_list().size() == 1);
}

TEST_CASE("parts of different scopes are reduced on their own and then added", "[core]") {
  rg::BatchEvaluator<double> evaluate;
  std::vector<double> gradient(6), curvature(6);
  using namespace rg::operators;
  const auto mixture = 0.5 * Energy{.scope = rg::Scope::batch} + (Energy{} + 2.0 * Energy{.scope = rg::Scope::batch});
  CHECK(evaluate.with_curvature(mixture, batch, gradient, curvature, 0.0) == Approx(0.5 * 91 + 91 / 3.0 + 2 * 91));
  CHECK(gradient[0] == Approx(2 * (0.5 + 1 / 3.0 + 2)));
  CHECK(curvature[5] == Approx(2 * (0.5 + 1 / 3.0 + 2)));
  // Parts of one scope are evaluated list by list, with the same result as part by part.
  CHECK(evaluate(Energy{} + 2.0 * Energy{}, batch, gradient) == Approx(91.0));
  CHECK(evaluate.per_list()[0].value == 15.0);
}

TEST_CASE("what is wrong is raised before anything is written, also on threads", "[core]") {
  rg::BatchEvaluator<double> evaluate;
  const rg::exec::Threads pool(3);
  std::vector<double> gradient(6, 7.0), short_one(5, 7.0);
  std::vector<double> broken = labels;
  broken[4] = std::numeric_limits<double>::infinity();
  auto bad = batch;
  bad.labels = broken;
  CHECK_THROWS_WITH(evaluate(rg::RankNet{}, bad, gradient, rg::Reduction::mean, pool), contains("labels[4] is inf"));
  const std::vector<std::uint32_t> falling{0, 3, 2, 3, 6};
  bad = batch;
  bad.offsets = falling;
  CHECK_THROWS_WITH(evaluate(rg::RankNet{}, bad, gradient, rg::Reduction::mean, pool), contains("offsets[2] is 2, below"));
  CHECK_THROWS_WITH(evaluate(rg::RankNet{.sigma = 0}, batch, gradient), contains("RankNet.sigma"));
  CHECK_THROWS_WITH(evaluate(rg::RankNet{}, batch, short_one), contains("gradient and scores differ in size"));
  CHECK_THROWS_WITH(evaluate.with_curvature(rg::RankNet{}, batch, gradient, short_one, 0.0), contains("curvature and scores differ in size"));
  CHECK_THROWS_WITH(evaluate.with_curvature(rg::RankNet{}, batch, gradient, {}, -1.0), contains("the curvature floor is negative"));
  CHECK_THROWS_WITH(evaluate.metric(Size{}, bad), contains("offsets[2]"));
  CHECK(gradient == std::vector<double>(6, 7.0));
  CHECK(short_one == std::vector<double>(5, 7.0));
}

TEMPLATE_TEST_CASE("the second evaluation allocates nothing", "[core]", float, double) {
  using T = TestType;
  auto owned = test::make_batch<T>(90, 0, 120, 5, {.weights = true});
  for (std::size_t i = 0; i < owned.items.size(); ++i) owned.items.mask.push_back(i % 5 != 2);
  const auto view = owned.view();
  std::vector<T> gradient(view.items()), curvature(view.items());
  const auto mixture = 0.5 * rg::RankNet{} + 0.3 * rg::LambdaRank{.k = 10} + 0.2 * rg::Softmax{} + rg::ListNet{};
  const rg::exec::Threads pool(4);
  rg::BatchEvaluator<T> evaluate;
  const auto twice = [&](const auto& executor) {
    evaluate.with_curvature(mixture, view, gradient, curvature, T(0), rg::Reduction::mean, executor);
    const std::size_t growths = evaluate.growths(), before = allocations;
    evaluate.with_curvature(mixture, view, gradient, curvature, T(0), rg::Reduction::mean, executor);
    const std::size_t after = allocations;
    CHECK(growths > 0);
    return std::pair{after - before, evaluate.growths() - growths};
  };
  const auto serial = twice(rg::Serial{});
  CHECK(serial.first == 0);
  CHECK(serial.second == 0);
  // Which worker meets the longest list is chance: warm them until nothing grows, at most a few rounds.
  std::pair<std::size_t, std::size_t> threaded{1, 1};
  for (int round = 0; round < 50 && threaded.first + threaded.second > 0; ++round) threaded = twice(pool);
  CHECK(threaded.first == 0);
  CHECK(threaded.second == 0);
  // The counter counts.
  const std::size_t before = allocations;
  ::operator delete(::operator new(1000));   // not a new-expression, which a compiler may leave out
  const std::size_t after = allocations;
  CHECK(after == before + counts_allocations);
}

TEST_CASE("one workspace warms up for the free functions too", "[core]") {
  const auto list = test::make_list<float>(200, 2);
  std::vector<float> gradient(200);
  rg::Workspace workspace;
  rg::value_and_gradient(rg::LambdaRank{}, list.view(), gradient, workspace);
  const std::size_t before = allocations;
  rg::value_and_gradient(rg::LambdaRank{}, list.view(), gradient, workspace);
  const std::size_t after = allocations;   // not inside CHECK, which allocates
  CHECK(after == before);
}
