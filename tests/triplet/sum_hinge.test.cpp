#include <rankgrad/triplet/sum_hinge.hpp>

#include "properties/oracles/triplet.hpp"
#include "support/catch.hpp"

namespace rg = rankgrad;

TEST_CASE("sum of hinges: by hand", "[triplet]") {
  // margin .25; rows: .25 - .5 + {.5, .375} = .25 + .125; .25 - .75 + {.25, .625} = 0 (inactive), .125; third: .25 - .25 + {.5, 0} = .5 and the kink
  const std::vector<double> s{.5, .5, .375, .25, .75, .625, .5, 0, .25};
  const std::vector<std::int64_t> ids{1, 2, 3};
  const rg::SimilarityView<double> view{.similarity = s, .ids = ids};
  std::vector<double> gradient(9);
  CHECK(rg::value_and_gradient(rg::SumHingeTriplet{.margin = .25, .direction = rg::Direction::rows}, view, gradient) == 1.0);
  CHECK(gradient == std::vector<double>{-2, 1, 1, 0, -1, 1, 1, 0, -1});
}

TEST_CASE("sum of hinges: with one negative it is the hardest negative", "[triplet]") {
  const std::vector<double> s{.5, .45, .55, .5};
  const std::vector<std::int64_t> ids{1, 2};
  const rg::SimilarityView<double> view{.similarity = s, .ids = ids};
  std::vector<double> a(4), b(4);
  CHECK(rg::value_and_gradient(rg::SumHingeTriplet{}, view, a) == Approx(rg::value_and_gradient(rg::HardestNegativeTriplet{}, view, b)));
  CHECK(a == b);
}

TEST_CASE("sum of hinges: never below the hardest negative", "[triplet]") {
  const auto m = test::make_matrix(25, 3, 0.2, 2);
  std::vector<double> hard(25), sum(25);
  rg::per_sample_losses(rg::HardestNegativeTriplet{}, m.view(), hard);
  rg::per_sample_losses(rg::SumHingeTriplet{}, m.view(), sum);
  for (std::size_t i = 0; i < 25; ++i) CHECK(sum[i] >= hard[i] - 1e-14);
}
