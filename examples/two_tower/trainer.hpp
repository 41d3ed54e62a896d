// two_tower/trainer.hpp: a step of training with either loss, alone or on several ranks.
// SPDX-License-Identifier: MIT
#pragma once

#include "search.hpp"

#include <rankgrad/distributed/candidate_lists.hpp>
#include <rankgrad/distributed/ring_info_nce.hpp>

#include <span>

namespace two_tower {

namespace dist = rankgrad::distributed;

/// Every rank has a part of each batch. Either step returns the loss of the whole batch, on every rank; gradients by the towers
/// are added over the ranks.
template <dist::Communicator C>
class Trainer {
 public:
  Trainer(C& comm, const Corpus& corpus, Towers& towers) : comm_(comm), corpus_(corpus), towers_(towers) {}

  /// Each query against the documents of all ranks.
  double info_nce(std::span<const std::size_t> queries) {
    const std::vector<Eigen::Index> numbers = relevant(queries);
    const std::vector<std::int64_t> ids(numbers.begin(), numbers.end());   // a document that is there twice: no negative
    const Matrix q = corpus_.queries(queries, Eigen::all), d = corpus_.documents(numbers, Eigen::all);
    return step(q, d, [&](const Matrix& by_query, const Matrix& by_document, const Gradient& gradient) {
      const rankgrad::InBatchInfoNce loss{.temperature = towers_.temperature(), .similarity = rankgrad::Similarity::cosine};
      return evaluate_batch_(comm_, loss, {.dimension = dimension(), .queries = all(by_query), .documents = all(by_document),
                                           .query_ids = ids, .document_ids = ids}, gradient);
    });
  }

  /// Each query's document above what the search finds instead, for that query or for any other, on whatever rank: so that one
  /// threshold serves all queries.
  double mann_whitney(std::span<const std::size_t> queries, std::size_t top) {
    const Matrix q = corpus_.queries(queries, Eigen::all);
    const Found found = search(towers_, q, corpus_.documents, top);
    const std::vector<Eigen::Index> wanted = relevant(queries);
    std::vector<Eigen::Index> numbers;
    std::vector<std::uint32_t> offsets{0};
    std::vector<float> labels;
    for (std::size_t i = 0; i < queries.size(); ++i) {
      numbers.push_back(wanted[i]);
      labels.push_back(1);
      for (std::size_t k = i * found.top; k < (i + 1) * found.top; ++k) {
        if (found.document[k] == wanted[i]) continue;
        numbers.push_back(found.document[k]);
        labels.push_back(0);
      }
      offsets.push_back(static_cast<std::uint32_t>(numbers.size()));
    }
    std::vector<std::uint32_t> candidates(numbers.size());
    std::iota(candidates.begin(), candidates.end(), 0u);
    const Matrix d = corpus_.documents(numbers, Eigen::all);
    return step(q, d, [&](const Matrix& by_query, const Matrix& by_document, const Gradient& gradient) {
      const rankgrad::CandidateLists<rankgrad::MannWhitney> loss{.temperature = towers_.temperature(),
                                                                 .similarity = rankgrad::Similarity::cosine};
      const rankgrad::CandidateView<float> own{.dimension = dimension(), .queries = all(by_query),
                                               .documents = all(by_document), .offsets = offsets,
                                               .candidates = candidates, .labels = labels};
      return dist::value_and_gradient(comm_, loss, own, gradient, evaluate_lists_);
    });
  }

 private:
  using Gradient = rankgrad::EmbeddingGradient<float>;

  template <class M>
  static auto all(M& m) { return std::span(m.data(), static_cast<std::size_t>(m.size())); }
  std::size_t dimension() const { return static_cast<std::size_t>(towers_.dimension()); }
  std::vector<Eigen::Index> relevant(std::span<const std::size_t> queries) const {
    std::vector<Eigen::Index> numbers;
    for (const std::size_t query : queries) numbers.push_back(corpus_.relevant[query]);
    return numbers;
  }

  /// lose: from the embeddings to the loss and their gradients.
  template <class Lose>
  double step(const Matrix& queries, const Matrix& documents, const Lose& lose) {
    const Matrix by_query = towers_.queries(queries), by_document = towers_.documents(documents);
    Matrix query_gradient(by_query.rows(), by_query.cols()), document_gradient(by_document.rows(), by_document.cols());
    const rankgrad::EmbeddingValue<float> result = lose(by_query, by_document, {all(query_gradient), all(document_gradient)});
    // The derivative by the temperature is already that of the whole batch; each rank adds its share.
    Eigen::VectorXf& gradient = towers_.backward(queries, query_gradient, documents, document_gradient,
                                                 result.log_scale_gradient / static_cast<double>(comm_.size()));
    Eigen::VectorXd sum = gradient.cast<double>();
    comm_.all_reduce_sum({sum.data(), static_cast<std::size_t>(sum.size())});
    gradient = sum.cast<float>();
    towers_.step();
    return static_cast<double>(result.value);
  }

  C& comm_;
  const Corpus& corpus_;
  Towers& towers_;
  dist::RingInfoNce<float> evaluate_batch_;
  rankgrad::CandidateEvaluator<float> evaluate_lists_;
};

}  // namespace two_tower
