// How much memory InfoNCE over a batch needs, operands and gradients included: the whole process, as the system counts it.
//
//   bench_memory [rows] [dimension] [most MiB]    default 65536 128 300; exit status 1 where it needed more
#include <rankgrad/core/random.hpp>
#include <rankgrad/embedding/embedding_evaluator.hpp>
#include <rankgrad/embedding/in_batch_info_nce.hpp>

#include <fmt/core.h>
#include <sys/resource.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <vector>

int main(int arguments, char** argument) {
  namespace rg = rankgrad;
  const auto number = [&](int i, double usual) { return i < arguments ? std::atof(argument[i]) : usual; };
  const auto rows = static_cast<std::size_t>(number(1, 65536)), dimension = static_cast<std::size_t>(number(2, 128));
  const double most = number(3, 300);
  if (rows == 0 || dimension == 0) {
    fmt::print(stderr, "usage: bench_memory [rows] [dimension] [most MiB]\n");
    return 2;
  }
  std::vector<float> queries(rows * dimension), documents(queries.size()), query_gradient(queries.size()), document_gradient(queries.size());
  rg::Random random(20261201, 0);
  for (std::size_t i = 0; i < queries.size(); ++i) {
    queries[i] = static_cast<float>(random.normal() / std::sqrt(static_cast<double>(dimension)));
    documents[i] = queries[i] + static_cast<float>(random.normal() / std::sqrt(static_cast<double>(dimension)));
  }
  rg::EmbeddingEvaluator<float> evaluate;
  const rg::EmbeddingView<float> view{.dimension = dimension, .queries = queries, .documents = documents};
  const rg::InBatchInfoNce loss{.temperature = 0.05, .direction = rg::Direction::both, .similarity = rg::Similarity::cosine};
  const auto start = std::chrono::steady_clock::now();
  const auto result = evaluate(loss, view, {query_gradient, document_gradient});
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const double n = static_cast<double>(rows), d = static_cast<double>(dimension), mib = 1048576;
  const double resident = static_cast<double>(usage.ru_maxrss) / 1024;
  fmt::print("InfoNCE, both directions, {} x {}, float: {:.4f} nats, {:.1f} s, {:.0f} GFLOP/s\n", rows, dimension, result.value, seconds,
             8 * n * n * d / seconds / 1e9);
  fmt::print("resident at most {:.0f} MiB, of which {:.0f} MiB are embeddings and gradients; the matrix alone would be {:.0f} MiB\n", resident,
             16 * n * d / mib, 4 * n * n / mib);
  if (resident <= most) return 0;
  fmt::print(stderr, "that is more than {:.0f} MiB\n", most);
  return 1;
}
