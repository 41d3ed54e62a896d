// A loss of your own: no base class, no registration. Masks, batches, threads, mixtures and checks come by themselves.
#include <rankgrad/rankgrad.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

namespace rg = rankgrad;
using namespace rankgrad::operators;   // for a loss outside rankgrad's namespace

struct Huber {
  static constexpr std::string_view name = "huber";
  static constexpr rg::Curvature curvature = rg::Curvature::diagonal;
  double delta = 1.0;

  template <rg::Real T>
  rg::Contribution<T> value_and_gradient(rg::ListView<T> list, rg::GradientSink<T> out, rg::Workspace&) const {
    const T d = T(delta);
    T value = 0;
    for (std::size_t i = 0; i < list.size(); ++i) {
      const T error = list.scores[i] - list.labels[i], slope = std::clamp(error, -d, d);
      value += std::abs(error) <= d ? error * error / 2 : d * (std::abs(error) - d / 2);
      out.add(i, slope, T(std::abs(error) <= d));   // adds scale * slope, and the curvature where it is asked for
    }
    return {value, list.size() > 0};
  }
};
static_assert(rg::Loss<Huber, float> && rg::Loss<Huber, double>);

int main() {
  const std::vector<double> scores{0.4, -1.9, 2.2, 0.9}, labels{1, 0, 2, 0};
  const rg::ListView<double> list{.scores = scores, .labels = labels};

  const rg::GradientReport report = rg::check_gradient(Huber{.delta = 0.7}, list);
  std::printf("gradient %s, sink %s\n", report.max_relative_error < 1e-6 ? "is right" : "is wrong", report.accumulates ? "is added to" : "is overwritten");

  const auto mixture = 0.7 * Huber{} + 0.3 * rg::RankNet{.sigma = 2};
  for (const rg::MixturePart& part : rg::parts(mixture)) std::printf("%.1f * %s\n", part.weight, part.name.data());
  std::printf("value %.4f\n", rg::value(mixture, list));
}
