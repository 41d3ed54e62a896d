// rankgrad/distributed/ring_softmax.hpp: the softmaxes of a batch that is spread over ranks, of which the documents travel.
// SPDX-License-Identifier: MIT
//
//   pass 1   p = 1 .. P - 1    documents, and what their columns have summed, go forward and meet the queries of other ranks
//            p = P             the sums are home; the documents meet their own queries; sums become factors
//   pass 2   p = P - 1 .. 1    documents, their factors and their gradient go backward, from where pass 1 has left them
//            p = 0             the gradient is home; the documents meet their own queries
//
// p: how far from home, forward. A rank holds three blocks at most: its own, the one that visits, and room for the next.
#pragma once

#include <rankgrad/distributed/communicator.hpp>
#include <rankgrad/embedding/in_batch_info_nce.hpp>

namespace rankgrad::inline RANKGRAD_ABI::distributed {

/// What all ranks know before the first block leaves.
struct RingPlan {
  std::vector<std::size_t> documents;   ///< [P] that are present
  std::size_t all_queries = 0, all_documents = 0, most_documents = 0;
  // Given, or wanted, anywhere:
  bool bias = false, ids = false, query_gradient = false, document_gradient = false, bias_gradient = false;
};

/// The documents of one rank and what travels with them. Null: nobody needs it.
template <Real T>
struct DocumentBlock {
  embedding::SoftmaxAnchors<T> columns;
  T *data, *bias, *gradient, *bias_gradient;   ///< [n d] directions for cosines; [n] in units of similarity; [n d]; [n]
  std::int64_t* ids;           ///< [n]

  DocumentBlock(const RingPlan& plan, bool columns_used, std::size_t n, std::size_t d, Workspace& workspace)
      : columns(columns_used, n, workspace), data(workspace.take<T>(n * d)),
        bias(plan.bias ? workspace.take<T>(n) : nullptr),
        gradient(plan.document_gradient ? workspace.take<T>(n * d, T(0)) : nullptr),
        bias_gradient(plan.bias_gradient ? workspace.take<T>(n, T(0)) : nullptr),
        ids(plan.ids ? workspace.take<std::int64_t>(n) : nullptr) {
    std::fill_n(columns.candidates, n, static_cast<double>(plan.all_queries));
  }
};

/// The halves of an objective that needs sums over rows and columns, each for a walk through the tiles of its own.
template <class Objective>
struct SumsOf {
  static constexpr embedding::Passes passes = embedding::Passes::sums;
  Objective& objective;
  template <Real T>
  void see(const embedding::Tile<T>& tile) { objective.see(tile); }
  void close_rows(const std::uint32_t* row, std::size_t n) { objective.close_rows(row, n); }
};
template <class Objective>
struct DerivativesOf {
  static constexpr embedding::Passes passes = embedding::Passes::one;
  const Objective& objective;
  template <Real T>
  void derive(const embedding::Tile<T>& tile) const { objective.derive(tile); }
};

template <Real T, Communicator C>
class RingSoftmax {
  using Side = embedding::Side<T>;
  using Tiles = embedding::Tiles<T>;
  using Block = DocumentBlock<T>;
  using Relations = embedding::Relations;
  template <bool Bounded>
  using Softmax = embedding::InBatchSoftmax<T, embedding::Passes::both, Bounded>;

 public:
  /// Everything must live as long as this.
  RingSoftmax(C& comm, const InBatchInfoNce& loss, const RingPlan& plan, const EmbeddingView<T>& view, const embedding::Batch<T>& own,
              Workspace& workspace)
      : comm_(comm), loss_(loss), plan_(plan), view_(view), own_(own), workspace_(workspace),
        rows_(loss.direction != Direction::columns, own.queries.n, workspace), home_(block_of(own.documents.n)),
        here_(block_of(comm.size() > 1 ? plan.most_documents : 0)), next_(block_of(comm.size() > 1 ? plan.most_documents : 0)) {
    in_order_ = workspace.take<std::uint32_t>(plan.most_documents);
    for (std::size_t j = 0; j < plan.most_documents; ++j) in_order_[j] = static_cast<std::uint32_t>(j);
    no_pairs_ = workspace.take<std::uint32_t>(own.queries.n + 1, 0u);
    for (std::size_t j = 0; j < own.documents.n; ++j) {
      const T *const from = own.documents.row(j), factor = own.documents.factor(j);
      for (std::size_t k = 0; k < d(); ++k) home_.data[j * d() + k] = from[k] * factor;
      if (plan.bias) home_.bias[j] = own.bias[j];
      if (plan.ids) home_.ids[j] = view.document_ids[own.documents.number[j]];
    }
    embedding::open_anchors(view, own, loss.weigh_by_targets, plan.all_queries, plan.all_documents, rows_, home_.columns);
  }

  EmbeddingValue<T> run(const EmbeddingGradient<T>& out) {
    double most[] = {own_.queries.longest, std::max(own_.documents.longest, own_.own.rows.longest), 0};
    for (std::size_t j = 0; plan_.bias && j < own_.documents.n; ++j)
      most[2] = std::max(most[2], std::abs(static_cast<double>(home_.bias[j])));
    comm_.all_reduce_max(most);
    // Of all ranks: what is relative to it travels. With the rounding of a product, like Batch::longest.
    bound_ = 1.001 * (most[0] * most[1] + most[2]) / loss_.temperature;
    return bound_ <= Softmax<true>::largest_bound ? both_passes<true>(out) : both_passes<false>(out);
  }

 private:
  template <bool Bounded>
  EmbeddingValue<T> both_passes(const EmbeddingGradient<T>& out) {
    go_round<Bounded>();
    embedding::count_pairs(own_.pairs, rows_, home_.columns);
    const Side documents = side_of(home_, own_.documents.n);
    Tiles tiles(own_.queries, documents, loss_.tiles, false, workspace_);
    Softmax<Bounded> softmax(loss_.settings(), own_.pairs, rows_, home_.columns, home_.bias, bound_, tiles.block(), tiles.chunks(),
                             workspace_);
    embedding::find_similarities(own_, softmax.positives.logit, workspace_);
    for (std::size_t k = 0; k < own_.pairs.pairs(); ++k) softmax.positives.logit[k] /= loss_.temperature;
    softmax.open(own_.own);
    see(tiles, softmax);

    double weights[] = {embedding::weight_of(rows_), embedding::weight_of(home_.columns)};
    comm_.all_reduce_sum(weights);
    if (!(weights[0] > 0) && !(weights[1] > 0)) return {};
    loss_.scale_weights(rows_, weights[0]);
    loss_.scale_weights(home_.columns, weights[1]);
    softmax.close();
    double result[] = {softmax.positives.value(), 0};
    const bool all_want = plan_.query_gradient || plan_.document_gradient || plan_.bias_gradient;
    if (all_want || out.wanted()) {
      softmax.derive(own_.own);
      embedding::add_gradients(own_.queries, own_.own, out, workspace_);
    }
    if (all_want) {
      come_back<Bounded>(out.queries);
      Tiles again(own_.queries, documents, loss_.tiles, true, workspace_);
      derive(again, softmax, home_, own_.documents.n, out.queries);
      result[1] = finish(out);
    } else {
      embedding::finish_gradient(own_.own, out, workspace_);
    }
    comm_.all_reduce_sum(result);
    return {static_cast<T>(result[0]), result[1], true};
  }

  /// The own gradients by embeddings. Returns the rank's share of sum s dL/ds: of its queries or, if nobody wants those, of all that
  /// they meet.
  double finish(const EmbeddingGradient<T>& out) {
    double by_queries = 0, by_documents = 0;
    if (plan_.query_gradient) by_queries = embedding::finish_gradient(own_.queries, out.queries.data(), workspace_);
    if (plan_.document_gradient) {
      for (std::size_t j = 0; j < own_.documents.n; ++j)
        std::copy_n(home_.gradient + j * d(), d(), out.documents.data() + own_.documents.number[j] * d());
      by_documents = embedding::finish_gradient(own_.documents, out.documents.data(), workspace_);
    }
    for (std::size_t j = 0; plan_.bias_gradient && j < own_.documents.n; ++j)
      out.document_bias[own_.documents.number[j]] = home_.bias_gradient[j] * static_cast<T>(own_.bias_unit);
    const double by_own = embedding::finish_gradient(own_.own, out, workspace_);
    return !plan_.query_gradient && plan_.document_gradient ? by_documents + by_own : by_queries;
  }

  template <bool Bounded>
  void go_round() {
    const std::size_t ranks = comm_.size();
    for (std::size_t p = 1; p < ranks; ++p) {
      move_documents(p - 1, p, p == 1 ? home_ : here_, p == 1 ? here_ : next_);
      if (p > 1) {
        move_sums<Bounded>(p - 1, p, here_, next_);
        std::swap(here_, next_);
      }
      meet<Bounded>(p, false, [&](const Relations& pairs, Tiles& tiles, Softmax<Bounded>& softmax) {
        embedding::count_pairs(pairs, rows_, here_.columns);
        see(tiles, softmax);
      });
    }
    if (ranks > 1) move_sums<Bounded>(ranks - 1, ranks, here_, home_);
  }
  template <bool Bounded>
  void come_back(std::span<T> query_gradient) {
    const std::size_t ranks = comm_.size();
    if (ranks > 1) move_factors<Bounded>(ranks, ranks - 1, home_, here_);
    for (std::size_t p = ranks - 1; p > 0; --p) {
      meet<Bounded>(p, true, [&](const Relations&, Tiles& tiles, Softmax<Bounded>& softmax) {
        derive(tiles, softmax, here_, size_at(p), query_gradient);
      });
      carry(p, p - 1, here_.gradient, p > 1 ? next_.gradient : home_.gradient, d());
      carry(p, p - 1, here_.bias_gradient, p > 1 ? next_.bias_gradient : home_.bias_gradient);
      if (p == 1) return;
      move_documents(p, p - 1, here_, next_);
      move_factors<Bounded>(p, p - 1, here_, next_);
      std::swap(here_, next_);
    }
  }

  /// task(pairs, tiles, softmax) of the own queries with the block that is here, p from its home.
  template <bool Bounded, class Task>
  void meet(std::size_t p, bool gradient, const Task& task) {
    const auto frame = workspace_.frame();
    const Side side = side_of(here_, size_at(p));
    Relations pairs{.queries = own_.queries.n, .documents = side.n, .offset = no_pairs_};
    if (plan_.ids) embedding::find_same(pairs, view_, own_.queries, [&](std::uint32_t j) { return here_.ids[j]; }, workspace_);
    Tiles tiles(own_.queries, side, loss_.tiles, gradient, workspace_);
    Softmax<Bounded> softmax(loss_.settings(), pairs, rows_, here_.columns, here_.bias, bound_, tiles.block(), tiles.chunks(),
                             workspace_);
    task(pairs, tiles, softmax);
  }
  template <class S>
  void see(Tiles& tiles, S& softmax) const {
    SumsOf<S> half{softmax};
    if (tiles.chunks() > 0) tiles.run(half, {});
  }
  template <class S>
  void derive(Tiles& tiles, const S& softmax, const Block& block, std::size_t n, std::span<T> query_gradient) const {
    DerivativesOf<S> half{softmax};
    tiles.run(half, {query_gradient, {block.gradient, block.gradient ? n * d() : 0}, {},
                     {block.bias_gradient, block.bias_gradient ? n : 0}});
  }

  /// A block's array of `width` numbers per document, a places from its home, to b.
  template <class X>
  void carry(std::size_t a, std::size_t b, const X* out, X* in, std::size_t width = 1) {
    if (!out) return;
    const std::size_t next = next_rank(comm_), previous = previous_rank(comm_);
    comm_.exchange(b > a ? next : previous, std::as_bytes(std::span(out, size_at(a) * width)), b > a ? previous : next,
                   std::as_writable_bytes(std::span(in, size_at(b) * width)));
  }
  void move_documents(std::size_t a, std::size_t b, const Block& out, const Block& in) {
    carry(a, b, out.data, in.data, d());
    carry(a, b, out.bias, in.bias);
    carry(a, b, out.ids, in.ids);
  }
  template <bool Bounded>
  void move_sums(std::size_t a, std::size_t b, const Block& out, const Block& in) {
    if (!out.columns.used) return;
    carry(a, b, out.columns.sum, in.columns.sum);
    if (!Bounded) carry(a, b, out.columns.top, in.columns.top);
    if (loss_.smoothing > 0) carry(a, b, out.columns.similarities, in.columns.similarities);
    if (plan_.ids) carry(a, b, out.columns.candidates, in.columns.candidates);
  }
  template <bool Bounded>
  void move_factors(std::size_t a, std::size_t b, const Block& out, const Block& in) {
    if (!out.columns.used) return;
    carry(a, b, out.columns.factor, in.columns.factor);
    if (!Bounded) carry(a, b, out.columns.top, in.columns.top);
    if (loss_.smoothing > 0) carry(a, b, out.columns.level, in.columns.level);
  }

  std::size_t d() const { return own_.queries.dimension; }
  std::size_t size_at(std::size_t p) const {
    return plan_.documents[(comm_.rank() + comm_.size() - p % comm_.size()) % comm_.size()];
  }
  Block block_of(std::size_t n) const { return Block(plan_, loss_.direction != Direction::rows, n, d(), workspace_); }
  Side side_of(const Block& block, std::size_t n) const { return {block.data, n, d(), in_order_, nullptr, 0}; }

  C& comm_;
  const InBatchInfoNce& loss_;
  const RingPlan& plan_;
  const EmbeddingView<T>& view_;
  const embedding::Batch<T>& own_;
  Workspace& workspace_;
  embedding::SoftmaxAnchors<T> rows_;
  Block home_, here_, next_;
  std::uint32_t *in_order_, *no_pairs_;
  double bound_ = 0;
};

}  // namespace rankgrad::distributed
