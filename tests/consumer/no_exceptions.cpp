// Every header compiles and works without exceptions; a broken contract prints its message and aborts.
#include <rankgrad/rankgrad.hpp>

#include <cstdio>
#include <cstring>

int main(int argc, char** argv) {
  const float scores[] = {1.0f, -0.5f, 2.0f}, labels[] = {1, 0, 0};
  const double temperature = argc > 1 && std::strcmp(argv[1], "break") == 0 ? -1 : 0.5;
  const rankgrad::ListView<float> list{.scores = scores, .labels = labels};
  std::printf("%.4f\n", static_cast<double>(rankgrad::value(rankgrad::Softmax{.temperature = temperature}, list)));
}
