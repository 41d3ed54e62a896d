// Many queries at once, on all cores, to the same bits on any number of them; and a metric of the same batch.
#include <rankgrad/exec/threads.hpp>
#include <rankgrad/rankgrad.hpp>

#include <cstdio>
#include <vector>

namespace rg = rankgrad;

int main() {
  // Three queries back to back: items 0..2, 3..3 and 4..7. The item with mask 0 is as good as deleted.
  const std::vector<float> scores{0.2f, 1.5f, -0.3f, 0.9f, 0.1f, 0.4f, -1.0f, 0.6f};
  const std::vector<float> labels{1, 0, 2, 1, 0, 3, 0, 1};
  const std::vector<std::uint8_t> mask{1, 1, 1, 1, 1, 1, 0, 1};
  const std::vector<std::uint32_t> offsets{0, 3, 4, 8};
  const rg::RaggedBatch<float> batch{.scores = scores, .labels = labels, .mask = mask, .offsets = offsets};

  // Ask first, or let the evaluator raise the same message as std::invalid_argument.
  if (const rg::Status status = rg::validate(batch); !status) return std::puts(status.message()), 1;

  std::vector<float> gradient(scores.size());
  rg::BatchEvaluator<float> evaluate;   // keep it: it owns the scratch and stops allocating once warm
  const rg::exec::Threads pool(2);
  const float value = evaluate(rg::LambdaRank{.k = 10}, batch, gradient, rg::Reduction::mean, pool);
  std::printf("mean over lists with a signal: %.4f\n", static_cast<double>(value));
  for (std::size_t q = 0; q < batch.lists(); ++q)
    std::printf("list %zu: %s %.4f\n", q, evaluate.per_list()[q].valid ? "valid  " : "no signal", static_cast<double>(evaluate.per_list()[q].value));
  std::printf("masked item's gradient: %g\n", static_cast<double>(gradient[6]));
}
