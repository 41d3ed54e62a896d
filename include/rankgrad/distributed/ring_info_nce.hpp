// rankgrad/distributed/ring_info_nce.hpp: InfoNCE over the queries and documents of all ranks, which nobody gathers.
// SPDX-License-Identifier: MIT
//
// Read first: embedding/in_batch_info_nce.hpp, distributed/communicator.hpp. How it is computed: distributed/ring_softmax.hpp.
#pragma once

#include <rankgrad/distributed/ring_softmax.hpp>

namespace rankgrad::inline RANKGRAD_ABI::distributed {

/// InBatchInfoNce of the batch that all ranks have together: every query against the documents of every rank. Keep one per rank
/// and training loop: it owns the scratch.
///
///   RingInfoNce<float> evaluate;
///   EmbeddingView<float> own{.dimension = 128, .queries = queries, .documents = documents};
///   const auto result = evaluate(comm, InBatchInfoNce{.temperature = 0.05}, own, {query_gradient, document_gradient});
///   const auto result = evaluate(comm, loss, own, gradient, pool);   // each rank with workers of its own
///
/// Formula     that of InBatchInfoNce, over all queries and all documents. The value, valid and the derivative by
///             log(1 / temperature) are those of the whole batch: the same bits on every rank.
/// Gradient    d(value of the whole batch) / d(own embeddings). Summed over the ranks it is the gradient by shared parameters;
///             a trainer that averages gradients over P ranks multiplies by P.
/// Shapes      B_r queries and M_r documents of rank r; sizes differ as they like, 0 included (with positive_offsets where there
///             are queries without documents). Positives are documents of the query's own rank and are numbered there. Ids mean
///             the same on all ranks: what they leave out is left out across ranks. A rank may have no weights or masks where
///             others do, and own negatives stay where they are; bias, ids, targets and places for a gradient are for all ranks that
///             have something to put there, or none.
/// Cost        rank r, whatever the direction: 2 B_r N d operations for the value, 8 B_r N d with gradient (similarities are computed
///             twice), N = sum of M_r. Memory: nine times the largest block of documents, and tiles. Nothing overlaps with sending,
///             and blocks wait for each other: equal sizes are the fastest.
/// Bytes       sent by rank r of P > 1 in exchanges:
///               pass 1   (N - M_{r+1}) x + (N - M_r) s
///               pass 2   (N - M_r - M_{r-1}) x + (N - M_{r-1}) f + (N - M_r) g                 (with gradient)
///               x = d sizeof(T), and sizeof(T) with bias, 8 with ids
///               s = 8, and sizeof(T) where unbounded, 8 with smoothing, 8 with ids         0 for Direction::rows
///               f = sizeof(T), and sizeof(T) where unbounded, sizeof(T) with smoothing     0 for Direction::rows
///               g = d sizeof(T) for the gradient by documents, and sizeof(T) for that by their bias
///             So P - 1 blocks of documents without gradient, 3 P - 4 with (2 P - 3 by queries only), where all-gather and
///             reduce-scatter of the documents alone send 2 P - 2 and hold all N. Unbounded: the longest query times the longest
///             document over temperature, and the largest bias, exceed 60 (float) or 450 (double). Besides, six reductions and one
///             gathering of up to 13 numbers.
/// Numerics    as InBatchInfoNce. Other numbers of ranks add in other orders; the same ranks and sizes give the same bits.
/// Errors      what is wrong on any rank, or differs between ranks, is raised on all, before anything is written (agree()).
/// Source      Cheng et al., arXiv 2410.17243 (Inf-CL): rows, running sums round a ring, 3 P - 2 blocks with gradient. Here the
///             sums of columns travel too, each block goes back from where it is, and no sum lacks a maximum.
template <Real T>
class RingInfoNce {
 public:
  template <Communicator C, class E = Serial>
  EmbeddingValue<T> operator()(C& comm, const InBatchInfoNce& loss, const EmbeddingView<T>& view,
                               const EmbeddingGradient<T>& gradient = {}, const E& executor = {}) {
    RingPlan plan = agreed_plan(comm, loss, view, gradient);
    if (workspaces_.size() < executor.workers()) workspaces_.resize(executor.workers());
    Workspace& workspace = workspaces_[0];
    const Team team(executor, workspaces_);
    const Workspace::TeamLoan loan(workspace, team);
    embedding::clear(gradient, workspace);

    const auto frame = workspace.frame();
    const embedding::Batch<T> own = embedding::batch_of(view, loss.similarity, loss.temperature, workspace);
    struct Sizes {
      std::size_t queries, documents;
    };
    for (const Sizes& each : gathered(comm, Sizes{own.queries.n, own.documents.n})) {
      plan.documents.push_back(each.documents);
      plan.all_queries += each.queries;
      plan.all_documents += each.documents;
      plan.most_documents = std::max(plan.most_documents, each.documents);
    }
    return RingSoftmax<T, C>(comm, loss, plan, view, own, workspace).run(gradient);
  }

  /// How often scratch had to grow so far; constant once warm.
  std::size_t growths() const noexcept {
    std::size_t total = 0;
    for (const Workspace& workspace : workspaces_) total += workspace.growths();
    return total;
  }

 private:
  /// What is given or wanted anywhere. Ends in an error on all ranks where there is one on any.
  template <Communicator C>
  static RingPlan agreed_plan(C& comm, const InBatchInfoNce& loss, const EmbeddingView<T>& view, const EmbeddingGradient<T>& out) {
    struct Part {
      const char* name;
      bool given, needed;
    };
    const bool has_queries = !view.queries.empty(), has_documents = !view.documents.empty();
    const Part parts[] = {{"document_bias", !view.document_bias.empty(), has_documents},
                          {"query_ids", !view.query_ids.empty(), has_queries},
                          {"document_ids", !view.document_ids.empty(), has_documents},
                          {"targets", !view.targets.empty(), view.positive_offsets.empty() ? has_queries : !view.positives.empty()},
                          {"the queries' gradient", !out.queries.empty(), has_queries},
                          {"the documents' gradient", !out.documents.empty(), has_documents},
                          {"the document bias' gradient", !out.document_bias.empty(), has_documents}};
    double anywhere[std::size(parts)];
    for (std::size_t i = 0; i < std::size(parts); ++i) anywhere[i] = parts[i].given;
    comm.all_reduce_max(anywhere);
    anywhere[1] = anywhere[2] = std::max(anywhere[1], anywhere[2]);

    const auto wrong = [&]() -> Status {
      if (Status s = status_at_the_door(loss, view, out); !s) return s;
      for (std::size_t i = 0; i < std::size(parts); ++i)
        if (anywhere[i] > 0 && parts[i].needed && !parts[i].given)
          return Status::error("rankgrad: %s: given on another rank, and not here", parts[i].name);
      return {};
    };
    agree(comm, wrong(), {{"dimension", view.dimension}, {"the size of a number", sizeof(T)},
                          {"InBatchInfoNce.temperature", loss.temperature}, {"InBatchInfoNce.smoothing", loss.smoothing},
                          {"InBatchInfoNce.focal_gamma", loss.focal_gamma}, {"InBatchInfoNce.detach_focal", loss.detach_focal}});
    agree(comm, {}, {{"InBatchInfoNce.direction", static_cast<int>(loss.direction)},
                     {"InBatchInfoNce.similarity", static_cast<int>(loss.similarity)},
                     {"InBatchInfoNce.positives", static_cast<int>(loss.positives)},
                     {"InBatchInfoNce.average_directions", loss.average_directions},
                     {"InBatchInfoNce.normalize", static_cast<int>(loss.normalize)},
                     {"InBatchInfoNce.weigh_by_targets", loss.weigh_by_targets}});
    return {.documents = {}, .bias = anywhere[0] > 0, .ids = anywhere[1] > 0, .query_gradient = anywhere[4] > 0,
            .document_gradient = anywhere[5] > 0, .bias_gradient = anywhere[6] > 0};
  }

  std::vector<Workspace> workspaces_;
};

}  // namespace rankgrad::distributed
