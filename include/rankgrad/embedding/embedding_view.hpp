// rankgrad/embedding/embedding_view.hpp: a batch of query and document embeddings, what belongs together, and where the
// gradient goes.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/check_offsets.hpp>
#include <rankgrad/core/validate.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <span>

namespace rankgrad::inline RANKGRAD_ABI {

/// How two embeddings are compared: by their inner product, or by that of their directions. The gradient is that with respect
/// to the embeddings as they are given, the division by the length included. The cosine of a zero vector is 0 with everything,
/// and so is its gradient.
enum class Similarity { dot, cosine };

/// B queries against M documents, all of them: every document that is not a query's own is a negative of it.
///
///   queries           [B dimension], row-major
///   documents         [M dimension], row-major: positives and hard negatives alike
///   positives         document numbers, those of query i at positive_offsets[i] .. positive_offsets[i + 1], ascending; a query
///   positive_offsets  [B + 1]    may have none: it is then left out. Both empty: document i is the positive of query i
///   targets           [positives] (one for each query where none are listed), >= 0: how much of a query's target is at each of its
///                     positives. A positive of target 0 is none. Empty means 1 for all
///   query_ids         [B]  what a query asks for and ...
///   document_ids      [M]  ... what a document shows: equal ids that are not listed as positives are no negatives either
///                     (accidental hits), the pair is left out of all sums. Both or neither (no ids for no items)
///   document_bias     [M]  added to the logits of a document: -log Q(document) corrects for sampling, a class has its own. Where a
///                     loss has no logits, to its similarities
///   weights           [B]  of the queries, >= 0; empty means 1 for all
///   own_negatives     [N dimension], row-major: documents that one query alone sees, no candidates of the others and no positives;
///   own_offsets       [B + 1]    those of query i are own_offsets[i] .. own_offsets[i + 1]. No bias. Both empty: none
///   query_mask, document_mask   1 = present, 0 = absent: as good as deleted, pairs of absent positives with them
///
/// The matrix of similarities [B M] is never in memory.
template <Real T>
struct EmbeddingView {
  using value_type = T;

  std::size_t dimension = 0;
  std::span<const T> queries{};
  std::span<const T> documents{};
  std::span<const std::uint32_t> positive_offsets{};
  std::span<const std::uint32_t> positives{};
  std::span<const std::int64_t> query_ids{};
  std::span<const std::int64_t> document_ids{};
  std::span<const T> document_bias{};
  std::span<const T> weights{};
  std::span<const std::uint8_t> query_mask{};
  std::span<const std::uint8_t> document_mask{};
  std::span<const T> targets{};
  std::span<const T> own_negatives{};
  std::span<const std::uint32_t> own_offsets{};

  constexpr std::size_t query_count() const noexcept { return dimension ? queries.size() / dimension : 0; }
  constexpr std::size_t document_count() const noexcept { return dimension ? documents.size() / dimension : 0; }
  constexpr std::size_t own_count() const noexcept { return dimension ? own_negatives.size() / dimension : 0; }
  constexpr bool has_query(std::size_t i) const noexcept { return query_mask.empty() || query_mask[i]; }
  constexpr bool has_document(std::size_t j) const noexcept { return document_mask.empty() || document_mask[j]; }
  constexpr std::size_t first_positive(std::size_t i) const noexcept { return positive_offsets.empty() ? i : positive_offsets[i]; }
  constexpr std::size_t positive(std::size_t k) const noexcept { return positive_offsets.empty() ? k : positives[k]; }
  /// body(document, target) for the positives of query i that are there.
  template <class Body>
  constexpr void for_positives(std::size_t i, const Body& body) const {
    for (std::size_t k = first_positive(i); k < first_positive(i + 1); ++k) {
      const std::size_t j = positive(k);
      if (has_document(j) && (targets.empty() || targets[k] > T(0))) body(j, targets.empty() ? T(1) : targets[k]);
    }
  }
  constexpr T weight(std::size_t i) const noexcept { return weights.empty() ? T(1) : weights[i]; }
};

/// Where the gradient goes: written over, not added to. All empty: the value alone, for a third of the price.
template <Real T>
struct EmbeddingGradient {
  std::span<T> queries{};         ///< [B dimension]
  std::span<T> documents{};       ///< [M dimension]
  std::span<T> own_negatives{};   ///< [N dimension]
  std::span<T> document_bias{};   ///< [M]: sum_i dL/dx_ij, whether the view has a bias or not

  constexpr std::array<std::span<T>, 4> parts() const noexcept { return {queries, documents, own_negatives, document_bias}; }
  constexpr bool wanted() const noexcept {
    return !queries.empty() || !documents.empty() || !own_negatives.empty() || !document_bias.empty();
  }
  /// Is there room for that of a view?
  template <class View>
  Status fits(const View& view) const {
    using detail::check_optional_length;
    if (Status s = check_optional_length("the queries' gradient", queries.size(), view.queries.size()); !s) return s;
    if (Status s = check_optional_length("the documents' gradient", documents.size(), view.documents.size()); !s) return s;
    if (Status s = check_optional_length("the document bias' gradient", document_bias.size(), view.document_count()); !s) return s;
    std::size_t own = 0;
    if constexpr (requires { view.own_negatives; }) own = view.own_negatives.size();
    return check_optional_length("the own negatives' gradient", own_negatives.size(), own);
  }
};

/// The value of a batch, and what costs nothing beside the gradient by queries or by documents (0 without them).
template <Real T>
struct EmbeddingValue {
  T value{};
  double log_scale_gradient = 0;   ///< by the logarithm of a factor of all similarities: of 1 / temperature where they have that one
  bool valid = false;              ///< false: no query has what the loss needs, a positive and mostly a negative; everything is 0
  double bias_gradient = 0;        ///< by what is added to all logits, where a loss learns that
};

namespace detail {
/// Whole rows, and no more of them than numbers go.
template <Real T>
Status check_side(const char* name, std::size_t dimension, std::span<const T> rows) {
  if (dimension == 0) return Status::error("rankgrad: the dimension of the embeddings is 0");
  if (rows.size() % dimension != 0)
    return Status::error("rankgrad: %s has %zu numbers, which is not a multiple of the dimension %zu", name, rows.size(),
                         dimension);
  if (rows.size() / dimension > std::numeric_limits<std::uint32_t>::max())
    return Status::error("rankgrad: more than 2^32 - 1 %s", name);
  return {};
}
template <Real T>
Status check_sides(std::size_t dimension, std::span<const T> queries, std::span<const T> documents) {
  if (Status s = check_side("queries", dimension, queries); !s) return s;
  return check_side("documents", dimension, documents);
}

/// Whole rows, and whose they are.
template <Real T>
Status check_own_negatives(const EmbeddingView<T>& view) {
  if (view.own_offsets.empty())
    return view.own_negatives.empty() ? Status{} : Status::error("rankgrad: own_negatives without own_offsets");
  if (Status s = check_side("own_negatives", view.dimension, view.own_negatives); !s) return s;
  if (Status s = check_length("own_offsets", view.own_offsets.size(), view.query_count() + 1); !s) return s;
  return check_offsets("own_offsets", view.own_offsets, view.own_count(), "own negatives");
}

/// The targets of pairs that are there.
template <Real T>
Status check_targets(const EmbeddingView<T>& view) {
  const std::size_t pairs = view.positive_offsets.empty() ? view.query_count() : view.positives.size();
  if (Status s = check_optional_length("targets", view.targets.size(), pairs); !s) return s;
  for (std::size_t i = 0; i < view.query_count() && !view.targets.empty(); ++i) {
    if (!view.has_query(i)) continue;
    for (std::size_t k = view.first_positive(i); k < view.first_positive(i + 1); ++k)
      if (view.has_document(view.positive(k)) && !(is_finite(view.targets[k]) && view.targets[k] >= T(0)))
        return Status::error("rankgrad: targets[%zu] is %g; it must be finite and at least 0", k, static_cast<double>(view.targets[k]));
  }
  return {};
}

/// What a loss has no use for is refused, not ignored. A loss says with `static constexpr bool takes_targets = true`, or
/// `takes_own_negatives`, that it has one.
template <class L, class View>
Status check_use(const L& loss, const View& view) {
  const auto refuse = [](const char* what) {
    if constexpr (requires { L::name; })
      return Status::error("rankgrad: %.*s has no use for %s", static_cast<int>(L::name.size()), L::name.data(), what);
    else
      return Status::error("rankgrad: the loss has no use for %s", what);
  };
  if constexpr (requires { view.targets; })
    if (!view.targets.empty() && !requires { requires L::takes_targets; }) return refuse("targets");
  if constexpr (requires { view.own_offsets; })
    if (!view.own_offsets.empty() && !requires { requires L::takes_own_negatives; }) return refuse("own negatives");
  static_cast<void>(refuse);
  return validate_input(loss, view);
}
}  // namespace detail

/// Sizes and numbers agree, nothing but the embeddings is NaN or infinite. O(B + M + positives).
template <Real T>
Status validate(const EmbeddingView<T>& view) {
  const std::size_t queries = view.query_count(), documents = view.document_count();
  if (Status s = detail::check_sides(view.dimension, view.queries, view.documents); !s) return s;
  if (Status s = detail::check_own_negatives(view); !s) return s;
  if (Status s = detail::check_optional_length("weights", view.weights.size(), queries); !s) return s;
  if (Status s = detail::check_optional_length("query_mask", view.query_mask.size(), queries); !s) return s;
  if (Status s = detail::check_optional_length("document_mask", view.document_mask.size(), documents); !s) return s;
  if (Status s = detail::check_optional_length("document_bias", view.document_bias.size(), documents); !s) return s;
  if (queries && documents && view.query_ids.empty() != view.document_ids.empty())
    return Status::error("rankgrad: query_ids and document_ids go together; one of them is empty");
  if (Status s = detail::check_optional_length("query_ids", view.query_ids.size(), queries); !s) return s;
  if (Status s = detail::check_optional_length("document_ids", view.document_ids.size(), documents); !s) return s;
  constexpr T limit = std::numeric_limits<T>::max();
  if (Status s = detail::check_values<T>("weights", view.weights, view.query_mask, T(0), limit); !s) return s;
  if (Status s = detail::check_values<T>("document_bias", view.document_bias, view.document_mask, -limit, limit); !s) return s;
  if (view.positive_offsets.empty()) {
    if (!view.positives.empty()) return Status::error("rankgrad: positives without positive_offsets");
    if (documents >= queries) return detail::check_targets(view);
    return Status::error("rankgrad: %zu documents for %zu queries; without positives, document i is that of query i", documents,
                         queries);
  }
  if (Status s = detail::check_length("positive_offsets", view.positive_offsets.size(), queries + 1); !s) return s;
  if (Status s = detail::check_offsets("positive_offsets", view.positive_offsets, view.positives.size(), "positives"); !s) return s;
  for (std::size_t i = 0; i < queries; ++i)
    for (std::uint32_t k = view.positive_offsets[i]; k < view.positive_offsets[i + 1]; ++k) {
      if (view.positives[k] >= documents)
        return Status::error("rankgrad: positives[%u] is %u; there are %zu documents", k, view.positives[k], documents);
      if (k > view.positive_offsets[i] && view.positives[k] <= view.positives[k - 1])
        return Status::error("rankgrad: positives[%u] is %u after %u; the documents of a query must ascend", k,
                             view.positives[k], view.positives[k - 1]);
    }
  return detail::check_targets(view);
}

/// What is wrong with the loss, the view or the places for the gradient, as far as RANKGRAD_CONTRACTS asks for it.
template <class L, class View, class Gradient>
  requires requires(const View& view, const Gradient& gradient) { gradient.fits(view); }
Status status_at_the_door(const L& loss, const View& view, const Gradient& gradient) {
  if constexpr (RANKGRAD_CONTRACTS >= 1) {
    if (Status s = loss.check(); !s) return s;
    if (Status s = detail::check_use(loss, view); !s) return s;
    if (Status s = gradient.fits(view); !s) return s;
  }
  if constexpr (RANKGRAD_CONTRACTS >= 2) return validate(view);
  else return {};
}

}  // namespace rankgrad
