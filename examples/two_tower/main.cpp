// two_tower: train a retriever, alone or on several ranks, search with it, and rerank what it finds.
// SPDX-License-Identifier: MIT
#include "common/progress.hpp"
#include "trainer.hpp"

#ifdef TWO_TOWER_MPI
#include <rankgrad/interop/mpi.hpp>
#endif

#include <CLI/CLI.hpp>
#include <fmt/core.h>

namespace {

using namespace two_tower;

struct Options {
  Eigen::Index documents = 4000, dimension = 32;
  std::size_t queries = 4096, batch = 512, epochs = 8, pooled_epochs = 4, top = 10;
  double temperature = 0.1, rate = 0.01;
  std::uint64_t seed = 1;
};

template <dist::Communicator C>
int run(const Options& options, C& comm) {
  const Corpus corpus = make_corpus(options.documents, static_cast<Eigen::Index>(options.queries) + 512, options.seed);
  Towers towers(corpus.documents.cols(), options.dimension, options.temperature, options.rate, options.seed);
  Trainer trainer(comm, corpus, towers);
  const bool speaks = comm.rank() == 0;
  const Matrix held_out = corpus.queries.bottomRows(512);
  const auto quality = [&](const Found& found) { return judge(found, corpus.relevant, options.queries); };
  const auto at_top = [&](const char* metric) { return fmt::format("{}@{}", metric, options.top); };
  if (speaks) {
    fmt::print("{} documents, {} queries, batches of {} on {} ranks\n\n", options.documents, options.queries, options.batch,
               comm.size());
    fmt::print("{:>5} {:>9} {:>12} {:>8} {:>10} {:>10} {:>10} {:>10}\n", "epoch", "loss", "temperature", "AUC", "AUC/query",
               at_top("recall"), at_top("NDCG"), at_top("MRR"));
  }

  const std::size_t steps = options.queries / options.batch;
  std::size_t epoch = 0;
  std::vector<std::size_t> order(options.queries);
  std::iota(order.begin(), order.end(), std::size_t{0});
  rankgrad::Random random(options.seed, 2);
  const auto train = [&](const char* stage, std::size_t epochs, const auto& step) {
    examples::Progress progress(speaks ? epochs * steps : 1);
    if (speaks && epochs > 0) fmt::print("{}\n", stage);
    for (const std::size_t end = epoch + epochs; epoch < end; ++epoch) {
      double loss = 0;
      for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
      for (std::size_t b = 0; b < steps; ++b) {
        const auto border = [&](std::size_t rank) { return b * options.batch + options.batch * rank / comm.size(); };
        const std::size_t first = border(comm.rank()), last = border(comm.rank() + 1);
        loss += step(std::span(order).subspan(first, last - first)) / static_cast<double>(steps);
        if (speaks) progress.advance(1, fmt::format("epoch {}", epoch + 1));
      }
      if (!speaks) continue;
      const Areas area = areas_of(towers, held_out, corpus, options.queries);
      const Quality found = quality(search(towers, held_out, corpus.documents, options.top));
      fmt::print("{:5} {:9.4f} {:12.4f} {:8.4f} {:10.4f} {:10.3f} {:10.3f} {:10.3f}\n", epoch + 1, loss, towers.temperature(),
                 area.all, area.each, found.recall, found.ndcg, found.reciprocal_rank);
    }
  };
  train("InfoNCE", options.epochs, [&](auto queries) { return trainer.info_nce(queries); });
  train("Mann-Whitney", options.pooled_epochs, [&](auto queries) { return trainer.mann_whitney(queries, options.top); });
  if (!speaks) return 0;

  // The reranker learns from what the search finds for the training queries.
  const Found seen = search(towers, corpus.queries.topRows(static_cast<Eigen::Index>(options.queries)), corpus.documents, options.top);
  const Found found = search(towers, held_out, corpus.documents, options.top);
  Reranker reranker;
  for (int step = 0; step < 100; ++step) reranker.train(seen, corpus.documents, corpus.relevant);
  const Quality before = quality(found), after = quality(reranker.rerank(found, corpus.documents));
  fmt::print("\nMRR of the {} found: {:.3f}, reranked {:.3f}; the best order would have {:.3f}\n", options.top, before.reciprocal_rank,
             after.reciprocal_rank, after.recall);
  return after.reciprocal_rank > before.reciprocal_rank ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{"Trains a retriever of two linear towers on a made-up corpus, with in-batch InfoNCE and then with the Mann-Whitney\n"
               "loss of what its search finds, over all pairs of a batch; measures it on held-out queries; and reranks what it\n"
               "finds. AUC: over all pairs of a query and a document; AUC/query: the mean over queries. Under\n"
               "`mpirun -n P two_tower_mpi` each of P ranks takes a part of every batch, and the losses are the same but for\n"
               "rounding. Exit status 1: reranking did not help."};
  app.option_defaults()->always_capture_default();
  app.add_option("--documents", options.documents, "documents of the corpus")->check(CLI::Range(20, 100000));
  app.add_option("--queries", options.queries, "queries to train with")->check(CLI::PositiveNumber);
  app.add_option("--batch", options.batch, "queries of a batch, of all ranks together")->check(CLI::PositiveNumber);
  app.add_option("--epochs", options.epochs, "how often every query is seen with InfoNCE");
  app.add_option("--pooled-epochs", options.pooled_epochs, "and then with Mann-Whitney");
  app.add_option("--dimension", options.dimension, "of the embeddings")->check(CLI::PositiveNumber);
  app.add_option("--temperature", options.temperature, "at the start; it is learned")->check(CLI::PositiveNumber);
  app.add_option("--rate", options.rate, "Adam's learning rate")->check(CLI::PositiveNumber);
  app.add_option("--top", options.top, "documents that are found and reranked")->check(CLI::PositiveNumber);
  app.add_option("--seed", options.seed, "of the corpus and the towers");
  CLI11_PARSE(app, argc, argv);
  if (options.batch > options.queries) {
    fmt::print(stderr, "two_tower: a batch of {} for {} queries\n", options.batch, options.queries);
    return 2;
  }
#ifdef TWO_TOWER_MPI
  MPI_Init(&argc, &argv);
  int status = 0;
  {
    dist::MpiCommunicator comm(MPI_COMM_WORLD);
    status = run(options, comm);
  }
  MPI_Finalize();
  return status;
#else
  dist::Alone alone;
  return run(options, alone);
#endif
}
