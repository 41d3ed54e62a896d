// rankgrad/embedding/relations.hpp: which documents are a query's positives, and which are left out, in present numbers.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/embedding/side.hpp>

namespace rankgrad::inline RANKGRAD_ABI::embedding {

/// Pairs of present queries and documents. Positives of query i are numbered offset[i] .. offset[i + 1] - 1, documents ascending.
/// Documents with the id of query i are members[same_begin[i] .. same_end[i]), ascending, positives among them.
struct Relations {
  std::size_t queries = 0, documents = 0;
  std::uint32_t *offset = nullptr, *document = nullptr;
  std::uint32_t *members = nullptr, *same_begin = nullptr, *same_end = nullptr;   ///< null without ids
  double* targets = nullptr;   ///< [pairs], above 0; null where the view has none

  std::size_t pairs() const { return offset[queries]; }
  std::size_t positives(std::size_t i) const { return offset[i + 1] - offset[i]; }
  double target(std::size_t k) const { return targets ? targets[k] : 1; }

  /// body(number of the pair) for the positives of query i among the documents first .. first + n - 1.
  template <class Body>
  void for_positives(std::size_t i, std::size_t first, std::size_t n, const Body& body) const {
    const std::uint32_t* const end = document + offset[i + 1];
    const std::uint32_t* k = document + offset[i];
    if (end - k > 8) k = std::lower_bound(k, end, static_cast<std::uint32_t>(first));
    for (; k < end && *k < first + n; ++k)
      if (*k >= first) body(static_cast<std::size_t>(k - document));
  }
  /// body(document) for all those with the id of query i, likewise.
  template <class Body>
  void for_same(std::size_t i, std::size_t first, std::size_t n, const Body& body) const {
    if (!members) return;
    const std::uint32_t* const end = members + same_end[i];
    const std::uint32_t* j = std::lower_bound<const std::uint32_t*>(members + same_begin[i], end, static_cast<std::uint32_t>(first));
    for (; j < end && *j < first + n; ++j) body(static_cast<std::size_t>(*j));
  }
  bool is_same(std::size_t i, std::uint32_t j) const {
    bool found = false;
    for_same(i, j, 1, [&](std::size_t) { found = true; });
    return found;
  }
  /// Documents that are neither positives of query i nor left out.
  std::size_t negatives(std::size_t i) const {
    std::size_t others = documents;
    for_same(i, 0, documents, [&](std::size_t) { --others; });
    for_positives(i, 0, documents, [&](std::size_t k) { others -= !is_same(i, document[k]); });
    return others;
  }
};

/// Is query i there, and a positive of it?
template <Real T>
bool has_positive(const EmbeddingView<T>& view, std::size_t i) {
  bool found = false;
  if (view.has_query(i)) view.for_positives(i, [&](std::size_t, T) { found = true; });
  return found;
}

/// Fills in who has the id of a query. id(j): of the present document j.
template <Real T, class Id>
void find_same(Relations& all, const EmbeddingView<T>& view, const Side<T>& queries, const Id& id, Workspace& workspace) {
  all.members = workspace.take<std::uint32_t>(all.documents);
  all.same_begin = workspace.take<std::uint32_t>(queries.n);
  all.same_end = workspace.take<std::uint32_t>(queries.n);
  for (std::size_t j = 0; j < all.documents; ++j) all.members[j] = static_cast<std::uint32_t>(j);
  std::sort(all.members, all.members + all.documents,
            [&](std::uint32_t a, std::uint32_t b) { return id(a) != id(b) ? id(a) < id(b) : a < b; });
  for (std::size_t i = 0; i < queries.n; ++i) {
    const std::int64_t wanted = view.query_ids[queries.number[i]];
    const auto* const begin = std::partition_point(all.members, all.members + all.documents, [&](auto j) { return id(j) < wanted; });
    const auto* const end = std::partition_point(begin, static_cast<const std::uint32_t*>(all.members) + all.documents,
                                                 [&](auto j) { return id(j) == wanted; });
    all.same_begin[i] = static_cast<std::uint32_t>(begin - all.members);
    all.same_end[i] = static_cast<std::uint32_t>(end - all.members);
  }
}

template <Real T>
Relations relations_of(const EmbeddingView<T>& view, const Side<T>& queries, const Side<T>& documents, Workspace& workspace) {
  Relations all;
  all.queries = queries.n;
  all.documents = documents.n;
  std::uint32_t* const present = workspace.take<std::uint32_t>(view.document_count());
  for (std::size_t j = 0; j < documents.n; ++j) present[documents.number[j]] = static_cast<std::uint32_t>(j);
  const std::size_t listed = view.positive_offsets.empty() ? queries.n : view.positives.size();
  all.offset = workspace.take<std::uint32_t>(queries.n + 1);
  all.document = workspace.take<std::uint32_t>(listed);
  if (!view.targets.empty()) all.targets = workspace.take<double>(listed);
  std::uint32_t pairs = 0;
  for (std::size_t i = 0; i < queries.n; ++i) {
    all.offset[i] = pairs;
    view.for_positives(queries.number[i], [&](std::size_t j, T target) {
      if (all.targets) all.targets[pairs] = static_cast<double>(target);
      all.document[pairs++] = present[j];
    });
  }
  all.offset[queries.n] = pairs;
  if (!view.query_ids.empty())
    find_same(all, view, queries, [&](std::uint32_t j) { return view.document_ids[documents.number[j]]; }, workspace);
  return all;
}

}  // namespace rankgrad::embedding
