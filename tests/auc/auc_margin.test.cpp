#include "support/catch.hpp"
#include "support/lists.hpp"

#include <rankgrad/auc/auc_margin.hpp>
#include <rankgrad/auc/mann_whitney.hpp>
#include <rankgrad/check/gradient_check.hpp>

namespace rg = rankgrad;

TEST_CASE("AUC margin: worked by hand", "[auc]") {
  // Means 2 and 0 with variances 1 and 0; e = m - 2.
  const std::vector<double> s{3, 1, 0}, y{1, 1, 0};
  const rg::ListView<double> list{.scores = s, .labels = y};
  std::vector<double> gradient(3), curvature(3);
  CHECK(rg::value_gradient_and_curvature(rg::AucMargin{.margin = 5}, list, gradient, curvature) == Approx(1 + 9));
  CHECK(gradient == std::vector<double>{1 - 3, -1 - 3, 6});
  CHECK(curvature == std::vector<double>{1, 1, 2});
  // Satisfied: only the variances are left, and one negative alone has none.
  CHECK(rg::value_gradient_and_curvature(rg::AucMargin{.margin = 1}, list, gradient, curvature) == Approx(1));
  CHECK(gradient == std::vector<double>{1, -1, 0});
  CHECK(curvature == std::vector<double>{0.5, 0.5, 0});
}

TEST_CASE("AUC margin: the square surrogate until the means are a margin apart", "[auc]") {
  const auto list = test::make_list<double>(31, 8, {.spread = 1, .offset = 1e4, .grades = 2, .weights = true});
  std::vector<double> a(list.size()), b(list.size());
  const rg::MannWhitney square{.temperature = 2, .margin = 3, .surrogate = rg::Surrogate::square};
  CHECK(rg::value_and_gradient(rg::AucMargin{.margin = 3, .temperature = 2}, list.view(), a) == Approx(rg::value_and_gradient(square, list.view(), b)));
  CHECK(a == b);
  const auto near = test::make_list<double>(31, 8, {.spread = 1, .grades = 2, .weights = true});
  for (const double margin : {0.0, 3.0}) CHECK(rg::check_gradient(rg::AucMargin{.margin = margin}, near.view()).max_relative_error < 1e-8);
}

TEST_CASE("AUC margin: no signal, and parameters out of range", "[auc]") {
  const std::vector<double> s{1, 2}, y{1, 1};
  std::vector<double> gradient(2);
  rg::Workspace workspace;
  CHECK_FALSE(rg::AucMargin{}.value_and_gradient(rg::ListView<double>{.scores = s, .labels = y}, rg::GradientSink<double>{gradient.data()}, workspace).valid);
  CHECK_FALSE(rg::AucMargin{.margin = -0.1}.check());
  CHECK_FALSE(rg::AucMargin{.temperature = 0}.check());
}
