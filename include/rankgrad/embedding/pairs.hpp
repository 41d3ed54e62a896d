// rankgrad/embedding/pairs.hpp: the gradient of the embeddings through chosen pairs of queries and documents.
// SPDX-License-Identifier: MIT
//
//   pairs     k = offset[i] .. offset[i + 1] - 1 are those of query i with document[k] (CSR), in present numbers
//   dL/dq_i   = sum_k g_k k_j        over the pairs of query i,      g_k = dL/ds_k,  s_k = q_i . k_j
//   dL/dk_j   = sum_k g_k q_i        over the pairs of document j: found by turning the lists around once
//
// A row of either gradient has one owner, who adds its pairs in their order: the bits do not depend on the threads.
#pragma once

#include <rankgrad/embedding/side.hpp>
#include <rankgrad/simd/denormals.hpp>
#include <rankgrad/simd/unroll.hpp>

namespace rankgrad::inline RANKGRAD_ABI::embedding {

/// body(row) for the rows of one side, some of them at a time.
template <class Body>
void for_each_row(std::size_t rows, Workspace& workspace, const Body& body) {
  constexpr std::size_t size = 16;
  for_each_piece((rows + size - 1) / size, workspace, [&](std::size_t piece, Workspace&) {
    const simd::FlushDenormals flush(true);
    for (std::size_t i = piece * size; i < std::min(rows, (piece + 1) * size); ++i) body(i);
  });
}

/// to[0 .. d) += sum of c_k row_k over begin <= k < end, a strip of features in registers. term(k): c_k and row_k.
template <class T>
struct RowTerm {
  T factor;
  const T* row;
};
template <class T, class Term>
RANKGRAD_NOINLINE void add_rows(std::size_t begin, std::size_t end, std::size_t d, T* to, const Term& term) {
  using namespace simd;
  constexpr std::size_t packs = 8, strip = packs * lanes<T>;
  std::size_t f = 0;
  for (; f + strip <= d; f += strip) {
    Pack<T> sum[packs];
    RANKGRAD_UNROLL
    for (std::size_t p = 0; p < packs; ++p) sum[p] = load(to + f + p * lanes<T>);
    for (std::size_t k = begin; k < end; ++k) {
      const RowTerm<T> part = term(k);
      const Pack<T> factor(part.factor);
      RANKGRAD_UNROLL
      for (std::size_t p = 0; p < packs; ++p) sum[p] = fma(factor, load(part.row + f + p * lanes<T>), sum[p]);
    }
    RANKGRAD_UNROLL
    for (std::size_t p = 0; p < packs; ++p) store(to + f + p * lanes<T>, sum[p]);
  }
  for (std::size_t k = begin; k < end && f < d; ++k) {
    const RowTerm<T> part = term(k);
    const Pack<T> factor(part.factor);
    for_each_pack<T>(d - f, [&](std::size_t i, auto at) RANKGRAD_INLINE {
      at.store(to + f + i, fma(factor, at.load(part.row + f + i, T(0)), at.load(to + f + i, T(0))));
    });
  }
}

/// Adds the gradient by the embeddings (of length 1 where they are cosines: finish_gradient() does the rest) and, for what is added to
/// the similarities of a document, the sum of its slopes. Pairs of slope 0
/// are passed over, whatever their embeddings are.
template <Real T>
void add_gradients(const Side<T>& queries, const Side<T>& documents, const std::uint32_t* offset, const std::uint32_t* document,
                   const T* slope, const EmbeddingGradient<T>& out, Workspace& workspace) {
  const auto frame = workspace.frame();
  const std::size_t d = queries.dimension, pairs = offset[queries.n];
  std::uint32_t *const query = workspace.take<std::uint32_t>(pairs), *const pair = workspace.take<std::uint32_t>(pairs);
  std::uint32_t* const row_begin = workspace.take<std::uint32_t>(queries.n + 1);
  std::uint32_t* const column_begin = workspace.take<std::uint32_t>(documents.n + 2, 0);
  std::uint32_t active = 0;
  for (std::size_t i = 0; i < queries.n; ++i) {   // what counts, closed up; and how much of it each document has
    row_begin[i] = active;
    for (std::uint32_t k = offset[i]; k < offset[i + 1]; ++k) {
      if (slope[k] == T(0)) continue;
      query[active] = static_cast<std::uint32_t>(i);
      pair[active++] = k;
      ++column_begin[document[k] + 2];
    }
  }
  row_begin[queries.n] = active;
  if (!out.queries.empty())
    for_each_row(queries.n, workspace, [&](std::size_t i) {
      add_rows<T>(row_begin[i], row_begin[i + 1], d, out.queries.data() + queries.number[i] * d, [&](std::size_t a) {
        const std::size_t k = pair[a], j = document[k];
        return RowTerm<T>{slope[k] * documents.factor(j), documents.row(j)};
      });
    });
  if (out.documents.empty() && out.document_bias.empty()) return;
  std::uint32_t* const turned = workspace.take<std::uint32_t>(active);
  for (std::size_t j = 2; j < documents.n + 2; ++j) column_begin[j] += column_begin[j - 1];
  for (std::uint32_t a = 0; a < active; ++a) turned[column_begin[document[pair[a]] + 1]++] = a;   // where one begins, its end
  for_each_row(documents.n, workspace, [&](std::size_t j) {
    if (column_begin[j] == column_begin[j + 1]) return;
    if (!out.document_bias.empty()) {
      double sum = 0;
      for (std::size_t z = column_begin[j]; z < column_begin[j + 1]; ++z) sum += static_cast<double>(slope[pair[turned[z]]]);
      out.document_bias[documents.number[j]] += static_cast<T>(sum);
    }
    if (out.documents.empty()) return;
    add_rows<T>(column_begin[j], column_begin[j + 1], d, out.documents.data() + documents.number[j] * d, [&](std::size_t z) {
      const std::size_t a = turned[z], i = query[a];
      return RowTerm<T>{slope[pair[a]] * queries.factor(i), queries.row(i)};
    });
  });
}

}  // namespace rankgrad::embedding
