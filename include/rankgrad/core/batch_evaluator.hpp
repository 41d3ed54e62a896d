// rankgrad/core/batch_evaluator.hpp: losses and metrics over ragged batches, on any number of threads, to the same bits.
// SPDX-License-Identifier: MIT
//
// Read first: core/ragged_batch.hpp, core/reduction.hpp.
#pragma once

#include <rankgrad/core/combinators.hpp>
#include <rankgrad/core/evaluate.hpp>
#include <rankgrad/core/executor.hpp>
#include <rankgrad/core/reduction.hpp>

#include <vector>

namespace rankgrad::inline RANKGRAD_ABI {

/// Keep one per training loop: it owns the scratch of every worker and stops allocating after the first large batch.
///
///   BatchEvaluator<float> evaluate;
///   float value = evaluate(loss, batch, gradient);                                   // mean over lists, serial
///   float value = evaluate(loss, batch, gradient, Reduction::sum, pool);
///   float value = evaluate.with_curvature(loss, batch, gradient, curvature, 1e-6f, Reduction::sum, pool);
///   double ndcg = evaluate.metric(Ndcg{.k = 10}, batch);
///
/// The batch is cut into lists, a worker computes whole lists, the gradients of lists do not overlap, and one thread
/// adds the values in list order: the result does not depend on the executor. Lists of tens of thousands of items are
/// computed one after the other by all workers together, where the loss knows how (core/executor.hpp, Team); by pieces
/// that depend on the list alone, to the same bits again.
///
/// A loss with `scope == Scope::batch` sees all lists pooled into one and counts as one list. A mixture of such a loss
/// with others is evaluated part by part.
template <Real T>
class BatchEvaluator {
 public:
  /// Overwrites `gradient` [items]; returns the reduced value.
  template <class L, class E = Serial>
  T operator()(const L& loss, const RaggedBatch<T>& batch, std::type_identity_t<std::span<T>> gradient,
               Reduction reduction = Reduction::mean, const E& executor = {}) {
    return with_curvature(loss, batch, gradient, {}, 0, reduction, executor);
  }

  /// The same with the curvature in `curvature` [items], at least `floor` everywhere after the reduction.
  template <class L, class E = Serial>
  T with_curvature(const L& loss, const RaggedBatch<T>& batch, std::type_identity_t<std::span<T>> gradient,
                   std::type_identity_t<std::span<T>> curvature, T floor, Reduction reduction = Reduction::mean,
                   const E& executor = {}) {
    static_assert(Loss<L, T>,
                  "a loss needs `template <rankgrad::Real T> rankgrad::Contribution<T> value_and_gradient("
                  "rankgrad::ListView<T>, rankgrad::GradientSink<T>, rankgrad::Workspace&) const` for the T of this evaluator");
    check_at_the_door(loss, batch, executor);
    RANKGRAD_EXPECTS(gradient.size() == batch.items(), "gradient and scores differ in size");
    RANKGRAD_EXPECTS(curvature.empty() || curvature.size() == batch.items(), "curvature and scores differ in size");
    RANKGRAD_EXPECTS(floor >= T(0), "the curvature floor is negative");
    T *const grad = gradient.data(), *const hess = curvature.empty() ? nullptr : curvature.data();
    if (!has_mixed_scopes(loss)) {
      const double value = overwrite(loss, 1.0, batch, grad, hess, reduction, executor);
      for (T& h : curvature) h = std::max(h, floor);
      return static_cast<T>(value);
    }
    simd::clear(grad, hess, gradient.size());
    const double value = accumulate(loss, 1.0, batch, grad, hess, reduction, executor);
    for (T& h : curvature) h = std::max(h, floor);
    return static_cast<T>(value);
  }

  /// The metric's mean over the lists that it does not leave out, weighted by list_weights.
  template <class M, class E = Serial>
  double metric(const M& metric, const RaggedBatch<T>& batch, const E& executor = {}) {
    static_assert(Metric<M, T>, "a metric needs `template <rankgrad::Real T> rankgrad::Contribution<T> value("
                                "rankgrad::ListView<T>, rankgrad::Workspace&) const`");
    check_at_the_door(metric, batch, executor);
    const Total<T> total = for_each_run(batch, executor, [&](std::size_t begin, std::size_t end, Workspace& workspace) {
      for (std::size_t q = begin; q < end; ++q) parts_[q] = evaluate_unmasked(metric, batch[q], workspace);
    });
    return total.value * total.factor(Reduction::mean);
  }

  /// Value and validity of every list of the last call, before weights and reduction. After a loss of batch scope: one
  /// entry. After a mixture that was evaluated part by part: those of its last part.
  std::span<const Contribution<T>> per_list() const noexcept { return parts_; }

  /// How often scratch had to grow so far; constant once warm.
  std::size_t growths() const noexcept {
    std::size_t total = growths_;
    for (const Workspace& workspace : workspaces_) total += workspace.growths();
    return total;
  }

 private:
  /// Adds factor * reduced loss to gradient and curvature, part by part where the scopes differ.
  template <class L, class E>
  double accumulate(const L& loss, double factor, const RaggedBatch<T>& batch, T* grad, T* hess, Reduction reduction,
                    const E& executor) {
    if constexpr (is_scaled<L>) {
      return accumulate(loss.loss, factor * loss.weight, batch, grad, hess, reduction, executor);
    } else if constexpr (is_sum<L>) {
      if (has_mixed_scopes(loss)) {
        const double first = accumulate(loss.first, factor, batch, grad, hess, reduction, executor);
        return first + accumulate(loss.second, factor, batch, grad, hess, reduction, executor);
      }
    }
    const std::size_t n = batch.items();
    grow(gradient_, n);
    if (hess) grow(curvature_, n);
    T* const own_hess = hess ? curvature_.data() : nullptr;
    const double value = overwrite(loss, factor, batch, gradient_.data(), own_hess, reduction, executor);
    for (std::size_t i = 0; i < n; ++i) grad[i] += gradient_[i];
    if (hess)
      for (std::size_t i = 0; i < n; ++i) hess[i] += curvature_[i];
    return value;
  }

  /// The same for a loss of one scope, over whatever stands in grad and hess.
  ///
  /// The factor of a mean is known only when all lists are done. In most batches every list has a signal: the lists are
  /// given the factor of that case, and only where it was wrong is the gradient gone over once more.
  template <class L, class E>
  double overwrite(const L& loss, double factor, const RaggedBatch<T>& batch, T* grad, T* hess, Reduction reduction,
                   const E& executor) {
    if constexpr (is_scaled<L>) return overwrite(loss.loss, factor * loss.weight, batch, grad, hess, reduction, executor);
    const bool as_one = scope_of(loss) == Scope::batch;
    const double expected = factor * (as_one ? one() : everything(batch)).factor(reduction);
    prepare(as_one ? 1 : batch.lists(), executor.workers());
    const ListsSink<T> out{grad, hess, parts_.data(), expected};
    const auto clear = [&](std::size_t first, std::size_t last, Workspace& workspace) {
      constexpr std::size_t piece_size = 65536;
      for_each_piece((last - first + piece_size - 1) / piece_size, workspace, [&](std::size_t piece, Workspace&) {
        const std::size_t begin = first + piece * piece_size, size = std::min(piece_size, last - begin);
        simd::clear(grad + begin, hess ? hess + begin : nullptr, size);
      });
    };
    Total<T> total;
    if (as_one) {
      together(executor, [&](Workspace& workspace) {
        clear(0, batch.items(), workspace);
        parts_[0] = evaluate_unmasked(loss, batch.pooled(), GradientSink<T>{grad, hess, static_cast<T>(expected)}, workspace);
      });
      total.add(parts_[0], T(1));
    } else {
      total = for_each_run(batch, executor, [&](std::size_t begin, std::size_t end, Workspace& workspace) RANKGRAD_INLINE {
        if constexpr (OverwritingLoss<L, T>)
          if (batch.mask.empty()) return overwrite_run(loss, batch, begin, end, out, workspace);
        // By the worker that computes them, while they are in its cache.
        clear(batch.offsets[begin], batch.offsets[end], workspace);
        for (std::size_t q = begin; q < end; ++q) parts_[q] = evaluate_unmasked(loss, batch[q], out.list(batch, q), workspace);
      });
    }
    const double scale = factor * total.factor(reduction);
    if (scale != expected) rescale(static_cast<T>(scale / expected), batch.items(), grad, hess);
    return scale * total.value;
  }

  template <class L>
  void overwrite_run(const L& loss, const RaggedBatch<T>& batch, std::size_t begin, std::size_t end, const ListsSink<T>& out,
                     Workspace& workspace) {
    if (end - begin > 1) loss.overwrite(batch, begin, end, out, workspace);
    else parts_[begin] = loss.overwrite(batch[begin], out.list(batch, begin), workspace);
  }

  static void rescale(T factor, std::size_t n, T* grad, T* hess) {
    for (std::size_t i = 0; i < n; ++i) grad[i] *= factor;
    if (hess)
      for (std::size_t i = 0; i < n; ++i) hess[i] *= factor;
  }

  static Total<T> one() {
    Total<T> total;
    total.weight = 1;
    return total;
  }
  /// As if every list had a signal; added in the order of for_each_run.
  static Total<T> everything(const RaggedBatch<T>& batch) {
    Total<T> total;
    if (batch.list_weights.empty()) total.weight = static_cast<double>(batch.lists());
    else
      for (const T weight : batch.list_weights) total.weight += static_cast<double>(weight);
    return total;
  }

  /// run(begin, end, workspace) for runs of lists, which leaves their values in parts_.
  template <class E, class Run>
  Total<T> for_each_run(const RaggedBatch<T>& batch, const E& executor, const Run& run) {
    const std::size_t lists = batch.lists();
    prepare(lists, executor.workers());
    cut_into_chunks(batch);
    const bool alone = executor.workers() == 1;
    executor(chunks_.size() - 1, [&](std::size_t chunk, std::size_t worker) {
      if (alone || !is_large(batch, chunk)) run(chunks_[chunk], chunks_[chunk + 1], workspaces_[worker]);
    });
    for (std::size_t chunk = 0; !alone && chunk + 1 < chunks_.size(); ++chunk)
      if (is_large(batch, chunk))
        together(executor, [&](Workspace& workspace) { run(chunks_[chunk], chunks_[chunk + 1], workspace); });
    Total<T> total;
    for (std::size_t q = 0; q < lists; ++q) total.add(parts_[q], batch.list_weight(q));
    return total;
  }

  /// Lists from this size on are worth waking the other workers for.
  static constexpr std::size_t large_list = 32768;

  template <class E, class Run>
  void together(const E& executor, const Run& run) {
    const Team team(executor, workspaces_);
    const Workspace::TeamLoan loan(workspaces_[0], team);
    run(workspaces_[0]);
  }

  /// Is the chunk one large list?
  bool is_large(const RaggedBatch<T>& batch, std::size_t chunk) const {
    const std::size_t first = chunks_[chunk], last = chunks_[chunk + 1];
    return last - first == 1 && batch.offsets[last] - batch.offsets[first] >= large_list;
  }

  /// Runs of lists with about the same number of items each: enough of them to balance, few enough to hand out cheaply. A
  /// large list is a run of its own.
  void cut_into_chunks(const RaggedBatch<T>& batch) {
    const std::size_t items_per_chunk = std::clamp<std::size_t>(batch.items() / 32, 512, 2048);
    chunks_.assign(1, 0);
    std::size_t items = 0;
    const auto close = [&](std::size_t end) {
      if (end != chunks_.back()) chunks_.push_back(end);
      items = 0;
    };
    for (std::size_t q = 0; q < batch.lists(); ++q) {
      const std::size_t size = batch.offsets[q + 1] - batch.offsets[q];
      if (size >= large_list) close(q);
      items += size;
      if (items >= items_per_chunk || q + 1 == batch.lists()) close(q + 1);
    }
  }

  void prepare(std::size_t lists, std::size_t workers) {
    grow(parts_, lists);
    if (workspaces_.size() < workers) {
      ++growths_;
      workspaces_.resize(workers);
    }
  }
  template <class V>
  void grow(std::vector<V>& buffer, std::size_t n) {
    if (buffer.capacity() < n) ++growths_;
    buffer.resize(n);
  }

  std::vector<Contribution<T>> parts_;
  std::vector<Workspace> workspaces_;
  std::vector<std::size_t> chunks_;
  std::vector<T> gradient_, curvature_;
  std::size_t growths_ = 0;
};

}  // namespace rankgrad
