// rankgrad/embedding/candidate_lists.hpp: any loss of lists where the scores are similarities of embeddings: each query has its
// own candidates.
// SPDX-License-Identifier: MIT
//
//   CandidateEvaluator<float> evaluate;
//   CandidateView<float> batch{.dimension = 128, .queries = queries, .documents = documents, .offsets = offsets,
//                              .candidates = candidates, .labels = teacher_scores};
//   const CandidateLists<DistributionAlignment> distil{.temperature = 0.05, .similarity = Similarity::cosine};
//   const auto result = evaluate(distil, batch, {query_gradient, document_gradient}, Reduction::mean, pool);
//   const double ndcg = evaluate.metric(Ndcg{.k = 10}, batch);   // of the scores of the last call
//
// Read first: core/batch_evaluator.hpp, embedding/embedding_view.hpp. How the gradient gets to the embeddings: embedding/pairs.hpp.
#pragma once

#include <rankgrad/core/batch_evaluator.hpp>
#include <rankgrad/embedding/pairs.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// B queries, and for each a list of documents: hard negatives of its own, the results of a first stage, what a teacher scored.
/// Documents may be in many lists, more than once in one, or in none.
///
///   queries        [B dimension], row-major
///   documents      [M dimension], row-major
///   offsets        [B + 1], candidates of query q at offsets[q] .. offsets[q + 1]
///   candidates     [n] document numbers
///   labels         [n] relevance grades, teacher scores: what the loss takes as labels
///   weights, mask, easiness   [n] or empty, of the candidates; an absent one is as good as deleted, its document is not looked at
///   list_weights   [B] or empty
///   document_bias  [M] or empty, added to the scores of a document
template <Real T>
struct CandidateView {
  using value_type = T;

  std::size_t dimension = 0;
  std::span<const T> queries{};
  std::span<const T> documents{};
  std::span<const std::uint32_t> offsets{};
  std::span<const std::uint32_t> candidates{};
  std::span<const T> labels{};
  std::span<const T> weights{};
  std::span<const std::uint8_t> mask{};
  std::span<const T> easiness{};
  std::span<const T> list_weights{};
  std::span<const T> document_bias{};

  constexpr std::size_t query_count() const noexcept { return dimension ? queries.size() / dimension : 0; }
  constexpr std::size_t document_count() const noexcept { return dimension ? documents.size() / dimension : 0; }
  constexpr bool present(std::size_t k) const noexcept { return mask.empty() || mask[k] != 0; }

  /// The lists with these scores [n].
  constexpr RaggedBatch<T> with(std::span<const T> scores) const noexcept {
    return {.scores = scores, .labels = labels, .weights = weights, .mask = mask, .easiness = easiness,
            .list_weights = list_weights, .offsets = offsets};
  }
};

/// Embeddings and numbers agree; the lists are checked as a RaggedBatch. O(n + M).
template <Real T>
Status validate(const CandidateView<T>& view) {
  if (Status s = detail::check_sides(view.dimension, view.queries, view.documents); !s) return s;
  if (Status s = detail::check_length("offsets", view.offsets.size(), view.query_count() + 1); !s) return s;
  if (Status s = detail::check_offsets("offsets", view.offsets, view.candidates.size(), "candidates"); !s) return s;
  for (std::size_t k = 0; k < view.candidates.size(); ++k)
    if (view.candidates[k] >= view.document_count())
      return Status::error("rankgrad: candidates[%zu] is %u; there are %zu documents", k, view.candidates[k],
                           view.document_count());
  if (Status s = detail::check_optional_length("document_bias", view.document_bias.size(), view.document_count()); !s) return s;
  constexpr T limit = std::numeric_limits<T>::max();
  return detail::check_values<T>("document_bias", view.document_bias, {}, -limit, limit);
}

/// A loss of lists over scores that are similarities.
///
///   x_k  = s_k / tau + bias_j,   s_k = q_i . k_j or their cosine          candidate k of query i is document j
///   L    = the loss of the lists x with their labels and weights, reduced as by a BatchEvaluator
///   g_k  = dL/dx_k / tau,   dL/dq_i = sum of g_k k_j over the candidates of query i,   dL/dk_j = sum of g_k q_i over the lists
///          that document j is in; cosines: of directions, and on by (g - (g . u) u) / |x|
///   dL/dlog(1/tau) = sum_k s_k g_k,   dL/dbias_j = tau times the sum of g_k over the lists that document j is in
///
/// Shapes      see CandidateView.
/// Units       those of the loss.
/// No signal   that of the loss: no list has one.
/// Cost        2 d operations for a candidate and 4 d for its gradient, most of it waiting for rows; and the loss. Some 40 bytes of
///             scratch for a candidate, and as many for a document. Nothing is allocated once warm.
/// Numerics    scores are rounded to T. The bits do not depend on the number of threads: rows of gradients have one owner.
/// Parameters  loss; temperature tau > 0, beside that of the loss, if it has one; similarity.
/// Source      distillation to dual encoders: Hofstätter et al., arXiv 2010.02666 (margins of a teacher); Ren et al., arXiv
///             2110.07367 (RocketQAv2, divergence over lists of candidates).
template <class L>
struct CandidateLists {
  L loss{};
  double temperature = 1;
  Similarity similarity = Similarity::dot;

  Status check() const {
    if (Status status = check_parameter("CandidateLists.temperature", temperature, 0); !status) return status;
    return validate_parameters(loss);
  }
};

/// Keep one per training loop: it owns the scratch of every worker and stops allocating after the first large batch. The
/// gradient is written over. What is wrong with the input is raised before anything is written.
template <Real T>
class CandidateEvaluator {
 public:
  template <class L, class E = Serial>
  EmbeddingValue<T> operator()(const CandidateLists<L>& lists, const CandidateView<T>& view, const EmbeddingGradient<T>& gradient,
                               Reduction reduction = Reduction::mean, const E& executor = {}) {
    using namespace embedding;
    check_at_the_door(lists, view, gradient);
    const std::size_t n = view.candidates.size();
    if (workspaces_.size() < executor.workers()) workspaces_.resize(executor.workers());
    Workspace& workspace = workspaces_[0];
    const Team team(executor, workspaces_);
    const Workspace::TeamLoan loan(workspace, team);
    const auto frame = workspace.frame();
    const Pairs pairs(view, lists.similarity, workspace);
    T *const scores = keep(scores_, n), *const slopes = keep(slopes_, n);
    double* const similarities = workspace.take<double>(n);
    for_each_row(pairs.queries.n, workspace, [&](std::size_t i) {
      for (std::size_t k = view.offsets[i]; k < view.offsets[i + 1]; ++k) {
        const std::size_t j = pairs.document[k];
        similarities[k] = view.present(k) ? dot(pairs.queries.row(i), pairs.queries.factor(i), pairs.documents.row(j),
                                                pairs.documents.factor(j), view.dimension) : 0;
        const double bias = view.document_bias.empty() ? 0 : static_cast<double>(view.document_bias[view.candidates[k]]);
        scores[k] = static_cast<T>(similarities[k] / lists.temperature + bias);
      }
    });
    EmbeddingValue<T> result{lists_(lists.loss, view.with({scores, n}), {slopes, n}, reduction, executor), 0, false};
    for (const Contribution<T>& part : lists_.per_list())
      if (part.valid) result.valid = true;
    if (!gradient.wanted()) return result;

    embedding::clear(gradient, workspace);
    for (std::size_t k = 0; k < n; ++k) {
      slopes[k] = view.present(k) ? static_cast<T>(static_cast<double>(slopes[k]) / lists.temperature) : T(0);
      if (slopes[k] != T(0)) result.log_scale_gradient += similarities[k] * static_cast<double>(slopes[k]);
    }
    add_gradients(pairs.queries, pairs.documents, view.offsets.data(), pairs.document, slopes, gradient, workspace);
    for (T& slope : gradient.document_bias) slope *= static_cast<T>(lists.temperature);
    if (lists.similarity == Similarity::dot) return result;
    if (!gradient.queries.empty()) finish_gradient(pairs.queries, gradient.queries.data(), workspace);
    if (!gradient.documents.empty()) finish_gradient(pairs.documents, gradient.documents.data(), workspace);
    return result;
  }
  template <class L>
  EmbeddingValue<T> operator()(const CandidateLists<L>& lists, const CandidateView<T>& view) {
    return (*this)(lists, view, EmbeddingGradient<T>{});
  }

  /// Of the last call: the scores [n], what a metric makes of them, and the values of the lists.
  std::span<const T> scores() const noexcept { return scores_; }
  template <class M, class E = Serial>
  double metric(const M& metric, const CandidateView<T>& view, const E& executor = {}) {
    return lists_.metric(metric, view.with(scores_), executor);
  }
  std::span<const Contribution<T>> per_list() const noexcept { return lists_.per_list(); }

  /// How often scratch had to grow so far; constant once warm.
  std::size_t growths() const noexcept {
    std::size_t total = growths_ + lists_.growths();
    for (const Workspace& workspace : workspaces_) total += workspace.growths();
    return total;
  }

 private:
  /// Both sides, of the documents those that are in a list; and their numbers there for the candidates.
  struct Pairs {
    embedding::Side<T> queries, documents;
    std::uint32_t* document;

    Pairs(const CandidateView<T>& view, Similarity similarity, Workspace& workspace) {
      const std::size_t all = view.document_count(), n = view.candidates.size();
      std::uint8_t* const used = workspace.take<std::uint8_t>(all, 0);
      for (std::size_t k = 0; k < n; ++k)
        if (view.present(k)) used[view.candidates[k]] = 1;
      queries = embedding::side_of<T>(view.queries, view.dimension, {}, similarity, workspace);
      documents = embedding::side_of<T>(view.documents, view.dimension, {used, all}, similarity, workspace);
      std::uint32_t* const number = workspace.take<std::uint32_t>(all, 0);
      for (std::size_t j = 0; j < documents.n; ++j) number[documents.number[j]] = static_cast<std::uint32_t>(j);
      document = workspace.take<std::uint32_t>(n);
      for (std::size_t k = 0; k < n; ++k) document[k] = number[view.candidates[k]];
    }
  };

  T* keep(std::vector<T>& buffer, std::size_t n) {
    if (buffer.capacity() < n) ++growths_;
    buffer.resize(n);
    return buffer.data();
  }

  BatchEvaluator<T> lists_;
  std::vector<Workspace> workspaces_;
  std::vector<T> scores_, slopes_;
  std::size_t growths_ = 0;
};

}  // namespace rankgrad
