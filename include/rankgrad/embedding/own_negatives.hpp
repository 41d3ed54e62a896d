// rankgrad/embedding/own_negatives.hpp: documents that one query alone sees: beside the matrix, by inner products of their own.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/embedding/pairs.hpp>

namespace rankgrad::inline RANKGRAD_ABI::embedding {

/// Those of the queries that are present.
template <Real T>
struct OwnNegatives {
  Side<T> rows;
  std::uint32_t *offset = nullptr, *row = nullptr;   ///< [queries + 1] the first of a query; [rows] 0, 1, ..
  T *similarity = nullptr, *slope = nullptr;         ///< [rows]; dL/ds, by the loss

  std::size_t count(std::size_t i) const { return offset[i + 1] - offset[i]; }
  /// body(k) for those of query i.
  template <class Body>
  void for_each(std::size_t i, const Body& body) const {
    for (std::size_t k = offset[i]; k < offset[i + 1]; ++k) body(k);
  }
};

template <Real T>
OwnNegatives<T> own_negatives_of(const EmbeddingView<T>& view, const Side<T>& queries, Similarity similarity, Workspace& workspace) {
  OwnNegatives<T> own;
  own.offset = workspace.take<std::uint32_t>(queries.n + 1, 0u);
  if (view.own_offsets.empty()) return own;
  std::uint8_t* const there = workspace.take<std::uint8_t>(view.own_count(), 0);
  for (std::size_t i = 0; i < queries.n; ++i) {
    const std::uint32_t begin = view.own_offsets[queries.number[i]], n = view.own_offsets[queries.number[i] + 1] - begin;
    std::fill_n(there + begin, n, 1);
    own.offset[i + 1] = own.offset[i] + n;
  }
  own.rows = side_of<T>(view.own_negatives, view.dimension, {there, view.own_count()}, similarity, workspace);
  own.row = workspace.take<std::uint32_t>(own.rows.n);
  for (std::size_t k = 0; k < own.rows.n; ++k) own.row[k] = static_cast<std::uint32_t>(k);
  own.similarity = workspace.take<T>(own.rows.n);
  own.slope = workspace.take<T>(own.rows.n, T(0));
  for_each_row(queries.n, workspace, [&](std::size_t i) {
    own.for_each(i, [&](std::size_t k) {
      const double s = dot(queries.row(i), queries.factor(i), own.rows.row(k), own.rows.factor(k), view.dimension);
      own.similarity[k] = static_cast<T>(s);
    });
  });
  return own;
}

/// Adds what they are to the gradients by the queries and by themselves.
template <Real T>
void add_gradients(const Side<T>& queries, const OwnNegatives<T>& own, const EmbeddingGradient<T>& out, Workspace& workspace) {
  if (own.rows.n == 0) return;
  add_gradients(queries, own.rows, own.offset, own.row, own.slope, {out.queries, out.own_negatives}, workspace);
}

/// On to the gradient by the rows as they are given. Returns their part of sum s dL/ds.
template <Real T>
double finish_gradient(const OwnNegatives<T>& own, const EmbeddingGradient<T>& out, Workspace& workspace) {
  if (!out.own_negatives.empty()) finish_gradient(own.rows, out.own_negatives.data(), workspace);
  double sum = 0;
  for (std::size_t k = 0; k < own.rows.n; ++k) sum += static_cast<double>(own.similarity[k]) * static_cast<double>(own.slope[k]);
  return sum;
}

}  // namespace rankgrad::embedding
