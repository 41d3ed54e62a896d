#include <rankgrad/contrastive/distribution_alignment.hpp>

#include "support/catch.hpp"
#include "support/lists.hpp"

#include <rankgrad/core/evaluate.hpp>
#include <rankgrad/listwise/softmax.hpp>

#include <cmath>
#include <vector>

namespace rg = rankgrad;

namespace {
const std::vector<double> judge{.95, .9, .4, .1}, model{.8, .82, .5, .3};
const rg::ListView<double> four{.scores = model, .labels = judge};
}  // namespace

TEST_CASE("distribution alignment of four candidates", "[contrastive]") {
  // q = softmax(judge / 0.1), p = softmax(model / 0.1): half of sum (p - q) log(p / q).
  std::vector<double> gradient(4);
  CHECK(rg::value_and_gradient(rg::DistributionAlignment{.temperature = 0.1, .label_temperature = 0.1}, four, gradient) ==
        Approx(0.08498366).margin(1e-8));
  const std::vector<double> expected{-1.875537, 1.494447, 0.32168, 0.05941};
  for (std::size_t i = 0; i < 4; ++i) CHECK(gradient[i] == Approx(expected[i]).margin(1e-6));
}

TEST_CASE("distribution alignment by hand", "[contrastive]") {
  // q = 4/5, 1/5; p = 1/4, 3/4: log(p / q) = log(5/16), log(15/4).
  const std::vector<double> y{std::log(4.0), 0}, s{0, std::log(3.0)};
  const rg::ListView<double> two{.scores = s, .labels = y};
  const auto loss = [](double forward, double backward) {
    return rg::DistributionAlignment{.temperature = 1, .label_temperature = 1, .forward = forward, .backward = backward};
  };
  const double forward = 0.8 * std::log(3.2) - 0.2 * std::log(3.75), backward = 0.25 * std::log(5 / 16.0) + 0.75 * std::log(3.75);
  std::vector<double> gradient(2), curvature(2);
  CHECK(rg::value(loss(1, 0), two) == Approx(forward));
  CHECK(rg::value(loss(0, 1), two) == Approx(backward));
  CHECK(rg::value_gradient_and_curvature(loss(0.5, 0.5), two, gradient, curvature) == Approx((forward + backward) / 2));
  CHECK(gradient[0] == Approx((0.25 - 0.8 + 0.25 * (std::log(5 / 16.0) - backward)) / 2));
  CHECK(curvature[0] == Approx(3 / 16.0));
}

TEST_CASE("the forward divergence is ListNet without the entropy of the teacher", "[contrastive]") {
  const auto list = test::make_list<double>(37, 2);
  std::vector<double> a(37), b(37), ha(37), hb(37);
  double entropy = 0, sum = 0;
  for (const double y : list.labels) sum += std::exp(y / 2);
  for (const double y : list.labels) entropy -= std::exp(y / 2) / sum * (y / 2 - std::log(sum));
  const rg::DistributionAlignment distilled{.temperature = 2, .label_temperature = 2, .forward = 1, .backward = 0};
  CHECK(rg::value_gradient_and_curvature(distilled, list.view(), a, ha) + entropy ==
        Approx(rg::value_gradient_and_curvature(rg::ListNet{.temperature = 2, .label_temperature = 2}, list.view(), b, hb)));
  for (std::size_t i = 0; i < 37; ++i) {
    CHECK(a[i] == Approx(b[i]).margin(1e-15));
    CHECK(ha[i] == Approx(hb[i]).margin(1e-15));
  }
}

TEST_CASE("distribution alignment: epsilon in the logarithms, as the code of the source", "[contrastive]") {
  // At tau 0.02 the gap of 30 nats is floored by epsilon. q = p swapped: symmetric, so both divergences are
  // sum q (log q - log(p + epsilon)).
  const std::vector<double> y{0.6, 0}, s{0, 0.6};
  const rg::ListView<double> two{.scores = s, .labels = y};
  const double high = 1 / (1 + std::exp(-30.0)), low = std::exp(-30.0) / (1 + std::exp(-30.0));
  const double floored = high * (std::log(high) - std::log(low + 1e-8)) + low * (std::log(low) - std::log(high + 1e-8));
  CHECK(rg::value(rg::DistributionAlignment{.epsilon = 1e-8}, two) == Approx(floored).epsilon(1e-12));
  CHECK(floored == Approx(-std::log(1e-8)).epsilon(1e-6));
  CHECK(rg::value(rg::DistributionAlignment{}, two) == Approx(30 * (high - low)));
  CHECK(rg::value(rg::DistributionAlignment{.epsilon = 1e-8}, four) == Approx(rg::value(rg::DistributionAlignment{}, four)).epsilon(1e-3));
}

TEST_CASE("distribution alignment: one candidate, equal judgements, gaps of thousands of nats", "[contrastive]") {
  std::vector<float> gradient(3);
  rg::Workspace workspace;
  const std::vector<float> s{3, 1, 1}, y{0, 0, 0}, far{-1e4f, 0, 1e4f}, w{0, 2, 0};
  CHECK_FALSE(rg::DistributionAlignment{}.value_and_gradient(rg::ListView<float>{std::span(s).first(1), std::span(y).first(1)}, rg::GradientSink<float>{gradient.data()}, workspace).valid);
  CHECK_FALSE(rg::DistributionAlignment{}.value_and_gradient(rg::ListView<float>{.scores = s, .labels = y, .weights = w}, rg::GradientSink<float>{gradient.data()}, workspace).valid);
  // Uniform q: p = 1, 0, 0 but for e^-100: KL(q || p) = 2/3 100 - log 3, KL(p || q) = log 3.
  CHECK(static_cast<double>(rg::value(rg::DistributionAlignment{}, rg::ListView<float>{.scores = s, .labels = y})) == Approx(100 / 3.0).epsilon(1e-6));
  const float value = rg::value_and_gradient(rg::DistributionAlignment{}, rg::ListView<float>{.scores = far, .labels = s}, gradient);
  CHECK(static_cast<double>(value) == Approx(0.5 * (1e6 + 100)).epsilon(1e-4));
  for (const float g : gradient) CHECK(rg::is_finite(g));
}

TEST_CASE("distribution alignment parameters are checked", "[contrastive]") {
  CHECK_THAT(rg::DistributionAlignment{.temperature = 0}.check().message(), contains("DistributionAlignment.temperature"));
  CHECK_THAT(rg::DistributionAlignment{.label_temperature = 0}.check().message(), contains("label_temperature"));
  CHECK_THAT((rg::DistributionAlignment{.forward = 0, .backward = 0}).check().message(), contains("both 0"));
  CHECK_THAT(rg::DistributionAlignment{.epsilon = -1}.check().message(), contains("epsilon"));
}
