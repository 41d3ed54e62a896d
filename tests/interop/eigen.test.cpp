#include "support/catch.hpp"

#include <rankgrad/core/evaluate.hpp>
#include <rankgrad/interop/eigen.hpp>
#include <rankgrad/listwise/softmax.hpp>

namespace rg = rankgrad;

TEST_CASE("Eigen vectors go in and out without a copy", "[interop]") {
  Eigen::VectorXf scores(3), labels(3), gradient(3);
  scores << 1.0f, -0.5f, 2.0f;
  labels << 1, 0, 0;
  const float value = rg::value_and_gradient(rg::Softmax{.temperature = 0.5},
                                             rg::ListView<float>{.scores = rg::view(scores), .labels = rg::view(labels)}, rg::view(gradient));
  CHECK(value == Approx(2.1328).epsilon(1e-4));
  CHECK(gradient.sum() == Approx(0).margin(1e-6));
  CHECK(rg::as_vector(rg::view(gradient)).norm() == Approx(gradient.norm()));
}
