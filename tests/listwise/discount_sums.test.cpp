#include "support/catch.hpp"
#include "support/lists.hpp"

#include <rankgrad/core/evaluate.hpp>
#include <rankgrad/exec/threads.hpp>
#include <rankgrad/listwise/approx_ndcg.hpp>

#include <cmath>

namespace rg = rankgrad;

TEST_CASE("sums of discounts in closed form", "[approx_ndcg]") {
  for (const auto discount : {rg::Discount::log2, rg::Discount::reciprocal}) {
    long double sum = 0;
    rg::listwise::DiscountSums rising(discount);
    CHECK(rising.up_to(0) == 0);
    double worst = 0;
    for (std::size_t r = 1; r <= 300000; ++r) {
      sum += discount == rg::Discount::log2 ? 1 / log2l(1 + static_cast<long double>(r)) : 1 / static_cast<long double>(r);
      if (r > 200 && r % 9973 != 0 && r != 300000) continue;
      worst = std::max(worst, static_cast<double>(fabsl(static_cast<long double>(rg::listwise::DiscountSums(discount).up_to(r)) / sum - 1)));
      worst = std::max(worst, static_cast<double>(fabsl(static_cast<long double>(rising.up_to(r)) / sum - 1)));
    }
    INFO("worst relative error " << worst);
    CHECK(worst < 3e-15);
  }
}

TEMPLATE_TEST_CASE("grades are counted, and what is no grade is not", "[approx_ndcg]", float, double) {
  using T = TestType;
  for (const std::size_t n : {1u, 7u, 16u, 17u, 33u, 5000u}) {
    auto list = test::make_list<T>(n, 3);
    list.labels[n / 2] = T(-2.5);   // below 0: gains nothing, whatever it is
    rg::listwise::Grades grades;
    REQUIRE(rg::listwise::count_grades(list.view(), grades));
    for (std::size_t g = 1; g < rg::listwise::Grades::most; ++g)
      CHECK(grades.items[g] == static_cast<std::size_t>(std::count(list.labels.begin(), list.labels.end(), static_cast<T>(g))));
    for (const double other : {0.5, 32.0, 1e9}) {
      auto broken = list;
      broken.labels[n - 1] = static_cast<T>(other);
      rg::listwise::Grades none;
      CHECK_FALSE(rg::listwise::count_grades(broken.view(), none));
    }
    auto weighted = list;
    weighted.weights.assign(n, T(1));
    rg::listwise::Grades again;
    CHECK(rg::listwise::count_grades(weighted.view(), again));
    weighted.weights[n - 1] = T(2);
    CHECK_FALSE(rg::listwise::count_grades(weighted.view(), again));
  }
}

TEMPLATE_TEST_CASE("ApproxNdcg by grades and by a sort of the gains", "[approx_ndcg]", float, double) {
  using T = TestType;
  // Weights of 2 everywhere change nothing but the way the ideal is found.
  for (const auto discount : {rg::Discount::log2, rg::Discount::reciprocal}) {
    const auto plain = test::make_list<T>(3000, 6);
    auto weighted = plain;
    weighted.weights.assign(plain.size(), T(2));
    const rg::ApproxNdcg loss{.temperature = 0.5, .discount = discount};
    const double a = static_cast<double>(rg::value(loss, plain.view())), b = static_cast<double>(rg::value(loss, weighted.view()));
    CHECK(a == Approx(b).epsilon(sizeof(T) == 4 ? 1e-6 : 1e-14));
  }
}

TEMPLATE_TEST_CASE("ApproxNdcg of one long list: the same bits on any team", "[approx_ndcg]", float, double) {
  using T = TestType;
  const auto list = test::make_list<T>(3 * 16384 + 77, 4);
  for (const double temperature : {1.0, 0.02}) {   // in place, and sorted
    const rg::ApproxNdcg loss{.temperature = temperature, .path = rg::listwise::RankPath::grid};
    const auto run = [&](std::size_t workers) {
      const rg::exec::Threads threads(workers);
      std::vector<rg::Workspace> scratch(workers);
      const rg::Team team(threads, scratch);
      std::vector<T> gradient(list.size()), bend(list.size());
      const rg::Workspace::TeamLoan loan(scratch[0], team);
      const auto got = loss.value_and_gradient(list.view(), rg::GradientSink<T>{gradient.data(), bend.data(), T(1)}, scratch[0]);
      gradient.insert(gradient.end(), bend.begin(), bend.end());
      gradient.push_back(got.value);
      return gradient;
    };
    const auto alone = run(1);
    CHECK(run(2) == alone);
    CHECK(run(3) == alone);
    std::vector<T> gradient(list.size()), bend(list.size());
    rg::Workspace workspace;
    const auto serial = loss.value_and_gradient(list.view(), rg::GradientSink<T>{gradient.data(), bend.data(), T(1)}, workspace);
    CHECK(serial.value == alone.back());
    CHECK(std::equal(gradient.begin(), gradient.end(), alone.begin()));
  }
}
