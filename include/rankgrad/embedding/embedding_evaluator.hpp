// rankgrad/embedding/embedding_evaluator.hpp: the door of losses over embeddings, on any number of threads.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/embedding/side.hpp>

#include <concepts>
#include <vector>

namespace rankgrad::inline RANKGRAD_ABI {

/// What a loss over embeddings looks at, and where its gradient goes: an EmbeddingView and an EmbeddingGradient, unless the
/// loss names others, as templates View and Gradient.
template <class L, class T>
struct Embeddings {
  using View = EmbeddingView<T>;
  using Gradient = EmbeddingGradient<T>;
};
template <class L, class T>
  requires requires { typename L::template Gradient<T>; }
struct Embeddings<L, T> {
  using View = typename L::template View<T>;
  using Gradient = typename L::template Gradient<T>;
};

/// A loss over a batch of embeddings. evaluate() adds the gradient to arrays that are zero, and allocates in the workspace only.
template <class L, class T>
concept EmbeddingLoss = std::copyable<L> && Real<T> &&
    requires(const L loss, const typename Embeddings<L, T>::View& view, const typename Embeddings<L, T>::Gradient& out,
             Workspace& scratch) {
      { loss.evaluate(view, out, scratch) } -> std::same_as<EmbeddingValue<T>>;
      { loss.check() } -> std::same_as<Status>;
    };

/// Keep one per training loop: it owns the scratch of every worker and stops allocating after the first large batch.
///
///   EmbeddingEvaluator<float> evaluate;
///   EmbeddingView<float> batch{.dimension = 128, .queries = queries, .documents = documents};
///   const auto result = evaluate(InBatchInfoNce{.temperature = 0.05}, batch, {query_gradient, document_gradient});
///   const auto result = evaluate(loss, batch, gradient, pool);   // exec/threads.hpp: the same bits
///   const float value = evaluate(loss, batch).value;
///
/// The gradient is written over. What is wrong with the input is raised before anything is written.
template <Real T>
class EmbeddingEvaluator {
 public:
  template <class L, class E = Serial>
  EmbeddingValue<T> operator()(const L& loss, const typename Embeddings<L, T>::View& view,
                               const typename Embeddings<L, T>::Gradient& gradient, const E& executor = {}) {
    static_assert(EmbeddingLoss<L, T>, "not a loss over embeddings; see the concept EmbeddingLoss");
    check_at_the_door(loss, view, gradient);
    if (workspaces_.size() < executor.workers()) workspaces_.resize(executor.workers());
    const Team team(executor, workspaces_);
    const Workspace::TeamLoan loan(workspaces_[0], team);
    embedding::clear(gradient, workspaces_[0]);
    return loss.evaluate(view, gradient, workspaces_[0]);
  }
  template <class L>
  EmbeddingValue<T> operator()(const L& loss, const typename Embeddings<L, T>::View& view) {
    return (*this)(loss, view, typename Embeddings<L, T>::Gradient{});
  }

  /// How often scratch had to grow so far; constant once warm.
  std::size_t growths() const noexcept {
    std::size_t total = 0;
    for (const Workspace& workspace : workspaces_) total += workspace.growths();
    return total;
  }

 private:
  std::vector<Workspace> workspaces_;
};

}  // namespace rankgrad
