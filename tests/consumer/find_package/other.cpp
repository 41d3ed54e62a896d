#include <rankgrad/rankgrad.hpp>

float in_another_file();
float in_another_file() {
  const float scores[] = {1.0f, -0.5f, 2.0f}, labels[] = {1, 0, 0};
  return rankgrad::value(rankgrad::Softmax{.temperature = 0.5}, rankgrad::ListView<float>{.scores = scores, .labels = labels});
}
