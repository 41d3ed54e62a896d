// two_tower: train a retriever with in-batch losses, alone or on several ranks, search with it, and rerank what it finds.
// SPDX-License-Identifier: MIT
#include "common/progress.hpp"
#include "search.hpp"

#include <rankgrad/distributed/ring_info_nce.hpp>
#ifdef TWO_TOWER_MPI
#include <rankgrad/interop/mpi.hpp>
#endif

#include <CLI/CLI.hpp>
#include <fmt/core.h>

namespace {

using namespace two_tower;
namespace dist = rankgrad::distributed;

struct Options {
  Eigen::Index documents = 4000, dimension = 32;
  std::size_t queries = 4096, batch = 512, epochs = 8, top = 10;
  double temperature = 0.1, rate = 0.01;
  std::uint64_t seed = 1;
};

/// Every rank has a part of each batch; all see every document of it. Gradients by the towers are added over the ranks: the
/// library's are those of the value of the whole batch.
template <dist::Communicator C>
int run(const Options& options, C& comm) {
  const Corpus corpus = make_corpus(options.documents, static_cast<Eigen::Index>(options.queries) + 512, options.seed);
  Towers towers(corpus.documents.cols(), options.dimension, options.temperature, options.rate, options.seed);
  const bool speaks = comm.rank() == 0;
  const Matrix held_out = corpus.queries.bottomRows(512);
  const auto quality = [&](const Found& found) { return judge(found, corpus.relevant, options.queries); };
  const std::size_t steps = options.queries / options.batch;
  if (speaks) fmt::print("{} documents, {} queries, batches of {} on {} ranks\n\n{:>5} {:>9} {:>12} {:>10} {:>7}\n", options.documents,
                         options.queries, options.batch, comm.size(), "epoch", "loss", "temperature", fmt::format("recall@{}", options.top), "MRR");
  dist::RingInfoNce<float> evaluate;
  {
    examples::Progress progress(speaks ? options.epochs * steps : 1);
    std::vector<std::size_t> order(options.queries);
    std::iota(order.begin(), order.end(), std::size_t{0});
    rankgrad::Random random(options.seed, 2);
    for (std::size_t epoch = 0; epoch < options.epochs; ++epoch) {
      double loss = 0;
      for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[static_cast<std::size_t>(random.uniform() * static_cast<double>(i))]);
      for (std::size_t step = 0; step < steps; ++step) {
        const std::size_t begin = options.batch * comm.rank() / comm.size(), end = options.batch * (comm.rank() + 1) / comm.size();
        Matrix q(static_cast<Eigen::Index>(end - begin), corpus.queries.cols()), d(q.rows(), q.cols());
        std::vector<std::int64_t> ids;   // the same document twice in a batch is no negative of itself
        for (std::size_t i = begin; i < end; ++i) {
          const std::size_t query = order[step * options.batch + i];
          q.row(static_cast<Eigen::Index>(i - begin)) = corpus.queries.row(static_cast<Eigen::Index>(query));
          d.row(static_cast<Eigen::Index>(i - begin)) = corpus.documents.row(corpus.relevant[query]);
          ids.push_back(corpus.relevant[query]);
        }
        const Matrix by_query = towers.queries(q), by_document = towers.documents(d);
        Matrix query_gradient(by_query.rows(), by_query.cols()), document_gradient(query_gradient);
        const auto all = [](auto& m) { return std::span(m.data(), static_cast<std::size_t>(m.size())); };
        const rankgrad::EmbeddingView<float> own{.dimension = static_cast<std::size_t>(towers.dimension()), .queries = all(by_query),
                                                 .documents = all(by_document), .query_ids = ids, .document_ids = ids};
        const rankgrad::InBatchInfoNce info_nce{.temperature = towers.temperature(), .similarity = rankgrad::Similarity::cosine};
        const auto result = evaluate(comm, info_nce, own, {all(query_gradient), all(document_gradient)});
        loss += static_cast<double>(result.value) / static_cast<double>(steps);
        // The derivative by the temperature is already that of the whole batch; each rank adds its share.
        Eigen::VectorXf& gradient = towers.backward(q, query_gradient, d, document_gradient, result.log_scale_gradient / static_cast<double>(comm.size()));
        Eigen::VectorXd sum = gradient.cast<double>();
        comm.all_reduce_sum({sum.data(), static_cast<std::size_t>(sum.size())});
        gradient = sum.cast<float>();
        towers.step();
        if (speaks) progress.advance(1, fmt::format("epoch {}", epoch + 1));
      }
      if (!speaks) continue;
      const auto [recall, mrr] = quality(search(towers, held_out, corpus.documents, options.top));
      fmt::print("{:5} {:9.4f} {:12.4f} {:10.3f} {:7.3f}\n", epoch + 1, loss, towers.temperature(), recall, mrr);
    }
  }
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
  CLI::App app{"Trains a retriever of two linear towers on a made-up corpus with in-batch InfoNCE, measures it on held-out queries, and reranks\n"
               "what it finds. Under `mpirun -n P two_tower_mpi` each of P ranks takes a part of every batch, and the losses are the\n"
               "same but for rounding. Exit status 1: reranking did not help."};
  app.option_defaults()->always_capture_default();
  app.add_option("--documents", options.documents, "documents of the corpus")->check(CLI::Range(20, 1000000));
  app.add_option("--queries", options.queries, "queries to train with")->check(CLI::PositiveNumber);
  app.add_option("--batch", options.batch, "queries of a batch, of all ranks together")->check(CLI::PositiveNumber);
  app.add_option("--epochs", options.epochs, "how often every query is seen");
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
