// Losses over all queries and documents of a batch of embeddings; InfoNCE also as value alone and in both directions. Shapes are
// rows x dimension; the one called 128 has 128 rows of 128 numbers.
#include "support/harness.hpp"

namespace {

using namespace bench;

/// Numbers of a few bits, so that inner products are exact in float in whatever order they are added: otherwise not all methods
/// would have the same hardest negatives.
Embeddings<float> make(std::size_t rows, std::size_t dimension) {
  rg::Random random(20261201, rows + dimension);
  Embeddings<float> made{.dimension = dimension, .queries = {}, .documents = {}};
  const double unit = 1 / std::sqrt(static_cast<double>(dimension));   // lengths of about 1, half trained
  const double step = std::exp2(std::floor(std::log2(unit)) - 5);
  const auto rounded = [step](double x) { return static_cast<float>(step * std::round(x / step)); };
  for (std::size_t i = 0; i < rows * dimension; ++i) {
    const double shared = random.normal();
    made.queries.push_back(rounded(unit * (0.6 * shared + 0.8 * random.normal())));
    made.documents.push_back(rounded(unit * (0.6 * shared + 0.8 * random.normal())));
  }
  return made;
}

Methods<Embeddings<float>> methods_of(const std::string& loss) {
  Methods<Embeddings<float>> methods;
#ifdef RANKGRAD_BENCH_EIGEN
  eigen::append_embeddings(loss, methods);
#endif
#ifdef RANKGRAD_BENCH_LIBTORCH
  libtorch::append(loss, methods);
#endif
  native::append_embeddings(loss, methods);
#ifdef RANKGRAD_BENCH_AVX2
  avx2::append_embeddings(loss, methods);
#endif
  return methods;
}

void add_row(const std::string& loss, const std::string& shape, std::size_t rows, std::size_t dimension, Clock clock = Clock::cpu) {
  const auto inputs = [=] { return std::make_shared<const std::vector<Embeddings<float>>>(1, make(rows, dimension)); };
  Methods<Embeddings<float>> methods = methods_of(loss);
  std::erase_if(methods, [rows](const auto& method) { return rows > method.largest; });
  add<float, Embeddings<float>>(loss + "/float/" + shape, inputs, Count::items, std::move(methods), clock);
}

bool add_all() {
  for (const std::string loss : {"limit/product", "embedding/info_nce_value", "embedding/info_nce", "embedding/info_nce_both"}) {
    add_row(loss, "128", 128, 128);
    for (const auto& [rows, dimension] : {std::pair{2048u, 128u}, {2048u, 256u}, {2048u, 1024u}, {4096u, 128u}, {4096u, 512u}})
      add_row(loss, std::to_string(rows) + "x" + std::to_string(dimension), rows, dimension);
  }
  // With more dimensions no row of these data would be left that a margin has something to say to.
  for (const std::string loss : {"embedding/sigmoid", "embedding/triplet_log_sum_exp", "embedding/hardest_negative",
                                 "embedding/multi_similarity", "embedding/mann_whitney", "embedding/mann_whitney_of_rows"}) {
    add_row(loss, "128", 128, 128);
    for (const std::size_t rows : {512u, 2048u, 4096u}) add_row(loss, std::to_string(rows) + "x128", rows, 128);
  }
  for (const std::string loss : {"threads/info_nce", "threads/info_nce_both"}) add_row(loss, "2048x256", 2048, 256, Clock::wall);
  return true;
}

const bool registered = add_all();

}  // namespace
