#include <rankgrad/rankgrad.hpp>
#include <cstdio>

int main() {
  const float scores[] = {1.0f, -0.5f, 2.0f, 0.3f}, labels[] = {2, 0, 1, 0};   // one query, four candidates
  float gradient[4];
  const auto loss = 0.9 * rankgrad::RankNet{} + 0.1 * rankgrad::Softmax{.temperature = 0.5};
  const float value = rankgrad::value_and_gradient(
      loss, rankgrad::ListView<float>{.scores = scores, .labels = labels}, gradient);
  std::printf("loss %.4f, gradient", value);
  for (const float g : gradient) std::printf(" %+.4f", g);
}
