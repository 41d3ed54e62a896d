// train_reranker/generator.cpp
// SPDX-License-Identifier: MIT
#include "generator.hpp"

#include <rankgrad/core/random.hpp>

#include <fmt/format.h>

#include <array>
#include <cmath>

namespace reranker {

Rows generate(const GeneratorOptions& options) {
  constexpr std::size_t dimensions = 8, levelled = 3, noise_features = 2;
  constexpr std::array thresholds{0.9, 1.5, 2.1};
  using Vector = std::array<double, dimensions>;

  Vector w;
  rankgrad::Random hidden(options.seed);
  double length = 0;
  for (double& x : w) x = hidden.normal(), length += x * x;
  for (double& x : w) x /= std::sqrt(length);

  Rows rows;
  for (std::uint64_t q = options.first_query; q < options.first_query + options.queries; ++q) {
    rankgrad::Random random(options.seed, 1 + q);
    const std::size_t candidates = 10 + random.below(31);
    const bool hard = random.uniform() < 0.3;
    const double level = random.normal();
    for (std::size_t d = 0; d < candidates; ++d) {
      Vector z;
      double u = 0.3 * random.normal();
      for (std::size_t j = 0; j < dimensions; ++j) z[j] = random.normal(), u += w[j] * z[j];
      u += 0.6 * z[0] * z[1] + 0.4 * (z[2] * z[2] - 1);

      std::uint32_t feature = generated_first_stage;
      const auto add = [&](double value) { rows.entries.push_back({feature++, static_cast<float>(value)}); };
      add(12 + 3 * ((hard ? -0.5 : 1.0) * u + 0.8 * random.normal()));
      for (std::size_t j = 0; j < dimensions; ++j) add(z[j] + 0.3 * random.normal() + (j < levelled ? level : 0));
      add(level + 0.5 * random.normal());
      for (std::size_t j = 0; j < noise_features; ++j) add(random.normal());
      rows.row_begin.push_back(rows.entries.size());

      std::size_t grade = 0;
      for (const double threshold : thresholds) grade += u > threshold;
      if (random.uniform() < options.label_noise) grade = random.below(thresholds.size() + 1);
      rows.labels.push_back(static_cast<float>(grade));
      rows.documents.push_back(fmt::format("q{}d{}", q + 1, d + 1));
    }
    rows.offsets.push_back(static_cast<std::uint32_t>(rows.size()));
    rows.queries.push_back(std::to_string(q + 1));
  }
  return rows;
}

}  // namespace reranker
