// The literal definition of InBatchArcFace: angles, and the softmax of InBatchInfoNce.
#pragma once

#include "properties/oracles/embedding.hpp"

#include <rankgrad/embedding/in_batch_arcface.hpp>

namespace test {

template <>
struct EmbeddingOracle<rg::InBatchArcFace> {
  using L = rg::InBatchArcFace;

  static std::vector<L> instances() {
    return {{}, {.margin = 0.2, .scale = 10, .normalize = rg::Normalize::sum}, {.margin = 0, .scale = 30}, {.margin = 1.3, .scale = 4}};
  }
  static EmbeddingTraits traits(const L&) { return {.weights_repeat = true}; }
  static bool takes_targets(const L&) { return true; }
  static bool takes_own_negatives(const L&) { return true; }
  static std::vector<Refused<L>> refused() {
    return {{{.margin = 2}, "InBatchArcFace.margin is 2; it must be between 0 and 1.5708"},
            {{.margin = -0.1}, "InBatchArcFace.margin is -0.1"},
            {{.scale = 0}, "InBatchArcFace.scale is 0; it must be finite and above 0"}};
  }

  static Derivatives define(const L& loss, const SimilarityMatrix& m) {
    const long double margin = loss.margin;
    SimilarityMatrix moved = m;
    std::vector<long double> slope(m.similarity.size(), 1);
    for (std::size_t place = 0; place < m.positive.size(); ++place) {
      if (!m.positive[place]) continue;
      const long double c = std::min(1.0L, std::max(-1.0L, m.similarity[place])), angle = acosl(c);
      const bool beyond = c < -cosl(margin);
      moved.similarity[place] = beyond ? c - margin * sinl(margin) : cosl(angle + margin);
      slope[place] = beyond ? 1 : cosl(margin) + c * sinl(margin) / sqrtl(std::max(1e-12L, (1 - c) * (1 + c)));
    }
    const rg::InBatchInfoNce softmax{.temperature = 1 / loss.scale, .similarity = rg::Similarity::cosine, .normalize = loss.normalize};
    Derivatives result = EmbeddingOracle<rg::InBatchInfoNce>::define(softmax, moved);
    result.logits = result.slopes;
    result.standing = moved.similarity;
    for (std::size_t place = 0; place < slope.size(); ++place) result.slopes[place] *= slope[place];
    return result;
  }
};

}  // namespace test
