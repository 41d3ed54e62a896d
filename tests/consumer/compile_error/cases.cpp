// What must not compile, one case a number; case 0 is the control that must.
#include <rankgrad/rankgrad.hpp>

#include <vector>

namespace rg = rankgrad;

struct ReturnsPlainNumber {
  template <rg::Real T>
  T value_and_gradient(rg::ListView<T>, rg::GradientSink<T>, rg::Workspace&) const { return T(0); }
};
struct FloatOnly {
  rg::Contribution<float> value_and_gradient(rg::ListView<float>, rg::GradientSink<float>, rg::Workspace&) const { return {}; }
};

int main() {
  std::vector<float> scores(3), labels(3), gradient(3);
  std::vector<double> wide(3);
  const rg::ListView<float> list{.scores = scores, .labels = labels};
  const std::vector<std::uint32_t> offsets{0, 3};
#if CASE == 0
  rg::value_and_gradient(rg::Softmax{.temperature = 2}, list, gradient);
#elif CASE == 1   // gradient of another type
  rg::value_and_gradient(rg::Softmax{}, list, wide);
#elif CASE == 2   // a parameter that does not exist
  rg::value_and_gradient(rg::Softmax{.sigma = 2}, list, gradient);
#elif CASE == 3   // integers are not scores
  const std::vector<int> integers(3);
  rg::ListView<int> bad{.scores = integers, .labels = integers};
#elif CASE == 4   // a loss that returns a number instead of a Contribution
  rg::value_and_gradient(ReturnsPlainNumber{}, list, gradient);
#elif CASE == 5   // a float loss in a double batch; the message says which signature to write
  rg::BatchEvaluator<double> evaluate;
  evaluate(FloatOnly{}, rg::RaggedBatch<double>{.scores = wide, .labels = wide, .offsets = offsets}, wide);
#elif CASE == 6   // adding a loss and something that is none
  auto mixture = rg::Softmax{} + 3.0;
#elif CASE == 7   // writing the gradient into constant memory
  const std::vector<float> constant(3);
  rg::value_and_gradient(rg::Softmax{}, list, constant);
#endif
}
