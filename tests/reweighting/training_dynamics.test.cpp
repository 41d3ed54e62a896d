#include "support/catch.hpp"

#include <rankgrad/reweighting/training_dynamics.hpp>

#include <cmath>
#include <limits>
#include <vector>

namespace rg = rankgrad;

namespace {

/// The overlap by the rectangle rule.
double overlap_by_sum(rg::MeanDeviation a, rg::MeanDeviation b) {
  const auto density = [](rg::MeanDeviation n, double x) {
    const double z = (x - n.mean) / n.deviation;
    return std::exp(-0.5 * z * z) / (n.deviation * std::sqrt(2 * 3.14159265358979323846));
  };
  double sum = 0;
  const double low = std::min(a.mean - 12 * a.deviation, b.mean - 12 * b.deviation), high = std::max(a.mean + 12 * a.deviation, b.mean + 12 * b.deviation);
  constexpr int steps = 400000;
  for (int k = 0; k < steps; ++k) {
    const double x = low + (high - low) * (k + 0.5) / steps;
    sum += std::min(density(a, x), density(b, x));
  }
  return sum * (high - low) / steps;
}

}  // namespace

TEST_CASE("statistics of three passes", "[dynamics]") {
  // Losses 1, 2, 3 and 4, 4, 4; confidences 0.5, 0.5, 0.8 and so on.
  const std::vector<double> losses{1, 4, 2, 4, 3, 4}, sure{0.5, 0.9, 0.5, 0.7, 0.8, 0.8};
  const std::vector<std::uint8_t> hits{0, 1, 1, 0, 1, 0};
  std::vector<rg::SampleStatistics> out(2);
  rg::sample_statistics(std::span<const double>(losses), sure, hits, 3, out);
  CHECK(out[0].loss_mean == 2);
  CHECK(out[0].loss_deviation == 1);   // n - 1
  CHECK(out[0].confidence_mean == Approx(0.6));
  CHECK(out[0].confidence_deviation == Approx(std::sqrt(0.03)));
  CHECK(out[0].agrees);
  CHECK((out[1].loss_mean == 4 && out[1].loss_deviation == 0));
  CHECK_FALSE(out[1].agrees);
  // One pass has no deviation.
  rg::sample_statistics(std::span<const double>(losses).first(2), std::span<const double>(sure).first(2), std::span(hits).first(2), 1, out);
  CHECK((out[0].loss_mean == 1 && out[0].loss_deviation == 0 && out[0].confidence_deviation == 0));
  // An even split is as pass 0 says.
  rg::sample_statistics(std::span<const double>(losses).first(4), std::span<const double>(sure).first(4), std::span(hits).first(4), 2, out);
  CHECK_FALSE(out[0].agrees);
  CHECK(out[1].agrees);
  CHECK_THROWS_WITH(rg::sample_statistics(std::span<const double>(losses), sure, hits, 2, out), contains("losses has 6"));
}

TEST_CASE("predictions from class probabilities", "[dynamics]") {
  const std::vector<float> p{0.2f, 0.5f, 0.3f, 0.4f, 0.4f, 0.2f};
  const std::vector<std::uint32_t> labels{1, 1};
  std::vector<float> sure(2);
  std::vector<std::uint8_t> hits(2);
  rg::predictions(std::span<const float>(p), labels, 3, 1, sure, hits);
  CHECK(sure == std::vector<float>{0.5f, 0.4f});
  CHECK(hits == std::vector<std::uint8_t>{1, 0});   // of equal ones the first
}

TEST_CASE("divergence and overlap of normal distributions", "[dynamics]") {
  // log(2 / 1) + (1 + 9) / 8 - 1/2
  CHECK(rg::normal_divergence({4, 1}, {1, 2}) == Approx(std::log(2.0) + 0.75).epsilon(1e-14));
  CHECK(rg::normal_divergence({4, 1}, {4, 1}) == 0);
  CHECK(rg::normal_divergence({4, 0}, {1, 2}) == 0);
  CHECK(rg::normal_divergence({4, 1}, {1, 0}) == 0);

  CHECK(rg::normal_overlap({1, 0.5}, {1, 0.5}) == 1);
  CHECK(rg::normal_overlap({0, 1}, {2, 1}) == Approx(std::erfc(1 / std::sqrt(2.0))).epsilon(1e-14));   // 0.3173
  const rg::MeanDeviation pairs[][2] = {{{0, 1}, {1, 2}}, {{3, 0.5}, {2, 0.2}}, {{0, 1}, {0, 3}}, {{-5, 1}, {5, 1.1}}, {{2.4, 1.6}, {3.2, 2.0}}};
  for (const auto& [a, b] : pairs) {
    CHECK(rg::normal_overlap(a, b) == Approx(overlap_by_sum(a, b)).margin(1e-8));
    CHECK(rg::normal_overlap(a, b) == Approx(rg::normal_overlap(b, a)).margin(1e-15));
  }
  CHECK(rg::normal_overlap({2.4, 1.6}, {3.2, 2.0}) == Approx(0.8035050657330205).epsilon(1e-12));   // Python's NormalDist.overlap()
  // Nearly equal deviations pass into equal ones; a deviation of 0 is 1e-8.
  CHECK(rg::normal_overlap({0, 1}, {2, 1 + 1e-9}) == Approx(std::erfc(1 / std::sqrt(2.0))).epsilon(1e-7));
  CHECK(rg::normal_overlap({0, 0}, {0, 0}) == 1);
  CHECK(rg::normal_overlap({0, 0}, {1, 0}) == 0);
  CHECK(rg::normal_overlap({0, 0}, {0, 1}) == Approx(0).margin(1e-6));
  CHECK(rg::normal_overlap({0, 1e-6}, {100, 1}) == Approx(0).margin(1e-15));
}

TEST_CASE("a window keeps the last samples of each class", "[dynamics]") {
  rg::DynamicsWindow window(2, 3);
  const auto sample = [](double m, bool agrees) { return rg::SampleStatistics{m, m / 10, 0.5, 0.1, agrees}; };
  CHECK(window.group(0).count == 0);
  for (const double m : {9.0, 1.0, 2.0, 6.0}) window.add(1, sample(m, m < 5));   // the 9 falls out
  CHECK(window.size(1) == 3);
  const auto all = window.group(1);
  CHECK(all.count == 3);
  CHECK(all.loss_mean.mean == 3);
  CHECK(all.loss_mean.deviation == Approx(std::sqrt(7.0)));   // (4 + 1 + 9) / 2
  CHECK(all.loss_deviation.mean == Approx(0.3));
  CHECK(all.confidence_mean.mean == 0.5);
  CHECK(all.confidence_mean.deviation == Approx(0).margin(1e-15));
  double divergence = 0, overlap = 0;
  for (const double m : {1.0, 2.0, 6.0}) {
    divergence += rg::normal_divergence({m, m / 10}, {3, 0.3}) / 3;
    overlap += rg::normal_overlap({m, m / 10}, {3, 0.3}) / 3;
  }
  CHECK(all.divergence.mean == Approx(divergence).epsilon(1e-12));
  CHECK(all.overlap.mean == Approx(overlap).epsilon(1e-12));
  const auto agreeing = window.group(1, rg::AgreementGroup::agreeing), others = window.group(1, rg::AgreementGroup::disagreeing);
  CHECK((agreeing.count == 2 && agreeing.loss_mean.mean == 1.5));
  CHECK((others.count == 1 && others.loss_mean.mean == 6 && others.loss_mean.deviation == 1e-8));
  CHECK(window.group(0).count == 0);
  window.add(1, sample(7, false));   // now the 1 falls out
  CHECK(window.group(1).loss_mean.mean == 5);
  rg::DynamicsWindow unlimited(1);
  for (int i = 0; i < 100; ++i) unlimited.add(0, sample(1, true));
  CHECK(unlimited.size(0) == 100);
  CHECK_THROWS_WITH(unlimited.size(1), contains("the label has no window"));
}

TEST_CASE("eighteen features and a bit", "[dynamics]") {
  rg::DynamicsWindow window(1, 4);
  window.add(0, {1, 0.5, 0.6, 0.1, true});
  window.add(0, {3, 1.5, 0.8, 0.3, true});
  const rg::SampleStatistics sample{4, 1, 0.7, 0.2, true};
  const auto f = rg::dynamics_features(sample, window.group(0, rg::AgreementGroup::agreeing));
  CHECK((f[0] == 4 && f[1] == 2 && f[2] == Approx(std::sqrt(2.0))));
  CHECK((f[3] == 1 && f[4] == 1 && f[5] == Approx(std::sqrt(0.5))));
  CHECK((f[6] == 0.7 && f[7] == Approx(0.7) && f[8] == Approx(std::sqrt(0.02))));
  CHECK((f[9] == 0.2 && f[10] == Approx(0.2) && f[11] == Approx(std::sqrt(0.02))));
  CHECK(f[12] == Approx(2.0));   // KL(N(4, 1) || N(2, 1)) = 2^2 / 2
  CHECK(f[13] == Approx((rg::normal_divergence({1, 0.5}, {2, 1}) + rg::normal_divergence({3, 1.5}, {2, 1})) / 2));
  CHECK(f[15] == Approx(std::erfc(1 / std::sqrt(2.0))));
  CHECK(f[18] == 1);
  // No member: nothing is known of the class.
  const auto alone = rg::dynamics_features({4, 1, 0.7, 0.2, false}, window.group(0, rg::AgreementGroup::disagreeing));
  for (std::size_t k = 0; k < 18; ++k) CHECK(alone[k] == (k == 0 ? 4 : k == 3 ? 1 : k == 6 ? 0.7 : k == 9 ? 0.2 : 0));
  CHECK(alone[18] == 0);
}
