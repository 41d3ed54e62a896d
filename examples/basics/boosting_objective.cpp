// Gradient and curvature for gradient boosting: what a custom objective of XGBoost or LightGBM has to fill each round.
#include <rankgrad/interop/gbdt.hpp>
#include <rankgrad/rankgrad.hpp>

#include <cstdio>
#include <vector>

namespace rg = rankgrad;

int main() {
  const std::vector<int> group_sizes{3, 4};
  const std::vector<float> labels{0, 2, 1, 1, 0, 0, 3};
  std::vector<double> scores(7, 0.0);   // LightGBM hands over double; XGBoost float works as well
  std::vector<float> gradient(7), hessian(7);

  rg::gbdt::Objective objective(rg::LambdaRank{.k = 20}, std::span<const float>(labels), rg::gbdt::offsets_from_sizes(group_sizes));
  for (int round = 0; round < 3; ++round) {
    const float loss = objective(std::span<const double>(scores), std::span<float>(gradient), std::span<float>(hessian));
    std::printf("round %d: loss %.4f, first item g %+.4f h %.4f\n", round, static_cast<double>(loss), static_cast<double>(gradient[0]), static_cast<double>(hessian[0]));
    for (std::size_t i = 0; i < scores.size(); ++i)   // a tree with one leaf per item would answer with a Newton step
      scores[i] -= 0.3 * static_cast<double>(gradient[i]) / static_cast<double>(hessian[i]);
  }
}
