#include <rankgrad/contrastive/arcface.hpp>

#include "support/catch.hpp"

#include <rankgrad/check/gradient_check.hpp>
#include <rankgrad/listwise/softmax.hpp>

#include <cmath>
#include <vector>

namespace rg = rankgrad;

TEST_CASE("ArcFace of three cosines", "[contrastive]") {
  // cos(acos 0.3 + 0.5) = -0.194: the gap to 0.6 is 64 (0.6 + 0.194...) = 50.82.
  const std::vector<double> cosines{0.3, -0.2, 0.6}, labels{1, 0, 0};
  const rg::ListView<double> list{.scores = cosines, .labels = labels};
  std::vector<double> gradient(3), curvature(3);
  CHECK(rg::value_gradient_and_curvature(rg::ArcFace{}, list, gradient, curvature) == Approx(50.820354999543724).epsilon(1e-12));
  // p of the class is e^-50.8; dt = sin(theta + m) / sin(theta).
  const double theta = std::acos(0.3);
  CHECK(gradient[0] == Approx(-64 * std::sin(theta + 0.5) / std::sin(theta)));
  CHECK(gradient[2] == Approx(64.0));
  CHECK(curvature[0] == Approx(0.0).margin(1e-15));
}

TEST_CASE("ArcFace: the gradient is the slope of the value on both branches", "[contrastive]") {
  for (const double own : {-0.97, -0.9, -0.3, 0.4, 0.9}) {   // beyond pi - 0.5 below -cos 0.5 = -0.878
    const std::vector<double> cosines{0.1, own, -0.4, 0.3}, labels{0, 1, 0, 0};
    const rg::ListView<double> list{.scores = cosines, .labels = labels};
    INFO("cosine " << own);
    CHECK(rg::check_gradient(rg::ArcFace{.scale = 2}, list).max_relative_error < 1e-8);
    CHECK(rg::check_gradient(rg::ArcFace{.margin = 0.2, .scale = 5}, list).max_relative_error < 1e-6);   // steep near -1
  }
  const rg::ArcFace loss{};
  CHECK(loss.with_margin(-0.95).t == Approx(-0.95 - 0.5 * std::sin(0.5)));
  CHECK(loss.with_margin(-0.95).slope == 1.0);
}

TEST_CASE("ArcFace without a margin is softmax", "[contrastive]") {
  const std::vector<double> cosines{0.1, 0.25, -0.4, 0.3}, labels{0, 1, 0, 0};
  const rg::ListView<double> list{.scores = cosines, .labels = labels};
  std::vector<double> a(4), b(4), ha(4), hb(4);
  CHECK(rg::value_gradient_and_curvature(rg::ArcFace{.margin = 0, .scale = 10}, list, a, ha) ==
        Approx(rg::value_gradient_and_curvature(rg::Softmax{.temperature = 0.1}, list, b, hb)));
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(a[i] == Approx(b[i]));
    CHECK(ha[i] == Approx(hb[i]));
  }
}

TEST_CASE("ArcFace at and beyond the borders stays finite", "[contrastive]") {
  const std::vector<float> labels{1, 0};
  for (const float own : {1.0f, 1.0000001f, 2.0f, -1.0f, -1.5f, 0.99999994f}) {
    const std::vector<float> cosines{own, 0.2f};
    std::vector<float> gradient(2), curvature(2);
    const float value = rg::value_gradient_and_curvature(rg::ArcFace{}, rg::ListView<float>{.scores = cosines, .labels = labels}, gradient, curvature);
    CHECK(rg::is_finite(value));
    for (const float g : gradient) CHECK(rg::is_finite(g));
    for (const float h : curvature) CHECK((rg::is_finite(h) && h >= 0));
  }
  CHECK(rg::ArcFace{}.with_margin(1.0).slope == Approx(std::cos(0.5) + std::sin(0.5) * 1e6));
}

TEST_CASE("ArcFace parameters are checked", "[contrastive]") {
  CHECK_THAT(rg::ArcFace{.margin = 2}.check().message(), contains("ArcFace.margin is 2"));
  CHECK_THAT(rg::ArcFace{.scale = 0}.check().message(), contains("ArcFace.scale"));
}
