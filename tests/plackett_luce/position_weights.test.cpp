#include "support/catch.hpp"

#include <rankgrad/core/workspace.hpp>
#include <rankgrad/plackett_luce/position_weights.hpp>

#include <vector>

namespace rg = rankgrad;

namespace {
std::vector<double> weights(const rg::PositionWeight& weight, std::size_t n) {
  rg::Workspace workspace;
  const auto frame = workspace.frame();
  double* u = workspace.take<double>(n);
  weight.fill(u, n);
  return {u, u + n};
}
}  // namespace

TEST_CASE("position weights", "[plackett_luce]") {
  using rg::PositionWeight;
  CHECK(weights(PositionWeight::uniform(), 3) == std::vector<double>{1, 1, 1});
  CHECK(weights(PositionWeight::p_list_mle_raw(), 4) == std::vector<double>{7, 3, 1, 0});
  CHECK(weights(PositionWeight::p_list_mle(), 4) == std::vector<double>{7. / 8, 3. / 8, 1. / 8, 0});
  CHECK(weights(PositionWeight::p_list_mle(), 2) == std::vector<double>{0.5, 0});   // the length of this list, not of a batch
  const std::vector<double> own{3, 2};
  CHECK(weights(PositionWeight::custom(own), 4) == std::vector<double>{3, 2, 0, 0});
  const auto log2 = weights(PositionWeight::log2(), 100), reciprocal = weights(PositionWeight::reciprocal(), 100),
             exponential = weights(PositionWeight::exponential(2.5), 100), halved = weights(PositionWeight::p_list_mle(), 5000);
  const auto importance = weights(PositionWeight::one_plus_log2(), 100);
  CHECK(importance[0] == 2.0);
  CHECK(importance[2] == 1.5);
  CHECK(importance[99] == Approx(1.15).epsilon(1e-3));
  for (std::size_t k = 1; k <= 100; ++k) {
    CHECK(log2[k - 1] == Approx(1 / std::log2(1. + static_cast<double>(k))).epsilon(1e-15));
    CHECK(importance[k - 1] == 1 + log2[k - 1]);
    CHECK(reciprocal[k - 1] == 1. / static_cast<double>(k));
    CHECK(exponential[k - 1] == Approx(std::exp(-static_cast<double>(k) / 2.5)).epsilon(1e-14));
    CHECK(halved[k - 1] == std::ldexp(1., 1 - static_cast<int>(k)));
  }
  for (const double u : halved) CHECK((u >= 0 && u <= 1));
}
