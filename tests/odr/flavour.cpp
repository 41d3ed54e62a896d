// Compiled twice, with FLAVOUR = baseline and avx2, each with its own -march, and linked into one program.
#include <rankgrad/rankgrad.hpp>

#include <vector>

double FLAVOUR();

double FLAVOUR() {
  std::vector<float> scores, labels, gradient(100);
  for (int i = 0; i < 100; ++i) {
    scores.push_back(static_cast<float>(i * 37 % 100) / 25);
    labels.push_back(static_cast<float>(i % 5));
  }
  const rankgrad::ListView<float> list{.scores = scores, .labels = labels};
  double total = static_cast<double>(rankgrad::simd::lanes<float>) * 1000;
  total += static_cast<double>(rankgrad::value_and_gradient(rankgrad::RankNet{}, list, gradient));
  total += static_cast<double>(rankgrad::value_and_gradient(rankgrad::Softmax{.normalize = rankgrad::Normalize::mean}, list, gradient));
  total += static_cast<double>(rankgrad::value_and_gradient(rankgrad::LambdaRank{}, list, gradient));
  return total;
}
