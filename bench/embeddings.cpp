// InfoNCE over all queries and documents of a batch of embeddings: value alone, with gradients, both directions. Shapes are
// rows x dimension; the one called 128 has 128 rows of 128 numbers.
#include "support/harness.hpp"

namespace {

using namespace bench;

Embeddings<float> make(std::size_t rows, std::size_t dimension) {
  rg::Random random(20261201, rows + dimension);
  Embeddings<float> made{.dimension = dimension, .queries = {}, .documents = {}};
  const double unit = 1 / std::sqrt(static_cast<double>(dimension));   // lengths of about 1, half trained
  for (std::size_t i = 0; i < rows * dimension; ++i) {
    const double shared = random.normal();
    made.queries.push_back(static_cast<float>(unit * (0.6 * shared + 0.8 * random.normal())));
    made.documents.push_back(static_cast<float>(unit * (0.6 * shared + 0.8 * random.normal())));
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
  add<float, Embeddings<float>>(loss + "/float/" + shape, inputs, Count::items, methods_of(loss), clock);
}

bool add_all() {
  for (const std::string loss : {"limit/product", "embedding/info_nce_value", "embedding/info_nce", "embedding/info_nce_both"}) {
    add_row(loss, "128", 128, 128);
    for (const auto& [rows, dimension] : {std::pair{2048u, 128u}, {2048u, 256u}, {2048u, 1024u}, {4096u, 128u}, {4096u, 512u}})
      add_row(loss, std::to_string(rows) + "x" + std::to_string(dimension), rows, dimension);
  }
  for (const std::string loss : {"threads/info_nce", "threads/info_nce_both"}) add_row(loss, "2048x256", 2048, 256, Clock::wall);
  return true;
}

const bool registered = add_all();

}  // namespace
