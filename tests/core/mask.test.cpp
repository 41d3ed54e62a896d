#include "support/catch.hpp"

#include <rankgrad/core/mask.hpp>
#include <rankgrad/pointwise/mean_squared_error.hpp>

#include <limits>
#include <vector>

namespace rg = rankgrad;

TEST_CASE("compaction keeps the present items in order, with all that belongs to them", "[core]") {
  const std::vector<float> scores{1, 2, 3, 4}, labels{5, 6, 7, 8}, weights{9, 10, 11, 12}, easiness{0.1f, 0.2f, 0.3f, 0.4f};
  const std::vector<std::uint8_t> mask{0, 1, 0, 255};
  rg::Workspace workspace;
  const auto frame = workspace.frame();
  const rg::Kept kept = rg::kept_by(mask, workspace);
  const auto present = rg::compacted(
      rg::ListView<float>{.scores = scores, .labels = labels, .weights = weights, .mask = mask, .easiness = easiness, .index = 42}, kept, workspace);
  REQUIRE(present.size() == 2);
  CHECK((kept.size == 2 && kept.at[0] == 1 && kept.at[1] == 3 && kept.whole == 4));
  CHECK((present.scores[1] == 4 && present.labels[0] == 6 && present.weights[1] == 12 && present.easiness[0] == 0.2f));
  CHECK(present.mask.empty());
  CHECK(present.index == 42);
  const auto bare = rg::compacted(rg::ListView<float>{.scores = scores, .labels = labels, .mask = mask}, kept, workspace);
  CHECK(bare.weights.empty());
  CHECK(bare.easiness.empty());
}

TEST_CASE("what is kept, with several entries an item, and the borders of its runs", "[core]") {
  const std::vector<std::uint8_t> mask{0, 1, 0, 0, 1, 1};
  const std::vector<int> pairs{0, 1, 10, 11, 20, 21, 30, 31, 40, 41, 50, 51};
  const std::vector<std::uint32_t> offsets{0, 0, 2, 4, 6, 6};   // of six: none, 0 1, 2 3, 4 5, none
  rg::Workspace workspace;
  const auto frame = workspace.frame();
  const rg::Kept kept = rg::kept_by(mask, workspace);
  const auto left = kept.gather(std::span<const int>(pairs), workspace, 2);
  CHECK(std::vector<int>(left.begin(), left.end()) == std::vector<int>{10, 11, 40, 41, 50, 51});
  const auto borders = kept.offsets(offsets, workspace);
  CHECK(std::vector<std::uint32_t>(borders.begin(), borders.end()) == std::vector<std::uint32_t>{0, 0, 1, 1, 3, 3});
}

TEST_CASE("a masked item gets nothing, whatever it holds", "[core]") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> scores{1, nan, 3}, labels{0, nan, 1};
  const std::vector<std::uint8_t> mask{1, 0, 1};
  std::vector<double> gradient{10, 20, 30}, curvature{1, 2, 3};
  rg::Workspace workspace;
  const auto result = rg::evaluate_unmasked(rg::MeanSquaredError{}, rg::ListView<double>{.scores = scores, .labels = labels, .mask = mask},
                                            rg::GradientSink<double>{gradient.data(), curvature.data(), 0.5}, workspace);
  CHECK(result.valid);
  CHECK(result.value == 2.5);   // (1 + 4) / 2
  CHECK(gradient == std::vector<double>{10.5, 20, 31});
  CHECK(curvature == std::vector<double>{1.5, 2, 3.5});
}

TEST_CASE("a list that is masked altogether has no signal", "[core]") {
  const std::vector<double> scores{1, 2}, labels{0, 1};
  const std::vector<std::uint8_t> mask{0, 0};
  std::vector<double> gradient{1, 2};
  rg::Workspace workspace;
  CHECK_FALSE(rg::evaluate_unmasked(rg::MeanSquaredError{}, rg::ListView<double>{.scores = scores, .labels = labels, .mask = mask},
                                    rg::GradientSink<double>{gradient.data()}, workspace).valid);
  CHECK(gradient == std::vector<double>{1, 2});
}
