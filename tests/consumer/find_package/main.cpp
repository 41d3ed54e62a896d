#include <rankgrad/rankgrad.hpp>

#include <cstdio>

float in_another_file();   // two translation units with all headers: a function that is not inline fails to link

int main() {
  const float scores[] = {1.0f, -0.5f, 2.0f}, labels[] = {1, 0, 0};
  float gradient[3];
  const float here = rankgrad::value_and_gradient(rankgrad::Softmax{.temperature = 0.5},
                                                  rankgrad::ListView<float>{.scores = scores, .labels = labels}, gradient);
  std::printf("%.4f %.4f\n", static_cast<double>(here), static_cast<double>(in_another_file()));
}
